//! The lives of this node's data file, so that a position of an earlier one can be understood.
//!
//! A crash takes back what was not committed, and an old copy of the data file takes back more. Positions after that
//! may be those of before, for other changes. So a follower's position goes with the life it is of, and the file knows
//! which lives its changes are from, each up to where it was committed (as PostgreSQL's timelines do).

use super::frame::Cursor;

/// Lives that are remembered. A follower that was away for more is sent the list from its beginning, less what it has.
const LIVES_MAX: usize = 64;

/// See the module.
pub(super) struct Lives {
    own: u64,
    earlier: Vec<(u64, u64)>,
}

impl Lives {
    /// A new life after those that the file has recorded.
    pub(super) fn new(own: u64, recorded: &[(u64, u64)]) -> Lives {
        Lives { own, earlier: recorded.iter().copied().filter(|&(life, _)| life != own).collect() }
    }

    /// What to record beside the changes up to a position.
    pub(super) fn record(&self, position: u64) -> Vec<(u64, u64)> {
        let skipped = (self.earlier.len() + 1).saturating_sub(LIVES_MAX);
        self.earlier[skipped..].iter().copied().chain([(self.own, position)]).collect()
    }

    /// Where in the list a follower, in this life of its own, goes on that is at this position of that life, and was
    /// sent so much of the list as the data file has it; never past its end, where nothing would ever come.
    ///
    /// In an earlier life the follower may have passed a place whose change was by then overwritten further on, in a
    /// future that the crash took back: there is nothing newer any more, and what stands at that place again it never
    /// had. Nor has it what it was sent in an earlier life of its own, where it has crashed since, too.
    pub(super) fn resume(&self, cursor: Cursor, sent: Cursor, follower: u64, tail: u64) -> Cursor {
        let Cursor { life, direct, relay } = cursor;
        if crate::planted::is("positions of a forgotten life believed") {
            return Cursor { life: self.own, direct, relay };
        }
        let sent = if sent.life == follower { sent } else { Cursor::default() };
        let (direct, relay) =
            if life == self.own { (direct, relay) } else { (direct.min(sent.direct), relay.min(sent.relay)) };
        let end = match self.earlier.iter().find(|&&(earlier, _)| earlier == life) {
            Some(&(_, end)) => end,
            None if life == self.own => tail,
            None => 0,
        };
        Cursor { life: self.own, direct: direct.min(end), relay: relay.min(end) }
    }

    /// How much of the list a follower has that is there, 0 where nobody knows.
    pub(super) fn position(&self, Cursor { life, direct, .. }: Cursor) -> u64 {
        let ended = || self.earlier.iter().find(|&&(earlier, _)| earlier == life).map_or(0, |&(_, end)| end);
        if life == self.own { direct } else { direct.min(ended()) }
    }

    /// Whether the life (0: none) is known. One that is not was lived after the data file's: that is an old copy.
    pub(super) fn know(&self, life: u64) -> bool {
        life == 0
            || life == self.own
            || self.earlier.len() + 1 >= LIVES_MAX
            || self.earlier.iter().any(|&(earlier, _)| earlier == life)
    }

    /// Nothing is left of this life.
    pub(super) fn forget(&mut self, life: u64) {
        if life != 0 && life != self.own {
            self.earlier.insert(0, (life, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_counts_in_the_life_of_the_follower_that_it_was_sent_to() {
        let lives = Lives::new(2, &[(1, 16)]);
        let cursor = Cursor { life: 1, direct: 20, relay: 20 };
        let sent = Cursor { life: 7, direct: 16, relay: 12 };
        assert_eq!(lives.resume(cursor, sent, 7, 16), Cursor { life: 2, direct: 16, relay: 12 });
        assert_eq!(lives.resume(cursor, sent, 8, 16), Cursor { life: 2, direct: 0, relay: 0 });
    }
}
