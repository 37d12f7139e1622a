//! How fast what was flushed is swept: as fast as changes are made, at least.

use crate::store::Store;

/// Changes looked at for flushed keys, whatever the time, for each change that is made meanwhile: who flushes again and
/// again is not faster than the sweep.
const SWEPT_PER_CHANGE: u64 = 2;
/// Of those so many in a tick, and a share of those that are more: one request may change very many keys.
const SWEPT_PER_TICK: u64 = 1 << 10;
const SWEPT_SHARE: u64 = 16;

/// How far the sweep for flushed keys keeps up with changes.
pub(super) struct Sweep {
    /// The last position as of the last tick.
    position: u64,
    /// Looks that changes have called for.
    owed: u64,
}

impl Sweep {
    pub(super) fn new(position: u64) -> Sweep {
        Sweep { position, owed: 0 }
    }

    /// So many changes call for nothing.
    pub(super) fn pass(&mut self, changes: u64) {
        self.position += changes;
    }

    /// How many changes to look at in this tick.
    pub(super) fn looks(&mut self, store: &Store) -> usize {
        let changes = store.last_position() - std::mem::replace(&mut self.position, store.last_position());
        self.owed = if store.is_sweeping() { self.owed + SWEPT_PER_CHANGE * changes } else { 0 };
        if !store.can_sweep() {
            return 0;
        }
        let looks = self.owed.min(SWEPT_PER_TICK + self.owed / SWEPT_SHARE);
        self.owed -= looks;
        looks as usize
    }
}
