//! How far the speaker is.

use super::codec::{Reader, put_u64};
use super::cursor::{Cursor, floors, put_floors, put_stamp, stamp};
use super::framing::{self, Kind};
use super::nodes;
use super::vector::VersionVector;
use crate::store::{Content, Database, Floors, NodeId};

/// Sent by either side at most every 20 ms while something is new, at once after a commit, and at least once a second,
/// which is how a silent link is noticed. It moves the listener's cursors, answers `WAIT`, lets deletions be forgotten,
/// and carries the digest that shows whether both stores agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// How far it has followed the listener's list.
    pub received: Cursor,
    /// The same, as its data file has it.
    pub durable: Cursor,
    /// What it has.
    pub vector: VersionVector,
    /// The same, as its data file has it.
    pub durable_vector: VersionVector,
    /// The nodes whose writes it gets first-hand, in rising order.
    pub linked: Vec<NodeId>,
    /// Its wall clock.
    pub unix_ms: u64,
    /// The last position of its list.
    pub position: u64,
    /// What its store holds.
    pub content: Content,
    /// Whether it has seen that digests differ although nothing is under way.
    pub diverged: bool,
    /// Whether it is comparing its store with a full listing, or frees what was flushed.
    pub busy: bool,
    /// Full listings that came over this link.
    pub listings: u64,
    /// Bytes of values that came over this link in chunks.
    pub chunked: u64,
    /// The highest of the listener's stamps that it has seen.
    pub seen: u64,
    /// The latest flush of each database that it has; to a node of a version before 6 of database 0 alone.
    pub floors: Floors,
}

impl Ack {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Ack, out, |out| {
            self.received.encode(out);
            self.durable.encode(out);
            self.vector.encode(out);
            self.durable_vector.encode(out);
            nodes::put(out, &self.linked);
            let Content { keys, digest, expiring, expiring_digest, next_expiry } = self.content;
            for number in [self.unix_ms, self.position, keys, digest, expiring, expiring_digest, next_expiry] {
                put_u64(out, number);
            }
            out.push(self.diverged.into());
            out.push(self.busy.into());
            put_u64(out, self.listings);
            put_u64(out, self.chunked);
            put_u64(out, self.seen);
            put_stamp(out, self.floors.of(Database::ZERO));
            put_floors(out, &self.floors);
        });
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Ack> {
        let (received, durable) = (Cursor::decode(reader)?, Cursor::decode(reader)?);
        let (vector, durable_vector) = (VersionVector::decode_short(reader)?, VersionVector::decode_short(reader)?);
        let linked = nodes::decode(reader)?;
        let [unix_ms, position, keys, digest, expiring, expiring_digest, next_expiry] = reader.numbers()?;
        let content = Content { keys, digest, expiring, expiring_digest, next_expiry };
        let (diverged, busy) = (reader.u8()? != 0, reader.u8()? != 0);
        let [listings, chunked, seen] = reader.numbers()?;
        Some(Ack {
            received,
            durable,
            vector,
            durable_vector,
            linked,
            unix_ms,
            position,
            content,
            diverged,
            busy,
            listings,
            chunked,
            seen,
            floors: floors(stamp(reader)?, reader)?,
        })
    }
}
