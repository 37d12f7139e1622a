//! A frame of changes as it is put together, and how long it becomes.

use crate::replication::wire::{CHANGES_MAX, WireChange};
use crate::store::Change;

/// Changes of a frame, where no atomic group makes it longer.
pub(super) const FRAME_ROWS: usize = 256;
/// Bytes of a frame, but for its last change.
const FRAME_BYTES: usize = 64 << 10;
/// What a frame may grow to for the sake of an atomic group; beyond that the group comes apart.
const FRAME_ROWS_MAX: usize = CHANGES_MAX;
const FRAME_BYTES_MAX: usize = 1 << 20;

/// See the module.
pub(super) struct FrameBuilder<'b, 'a> {
    bytes: &'b mut Vec<u8>,
    changes: usize,
    large: Option<Change<'a>>,
    has_chunked: bool,
}

impl<'b, 'a> FrameBuilder<'b, 'a> {
    /// An empty frame, in this memory.
    pub(super) fn new(bytes: &'b mut Vec<u8>) -> Self {
        bytes.clear();
        FrameBuilder { bytes, changes: 0, large: None, has_chunked: false }
    }

    /// Puts a change in.
    pub(super) fn put(&mut self, change: WireChange<'_>) {
        self.has_chunked |= change.chunked > 0;
        change.encode(self.bytes);
        self.changes += 1;
    }

    /// The next change has a value that has to go before it. The frame is full.
    pub(super) fn stop_before(&mut self, large: Change<'a>) {
        self.large = Some(large);
    }

    /// Whether nothing more belongs in, but for the rest of an atomic group.
    pub(super) fn is_full(&self) -> bool {
        self.changes >= FRAME_ROWS || self.bytes.len() >= FRAME_BYTES || self.large.is_some()
    }

    /// Whether not even that does.
    pub(super) fn is_overfull(&self) -> bool {
        self.changes >= FRAME_ROWS_MAX || self.bytes.len() >= FRAME_BYTES_MAX
    }

    /// What was put together.
    pub(super) fn finish(self) -> Built<'a> {
        Built { is_empty: self.changes == 0, large: self.large, has_chunked: self.has_chunked }
    }
}

/// A frame that is put together; its bytes are in the memory it was given.
pub(super) struct Built<'a> {
    pub(super) is_empty: bool,
    /// The change that comes next, where its value has to go before it.
    pub(super) large: Option<Change<'a>>,
    /// Whether a change is in it whose value went before.
    pub(super) has_chunked: bool,
}
