//! The incarnations of this node whose changes the data file has, so that a position of an earlier one can be
//! understood.
//!
//! A crash takes back what was not committed, and an old copy of the data file takes back more. Positions after that
//! may be those of before, for other changes. So a follower's position goes with the incarnation it is of, and the file
//! knows which incarnations its changes are from, each up to where it was committed (as PostgreSQL's timelines do).

use crate::fault_injection;
use crate::replication::wire::Cursor;

/// Incarnations that are remembered. A follower that was away for more is sent the list from its beginning, less what
/// it has.
const INCARNATIONS_MAX: usize = 64;

/// See the module.
pub(in crate::replication) struct Incarnations {
    own: u64,
    earlier: Vec<(u64, u64)>,
}

impl Incarnations {
    /// A new incarnation after those that the file has recorded.
    pub(in crate::replication) fn new(own: u64, recorded: &[(u64, u64)]) -> Incarnations {
        Incarnations { own, earlier: recorded.iter().copied().filter(|&(incarnation, _)| incarnation != own).collect() }
    }

    /// The present one.
    pub(in crate::replication) fn own(&self) -> u64 {
        self.own
    }

    /// What to record beside the changes up to a position.
    pub(in crate::replication) fn record(&self, position: u64) -> Vec<(u64, u64)> {
        let skipped = (self.earlier.len() + 1).saturating_sub(INCARNATIONS_MAX);
        self.earlier[skipped..].iter().copied().chain([(self.own, position)]).collect()
    }

    /// Where in the list a follower, in this incarnation of its own, goes on that is at this position of that
    /// incarnation, and was sent so much of the list as the data file has it; never past its end, where nothing would
    /// ever come.
    ///
    /// In an earlier incarnation the follower may have passed a place whose change was by then overwritten further on,
    /// in a future that the crash took back: there is nothing newer any more, and what stands at that place again it
    /// never had. Nor has it what it was sent in an earlier incarnation of its own, where it has crashed since, too.
    pub(in crate::replication) fn resume(&self, cursor: Cursor, sent: Cursor, follower: u64, tail: u64) -> Cursor {
        let Cursor { incarnation, direct, relay } = cursor;
        if fault_injection::is("positions of a forgotten incarnation believed") {
            return Cursor { incarnation: self.own, direct, relay };
        }
        let sent = if sent.incarnation == follower { sent } else { Cursor::default() };
        let (direct, relay) =
            if incarnation == self.own { (direct, relay) } else { (direct.min(sent.direct), relay.min(sent.relay)) };
        let end = match self.earlier.iter().find(|&&(earlier, _)| earlier == incarnation) {
            Some(&(_, end)) => end,
            None if incarnation == self.own => tail,
            None => 0,
        };
        Cursor { incarnation: self.own, direct: direct.min(end), relay: relay.min(end) }
    }

    /// How much of the list a follower has that is there, 0 where nobody knows.
    pub(in crate::replication) fn position(&self, Cursor { incarnation, direct, .. }: Cursor) -> u64 {
        let ended = || self.earlier.iter().find(|&&(earlier, _)| earlier == incarnation).map_or(0, |&(_, end)| end);
        if incarnation == self.own { direct } else { direct.min(ended()) }
    }

    /// Whether the incarnation (0: none) is known. One that is not was lived after the data file's: that is an old
    /// copy.
    pub(in crate::replication) fn know(&self, incarnation: u64) -> bool {
        incarnation == 0
            || incarnation == self.own
            || self.earlier.len() + 1 >= INCARNATIONS_MAX
            || self.earlier.iter().any(|&(earlier, _)| earlier == incarnation)
    }

    /// Nothing is left of this incarnation.
    pub(in crate::replication) fn forget(&mut self, incarnation: u64) {
        if incarnation != 0 && incarnation != self.own {
            self.earlier.insert(0, (incarnation, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_counts_in_the_life_of_the_follower_that_it_was_sent_to() {
        let incarnations = Incarnations::new(2, &[(1, 16)]);
        let cursor = Cursor { incarnation: 1, direct: 20, relay: 20 };
        let sent = Cursor { incarnation: 7, direct: 16, relay: 12 };
        assert_eq!(incarnations.resume(cursor, sent, 7, 16), Cursor { incarnation: 2, direct: 16, relay: 12 });
        assert_eq!(incarnations.resume(cursor, sent, 8, 16), Cursor { incarnation: 2, direct: 0, relay: 0 });
    }
}
