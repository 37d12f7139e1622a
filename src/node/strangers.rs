//! Clients that have proven nothing where proof is asked for: for how long, and how many of them, a node bears with.
//!
//! A stranger is one of two. In protected mode one from another machine is *denied*: it gets one answer, in the dialect
//! that its first byte tells, or in the node's own where it says nothing for [`DENIED_US`]. Where the default user needs a
//! password, every client is *unproven* until it has authenticated, for which it has [`UNPROVEN_US`]. They cost a place
//! each and no work: a tick looks at the one that is due first, and at no other.
//!
//! Where one has to go, it is one of the address that most of them come from: a crowd pushes out its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::SessionId;
use super::origin::Crowd;

/// A denied client that says nothing for so long is answered in the node's own dialect. Somebody at a terminal waits for
/// that; a program has sent its first bytes long before.
pub(super) const DENIED_US: u64 = 1_000_000;
/// How long a client may take to authenticate. A person who types a password is done long before.
pub(super) const UNPROVEN_US: u64 = 60_000_000;
/// Longest request of a line or of JSON before that. In RESP Redis' limits hold.
pub(super) const UNPROVEN_BYTES_MAX: usize = 16 << 10;
/// Of `--max-clients` so many may be strangers: one of ten ...
const SHARE: usize = 10;
/// ... and on a node with few clients at least as many as a person opens by hand. Where all places are fewer than that,
/// strangers may have all of them, and each makes room for whoever comes next.
const COUNT_MIN: usize = 16;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may speak.
    Admitted,
    /// It is told how a node is opened, and hung up on; at that time at the latest, in monotonic microseconds.
    Denied { until_us: u64 },
    /// It has to authenticate; until that time at the latest, in monotonic microseconds.
    Unproven { until_us: u64 },
    /// It was a stranger for too long. It is there until its socket has taken of its last bytes what it takes at once, and
    /// counts among no clients.
    Leaving,
}

/// When a stranger's time is over, and which it is.
type Due = (u64, SessionId);

/// All strangers, by when their time is over.
///
/// Invariant: holds a session if and only if its standing says that it is a stranger, with the same time. `crowds` has
/// the same ones, and `by_size` each of these that is not empty: how many it has, and the first of them.
#[derive(Default)]
pub(crate) struct Strangers {
    by_due: BTreeSet<Due>,
    crowds: BTreeMap<Crowd, BTreeSet<Due>>,
    by_size: BTreeSet<(usize, Reverse<Due>, Crowd)>,
}

impl Standing {
    /// When its time is over, where it is a stranger.
    pub(super) fn until_us(self) -> Option<u64> {
        match self {
            Standing::Admitted | Standing::Leaving => None,
            Standing::Denied { until_us } | Standing::Unproven { until_us } => Some(until_us),
        }
    }
}

impl Strangers {
    /// The session of this crowd stood so, and stands like this from here on.
    pub(super) fn move_on(&mut self, id: SessionId, crowd: Crowd, before: Standing, standing: Standing) {
        let (before, after) = (before.until_us(), standing.until_us());
        if before == after {
            return;
        }
        let mut of_crowd = self.crowds.remove(&crowd).unwrap_or_default();
        if let Some(rank) = rank(crowd, &of_crowd, 0) {
            self.by_size.remove(&rank);
        }
        if let Some(until_us) = before {
            self.by_due.remove(&(until_us, id));
            of_crowd.remove(&(until_us, id));
        }
        if let Some(until_us) = after {
            self.by_due.insert((until_us, id));
            of_crowd.insert((until_us, id));
        }
        if let Some(rank) = rank(crowd, &of_crowd, 0) {
            self.by_size.insert(rank);
            self.crowds.insert(crowd, of_crowd);
        }
    }

    /// One whose time is over.
    pub(super) fn due(&self, now_us: u64) -> Option<SessionId> {
        self.by_due.first().filter(|(until_us, _)| *until_us <= now_us).map(|&(_, id)| id)
    }

    /// The one that has to go so that one more of this crowd may come, where so many clients may be connected.
    pub(super) fn surplus(&self, clients_max: usize, newcomer: Crowd) -> Option<SessionId> {
        let is_full = self.by_due.len() >= (clients_max / SHARE).max(COUNT_MIN);
        if is_full { self.of_largest_crowd(newcomer) } else { None }
    }

    /// Of the crowd that has most strangers, the newcomer counted, the one whose time is over first; where several have
    /// as many, the first of all of these.
    pub(super) fn of_largest_crowd(&self, newcomer: Crowd) -> Option<SessionId> {
        let own = self.crowds.get(&newcomer).and_then(|of_crowd| rank(newcomer, of_crowd, 1));
        let largest = self.by_size.last().copied().max(own);
        largest.map(|(_, Reverse((_, id)), _)| id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_due.len()
    }

    /// When the first one's time is over, in monotonic microseconds.
    pub(super) fn deadline_us(&self) -> u64 {
        self.by_due.first().map_or(u64::MAX, |&(until_us, _)| until_us)
    }
}

/// Where a crowd stands among others, with so many more; `None`: it has nobody.
fn rank(crowd: Crowd, of_crowd: &BTreeSet<Due>, more: usize) -> Option<(usize, Reverse<Due>, Crowd)> {
    of_crowd.first().map(|&first| (of_crowd.len() + more, Reverse(first), crowd))
}
