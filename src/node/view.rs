//! What a request has written that may still come to nothing: nobody else sees it, here or on another node.
//!
//! Its own reads see it first, and it is told of nothing that it told others. In the end all of it is
//! [applied](super::keyspace::Keyspace::apply_view) at once, or dropped. Time stands still for as long.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::replication::Audience;
use crate::store::{Database, Form};

/// What a change costs beside key and value, for who bounds them: its place here.
const CHANGE_BYTES: usize = 128;

/// See the module.
pub(super) struct View {
    changes: BTreeMap<Database, Changes>,
    told: Vec<Told>,
    bytes: usize,
    unix_ms: u64,
}

/// What is written of a database.
#[derive(Default)]
pub(super) struct Changes {
    /// The keys that are written, each with its value; `None`: it is deleted.
    pub(super) keys: BTreeMap<Vec<u8>, Option<Seen>>,
    /// Whether all other keys are deleted.
    pub(super) is_flushed: bool,
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

impl View {
    /// Nothing is written. It is that time.
    pub(super) fn new(unix_ms: u64) -> View {
        View { changes: BTreeMap::new(), told: Vec::new(), bytes: 0, unix_ms }
    }

    /// Gives the key a value.
    pub(super) fn set(&mut self, database: Database, key: &[u8], seen: Seen) {
        self.bytes += CHANGE_BYTES + key.len() + seen.value.len();
        self.changes.entry(database).or_default().keys.insert(key.to_vec(), Some(seen));
    }

    /// The value that the key was just given came about so.
    pub(super) fn note_form(&mut self, database: Database, key: &[u8], form: Form) {
        let written = self.changes.get_mut(&database).and_then(|changes| changes.keys.get_mut(key));
        if let Some(Some(seen)) = written {
            seen.form = form;
        }
    }

    /// Forgets the key.
    pub(super) fn delete(&mut self, database: Database, key: &[u8]) {
        self.bytes += CHANGE_BYTES + key.len();
        self.changes.entry(database).or_default().keys.insert(key.to_vec(), None);
    }

    /// Forgets all keys of the database.
    pub(super) fn flush(&mut self, database: Database) {
        self.changes.insert(database, Changes { keys: BTreeMap::new(), is_flushed: true });
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
    pub(super) fn into_changes(self) -> BTreeMap<Database, Changes> {
        self.changes
    }

    /// What is written of the key: `None`: nothing; `Some(None)`: it has no value.
    pub(super) fn find(&self, database: Database, key: &[u8]) -> Option<Option<&Seen>> {
        let changes = self.changes.get(&database)?;
        match changes.keys.get(key) {
            Some(seen) => Some(seen.as_ref().filter(|seen| seen.expiry.is_none_or(|at| at > self.unix_ms))),
            None => changes.is_flushed.then_some(None),
        }
    }

    /// The keys of the database that are written and have a value.
    pub(super) fn keys(&self, database: Database) -> impl Iterator<Item = &[u8]> {
        self.written(database).filter(move |key| matches!(self.find(database, key), Some(Some(_))))
    }

    /// The keys of the database that are written.
    pub(super) fn written(&self, database: Database) -> impl Iterator<Item = &[u8]> {
        self.changes.get(&database).into_iter().flat_map(|changes| changes.keys.keys()).map(|key| &key[..])
    }

    /// Whether all keys of the database were deleted that are not written since.
    pub(super) fn is_flushed(&self, database: Database) -> bool {
        self.changes.get(&database).is_some_and(|changes| changes.is_flushed)
    }

    /// Bytes of all that was written and told, what was overwritten counted too.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many keys are written, and how many times others are told.
    pub(super) fn len(&self) -> usize {
        self.changes.values().map(|changes| changes.keys.len()).sum::<usize>() + self.told.len()
    }
}
