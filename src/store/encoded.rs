//! A [`Batch`] as bytes on a disk, and read back from there without a copy.
//!
//! Two counts, the numbers of retired slots, a head of fixed length for each change, then all keys and values, each
//! change's key and value together. Numbers are little-endian. A deletion has all bits set as length, a key that stays
//! 0 as expiry.

use std::num::NonZeroU64;

use super::{Batch, Change, Database, KEY_BYTES_MAX, Restore, Stamp, VALUE_BYTES_MAX};

/// Length of a value that is none.
const DELETED: u32 = u32::MAX;
/// Position, clock, expiry, slot, length of the value, length of the key, node and database together.
const HEAD_BYTES: usize = 36;

/// An encoded batch whose every length and number was checked.
pub struct Encoded<'a> {
    retired: &'a [u8],
    heads: &'a [u8],
    payload: &'a [u8],
}

struct Head {
    position: u64,
    clock: u64,
    expiry: u64,
    slot: u32,
    value_bytes: u32,
    key_bytes: u16,
    origin: u16,
}

impl Head {
    fn decode(bytes: &[u8]) -> Head {
        let number = |at| u64::from_le_bytes(*bytes[at..].first_chunk().expect("a head is longer"));
        let half = |at| u32::from_le_bytes(*bytes[at..].first_chunk().expect("a head is longer"));
        let quarter = |at| u16::from_le_bytes(*bytes[at..].first_chunk().expect("a head is longer"));
        Head {
            position: number(0),
            clock: number(8),
            expiry: number(16),
            slot: half(24),
            value_bytes: half(28),
            key_bytes: quarter(32),
            origin: quarter(34),
        }
    }

    fn value_len(&self) -> usize {
        if self.value_bytes == DELETED { 0 } else { self.value_bytes as usize }
    }

    fn payload_bytes(&self) -> usize {
        usize::from(self.key_bytes) + self.value_len()
    }

    /// Whether it can have been written: see [`Restore`] for what a slot may be.
    fn is_possible(&self) -> bool {
        usize::from(self.key_bytes) <= KEY_BYTES_MAX
            && self.value_len() <= VALUE_BYTES_MAX
            && self.slot < Restore::SLOTS_MAX
            && self.position > 0
    }
}

impl Batch {
    /// Appends the batch to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(8 + 4 * self.retired.len() + HEAD_BYTES * self.len() + self.bytes());
        out.extend_from_slice(&(self.retired.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        self.retired.iter().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
        for change in self.changes() {
            let mut head = [0; HEAD_BYTES];
            head[..8].copy_from_slice(&change.position.to_le_bytes());
            head[8..16].copy_from_slice(&change.stamp.clock.to_le_bytes());
            head[16..24].copy_from_slice(&change.expiry.map_or(0, NonZeroU64::get).to_le_bytes());
            head[24..28].copy_from_slice(&change.slot.to_le_bytes());
            head[28..32].copy_from_slice(&change.value.map_or(DELETED, |value| value.len() as u32).to_le_bytes());
            head[32..34].copy_from_slice(&(change.key.len() as u16).to_le_bytes());
            head[34..].copy_from_slice(&change.database.join(change.stamp.node).to_le_bytes());
            out.extend_from_slice(&head);
        }
        for change in self.changes() {
            out.extend_from_slice(change.key);
            out.extend_from_slice(change.value.unwrap_or_default());
        }
    }
}

impl<'a> Encoded<'a> {
    /// `None` where the bytes are not what [`Batch::encode`] makes.
    pub fn decode(bytes: &'a [u8]) -> Option<Encoded<'a>> {
        let (retired, bytes) = bytes.split_first_chunk()?;
        let (changes, bytes) = bytes.split_first_chunk()?;
        let (retired, bytes) = bytes.split_at_checked(u32::from_le_bytes(*retired) as usize * 4)?;
        let (heads, payload) = bytes.split_at_checked(u32::from_le_bytes(*changes) as usize * HEAD_BYTES)?;
        let encoded = Encoded { retired, heads, payload };
        let payload_bytes: usize = encoded.heads().map(|head| head.payload_bytes()).sum();
        let possible = encoded.heads().all(|head| head.is_possible())
            && encoded.retired().all(|slot| slot < Restore::SLOTS_MAX)
            && payload_bytes == payload.len();
        possible.then_some(encoded)
    }

    /// Slots whose entry is gone altogether; that happened before any of the changes.
    pub fn retired(&self) -> impl Iterator<Item = u32> {
        self.retired.as_chunks().0.iter().map(|slot| u32::from_le_bytes(*slot))
    }

    /// The changes, last first.
    pub fn changes_back(&self) -> impl Iterator<Item = Change<'a>> {
        let mut rest = self.payload;
        self.heads().rev().map(move |head| {
            let (before, own) = rest.split_at(rest.len() - head.payload_bytes());
            rest = before;
            let (key, value) = own.split_at(head.key_bytes.into());
            let (database, node) = Database::split(head.origin);
            Change {
                slot: head.slot,
                position: head.position,
                stamp: Stamp { clock: head.clock, node },
                database,
                key,
                value: (head.value_bytes != DELETED).then_some(value),
                shared: None,
                expiry: NonZeroU64::new(head.expiry),
            }
        })
    }

    fn heads(&self) -> impl DoubleEndedIterator<Item = Head> + use<'a> {
        self.heads.chunks_exact(HEAD_BYTES).map(Head::decode)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn batch() -> Vec<u8> {
        let large = Bytes::from(vec![b'x'; 100_000]);
        let change = |slot, key, value, expiry| Change {
            slot,
            position: u64::from(slot) + 7,
            stamp: Stamp { clock: 1 << 50, node: 3 },
            database: Database::new(slot as usize).unwrap_or_default(),
            key,
            value,
            shared: None,
            expiry,
        };
        let mut batch = Batch::default();
        batch.retired = vec![5, 1];
        batch.push(change(1, b"color", Some(b"red"), None));
        batch.push(change(2, b"gone", None, None));
        batch.push(change(3, b"", Some(b""), NonZeroU64::new(9)));
        batch.push(Change { shared: Some(&large), ..change(4, b"large", Some(&large), None) });
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let encoded = Encoded::decode(&bytes).expect("it was just encoded");
        assert_eq!(encoded.retired().collect::<Vec<_>>(), [5, 1]);
        let mut back: Vec<_> = encoded.changes_back().map(|change| Change { shared: None, ..change }).collect();
        back.reverse();
        assert_eq!(back, batch.changes().map(|change| Change { shared: None, ..change }).collect::<Vec<_>>());
        bytes
    }

    #[test]
    fn a_batch_comes_back_as_it_was_and_nothing_cut_or_longer_is_taken_for_one() {
        let bytes = batch();
        assert!((0..bytes.len()).all(|end| Encoded::decode(&bytes[..end]).is_none()));
        assert!(Encoded::decode(&[&bytes[..], b"x"].concat()).is_none());
    }

    #[test]
    fn what_never_was_written_is_refused() {
        let bytes = batch();
        let first_head = 8 + 2 * 4;
        // The counts, a retired slot, and of the first change its slot and the lengths of its value and key.
        for at in [0, 4, 8, first_head + 24, first_head + 28, first_head + 32] {
            let mut wrong = bytes.clone();
            wrong[at..at + 4].fill(0xff);
            assert!(Encoded::decode(&wrong).is_none(), "byte {at}");
        }
        assert!(Encoded::decode(&[]).is_none());
        let mut empty = Vec::new();
        Batch::default().encode(&mut empty);
        assert!(Encoded::decode(&empty).is_some_and(|empty| empty.changes_back().count() == 0));
    }
}
