//! From key to slot: extendible hashing (Fagin et al., 1979), a directory of small hash tables.
//!
//! Growing splits one small table and never rehashes all, so the longest insert is a split (504 keys) or a doubling of
//! the directory (4 bytes for every 252 keys or so). It holds slots, not keys: callers say what a key hashes to and
//! which slot holds it.

use std::ops::{Index, IndexMut};

use siphasher::sip::SipHasher13;

use super::table::{SLOTS_MAX, Table};

/// Tables allocated in one step, so that their list never moves: 64 KiB.
const CHUNK: usize = 1 << 10;

/// The keyed hash of all keys. SipHash-1-3 with a secret seed, because keys come from strangers, who must not be able
/// to choose keys that collide (Aumasson & Bernstein, "SipHash", 2012).
#[derive(Clone, Copy)]
pub struct KeyHasher(SipHasher13);

impl KeyHasher {
    /// `seed` must be unpredictable in production and fixed in a test.
    pub fn new(seed: [u64; 2]) -> KeyHasher {
        KeyHasher(SipHasher13::new_with_keys(seed[0], seed[1]))
    }

    /// The key's hash.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash(key)
    }
}

/// Invariant: `directory.len() == 1 << depth`, and element `i` names the table of all hashes whose directory bits end
/// in the same `tables[..].depth` bits as `i`.
pub struct Directory {
    depth: u32,
    directory: Vec<u32>,
    tables: Tables,
}

/// Numbered tables. Grows by a chunk at a time and never moves one.
#[derive(Default)]
struct Tables(Vec<Vec<Table>>);

impl Tables {
    fn push(&mut self, table: Table) -> u32 {
        if self.0.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.0.push(Vec::with_capacity(CHUNK));
        }
        let chunks = self.0.len();
        let chunk = &mut self.0[chunks - 1];
        chunk.push(table);
        ((chunks - 1) * CHUNK + chunk.len() - 1) as u32
    }
}

impl Index<u32> for Tables {
    type Output = Table;

    fn index(&self, number: u32) -> &Table {
        &self.0[number as usize / CHUNK][number as usize % CHUNK]
    }
}

impl IndexMut<u32> for Tables {
    fn index_mut(&mut self, number: u32) -> &mut Table {
        &mut self.0[number as usize / CHUNK][number as usize % CHUNK]
    }
}

impl Default for Directory {
    fn default() -> Directory {
        let mut tables = Tables::default();
        tables.push(Table::default());
        Directory { depth: 0, directory: vec![0], tables }
    }
}

impl Directory {
    /// An empty directory that takes so many keys without a split, nearly always.
    pub fn with_room_for(keys: usize) -> Directory {
        let depth = keys.div_ceil(SLOTS_MAX * 3 / 4).next_power_of_two().trailing_zeros();
        if depth == 0 {
            return Directory::default();
        }
        let mut tables = Tables::default();
        let table = || Table::with_room_for(keys >> depth, depth as u8);
        let directory = (0..1 << depth).map(|_| tables.push(table())).collect();
        Directory { depth, directory, tables }
    }

    /// Keys inserted in this order fill one small table after the other.
    pub fn order(&self, hash: u64) -> usize {
        self.index(hash)
    }

    /// Visits the slots of one small table, and returns the cursor of the next; 0 begins, and ends. Whatever is there
    /// from the first call to the last is visited: tables are taken in the order of their directory bits with the
    /// lowest one weighing most, in which a split puts both halves where the whole was.
    pub fn scan(&self, cursor: u64, visit: impl FnMut(u32)) -> u64 {
        let reversed = (cursor & u64::from(u32::MAX)) as u32;
        let index = reversed.reverse_bits() as usize & ((1 << self.depth) - 1);
        let table = &self.tables[self.directory[index]];
        table.slots().for_each(visit);
        // The bits that all of the table share, and one more.
        let shared = 32 - u32::from(table.depth);
        let next = (u64::from(reversed) >> shared << shared) + (1 << shared);
        if next > u64::from(u32::MAX) { 0 } else { next }
    }

    /// The slot with this hash that is the right one.
    pub fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table(hash).find(hash, is_it)
    }

    /// The small table that the hash belongs to.
    pub fn table(&self, hash: u64) -> &Table {
        &self.tables[self.directory[self.index(hash)]]
    }

    /// Adds a slot whose key is not there yet. `hash_all` says what the keys of slots that are there hash to.
    pub fn insert(&mut self, hash: u64, slot: u32, hash_all: impl Fn(&[u32], &mut [u64])) {
        while self.table(hash).count() == SLOTS_MAX {
            self.split(self.index(hash), &hash_all);
        }
        let index = self.index(hash);
        self.tables[self.directory[index]].insert(hash, slot);
    }

    /// Takes a slot out.
    pub fn remove(&mut self, hash: u64, slot: u32) {
        let index = self.index(hash);
        let was_there = self.tables[self.directory[index]].remove(hash, slot);
        assert!(was_there, "only what is there is removed");
    }

    fn index(&self, hash: u64) -> usize {
        (directory_bits(hash) & ((1 << self.depth) - 1)) as usize
    }

    fn split(&mut self, index: usize, hash_all: &impl Fn(&[u32], &mut [u64])) {
        let old = self.directory[index];
        let bit = u32::from(self.tables[old].depth);
        if bit == self.depth {
            self.directory.extend_from_within(..);
            self.depth += 1;
        }
        let table = std::mem::take(&mut self.tables[old]);
        let mut halves = [0, 0].map(|_| Table::with_room_for(SLOTS_MAX / 2, table.depth + 1));
        let (mut slots, mut hashes) = ([0; SLOTS_MAX], [0; SLOTS_MAX]);
        let count = slots.iter_mut().zip(table.slots()).map(|(place, slot)| *place = slot).count();
        hash_all(&slots[..count], &mut hashes[..count]);
        for (&hash, &slot) in hashes.iter().zip(&slots[..count]) {
            halves[(directory_bits(hash) >> bit & 1) as usize].insert(hash, slot);
        }
        let [zeros, ones] = halves;
        self.tables[old] = zeros;
        let new = self.tables.push(ones);
        let first = index & ((1 << bit) - 1) | 1 << bit;
        for other in (first..self.directory.len()).step_by(2 << bit) {
            self.directory[other] = new;
        }
    }
}

/// Those below the 16 that a small table takes.
fn directory_bits(hash: u64) -> u64 {
    hash >> 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_while_the_directory_grows_and_none_after_its_removal() {
        let hasher = KeyHasher::new([1, 2]);
        let hash_of = |slot: u32| hasher.hash(&slot.to_le_bytes());
        let hash_all = |slots: &[u32], hashes: &mut [u64]| {
            hashes.iter_mut().zip(slots).for_each(|(hash, &slot)| *hash = hash_of(slot));
        };
        let mut directory = Directory::default();
        for slot in 0..100_000 {
            directory.insert(hash_of(slot), slot, hash_all);
        }
        assert!(directory.tables.0.iter().flatten().all(|table| table.count() <= SLOTS_MAX));
        assert!((0..100_000).all(|slot| directory.find(hash_of(slot), |other| other == slot) == Some(slot)));
        for slot in (0..100_000).step_by(2) {
            directory.remove(hash_of(slot), slot);
        }
        assert!(
            (0..100_000).all(|slot| directory.find(hash_of(slot), |other| other == slot).is_some() == (slot % 2 == 1))
        );
    }
}
