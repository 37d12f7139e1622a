//! All keys of a database deleted at once: a *floor*, a stamp under which every entry of it counts as absent.
//!
//! The floor is the deletion of the empty key of its database, which no client can name: an entry like any other, with a place in the
//! change list and a row in the data file, that never goes. So a flush is one change, here and over a link. What lies
//! below is *flushed*: absent from then on, and freed in bounded steps by a sweep of the change list up to the floor.
//!
//! A slot that was swept may be used again at once: the commit that holds the new row holds the floor as well, and with
//! the floor the data file drops all rows below. A snapshot that ends before the floor holds what was there before,
//! which is why nothing is swept behind a fence.

use super::floor::is_floor;
use super::slots::Slots;
use super::{Change, Database, Floors, Stamp, Store};

impl Store {
    /// Deletes all keys of the selected database and returns the change's position. The stamp must be above all there
    /// are, as a stamp just issued is. O(1): what the keys took is freed by [`Store::sweep`].
    pub fn flush(&mut self, stamp: Stamp) -> u64 {
        let hash = self.hasher.hash(b"");
        match self.find(hash, b"") {
            Some(slot) => self.rewrite(slot, None, None, stamp),
            None => self.insert(hash, self.entry_of(b"", None, None, stamp)),
        }
        self.changes.last()
    }

    /// Frees what is flushed, looking at `looks_max` changes at most. Not while a fence is up.
    pub fn sweep(&mut self, looks_max: usize) {
        if !self.can_sweep() {
            return;
        }
        let mut flushed = Vec::new();
        let mut looks = 0;
        for (position, slot) in self.changes.after(self.floor.swept).take(looks_max) {
            if position >= self.floor.position() {
                break;
            }
            looks += 1;
            self.floor.swept = position;
            if self.floor.is_below(self.entry(slot)) {
                flushed.push(slot);
            }
        }
        self.floor.is_sweeping = looks == looks_max;
        for slot in flushed {
            self.take_out(slot, Slots::vacate);
        }
    }

    /// Whether [`Store::sweep`] would do anything.
    pub fn can_sweep(&self) -> bool {
        self.floor.is_sweeping && self.fence.is_none()
    }

    /// Whether something that is flushed may not be freed yet.
    pub fn is_sweeping(&self) -> bool {
        self.floor.is_sweeping
    }

    /// Whether the change is of what a flush has deleted.
    pub fn is_flushed(&self, change: &Change<'_>) -> bool {
        self.covers(change.database, change.stamp)
    }

    /// Whether what has this stamp is deleted by a flush of the database.
    pub fn covers(&self, database: Database, stamp: Stamp) -> bool {
        self.floor.covers(database, stamp)
    }

    /// The latest flush of each database.
    pub fn floors(&self) -> &Floors {
        self.floor.floors()
    }

    /// The slot has changed, as of this stamp; where it is a floor's, all below is flushed.
    #[inline]
    pub(super) fn note_floor(&mut self, slot: u32, stamp: Stamp) {
        if is_floor(self.entry(slot)) {
            self.raise_floor(slot, stamp);
        }
        self.floor.seen(stamp);
    }

    #[cold]
    fn raise_floor(&mut self, slot: u32, stamp: Stamp) {
        let database = self.entry(slot).database();
        let (keys, position) = (self.keys_in(database), self.changes.last());
        self.floor.rise(database, stamp, position, keys);
    }
}
