//! What a node does that finds out, from a peer, that its data file was wiped or is an old copy.
//!
//! What it has written since its start then has stamps among those of an earlier life, perhaps the very same ones. So
//! it writes all of that again, with stamps beyond; only then it links, and gets back what the file had forgotten.
//! A file that has never met another node is all written since the start of a node: its lives before this one were
//! alone, and nobody has anything of them.

use super::{Here, Replication};
use crate::store::NodeId;

/// Changes looked at in one tick.
const LOOKS: usize = 1 << 10;
/// Bytes of values written again in one tick, but for the last.
const BYTES: usize = 1 << 18;

/// See the module. Changes after `at` and up to `up_to` have yet to be looked at, those of the span to be written
/// again.
pub(super) struct Rewinding {
    at: u64,
    up_to: u64,
    span: (u64, u64),
}

impl Replication {
    /// A peer knows more of this node than its data file does.
    pub(super) fn rewind(&mut self, peer: NodeId, seen: u64, life: u64, here: &mut Here<'_>) {
        log::warn!(
            "node {peer} knows writes of this node that its data file does not: it was wiped or is an old copy. What was \
             written since the start is written again, and the rest comes back from the other nodes"
        );
        self.lives.forget(life);
        let mut span = here.clock.begin_anew(seen, here.now.unix_ms);
        let mut at = self.born;
        if !self.has_met_any() {
            (span.0, at) = (0, 0);
        }
        self.vector.cut(self.identity.node, span.0);
        self.purges.claims.cut(self.identity.node, span.0);
        self.rewinding = Some(Rewinding { at, up_to: here.store.last_position(), span });
        for session in 0..self.lines.len() {
            self.drop_line(session, "the data file was wiped or is an old copy: links begin again", here.now);
        }
        self.due_us = 0;
    }

    /// Writes a bounded part again.
    pub(super) fn go_on_rewinding(&mut self, here: &mut Here<'_>) {
        let own = self.identity.node;
        let Some(rewinding) = &mut self.rewinding else { return };
        let mut again = Vec::new();
        let mut bytes = 0;
        let mut is_done = true;
        for (looks, change) in here.store.changes_after(rewinding.at).enumerate() {
            if change.position > rewinding.up_to {
                break;
            }
            if looks == LOOKS || bytes >= BYTES {
                is_done = false;
                break;
            }
            rewinding.at = change.position;
            // A flush with a later stamp would delete what was written after it.
            if here.store.is_flushed(change.stamp) || change.stamp == here.store.floor() {
                continue;
            }
            let (after, up_to) = rewinding.span;
            if change.stamp.node == own && after < change.stamp.clock && change.stamp.clock <= up_to {
                again.push((change.slot, change.position));
                bytes += change.value.map_or(0, <[u8]>::len);
            }
        }
        for (slot, position) in again {
            if here.clock.is_spent() {
                // The data file has to take a higher ceiling first.
                rewinding.at = position - 1;
                return;
            }
            here.store.restamp(slot, here.clock.issue(here.now.unix_ms));
        }
        if is_done {
            self.rewinding = None;
        }
    }
}
