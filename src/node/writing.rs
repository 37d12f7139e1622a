//! How keys are changed: with a stamp and within the limits; by commands, and by whoever has the node at hand.

use bytes::Bytes;

use super::commands::context::Data;
use super::commands::fail::Fail;
use super::view::Seen;
use super::{Node, Now};
use crate::protocol::Refusal;
use crate::replica::{Replica, Writers};
use crate::store::value::SHARED_BYTES_MIN;
use crate::store::{Database, Form, KEY_BYTES_MAX, OutOfMemory, Value};

impl Data<'_> {
    /// Gives the key a value, and an expiry in unix milliseconds or none.
    pub(super) fn put<'v>(&mut self, key: &[u8], value: impl Into<Value<'v>>, expiry: Option<u64>) -> Result<(), Fail> {
        let value = value.into();
        self.check(key, &value)?;
        let (is_news, now) = (self.is_news(key), self.now);
        if self.keys.view().is_some() {
            self.put_in_view(key, value, expiry, true)?;
        } else {
            self.keys.replica_mut().set(key, value, expiry, now).map_err(|_| Refusal::OutOfMemory)?;
        }
        if is_news {
            self.notify('n', "new", key);
        }
        Ok(())
    }

    /// Gives the key the value that a key has already, as it came about there. As with Redis it takes no memory to
    /// speak of, so the limit on it does not hold.
    pub(super) fn put_moved(&mut self, key: &[u8], value: &Bytes, form: Form, expiry: Option<u64>) -> Result<(), Fail> {
        self.check(key, value)?;
        let (is_news, now) = (self.is_news(key), self.now);
        if self.keys.view().is_some() {
            self.put_in_view(key, value.into(), expiry, false)?;
        } else {
            self.keys.replica_mut().set_moved(key, value, expiry, now).map_err(|_| Refusal::OutOfMemory)?;
        }
        self.note_form(key, form);
        if is_news {
            self.notify('n', "new", key);
        }
        Ok(())
    }

    /// Gives the key another expiry; its value stays as it came about.
    pub(super) fn put_expiry(&mut self, key: &[u8], value: &Bytes, expiry: Option<u64>) -> Result<(), Fail> {
        let form = self.keys.form(key);
        self.put_moved(key, value, form, expiry)
    }

    /// The value that the key was just given came about so.
    pub(super) fn note_form(&mut self, key: &[u8], form: Form) {
        let database = self.keys.selected();
        match self.keys.view_mut() {
            None => self.keys.replica_mut().note_form(key, form),
            Some(view) => view.note_form(database, key, form),
        }
    }

    /// Gives the key a value that nobody else sees yet. `needs_room`: as far as the limit on memory allows it.
    #[cold]
    fn put_in_view(&mut self, key: &[u8], value: Value<'_>, expiry: Option<u64>, needs_room: bool) -> Result<(), Fail> {
        if needs_room && !self.keys.has_room(std::iter::once((key, value.len(), expiry.is_some()))) {
            return Err(Refusal::OutOfMemory.into());
        }
        let database = self.keys.selected();
        if let Some(view) = self.keys.view_mut() {
            view.set(database, key, Seen { value: value.lend(), expiry, form: Form::Whole });
        }
        Ok(())
    }

    /// Gives the key a value that came with the request: a large one stays where it lies.
    pub(super) fn put_arg(&mut self, key: &[u8], value: &[u8], expiry: Option<u64>) -> Result<(), Fail> {
        let whole = self.whole.take();
        let within = whole.as_ref().filter(|whole| whole.as_ptr_range().contains(&value.as_ptr()));
        let done = self.put(key, Value::new(value, within), expiry);
        self.whole = whole;
        done
    }

    /// Gives the key a value that was made for it.
    pub(super) fn put_built(&mut self, key: &[u8], value: Vec<u8>, expiry: Option<u64>) -> Result<(), Fail> {
        if value.len() < SHARED_BYTES_MIN {
            self.put(key, &value, expiry)
        } else {
            let value = self.keys.store().own(value);
            self.put(key, &value, expiry)
        }
    }

    /// Forgets the key. Returns whether it had a value.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let now = self.now;
        if self.keys.view().is_some() {
            return self.remove_in_view(key);
        }
        self.keys.replica_mut().delete(key, now)
    }

    #[cold]
    fn remove_in_view(&mut self, key: &[u8]) -> bool {
        let (database, was_there) = (self.keys.selected(), self.keys.get(key).is_some());
        if let Some(view) = self.keys.view_mut().filter(|_| was_there) {
            view.delete(database, key);
        }
        was_there
    }

    /// Forgets all keys of the selected database.
    pub(super) fn remove_all(&mut self) {
        let (database, now) = (self.keys.selected(), self.now);
        match self.keys.view_mut() {
            None => self.keys.replica_mut().flush(now),
            Some(view) => view.flush(database),
        }
    }

    /// Forgets all keys of all databases.
    pub(super) fn remove_all_of_all(&mut self) {
        let now = self.now;
        match self.keys.view_mut() {
            None => self.keys.replica_mut().flush_all(now),
            Some(view) => Database::all().for_each(|database| view.flush(database)),
        }
    }

    /// Whether the limits allow key and value.
    pub(super) fn check(&self, key: &[u8], value: &[u8]) -> Result<(), Fail> {
        let value_bytes_max = self.keys.value_bytes_max();
        if key.is_empty() {
            return Err(Fail::said("ERR the empty key is reserved"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::KeyTooLong.into());
        }
        if value.len() > value_bytes_max {
            return Err(Refusal::ValueTooLong(value_bytes_max).into());
        }
        Ok(())
    }
}

impl Node {
    /// Deletes all keys of the database, or of all where there is none, as a client's request would, and returns the
    /// change's position; `None` where writers have to wait.
    pub fn flush(&mut self, database: Option<Database>, now: Now) -> Option<u64> {
        self.write(database.unwrap_or_default(), |replica| {
            if database.is_some() {
                replica.flush(now)
            } else {
                replica.flush_all(now)
            }
            Ok(())
        })
    }

    /// Gives the key of the database a value until then, as a client's request would, and returns the change's position;
    /// `None` where writers have to wait or there is no room.
    pub fn set_expiring(
        &mut self,
        database: Database,
        key: &[u8],
        value: &[u8],
        expiry_ms: u64,
        now: Now,
    ) -> Option<u64> {
        self.write(database, |replica| replica.set(key, value.into(), Some(expiry_ms), now))
    }

    /// Gives all keys, each of its database, the value in one step, as one request of a client would; `None` where writers
    /// have to wait.
    pub fn set_group(&mut self, keys: &[(Database, &[u8])], value: &[u8], now: Now) -> Option<u64> {
        self.write(Database::ZERO, |replica| {
            keys.iter().try_for_each(|&(database, key)| {
                replica.select(database);
                replica.set(key, value.into(), None, now)
            })
        })
    }

    /// One request's changes.
    fn write(
        &mut self,
        database: Database,
        change: impl FnOnce(&mut Replica) -> Result<(), OutOfMemory>,
    ) -> Option<u64> {
        let replica = self.keys.replica_mut();
        if replica.writers() != Writers::Go {
            return None;
        }
        replica.select(database);
        let before = replica.store().last_position();
        change(replica).ok()?;
        replica.group_after(before);
        Some(replica.store().last_position())
    }
}
