//! Changes as they lie in a frame, and what the sender says about itself beside them.

use std::num::NonZeroU64;

use super::codec::{Reader, put_u16, put_u32, put_u64};
use super::framing::{self, Kind};
use super::vector::VersionVector;
use crate::store::{Database, EXPIRY_MS_MAX, Expiry, KEY_BYTES_MAX, Stamp, VALUE_BYTES_MAX};

/// Length of a value that is none.
const DELETED: u32 = u32::MAX;
/// In the length of a value: its expiry comes before the key.
const EXPIRES: u32 = 1 << 30;
/// In the length of a value: it has come before, in chunks.
const CHUNKED: u32 = 1 << 29;

/// Changes of a frame at most: applied in about a millisecond.
pub const CHANGES_MAX: usize = 2 << 10;

/// Sent by a side whose peer lacks changes, with those changes behind it, which the listener applies in one step; and
/// without any where the listener is to hear how far the cursors are, or a new claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// All own writes up to this position were sent, here included.
    pub direct: u64,
    /// All others up to this position were sent or are had.
    pub relay: u64,
    /// With this frame the listener has all of this, or newer.
    pub claims: VersionVector,
}

/// One change on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireChange<'a> {
    /// When and by whom it was written.
    pub stamp: Stamp,
    /// The database of its key: other than 0 for nodes of version 6 on alone.
    pub database: Database,
    /// The key.
    pub key: &'a [u8],
    /// The value; `None` where the key was deleted.
    pub value: Option<&'a [u8]>,
    /// When the value expires.
    pub expiry: Expiry,
    /// Length of a value that goes before the frame, in chunks, and not with the change; else 0.
    pub chunked: usize,
}

/// The changes of a frame, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes<'a>(&'a [u8]);

impl Progress {
    /// Writes the frame with the changes, encoded by [`WireChange::encode`].
    pub fn encode(&self, changes: &[u8], out: &mut Vec<u8>) {
        framing::frame(Kind::Changes, out, |out| {
            put_u64(out, self.direct);
            put_u64(out, self.relay);
            self.claims.encode(out);
            out.extend_from_slice(changes);
        });
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<(Progress, Changes<'a>)> {
        let [direct, relay] = reader.numbers()?;
        let progress = Progress { direct, relay, claims: VersionVector::decode_short(reader)? };
        let changes = Changes(reader.rest());
        for _ in 0..CHANGES_MAX {
            if !reader.is_empty() {
                WireChange::decode(reader)?;
            }
        }
        Some((progress, changes))
    }
}

impl WireChange<'_> {
    /// Writes one change of a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u16(out, self.key.len() as u16);
        let expires = if self.expiry.is_some() { EXPIRES } else { 0 };
        let chunked = if self.chunked > 0 { CHUNKED } else { 0 };
        put_u32(out, self.value.map_or(DELETED, |value| value.len().max(self.chunked) as u32 | expires | chunked));
        put_u64(out, self.stamp.clock);
        put_u16(out, self.database.join(self.stamp.node));
        if let (Some(_), Some(expiry)) = (self.value, self.expiry) {
            put_u64(out, expiry.get());
        }
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value.unwrap_or_default());
    }

    fn decode<'a>(reader: &mut Reader<'a>) -> Option<WireChange<'a>> {
        let (key_bytes, value_bytes) = (reader.u16()?, reader.u32()?);
        let clock = reader.u64()?;
        let (database, node) = Database::split(reader.u16()?);
        let stamp = Stamp { clock, node };
        let is_deleted = value_bytes == DELETED;
        let expiry = if is_deleted || value_bytes & EXPIRES == 0 { None } else { Some(expiry(reader.u64()?)?) };
        let key = reader.bytes(key_bytes.into())?;
        let length = (value_bytes & !(EXPIRES | CHUNKED)) as usize;
        let chunked = if !is_deleted && value_bytes & CHUNKED != 0 { length } else { 0 };
        let value = if is_deleted { None } else { Some(reader.bytes(length - chunked)?) };
        let fits = (!key.is_empty() || value.is_none())
            && key.len() <= KEY_BYTES_MAX
            && (is_deleted || length <= VALUE_BYTES_MAX);
        fits.then_some(WireChange { stamp, database, key, value, expiry, chunked })
    }
}

fn expiry(unix_ms: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(unix_ms).filter(|expiry| expiry.get() <= EXPIRY_MS_MAX)
}

impl<'a> Changes<'a> {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// In the order they were made.
    pub fn iter(self) -> impl Iterator<Item = WireChange<'a>> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || WireChange::decode(&mut reader))
    }
}
