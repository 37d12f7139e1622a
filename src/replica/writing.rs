//! How keys are changed: each change gets a stamp and a position.

use bytes::Bytes;

use super::Replica;
use crate::store::{Database, Form, Now, OutOfMemory, Stamp, Value};

/// Whether changes can be made at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// They can.
    Go,
    /// Once the data file has taken what would be overwritten, or recorded a higher ceiling for the clock.
    Wait,
    /// Not while the disk fails.
    Fail,
}

impl Replica {
    /// Whether changes can be made.
    #[inline]
    pub fn writers(&self) -> Writers {
        let (is_failing, is_spent) = (self.snapshotter.is_failing(), self.clock.is_spent());
        if self.holds_writers() || (is_spent && !is_failing) {
            Writers::Wait
        } else if is_failing && (is_spent || self.snapshotter.holds_answers()) {
            Writers::Fail
        } else {
            Writers::Go
        }
    }

    /// Gives the key a value, and an expiry in unix milliseconds or none.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: Value<'_>, expiry: Option<u64>, now: Now) -> Result<(), OutOfMemory> {
        let stamp = self.clock.issue(now.unix_ms);
        match expiry {
            None => self.store.set(key, value, stamp)?,
            Some(expiry) => self.store.set_expiring(key, value, expiry, stamp)?,
        };
        Ok(())
    }

    /// Gives the key a value that is in memory already: the limit on it does not hold.
    pub fn set_moved(&mut self, key: &[u8], value: &Bytes, expiry: Option<u64>, now: Now) -> Result<(), OutOfMemory> {
        let stamp = self.clock.issue(now.unix_ms);
        self.store.set_moved(key, value.into(), expiry, stamp)?;
        Ok(())
    }

    /// The value that the key was just given came about so.
    pub fn note_form(&mut self, key: &[u8], form: Form) {
        if form != Form::Whole {
            self.store.set_form(key, form);
        }
    }

    /// Forgets the key. Returns whether it had a value.
    pub fn delete(&mut self, key: &[u8], now: Now) -> bool {
        let stamp = self.clock.issue(now.unix_ms);
        self.store.delete(key, stamp).is_some()
    }

    /// The deletion with this stamp was just made, and may be undone: it is remembered for a minute at least, so that its
    /// stamp tells whether somebody has written the key since.
    pub fn keep_deletion(&mut self, stamp: Stamp, now: Now) {
        self.snapshotter.keep_deletion(stamp, now);
    }

    /// Forgets all keys of the selected database.
    pub fn flush(&mut self, now: Now) {
        let stamp = self.clock.issue(now.unix_ms);
        self.store.flush(stamp);
    }

    /// Forgets all keys of all databases, also of those that nobody here has used: another node may have, unheard.
    pub fn flush_all(&mut self, now: Now) {
        let selected = self.store.selected();
        for database in Database::all() {
            self.store.select(database);
            self.flush(now);
        }
        self.store.select(selected);
    }

    /// Whoever names a key means this database from here on.
    #[inline]
    pub fn select(&mut self, database: Database) {
        self.store.select(database);
    }

    /// All changes after the position are one request's: live peers apply them in one step.
    #[inline]
    pub fn group_after(&mut self, position: u64) {
        let last = self.store.last_position();
        if last > position + 1 {
            self.store.group(position + 1, last);
        }
    }

    /// Memory that all entries may have, in bytes; 0: no limit.
    pub fn limit_bytes(&mut self, bytes_max: usize) {
        self.store.limit_bytes(bytes_max);
    }
}
