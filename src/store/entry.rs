//! One key, its stamp, and its value or the memory that it was deleted: one allocation behind a thin pointer.
//!
//! The only `unsafe` of the library. What makes it sound:
//! - `header` points to an allocation of `allocation_bytes(..)` bytes, aligned to `ALIGN`, owned by this `Entry` alone.
//! - The allocation begins with an initialised `Header`; `key_bytes` bytes of key and then `value_bytes` bytes of
//!   value follow it, initialised.
//! - The lengths in the header always give back the layout the memory was allocated with.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{NonNull, copy_nonoverlapping};
use std::slice;

use super::Stamp;

/// Longest key the layout can hold.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// Longest value there can be; a peer's frame holds one.
pub const VALUE_BYTES_MAX: usize = 1 << 26;

const DELETED: u32 = 1 << 31;
const LENGTH: u32 = DELETED - 1;
const HEADER_BYTES: usize = size_of::<Header>();
const ALIGN: usize = align_of::<Header>();

/// 16 bytes, so that the common 16-byte key with a 64-byte value fills a 96-byte size class.
#[repr(C)]
struct Header {
    clock: u64,
    /// Length of the value, or `DELETED`.
    value: u32,
    key_bytes: u16,
    node: u16,
}

/// A key's newest state.
pub struct Entry {
    header: NonNull<Header>,
}

// Owned memory without interior mutability.
unsafe impl Send for Entry {}
unsafe impl Sync for Entry {}

/// Bytes that the allocator is asked for.
pub fn allocation_bytes(key_bytes: usize, value_bytes: usize) -> usize {
    (HEADER_BYTES + key_bytes + value_bytes).next_multiple_of(ALIGN)
}

fn layout(key_bytes: usize, value_bytes: usize) -> Layout {
    Layout::from_size_align(allocation_bytes(key_bytes, value_bytes), ALIGN).expect("lengths are limited")
}

impl Entry {
    /// `None` as value is a deletion. Panics where key or value are longer than the layout holds.
    pub fn new(key: &[u8], value: Option<&[u8]>, stamp: Stamp) -> Entry {
        let value_bytes = value.map_or(0, <[u8]>::len);
        assert!(key.len() <= KEY_BYTES_MAX && value_bytes <= VALUE_BYTES_MAX);
        let layout = layout(key.len(), value_bytes);
        // SAFETY: the layout is at least a header long.
        let Some(header) = NonNull::new(unsafe { alloc(layout) }.cast::<Header>()) else { handle_alloc_error(layout) };
        let mut entry = Entry { header };
        // SAFETY: the memory is fresh, aligned and long enough for header and key; nobody else knows it.
        unsafe {
            header.write(Header { clock: 0, value: DELETED, key_bytes: key.len() as u16, node: 0 });
            copy_nonoverlapping(key.as_ptr(), entry.payload(), key.len());
        }
        entry.write(value, stamp);
        entry
    }

    /// A new value (or deletion) and stamp. In place, without an allocation, where the size stays the same.
    pub fn replace(&mut self, value: Option<&[u8]>, stamp: Stamp) {
        let value_bytes = value.map_or(0, <[u8]>::len);
        if allocation_bytes(self.key().len(), value_bytes) == self.bytes() {
            assert!(value_bytes <= VALUE_BYTES_MAX);
            self.write(value, stamp);
        } else {
            *self = Entry::new(self.key(), value, stamp);
        }
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        // SAFETY: the key is initialised and lives as long as `self`.
        unsafe { slice::from_raw_parts(self.payload(), self.header().key_bytes as usize) }
    }

    /// The value; `None` where the key is deleted.
    pub fn value(&self) -> Option<&[u8]> {
        let header = self.header();
        if header.value & DELETED != 0 {
            return None;
        }
        // SAFETY: the value follows the key, initialised, and lives as long as `self`.
        unsafe {
            let start = self.payload().add(header.key_bytes as usize);
            Some(slice::from_raw_parts(start, header.value as usize))
        }
    }

    /// When and by whom it was written.
    pub fn stamp(&self) -> Stamp {
        let header = self.header();
        Stamp { clock: header.clock, node: header.node }
    }

    /// Whether it remembers a deletion.
    pub fn is_tombstone(&self) -> bool {
        self.header().value & DELETED != 0
    }

    /// Bytes of its allocation.
    pub fn bytes(&self) -> usize {
        let header = self.header();
        allocation_bytes(header.key_bytes as usize, (header.value & LENGTH) as usize)
    }

    /// The value must fit the allocation exactly as `allocation_bytes` counts.
    fn write(&mut self, value: Option<&[u8]>, stamp: Stamp) {
        let key_bytes = self.header().key_bytes as usize;
        // SAFETY: exclusive, and the callers made room for key and value.
        unsafe {
            if let Some(value) = value {
                copy_nonoverlapping(value.as_ptr(), self.payload().add(key_bytes), value.len());
            }
            let header = self.header.as_mut();
            header.value = value.map_or(DELETED, |value| value.len() as u32);
            header.clock = stamp.clock;
            header.node = stamp.node;
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: initialised in `new`, owned.
        unsafe { self.header.as_ref() }
    }

    fn payload(&self) -> *mut u8 {
        // SAFETY: the allocation is longer than the header.
        unsafe { self.header.as_ptr().cast::<u8>().add(HEADER_BYTES) }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let header = self.header();
        let layout = layout(header.key_bytes as usize, (header.value & LENGTH) as usize);
        // SAFETY: allocated by `new` with this layout, not used after.
        unsafe { dealloc(self.header.as_ptr().cast(), layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Stamp = Stamp { clock: 1, node: 0 };
    const LATE: Stamp = Stamp { clock: 2, node: 7 };

    #[test]
    fn an_entry_gives_back_what_it_was_given() {
        for (key, value) in
            [(&b"k"[..], &b"v"[..]), (b"key", b""), (b"", b"value"), (&[b'k'; KEY_BYTES_MAX], &[7; 70_000])]
        {
            let entry = Entry::new(key, Some(value), LATE);
            assert_eq!((entry.key(), entry.value(), entry.stamp()), (key, Some(value), LATE));
        }
    }

    #[test]
    fn a_deletion_keeps_key_and_stamp() {
        let mut entry = Entry::new(b"color", Some(&[b'x'; 1000]), EARLY);
        let before = entry.bytes();
        entry.replace(None, LATE);
        assert_eq!(
            (entry.key(), entry.value(), entry.stamp(), entry.is_tombstone()),
            (&b"color"[..], None, LATE, true)
        );
        assert!(entry.bytes() < before);
    }

    #[test]
    fn the_same_size_stays_in_place_and_other_sizes_move() {
        let mut entry = Entry::new(b"color", Some(b"blue"), EARLY);
        let place = entry.header;
        entry.replace(Some(b"gray"), LATE);
        assert_eq!((entry.header, entry.value()), (place, Some(&b"gray"[..])));
        entry.replace(Some(&[b'g'; 4000]), LATE);
        assert_eq!((entry.key(), entry.value()), (&b"color"[..], Some(&[b'g'; 4000][..])));
    }
}
