//! The keys that expire, in the order in which they do.

use std::collections::BTreeSet;

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
    now_ms: u64,
}

impl Expiries {
    /// Takes in the expiries of a store that is put together.
    pub(super) fn fill(&mut self, expiries: Vec<(u64, u32)>) {
        self.index = expiries.into_iter().collect();
    }

    /// The slot's expiry is another.
    pub(super) fn changed(&mut self, slot: u32, before: Expiry, after: Expiry) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.index.remove(&(before.get(), slot));
        }
        if let Some(after) = after {
            self.index.insert((after.get(), slot));
        }
    }

    /// Time has come so far; it does not go back.
    pub(super) fn pass_to(&mut self, unix_ms: u64) {
        self.now_ms = self.now_ms.max(unix_ms);
    }

    /// Takes out the next that expires.
    pub(super) fn pop_first(&mut self) {
        self.index.pop_first();
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

    /// Whether the entry's time has come.
    pub(super) fn has_expired(&self, entry: &Entry) -> bool {
        entry.expiry().is_some_and(|expiry| expiry.get() <= self.now_ms)
    }

    /// Memory as the limit counts it.
    pub(super) fn bytes(&self) -> usize {
        self.index.len() * INDEX_BYTES
    }
}
