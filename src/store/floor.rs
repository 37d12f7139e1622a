//! The latest flush, as the store keeps it.

use super::Stamp;
use super::entry::Entry;

/// Position 0: nothing was ever flushed. Invariant: flushed entries lie before `position` in the change list.
#[derive(Default)]
pub(super) struct Floor {
    pub(super) stamp: Stamp,
    pub(super) position: u64,
    /// Keys that are flushed and not swept, where their number was known at once.
    pub(super) doomed: usize,
    /// Everything up to here is swept.
    pub(super) swept: u64,
    pub(super) is_sweeping: bool,
    /// The highest stamp of all entries there ever were.
    pub(super) latest: Stamp,
}

impl Floor {
    /// The entry is no longer what it was.
    pub(super) fn gone(&mut self, entry: &Entry) {
        if entry.stamp() < self.stamp && !entry.is_tombstone() {
            self.doomed = self.doomed.saturating_sub(1);
        }
    }

    /// The entry is from an earlier incarnation. Whoever wrote the data file has dropped what was flushed, but for
    /// mistakes.
    pub(super) fn restored(&mut self, entry: &Entry, position: u64) {
        self.latest = self.latest.max(entry.stamp());
        self.is_sweeping |= entry.stamp() < self.stamp;
        if is_floor(entry) {
            self.position = position;
        }
    }
}

/// Whether the key is the one that stands for all.
pub(super) fn is_reserved(key: &[u8]) -> bool {
    key.is_empty()
}

/// Whether the entry is the floor.
pub(super) fn is_floor(entry: &Entry) -> bool {
    is_reserved(entry.key())
}
