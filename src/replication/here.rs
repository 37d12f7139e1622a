//! What replication works on, lent by whoever owns it.

use crate::store::{Clock, Now, Store};

/// The node's store and clock, and the time.
pub struct Here<'a> {
    /// What every key is.
    pub store: &'a mut Store,
    /// Issues stamps, and hears of those of others.
    pub clock: &'a mut Clock,
    /// The time of this tick.
    pub now: Now,
}
