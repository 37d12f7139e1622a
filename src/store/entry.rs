//! One key, its stamp, and its value or the memory that it was deleted: one allocation behind a thin pointer.
//!
//! `unsafe`, for one pointer. What makes it sound:
//! - `header` points to an allocation of `allocation_bytes(..)` bytes, aligned to `ALIGN`, owned by this `Entry` alone.
//! - The allocation begins with an initialised `Header`; `key_bytes` bytes of key, then `value_bytes` bytes of value,
//!   and where the key expires the 8 bytes of when follow it, initialised.
//! - With `SHARED` the value's place holds a pointer from `Box::<Bytes>::into_raw` instead, owned by this `Entry`
//!   alone.
//! - The lengths in the header always give back the layout the memory was allocated with.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::num::NonZeroU64;
use std::ptr::{NonNull, copy_nonoverlapping};
use std::slice;

use bytes::Bytes;

use super::value::{SHARED_BYTES_MIN, Value};
use super::{Database, Stamp};

/// Longest key the layout can hold.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// Longest value there can be; a peer's frame holds one.
pub const VALUE_BYTES_MAX: usize = 1 << 26;

/// Unix milliseconds from which on a key is as good as deleted; `None` where it stays. 8 bytes in all.
pub type Expiry = Option<NonZeroU64>;

const DELETED: u32 = 1 << 31;
const EXPIRES: u32 = 1 << 30;
const SHARED: u32 = 1 << 29;
/// How the value came about: the two bits between `SHARED` and its length.
const FORM_SHIFT: u32 = 27;
const FORM: u32 = 0b11 << FORM_SHIFT;
const LENGTH: u32 = (1 << FORM_SHIFT) - 1;
const POINTER_BYTES: usize = size_of::<*mut Bytes>();
const HEADER_BYTES: usize = size_of::<Header>();
const EXPIRY_BYTES: usize = size_of::<Expiry>();
const ALIGN: usize = align_of::<Header>();

/// 16 bytes, so that the common 16-byte key with a 64-byte value fills a 96-byte size class.
#[repr(C)]
struct Header {
    clock: u64,
    /// Length of the value, with `EXPIRES` where its expiry follows it, `SHARED` where it lies elsewhere, and its
    /// `Form`; or `DELETED`.
    value: u32,
    key_bytes: u16,
    /// The node of its stamp and the database of its key, [together](Database::join).
    origin: u16,
}

/// How a value came about on this node: what Redis derives its encoding from. Only what is whole is told to the data
/// file and to peers, where every value is `Whole`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// It was given as a whole.
    #[default]
    Whole,
    /// It is a sum of numbers with fractions.
    Sum,
    /// A part of it was written.
    Edited,
}

/// A key's newest state.
pub struct Entry {
    header: NonNull<Header>,
}

// Owned memory without interior mutability.
unsafe impl Send for Entry {}
unsafe impl Sync for Entry {}

/// Bytes of an entry's own allocation.
fn allocation_bytes(key_bytes: usize, value_bytes: usize, expires: bool) -> usize {
    let expiry_bytes = if expires { EXPIRY_BYTES } else { 0 };
    let value_bytes = if value_bytes < SHARED_BYTES_MIN { value_bytes } else { POINTER_BYTES };
    (HEADER_BYTES + key_bytes + value_bytes + expiry_bytes).next_multiple_of(ALIGN)
}

/// Bytes that the allocator is asked for in all.
pub fn memory_bytes(key_bytes: usize, value_bytes: usize, expires: bool) -> usize {
    let shared_bytes = if value_bytes < SHARED_BYTES_MIN { 0 } else { value_bytes };
    allocation_bytes(key_bytes, value_bytes, expires) + shared_bytes
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("lengths are limited")
}

impl Entry {
    /// `None` as value is a deletion, which does not expire. Panics where key or value are longer than the layout
    /// holds.
    pub fn new(database: Database, key: &[u8], value: Option<Value<'_>>, expiry: Expiry, stamp: Stamp) -> Entry {
        let value_bytes = value.map_or(0, |value| value.len());
        assert!(key.len() <= KEY_BYTES_MAX && value_bytes <= VALUE_BYTES_MAX);
        let layout = layout(allocation_bytes(key.len(), value_bytes, value.is_some() && expiry.is_some()));
        // SAFETY: the layout is at least a header long.
        let Some(header) = NonNull::new(unsafe { alloc(layout) }.cast::<Header>()) else { handle_alloc_error(layout) };
        let mut entry = Entry { header };
        // SAFETY: the memory is fresh, aligned and long enough for header and key; nobody else knows it.
        unsafe {
            let origin = database.join(0);
            header.write(Header { clock: 0, value: DELETED, key_bytes: key.len() as u16, origin });
            copy_nonoverlapping(key.as_ptr(), entry.payload(), key.len());
        }
        entry.write(value, expiry, stamp);
        entry
    }

    /// A new value (or deletion), expiry and stamp. In place, without an allocation, where the size stays the same.
    pub fn replace(&mut self, value: Option<Value<'_>>, expiry: Expiry, stamp: Stamp) {
        let value_bytes = value.map_or(0, |value| value.len());
        if allocation_bytes(self.key().len(), value_bytes, value.is_some() && expiry.is_some()) == self.layout_bytes() {
            assert!(value_bytes <= VALUE_BYTES_MAX);
            drop(self.take_shared());
            self.write(value, expiry, stamp);
        } else {
            *self = Entry::new(self.database(), self.key(), value, expiry, stamp);
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
        if header.value & (DELETED | SHARED) != 0 {
            return self.shared().map(|shared| &shared[..]);
        }
        // SAFETY: the value follows the key, initialised, and lives as long as `self`.
        unsafe {
            let start = self.payload().add(header.key_bytes as usize);
            Some(slice::from_raw_parts(start, (header.value & LENGTH) as usize))
        }
    }

    /// The memory that the value lies in, where it is large.
    pub fn shared(&self) -> Option<&Bytes> {
        // SAFETY: the pointer is from `Box::into_raw`, and what it points to lives as long as `self`.
        self.is_shared().then(|| unsafe { &*self.pointer().read_unaligned() })
    }

    /// The last byte of key and value, where the value is in the entry.
    pub fn last_byte(&self) -> u8 {
        match self.value() {
            Some(value) if !self.is_shared() && !value.is_empty() => value[value.len() - 1],
            _ => self.key().last().copied().unwrap_or(0),
        }
    }

    /// When it expires.
    pub fn expiry(&self) -> Expiry {
        let header = self.header();
        if header.value & EXPIRES == 0 {
            return None;
        }
        // SAFETY: the expiry follows the value, initialised, at any address.
        unsafe {
            let value_bytes = if self.is_shared() { POINTER_BYTES } else { (header.value & LENGTH) as usize };
            let at = self.payload().add(header.key_bytes as usize + value_bytes);
            NonZeroU64::new(at.cast::<u64>().read_unaligned())
        }
    }

    /// How its value came about.
    pub fn form(&self) -> Form {
        match (self.header().value & FORM) >> FORM_SHIFT {
            0 => Form::Whole,
            1 => Form::Sum,
            _ => Form::Edited,
        }
    }

    /// Says how its value came about, until it gets another; a deletion has none.
    pub fn set_form(&mut self, form: Form) {
        if !self.is_tombstone() {
            // SAFETY: exclusive; the bits say nothing of the layout.
            let header = unsafe { self.header.as_mut() };
            header.value = header.value & !FORM | (form as u32) << FORM_SHIFT;
        }
    }

    /// When and by whom it was written.
    pub fn stamp(&self) -> Stamp {
        let header = self.header();
        Stamp { clock: header.clock, node: Database::split(header.origin).1 }
    }

    /// The clock of its stamp.
    #[inline]
    pub fn clock(&self) -> u64 {
        self.header().clock
    }

    /// The database of its key.
    pub fn database(&self) -> Database {
        Database::split(self.header().origin).0
    }

    /// The node of its stamp and the database of its key, [together](Database::join).
    pub fn origin(&self) -> u16 {
        self.header().origin
    }

    /// Whether it remembers a deletion.
    pub fn is_tombstone(&self) -> bool {
        self.header().value & DELETED != 0
    }

    /// Bytes of its allocation, and of a large value.
    pub fn bytes(&self) -> usize {
        let (key_bytes, value_bytes, expires) = self.sizes();
        memory_bytes(key_bytes, value_bytes, expires)
    }

    fn layout_bytes(&self) -> usize {
        let (key_bytes, value_bytes, expires) = self.sizes();
        allocation_bytes(key_bytes, value_bytes, expires)
    }

    fn sizes(&self) -> (usize, usize, bool) {
        let header = self.header();
        (header.key_bytes as usize, (header.value & LENGTH) as usize, header.value & EXPIRES != 0)
    }

    fn is_shared(&self) -> bool {
        self.header().value & (DELETED | SHARED) == SHARED
    }

    /// Where the pointer to a large value lies.
    fn pointer(&self) -> *mut *mut Bytes {
        // SAFETY: behind the key lies the value, or its pointer.
        unsafe { self.payload().add(self.header().key_bytes as usize).cast() }
    }

    /// To be followed by a new value, or by the end.
    fn take_shared(&mut self) -> Option<Box<Bytes>> {
        // SAFETY: the pointer is from `Box::into_raw`, and is not read again: the callers see to it.
        self.is_shared().then(|| unsafe { Box::from_raw(self.pointer().read_unaligned()) })
    }

    /// Value and expiry must fit the allocation exactly as `allocation_bytes` counts.
    #[inline]
    fn write(&mut self, value: Option<Value<'_>>, expiry: Expiry, stamp: Stamp) {
        let key_bytes = self.header().key_bytes as usize;
        let mut length = DELETED;
        // SAFETY: exclusive, and the callers made room for key, value (or its pointer) and expiry.
        unsafe {
            if let Some(value) = value {
                let mut at = self.payload().add(key_bytes);
                length = value.len() as u32;
                if value.is_large() {
                    self.pointer().write_unaligned(Box::into_raw(Box::new(value.lend())));
                    length |= SHARED;
                    at = at.add(POINTER_BYTES);
                } else {
                    copy_nonoverlapping(value.as_ptr(), at, value.len());
                    at = at.add(value.len());
                }
                if let Some(expiry) = expiry {
                    at.cast::<u64>().write_unaligned(expiry.get());
                    length |= EXPIRES;
                }
            }
            let header = self.header.as_mut();
            header.value = length;
            header.clock = stamp.clock;
            header.origin = Database::split(header.origin).0.join(stamp.node);
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
        drop(self.take_shared());
        let layout = layout(self.layout_bytes());
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
            for expiry in [None, NonZeroU64::new(7), Some(NonZeroU64::MAX)] {
                let entry = Entry::new(Database::ZERO, key, Some(value.into()), expiry, LATE);
                assert_eq!(
                    (entry.key(), entry.value(), entry.expiry(), entry.stamp()),
                    (key, Some(value), expiry, LATE)
                );
            }
        }
    }

    #[test]
    fn a_form_goes_with_the_value_and_costs_nothing() {
        for value in [&b""[..], b"red", &[7; SHARED_BYTES_MIN]] {
            for form in [Form::Sum, Form::Edited, Form::Whole] {
                let mut entry = Entry::new(Database::ZERO, b"color", Some(value.into()), NonZeroU64::new(1), EARLY);
                let before = entry.bytes();
                entry.set_form(form);
                assert_eq!((entry.form(), entry.value(), entry.bytes()), (form, Some(value), before));
                assert_eq!(entry.expiry(), NonZeroU64::new(1));
                entry.replace(Some(value.into()), None, LATE);
                assert_eq!(entry.form(), Form::Whole);
                entry.replace(None, None, LATE);
                entry.set_form(form);
                assert_eq!((entry.form(), entry.is_tombstone()), (Form::Whole, true));
            }
        }
    }

    #[test]
    fn an_expiry_takes_eight_bytes_where_there_is_one() {
        let mut entry = Entry::new(Database::ZERO, b"color", Some(b"red".into()), None, EARLY);
        let before = entry.bytes();
        entry.replace(Some(b"red".into()), NonZeroU64::new(1), LATE);
        assert_eq!((entry.value(), entry.expiry(), entry.bytes()), (Some(&b"red"[..]), NonZeroU64::new(1), before + 8));
        entry.replace(Some(b"blue".into()), None, LATE);
        assert_eq!((entry.value(), entry.expiry()), (Some(&b"blue"[..]), None));
        entry.replace(None, NonZeroU64::new(1), LATE);
        assert_eq!((entry.value(), entry.expiry()), (None, None));
    }

    #[test]
    fn a_database_stays_whatever_is_written_and_costs_nothing() {
        for database in Database::all() {
            let mut entry = Entry::new(database, b"color", Some(b"red".into()), None, EARLY);
            let before = entry.bytes();
            for value in [&b"blue"[..], b"gray", &[7; SHARED_BYTES_MIN], b"red"] {
                entry.replace(Some(value.into()), None, LATE);
                assert_eq!((entry.database(), entry.stamp(), entry.key()), (database, LATE, &b"color"[..]));
            }
            assert_eq!(entry.bytes(), before);
            entry.replace(None, None, EARLY);
            assert_eq!((entry.database(), entry.stamp()), (database, EARLY));
        }
    }

    #[test]
    fn a_deletion_keeps_key_and_stamp() {
        let mut entry = Entry::new(Database::ZERO, b"color", Some((&[b'x'; 1000]).into()), None, EARLY);
        let before = entry.bytes();
        entry.replace(None, None, LATE);
        assert_eq!(
            (entry.key(), entry.value(), entry.stamp(), entry.is_tombstone()),
            (&b"color"[..], None, LATE, true)
        );
        assert!(entry.bytes() < before);
    }

    #[test]
    fn the_same_size_stays_in_place_and_other_sizes_move() {
        let mut entry = Entry::new(Database::ZERO, b"color", Some(b"blue".into()), None, EARLY);
        let place = entry.header;
        entry.replace(Some(b"gray".into()), None, LATE);
        assert_eq!((entry.header, entry.value()), (place, Some(&b"gray"[..])));
        entry.replace(Some((&[b'g'; 4000]).into()), None, LATE);
        assert_eq!((entry.key(), entry.value()), (&b"color"[..], Some(&[b'g'; 4000][..])));
    }

    #[test]
    fn a_large_value_is_shared_and_freed_with_the_last_who_has_it() {
        let whole = Bytes::from(vec![b'x'; (1 << 20) + 10]);
        let part = Value::from(&whole).part(3..(1 << 20) + 3);
        for expiry in [None, NonZeroU64::new(7)] {
            let mut entry = Entry::new(Database::ZERO, b"color", Some(part), expiry, EARLY);
            assert_eq!(entry.value().map(<[u8]>::as_ptr), Some(part.as_ptr()), "no copy");
            assert_eq!((entry.value(), entry.expiry()), (Some(part.bytes()), expiry));
            assert!(entry.bytes() > SHARED_BYTES_MIN);
            entry.replace(Some((&[7; SHARED_BYTES_MIN]).into()), expiry, LATE);
            assert!(whole.is_unique());
            assert_eq!((entry.value(), entry.expiry()), (Some(&[7; SHARED_BYTES_MIN][..]), expiry));
            entry.replace(Some(part), expiry, LATE);
            let kept = entry.shared().cloned();
            entry.replace(None, None, LATE);
            assert_eq!((entry.value(), entry.bytes()), (None, allocation_bytes(5, 0, false)));
            assert_eq!(kept.as_deref(), Some(part.bytes()));
        }
        assert!(whole.is_unique());
        let mut entry = Entry::new(Database::ZERO, b"color", Some(part), None, EARLY);
        for _ in 0..1_000_000 {
            let again = Value::new(entry.value().unwrap_or_default(), entry.shared()).lend();
            entry.replace(Some((&again).into()), None, LATE);
        }
        assert_eq!(entry.value().map(<[u8]>::as_ptr), Some(part.as_ptr()), "still no copy, and nothing around it");
        drop(entry);
    }
}
