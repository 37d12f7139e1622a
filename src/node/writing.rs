//! How commands change keys: with a stamp, within the limits, and with word to whoever listens.

use super::commands::Context;
use super::commands::fail::Fail;
use crate::protocol::Refusal;
use crate::store::KEY_BYTES_MAX;

impl Context<'_> {
    /// Gives the key a value, and an expiry in unix milliseconds or none.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], expiry: Option<u64>) -> Result<(), Fail> {
        self.check(key, value)?;
        let core = &mut *self.core;
        let stamp = core.clock.issue(self.now.unix_ms);
        let done = match expiry {
            None => core.store.set(key, value, stamp),
            Some(expiry) => core.store.set_expiring(key, value, expiry, stamp),
        };
        done.map(drop).map_err(|_| Refusal::OutOfMemory.into())
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
