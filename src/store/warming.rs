//! Bringing entries into the processor's cache before they are asked for.
//!
//! A search is some six loads from memory, each of which has to wait for the one before. Of several keys that are known
//! at once the loads wait together: that is what halves the time of a pipelined request where keys are many.

use std::hint::black_box;

use super::Store;

/// Keys looked at together.
pub const WARMED: usize = 16;

impl Store {
    /// Looks at the entries of these keys, and does nothing with them.
    pub fn warm<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let (mut slots, mut count) = ([None; WARMED], 0);
        for (slot, key) in slots.iter_mut().zip(keys) {
            *slot = self.table.glance(self.hasher.hash(key));
            count += 1;
        }
        let key_bytes =
            |slot: &Option<u32>| slot.and_then(|slot| self.slots.get(slot)).map_or(0, |one| one.key().len());
        black_box(slots[..count].iter().map(key_bytes).sum::<usize>());
    }
}
