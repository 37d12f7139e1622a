//! A piece of a large value.

use super::codec::{Reader, put_u32, put_u64};
use super::cursor::{put_stamp, stamp};
use super::framing::{self, Kind};
use crate::store::{Stamp, VALUE_BYTES_MAX};

/// Sent before the change that it belongs to, where the value is too large for a frame of changes: one chunk after the
/// other, from the first byte to the last, then the change with the length in the place of the value. No frame, no
/// outbox and no tick has to be as large as a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Of the change.
    pub stamp: Stamp,
    /// Length of the value.
    pub total: usize,
    /// Where in the value it belongs.
    pub offset: usize,
    /// The piece, not empty.
    pub bytes: &'a [u8],
}

impl Chunk<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Chunk, out, |out| {
            put_stamp(out, self.stamp);
            put_u32(out, self.total as u32);
            put_u64(out, self.offset as u64);
            out.extend_from_slice(self.bytes);
        });
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Chunk<'a>> {
        let (stamp, total, offset) = (stamp(reader)?, reader.u32()? as usize, reader.u64()? as usize);
        let bytes = reader.bytes(reader.left())?;
        let fits = total <= VALUE_BYTES_MAX && offset.checked_add(bytes.len()).is_some_and(|end| end <= total);
        (fits && !bytes.is_empty()).then_some(Chunk { stamp, total, offset, bytes })
    }
}
