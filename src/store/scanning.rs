//! Walks through all keys in bounded parts.

use super::Store;

impl Store {
    /// Visits a bounded part of all keys of the selected database that have a value, and returns the cursor of the next part; 0 begins, and
    /// ends. Every key that is there from the first call to the last is visited, however the store grows.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a [u8])) -> u64 {
        self.scan_slots(cursor, |_, key| visit(key))
    }

    /// The same, and with each key its slot: a number that it keeps for as long as it is there.
    pub fn scan_slots<'a>(&'a self, cursor: u64, mut visit: impl FnMut(u32, &'a [u8])) -> u64 {
        self.directory.scan(cursor, |slot| {
            let entry = self.entry(slot);
            if self.shown(entry).is_some() {
                visit(slot, entry.key());
            }
        })
    }

    /// A key of the selected database that has a value; `chance` decides which. Expected O(1) while most slots are in use.
    pub fn random_key(&self, chance: u64) -> Option<&[u8]> {
        if self.keys_in(self.selected()) == 0 {
            return None;
        }
        let mut cursor = chance & u64::from(u32::MAX);
        let mut rounds = 0;
        // All that is left may be keys whose time has come.
        while rounds < 2 {
            let (mut count, mut number, mut found) = (0, 0, None);
            self.scan(cursor, |_| count += 1);
            let next = self.scan(cursor, |key| {
                if number == (chance >> 32).checked_rem(count).unwrap_or_default() {
                    found = Some(key);
                }
                number += 1;
            });
            if found.is_some() {
                return found;
            }
            rounds += u32::from(next == 0);
            cursor = next;
        }
        None
    }
}
