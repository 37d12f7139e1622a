//! The databases of a store beside the selected one, and what each holds.

use super::database::{DATABASES_MAX, Database};
use super::directory::Directory;
use super::entry::Entry;

/// What one database holds, that of database 0 left out: it is what the others do not hold.
#[derive(Clone, Copy, Default)]
struct Held {
    keys: usize,
    tombstones: usize,
}

/// See the module.
#[derive(Default)]
pub(super) struct Databases {
    pub(super) selected: Database,
    /// The directories of those that were ever used, but for the selected one.
    pub(super) parked: [Option<Box<Directory>>; DATABASES_MAX],
    held: [Held; DATABASES_MAX],
}

impl Databases {
    /// An entry of a database other than 0 has come or gone.
    pub(super) fn count(&mut self, entry: &Entry, by: isize) {
        let database = entry.database();
        if !database.is_zero() {
            let held = &mut self.held[database.number()];
            let count = if entry.is_tombstone() { &mut held.tombstones } else { &mut held.keys };
            *count = count.wrapping_add_signed(by);
        }
    }

    /// An entry of a database other than 0 has become a deletion, or was one.
    pub(super) fn turn(&mut self, entry: &Entry) {
        let database = entry.database();
        if !database.is_zero() {
            let held = &mut self.held[database.number()];
            let (more, less) = match entry.is_tombstone() {
                true => (&mut held.tombstones, &mut held.keys),
                false => (&mut held.keys, &mut held.tombstones),
            };
            (*more, *less) = (*more + 1, *less - 1);
        }
    }

    /// Keys of the database, which is not 0.
    pub(super) fn keys_in(&self, database: Database) -> usize {
        self.held[database.number()].keys
    }

    /// Keys of all but 0.
    pub(super) fn keys(&self) -> usize {
        self.held.iter().map(|held| held.keys).sum()
    }

    /// Keys and deletions of all but 0.
    pub(super) fn entries(&self) -> usize {
        self.held.iter().map(|held| held.keys + held.tombstones).sum()
    }
}
