//! `KEYS` or `SCAN` under way: where it is, and what it has found, as it will be sent.

use super::steps::{STEPS_PER_LOOK, Steps};
use crate::protocol::glob::Pattern;
use crate::protocol::json::answer::Parts;
use crate::protocol::{Dialect, Reply};
use crate::store::Store;

/// A cursor that is past all.
const CURSOR_END: u64 = 1 << 32;

/// See the module.
pub(super) struct Walk {
    wanted: Wanted,
    pub(super) cursor: u64,
    /// Parts that the walk is in the middle of, each within the one before it.
    partly: Vec<Partly>,
    pub(super) looks: usize,
    pub(super) found: Vec<u8>,
    pub(super) parts: Parts,
    pub(super) count: usize,
}

/// Which keys are looked for.
pub(super) enum Wanted {
    All,
    None,
    Matching(Pattern),
    /// Those that begin so.
    Beginning(Vec<u8>),
}

/// A part of all keys, up to a cursor, in which the keys up to a slot are done. A key keeps its slot, and a table that
/// is split meanwhile stays within its part.
struct Partly {
    until: u64,
    slot: u32,
}

impl Walk {
    pub(super) fn new(wanted: Wanted, cursor: u64) -> Walk {
        Walk { wanted, cursor, partly: Vec::new(), looks: 0, found: Vec::new(), parts: Parts::default(), count: 0 }
    }

    /// Whether it has looked at nothing yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.looks == 0
    }

    /// Looks at the keys of one table, as far as there are steps for it, and keeps those that are wanted as they will be
    /// sent; `shows` says of each whether it is there for who asks. Returns whether those were all of the table.
    pub(super) fn advance(
        &mut self,
        store: &Store,
        shows: impl Fn(&[u8]) -> bool,
        dialect: Dialect,
        steps: &mut Steps,
    ) -> bool {
        let (mut parts, mut found) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.found));
        let mut count = 0;
        let is_whole = self.look(store, steps, |key| {
            if shows(key) {
                count += 1;
                dialect.answer(Reply::Value(key), &mut parts, &mut found);
            }
        });
        (self.parts, self.found) = (parts, found);
        self.count += count;
        is_whole
    }

    /// Keeps those of some more keys that are wanted.
    pub(super) fn add<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>, dialect: Dialect) {
        for key in keys.filter(|key| self.wanted.has(key)) {
            self.count += 1;
            dialect.answer(Reply::Value(key), &mut self.parts, &mut self.found);
        }
    }

    /// The same for who keeps nothing of them.
    pub(super) fn look(&mut self, store: &Store, steps: &mut Steps, mut find: impl FnMut(&[u8])) -> bool {
        let done = self.partly.last().map(|partly| partly.slot);
        let mut keys = Vec::new();
        let next = store.scan_slots(self.cursor, |slot, key| {
            if done.is_none_or(|done| slot > done) {
                keys.push((slot, key));
            }
        });
        let cost = |key: &[u8]| match &self.wanted {
            Wanted::Matching(pattern) => STEPS_PER_LOOK + pattern.steps(key.len()),
            Wanted::All | Wanted::None | Wanted::Beginning(_) => STEPS_PER_LOOK,
        };
        let until = if next == 0 { CURSOR_END } else { next };
        if keys.iter().map(|(_, key)| cost(key)).sum::<usize>() > steps.left() {
            keys.sort_unstable_by_key(|(slot, _)| *slot);
        }
        let mut last = done;
        for (slot, key) in keys {
            if steps.are_spent() {
                if self.partly.last().is_some_and(|partly| partly.until == until) {
                    self.partly.pop();
                }
                self.partly.extend(last.map(|slot| Partly { until, slot }));
                return false;
            }
            steps.spend(cost(key));
            self.looks += 1;
            last = Some(slot);
            if self.wanted.has(key) {
                find(key);
            }
        }
        self.partly.retain(|partly| partly.until > until);
        self.cursor = next;
        true
    }
}

impl Wanted {
    fn has(&self, key: &[u8]) -> bool {
        match self {
            Wanted::All => true,
            Wanted::None => false,
            Wanted::Matching(pattern) => pattern.matches(key),
            Wanted::Beginning(prefix) => key.starts_with(prefix),
        }
    }
}
