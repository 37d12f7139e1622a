//! What peers are told beside changes: what clients publish, and how nodes are.

use super::Replication;
use super::heard::{HeardStatus, Message};
use super::peers::linked::Linked;
use super::peers::peer::Peer;
use super::wire::{Audience, Publication, STATUS_BYTES_MAX, Status};
use crate::store::{NodeId, Now};

/// What a peer may be owed before it misses messages: far more than of changes, as nothing sends them again.
const MESSAGES_OWED_BYTES_MAX: usize = 1 << 20;

/// ... before it misses how nodes are.
const STATUSES_OWED_BYTES_MAX: usize = 64 << 10;

impl Replication {
    /// Sends a message to every peer that is linked and reads. Those that are away, or behind, miss it, as a listener
    /// does that is away: messages are not kept.
    pub fn publish(&mut self, audience: Audience, channel: &[u8], message: &[u8]) {
        for linked in self.peers.links().filter(|linked| audience == Audience::Channel || linked.knows_terms()) {
            let session = linked.session();
            let Some(connection) = self.connections.get_mut(session) else { continue };
            if connection.stream.owed() < MESSAGES_OWED_BYTES_MAX {
                Publication { audience, channel, message }.encode(connection.stream.outbox());
                self.connections.touch(session);
            }
        }
    }

    /// What peers have said to listeners since the last call.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// Tells a linked peer how a node is, this one or another whose word is so old. A peer that does not read misses it:
    /// the next one says more.
    pub fn tell_status(&mut self, to: NodeId, status: &Status<'_>) {
        let Some(linked) = self.peers.linked_mut(to).filter(|linked| linked.knows_statuses()) else { return };
        let session = linked.session();
        let Some(connection) = self.connections.get_mut(session) else { return };
        if connection.stream.owed() < STATUSES_OWED_BYTES_MAX && status.text.len() <= STATUS_BYTES_MAX {
            status.encode(connection.stream.outbox());
            self.connections.touch(session);
        }
    }

    /// The linked peers that are to be told how nodes are.
    pub fn status_readers(&self) -> impl Iterator<Item = NodeId> {
        self.peers.iter().filter(|peer| peer.linked().is_some_and(Linked::knows_statuses)).map(Peer::id)
    }

    /// What peers have told of nodes since the last call.
    pub fn take_statuses(&mut self) -> impl Iterator<Item = HeardStatus> {
        self.statuses.take()
    }

    /// A peer has told how a node is. Of a node that is not in the list, of this one, and of one that has a link to say
    /// so itself, nobody else's word counts.
    pub(super) fn hear_status(&mut self, from: NodeId, status: &Status<'_>, now: Now) {
        let is_own = status.node == from;
        if is_own || self.peers.get(status.node).is_some_and(|peer| !peer.is_linked()) {
            self.statuses.hear(from, status, now.monotonic_us);
        }
    }

    /// How long a change takes until each peer has acknowledged it, in milliseconds. O(peers).
    pub fn lags(&self, now_us: u64) -> impl Iterator<Item = (NodeId, Option<u64>)> {
        self.peers.lags(now_us)
    }
}
