//! A small hash table of slots: open addressing over buckets of one cache line, with 16 bits of each slot's hash, its
//! *tag*.
//!
//! A bucket counts the slots that found it full and went on to the next one (as F14 does; Bronson & Shi, 2019), so that
//! a search knows where to end and a removal leaves nothing behind. Which bucket a slot belongs to follows from its
//! tag: the table grows, eight buckets at a time, without a look at any key. So one of some hundred keys is never
//! emptier than seven tenths, but where keys were removed, and all pieces of memory that tables are made of have one
//! size.

/// Slots of a bucket.
const WAYS: usize = 10;
/// Buckets that are allocated together, and how often.
const PAGE: usize = 8;
const PAGES: usize = 7;
/// Slots that a table takes for each of its pages: nine tenths.
const PAGE_SLOTS: usize = PAGE * WAYS * 9 / 10;
/// Slots that a table takes.
pub const SLOTS_MAX: usize = PAGE_SLOTS * PAGES;

/// 64 bytes.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Bucket {
    /// 0 where no slot is.
    tags: [u16; WAYS],
    /// Slots of buckets before it that are in one after it.
    passed: u16,
    slots: [u32; WAYS],
}

impl Bucket {
    /// The places with this tag, a bit each.
    fn matches(&self, tag: u16) -> u32 {
        self.tags.iter().enumerate().fold(0, |bits, (at, &other)| bits | u32::from(other == tag) << at)
    }

    /// The first place with this tag whose slot is the right one.
    fn find(&self, tag: u16, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        let mut bits = self.matches(tag);
        while bits != 0 {
            let at = bits.trailing_zeros() as usize;
            if is_it(self.slots[at]) {
                return Some(at);
            }
            bits &= bits - 1;
        }
        None
    }
}

/// See the module. 64 bytes, and 512 for each page.
#[derive(Default)]
#[repr(align(64))]
pub struct Table {
    pages: [Option<Box<[Bucket; PAGE]>>; PAGES],
    count: u16,
    page_count: u8,
    /// How many bits of the hash all its keys share.
    pub depth: u8,
}

impl Table {
    /// An empty table that takes so many slots without growing.
    pub fn with_room_for(slots: usize, depth: u8) -> Table {
        let mut table = Table { depth, ..Table::default() };
        (0..slots.div_ceil(PAGE_SLOTS)).for_each(|_| table.add_page());
        table
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.count.into()
    }

    /// All slots.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        self.tagged().map(|(_, slot)| slot)
    }

    /// The slot with this hash that is the right one.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        for at in self.probes(tag) {
            let bucket = self.bucket(at);
            if let Some(place) = bucket.find(tag, &mut is_it) {
                return Some(bucket.slots[place]);
            }
            if bucket.passed == 0 {
                break;
            }
        }
        None
    }

    /// Looks at the bucket in which a search begins.
    pub fn glance(&self, hash: u64) -> usize {
        self.probes(tag(hash)).next().map_or(0, |home| self.bucket(home).passed.into())
    }

    /// Adds a slot that is not there. The caller sees to it that there are fewer than [`SLOTS_MAX`].
    pub fn insert(&mut self, hash: u64, slot: u32) {
        if self.count() == usize::from(self.page_count) * PAGE_SLOTS {
            self.grow();
        }
        self.put(tag(hash), slot);
    }

    /// Takes a slot out. Returns whether it was there.
    pub fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let tag = tag(hash);
        for (distance, at) in self.probes(tag).enumerate() {
            let bucket = self.bucket_mut(at);
            if let Some(place) = bucket.find(tag, |other| other == slot) {
                bucket.tags[place] = 0;
                self.count -= 1;
                self.probes(tag).take(distance).for_each(|at| self.bucket_mut(at).passed -= 1);
                return true;
            }
        }
        false
    }

    fn put(&mut self, tag: u16, slot: u32) {
        for at in self.probes(tag) {
            let bucket = self.bucket_mut(at);
            if let Some(place) = bucket.find(0, |_| true) {
                (bucket.tags[place], bucket.slots[place]) = (tag, slot);
                self.count += 1;
                return;
            }
            bucket.passed += 1;
        }
        unreachable!("a tenth is free");
    }

    fn grow(&mut self) {
        let mut all = [(0, 0); SLOTS_MAX];
        let count = all.iter_mut().zip(self.tagged()).map(|(place, one)| *place = one).count();
        self.pages.iter_mut().flatten().for_each(|page| **page = Default::default());
        self.count = 0;
        self.add_page();
        all[..count].iter().for_each(|&(tag, slot)| self.put(tag, slot));
    }

    fn add_page(&mut self) {
        self.pages[usize::from(self.page_count)] = Some(Box::default());
        self.page_count += 1;
    }

    fn bucket(&self, at: usize) -> &Bucket {
        &self.pages[at / PAGE].as_ref().expect("as many as are counted")[at % PAGE]
    }

    fn bucket_mut(&mut self, at: usize) -> &mut Bucket {
        &mut self.pages[at / PAGE].as_mut().expect("as many as are counted")[at % PAGE]
    }

    fn tagged(&self) -> impl Iterator<Item = (u16, u32)> {
        let tagged = |bucket: &Bucket| bucket.tags.into_iter().zip(bucket.slots);
        let buckets = self.pages.iter().flatten().flat_map(|page| page.iter());
        buckets.flat_map(tagged).filter(|&(tag, _)| tag != 0)
    }

    /// All buckets in the order in which a slot with this tag looks for room.
    fn probes(&self, tag: u16) -> impl Iterator<Item = usize> + use<> {
        let count = usize::from(self.page_count) * PAGE;
        let home = (usize::from(tag) * count) >> 16;
        (home..home + count).map(move |at| if at < count { at } else { at - count })
    }
}

/// The highest 16 bits, but never 0.
fn tag(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::directory::KeyHasher;
    use super::*;

    fn hash(slot: u32) -> u64 {
        KeyHasher::new([1, 2]).hash(&slot.to_le_bytes())
    }

    fn filled() -> Table {
        let mut table = Table::default();
        (0..SLOTS_MAX as u32).for_each(|slot| table.insert(hash(slot), slot));
        table
    }

    fn buckets(table: &Table) -> impl Iterator<Item = &Bucket> {
        table.pages.iter().flatten().flat_map(|page| page.iter())
    }

    #[test]
    fn a_bucket_and_a_table_s_head_are_a_cache_line_each() {
        assert_eq!([size_of::<Bucket>(), align_of::<Bucket>()], [64, 64]);
        assert_eq!([size_of::<Table>(), align_of::<Table>()], [64, 64]);
    }

    #[test]
    fn a_table_that_grows_holds_each_slot_once_and_a_tenth_of_it_is_free_and_little_more() {
        let mut table = Table::default();
        assert_eq!(table.find(hash(0), |_| true), None);
        for slot in 0..SLOTS_MAX as u32 {
            table.insert(hash(slot), slot);
            assert_eq!(table.count(), slot as usize + 1);
            let (places, page) = (buckets(&table).count() * WAYS, PAGE * WAYS);
            assert!(table.count() * 10 <= places * 9 && table.count() * 10 > (places - page) * 9);
        }
        let mut slots: Vec<u32> = table.slots().collect();
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..SLOTS_MAX as u32));
    }

    #[test]
    fn what_is_taken_out_is_not_found_all_else_is_and_no_trace_is_left() {
        let mut table = filled();
        assert!(buckets(&table).any(|bucket| bucket.passed > 0), "some bucket has run over");
        for slot in (0..SLOTS_MAX as u32).step_by(2) {
            assert!(table.remove(hash(slot), slot) && !table.remove(hash(slot), slot));
        }
        for slot in 0..SLOTS_MAX as u32 {
            assert_eq!(table.find(hash(slot), |other| other == slot), (slot % 2 == 1).then_some(slot));
        }
        for slot in (1..SLOTS_MAX as u32).step_by(2) {
            assert!(table.remove(hash(slot), slot));
        }
        assert_eq!(table.count(), 0);
        assert!(buckets(&table).all(|bucket| bucket.passed == 0 && bucket.tags == [0; WAYS]));
    }

    #[test]
    fn slots_of_one_tag_fill_one_bucket_after_the_other() {
        let mut table = Table::default();
        (0..SLOTS_MAX as u32).for_each(|slot| table.insert(u64::MAX, slot));
        assert!((0..SLOTS_MAX as u32).all(|slot| table.find(u64::MAX, |other| other == slot) == Some(slot)));
        assert_eq!(table.find(0, |_| true), None);
        assert!((0..SLOTS_MAX as u32).all(|slot| table.remove(u64::MAX, slot)));
    }
}
