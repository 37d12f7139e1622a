//! How keys are changed: with a stamp and within the limits; by commands, and by whoever has the node at hand.

use bytes::Bytes;

use super::commands::Context;
use super::commands::fail::Fail;
use super::{Core, Node, Now};
use crate::protocol::Refusal;
use crate::store::value::SHARED_BYTES_MIN;
use crate::store::{Form, KEY_BYTES_MAX, Value};

impl Context<'_> {
    /// Gives the key a value, and an expiry in unix milliseconds or none.
    pub(super) fn put<'v>(&mut self, key: &[u8], value: impl Into<Value<'v>>, expiry: Option<u64>) -> Result<(), Fail> {
        let value = value.into();
        self.check(key, &value)?;
        let is_news = self.is_news(key);
        let core = &mut *self.core;
        let stamp = core.clock.issue(self.now.unix_ms);
        let done = match expiry {
            None => core.store.set(key, value, stamp),
            Some(expiry) => core.store.set_expiring(key, value, expiry, stamp),
        };
        done.map_err(|_| Refusal::OutOfMemory)?;
        if is_news {
            self.notify('n', "new", key);
        }
        Ok(())
    }

    /// Gives the key the value that a key has already, as it came about there. As with Redis it takes no memory to speak
    /// of, so the limit on it does not hold.
    pub(super) fn put_moved(&mut self, key: &[u8], value: &Bytes, form: Form, expiry: Option<u64>) -> Result<(), Fail> {
        self.check(key, value)?;
        let is_news = self.is_news(key);
        let core = &mut *self.core;
        let stamp = core.clock.issue(self.now.unix_ms);
        core.store.set_moved(key, value.into(), expiry, stamp).map_err(|_| Refusal::OutOfMemory)?;
        self.note_form(key, form);
        if is_news {
            self.notify('n', "new", key);
        }
        Ok(())
    }

    /// Gives the key another expiry; its value stays as it came about.
    pub(super) fn put_expiry(&mut self, key: &[u8], value: &Bytes, expiry: Option<u64>) -> Result<(), Fail> {
        self.put_moved(key, value, self.core.store.form(key), expiry)
    }

    /// The value that the key was just given came about so.
    pub(super) fn note_form(&mut self, key: &[u8], form: Form) {
        if form != Form::Whole {
            self.core.store.set_form(key, form);
        }
    }

    /// Gives the key a value that came with the request: a large one stays where it lies.
    pub(super) fn put_arg(&mut self, key: &[u8], value: &[u8], expiry: Option<u64>) -> Result<(), Fail> {
        let whole = self.core.whole.take();
        let within = whole.as_ref().filter(|whole| whole.as_ptr_range().contains(&value.as_ptr()));
        let done = self.put(key, Value::new(value, within), expiry);
        self.core.whole = whole;
        done
    }

    /// Gives the key a value that was made for it.
    pub(super) fn put_built(&mut self, key: &[u8], value: Vec<u8>, expiry: Option<u64>) -> Result<(), Fail> {
        if value.len() < SHARED_BYTES_MIN {
            self.put(key, &value, expiry)
        } else {
            let value = self.core.store.own(value);
            self.put(key, &value, expiry)
        }
    }

    /// Forgets the key. Returns whether it had a value.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let core = &mut *self.core;
        let stamp = core.clock.issue(self.now.unix_ms);
        core.store.delete(key, stamp).is_some()
    }

    /// Whether the limits allow key and value.
    pub(super) fn check(&self, key: &[u8], value: &[u8]) -> Result<(), Fail> {
        let value_bytes_max = self.core.options.value_bytes_max;
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
    /// Deletes all keys, as a client's request would, and returns the change's position; `None` where writers have to
    /// wait.
    pub fn flush(&mut self, now: Now) -> Option<u64> {
        let Core { store, clock, .. } = self.writable()?;
        Some(store.flush(clock.issue(now.unix_ms)))
    }

    /// Gives the key a value until then, as a client's request would, and returns the change's position; `None` where
    /// writers have to wait or there is no room.
    pub fn set_expiring(&mut self, key: &[u8], value: &[u8], expiry_ms: u64, now: Now) -> Option<u64> {
        let Core { store, clock, .. } = self.writable()?;
        store.set_expiring(key, value, expiry_ms, clock.issue(now.unix_ms)).ok()
    }

    /// Gives all keys the value in one step, as one request of a client would; `None` where writers have to wait.
    pub fn set_together(&mut self, keys: &[&[u8]], value: &[u8], now: Now) -> Option<u64> {
        let Core { store, clock, .. } = self.writable()?;
        let first = store.last_position() + 1;
        for key in keys {
            store.set(key, value, clock.issue(now.unix_ms)).ok()?;
        }
        store.together(first, store.last_position());
        Some(store.last_position())
    }

    /// `None` while writers have to wait.
    fn writable(&mut self) -> Option<&mut Core> {
        let Core { store, saver, clock, .. } = &self.core;
        let waits = saver.holds_writers(store) || clock.is_spent();
        (!waits).then_some(&mut self.core)
    }
}
