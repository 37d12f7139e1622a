//! Writes without a conversation: what a client's request would do, for whoever has the node at hand.

use super::{Core, Node, Now};

impl Node {
    /// Deletes all keys, as a client's request would, and returns the change's position; `None` where writers have to wait.
    pub fn flush(&mut self, now: Now) -> Option<u64> {
        let Core { store, saver, clock, .. } = &mut self.core;
        if saver.holds_writers(store) || clock.is_spent() {
            return None;
        }
        Some(store.flush(clock.issue(now.unix_ms)))
    }

    /// Gives the key a value until then, as a client's request would, and returns the change's position; `None` where
    /// writers have to wait or there is no room.
    pub fn set_expiring(&mut self, key: &[u8], value: &[u8], expiry_ms: u64, now: Now) -> Option<u64> {
        let Core { store, saver, clock, .. } = &mut self.core;
        if saver.holds_writers(store) || clock.is_spent() {
            return None;
        }
        store.set_expiring(key, value, expiry_ms, clock.issue(now.unix_ms)).ok()
    }

    /// Gives all keys the value in one step, as one request of a client would; `None` where writers have to wait.
    pub fn set_together(&mut self, keys: &[&[u8]], value: &[u8], now: Now) -> Option<u64> {
        let Core { store, saver, clock, .. } = &mut self.core;
        if saver.holds_writers(store) || clock.is_spent() {
            return None;
        }
        let first = store.last_position() + 1;
        for key in keys {
            store.set(key, value, clock.issue(now.unix_ms)).ok()?;
        }
        store.together(first, store.last_position());
        Some(store.last_position())
    }
}
