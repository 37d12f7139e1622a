//! What a client publishes, on its way to the listeners of other nodes.

use super::codec::{Reader, put_u32};
use super::framing::{self, Kind};

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The listeners of a channel, and those of patterns that match it.
    Channel,
    /// The listeners of a shard channel.
    Shard,
}

/// Sent to every linked peer when a client publishes, and never again: messages are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// For whom.
    pub audience: Audience,
    /// Where.
    pub channel: &'a [u8],
    /// What.
    pub message: &'a [u8],
}

impl Publication<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.audience {
            Audience::Channel => Kind::Message,
            Audience::Shard => Kind::ShardMessage,
        };
        framing::frame(kind, out, |out| {
            put_u32(out, self.channel.len() as u32);
            out.extend_from_slice(self.channel);
            out.extend_from_slice(self.message);
        });
    }

    pub(super) fn decode<'a>(audience: Audience, reader: &mut Reader<'a>) -> Option<Publication<'a>> {
        let length = reader.u32()? as usize;
        let channel = reader.bytes(length)?;
        let message = reader.bytes(reader.left())?;
        Some(Publication { audience, channel, message })
    }
}
