//! How far somebody has followed a node's change list, and the bytes of that and of a stamp.

use super::codec::{Reader, put_u16, put_u64};
use crate::store::{Database, Floors, Stamp};

/// How far somebody has followed a node's change list. `direct` counts for that node's own writes, `relay` for all
/// others'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The incarnation of the node whose list it is: positions of one mean something to another only where its data
    /// file has gone on from there. 0: none.
    pub incarnation: u64,
    /// Every own write up to here, or newer.
    pub direct: u64,
    /// Every other write up to here, or newer.
    pub relay: u64,
}

impl Cursor {
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_u64(out, self.incarnation);
        put_u64(out, self.direct);
        put_u64(out, self.relay);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Cursor> {
        Some(Cursor { incarnation: reader.u64()?, direct: reader.u64()?, relay: reader.u64()? })
    }
}

pub(super) fn put_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    put_u64(out, stamp.clock);
    put_u16(out, stamp.node);
}

pub(super) fn stamp(reader: &mut Reader<'_>) -> Option<Stamp> {
    Some(Stamp { clock: reader.u64()?, node: reader.u16()? })
}

/// Flushes of databases other than 0: as many as follow to the end of the frame, a number and a stamp each.
pub(super) fn put_floors(out: &mut Vec<u8>, floors: &Floors) {
    for (database, stamp) in floors.iter().filter(|(database, _)| !database.is_zero()) {
        out.push(database.number() as u8);
        put_stamp(out, stamp);
    }
}

/// With that of database 0, which stands elsewhere.
pub(super) fn floors(zero: Stamp, reader: &mut Reader<'_>) -> Option<Floors> {
    let mut floors = Floors::default();
    floors.raise(Database::ZERO, zero);
    while !reader.is_empty() {
        let database = Database::new(reader.u8()?.into()).filter(|database| !database.is_zero())?;
        floors.raise(database, stamp(reader)?);
    }
    Some(floors)
}
