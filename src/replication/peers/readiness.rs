//! Whether this node has caught up: what a script, a proxy or a person wants to know before they read from it.
//!
//! A node is *ready* once it has, from each peer that it can reach, all that the peer had when their link began. From
//! then on the link keeps it so. A peer that cannot be reached is waited for for 5 s: after a start, after
//! it was put into the list of nodes, and after a link that was lost before it had brought all.

use std::fmt;

use crate::replication::wire::Cursor;
use crate::store::NodeId;

/// So long a peer is waited for that cannot be reached: longer than dials that are due at once take to be answered.
pub(super) const PATIENCE_US: u64 = 5_000_000;

/// Why a node is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its data file was wiped or put back, and it writes again what it has written since its start.
    RollingBack,
    /// The peer had more when the link began.
    CatchingUp(NodeId),
    /// The peer was not reached yet, and was not tried for long.
    NotReached(NodeId),
}

impl fmt::Display for Unready {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unready::RollingBack => write!(out, "its data file was wiped or is an old copy: writing again"),
            Unready::CatchingUp(peer) => write!(out, "catching up with node {peer}"),
            Unready::NotReached(peer) => write!(out, "node {peer} was not reached yet"),
        }
    }
}

/// What a peer had when the link began, and whether this node has it.
#[derive(Debug, Default)]
pub(in crate::replication) struct CatchingUp {
    /// The end of its list, as it first said.
    goal: Option<u64>,
    /// It owes a full listing: this node may hold what was deleted so long ago that nobody remembers.
    awaits_listing: bool,
    is_done: bool,
}

impl CatchingUp {
    /// Nothing is known yet but whether it owes a full listing.
    pub(in crate::replication) fn new(awaits_listing: bool) -> CatchingUp {
        CatchingUp { awaits_listing, ..CatchingUp::default() }
    }

    /// The peer has said where its list ends.
    pub(in crate::replication) fn hear(&mut self, position: u64) {
        self.goal.get_or_insert(position);
    }

    /// This node has followed the peer's list up to the cursor. Full listings have come, and are worked in or not.
    pub(in crate::replication) fn note(&mut self, cursor: Cursor, listings: u64, is_comparing: bool) {
        let has_all = self.goal.is_some_and(|goal| cursor.direct >= goal && cursor.relay >= goal);
        self.is_done |= has_all && !is_comparing && (listings > 0 || !self.awaits_listing);
    }

    /// Whether all that the peer had at first is here.
    pub(in crate::replication) fn is_done(&self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_peer_had_at_first_is_enough_however_much_it_writes_since() {
        let mut catching_up = CatchingUp::new(false);
        let at = |direct, relay| Cursor { incarnation: 1, direct, relay };
        catching_up.note(at(50, 50), 0, false);
        assert!(!catching_up.is_done(), "the peer has said nothing");
        catching_up.hear(100);
        catching_up.hear(200);
        catching_up.note(at(100, 99), 0, false);
        assert!(!catching_up.is_done());
        catching_up.note(at(100, 100), 0, false);
        assert!(catching_up.is_done());
    }

    #[test]
    fn a_listing_that_is_owed_is_waited_for_and_worked_in() {
        let mut catching_up = CatchingUp::new(true);
        catching_up.hear(100);
        let cursor = Cursor { incarnation: 1, direct: 100, relay: 100 };
        for (listings, is_comparing, is_done) in [(0, false, false), (1, true, false), (1, false, true)] {
            catching_up.note(cursor, listings, is_comparing);
            assert_eq!(catching_up.is_done(), is_done);
        }
    }
}
