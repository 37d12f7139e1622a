//! Keys whose time has come, and when the next one's does; keys that were flushed.

use super::{Core, Node, Now};

/// Keys turned into deletions in one step, and changes looked at for flushed keys: some 50 us of work where nothing of
/// them is cached, and 500 us where each is the last in its piece of memory, which goes back to the system.
pub(super) const STEP: usize = 32;
/// Changes looked at for flushed keys, whatever the time, for each change that is made meanwhile: who flushes again and
/// again is not faster than the sweep.
const SWEPT_PER_CHANGE: u64 = 2;
/// Of those so many in a tick, and a share of those that are more: one request may change very many keys.
const SWEPT_PER_TICK: u64 = 1 << 10;
const SWEPT_SHARE: u64 = 16;

impl Node {
    /// A tick begins, and it is that time: what has expired is hidden from here on. Followed by [`Node::clear_out`].
    pub fn begin_tick(&mut self, now: Now) {
        self.time_tick(now);
        let Core { store, ticked, ticked_position, sweep_owed, may_hide, may_be_over_limit, .. } = &mut self.core;
        *ticked = now;
        let changes = store.last_position() - std::mem::replace(ticked_position, store.last_position());
        store.pass_to(now.unix_ms);
        (*may_hide, *may_be_over_limit) = (store.has_expired(), store.is_over_limit());
        *sweep_owed = if store.is_sweeping() { *sweep_owed + SWEPT_PER_CHANGE * changes } else { 0 };
        let looks = (*sweep_owed).min(SWEPT_PER_TICK + *sweep_owed / SWEPT_SHARE);
        if store.can_sweep() {
            *sweep_owed -= looks;
            store.sweep(looks as usize);
        }
    }

    /// Turns some keys that have expired into deletions and frees some that were flushed. Returns whether there are
    /// more: to be called again as long as the tick has time.
    pub fn clear_out(&mut self) -> bool {
        self.core.store.sweep(STEP);
        let mut told = Vec::new();
        if self.core.can_expire() {
            let Core { store, metrics, pubsub, ticked_position, .. } = &mut self.core;
            let (is_told, before) = (!pubsub.is_empty(), store.last_position());
            metrics.keys_expired += store.expire(STEP, |key| {
                if is_told {
                    told.push(key.to_vec());
                }
            }) as u64;
            // Nobody has asked for these changes.
            *ticked_position += store.last_position() - before;
        }
        told.iter().for_each(|key| self.notify('x', "expired", key));
        self.core.store.can_sweep() || self.core.can_expire()
    }

    /// When the next tick is to begin for keys that expire, in monotonic microseconds.
    pub(super) fn expiry_us(&self) -> u64 {
        let Core { store, ticked, .. } = &self.core;
        if store.can_sweep() || self.core.can_expire() {
            return 0;
        }
        if store.has_expired() {
            return u64::MAX;
        }
        let left_ms = store.next_expiry().saturating_sub(ticked.unix_ms);
        ticked.monotonic_us.saturating_add(left_ms.saturating_mul(1_000))
    }
}

impl Core {
    /// Whether a key has expired and may be turned into a deletion.
    fn can_expire(&self) -> bool {
        // What a snapshot still wants as it is would be put aside; where that is full, hidden keys can wait as well.
        self.store.has_expired() && self.expires_actively && !self.saver.holds_writers(&self.store)
    }
}
