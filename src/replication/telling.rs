//! What peers are told beside changes: what clients publish.

use super::Replication;
use super::heard::Message;
use super::wire::{Audience, Publication};

/// What a peer may be owed before it misses messages: far more than of changes, as nothing sends them again.
const MESSAGES_OWED_BYTES_MAX: usize = 1 << 20;

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
}
