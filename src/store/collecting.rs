//! Deletions forgotten in bounded steps, and the slots that they leave, whose rows the data file takes out first.

use super::entry::Entry;
use super::floor::is_floor;
use super::{Stamp, Store};

/// Slots that may be retired before collection waits for the data file to hear of them.
const RETIRED_MAX: u32 = 1 << 16;

impl Store {
    /// Forgets those deletions after `after` and up to `up_to` that `may_go`, looking at `looks_max` changes at most.
    /// Returns how far it came.
    pub fn collect_tombstones(
        &mut self,
        after: u64,
        up_to: u64,
        looks_max: usize,
        may_go: impl Fn(Stamp) -> bool,
    ) -> u64 {
        if self.tombstones() == 0 {
            return up_to;
        }
        if self.slots.retired() >= RETIRED_MAX {
            return after;
        }
        let is_ordinary = |entry: &Entry| !is_floor(entry) && !self.floor.is_below(entry);
        let near = self.changes.near_tombstones_after(after).take_while(|&(position, _)| position <= up_to);
        let mut reached = up_to;
        let mut seen = Vec::new();
        for (count, (position, slot)) in near.enumerate() {
            if count == looks_max {
                break;
            }
            reached = if count + 1 == looks_max { position } else { up_to };
            let entry = self.entry(slot);
            if entry.is_tombstone() && may_go(entry.stamp()) && is_ordinary(entry) {
                seen.push(slot);
            }
        }
        for slot in seen {
            self.forget(slot);
        }
        reached
    }

    /// Whether [`Store::collect_tombstones`] would look at all.
    pub fn can_collect(&self) -> bool {
        self.tombstones() > 0 && self.slots.retired() < RETIRED_MAX
    }

    /// The slots that lost their entry and whose row is to be taken out of the data file, `max` of them at most.
    /// Followed by [`Store::reuse_retired`] or [`Store::retract_retired`].
    pub fn take_retired(&mut self, max: usize, into: &mut Vec<u32>) {
        into.extend(std::iter::from_fn(|| self.slots.announce()).take(max));
    }

    /// The data file has taken out the slots that were taken from here: their numbers may be used again.
    pub fn reuse_retired(&mut self) {
        self.slots.reuse_announced();
    }

    /// The data file has not: they will be taken from here again.
    pub fn retract_retired(&mut self) {
        self.slots.retract_announced();
    }

    /// Whether slots wait for [`Store::take_retired`].
    pub fn has_retired(&self) -> bool {
        self.slots.retired() > 0
    }
}
