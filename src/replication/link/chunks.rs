//! A large value on its way, in chunks that go before the change that it belongs to.

use bytes::Bytes;

use crate::replication::wire::Chunk;
use crate::store::{Change, Stamp, Value};

/// Longest value that goes with its change, unless a test says otherwise.
pub const WHOLE_BYTES_MAX: usize = 1 << 18;

/// A value on its way out.
pub(super) struct ChunkSender {
    stamp: Stamp,
    value: Bytes,
    sent: usize,
}

impl ChunkSender {
    /// Nothing of the change's value is sent.
    pub(super) fn new(change: &Change<'_>) -> ChunkSender {
        ChunkSender { stamp: change.stamp, value: change.shared_value().map_or(Bytes::new(), Value::lend), sent: 0 }
    }

    /// Whether it is this change's value.
    pub(super) fn is_of(&self, stamp: Stamp) -> bool {
        self.stamp == stamp
    }

    /// Whether all of it is sent.
    pub(super) fn is_complete(&self) -> bool {
        self.sent == self.value.len()
    }

    /// Writes the next chunk, of so many bytes at most.
    pub(super) fn next(&mut self, bytes_max: usize, out: &mut Vec<u8>) {
        let end = self.value.len().min(self.sent + bytes_max);
        let (stamp, total, offset) = (self.stamp, self.value.len(), self.sent);
        Chunk { stamp, total, offset, bytes: &self.value[offset..end] }.encode(out);
        self.sent = end;
    }
}

/// A value on its way in.
#[derive(Default)]
pub(in crate::replication) struct ChunkReceiver {
    stamp: Stamp,
    total: usize,
    bytes: Vec<u8>,
    taken: u64,
}

impl ChunkReceiver {
    /// Takes a chunk in. Returns whether it is the first of a value, or what was missing.
    pub(in crate::replication) fn add(&mut self, chunk: Chunk<'_>) -> bool {
        if chunk.offset == 0 {
            (self.stamp, self.total) = (chunk.stamp, chunk.total);
            self.bytes = Vec::with_capacity(chunk.total);
        }
        let fits = (self.stamp, self.total, self.bytes.len()) == (chunk.stamp, chunk.total, chunk.offset);
        if fits {
            self.bytes.extend_from_slice(chunk.bytes);
            self.taken += chunk.bytes.len() as u64;
        }
        fits
    }

    /// The value of the change with this stamp, if it has come whole.
    pub(in crate::replication) fn take(&mut self, stamp: Stamp, total: usize) -> Option<Vec<u8>> {
        let is_it = self.stamp == stamp && self.total == total && self.bytes.len() == total && total > 0;
        is_it.then(|| std::mem::take(&mut self.bytes))
    }

    /// Bytes of all chunks that ever came.
    pub(in crate::replication) fn taken(&self) -> u64 {
        self.taken
    }

    /// Memory held.
    pub(in crate::replication) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
