//! The envelope of every frame, and the table of their kinds.
//!
//! ```text
//! length of the body: u32 | CRC-32 of the body: u32 | body: kind: u8, then what the kind says
//! ```
//!
//! Numbers are little-endian.

/// The first bytes of a connection between nodes, from the dialing side and from the other. No client's request begins
/// with a zero byte.
pub const GREETING: &[u8; 8] = b"\0KVPEER\n";
/// The first bytes of a connection whose rest is TLS between nodes, from the dialing side alone; what comes first inside of
/// it is [`GREETING`]. A node that does not know it takes it for a line, and answers at once in something else than TLS.
pub const TLS_GREETING: &[u8; 8] = b"\0KVPTLS\n";
/// Length and checksum.
pub(crate) const HEAD_BYTES: usize = 8;

/// What a frame is. The numbers are for ever: a kind that is given up keeps its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`Hello`](super::Hello): the first frame of either side, or the first after both have proven a secret.
    Hello = 1,
    /// [`Refusal`](super::Refusal): the last frame of a side that hangs up.
    Refusal = 2,
    /// [`Progress`](super::Progress) and changes: whenever a peer lacks something.
    Changes = 3,
    /// [`Ack`](super::Ack): after changes, after a commit, and once a second.
    Ack = 4,
    /// [`Listing`](super::Listing): all keys, where deletions may have been missed.
    Listing = 5,
    /// [`Publication`](super::Publication): what a client publishes in a channel.
    Message = 6,
    /// [`Chunk`](super::Chunk): a piece of a value too large for a frame of changes.
    Chunk = 7,
    /// [`Publication`](super::Publication): what a client publishes in a shard channel.
    ShardMessage = 8,
    /// [`Terms`](super::Terms): what every node should have alike.
    Terms = 9,
    /// [`Proof`](super::Proof): before the hello of either side, where nodes have a secret.
    Proof = 10,
    /// [`Status`](super::Status): how a node is, once a second.
    Status = 11,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Hello,
        Kind::Refusal,
        Kind::Changes,
        Kind::Ack,
        Kind::Listing,
        Kind::Message,
        Kind::Chunk,
        Kind::ShardMessage,
        Kind::Terms,
        Kind::Proof,
        Kind::Status,
    ];

    /// The kind with this number.
    pub fn of(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|&kind| kind as u8 == number)
    }
}

/// Writes a frame whose body `write` appends.
pub(super) fn frame(kind: Kind, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0; HEAD_BYTES]);
    let body = out.len();
    out.push(kind as u8);
    write(out);
    let length = (out.len() - body) as u32;
    let checksum = crc32fast::hash(&out[body..]);
    out[body - 8..body - 4].copy_from_slice(&length.to_le_bytes());
    out[body - 4..body].copy_from_slice(&checksum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number_and_no_other_number_is_one() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|&number| Kind::of(number).is_some()).collect();
        assert_eq!(known, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert!(Kind::ALL.iter().all(|&kind| Kind::of(kind as u8) == Some(kind)));
    }
}
