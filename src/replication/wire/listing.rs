//! A full listing of what the speaker holds, in several frames.

use super::codec::{Reader, put_u64};
use super::cursor::{put_stamp, stamp};
use super::framing::{self, Kind};
use super::vector::VersionVector;
use crate::store::Stamp;

/// Items of a frame at most.
pub(crate) const ITEMS_MAX: usize = 1 << 10;
const ITEM_BYTES: usize = 18;

/// Sent after all changes, by a side whose peer may hold what was deleted so long ago that the deletion is forgotten:
/// one `Begin`, frames of `Items`, one `End`. The listener drops what the vector covers and the items do not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing<'a> {
    /// It begins; an entry of the listener that the vector covers and that will not be listed was deleted.
    Begin(VersionVector),
    /// The hash of a key, and its stamp; more may follow.
    Items(Items<'a>),
    /// It is complete.
    End,
}

/// The items of a frame, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items<'a>(&'a [u8]);

impl Listing<'_> {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Listing, out, |out| match self {
            Listing::Begin(vector) => {
                out.push(0);
                vector.encode(out);
            }
            Listing::Items(items) => {
                out.push(1);
                out.extend_from_slice(items.0);
            }
            Listing::End => out.push(2),
        });
    }

    pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Option<Listing<'a>> {
        Some(match reader.u8()? {
            0 => Listing::Begin(VersionVector::decode_short(reader)?),
            1 => {
                let items = reader.bytes(reader.left())?;
                let fits = items.len().is_multiple_of(ITEM_BYTES) && items.len() <= ITEMS_MAX * ITEM_BYTES;
                Listing::Items(fits.then_some(Items(items))?)
            }
            2 => Listing::End,
            _ => return None,
        })
    }
}

impl<'a> Items<'a> {
    /// Appends one item to those that [`Items::of`] is made of.
    pub fn put(hash: u64, stamp: Stamp, items: &mut Vec<u8>) {
        put_u64(items, hash);
        put_stamp(items, stamp);
    }

    /// What [`Items::put`] has appended.
    pub fn of(items: &'a [u8]) -> Items<'a> {
        Items(items)
    }

    /// Hashes and stamps.
    pub fn iter(self) -> impl Iterator<Item = (u64, Stamp)> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || Some((reader.u64()?, stamp(&mut reader)?)))
    }
}
