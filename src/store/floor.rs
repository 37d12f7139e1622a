//! The latest flushes, as the store keeps them.

use super::database::DATABASES_MAX;
use super::entry::Entry;
use super::{Database, Floors, Stamp};
use crate::fault_injection;

/// Position 0: nothing was ever flushed. Invariant: flushed entries lie before the position of their database's flush in
/// the change list.
#[derive(Default)]
pub(super) struct Floor {
    floors: Floors,
    /// The highest clock of them all: what is above is not flushed, whatever database it is of.
    clock: u64,
    positions: [u64; DATABASES_MAX],
    /// Keys that are flushed and not swept, where their number was known at once.
    doomed: [usize; DATABASES_MAX],
    /// Everything up to here is swept.
    pub(super) swept: u64,
    pub(super) is_sweeping: bool,
    /// The highest stamp of all entries there ever were.
    latest: Stamp,
}

impl Floor {
    /// The database is flushed: this stamp stands at that position, and it has so many keys that no earlier flush has
    /// deleted.
    pub(super) fn rise(&mut self, database: Database, stamp: Stamp, position: u64, keys: usize) {
        let at = database.number();
        self.floors.raise(database, stamp);
        self.clock = self.clock.max(stamp.clock);
        self.positions[at] = position;
        // Where something is newer, the number of those that are not is known when all is swept.
        if self.latest < stamp {
            self.doomed[at] += keys;
        }
        (self.swept, self.is_sweeping) = (0, true);
    }

    /// There is an entry with this stamp.
    #[inline]
    pub(super) fn seen(&mut self, stamp: Stamp) {
        self.latest = self.latest.max(stamp);
    }

    /// The entry is no longer what it was.
    #[inline]
    pub(super) fn gone(&mut self, entry: &Entry) {
        if self.is_below(entry) && !entry.is_tombstone() {
            let doomed = &mut self.doomed[entry.database().number()];
            *doomed = doomed.saturating_sub(1);
        }
    }

    /// The entry is a floor from an earlier incarnation.
    pub(super) fn restore(&mut self, floor: &Entry, position: u64) {
        self.floors.raise(floor.database(), floor.stamp());
        self.clock = self.clock.max(floor.clock());
        self.positions[floor.database().number()] = position;
    }

    /// The entry is from an earlier incarnation, and all floors are known. Whoever wrote the data file has dropped what
    /// was flushed, but for mistakes.
    pub(super) fn restored(&mut self, entry: &Entry) {
        self.seen(entry.stamp());
        self.is_sweeping |= self.is_below(entry);
    }

    /// Whether the entry is flushed.
    #[inline]
    pub(super) fn is_below(&self, entry: &Entry) -> bool {
        entry.clock() <= self.clock && self.is_below_its_own(entry)
    }

    /// The same where something was flushed since it was written.
    #[cold]
    fn is_below_its_own(&self, entry: &Entry) -> bool {
        self.covers(entry.database(), entry.stamp())
    }

    /// Whether what was written then in the database is flushed.
    pub(super) fn covers(&self, database: Database, stamp: Stamp) -> bool {
        let injected = fault_injection::is("flush of one database takes the keys of another");
        let is_floor = self.floors.of(database) == stamp;
        self.floors.covers(if injected && !is_floor { Database::ZERO } else { database }, stamp)
    }

    /// The latest flush of each database.
    pub(super) fn floors(&self) -> &Floors {
        &self.floors
    }

    /// Where the latest flush of the database stands in the change list.
    pub(super) fn position_in(&self, database: Database) -> u64 {
        self.positions[database.number()]
    }

    /// Where the latest flush of all stands in the change list.
    pub(super) fn position(&self) -> u64 {
        self.positions.iter().copied().max().unwrap_or(0)
    }

    /// How many databases were ever flushed.
    pub(super) fn count(&self) -> usize {
        self.positions.iter().filter(|&&position| position > 0).count()
    }

    /// Keys of the database that are flushed and not swept, where their number was known at once.
    pub(super) fn doomed_in(&self, database: Database) -> usize {
        self.doomed[database.number()]
    }

    /// ... of all.
    pub(super) fn doomed(&self) -> usize {
        self.doomed.iter().sum()
    }
}

/// Whether the key is the one that stands for all.
pub(super) fn is_reserved(key: &[u8]) -> bool {
    key.is_empty()
}

/// Whether the entry is the floor of its database.
pub(super) fn is_floor(entry: &Entry) -> bool {
    is_reserved(entry.key())
}
