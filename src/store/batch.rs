//! Changes copied out of the store, on their way to the data file and back: plain bytes that may cross a thread.

use std::ops::Range;

use super::Stamp;

/// One change; the ranges are of the batch's bytes.
struct Row {
    slot: u32,
    position: u64,
    stamp: Stamp,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// Changes and the slots that lost their entry, in one reusable piece of memory.
#[derive(Default)]
pub struct Batch {
    rows: Vec<Row>,
    bytes: Vec<u8>,
    /// Slots whose entry is gone altogether, to be taken out before the rows are put in.
    pub retired: Vec<u32>,
}

/// A key's state and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The slot its key lives in, which is its row id in the data file.
    pub slot: u32,
    /// Its place in the change list.
    pub position: u64,
    /// When and by whom it was written.
    pub stamp: Stamp,
    /// The key.
    pub key: &'a [u8],
    /// The value; `None` where the key was deleted.
    pub value: Option<&'a [u8]>,
}

impl Batch {
    /// Copies a change in.
    pub fn push(&mut self, change: Change<'_>) {
        let Change { slot, position, stamp, key, value } = change;
        let key = self.keep(key);
        let value = value.map(|value| self.keep(value));
        self.rows.push(Row { slot, position, stamp, key, value });
    }

    /// The changes in the order they were put in.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().map(|row| Change {
            slot: row.slot,
            position: row.position,
            stamp: row.stamp,
            key: &self.bytes[row.key.clone()],
            value: row.value.clone().map(|value| &self.bytes[value]),
        })
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.retired.is_empty()
    }

    /// Empties it; its memory stays, unless a large value has blown it up past `bytes_kept`.
    pub fn clear(&mut self, bytes_kept: usize) {
        self.rows.clear();
        self.retired.clear();
        self.bytes.clear();
        self.bytes.shrink_to(bytes_kept);
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
