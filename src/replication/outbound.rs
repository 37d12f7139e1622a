//! What one tick sends to one linked peer: changes, and how far this node is.

use super::knowledge::Knowledge;
use super::link::view::View;
use super::peers::acknowledging::News;
use super::peers::connections::{Connection, Turn};
use super::peers::linked::Linked;
use super::peers::liveness::Pulse;
use super::repair::comparison::Agreement;
use super::wire::{Ack, Cursor};
use crate::fault_injection;
use crate::store::{Database, Floors, NodeId, Now, Store};

/// What is the same for all peers.
pub(super) struct Outbound<'a> {
    pub(super) knowledge: &'a Knowledge,
    pub(super) store: &'a Store,
    /// Longest value that goes with its change.
    pub(super) whole_bytes_max: usize,
    /// Whether the store is being compared with a full listing.
    pub(super) is_purging: bool,
    pub(super) now: Now,
    /// Memory for a frame.
    pub(super) scratch: &'a mut Vec<u8>,
}

impl Outbound<'_> {
    /// Sends the peer what it lacks, a bounded part of it, and what it has to know. `followed` is how far this node
    /// follows the peer's list. Returns when to look again.
    pub(super) fn exchange(
        &mut self,
        id: NodeId,
        followed: Cursor,
        linked: &mut Linked,
        connection: &mut Connection,
    ) -> u64 {
        let changes_us = self.send_changes(linked, connection);
        changes_us.min(self.acknowledge(id, followed, linked, connection))
    }

    /// Whether the peer is still there.
    pub(super) fn look_after(&self, linked: &mut Linked, connection: &Connection) -> Pulse {
        let now_us = self.now.monotonic_us;
        if connection.waits() == Turn::Held {
            linked.liveness.is_kept_waiting(now_us);
        }
        let waits = linked.outbound.received().direct < self.store.last_position();
        linked.liveness.look(waits, now_us)
    }

    fn send_changes(&mut self, linked: &mut Linked, connection: &mut Connection) -> u64 {
        let now_us = self.now.monotonic_us;
        let tail = self.store.last_position();
        let Outbound { knowledge, store, whole_bytes_max, .. } = *self;
        let view = View { store, own: knowledge.own(), vector: knowledge.vector(), whole_bytes_max };
        if linked.comparison.is_still(now_us) {
            linked.outbound.relay_withheld(tail);
        }
        let walk_us = linked.walk_us();
        if walk_us > now_us && !linked.outbound.has_full_frame(tail) {
            return if linked.outbound.is_walked(tail) { u64::MAX } else { walk_us };
        }
        // One frame at a time: a tick is as long as what it sends.
        let owed_before = connection.stream.owed();
        let more = connection.has_room() && linked.outbound.next_frame(view, self.scratch, connection.stream.outbox());
        if connection.stream.owed() > owed_before {
            connection.note_changes();
            if !more {
                linked.sent_changes(now_us);
            }
        }
        // Where the peer does not read, its next read is what is waited for.
        let goes_on = (more || !linked.outbound.is_walked(tail)) && connection.has_room();
        if goes_on { 0 } else { u64::MAX }
    }

    fn acknowledge(&self, id: NodeId, followed: Cursor, linked: &mut Linked, connection: &mut Connection) -> u64 {
        let Outbound { knowledge, store, now, .. } = self;
        let (now_us, tail) = (now.monotonic_us, store.last_position());
        let news = News { position: tail, received: followed, facts: knowledge.facts() };
        let pause_us = linked.acknowledging.pause_us(news);
        let is_taken = connection.stream.is_handed_over(linked.acknowledging.end());
        if is_taken && linked.acknowledging.is_due(pause_us, now_us) {
            let mut ack = Ack {
                received: followed,
                durable: knowledge.durable_cursor(id),
                vector: knowledge.vector().clone(),
                durable_vector: knowledge.durable().vector.clone(),
                linked: knowledge.first_hand().to_vec(),
                unix_ms: now.unix_ms,
                position: tail,
                content: store.content(),
                diverged: linked.comparison.agreement() == Agreement::Diverged,
                busy: self.is_purging || linked.inbound.listing.is_some() || store.is_sweeping(),
                floors: floors_for(linked, store),
                listings: linked.inbound.listings,
                chunked: linked.inbound.chunks.taken(),
                seen: knowledge.highest_seen(id),
            };
            if fault_injection::is("acknowledged as durable before it is") {
                (ack.durable, ack.durable_vector) = (ack.received, ack.vector.clone());
            }
            linked.outbound.tell_cursors(connection.stream.outbox());
            ack.encode(connection.stream.outbox());
            linked.acknowledging.said(news, connection.stream.end(), now_us);
        }
        linked.acknowledging.next_us(is_taken, pause_us, now_us)
    }
}

/// What the peer understands of the latest flushes.
fn floors_for(linked: &Linked, store: &Store) -> Floors {
    if linked.knows_databases() {
        return *store.floors();
    }
    let mut floors = Floors::default();
    floors.raise(Database::ZERO, store.floors().of(Database::ZERO));
    floors
}
