//! Keys whose time has come, and when the next one's does; keys that were flushed.

use super::{Core, Node, Now};

/// Changes looked at for flushed keys in one tick: some 0.1 ms of work, and so much memory goes back to the system at
/// once.
const SWEPT_PER_TICK: usize = 250;
/// ... or so many for each change since the tick before: who flushes again and again is not faster than the sweep.
const SWEPT_PER_CHANGE: u64 = 2;
/// Keys turned into deletions in one tick: some 0.3 ms of work where nothing of them is cached.
const EXPIRED_PER_TICK: usize = 250;

impl Node {
    /// A tick begins, and it is that time: what has expired is hidden from here on, and a bounded number of such keys
    /// is turned into deletions.
    pub fn begin_tick(&mut self, now: Now) {
        self.time_tick(now);
        let Core { store, saver, metrics, ticked, ticked_position, pubsub, expires_actively, .. } = &mut self.core;
        *ticked = now;
        let changes = store.last_position() - std::mem::replace(ticked_position, store.last_position());
        store.pass_to(now.unix_ms);
        // What a snapshot still wants as it is would be put aside; where that is full, hidden keys can wait as well.
        let (is_told, mut told) = (!pubsub.is_empty(), Vec::new());
        if store.has_expired() && *expires_actively && !saver.holds_writers(store) {
            metrics.keys_expired += store.expire(EXPIRED_PER_TICK, |key| {
                if is_told {
                    told.push(key.to_vec());
                }
            }) as u64;
        }
        store.sweep(SWEPT_PER_TICK.max((SWEPT_PER_CHANGE * changes) as usize));
        told.iter().for_each(|key| self.notify('x', "expired", key));
    }

    /// When the next tick is to begin for keys that expire, in monotonic microseconds.
    pub(super) fn expiry_us(&self) -> u64 {
        let Core { store, saver, ticked, .. } = &self.core;
        if store.can_sweep() {
            return 0;
        }
        match store.next_expiry() {
            u64::MAX => u64::MAX,
            _ if store.has_expired() && (saver.holds_writers(store) || !self.core.expires_actively) => u64::MAX,
            next_ms => {
                let left_ms = next_ms.saturating_sub(ticked.unix_ms);
                if store.has_expired() { 0 } else { ticked.monotonic_us.saturating_add(left_ms.saturating_mul(1_000)) }
            }
        }
    }
}
