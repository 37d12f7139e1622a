//! A large value goes over a link in parts, before the frame with the change that it belongs to: no frame, no outbox
//! and no tick has to be as large as a value may be.

use bytes::Bytes;

use super::codec::{Reader, put_u32, put_u64};
use super::frame::{self, Frame, put_stamp, stamp};
use crate::store::value::owned;
use crate::store::{Change, Stamp, VALUE_BYTES_MAX, Value};

/// The kind of the frame.
pub(super) const PART: u8 = 7;
/// Longest value that goes with its change, unless a test says otherwise.
pub const WHOLE_BYTES_MAX: usize = 1 << 18;

/// A value on its way out.
pub(super) struct Parting {
    pub(super) stamp: Stamp,
    value: Bytes,
    sent: usize,
}

/// A value on its way in.
#[derive(Default)]
pub(super) struct Assembly {
    stamp: Stamp,
    total: usize,
    bytes: Vec<u8>,
    /// Bytes of all parts that ever came.
    pub(super) taken: u64,
}

/// A piece of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Of the change.
    pub stamp: Stamp,
    /// Length of the value.
    pub total: usize,
    /// Where in the value it belongs.
    pub offset: usize,
    /// The piece.
    pub bytes: &'a [u8],
}

impl Parting {
    pub(super) fn new(change: &Change<'_>) -> Parting {
        Parting { stamp: change.stamp, value: change.shared_value().map_or(Bytes::new(), Value::lend), sent: 0 }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.sent == self.value.len()
    }

    /// Writes the next part, of so many bytes at most.
    pub(super) fn next(&mut self, bytes_max: usize, out: &mut Vec<u8>) {
        let end = self.value.len().min(self.sent + bytes_max);
        let (stamp, total, offset) = (self.stamp, self.value.len(), self.sent);
        Part { stamp, total, offset, bytes: &self.value[offset..end] }.encode(out);
        self.sent = end;
    }
}

impl Assembly {
    /// Takes a part in. Returns whether it is the first of a value, or what was missing.
    pub(super) fn add(&mut self, part: Part<'_>) -> bool {
        if part.offset == 0 {
            (self.stamp, self.total) = (part.stamp, part.total);
            self.bytes = Vec::with_capacity(part.total);
        }
        let fits = (self.stamp, self.total, self.bytes.len()) == (part.stamp, part.total, part.offset);
        if fits {
            self.bytes.extend_from_slice(part.bytes);
            self.taken += part.bytes.len() as u64;
        }
        fits
    }

    /// The value of the change with this stamp, if it has come whole.
    pub(super) fn take(&mut self, stamp: Stamp, total: usize) -> Option<Bytes> {
        let is_it = self.stamp == stamp && self.total == total && self.bytes.len() == total && total > 0;
        is_it.then(|| owned(std::mem::take(&mut self.bytes).into()))
    }

    /// Memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Part<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let body = frame::begin(out);
        out.push(PART);
        put_stamp(out, self.stamp);
        put_u32(out, self.total as u32);
        put_u64(out, self.offset as u64);
        out.extend_from_slice(self.bytes);
        frame::end(out, body);
    }
}

pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Frame<'a>> {
    let (stamp, total, offset) = (stamp(reader)?, reader.u32()? as usize, reader.u64()? as usize);
    let bytes = reader.bytes(reader.left())?;
    let fits = total <= VALUE_BYTES_MAX && offset.checked_add(bytes.len()).is_some_and(|end| end <= total);
    (fits && !bytes.is_empty()).then_some(Frame::Part(Part { stamp, total, offset, bytes }))
}
