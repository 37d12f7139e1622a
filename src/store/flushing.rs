//! All keys deleted at once: a *floor*, a stamp under which every entry counts as absent.
//!
//! The floor is the deletion of the empty key, which no client can name: an entry like any other, with a place in the
//! change list and a row in the data file, that never goes. So a flush is one change, here and over a link. What lies
//! below is *flushed*: absent from then on, and freed in bounded steps by a sweep of the change list up to the floor.
//!
//! A slot that was swept may be used again at once: the commit that holds the new row holds the floor as well, and with
//! the floor the data file drops all rows below. A snapshot that ends before the floor holds what was there before,
//! which is why nothing is swept behind a fence.

use super::entry::Entry;
use super::floor::{Floor, is_floor};
use super::slots::Slots;
use super::{Stamp, Store};

impl Store {
    /// Deletes all keys and returns the change's position. The stamp must be above all there are, as a stamp just
    /// issued is. O(1): what the keys took is freed by [`Store::sweep`].
    pub fn flush(&mut self, stamp: Stamp) -> u64 {
        let hash = self.hasher.hash(b"");
        match self.find(hash, b"") {
            Some(slot) => self.rewrite(slot, None, None, stamp),
            None => self.insert(hash, Entry::new(b"", None, None, stamp)),
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
            if position >= self.floor.position {
                break;
            }
            looks += 1;
            self.floor.swept = position;
            if self.is_flushed(self.entry(slot).stamp()) {
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

    /// Whether what has this stamp is deleted by a flush.
    pub fn is_flushed(&self, stamp: Stamp) -> bool {
        stamp < self.floor.stamp
    }

    /// The stamp of the latest flush; all zero where there was none.
    pub fn floor(&self) -> Stamp {
        self.floor.stamp
    }

    /// The slot has changed; where it is the floor's, all below is flushed.
    pub(super) fn note_floor(&mut self, slot: u32) {
        let entry = self.entry(slot);
        let (stamp, is_floor) = (entry.stamp(), is_floor(entry));
        let latest = self.floor.latest.max(stamp);
        if is_floor {
            // Where something is newer, the number of those that are not is known when all is swept.
            let doomed = if self.floor.latest < stamp { self.keys } else { self.floor.doomed };
            let position = self.changes.last();
            self.floor = Floor { stamp, position, doomed, swept: 0, is_sweeping: true, latest };
        }
        self.floor.latest = latest;
    }
}
