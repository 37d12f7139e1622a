//! The change list: every slot once, at the position of its latest change, oldest first.
//!
//! Everybody who follows the store walks this list from the position it has reached, so a follower costs one integer
//! and sees one change per key. Positions rise by one with every change and are never reused.
//!
//! The list is cut into segments. An overwritten change leaves a hole in its segment; a sealed segment that is
//! half holes is squeezed, and joined with a neighbour where both fit in one. Each append thus pays for at most two
//! moved changes, and the longest single step moves `SEGMENT` of them.

use std::collections::BTreeMap;

use slab::Slab;

/// Changes of one segment: 16 KiB of them, squeezed in some 20 us.
pub const SEGMENT: usize = 1 << SEGMENT_BITS;
const SEGMENT_BITS: u32 = 12;
/// No slot: the change that stood here has been overwritten.
const HOLE: u32 = u32::MAX;

/// Where in the list a slot stands: segment and offset in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

impl Place {
    fn new(segment: usize, offset: usize) -> Place {
        Place(u32::try_from(segment << SEGMENT_BITS | offset).expect("slots run out before segments"))
    }

    fn segment(self) -> usize {
        self.0 as usize >> SEGMENT_BITS
    }

    fn offset(self) -> usize {
        self.0 as usize & (SEGMENT - 1)
    }
}

/// Invariant: positions rise with the offset; `live` of the `slots` are not holes, `tombstones` of these are deletions.
#[derive(Default)]
struct Segment {
    base: u64,
    slots: Vec<u32>,
    /// Position less `base`, by offset. Empty where it is the offset itself, as in a segment never squeezed.
    deltas: Vec<u32>,
    live: u32,
    tombstones: u32,
}

impl Segment {
    fn position(&self, offset: usize) -> u64 {
        self.base + self.deltas.get(offset).map_or(offset as u64, |&delta| delta.into())
    }

    /// Offset of the first change after `position`.
    fn offset_after(&self, position: u64) -> usize {
        match position.checked_sub(self.base) {
            None => 0,
            Some(delta) if self.deltas.is_empty() => delta.saturating_add(1).min(self.slots.len() as u64) as usize,
            Some(delta) => self.deltas.partition_point(|&other| u64::from(other) <= delta),
        }
    }

    fn changes(&self) -> impl Iterator<Item = (u64, u32)> {
        self.changes_from(0)
    }

    fn changes_after(&self, position: u64) -> impl Iterator<Item = (u64, u32)> {
        self.changes_from(self.offset_after(position))
    }

    fn changes_from(&self, offset: usize) -> impl Iterator<Item = (u64, u32)> {
        (offset..self.slots.len()).filter(|&at| self.slots[at] != HOLE).map(|at| (self.position(at), self.slots[at]))
    }

    fn is_sparse(&self) -> bool {
        self.live as usize * 2 <= self.slots.len()
    }
}

/// See the module. Invariant: `order` names every segment by its base; the last one is `tail`, all others are sealed
/// and have a live change.
pub struct ChangeList {
    segments: Slab<Segment>,
    order: BTreeMap<u64, usize>,
    tail: usize,
    next: u64,
}

impl ChangeList {
    /// An empty list whose first change gets the position `first`.
    pub fn new(first: u64) -> ChangeList {
        let mut segments = Slab::new();
        let tail = segments.insert(Segment { base: first, ..Segment::default() });
        ChangeList { segments, order: BTreeMap::from([(first, tail)]), tail, next: first }
    }

    /// Takes in a change of an earlier incarnation; they come in rising order, before any [`ChangeList::append`].
    pub fn restore(&mut self, position: u64, slot: u32, deleted: bool) -> Place {
        let tail = &self.segments[self.tail];
        let fits = tail.slots.len() < SEGMENT && position - tail.base <= u32::MAX.into();
        if !fits || tail.slots.is_empty() {
            self.begin_segment(position);
        }
        let segment = &mut self.segments[self.tail];
        segment.slots.push(slot);
        segment.deltas.push((position - segment.base) as u32);
        segment.live += 1;
        segment.tombstones += u32::from(deleted);
        Place::new(self.tail, segment.slots.len() - 1)
    }

    /// Ends a run of [`ChangeList::restore`]: the next change gets the position `first`, above all restored ones.
    pub fn begin_at(&mut self, first: u64) {
        self.begin_segment(first);
        self.next = first;
    }

    /// Gives the slot's change the next position.
    pub fn append(&mut self, slot: u32, deleted: bool, moved: impl FnMut(u32, Place)) -> Place {
        if self.segments[self.tail].slots.len() == SEGMENT {
            let full = self.tail;
            self.begin_segment(self.next);
            // A full tail without a live change is gone already, and its number may be the new tail's.
            if full != self.tail && self.segments.get(full).is_some_and(Segment::is_sparse) {
                self.squeeze(full, moved);
            }
        }
        let segment = &mut self.segments[self.tail];
        if segment.slots.capacity() == 0 {
            segment.slots.reserve_exact(SEGMENT);
        }
        let place = Place::new(self.tail, segment.slots.len());
        segment.slots.push(slot);
        segment.live += 1;
        segment.tombstones += u32::from(deleted);
        self.next += 1;
        place
    }

    /// Leaves a hole where a change stood. `moved` hears of every slot that gets another place by it.
    pub fn vacate(&mut self, place: Place, deleted: bool, moved: impl FnMut(u32, Place)) {
        let segment = &mut self.segments[place.segment()];
        debug_assert_ne!(segment.slots[place.offset()], HOLE);
        segment.slots[place.offset()] = HOLE;
        segment.live -= 1;
        segment.tombstones -= u32::from(deleted);
        if place.segment() != self.tail && segment.is_sparse() {
            self.squeeze(place.segment(), moved);
        }
    }

    /// The changes after `position`, oldest first. Finding the first costs a search among segments.
    pub fn after(&self, position: u64) -> impl Iterator<Item = (u64, u32)> {
        self.after_in(position, |_| true)
    }

    /// As [`ChangeList::after`], without a look at segments that hold no deletion.
    pub fn near_tombstones_after(&self, position: u64) -> impl Iterator<Item = (u64, u32)> {
        self.after_in(position, |segment| segment.tombstones > 0)
    }

    fn after_in(&self, position: u64, wanted: fn(&Segment) -> bool) -> impl Iterator<Item = (u64, u32)> {
        let first = self.order.range(..=position).next_back().map_or(0, |(&base, _)| base);
        let segments = self.order.range(first..).map(|(_, &id)| &self.segments[id]);
        segments.filter(move |segment| wanted(segment)).flat_map(move |segment| segment.changes_after(position))
    }

    /// Number of changes after `position`. O(segments).
    pub fn count_after(&self, position: u64) -> usize {
        let first = self.order.range(..=position).next_back().map_or(0, |(&base, _)| base);
        let mut segments = self.order.range(first..).map(|(_, &id)| &self.segments[id]);
        let partial = segments.next().map_or(0, |segment| segment.changes_after(position).count());
        partial + segments.map(|segment| segment.live as usize).sum::<usize>()
    }

    /// Looks at what stands there and at its position.
    pub fn glance(&self, place: Place) -> usize {
        let Some(segment) = self.segments.get(place.segment()) else { return 0 };
        let at = |numbers: &[u32]| numbers.get(place.offset()).map_or(0, |&number| number as usize);
        at(&segment.slots) ^ at(&segment.deltas)
    }

    /// The position of the change that stands there.
    pub fn position(&self, place: Place) -> u64 {
        self.segments[place.segment()].position(place.offset())
    }

    /// The position of the latest change.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// Bytes that the list takes.
    pub fn bytes(&self) -> usize {
        self.segments
            .iter()
            .map(|(_, one)| (one.slots.capacity() + one.deltas.capacity()) * 4 + size_of::<Segment>())
            .sum()
    }

    /// Ends the tail, drops it where nothing in it lives, and begins a new one.
    fn begin_segment(&mut self, base: u64) {
        let tail = &self.segments[self.tail];
        if tail.live == 0 {
            self.order.remove(&tail.base);
            self.segments.remove(self.tail);
        }
        self.tail = self.segments.insert(Segment { base, ..Segment::default() });
        self.order.insert(base, self.tail);
    }

    /// Rewrites a sealed segment without its holes, together with a sealed neighbour where both fit.
    fn squeeze(&mut self, id: usize, mut moved: impl FnMut(u32, Place)) {
        let base = self.segments[id].base;
        if self.segments[id].live == 0 {
            self.order.remove(&base);
            self.segments.remove(id);
            return;
        }
        let before = self.order.range(..base).next_back().map(|(_, &other)| other);
        let after = self.order.range(base + 1..).next().map(|(_, &other)| other);
        let [older, newer] = match (before, after) {
            (Some(other), _) if self.can_join(other, id) => [Some(other), Some(id)],
            (_, Some(other)) if other != self.tail && self.can_join(id, other) => [Some(id), Some(other)],
            _ => [Some(id), None],
        };
        let mut sources = [older, newer].into_iter().flatten().map(|id| {
            let segment = self.segments.remove(id);
            self.order.remove(&segment.base);
            segment
        });
        let older = sources.next().expect("the segment itself is among them");
        let newer = sources.next().unwrap_or_default();
        drop(sources);
        let live = older.live + newer.live;
        let mut joined = Segment {
            base: older.base,
            slots: Vec::with_capacity(live as usize),
            deltas: Vec::with_capacity(live as usize),
            live,
            tombstones: older.tombstones + newer.tombstones,
        };
        let id = self.segments.vacant_key();
        for (position, slot) in older.changes().chain(newer.changes()) {
            moved(slot, Place::new(id, joined.slots.len()));
            joined.slots.push(slot);
            joined.deltas.push((position - joined.base) as u32);
        }
        self.order.insert(joined.base, id);
        self.segments.insert(joined);
    }

    fn can_join(&self, older: usize, newer: usize) -> bool {
        let (older, newer) = (&self.segments[older], &self.segments[newer]);
        let end = newer.position(newer.slots.len() - 1);
        (older.live + newer.live) as usize <= SEGMENT && end - older.base <= u32::MAX.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list with the places it hands out, as the store keeps them.
    struct Followed {
        list: ChangeList,
        places: BTreeMap<u32, Place>,
    }

    impl Followed {
        fn new() -> Followed {
            Followed { list: ChangeList::new(1), places: BTreeMap::new() }
        }

        fn change(&mut self, slot: u32) {
            let places = &mut self.places;
            if let Some(place) = places.get(&slot).copied() {
                self.list.vacate(place, false, |slot, place| {
                    places.insert(slot, place);
                });
            }
            let place = self.list.append(slot, false, |slot, place| {
                places.insert(slot, place);
            });
            places.insert(slot, place);
        }

        fn changes_after(&self, position: u64) -> Vec<(u64, u32)> {
            self.list.after(position).collect()
        }
    }

    #[test]
    fn a_walk_shows_each_slot_once_at_its_latest_position() {
        let mut followed = Followed::new();
        for slot in [7, 8, 7, 9, 8] {
            followed.change(slot);
        }
        assert_eq!(followed.changes_after(0), [(3, 7), (4, 9), (5, 8)]);
        assert_eq!(followed.changes_after(3), [(4, 9), (5, 8)]);
        assert_eq!(followed.changes_after(5), []);
    }

    #[test]
    fn one_key_changed_a_million_times_costs_one_segment() {
        let mut followed = Followed::new();
        (0..1_000_000).for_each(|_| followed.change(0));
        assert_eq!(followed.changes_after(0), [(1_000_000, 0)]);
        assert!(followed.list.segments.len() <= 2);
    }

    #[test]
    fn holes_never_outnumber_live_changes_by_more_than_the_tail() {
        let mut followed = Followed::new();
        let mut random = 1_u64;
        for _ in 0..400_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            followed.change((random >> 33) as u32 % 20_000);
        }
        let slots: usize = followed.list.segments.iter().map(|(_, segment)| segment.slots.len()).sum();
        assert!(slots <= 2 * 20_000 + SEGMENT, "{slots} slots for 20,000 changes");
        assert!(followed.changes_after(0).is_sorted());
        assert_eq!(followed.changes_after(0).len(), followed.places.len());
        for (&slot, &place) in &followed.places {
            let position = followed.list.position(place);
            assert_eq!(followed.list.after(position - 1).next(), Some((position, slot)));
        }
    }

    #[test]
    fn restored_changes_keep_their_positions_however_far_apart() {
        let mut list = ChangeList::new(1);
        for (position, slot) in [(5, 1), (6, 2), (1 << 40, 3)] {
            list.restore(position, slot, false);
        }
        list.begin_at(1 << 50);
        assert_eq!(list.after(0).collect::<Vec<_>>(), [(5, 1), (6, 2), (1 << 40, 3)]);
        assert_eq!(list.after(6).collect::<Vec<_>>(), [(1 << 40, 3)]);
        assert_eq!(list.last(), (1 << 50) - 1);
    }
}
