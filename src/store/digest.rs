//! The whole content of a store as one number, kept up to date with every change in O(1).
//!
//! The sum of a hash of each live key and its stamp, so the order of the changes does not matter (an incremental hash
//! of a set, Bellare and Micciancio, 1997, without their defence against somebody who wants two sets to collide: it
//! tells nodes of one cluster apart, not friend from enemy). The hash is the same on every node and machine.

use rapidhash::v3::rapidhash_v3;

use super::Database;
use super::entry::Entry;

/// What a store holds, in numbers that another store can be compared by. Keys that expire are digested apart from those
/// that stay: two nodes' clocks differ a little, so that one may have such a key for a moment longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Keys that have a value.
    pub keys: u64,
    /// The digest of those that stay.
    pub digest: u64,
    /// How many of the keys expire.
    pub expiring: u64,
    /// The digest of those.
    pub expiring_digest: u64,
    /// When the first of them does, in unix milliseconds; `u64::MAX` where none does.
    pub next_expiry: u64,
}

impl Content {
    /// Whether both hold the same.
    pub fn is_same(&self, other: &Content) -> bool {
        (self.keys, self.expiring_digest) == (other.keys, other.expiring_digest) && self.is_same_but_expiring(other)
    }

    /// Whether both hold the same, but for keys that expire.
    pub fn is_same_but_expiring(&self, other: &Content) -> bool {
        let staying = |one: &Content| (one.keys.wrapping_sub(one.expiring), one.digest);
        staying(self) == staying(other)
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// The entry is there from here on. Deletions do not count.
    pub fn add(&mut self, entry: &Entry) {
        self.0 = self.0.wrapping_add(term(entry));
    }

    /// The entry is no longer there.
    pub fn remove(&mut self, entry: &Entry) {
        if !crate::fault_injection::is("digest keeps what is gone") {
            self.0 = self.0.wrapping_sub(term(entry));
        }
    }

    /// The number.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// A hash of a key of a database that is the same on every node and machine. Of database 0 it is the key's alone.
pub fn key_hash(database: Database, key: &[u8]) -> u64 {
    // The odd constant is the fractional part of the square root of 5.
    rapidhash_v3(key) ^ (database.number() as u64).wrapping_mul(0x3c6e_f372_fe94_f82b)
}

fn term(entry: &Entry) -> u64 {
    if entry.is_tombstone() {
        return 0;
    }
    let key = rapidhash_v3(entry.key());
    // The database is in it: of database 0 it is the node's number.
    let origin = u64::from(entry.origin()).rotate_right(16);
    // The odd constants are the fractional parts of the golden ratio and of the square root of 3.
    let when = (entry.clock() ^ origin).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let both = u128::from(key ^ when).wrapping_mul(0xbb67_ae85_84ca_a73b);
    (both >> 64) as u64 ^ both as u64
}
