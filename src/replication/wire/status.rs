//! What a node says of itself, for people who ask another.

use super::codec::{Reader, put_u16, put_u32};
use super::framing::{self, Kind};
use crate::store::NodeId;

/// Longest text.
pub const STATUS_BYTES_MAX: usize = 64 << 10;

/// Sent once a second to every linked peer of version 5: the speaker's own, and the newest that it has of nodes that the
/// listener has no link with. So whoever asks any node is told of all, also of one behind a link that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// The node that is meant. Of another than the speaker it is hearsay.
    pub node: NodeId,
    /// How long ago the speaker heard it; 0 of its own.
    pub age_ms: u32,
    /// What it says: nothing that replication looks at.
    pub text: &'a [u8],
}

impl Status<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Status, out, |out| {
            put_u16(out, self.node);
            put_u32(out, self.age_ms);
            out.extend_from_slice(self.text);
        });
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Status<'a>> {
        let (node, age_ms) = (reader.u16()?, reader.u32()?);
        let text = reader.bytes(reader.left())?;
        (text.len() <= STATUS_BYTES_MAX).then_some(Status { node, age_ms, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_gives_it_back_and_is_no_longer_than_it_may_be() {
        for (length, is_one) in [(0, true), (STATUS_BYTES_MAX, true), (STATUS_BYTES_MAX + 1, false)] {
            let text = vec![b'a'; length];
            let status = Status { node: 7, age_ms: 1_500, text: &text };
            let mut bytes = Vec::new();
            status.encode(&mut bytes);
            let mut reader = Reader::new(&bytes[framing::HEAD_BYTES + 1..]);
            assert_eq!(Status::decode(&mut reader), is_one.then_some(status));
        }
    }
}
