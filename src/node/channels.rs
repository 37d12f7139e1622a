//! Who listens to what, and which changes of keys are told to them.

use super::notifications::Notifications;
use super::pubsub::PubSub;

/// See the module.
#[derive(Default)]
pub(super) struct Channels {
    pub(super) pubsub: PubSub,
    pub(super) notifications: Notifications,
}
