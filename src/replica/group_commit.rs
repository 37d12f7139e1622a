//! Durability of a single write, and group commit: how long a commit that writes wait for waits itself, for more of
//! them.
//!
//! Clients that one commit has answered write again at once. A commit that began before they have would leave them to
//! the next, and from there on clients would take turns: each commit would serve half of them.

/// So long a commit waits for the writers that the last one has answered, at most, and so long from one write to the
/// next.
const WAIT_US: u64 = 500;
const PAUSE_US: u64 = 50;

/// What a write's `OK` promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is in memory, and on disk within the snapshot interval.
    Interval,
    /// It is on disk.
    Commit,
}

impl std::fmt::Display for Durability {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Durability::Interval => "interval",
            Durability::Commit => "commit",
        })
    }
}

/// See the module. Positions stand for the writes that have them.
#[derive(Default)]
pub(super) struct GroupCommit {
    /// Writes in the last commit, and how long that took.
    answered: u64,
    took_us: u64,
    growth: Option<Growth>,
}

/// Since when writes wait, up to which position, and when the last of them came.
#[derive(Clone, Copy)]
struct Growth {
    since_us: u64,
    last: u64,
    grown_us: u64,
}

impl GroupCommit {
    /// Whether the writes after `durable` up to `last` are as many as the last commit has answered, or no more seem to
    /// come.
    pub(super) fn is_done(&mut self, durable: u64, last: u64, now_us: u64) -> bool {
        let before = self.growth.unwrap_or(Growth { since_us: now_us, last: durable, grown_us: now_us });
        let grown_us = if last > before.last { now_us } else { before.grown_us };
        self.growth = Some(Growth { last, grown_us, ..before });
        last - durable >= self.answered
            || now_us - grown_us >= PAUSE_US
            || now_us - before.since_us >= WAIT_US.min(self.took_us)
    }

    /// A commit begins.
    pub(super) fn end(&mut self) {
        self.growth = None;
    }

    /// So many writes were committed at once, and it took so long.
    pub(super) fn committed(&mut self, writes: u64, took_us: u64) {
        (self.answered, self.took_us) = (writes, took_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a commit of ten writes that took 300 us.
    fn after_ten() -> GroupCommit {
        let mut group_commit = GroupCommit::default();
        group_commit.committed(10, 300);
        group_commit
    }

    #[test]
    fn the_first_commit_waits_for_nobody() {
        assert!(GroupCommit::default().is_done(0, 1, 1000));
    }

    #[test]
    fn as_many_as_the_last_commit_has_answered_are_enough() {
        let mut group_commit = after_ten();
        assert!(!group_commit.is_done(10, 19, 1000));
        assert!(group_commit.is_done(10, 20, 1001));
        group_commit.end();
        assert!(group_commit.is_done(10, 21, 5000));
    }

    #[test]
    fn writers_that_do_not_come_back_are_waited_for_as_long_as_others_do_and_no_longer_than_the_last_commit_took() {
        let mut group_commit = after_ten();
        assert!(!group_commit.is_done(10, 11, 1000));
        assert!(!group_commit.is_done(10, 11, 1000 + PAUSE_US - 1));
        assert!(group_commit.is_done(10, 11, 1000 + PAUSE_US));

        group_commit.end();
        assert!((0..8).all(|step| !group_commit.is_done(10, 11 + step, 2000 + step * 40)), "one comes every 40 us");
        assert!(group_commit.is_done(10, 19, 2300));

        group_commit.end();
        group_commit.committed(10_000, 20_000);
        assert!((0..13).all(|step| !group_commit.is_done(10, 11 + step, 3000 + step * 40)));
        assert!(group_commit.is_done(10, 24, 3000 + WAIT_US), "however long the last commit took");
    }
}
