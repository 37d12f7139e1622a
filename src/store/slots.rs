//! Numbered homes for entries. A key keeps its slot for as long as it has an entry, so the number serves the hash
//! table, the change list and, as row id, the data file.
//!
//! Grows by a chunk at a time and never moves one. A freed slot is *retired* first, *announced* to whoever follows (the
//! data file), and vacant only once that is settled, so that a number is never taken anew behind a reader's back.

use std::collections::HashSet;

use super::changes::Place;
use super::entry::Entry;

/// Slots of a chunk: 48 KiB of them, allocated in one step.
const CHUNK: usize = 1 << 12;
/// No slot.
const NONE: u32 = u32::MAX;
/// Slots there can be; the last ones stay unused so that `NONE` and an overflow are impossible.
pub const SLOTS_MAX: u32 = u32::MAX - CHUNK as u32;

struct Chunk {
    entries: Box<[Option<Entry>]>,
    /// Place in the change list; of a slot without entry: the next one in its queue.
    places: Box<[Place]>,
}

/// First in, first out, threaded through the places of the slots without entry.
struct Queue {
    first: u32,
    last: u32,
    count: u32,
}

impl Queue {
    const EMPTY: Queue = Queue { first: NONE, last: NONE, count: 0 };
}

/// See the module.
pub struct Slots {
    chunks: Vec<Chunk>,
    used: u32,
    vacant: Queue,
    retired: Queue,
    announced: Queue,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { chunks: Vec::new(), used: 0, vacant: Queue::EMPTY, retired: Queue::EMPTY, announced: Queue::EMPTY }
    }
}

impl Slots {
    /// A home for the entry: a vacant slot, or a new one.
    pub fn insert(&mut self, entry: Entry) -> u32 {
        let slot = self.pop(|slots| &mut slots.vacant).unwrap_or_else(|| self.grow());
        *self.entry_mut(slot) = Some(entry);
        slot
    }

    /// A home for the entry at a number known from an earlier incarnation; the numbers below it that nobody claims
    /// before [`Slots::claimed`] become vacant.
    pub fn insert_at(&mut self, slot: u32, entry: Entry) {
        while self.used <= slot {
            self.grow();
        }
        debug_assert!(self.get(slot).is_none());
        *self.entry_mut(slot) = Some(entry);
    }

    /// Ends a run of [`Slots::insert_at`].
    pub fn claimed(&mut self) {
        let slot = |slot: u32| (slot != NONE).then_some(slot);
        let retired = std::iter::successors(slot(self.retired.first), |&last| slot(self.place(last).0));
        let retired: HashSet<u32> = retired.collect();
        for slot in 0..self.used {
            if self.get(slot).is_none() && !retired.contains(&slot) {
                self.push(|slots| &mut slots.vacant, slot);
            }
        }
    }

    /// Takes the entry out. The number stays out of use until it is announced and [`Slots::reuse_announced`].
    pub fn retire(&mut self, slot: u32) -> Entry {
        let entry = self.entry_mut(slot).take().expect("only a slot with an entry is retired");
        self.push(|slots| &mut slots.retired, slot);
        entry
    }

    /// Takes the entry out. The number may be used again at once.
    pub fn vacate(&mut self, slot: u32) -> Entry {
        let entry = self.entry_mut(slot).take().expect("only a slot with an entry is vacated");
        self.push(|slots| &mut slots.vacant, slot);
        entry
    }

    /// The longest retired slot, which is announced from here on.
    pub fn announce(&mut self) -> Option<u32> {
        let slot = self.pop(|slots| &mut slots.retired)?;
        self.push(|slots| &mut slots.announced, slot);
        Some(slot)
    }

    /// Everybody has taken note: announced slots are vacant. O(1).
    pub fn reuse_announced(&mut self) {
        let announced = std::mem::replace(&mut self.announced, Queue::EMPTY);
        let vacant = std::mem::replace(&mut self.vacant, Queue::EMPTY);
        self.vacant = self.join(vacant, announced);
    }

    /// Nobody has taken note: announced slots are to be announced again. O(1).
    pub fn retract_announced(&mut self) {
        let announced = std::mem::replace(&mut self.announced, Queue::EMPTY);
        let retired = std::mem::replace(&mut self.retired, Queue::EMPTY);
        self.retired = self.join(announced, retired);
    }

    /// Slots that nobody has been told about yet.
    pub fn retired(&self) -> u32 {
        self.retired.count
    }

    /// The entry that lives there.
    pub fn get(&self, slot: u32) -> Option<&Entry> {
        self.chunks[slot as usize / CHUNK].entries[slot as usize % CHUNK].as_ref()
    }

    /// The entry that lives there, to be changed.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entry_mut(slot).as_mut()
    }

    /// Where the change list holds the slot.
    pub fn place(&self, slot: u32) -> Place {
        self.chunks[slot as usize / CHUNK].places[slot as usize % CHUNK]
    }

    /// The change list holds the slot there from here on.
    pub fn set_place(&mut self, slot: u32, place: Place) {
        self.chunks[slot as usize / CHUNK].places[slot as usize % CHUNK] = place;
    }

    /// Whether another entry finds a number.
    pub fn is_full(&self) -> bool {
        self.used >= SLOTS_MAX && self.vacant.count == 0
    }

    fn entry_mut(&mut self, slot: u32) -> &mut Option<Entry> {
        &mut self.chunks[slot as usize / CHUNK].entries[slot as usize % CHUNK]
    }

    fn grow(&mut self) -> u32 {
        let slot = self.used;
        if slot as usize == self.chunks.len() * CHUNK {
            let entries = std::iter::repeat_with(|| None).take(CHUNK).collect();
            self.chunks.push(Chunk { entries, places: vec![Place(NONE); CHUNK].into_boxed_slice() });
        }
        self.used += 1;
        slot
    }

    fn push(&mut self, queue: fn(&mut Slots) -> &mut Queue, slot: u32) {
        self.set_place(slot, Place(NONE));
        let (first, last) = (queue(self).first, queue(self).last);
        if first == NONE {
            queue(self).first = slot;
        } else {
            self.set_place(last, Place(slot));
        }
        queue(self).last = slot;
        queue(self).count += 1;
    }

    fn join(&mut self, front: Queue, back: Queue) -> Queue {
        if front.count == 0 {
            return back;
        }
        self.set_place(front.last, Place(back.first));
        let last = if back.count == 0 { front.last } else { back.last };
        Queue { first: front.first, last, count: front.count + back.count }
    }

    fn pop(&mut self, queue: fn(&mut Slots) -> &mut Queue) -> Option<u32> {
        let slot = queue(self).first;
        if slot == NONE {
            return None;
        }
        queue(self).first = self.place(slot).0;
        queue(self).count -= 1;
        Some(slot)
    }
}
