//! Changes as they lie in a frame.

use std::num::NonZeroU64;

use super::codec::{Reader, put_u16, put_u32, put_u64};
use crate::store::{EXPIRY_MS_MAX, Expiry, KEY_BYTES_MAX, Stamp, VALUE_BYTES_MAX};

/// Length of a value that is none.
const DELETED: u32 = u32::MAX;
/// In the length of a value: its expiry comes before the key.
const EXPIRES: u32 = 1 << 30;
/// In the length of a value: it has come before, in parts.
const APART: u32 = 1 << 29;

/// One change on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    /// When and by whom it was written.
    pub stamp: Stamp,
    /// The key.
    pub key: &'a [u8],
    /// The value; `None` where the key was deleted.
    pub value: Option<&'a [u8]>,
    /// When the value expires.
    pub expiry: Expiry,
    /// Length of a value that goes before the frame, in parts, and not with the change; else 0.
    pub apart: usize,
}

/// The changes of a frame, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes<'a>(&'a [u8]);

impl Sent<'_> {
    /// Writes one change of a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.key.len() as u16);
        let expires = if self.expiry.is_some() { EXPIRES } else { 0 };
        let apart = if self.apart > 0 { APART } else { 0 };
        put_u32(out, self.value.map_or(DELETED, |value| value.len().max(self.apart) as u32 | expires | apart));
        put_u64(out, self.stamp.clock);
        put_u16(out, self.stamp.node);
        if let (Some(_), Some(expiry)) = (self.value, self.expiry) {
            put_u64(out, expiry.get());
        }
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value.unwrap_or_default());
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Sent<'a>> {
        let (key_bytes, value_bytes) = (reader.u16()?, reader.u32()?);
        let stamp = Stamp { clock: reader.u64()?, node: reader.u16()? };
        let is_deleted = value_bytes == DELETED;
        let expiry = if is_deleted || value_bytes & EXPIRES == 0 { None } else { Some(expiry(reader.u64()?)?) };
        let key = reader.bytes(key_bytes.into())?;
        let length = (value_bytes & !(EXPIRES | APART)) as usize;
        let apart = if !is_deleted && value_bytes & APART != 0 { length } else { 0 };
        let value = if is_deleted { None } else { Some(reader.bytes(length - apart)?) };
        let fits = (!key.is_empty() || value.is_none())
            && key.len() <= KEY_BYTES_MAX
            && (is_deleted || length <= VALUE_BYTES_MAX);
        fits.then_some(Sent { stamp, key, value, expiry, apart })
    }
}

fn expiry(unix_ms: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(unix_ms).filter(|expiry| expiry.get() <= EXPIRY_MS_MAX)
}

impl<'a> Changes<'a> {
    /// Bytes that [`Sent::decode`] has understood.
    pub(super) fn checked(bytes: &'a [u8]) -> Changes<'a> {
        Changes(bytes)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// In the order they were made.
    pub fn iter(self) -> impl Iterator<Item = Sent<'a>> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || Sent::decode(&mut reader))
    }
}
