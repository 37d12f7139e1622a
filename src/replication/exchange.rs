//! What one tick sends to one peer: changes, and how far this node is.

use super::frame::{Ack, Cursor};
use super::peer::News;
use super::view::View;
use super::{
    ACK_US, Agreement, FRAME_PAUSE_US, HEARTBEAT_US, Replication, SILENCE_US, STILL_US, STUCK_US, Turn, highest_seen,
};
use crate::planted;
use crate::store::{NodeId, Now, Store};

impl Replication {
    pub(super) fn exchange_with(&mut self, id: NodeId, store: &Store, now: Now) {
        let now_us = now.monotonic_us;
        let Replication {
            peers,
            lines,
            scratch,
            touched,
            vector,
            identity,
            limits,
            durable,
            facts,
            linked_nodes,
            purges,
            seen,
            ..
        } = self;
        let peer = peers.get_mut(&id).expect("ids come from the map");
        let Some(linked) = peer.linked.as_mut() else { return };
        let Some(line) = lines[linked.session].as_deref_mut() else { return };
        let view = View { store, own: identity.node, vector, whole_bytes_max: limits.whole_bytes_max };
        let owed_before = line.wire.owed();
        if linked.still_us + STILL_US <= now_us {
            linked.link.relay_held(store.last_position());
        }
        let tail = store.last_position();
        let walk_us = linked.sent_us + FRAME_PAUSE_US;
        if walk_us <= now_us || linked.link.has_full_frame(tail) {
            // One frame at a time: a tick is as long as what it sends.
            let more = line.has_room() && linked.link.next_frame(view, scratch, line.wire.outbox());
            if line.wire.owed() > owed_before {
                line.changes_end = line.wire.end();
                linked.sent_us = if more { linked.sent_us } else { now_us };
            }
            // Where the peer does not read, its next read is what is waited for.
            if (more || !linked.link.is_walked(tail)) && line.has_room() {
                self.due_us = 0;
            }
        } else if !linked.link.is_walked(tail) {
            self.due_us = self.due_us.min(walk_us);
        }

        let news = News { position: tail, received: peer.cursor, facts: *facts };
        let pause_us = if news == linked.said { HEARTBEAT_US } else { ACK_US };
        // One that a slow peer has not taken yet would only be followed by another that says more.
        let may_say = line.wire.is_handed_over(linked.ack_end);
        if may_say && (linked.ack_wanted || linked.acked_us + pause_us <= now_us) {
            let in_file = |&&(node, _): &&(NodeId, Cursor)| node == id;
            let ack = Ack {
                received: peer.cursor,
                durable: durable.cursors.iter().find(in_file).map_or(Cursor::default(), |&(_, cursor)| cursor),
                vector: vector.clone(),
                durable_vector: durable.vector.clone(),
                linked: linked_nodes.clone(),
                unix_ms: now.unix_ms,
                position: tail,
                content: store.content(),
                diverged: linked.agreement == Agreement::Diverged,
                busy: !purges.is_empty() || linked.listed.is_some() || store.is_sweeping(),
                floor: store.floor(),
                listings: linked.listings,
                parted: linked.assembly.taken,
                seen: highest_seen(seen, vector, id),
            };
            let mut ack = ack;
            if planted::is("acknowledged as durable before it is") {
                (ack.durable, ack.durable_vector) = (ack.received, ack.vector.clone());
            }
            linked.link.tell_cursors(line.wire.outbox());
            ack.encode(line.wire.outbox());
            (linked.said, linked.acked_us, linked.ack_wanted) = (news, now_us, false);
            linked.ack_end = line.wire.end();
        }
        let next_us = if may_say { linked.acked_us + pause_us } else { now_us + ACK_US };
        self.due_us = self.due_us.min(next_us.max(now_us + 1));
        if line.wire.owed() > owed_before {
            touched.push(linked.session);
        }
        self.check_life(id, tail, now);
    }

    /// Hangs up on a peer that is silent, or that acknowledges nothing.
    fn check_life(&mut self, id: NodeId, tail: u64, now: Now) {
        let now_us = now.monotonic_us;
        let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) else { return };
        let session = linked.session;
        if self.lines[session].as_deref().is_some_and(|line| line.waits == Turn::Held) {
            // What it says lies here unread, until our data file has taken more.
            (linked.heard_us, linked.stuck_us) = (now_us, None);
        }
        if linked.link.received.direct >= tail {
            linked.stuck_us = None;
        }
        let stuck_us = *linked.stuck_us.get_or_insert(now_us);
        let (silent_us, stuck_us) = (linked.heard_us + SILENCE_US, stuck_us + STUCK_US);
        if silent_us <= now_us {
            self.drop_line(session, "nothing came for 4 s", now);
        } else if stuck_us <= now_us && linked.link.received.direct < tail {
            self.drop_line(session, "it acknowledged nothing for 10 s", now);
        } else {
            self.due_us = self.due_us.min(silent_us).min(stuck_us.max(now_us + 1));
        }
    }
}
