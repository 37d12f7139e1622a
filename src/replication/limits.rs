//! What peers are allowed.

use crate::store::{Clock, Now};

/// Settings of replication.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A peer whose clock is ahead by more is refused.
    pub clock_drift_ms_max: u64,
    /// More deletions than this are not kept for a peer that is away.
    pub tombstones_max: usize,
    /// Longest value that is sent with its change; larger ones go before it, in chunks of a quarter of this.
    pub whole_bytes_max: usize,
}

impl Limits {
    /// Whether a stamp's clock is further ahead of the wall clock than is allowed.
    pub(super) fn is_ahead(self, clock: u64, now: Now) -> bool {
        Clock::unix_ms(clock) > now.unix_ms.saturating_add(self.clock_drift_ms_max)
    }
}
