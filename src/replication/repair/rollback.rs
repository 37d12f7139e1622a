//! What a node does that finds out, from a peer, that its data file was wiped or is an old copy (*rollback recovery*).
//!
//! What it has written since its start then has stamps among those of an earlier incarnation, perhaps the very same
//! ones. So it writes all of that again, with stamps beyond; only then it links, and gets back what the file had
//! forgotten. A file that has never met another node is all written since the start of a node: its incarnations before
//! this one were alone, and nobody has anything of them.

use crate::fault_injection;
use crate::store::{Clock, NodeId, Now, Store};

/// Changes looked at in one tick.
const LOOKS: usize = 1 << 10;
/// Bytes of values written again in one tick, but for the last.
const BYTES: usize = 1 << 18;

/// See the module.
pub(in crate::replication) struct RollbackRecovery {
    /// The position before the first of this incarnation.
    born: u64,
    /// Whether a peer can have seen a stamp of this incarnation.
    has_linked: bool,
    under_way: Option<UnderWay>,
}

/// Changes after `at` and up to `up_to` have yet to be looked at; those with clock values above `after_clock` and up to
/// `last_clock` are to be written again.
struct UnderWay {
    at: u64,
    up_to: u64,
    after_clock: u64,
    last_clock: u64,
}

impl RollbackRecovery {
    /// Of a node whose list ended at `born` when it began.
    pub(in crate::replication) fn new(born: u64) -> RollbackRecovery {
        RollbackRecovery { born, has_linked: false, under_way: None }
    }

    /// There is a link: what this node issues may be seen from here on.
    pub(in crate::replication) fn note_link(&mut self) {
        self.has_linked = true;
    }

    /// A peer has `seen` a stamp of this node that proves it. Returns the clock value before the first that is to be
    /// written again: those above it are not had by anybody any more. `has_met_any` says whether the data file was ever
    /// that of a node with a link; `chance` is this incarnation's own.
    pub(in crate::replication) fn begin(
        &mut self,
        seen: u64,
        has_met_any: bool,
        chance: u64,
        clock: &mut Clock,
        store: &Store,
        now: Now,
    ) -> u64 {
        let (mut after_clock, last_clock) = clock.begin_anew(seen, now.unix_ms, chance);
        let mut at = self.born;
        if !has_met_any {
            (after_clock, at) = (0, 0);
        }
        self.under_way = Some(UnderWay { at, up_to: store.last_position(), after_clock, last_clock });
        after_clock
    }

    /// Writes a bounded part again.
    pub(in crate::replication) fn go_on(&mut self, own: NodeId, clock: &mut Clock, store: &mut Store, now: Now) {
        let Some(under_way) = &mut self.under_way else { return };
        let UnderWay { at, up_to, after_clock, last_clock } = under_way;
        let mut again = Vec::new();
        let mut bytes = 0;
        let mut is_done = true;
        for (looks, change) in store.changes_after(*at).enumerate() {
            if change.position > *up_to {
                break;
            }
            if looks == LOOKS || bytes >= BYTES {
                is_done = false;
                break;
            }
            *at = change.position;
            // A flush with a later stamp would delete what was written after it.
            if store.is_flushed(&change) || change.is_floor() {
                continue;
            }
            if change.stamp.node == own && *after_clock < change.stamp.clock && change.stamp.clock <= *last_clock {
                again.push((change.slot, change.position));
                bytes += change.value.map_or(0, <[u8]>::len);
            }
        }
        for (slot, position) in again {
            if clock.is_spent() {
                // The data file has to take a higher ceiling first.
                *at = position - 1;
                return;
            }
            if !fault_injection::is("own writes keep their stamps after a rollback") {
                store.restamp(slot, clock.issue(now.unix_ms));
            }
        }
        if is_done {
            self.under_way = None;
        }
    }

    /// Whether a stamp of this node that somebody has seen is one that the data file does not know.
    pub(in crate::replication) fn is_proven_by(&self, seen: u64, clock: &Clock) -> bool {
        if self.has_linked { clock.is_rewound(seen) } else { clock.is_rewound_at_first(seen) }
    }

    /// Whether writes are still to be written again; until then there is no link.
    pub(in crate::replication) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}
