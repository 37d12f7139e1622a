//! What a request has written that may still come to nothing: nobody else sees it, here or on another node.
//!
//! Its own reads see it first, and it is told of nothing that it told others. In the end all of it is
//! [applied](super::keyspace::Keyspace::apply_view) at once, or dropped. Time stands still for as long.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::replication::Audience;
use crate::store::{Database, Form};

/// What a change costs beside key and value, for who bounds them: its place here.
const CHANGE_BYTES: usize = 128;

/// See the module.
pub(super) struct View {
    /// The keys that are written, each with its value; `None`: it is deleted.
    changes: BTreeMap<(Database, Vec<u8>), Option<Seen>>,
    /// The databases of which all other keys are deleted.
    flushed: BTreeSet<Database>,
    told: Vec<Told>,
    bytes: usize,
    unix_ms: u64,
}

/// A key's value, when it goes, and how it came about.
pub(super) struct Seen {
    pub(super) value: Bytes,
    pub(super) expiry: Option<u64>,
    pub(super) form: Form,
}

/// What others are to be told.
pub(super) enum Told {
    /// A change of a key, by its class and name.
    Event(char, String, Database, Vec<u8>),
    /// A message to a channel.
    Message(Audience, Vec<u8>, Vec<u8>),
}

/// All that a view had.
pub(super) struct Written {
    pub(super) changes: BTreeMap<(Database, Vec<u8>), Option<Seen>>,
    pub(super) flushed: BTreeSet<Database>,
}

impl View {
    /// Nothing is written. It is that time.
    pub(super) fn new(unix_ms: u64) -> View {
        View { changes: BTreeMap::new(), flushed: BTreeSet::new(), told: Vec::new(), bytes: 0, unix_ms }
    }

    /// Gives the key a value.
    pub(super) fn set(&mut self, database: Database, key: &[u8], seen: Seen) {
        self.bytes += CHANGE_BYTES + key.len() + seen.value.len();
        self.changes.insert((database, key.to_vec()), Some(seen));
    }

    /// The value that the key was just given came about so.
    pub(super) fn note_form(&mut self, database: Database, key: &[u8], form: Form) {
        if let Some(Some(seen)) = self.changes.get_mut(&(database, key.to_vec())) {
            seen.form = form;
        }
    }

    /// Forgets the key.
    pub(super) fn delete(&mut self, database: Database, key: &[u8]) {
        self.bytes += CHANGE_BYTES + key.len();
        self.changes.insert((database, key.to_vec()), None);
    }

    /// Forgets all keys of the database.
    pub(super) fn flush(&mut self, database: Database) {
        self.changes.retain(|(of, _), _| *of != database);
        self.flushed.insert(database);
    }

    /// Others are to be told.
    pub(super) fn tell(&mut self, told: Told) {
        self.bytes += match &told {
            Told::Event(_, event, _, key) => CHANGE_BYTES + event.len() + key.len(),
            Told::Message(_, channel, message) => CHANGE_BYTES + channel.len() + message.len(),
        };
        self.told.push(told);
    }

    /// What others are to be told.
    pub(super) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// All that was written.
    pub(super) fn into_written(self) -> Written {
        Written { changes: self.changes, flushed: self.flushed }
    }

    /// What is written of the key: `None`: nothing; `Some(None)`: it has no value.
    pub(super) fn find(&self, database: Database, key: &[u8]) -> Option<Option<&Seen>> {
        // Most scripts read before they write: a key is not copied to be looked for where there is none.
        let written = if self.changes.is_empty() { None } else { self.changes.get(&(database, key.to_vec())) };
        match written {
            Some(seen) => Some(seen.as_ref().filter(|seen| seen.expiry.is_none_or(|at| at > self.unix_ms))),
            None => self.flushed.contains(&database).then_some(None),
        }
    }

    /// The keys of the database that are written and have a value.
    pub(super) fn keys(&self, database: Database) -> impl Iterator<Item = &[u8]> {
        self.written(database).filter(move |key| matches!(self.find(database, key), Some(Some(_))))
    }

    /// The keys of the database that are written.
    pub(super) fn written(&self, database: Database) -> impl Iterator<Item = &[u8]> {
        self.changes.keys().filter(move |(of, _)| *of == database).map(|(_, key)| &key[..])
    }

    /// Whether all keys of the database were deleted that are not written since.
    pub(super) fn is_flushed(&self, database: Database) -> bool {
        self.flushed.contains(&database)
    }

    /// Bytes of all that was written and told, what was overwritten counted too.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many keys are written, and how many times others are told.
    pub(super) fn len(&self) -> usize {
        self.changes.len() + self.told.len()
    }
}
