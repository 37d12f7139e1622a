//! Changes that belong together, as those of one request: whoever follows the change list should not stop between them.
//!
//! Kept as ranges of positions until every follower that is there has passed them. What is overwritten leaves its
//! place, so a range grows to where its key went: else a follower that stops at its end would have one key and lack the
//! other.

use super::Store;

impl Store {
    /// The changes from the position `first` to the position `last`, the latest of all, belong together.
    pub fn group(&mut self, first: u64, last: u64) {
        debug_assert_eq!(last, self.last_position());
        self.together.add(first, last);
    }

    /// Every follower has passed this position.
    pub fn forget_groups(&mut self, up_to: u64) {
        self.together.forget(up_to);
    }

    /// Whether the change at the position belongs together with others.
    pub fn is_grouped(&self, position: u64) -> bool {
        self.together.contain(position)
    }

    /// Whether the change at the position and one after it belong together.
    pub fn goes_on_after(&self, position: u64) -> bool {
        self.together.go_on_after(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stamp;

    fn set(store: &mut Store, key: &str) -> u64 {
        let stamp = Stamp { clock: store.last_position() + 1, node: 0 };
        store.set(key.as_bytes(), b"v", stamp).expect("there is no limit")
    }

    fn places_to_stop(store: &Store) -> Vec<u64> {
        (1..=store.last_position()).filter(|&position| !store.goes_on_after(position)).collect()
    }

    #[test]
    fn a_range_ends_where_the_last_of_its_keys_went() {
        let mut store = Store::new([1, 2], 0, 1);
        ["a", "b", "c", "d", "e"].iter().for_each(|key| assert!(set(&mut store, key) > 0));
        store.group(6, 5);
        ["a", "b"].iter().for_each(|key| assert!(set(&mut store, key) > 0));
        store.group(6, 7);
        assert_eq!(places_to_stop(&store), [1, 2, 3, 4, 5, 7]);
        assert!((1..=7).map(|position| store.is_grouped(position)).eq((1..=7).map(|position| position > 5)));
        set(&mut store, "f");
        set(&mut store, "a");
        assert_eq!(places_to_stop(&store), [1, 2, 3, 4, 5, 9]);
        ["c", "b"].iter().for_each(|key| assert!(set(&mut store, key) > 0));
        store.group(10, 11);
        assert_eq!(places_to_stop(&store), [1, 2, 3, 4, 5, 11]);
        store.forget_groups(11);
        assert_eq!(places_to_stop(&store).len(), 11);
    }
}
