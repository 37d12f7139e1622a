//! The first frame of either side: who speaks, what it has, and which versions of the frames it understands.

use super::codec::{Reader, put_u16, put_u64};
use super::cursor::{Cursor, floors, put_floors, put_stamp, stamp};
use super::framing::{self, Kind};
use super::nodes;
use super::terms;
use super::vector::VersionVector;
use crate::store::{Database, Floors, NodeId};

/// Sent once by each side, first by the one that dialed, directly after the greeting. The other side answers with its
/// own where everything fits, and with a [`Refusal`](super::Refusal) where not. From then on there is a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the frames that it offers, or agrees to where it was dialed.
    pub version: u16,
    /// Who speaks.
    pub node: NodeId,
    /// Who is meant.
    pub to: NodeId,
    /// The speaker's incarnation, a random number.
    pub incarnation: u64,
    /// The speaker's wall clock.
    pub unix_ms: u64,
    /// The highest clock value it has issued or seen.
    pub clock: u64,
    /// Its own stamps above this are all of this incarnation.
    pub since: u64,
    /// The highest of the listener's stamps that it has seen.
    pub seen: u64,
    /// How far it has followed the listener's list.
    pub cursor: Cursor,
    /// What it has.
    pub vector: VersionVector,
    /// What it had collected deletions under: a listener without all of this may hold what was deleted long ago.
    pub collected: VersionVector,
    /// The latest flush of each database that it has; to a node of a version before 6 of database 0 alone.
    pub floors: Floors,
    /// The nodes whose writes it gets first-hand, in rising order.
    pub linked: Vec<NodeId>,
    /// The cluster as its configuration has it; an empty text is a node that was removed.
    pub members: Vec<String>,
}

/// The version of the frames, the latest that is spoken. Of two nodes the lower one's is.
pub const VERSION: u16 = 6;
/// The earliest that is spoken, too: without terms, shard messages and how nodes are.
pub const VERSION_MIN: u16 = 3;
/// From this one on nodes tell their terms, and messages of shard channels.
pub(in crate::replication) const VERSION_WITH_TERMS: u16 = 4;
/// From this one on nodes tell how they are.
pub(in crate::replication) const VERSION_WITH_STATUS: u16 = 5;
/// From this one on they know databases other than 0.
pub(in crate::replication) const VERSION_WITH_DATABASES: u16 = 6;

impl Hello {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Hello, out, |out| {
            put_u16(out, self.version);
            put_u16(out, self.node);
            put_u16(out, self.to);
            for number in [self.incarnation, self.unix_ms, self.clock, self.since, self.seen] {
                put_u64(out, number);
            }
            self.cursor.encode(out);
            put_stamp(out, self.floors.of(Database::ZERO));
            self.vector.encode(out);
            self.collected.encode(out);
            nodes::put(out, &self.linked);
            terms::put_members(out, &self.members);
            if self.version >= VERSION_WITH_DATABASES {
                put_floors(out, &self.floors);
            }
        });
    }

    pub(super) fn decode(version: u16, reader: &mut Reader<'_>) -> Option<Hello> {
        let (node, to) = (reader.u16()?, reader.u16()?);
        let [incarnation, unix_ms, clock, since, seen] = reader.numbers()?;
        let (cursor, floor) = (Cursor::decode(reader)?, stamp(reader)?);
        Some(Hello {
            version,
            node,
            to,
            incarnation,
            unix_ms,
            clock,
            since,
            seen,
            cursor,
            vector: VersionVector::decode_short(reader)?,
            collected: VersionVector::decode_short(reader)?,
            linked: nodes::decode(reader)?,
            members: terms::members(reader)?,
            floors: floors(floor, reader)?,
        })
    }
}
