//! Keys that are there until a time: each node finds out by itself when that has come.
//!
//! From its expiry on a key is hidden, and a bounded number of such keys is turned into deletions with every tick. Such
//! a deletion has the stamp of the write that set the expiry: who has that write has this deletion, so there is nothing
//! to send, and of two equal stamps the deletion wins.

use std::num::NonZeroU64;

use super::entry::{Entry, Expiry, memory_bytes};
use super::expiries::INDEX_BYTES;
use super::floor::is_reserved;
use super::value::Value;
use super::{Database, KEY_OVERHEAD_BYTES, OutOfMemory, Stamp, Store};
use crate::fault_injection;

/// The latest expiry there is, in unix milliseconds: the data file holds no higher number.
pub const EXPIRY_MS_MAX: u64 = i64::MAX as u64;

fn within(expiry_ms: u64) -> Expiry {
    NonZeroU64::new(expiry_ms.clamp(1, EXPIRY_MS_MAX))
}

impl Store {
    /// Gives the key a value that is there until the wall clock shows `expiry_ms` (1 to [`EXPIRY_MS_MAX`], others are
    /// taken for the nearest), and returns the change's position. Else as [`Store::set`].
    pub fn set_expiring<'a>(
        &mut self,
        key: &[u8],
        value: impl Into<Value<'a>>,
        expiry_ms: u64,
        stamp: Stamp,
    ) -> Result<u64, OutOfMemory> {
        self.put(key, value.into(), within(expiry_ms), stamp)
    }

    /// The same, with an expiry or none; the limit on memory does not hold here. For what is there already, under
    /// another name or with another expiry.
    pub fn set_moved(
        &mut self,
        key: &[u8],
        value: Value<'_>,
        expiry_ms: Option<u64>,
        stamp: Stamp,
    ) -> Result<u64, OutOfMemory> {
        let hash = self.hasher.hash(key);
        self.put_in(hash, self.find(hash, key), key, value, expiry_ms.and_then(within), stamp)
    }

    /// When the key expires, in unix milliseconds; `None` where it has no value, or one that stays. O(1).
    pub fn expiry(&self, key: &[u8]) -> Option<u64> {
        self.state(key)?.expiry.map(u64::from).filter(|&expiry_ms| expiry_ms > self.expiries.now_ms())
    }

    /// It is that time: what expires by then is hidden. Time does not go back.
    pub fn pass_to(&mut self, unix_ms: u64) {
        self.expiries.pass_to(unix_ms);
    }

    /// Turns keys that have expired into deletions, `max` of them at most, the one that expired first coming first, and
    /// says which. Returns how many.
    pub fn expire(&mut self, max: usize, mut expired: impl FnMut(Database, &[u8])) -> usize {
        let mut count = 0;
        for _ in 0..max {
            let Some((expiry, slot)) = self.expiries.first() else { break };
            if expiry > self.expiries.now_ms() {
                break;
            }
            let entry = self.entry(slot);
            let database = entry.database();
            if self.floor.is_below(entry) {
                // Its place in the change list must stay before that of the flush, where it is swept.
                self.expiries.pop_first(database);
                continue;
            }
            expired(database, entry.key());
            self.bury(slot);
            if fault_injection::is("expired key not remembered") {
                self.forget(slot);
            } else if fault_injection::is("deletion of an expired key outbids later writes") {
                let stamp = self.entry(slot).stamp();
                self.restamp(slot, Stamp { clock: stamp.clock + (1_000 << 16), ..stamp });
            }
            count += 1;
        }
        count
    }

    /// Turns the key into a deletion if it has expired. Returns whether it had.
    pub fn expire_key(&mut self, key: &[u8]) -> bool {
        let Some(slot) = self.find(self.hasher.hash(key), key) else { return false };
        let entry = self.entry(slot);
        let has_expired = self.expiries.has_expired(entry) && !self.floor.is_below(entry);
        if has_expired {
            self.bury(slot);
        }
        has_expired
    }

    /// Whether [`Store::expire`] would find something.
    pub fn has_expired(&self) -> bool {
        self.next_expiry() <= self.expiries.now_ms()
    }

    /// When the next key expires or did, in unix milliseconds; `u64::MAX` where none does. O(log keys).
    pub fn next_expiry(&self) -> u64 {
        self.expiries.first().map_or(u64::MAX, |(expiry, _)| expiry)
    }

    /// Keys that expire.
    pub fn expiring(&self) -> usize {
        self.expiries.len()
    }

    /// The entry's value, unless it is as good as deleted.
    pub(super) fn shown<'a>(&self, entry: &'a Entry) -> Option<&'a [u8]> {
        let is_gone = self.expiries.has_expired(entry) || self.floor.is_below(entry);
        entry.value().filter(|_| !is_gone)
    }

    /// Whether there is room for values of so many bytes, which expire or do not, each in the place of what its key has.
    /// What is set twice is counted twice.
    pub fn has_room<'a>(&self, values: impl Iterator<Item = (&'a [u8], usize, bool)> + Clone) -> bool {
        let cost = |(key, value_bytes, expires): (&[u8], usize, bool)| {
            memory_bytes(key.len(), value_bytes, expires) + if expires { INDEX_BYTES } else { 0 }
        };
        let room = self.bytes_max.saturating_sub(self.bytes());
        let most = || values.clone().map(|value| cost(value) + KEY_OVERHEAD_BYTES).sum::<usize>();
        let growth = |value: (&[u8], usize, bool)| match self.find(self.hasher.hash(value.0), value.0) {
            None => cost(value) + KEY_OVERHEAD_BYTES,
            Some(slot) => {
                let entry = self.entry(slot);
                let index = if entry.expiry().is_some() { INDEX_BYTES } else { 0 };
                cost(value).saturating_sub(entry.bytes() + index)
            }
        };
        self.bytes_max == usize::MAX || most() <= room || values.clone().map(growth).sum::<usize>() <= room
    }

    /// Whether the limit on memory allows the key a value of so many bytes.
    pub fn has_room_for(&self, key: &[u8], value_bytes: usize, expires: bool) -> bool {
        self.has_room_in(self.find(self.hasher.hash(key), key), key, value_bytes, expires)
    }

    /// What makes nothing larger has room, however full it is.
    fn has_room_in(&self, found: Option<u32>, key: &[u8], value_bytes: usize, expires: bool) -> bool {
        let cost = |entry: usize, expires: bool| entry + if expires { INDEX_BYTES } else { 0 };
        let before = found.map_or(0, |slot| cost(self.entry(slot).bytes(), self.entry(slot).expiry().is_some()));
        let overhead = if found.is_some() { 0 } else { KEY_OVERHEAD_BYTES };
        let after = cost(memory_bytes(key.len(), value_bytes, expires), expires);
        after <= before || self.bytes() + after + overhead - before <= self.bytes_max
    }

    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: Value<'_>,
        expiry: Expiry,
        stamp: Stamp,
    ) -> Result<u64, OutOfMemory> {
        let hash = self.hasher.hash(key);
        let found = self.find(hash, key);
        if !self.has_room_in(found, key, value.len(), expiry.is_some()) {
            return Err(OutOfMemory);
        }
        self.put_in(hash, found, key, value, expiry, stamp)
    }

    fn put_in(
        &mut self,
        hash: u64,
        found: Option<u32>,
        key: &[u8],
        value: Value<'_>,
        expiry: Expiry,
        stamp: Stamp,
    ) -> Result<u64, OutOfMemory> {
        match found {
            _ if is_reserved(key) => return Err(OutOfMemory),
            Some(slot) => self.rewrite(slot, Some(value), expiry, stamp),
            None if self.slots.is_full() => return Err(OutOfMemory),
            None => self.insert(hash, self.entry_of(key, Some(value), expiry, stamp)),
        }
        Ok(self.changes.last())
    }
}
