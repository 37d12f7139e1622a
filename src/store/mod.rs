//! What every key is now: entries, their stamps, and the list of changes that all followers walk.
//!
//! - [`entry`]: one key's newest state in one allocation
//! - [`slots`]: numbered homes for entries
//! - [`directory`]: from key to slot; [`table`]: one of the small hash tables it is made of
//! - [`database`]: keys that know nothing of each other; `selecting`: whose keys are meant; `databases`: those that are not
//! - [`changes`]: slots in the order of their latest change
//! - [`stamp`]: when and by whom
//! - `collecting`: deletions forgotten, and the slots that they leave
//! - [`digest`]: the whole content as one number
//! - [`expiring`]: keys that are there until a time; `expiries`: their order
//! - [`flushing`]: all keys of a database deleted at once; `floor`: the latest times
//! - [`batch`]: changes copied out, on their way elsewhere
//! - `encoded`: ... as bytes on a disk
//! - [`copying`]: which changes; `fence`: what keeps them as they are
//! - [`value`]: values, and the memory that large ones share
//! - `owning`: ... given to keys, and whom their memory goes to afterwards
//! - `prefetching`: entries brought into the cache before they are asked for
//! - `scanning`: all keys, a few at a time
//! - [`restore`]: a store from the rows of a data file
//! - [`atomic_groups`]: changes that followers should not stop between; `ranges`: their positions
//!
//! No call takes longer than the split of one small table or the squeeze of one change list segment (some 100 us),
//! besides copying the value itself. It does not know sockets, clocks or files.

pub mod atomic_groups;
pub mod batch;
pub mod changes;
mod collecting;
pub mod copying;
pub mod database;
mod databases;
pub mod digest;
pub mod directory;
mod encoded;
pub mod entry;
mod expiries;
pub mod expiring;
mod fence;
mod floor;
pub mod flushing;
mod owning;
mod prefetching;
mod ranges;
pub mod restore;
mod scanning;
mod selecting;
pub mod slots;
pub mod stamp;
pub mod table;
pub mod value;

pub use batch::{Batch, Change};
pub use copying::Copied;
pub use database::{DATABASES_MAX, Database, Floors, NODES_MAX};
pub use digest::Content;
pub use encoded::Encoded;
pub use entry::{Expiry, Form, KEY_BYTES_MAX, VALUE_BYTES_MAX, memory_bytes};
pub use expiring::EXPIRY_MS_MAX;
pub use restore::Restore;
pub use stamp::{Clock, NodeId, Now, Stamp};

use crate::fault_injection;

use changes::ChangeList;
use databases::Databases;
use digest::Digest;
use directory::{Directory, KeyHasher};
use entry::Entry;
use expiries::Expiries;
use fence::Fence;
use floor::Floor;
pub use prefetching::PREFETCHED;
use ranges::Ranges;
use slots::Slots;
pub use value::{Free, Value};

/// What a key costs beside its entry, as the limit on memory counts it: 12 bytes in the slots, 4 to 8 in the change
/// list, 8 to 9 in the tables.
const KEY_OVERHEAD_BYTES: usize = 26;

/// The limit on memory is reached; nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// See the module.
///
/// Invariant: every slot with an entry is in its database's tables once and in the change list once, and one whose entry expires is
/// in the expiries once.
pub struct Store {
    hasher: KeyHasher,
    /// Of the selected database.
    directory: Directory,
    databases: Databases,
    slots: Slots,
    changes: ChangeList,
    keys: usize,
    tombstones: usize,
    entry_bytes: usize,
    bytes_max: usize,
    /// Of the keys that stay, and of those that expire.
    digest: Digest,
    expiring_digest: Digest,
    expiries: Expiries,
    floor: Floor,
    together: Ranges,
    fence: Option<Fence>,
    free: Free,
}

/// What became of a change made elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its position here; `None` where it came too late.
    pub position: Option<u64>,
    /// The stamp and the position of the state that the key had.
    pub rival: Option<(Stamp, u64)>,
}

impl Store {
    /// An empty store whose first change gets the position `first`, with a secret `seed` for hashing, that refuses
    /// writes above `bytes_max` (0: no limit).
    pub fn new(seed: [u64; 2], bytes_max: usize, first: u64) -> Store {
        Store {
            hasher: KeyHasher::new(seed),
            directory: Directory::default(),
            databases: Databases::default(),
            slots: Slots::default(),
            changes: ChangeList::new(first),
            keys: 0,
            tombstones: 0,
            entry_bytes: 0,
            digest: Digest::default(),
            expiring_digest: Digest::default(),
            expiries: Expiries::default(),
            floor: Floor::default(),
            together: Ranges::default(),
            bytes_max: if bytes_max == 0 { usize::MAX } else { bytes_max },
            fence: None,
            free: drop,
        }
    }

    /// The key's value. O(1), no allocation.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.shown(self.entry(self.find(self.hasher.hash(key), key)?))
    }

    /// The key's value, and where it is large the memory it lies in. O(1), no allocation.
    pub fn value(&self, key: &[u8]) -> Option<Value<'_>> {
        let entry = self.entry(self.find(self.hasher.hash(key), key)?);
        self.shown(entry).and(state_of(entry))
    }

    /// Gives the key a value that stays and returns the change's position. The stamp must be above the key's present
    /// one, as a stamp just issued is. O(1); no allocation where the size stays the same.
    pub fn set<'a>(&mut self, key: &[u8], value: impl Into<Value<'a>>, stamp: Stamp) -> Result<u64, OutOfMemory> {
        self.put(key, value.into(), None, stamp)
    }

    /// Deletes the key and returns the change's position, or `None` where the key has no value. O(1).
    pub fn delete(&mut self, key: &[u8], stamp: Stamp) -> Option<u64> {
        let slot = self.find(self.hasher.hash(key), key)?;
        self.shown(self.entry(slot))?;
        // The deletion is remembered: a peer that was away may still send the old value, and without a stamp here
        // it would come back to life.
        self.rewrite(slot, None, None, stamp);
        let position = self.changes.last();
        if fault_injection::is("deletion not remembered") {
            self.forget(slot);
        }
        Some(position)
    }

    /// Takes in a change made elsewhere, unless the key's present state is newer or the same. The limit on memory does
    /// not hold here: a node that refused would disagree with all others for ever. O(1).
    pub fn apply(
        &mut self,
        key: &[u8],
        value: Option<Value<'_>>,
        expiry: Expiry,
        stamp: Stamp,
    ) -> Result<Applied, OutOfMemory> {
        if self.covers(self.selected(), stamp) && !fault_injection::is("older write taken in after a flush") {
            return Ok(Applied { position: None, rival: None });
        }
        let hash = self.hasher.hash(key);
        let found = self.find(hash, key);
        let rival = found.map(|slot| (self.entry(slot).stamp(), self.changes.position(self.slots.place(slot))));
        match (found, rival) {
            // Where both are the same write, one side has found out that its value is gone.
            (Some(slot), Some((present, _)))
                if present == stamp && value.is_none() && !self.entry(slot).is_tombstone() =>
            {
                self.rewrite(slot, None, None, stamp);
            }
            (Some(slot), Some((present, _))) if is_beaten_by_mistake(present, stamp) => {
                self.rewrite(slot, value, expiry, stamp)
            }
            (_, Some((present, position))) if present >= stamp => {
                return Ok(Applied { position: None, rival: Some((present, position)) });
            }
            (Some(slot), _) => self.rewrite(slot, value, expiry, stamp),
            (None, _) if self.slots.is_full() => return Err(OutOfMemory),
            (None, _) => self.insert(hash, self.entry_of(key, value, expiry, stamp)),
        }
        Ok(Applied { position: Some(self.changes.last()), rival })
    }

    /// The key's newest state, deletions included. What has expired is shown as deleted.
    pub fn state(&self, key: &[u8]) -> Option<Change<'_>> {
        self.state_in(self.selected(), key)
    }

    /// The same of a key of the database, whichever is selected.
    pub fn state_in(&self, database: Database, key: &[u8]) -> Option<Change<'_>> {
        let directory = self.directory_of(database)?;
        let slot = directory.find(self.hasher.hash(key), |slot| self.entry(slot).key() == key)?;
        if self.floor.is_below(self.entry(slot)) {
            return None;
        }
        let change = change_of(self.changes.position(self.slots.place(slot)), slot, self.entry(slot));
        let value = self.shown(self.entry(slot));
        let shared = change.shared.filter(|_| value.is_some());
        Some(Change { value, shared, expiry: change.expiry.filter(|_| value.is_some()), ..change })
    }

    /// How the key's value came about.
    pub fn form(&self, key: &[u8]) -> Form {
        self.find(self.hasher.hash(key), key).map_or(Form::Whole, |slot| self.entry(slot).form())
    }

    /// Says how the value came about that the key was just given; no change.
    pub fn set_form(&mut self, key: &[u8], form: Form) {
        if let Some(slot) = self.find(self.hasher.hash(key), key) {
            self.slots.get_mut(slot).expect("the table names only slots with an entry").set_form(form);
        }
    }

    /// Refuses writes above so many bytes from here on; 0: no limit.
    pub fn limit_bytes(&mut self, bytes_max: usize) {
        self.bytes_max = if bytes_max == 0 { usize::MAX } else { bytes_max };
    }

    /// Forgets the slot's value but not its stamp: the value was deleted everywhere else so long ago that nobody
    /// remembers the deletion. O(1).
    pub fn bury(&mut self, slot: u32) {
        let stamp = self.entry(slot).stamp();
        self.rewrite(slot, None, None, stamp);
    }

    /// Gives the slot's state a newer stamp, as if it were written again. O(1).
    pub fn restamp(&mut self, slot: u32, stamp: Stamp) {
        let entry = self.entry(slot);
        let (value, expiry) = (state_of(entry).map(Value::lend), entry.expiry());
        self.rewrite(slot, value.as_ref().map(Value::from), expiry, stamp);
    }

    /// The position of the latest change.
    pub fn last_position(&self) -> u64 {
        self.changes.last()
    }

    /// Keys of all databases that have a value, those included that expired and were not turned yet.
    pub fn keys(&self) -> usize {
        self.keys.saturating_sub(self.floor.doomed())
    }

    /// What two stores with the same live keys and stamps share. O(1).
    pub fn content(&self) -> Content {
        Content {
            keys: self.keys() as u64,
            digest: self.digest.value(),
            expiring: self.expiring() as u64,
            expiring_digest: self.expiring_digest.value(),
            next_expiry: self.next_expiry(),
        }
    }

    /// Changes after the position, each key counted once. O(segments).
    pub fn count_after(&self, position: u64) -> usize {
        self.changes.count_after(position)
    }

    /// Deletions remembered, those of all keys of a database at once not counted.
    pub fn tombstones(&self) -> usize {
        self.tombstones - self.floor.count()
    }

    /// Memory as the limit counts it: entries, and what a key costs beside its entry.
    pub fn bytes(&self) -> usize {
        self.entry_bytes + (self.keys + self.tombstones) * KEY_OVERHEAD_BYTES + self.expiries.bytes()
    }

    /// The limit of [`Store::bytes`], 0 where there is none.
    pub fn bytes_max(&self) -> usize {
        if self.bytes_max == usize::MAX { 0 } else { self.bytes_max }
    }

    /// Whether peers' writes have taken it past its limit.
    pub fn is_over_limit(&self) -> bool {
        self.bytes() > self.bytes_max
    }

    /// Memory that the change list takes. O(segments).
    pub fn change_list_bytes(&self) -> usize {
        self.changes.bytes()
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.directory.find(hash, |slot| self.entry(slot).key() == key)
    }

    fn entry(&self, slot: u32) -> &Entry {
        self.slots.get(slot).expect("the table and the change list name only slots with an entry")
    }

    /// Of the selected database.
    fn insert(&mut self, hash: u64, entry: Entry) {
        debug_assert_eq!(entry.database(), self.selected());
        self.count(&entry, 1);
        let (deleted, expiry, stamp) = (entry.is_tombstone(), entry.expiry(), entry.stamp());
        let slot = self.slots.insert(entry);
        self.expiries.changed(slot, self.selected(), None, expiry);
        let Store { hasher, directory, slots, changes, .. } = self;
        directory.insert(hash, slot, |there, hashes| slots.hash_keys(hasher, there, hashes));
        let place = changes.append(slot, deleted, |slot, place| slots.set_place(slot, place));
        slots.set_place(slot, place);
        self.note_floor(slot, stamp);
    }

    fn rewrite(&mut self, slot: u32, value: Option<Value<'_>>, expiry: Expiry, stamp: Stamp) {
        let large = self.large(value);
        let Store { slots, changes, fence, expiries, floor, together, .. } = self;
        let place = slots.place(slot);
        let entry = slots.get_mut(slot).expect("only what is there is rewritten");
        if let Some(fence) = fence {
            let position = changes.position(place);
            if fence.after < position && position <= fence.up_to {
                fence.displaced.push(change_of(position, slot, entry));
            }
        }
        let deleted_before = entry.is_tombstone();
        together.moved(changes.position(place), changes.last() + 1);
        floor.gone(entry);
        let (bytes_before, expiry_before) = (entry.bytes(), entry.expiry());
        digest_of(&mut self.digest, &mut self.expiring_digest, entry).remove(entry);
        entry.replace(large.as_ref().map(Value::from).or(value), expiry, stamp);
        digest_of(&mut self.digest, &mut self.expiring_digest, entry).add(entry);
        expiries.changed(slot, entry.database(), expiry_before, entry.expiry());
        self.entry_bytes = self.entry_bytes + entry.bytes() - bytes_before;
        changes.vacate(place, deleted_before, |slot, place| slots.set_place(slot, place));
        let place = changes.append(slot, value.is_none(), |slot, place| slots.set_place(slot, place));
        slots.set_place(slot, place);
        if deleted_before != value.is_none() {
            self.turned(slot);
        }
        self.note_floor(slot, stamp);
    }

    /// The slot holds a deletion where it held a value, or the other way round.
    fn turned(&mut self, slot: u32) {
        let entry = self.slots.get(slot).expect("it was just rewritten");
        match entry.is_tombstone() {
            true => (self.keys, self.tombstones) = (self.keys - 1, self.tombstones + 1),
            false => (self.keys, self.tombstones) = (self.keys + 1, self.tombstones - 1),
        }
        self.databases.turn(entry);
    }

    fn forget(&mut self, slot: u32) {
        self.take_out(slot, Slots::retire);
    }

    fn take_out(&mut self, slot: u32, out: impl Fn(&mut Slots, u32) -> Entry) {
        let place = self.slots.place(slot);
        let hash = self.hasher.hash(self.entry(slot).key());
        self.directory_of_mut(self.entry(slot).database()).remove(hash, slot);
        let Store { slots, changes, .. } = self;
        let deleted = slots.get(slot).is_some_and(Entry::is_tombstone);
        changes.vacate(place, deleted, |slot, place| slots.set_place(slot, place));
        let entry = out(&mut self.slots, slot);
        self.floor.gone(&entry);
        self.expiries.changed(slot, entry.database(), entry.expiry(), None);
        self.count(&entry, -1);
    }

    fn count(&mut self, entry: &Entry, by: isize) {
        let counter = if entry.is_tombstone() { &mut self.tombstones } else { &mut self.keys };
        *counter = counter.wrapping_add_signed(by);
        self.databases.count(entry, by);
        let digest = digest_of(&mut self.digest, &mut self.expiring_digest, entry);
        if by > 0 {
            digest.add(entry)
        } else {
            digest.remove(entry)
        }
        self.entry_bytes = self.entry_bytes.wrapping_add_signed(by * entry.bytes() as isize);
    }
}

/// Only where a mistake was injected.
fn is_beaten_by_mistake(present: Stamp, stamp: Stamp) -> bool {
    (fault_injection::is("an older write wins") && present != stamp)
        || (fault_injection::is("wrong tie-break") && present.clock == stamp.clock && present.node > stamp.node)
}

fn digest_of<'a>(staying: &'a mut Digest, expiring: &'a mut Digest, entry: &Entry) -> &'a mut Digest {
    if entry.expiry().is_some() { expiring } else { staying }
}

fn state_of(entry: &Entry) -> Option<Value<'_>> {
    entry.value().map(|value| Value::new(value, entry.shared()))
}

fn change_of(position: u64, slot: u32, entry: &Entry) -> Change<'_> {
    let (stamp, database, expiry) = (entry.stamp(), entry.database(), entry.expiry());
    Change { slot, position, stamp, database, key: entry.key(), value: entry.value(), shared: entry.shared(), expiry }
}
