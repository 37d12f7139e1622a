//! Databases, of which one is *selected*: whoever names a key means that one. What names a slot or an entry means the
//! entry's own.
//!
//! The directory of the selected database lies in the store itself, so that a search in it costs what it would if there
//! were no other; those of the others are parked, and a change from one to another is an exchange of two of them.
//! Whoever is about to name keys selects first, and relies on nobody before.

use super::directory::Directory;
use super::{Database, Databases, Store};

impl Store {
    /// Whoever names a key means this database from here on. A compare where it is the same, else O(1).
    #[inline]
    pub fn select(&mut self, database: Database) {
        if self.databases.selected != database {
            self.change_to(database);
        }
    }

    /// The database that who names a key means.
    #[inline]
    pub fn selected(&self) -> Database {
        self.databases.selected
    }

    #[cold]
    fn change_to(&mut self, database: Database) {
        let Store { directory, databases: Databases { selected, parked, .. }, .. } = self;
        let mut there = parked[database.number()].take().unwrap_or_default();
        std::mem::swap(directory, &mut there);
        parked[selected.number()] = Some(there);
        *selected = database;
    }

    /// Keys of the database that have a value, those included that expired and were not turned yet. O(databases).
    pub fn keys_in(&self, database: Database) -> usize {
        let keys =
            if database.is_zero() { self.keys - self.databases.keys() } else { self.databases.keys_in(database) };
        keys.saturating_sub(self.floor.doomed_in(database))
    }

    /// Keys of the database that expire.
    pub fn expiring_in(&self, database: Database) -> usize {
        self.expiries.len_of(database)
    }

    /// Whether any database but 0 holds a key, or remembers a deletion of one: its flush alone does not count.
    pub fn holds_other_databases(&self) -> bool {
        let floors = self.floor.floors().iter().filter(|(database, _)| !database.is_zero()).count();
        self.databases.entries() > floors
    }

    /// The directory of a database; `None` where that was never used.
    pub(super) fn directory_of(&self, database: Database) -> Option<&Directory> {
        if database == self.databases.selected {
            Some(&self.directory)
        } else {
            self.databases.parked[database.number()].as_deref()
        }
    }

    /// The directory of a database.
    pub(super) fn directory_of_mut(&mut self, database: Database) -> &mut Directory {
        let Store { directory, databases: Databases { selected, parked, .. }, .. } = self;
        if database == *selected { directory } else { parked[database.number()].get_or_insert_default() }
    }
}
