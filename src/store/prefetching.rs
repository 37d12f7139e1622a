//! Bringing entries into the processor's cache before they are asked for.
//!
//! A search is some six loads from memory, each of which has to wait for the one before. Of several keys that are known
//! at once the loads wait together: that is what halves the time of a pipelined request where keys are many.

use std::hint::black_box;

use super::changes::Place;
use super::directory::KeyHasher;
use super::slots::Slots;
use super::{Change, Store, change_of};

/// Keys looked at together.
pub const PREFETCHED: usize = 16;

impl Store {
    /// Looks at the entries of the first [`PREFETCHED`] of these keys, and where some are to be written (`true`) at
    /// their places in the change list, which these leave. Does nothing with them, nor with one alone, which waits as
    /// long now as later.
    pub fn prefetch<'k>(&self, next: impl Iterator<Item = (&'k [u8], bool)>) {
        let (mut keys, mut count, mut writes): ([&[u8]; PREFETCHED], _, _) = ([&[]; PREFETCHED], 0, false);
        for (place, (key, is_written)) in keys.iter_mut().zip(next) {
            *place = key;
            writes |= is_written;
            count += 1;
        }
        if count < 2 {
            return;
        }
        let mut hashes = [0; PREFETCHED];
        for (hash, key) in hashes.iter_mut().zip(&keys[..count]) {
            *hash = self.hasher.hash(key);
        }
        let hashes = &hashes[..count];
        let mut tables = [None; PREFETCHED];
        for (table, &hash) in tables.iter_mut().zip(hashes) {
            *table = Some(self.directory.table(hash));
        }
        let tables = || tables.iter().flatten().zip(hashes);
        black_box(tables().map(|(table, _)| table.count()).sum::<usize>());
        black_box(tables().map(|(table, &hash)| table.glance(hash)).sum::<usize>());
        let (mut slots, mut count) = ([0; PREFETCHED], 0);
        for slot in tables().filter_map(|(table, &hash)| table.find(hash, |_| true)) {
            slots[count] = slot;
            count += 1;
        }
        let slots = &slots[..count];
        if writes {
            self.prefetch_places(slots);
        }
        self.slots.prefetch(slots.iter().copied());
    }

    /// The changes after `after`, oldest first, those included that expired and were not turned yet, or that
    /// [are flushed](Store::is_flushed) and were not swept yet. Finding the first costs a search among segments.
    pub fn changes_after(&self, after: u64) -> impl Iterator<Item = Change<'_>> {
        let mut changes = self.changes.after(after);
        let (mut group, mut count, mut at, mut size) = ([(0, 0); PREFETCHED], 0, 0, 1);
        std::iter::from_fn(move || {
            if at == count {
                count = group[..size].iter_mut().zip(&mut changes).map(|(place, change)| *place = change).count();
                // Who wants one alone does not pay for others.
                (at, size) = (0, (2 * size).min(PREFETCHED));
                self.slots.prefetch(group[..count].iter().map(|&(_, slot)| slot));
            }
            let &(position, slot) = group[..count].get(at)?;
            at += 1;
            Some(change_of(position, slot, self.entry(slot)))
        })
    }

    fn prefetch_places(&self, slots: &[u32]) {
        let mut places = [Place(0); PREFETCHED];
        for (place, &slot) in places.iter_mut().zip(slots) {
            *place = self.slots.place(slot);
        }
        black_box(places[..slots.len()].iter().map(|&place| self.changes.glance(place)).sum::<usize>());
    }
}

impl Slots {
    /// Looks at the whole of the entries in these slots, [`PREFETCHED`] at most.
    pub(super) fn prefetch(&self, slots: impl Iterator<Item = u32>) {
        let mut entries = [None; PREFETCHED];
        for (entry, slot) in entries.iter_mut().zip(slots) {
            *entry = self.get(slot);
        }
        black_box(entries.iter().flatten().map(|entry| usize::from(entry.last_byte())).sum::<usize>());
    }

    /// What the keys in these slots hash to.
    pub(super) fn hash_keys(&self, hasher: &KeyHasher, slots: &[u32], hashes: &mut [u64]) {
        for (slots, hashes) in slots.chunks(PREFETCHED).zip(hashes.chunks_mut(PREFETCHED)) {
            self.prefetch(slots.iter().copied());
            for (hash, &slot) in hashes.iter_mut().zip(slots) {
                *hash = hasher.hash(self.get(slot).expect("only slots with an entry have a key").key());
            }
        }
    }
}
