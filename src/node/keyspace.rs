//! The keys as commands about data have them: what they are, what may be changed, and what a request may cost.

use super::Now;
use super::view::{Seen, View};
use super::waiting::Copies;
use crate::replica::Replica;
use crate::store::{Database, Form, Store, Value};

/// See the module.
pub(super) struct Keyspace {
    replica: Replica,
    /// The last position at the start.
    started_position: u64,
    value_bytes_max: usize,
    /// Whether keys may have expired that are not turned into deletions, and whether more memory may be in use than is
    /// allowed: as of the beginning of the tick, or later.
    pub(super) may_hide: bool,
    pub(super) may_be_over_limit: bool,
    random: fastrand::Rng,
    /// What the request under way has written that nobody else sees; `None`: whatever is written is seen at once.
    view: Option<Box<View>>,
}

impl Keyspace {
    /// The keys of a replica. `seed` decides about random keys.
    pub(super) fn new(replica: Replica, value_bytes_max: usize, seed: u64) -> Keyspace {
        Keyspace {
            started_position: replica.store().last_position(),
            replica,
            value_bytes_max,
            may_hide: false,
            may_be_over_limit: false,
            random: fastrand::Rng::with_seed(seed),
            view: None,
        }
    }

    /// What every key is, but for what is written in a [view](View).
    #[inline]
    pub(super) fn store(&self) -> &Store {
        self.replica.store()
    }

    /// What is behind the keys.
    #[inline]
    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// What is behind the keys, to be changed.
    #[inline]
    pub(super) fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Whoever names a key means this database from here on.
    #[inline]
    pub(super) fn select(&mut self, database: Database) {
        self.replica.select(database);
    }

    /// The database that who names a key means.
    #[inline]
    pub(super) fn selected(&self) -> Database {
        self.store().selected()
    }

    /// Longest value.
    pub(super) fn value_bytes_max(&self) -> usize {
        self.value_bytes_max
    }

    /// A tick begins, and it is that time.
    pub(super) fn begin_tick(&mut self, now: Now) {
        self.replica.begin_tick(now);
        (self.may_hide, self.may_be_over_limit) = (self.store().has_expired(), self.store().is_over_limit());
    }

    /// Memory that all entries may have, in bytes; 0: no limit.
    pub(super) fn limit_bytes(&mut self, bytes_max: usize) {
        self.replica.limit_bytes(bytes_max);
        self.may_be_over_limit = true;
    }

    /// Changes applied since the start. Positions are far above what a client's 53 bits can hold.
    pub(super) fn changes(&self) -> u64 {
        self.store().last_position() - self.started_position
    }

    /// The key's value.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match &self.view {
            None => self.store().get(key),
            Some(view) => self.seen_in(view, key).map(Value::bytes),
        }
    }

    /// The key's value with the memory it lies in.
    #[inline]
    pub(super) fn value(&self, key: &[u8]) -> Option<Value<'_>> {
        match &self.view {
            None => self.store().value(key),
            Some(view) => self.seen_in(view, key),
        }
    }

    #[cold]
    fn seen_in<'a>(&'a self, view: &'a View, key: &[u8]) -> Option<Value<'a>> {
        match view.find(self.selected(), key) {
            None => self.store().value(key),
            Some(seen) => seen.map(|seen| Value::from(&seen.value)),
        }
    }

    /// When the key expires, in unix milliseconds.
    pub(super) fn expiry(&self, key: &[u8]) -> Option<u64> {
        match self.written(key) {
            None => self.store().expiry(key),
            Some(seen) => seen.and_then(|seen| seen.expiry),
        }
    }

    /// How the key's value came about.
    pub(super) fn form(&self, key: &[u8]) -> Form {
        match self.written(key) {
            None => self.store().form(key),
            Some(seen) => seen.map_or(Form::Whole, |seen| seen.form),
        }
    }

    /// What is written of the key in the view, if there is one.
    fn written(&self, key: &[u8]) -> Option<Option<&Seen>> {
        self.view.as_ref().and_then(|view| view.find(self.selected(), key))
    }

    /// Whether the limit on memory allows all these keys values of so many bytes, which expire or do not.
    pub(super) fn has_room<'a>(&self, values: impl Iterator<Item = (&'a [u8], usize, bool)> + Clone) -> bool {
        match &self.view {
            None => self.store().has_room(values),
            // What is written already has to find room beside.
            Some(view) => self.store().has_room(values.chain(std::iter::once((&b""[..], view.bytes(), false)))),
        }
    }

    /// How many keys of the selected database have a value.
    pub(super) fn count(&self) -> usize {
        let database = self.selected();
        let stored = self.store().keys_in(database);
        let Some(view) = &self.view else { return stored };
        let is_flushed = view.is_flushed(database);
        let before = if is_flushed { 0 } else { stored };
        let replaced = view.written(database).filter(|key| !is_flushed && self.store().get(key).is_some()).count();
        before - replaced + view.keys(database).count()
    }

    /// Any key of the selected database.
    pub(super) fn random_key(&mut self) -> Option<&[u8]> {
        let chance = self.random.u64(..);
        match &self.view {
            None => self.replica.store().random_key(chance),
            Some(view) => {
                let stored = (0..8).filter_map(|turn| self.replica.store().random_key(chance.rotate_left(8 * turn)));
                let mut still_there = stored.filter(|key| self.is_as_stored(key));
                still_there.next().or_else(|| view.keys(self.selected()).next())
            }
        }
    }

    /// Whether nothing is written of the key in the view, if there is one.
    #[inline]
    pub(super) fn is_as_stored(&self, key: &[u8]) -> bool {
        self.view.as_ref().is_none_or(|view| view.find(self.selected(), key).is_none())
    }

    /// What is written from here on is seen by this request alone, until it is [applied](Keyspace::apply_view) or
    /// [dropped](Keyspace::take_view).
    pub(super) fn begin_view(&mut self, now: Now) {
        self.view = Some(Box::new(View::new(now.unix_ms)));
    }

    /// What the request under way has written that nobody else sees.
    #[inline]
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// The same, to write more.
    #[inline]
    pub(super) fn view_mut(&mut self) -> Option<&mut View> {
        self.view.as_deref_mut()
    }

    /// Everybody sees from here on what is written, and nobody what was written in the view.
    pub(super) fn take_view(&mut self) -> Option<Box<View>> {
        self.view.take()
    }

    /// All that was written in a view is written.
    pub(super) fn apply_view(&mut self, view: View, now: Now) {
        let written = view.into_changes();
        let own = self.selected();
        for (&database, _) in written.iter().filter(|(_, changes)| changes.is_flushed) {
            self.replica.select(database);
            self.replica.flush(now);
        }
        for (database, changes) in written {
            self.replica.select(database);
            for (key, seen) in changes.keys {
                match seen {
                    // There was room when it was written in the view, and nothing has come between.
                    Some(seen) => {
                        let is_written = self.replica.set_moved(&key, &seen.value, seen.expiry, now).is_ok();
                        debug_assert!(is_written, "keys that are reserved, or too many, were refused");
                        self.replica.note_form(&key, seen.form);
                    }
                    None => drop(self.replica.delete(&key, now)),
                }
            }
        }
        self.replica.select(own);
    }

    /// Who has all of this node's writes up to the position on disk.
    pub(super) fn copies(&self, position: u64) -> Copies {
        Copies {
            here: self.replica.snapshotter().durable() >= position,
            peers: self.replica.replication().count_durable(position),
        }
    }
}
