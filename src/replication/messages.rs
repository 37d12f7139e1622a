//! Messages for the listeners of all nodes: told once to whoever is linked, and forgotten.

use super::Replication;
use super::codec::{Reader, put_u32};
use super::frame::{self, Frame};

/// The kinds of the frames.
pub(super) const MESSAGE: u8 = 6;
pub(super) const SHARD_MESSAGE: u8 = 8;
/// What a peer may be owed before it misses messages: far more than of changes, as nothing sends them again.
const OWED_BYTES_MAX: usize = 1 << 20;
/// What peers may have said in one turn before it is told.
const MESSAGES_MAX: usize = 1 << 10;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The listeners of a channel, and those of patterns that match it.
    Channel,
    /// The listeners of a shard channel.
    Shard,
}

/// What is said in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// For whom.
    pub audience: Audience,
    /// Where.
    pub channel: Vec<u8>,
    /// What.
    pub message: Vec<u8>,
}

impl Replication {
    /// Sends a message to every peer that is linked and reads. Those that are away, or behind, miss it, as a listener
    /// does that is away: messages are not kept.
    pub fn publish(&mut self, audience: Audience, channel: &[u8], message: &[u8]) {
        let Replication { peers, lines, touched, .. } = self;
        for linked in peers.values().filter_map(|peer| peer.linked.as_ref()) {
            let Some(line) = lines[linked.session].as_deref_mut() else { continue };
            let is_understood = audience == Audience::Channel || linked.version >= frame::VERSION_WITH_TERMS;
            if is_understood && line.wire.owed() < OWED_BYTES_MAX {
                encode(audience, channel, message, line.wire.outbox());
                touched.push(linked.session);
            }
        }
    }

    /// What peers have said since the last call.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// A peer has said this.
    pub(super) fn message(&mut self, audience: Audience, channel: &[u8], message: &[u8]) {
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push(Message { audience, channel: channel.to_vec(), message: message.to_vec() });
        }
    }
}

fn encode(audience: Audience, channel: &[u8], message: &[u8], out: &mut Vec<u8>) {
    let body = frame::begin(out);
    out.push(match audience {
        Audience::Channel => MESSAGE,
        Audience::Shard => SHARD_MESSAGE,
    });
    put_u32(out, channel.len() as u32);
    out.extend_from_slice(channel);
    out.extend_from_slice(message);
    frame::end(out, body);
}

pub(super) fn decode<'a>(audience: Audience, reader: &mut Reader<'a>) -> Option<Frame<'a>> {
    let length = reader.u32()? as usize;
    let channel = reader.bytes(length)?;
    let message = reader.bytes(reader.left())?;
    Some(Frame::Message(audience, channel, message))
}
