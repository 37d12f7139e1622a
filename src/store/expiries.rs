//! The keys that expire, in the order in which they do.

use std::collections::BTreeSet;

use super::Database;
use super::database::DATABASES_MAX;
use super::entry::{Entry, Expiry};

/// What the index costs a key that expires, as the limit on memory counts it.
pub(super) const INDEX_BYTES: usize = 32;

/// The keys that expire, by when, and how far time has come.
///
/// An ordered set costs some 100 ns a key and never moves more than a few of them, so a million keys that expire at
/// once are as far from a pause as one is.
#[derive(Default)]
pub(super) struct Expiries {
    index: BTreeSet<(u64, u32)>,
    /// How many there are of each database.
    counts: [usize; DATABASES_MAX],
    now_ms: u64,
}

impl Expiries {
    /// Takes in the expiries of a store that is put together, and says of which database each slot is.
    pub(super) fn fill(&mut self, expiries: Vec<(u64, u32)>, database_of: impl Fn(u32) -> Database) {
        expiries.iter().for_each(|&(_, slot)| self.counts[database_of(slot).number()] += 1);
        self.index = expiries.into_iter().collect();
    }

    /// The slot's expiry may be another.
    #[inline]
    pub(super) fn changed(&mut self, slot: u32, database: Database, before: Expiry, after: Expiry) {
        if before != after {
            self.change(slot, database, before, after);
        }
    }

    fn change(&mut self, slot: u32, database: Database, before: Expiry, after: Expiry) {
        let count = &mut self.counts[database.number()];
        if let Some(before) = before
            && self.index.remove(&(before.get(), slot))
        {
            *count -= 1;
        }
        if let Some(after) = after {
            self.index.insert((after.get(), slot));
            *count += 1;
        }
    }

    /// Time has come so far; it does not go back.
    pub(super) fn pass_to(&mut self, unix_ms: u64) {
        self.now_ms = self.now_ms.max(unix_ms);
    }

    /// Takes out the next that expires, which is of this database.
    pub(super) fn pop_first(&mut self, database: Database) {
        if self.index.pop_first().is_some() {
            self.counts[database.number()] -= 1;
        }
    }

    /// When and in which slot a key expires next.
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        self.index.first().copied()
    }

    /// How far time has come.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many there are of a database.
    pub(super) fn len_of(&self, database: Database) -> usize {
        self.counts[database.number()]
    }

    /// Whether the entry's time has come.
    pub(super) fn has_expired(&self, entry: &Entry) -> bool {
        entry.expiry().is_some_and(|expiry| expiry.get() <= self.now_ms)
    }

    /// Memory as the limit counts it.
    pub(super) fn bytes(&self) -> usize {
        self.index.len() * INDEX_BYTES
    }
}
