//! Deletions on their way to be forgotten: those on disk here and everywhere else they must be, a bounded number a tick.

use std::collections::VecDeque;

use crate::replication::wire::vector::VersionVector;
use crate::store::{Now, Stamp, Store};

/// Changes looked at in one tick in search of deletions to forget.
const LOOKS: usize = 1 << 10;
/// Least time between two searches through all deletions.
const PAUSE_US: u64 = 1_000_000;
/// How long a deletion is kept that may be undone.
const KEPT_US: u64 = 60_000_000;
/// Such deletions at once: what they cost is a key's length each.
const KEPT_MAX: usize = 1 << 10;

/// A search through the deletions of the change list.
pub(super) struct Collecting {
    /// It has come to here, ...
    at: u64,
    /// ... and began when every node held what is in this vector (`None`: there was no other).
    stable: Option<VersionVector>,
    /// When the next one may begin.
    due_us: u64,
    /// Deletions that stay until then, whoever holds them: they may be undone. Their stamps rise.
    kept: VecDeque<(Stamp, u64)>,
}

impl Collecting {
    /// Nothing was looked for.
    pub(super) fn new() -> Collecting {
        Collecting { at: 0, stable: Some(VersionVector::default()), due_us: 0, kept: VecDeque::new() }
    }

    /// This deletion was just made, and is not forgotten for a minute, unless too many others are kept after it.
    pub(super) fn keep(&mut self, stamp: Stamp, now: Now) {
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
            self.at = 0;
        }
        self.kept.push_back((stamp, now.monotonic_us + KEPT_US));
    }

    /// Looks on among what is `durable` here. `settle` says, of so many deletions, what every node holds on disk:
    /// `None` is everything, as there is no other node.
    pub(super) fn go_on(
        &mut self,
        store: &mut Store,
        durable: u64,
        settle: impl FnOnce(usize) -> Option<VersionVector>,
        now: Now,
    ) {
        while self.kept.front().is_some_and(|&(_, until_us)| until_us <= now.monotonic_us) {
            self.kept.pop_front();
            self.at = 0;
        }
        let is_due = self.due_us <= now.monotonic_us;
        if !store.can_collect() || !(is_due || self.is_under_way(store, durable)) {
            return;
        }
        // Asked anew each time: a peer that was added since holds nothing, and one that was wiped does not any more.
        let stable = settle(store.tombstones());
        if is_due {
            self.due_us = now.monotonic_us + PAUSE_US;
            if stable != self.stable {
                self.at = 0;
                self.stable.clone_from(&stable);
            }
        }
        let is_kept = |stamp| self.kept.binary_search_by_key(&stamp, |&(kept, _)| kept).is_ok();
        let may_go = |stamp| stable.as_ref().is_none_or(|stable| stable.covers(stamp)) && !is_kept(stamp);
        self.at = store.collect_tombstones(self.at, durable, LOOKS, may_go);
    }

    /// Whether there is more to look at.
    pub(super) fn is_under_way(&self, store: &Store, durable: u64) -> bool {
        store.can_collect() && self.at < durable
    }

    /// The data file has lost all it had.
    pub(super) fn begin_again(&mut self) {
        self.at = 0;
    }

    /// When the next search may begin, in monotonic microseconds.
    pub(super) fn due_us(&self) -> u64 {
        self.due_us
    }
}
