//! How long a frame of changes becomes.

use super::frame::CHANGES_MAX;
use crate::store::Change;

/// Changes of a frame, where nothing that belongs together makes it longer.
pub(super) const FRAME_ROWS: usize = 256;
/// Bytes of a frame, but for its last change.
const FRAME_BYTES: usize = 64 << 10;
/// What a frame may grow to for the sake of changes that belong together; beyond that they come apart.
const FRAME_ROWS_MAX: usize = CHANGES_MAX;
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A frame of changes as it is put together.
pub(super) struct Draft<'b, 'a> {
    pub(super) bytes: &'b mut Vec<u8>,
    pub(super) rows: usize,
    /// The next change, where its value has to go before it.
    pub(super) large: Option<Change<'a>>,
    /// A change is in it whose value went before.
    pub(super) has_parted: bool,
}

impl<'b> Draft<'b, '_> {
    pub(super) fn new(bytes: &'b mut Vec<u8>) -> Self {
        Draft { bytes, rows: 0, large: None, has_parted: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= FRAME_ROWS || self.bytes.len() >= FRAME_BYTES || self.large.is_some()
    }

    pub(super) fn is_overfull(&self) -> bool {
        self.rows >= FRAME_ROWS_MAX || self.bytes.len() >= FRAME_BYTES_MAX
    }
}
