//! Changes copied out of the store, on their way to the data file and back: plain bytes that may cross a thread.

use bytes::Bytes;

use super::{Database, Expiry, Floors, Stamp, Value};

/// Length of a value that is none.
const DELETED: u32 = u32::MAX;
/// In the length of a value: it lies in shared memory, and its number there follows the key.
const SHARED: u32 = 1 << 30;

/// One change; its key begins at `start` in the batch's bytes, its value follows. 40 bytes.
struct Row {
    position: u64,
    clock: u64,
    expiry: Expiry,
    start: u32,
    slot: u32,
    value_bytes: u32,
    key_bytes: u16,
    /// The node of its stamp and the database of its key, [together](Database::join).
    origin: u16,
}

/// Changes and the slots that lost their entry, in one reusable piece of memory.
#[derive(Default)]
pub struct Batch {
    rows: Vec<Row>,
    bytes: Vec<u8>,
    shared: Vec<Bytes>,
    shared_bytes: usize,
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
    /// The database of its key.
    pub database: Database,
    /// The key.
    pub key: &'a [u8],
    /// The value; `None` where the key was deleted.
    pub value: Option<&'a [u8]>,
    /// The memory that the value lies in, where it is [large](super::value::SHARED_BYTES_MIN).
    pub shared: Option<&'a Bytes>,
    /// When the value expires.
    pub expiry: Expiry,
}

impl<'a> Change<'a> {
    /// Whether it is a flush of its database.
    pub fn is_floor(&self) -> bool {
        self.key.is_empty()
    }

    /// The value with the memory it lies in.
    pub fn shared_value(&self) -> Option<Value<'a>> {
        self.value.map(|value| Value::new(value, self.shared))
    }
}

impl Batch {
    /// Copies a change in, but for a large value, which is shared. A batch holds less than 4 GiB.
    pub fn push(&mut self, change: Change<'_>) {
        let Change { slot, position, stamp, database, key, value, shared, expiry } = change;
        let start = u32::try_from(self.bytes.len()).expect("callers bound the bytes of a batch");
        self.bytes.extend_from_slice(key);
        let mut value_bytes = value.map_or(DELETED, |value| value.len() as u32);
        if let Some(shared) = shared {
            value_bytes |= SHARED;
            self.bytes.extend_from_slice(&(self.shared.len() as u32).to_le_bytes());
            self.shared_bytes += shared.len();
            self.shared.push(shared.clone());
        } else {
            self.bytes.extend_from_slice(value.unwrap_or_default());
        }
        self.rows.push(Row {
            position,
            clock: stamp.clock,
            expiry,
            start,
            slot,
            value_bytes,
            key_bytes: key.len() as u16,
            origin: database.join(stamp.node),
        });
    }

    /// Copies all of another batch in, after what is there.
    pub fn append(&mut self, other: &Batch) {
        self.retired.extend_from_slice(&other.retired);
        other.changes().for_each(|change| self.push(change));
    }

    /// Puts the changes in the order of their slots, those of one slot in the order of their positions.
    pub fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| (row.slot, row.position));
    }

    /// The changes in the order they were put in, or sorted.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().map(|row| {
            let (key, rest) = self.bytes[row.start as usize..].split_at(row.key_bytes.into());
            let (database, node) = Database::split(row.origin);
            let stamp = Stamp { clock: row.clock, node };
            let shared = (row.value_bytes != DELETED && row.value_bytes & SHARED != 0).then(|| {
                let number = rest.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
                &self.shared[number as usize]
            });
            let value = match shared {
                Some(shared) => Some(&shared[..]),
                None => (row.value_bytes != DELETED).then(|| &rest[..row.value_bytes as usize]),
            };
            Change { slot: row.slot, position: row.position, stamp, database, key, value, shared, expiry: row.expiry }
        })
    }

    /// Bytes of keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Memory in use.
    pub fn memory_bytes(&self) -> usize {
        self.bytes() + self.rows.len() * size_of::<Row>() + self.retired.len() * 4
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.retired.is_empty()
    }

    /// The latest flush of each database among the changes.
    pub fn floors(&self) -> Floors {
        let mut floors = Floors::default();
        self.changes().filter(Change::is_floor).for_each(|change| floors.raise(change.database, change.stamp));
        floors
    }

    /// Empties it; its memory stays, unless a large value has blown it up past `bytes_kept`.
    pub fn clear(&mut self, bytes_kept: usize) {
        self.rows.clear();
        self.rows.shrink_to(bytes_kept / size_of::<Row>());
        self.retired.clear();
        self.retired.shrink_to(bytes_kept / size_of::<u32>());
        self.shared.clear();
        self.shared_bytes = 0;
        self.bytes.clear();
        self.bytes.shrink_to(bytes_kept);
    }
}
