//! A store put together from the rows of a data file.

use super::directory::Directory;
use super::entry::Entry;
use super::floor::is_floor;
use super::{Change, DATABASES_MAX, Database, Free, Store, slots};

/// Puts a store together from the rows of a data file, in any order.
///
/// Rows are only laid down as they come; table and change list are made at the end, each in the order of its own
/// memory, which is several times as fast as a million random insertions.
pub struct Restore {
    store: Store,
    /// Hash and slot of each row of each database.
    hashes: [Vec<(u64, u32)>; DATABASES_MAX],
    /// Position and slot of each row, and whether it is a deletion.
    positions: Vec<(u64, u32, bool)>,
    /// Expiry and slot of each row that has one.
    expiries: Vec<(u64, u32)>,
}

/// Two rows claim one position.
#[derive(Debug, PartialEq, Eq)]
pub struct PositionTaken(pub u64);

impl Restore {
    /// Slot numbers a row may have are below this.
    pub const SLOTS_MAX: u32 = slots::SLOTS_MAX;

    /// Begins with an empty store; arguments as for [`Store::new`].
    pub fn new(seed: [u64; 2], bytes_max: usize) -> Restore {
        let store = Store::new(seed, bytes_max, 1);
        Restore { store, hashes: Default::default(), positions: Vec::new(), expiries: Vec::new() }
    }

    /// Has large values that nobody has any more freed so.
    #[must_use]
    pub fn freeing_by(self, free: Free) -> Restore {
        Restore { store: self.store.freeing_by(free), ..self }
    }

    /// Takes in one row, whose slot no other has. The limit on memory does not hold here: what was kept is kept.
    pub fn add(&mut self, change: Change<'_>) {
        let Change { slot, position, stamp, database, key, value, expiry, .. } = change;
        self.store.select(database);
        let entry = self.store.entry_of(key, change.shared_value(), expiry, stamp);
        self.store.count(&entry, 1);
        self.store.slots.insert_at(slot, entry);
        self.hashes[database.number()].push((self.store.hasher.hash(key), slot));
        self.positions.push((position, slot, value.is_none()));
        self.expiries.extend(expiry.map(|expiry| (expiry.get(), slot)));
    }

    /// Rows taken in so far.
    pub fn rows(&self) -> usize {
        self.positions.len()
    }

    /// The store, whose next change gets the position `first` or one above all rows. Where two rows have one key,
    /// the higher stamp wins, and the other's slot is retired.
    pub fn finish(self, first: u64) -> Result<Store, PositionTaken> {
        let Restore { mut store, hashes, mut positions, mut expiries } = self;
        let mut retired = false;
        for (database, hashes) in Database::all().zip(hashes).filter(|(_, hashes)| !hashes.is_empty()) {
            store.select(database);
            retired |= store.fill_table(hashes);
        }
        store.select(Database::ZERO);
        if retired {
            positions.retain(|&(_, slot, _)| store.slots.get(slot).is_some());
            expiries.retain(|&(_, slot)| store.slots.get(slot).is_some());
        }
        let Store { slots, expiries: index, .. } = &mut store;
        index.fill(expiries, |slot| slots.get(slot).map_or(Database::ZERO, Entry::database));
        positions.sort_unstable();
        if let Some(pair) = positions.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(PositionTaken(pair[0].0));
        }
        let Store { slots, floor, .. } = &mut store;
        for &(position, slot, _) in &positions {
            if let Some(entry) = slots.get(slot).filter(|entry| is_floor(entry)) {
                floor.restore(entry, position);
            }
        }
        let first = positions.last().map_or(first, |&(last, ..)| first.max(last + 1));
        let Store { slots, changes, floor, .. } = &mut store;
        for (position, slot, deleted) in positions {
            slots.set_place(slot, changes.restore(position, slot, deleted));
            let Some(entry) = slots.get(slot) else { continue };
            floor.restored(entry);
        }
        changes.begin_at(first);
        slots.claimed();
        Ok(store)
    }
}

impl Store {
    /// Returns whether a slot was retired because another holds a newer state of its key.
    fn fill_table(&mut self, mut hashes: Vec<(u64, u32)>) -> bool {
        self.directory = Directory::with_room_for(hashes.len());
        hashes.sort_unstable_by_key(|&(hash, _)| self.directory.order(hash));
        let mut retired = false;
        for (hash, slot) in hashes {
            if let Some(rival) = self.directory.find(hash, |rival| self.entry(rival).key() == self.entry(slot).key()) {
                let older = self.entry(rival).stamp() < self.entry(slot).stamp();
                let loser = if older { rival } else { slot };
                let entry = self.slots.retire(loser);
                self.count(&entry, -1);
                retired = true;
                if !older {
                    continue;
                }
                self.directory.remove(hash, rival);
            }
            let Store { hasher, directory, slots, .. } = self;
            directory.insert(hash, slot, |there, hashes| slots.hash_keys(hasher, there, hashes));
        }
        retired
    }
}
