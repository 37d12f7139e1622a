//! The change list against "sort by last change".

use std::collections::BTreeMap;

use kvstoreapp::store::changes::{ChangeList, Place};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::for_all;
use crate::random::Random;

/// Slots there are at most.
const SLOTS: usize = 12_000;
/// What the list may take: per live change, and beside them (the tail, a list that begins anew).
const BYTES_PER_CHANGE: usize = 17;
const BYTES_BESIDE: usize = 40 << 10;

/// A run of changes of one kind.
#[derive(Clone, Debug)]
enum Run {
    /// Any slot below this, alike.
    Uniform(usize),
    /// One slot, again and again.
    Hot(usize),
    /// One slot nine times of ten, any other else.
    NearlyHot(usize),
    /// One after the other.
    Sequential,
    /// Two of three are deletions, and each second deletion is forgotten.
    MostlyDeletes,
    /// Forget each so-many-th slot, which leaves holes everywhere.
    Thin(usize),
    /// A new life, so many positions further on.
    Restart(u64),
}

fn run() -> impl Strategy<Value = (Run, usize, u64)> {
    let run = prop_oneof![
        4 => (1..SLOTS).prop_map(Run::Uniform),
        1 => (0..SLOTS).prop_map(Run::Hot),
        1 => (0..SLOTS).prop_map(Run::NearlyHot),
        2 => Just(Run::Sequential),
        2 => Just(Run::MostlyDeletes),
        2 => (2_usize..5).prop_map(Run::Thin),
        2 => prop_oneof![0_u64..5_000, Just(1 << 31), Just(1 << 40)].prop_map(Run::Restart),
    ];
    (run, 1_usize..15_000, any::<u64>())
}

#[test]
fn every_walk_shows_each_slot_once_in_the_order_of_its_last_change() {
    for_all(48, vec(run(), 1..8), |runs| {
        let mut list = Followed::new();
        for (run, count, seed) in runs {
            list.go(run, count, &mut Random::new(seed));
            list.check(&mut Random::new(seed));
        }
    });
}

#[test]
fn one_hot_slot_among_many_costs_no_more_than_one_change() {
    let mut list = Followed::new();
    let mut random = Random::new(1);
    list.go(Run::Sequential, SLOTS, &mut random);
    list.go(Run::NearlyHot(5), 60_000, &mut random);
    list.check(&mut random);
}

#[test]
fn positions_further_apart_than_32_bits_stay_apart() {
    let mut list = Followed::new();
    let mut random = Random::new(1);
    for _ in 0..12 {
        list.go(Run::Uniform(6_000), 6_000, &mut random);
        list.go(Run::Restart(1 << 33), 1, &mut random);
        list.check(&mut random);
    }
}

/// The list with the places it gives out, as the store keeps them, and what it should show.
struct Followed {
    list: ChangeList,
    places: Vec<Option<Place>>,
    /// Position to slot and whether it is a deletion.
    expected: BTreeMap<u64, (u32, bool)>,
    last: u64,
    steps: usize,
}

impl Followed {
    fn new() -> Followed {
        Followed { list: ChangeList::new(1), places: vec![None; SLOTS], expected: BTreeMap::new(), last: 0, steps: 0 }
    }

    fn go(&mut self, run: Run, count: usize, random: &mut Random) {
        for step in 0..count {
            match run {
                Run::Uniform(slots) => self.change(random.below(slots), false),
                Run::Hot(slot) => self.change(slot, false),
                Run::NearlyHot(slot) if !random.once_in(10) => self.change(slot, false),
                Run::NearlyHot(_) => self.change(random.below(SLOTS), random.once_in(2)),
                Run::Sequential => self.change(step % SLOTS, false),
                Run::MostlyDeletes => {
                    let slot = random.below(SLOTS);
                    self.change(slot, !random.once_in(3));
                    if random.once_in(2) {
                        self.forget_deletion(slot);
                    }
                }
                Run::Thin(each) => self.forget(step * each % SLOTS),
                Run::Restart(gap) => return self.restart(gap),
            }
            self.steps += 1;
            if self.steps.is_multiple_of(2_003) {
                self.check(random);
            }
        }
    }

    fn change(&mut self, slot: usize, deleted: bool) {
        self.forget(slot);
        let Followed { list, places, .. } = self;
        let place = list.append(slot as u32, deleted, |slot, place| places[slot as usize] = Some(place));
        places[slot] = Some(place);
        self.last += 1;
        assert_eq!(self.list.last(), self.last, "positions rise by one");
        self.expected.insert(self.last, (slot as u32, deleted));
    }

    fn forget(&mut self, slot: usize) {
        let Some(place) = self.places[slot].take() else { return };
        let (_, deleted) = self.expected.remove(&self.list.position(place)).expect("a place names a live change");
        let places = &mut self.places;
        self.list.vacate(place, deleted, |slot, place| places[slot as usize] = Some(place));
    }

    fn forget_deletion(&mut self, slot: usize) {
        let is_deletion = |place| self.expected[&self.list.position(place)].1;
        if self.places[slot].is_some_and(is_deletion) {
            self.forget(slot);
        }
    }

    fn restart(&mut self, gap: u64) {
        self.list = ChangeList::new(1);
        for (&position, &(slot, deleted)) in &self.expected {
            self.places[slot as usize] = Some(self.list.restore(position, slot, deleted));
        }
        self.list.begin_at(self.last + 1 + gap);
        self.last += gap;
        assert_eq!(self.list.last(), self.last);
    }

    fn check(&self, random: &mut Random) {
        let Followed { list, places, expected, last, .. } = self;
        let all = expected.iter().map(|(&position, &(slot, _))| (position, slot));
        assert!(list.after(0).eq(all), "a walk is all changes by position");
        for (&position, &(slot, _)) in expected {
            let place = places[slot as usize].expect("each live change has a place");
            assert_eq!(list.position(place), position, "slot {slot} is where its place says");
        }
        for _ in 0..20 {
            let from = self.some_position(random);
            let after = expected.range(from + 1..);
            let shown = list.after(from).take(50);
            assert!(shown.eq(after.clone().take(50).map(|(&position, &(slot, _))| (position, slot))), "after {from}");
            let mut near = list.near_tombstones_after(from);
            let mut deletions =
                after.filter(|(_, (_, deleted))| *deleted).map(|(&position, &(slot, _))| (position, slot));
            assert!(deletions.all(|deletion| near.any(|shown| shown == deletion)), "a deletion after {from} is missed");
        }
        assert_eq!(list.after(*last).next(), None);
        let (bytes, limit) = (list.bytes(), BYTES_PER_CHANGE * expected.len() + BYTES_BESIDE);
        assert!(bytes <= limit, "{bytes} bytes for {} changes, at most {limit} are right", expected.len());
    }

    /// One that is there, one beside it, or anything.
    fn some_position(&self, random: &mut Random) -> u64 {
        let anything = random.number() % (self.last + 1);
        match self.expected.range(anything..).next() {
            Some((&position, _)) if random.once_in(2) => position - random.number() % 2,
            Some(_) | None => anything,
        }
    }
}
