//! A value on its way into the store and out of it.

use std::ops::Deref;

use bytes::Bytes;

/// Values from here on lie in memory that is shared, not copied, between the store, the data file's thread and whoever
/// they are sent to.
pub const SHARED_BYTES_MIN: usize = 64 << 10;

/// Frees the memory of a large value that nobody has any more, on whichever thread had it last: by another one, say, as
/// to give 64 MiB back to the system takes some milliseconds.
pub type Free = fn(Bytes);

/// A large value, until nobody has it any more.
struct Owner {
    bytes: Bytes,
    free: Free,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        (self.free)(std::mem::take(&mut self.bytes));
    }
}

/// Bytes, and where they are a part of memory that may be shared, that memory.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    bytes: &'a [u8],
    shared: Option<&'a Bytes>,
}

impl<'a> Value<'a> {
    /// `bytes` are a part of `shared`, if that is there.
    pub fn new(bytes: &'a [u8], shared: Option<&'a Bytes>) -> Value<'a> {
        Value { bytes, shared }
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// A part of it.
    pub fn part(self, range: std::ops::Range<usize>) -> Value<'a> {
        Value { bytes: &self.bytes[range], ..self }
    }

    /// Whether it is to be shared, not copied.
    pub fn is_large(self) -> bool {
        self.bytes.len() >= SHARED_BYTES_MIN
    }

    /// The value for a while: shared where it can be, else a copy.
    pub fn lend(self) -> Bytes {
        self.shared.map_or_else(|| Bytes::copy_from_slice(self.bytes), |whole| whole.slice_ref(self.bytes))
    }

    /// Memory that outlives the borrow, to be freed so: shared where it can be and is worth it, else a copy.
    pub(super) fn keep(self, free: Free) -> Bytes {
        match self.shared {
            // Somebody has it as it is.
            Some(whole) if whole.len() == self.bytes.len() => whole.clone(),
            // A part that keeps much more alive than itself is better copied.
            Some(whole) if self.is_large() && self.bytes.len() >= whole.len() / 2 => {
                owned(whole.slice_ref(self.bytes), free)
            }
            Some(_) | None => owned(Bytes::copy_from_slice(self.bytes), free),
        }
    }
}

/// Memory that comes in, to be freed so. Once: around what is owned already another owner would only be one more to be
/// gone through at the end.
pub(super) fn owned(bytes: Bytes, free: Free) -> Bytes {
    if bytes.len() < SHARED_BYTES_MIN { bytes } else { Bytes::from_owner(Owner { bytes, free }) }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Value<'a> {
        Value { bytes, shared: None }
    }
}

impl<'a, const LEN: usize> From<&'a [u8; LEN]> for Value<'a> {
    fn from(bytes: &'a [u8; LEN]) -> Value<'a> {
        Value { bytes, shared: None }
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Value<'a> {
        Value { bytes, shared: None }
    }
}

impl<'a> From<&'a Bytes> for Value<'a> {
    fn from(bytes: &'a Bytes) -> Value<'a> {
        Value { bytes, shared: Some(bytes) }
    }
}
