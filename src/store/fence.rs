//! What keeps changes as they are until they are copied out.

use super::Batch;

/// Changes after `after` and up to `up_to` are wanted as they are: what is about to overwrite one puts it into
/// `displaced` first.
pub(super) struct Fence {
    pub(super) after: u64,
    pub(super) up_to: u64,
    pub(super) displaced: Batch,
}
