//! What time does to keys: those whose time has come, when the next one's does, and those that were flushed.

use super::Replica;
use crate::store::{Database, Now};

/// Keys turned into deletions in one step, and changes looked at for flushed keys: some 50 us of work where nothing of
/// them is cached, and 500 us where each is the last in its piece of memory, which goes back to the system.
const STEP: usize = 32;

impl Replica {
    /// A tick begins, and it is that time: what has expired is hidden from here on. Followed by
    /// [`Replica::clear_out`].
    pub fn begin_tick(&mut self, now: Now) {
        self.ticked = now;
        let looks = self.sweep.looks(&self.store);
        self.store.pass_to(now.unix_ms);
        if looks > 0 {
            self.store.sweep(looks);
        }
    }

    /// Turns some keys that have expired into deletions, each of which is told, and frees some that were flushed.
    /// Returns how many expired: to be called again while there [is more](Replica::can_clear_out).
    pub fn clear_out(&mut self, expired: impl FnMut(Database, &[u8])) -> usize {
        self.store.sweep(STEP);
        if !self.can_expire() {
            return 0;
        }
        let before = self.store.last_position();
        let count = self.store.expire(STEP, expired);
        // Nobody has asked for these changes.
        self.sweep.pass(self.store.last_position() - before);
        count
    }

    /// Whether [`Replica::clear_out`] has something to do.
    pub fn can_clear_out(&self) -> bool {
        self.store.can_sweep() || self.can_expire()
    }

    /// Turns those of the keys into deletions that have expired, each of which is told; of all keys, in whichever
    /// database, some where `all`.
    pub fn expire<'k>(
        &mut self,
        all: bool,
        keys: impl Iterator<Item = &'k [u8]>,
        mut expired: impl FnMut(Database, &[u8]),
    ) {
        if self.holds_writers() || !self.store.has_expired() {
            return;
        }
        if all {
            self.store.expire(STEP, &mut expired);
        }
        let selected = self.store.selected();
        keys.filter(|key| self.store.expire_key(key)).for_each(|key| expired(selected, key));
    }

    /// Whether keys are turned into deletions when their time has come, and not only hidden.
    pub fn expire_actively(&mut self, actively: bool) {
        self.expires_actively = actively;
    }

    /// When the next tick is to begin for keys that expire, in monotonic microseconds.
    pub(super) fn expiry_us(&self) -> u64 {
        if self.can_clear_out() {
            return 0;
        }
        if self.store.has_expired() {
            return u64::MAX;
        }
        let left_ms = self.store.next_expiry().saturating_sub(self.ticked.unix_ms);
        self.ticked.monotonic_us.saturating_add(left_ms.saturating_mul(1_000))
    }

    /// Whether a key has expired and may be turned into a deletion.
    fn can_expire(&self) -> bool {
        // What a snapshot still wants as it is would be put aside; where that is full, hidden keys can wait as well.
        self.store.has_expired() && self.expires_actively && !self.holds_writers()
    }
}
