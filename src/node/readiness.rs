//! Whether this node may be sent clients, once it has been found so: for who starts nodes, and for who stands before
//! them.
//!
//! A node is ready once it has caught up with every peer that could be reached, or was waited for long enough. It stays
//! so: a peer that is lost later is no reason to send clients away from nodes that serve them. It ends with the process,
//! which says so as soon as that is asked to end.

use super::Now;
use crate::replication::Unready;

/// See the module.
#[derive(Debug)]
pub(super) struct Readiness {
    has_been: bool,
    /// Since when peers are waited for, in monotonic microseconds.
    begun_us: u64,
}

impl Readiness {
    /// A node has started.
    pub(super) fn new(now: Now) -> Readiness {
        Readiness { has_been: false, begun_us: now.monotonic_us }
    }

    /// Whether the node was found ready.
    pub(super) fn has_been(&self) -> bool {
        self.has_been
    }

    /// What stands in its way, if anything, and how long that is borne with.
    pub(super) fn note(&mut self, unready: Option<&Unready>, ready_after_s: u64, now: Now) {
        let waited_us = now.monotonic_us.saturating_sub(self.begun_us);
        self.has_been |= unready.is_none() || waited_us >= ready_after_s.saturating_mul(1_000_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_ready_once_stays_so_and_one_that_was_waited_for_is() {
        let at = |s: u64| Now { monotonic_us: 7_000_000 + s * 1_000_000, unix_ms: 0 };
        let away = Unready::NotReached(1);
        let mut readiness = Readiness::new(at(0));
        readiness.note(Some(&away), 30, at(29));
        assert!(!readiness.has_been());
        readiness.note(None, 30, at(29));
        readiness.note(Some(&away), 30, at(29));
        assert!(readiness.has_been());
        let mut readiness = Readiness::new(at(0));
        readiness.note(Some(&away), 30, at(30));
        assert!(readiness.has_been());
    }
}
