//! When and by whom a change was made, and the clock that says so.
//!
//! The clock is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) packed into 64 bits:
//! 48 bits of unix milliseconds, 16 bits of counter. It promises that no stamp is issued twice, also across
//! crashes and clock steps, provided that [`Clock::reserve`] is persisted and given back to [`Clock::new`].
//! It does not know where the wall time comes from.

/// The time, read once a tick.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since any fixed moment; never steps.
    pub monotonic_us: u64,
    /// Wall clock; may step.
    pub unix_ms: u64,
}

/// Place of a node in the configured list.
pub type NodeId = u16;

/// Bits below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// Room below the persisted ceiling in which the clock only counts and stops following the wall clock. It is used
/// up only while the disk takes no snapshot, and holds 65 million writes.
const COUNT_ONLY_MS: u64 = 1_000;

/// Up to 64 ms worth of stamps.
const CHANCE: u64 = (1 << 22) - 1;

/// An incarnation begins so far ahead of the wall clock, further than a crash puts the incarnation before it: where the
/// data file was wiped or put back, its ceiling does not say what that has issued.
pub const AHEAD_MS: u64 = 20_000;

/// Unique and totally ordered: the highest stamp wins a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Packed milliseconds and counter.
    pub clock: u64,
    /// Who issued it; decides between equal clocks.
    pub node: NodeId,
}

/// Issues the stamps of one node.
///
/// Invariant: `last` is at or above every clock value issued, seen or restored; `since <= issued <= ceiling`.
#[derive(Debug)]
pub struct Clock {
    node: NodeId,
    last: u64,
    ceiling: u64,
    floor: u64,
    since: u64,
    issued: u64,
}

impl Clock {
    /// A clock that issues nothing at or below `floor`, the ceiling an earlier incarnation recorded (0 for none), nor
    /// below what an earlier incarnation may have issued where the file is an old copy or was wiped; `chance` decides
    /// how far above.
    pub fn new(node: NodeId, floor: u64, unix_ms: u64, chance: u64) -> Clock {
        // Where another incarnation began just here, the two are kept apart by chance, until a peer says more.
        let last = floor.max((unix_ms + AHEAD_MS) << COUNTER_BITS) + (chance & CHANCE);
        Clock { node, last, ceiling: floor, floor, since: last, issued: last }
    }

    /// As [`Clock::new`], for a node that no other has ever heard of, or will before it has heard of them: what a file
    /// that was wiped or put back had issued is known to nobody. So it begins where the wall clock is, and ahead of
    /// that only where the incarnation before it did not end in order, or was ahead itself.
    pub fn alone(node: NodeId, floor: u64, unix_ms: u64) -> Clock {
        let last = floor.max(unix_ms << COUNTER_BITS);
        Clock { node, last, ceiling: floor, floor, since: last, issued: last }
    }

    /// The next stamp; must not be called while the clock [is spent](Clock::is_spent). Follows the wall clock up to the
    /// persisted ceiling, counts where the wall clock stands still, steps back or has passed the ceiling. A counter
    /// that overflows borrows a millisecond.
    pub fn issue(&mut self, unix_ms: u64) -> Stamp {
        debug_assert!(!self.is_spent());
        let follow_max = self.ceiling.saturating_sub(COUNT_ONLY_MS << COUNTER_BITS);
        self.last = (self.last + 1).max((unix_ms << COUNTER_BITS).min(follow_max));
        self.issued = self.last;
        Stamp { clock: self.last, node: self.node }
    }

    /// Whether the next stamp would have to be above the persisted ceiling, so that a restart might issue it again.
    pub fn is_spent(&self) -> bool {
        self.last >= self.ceiling
    }

    /// Goes past a clock value seen elsewhere, so that what is written here next is newer than it.
    pub fn observe(&mut self, clock: u64) {
        if !crate::fault_injection::is("clock ignores what it sees") {
            self.last = self.last.max(clock);
        }
    }

    /// Whether a stamp of this node that somebody has seen proves that the data file was wiped or is an old copy: it is
    /// above all that the file knew of, and not of this incarnation.
    pub fn is_rewound(&self, seen: u64) -> bool {
        seen > self.floor && !(self.since <= seen && seen <= self.issued)
    }

    /// The same, where nobody can have seen a stamp of this incarnation yet.
    pub fn is_rewound_at_first(&self, seen: u64) -> bool {
        seen > self.floor
    }

    /// Goes past a stamp that an earlier incarnation of this node has issued although nothing here says so, and past
    /// all further ones it may have issued; `chance` decides how far: another incarnation may have gone past the same
    /// stamp, and lost its disk before anybody said so. Returns the span of this incarnation that is thereby over.
    pub fn begin_anew(&mut self, seen: u64, unix_ms: u64, chance: u64) -> (u64, u64) {
        let span = self.span();
        let highest = self.last.max(seen).max(unix_ms << COUNTER_BITS);
        self.last = highest.saturating_add((AHEAD_MS << COUNTER_BITS) + (chance & CHANCE));
        (self.since, self.issued, self.floor) = (self.last, self.last, self.last);
        span
    }

    /// This incarnation has issued all stamps there are above the first and up to the second value.
    pub fn span(&self) -> (u64, u64) {
        (self.since, self.issued)
    }

    /// The ceiling to persist so that a restart within `lead_ms` stays above all stamps issued until then.
    /// Never below an earlier one: until a lower one were on disk, stamps could follow the wall clock up to that.
    pub fn reserve(&self, unix_ms: u64, lead_ms: u64) -> u64 {
        // A clock that is ahead of the wall clock only counts, and each restart adds no more than that to its lead.
        let following = (unix_ms.saturating_add(lead_ms) + COUNT_ONLY_MS) << COUNTER_BITS;
        let counting = self.last.saturating_add(COUNT_ONLY_MS << COUNTER_BITS);
        following.max(counting).max(self.ceiling)
    }

    /// The ceiling is on disk: stamps may follow the wall clock up to it.
    pub fn reserved(&mut self, ceiling: u64) {
        self.ceiling = self.ceiling.max(ceiling);
    }

    /// Whether less than `lead_ms` of the persisted ceiling are left.
    pub fn wants_ceiling(&self, unix_ms: u64, lead_ms: u64) -> bool {
        let half = (COUNT_ONLY_MS / 2) << COUNTER_BITS;
        (unix_ms.saturating_add(lead_ms + COUNT_ONLY_MS)) << COUNTER_BITS > self.ceiling
            || self.last + half > self.ceiling
    }

    /// The lowest clock value of that millisecond.
    pub fn at(unix_ms: u64) -> u64 {
        unix_ms << COUNTER_BITS
    }

    /// The wall clock's milliseconds in a clock value.
    pub fn unix_ms(clock: u64) -> u64 {
        clock >> COUNTER_BITS
    }

    /// The highest clock value issued or seen.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The node that stamps are issued for.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_with_ceiling(unix_ms: u64) -> Clock {
        let mut clock = Clock::new(1, 0, 0, 0);
        clock.reserved(clock.reserve(unix_ms, 60_000));
        clock
    }

    #[test]
    fn stamps_rise_while_the_wall_clock_steps_back() {
        let mut clock = clock_with_ceiling(1_000_000);
        let before = clock.issue(1_000_000);
        let after = clock.issue(3);
        assert!(after > before);
    }

    #[test]
    fn a_counter_that_overflows_borrows_a_millisecond() {
        let mut clock = clock_with_ceiling(1_000);
        let mut last = clock.issue(1_000);
        let begun = last.clock >> COUNTER_BITS;
        for _ in 0..70_000 {
            let next = clock.issue(1_000);
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.clock >> COUNTER_BITS, begun + 1);
    }

    #[test]
    fn a_restart_begins_above_the_recorded_ceiling_also_when_the_wall_clock_stepped_back() {
        let mut first = clock_with_ceiling(1_000_000);
        let ceiling = first.reserve(1_000_000, 10_000);
        first.reserved(ceiling);
        let issued = first.issue(1_009_999);
        let mut second = Clock::new(1, ceiling, 500, 0);
        second.reserved(second.reserve(500, 10_000));
        assert!(second.issue(500) > issued);
    }

    #[test]
    fn an_old_copy_of_the_file_does_not_bring_stamps_back_that_were_issued_since() {
        let mut first = clock_with_ceiling(1_000_000);
        let old_ceiling = first.ceiling;
        first.reserved(first.reserve(9_000_000, 60_000));
        let issued = first.issue(9_000_000);
        let mut second = Clock::new(1, old_ceiling, 9_000_001, 0);
        second.reserved(second.reserve(9_000_001, 60_000));
        assert!(second.issue(9_000_001) > issued);
    }

    #[test]
    fn a_node_alone_is_ahead_of_the_wall_clock_only_after_a_crash() {
        let mut first = Clock::alone(1, 0, 1_000_000);
        first.reserved(first.reserve(1_000_000, 14_000));
        assert_eq!(Clock::unix_ms(first.issue(1_000_000).clock), 1_000_000);
        let crashed = Clock::alone(1, first.ceiling, 1_000_500);
        assert_eq!(Clock::unix_ms(crashed.last), 1_015_000);
        let issued = first.issue(1_001_000);
        let mut stopped = Clock::alone(1, first.last(), 1_001_000);
        stopped.reserved(stopped.reserve(1_001_000, 14_000));
        let next = stopped.issue(1_001_000);
        assert!(next > issued);
        assert_eq!(Clock::unix_ms(next.clock), 1_001_000);
    }

    #[test]
    fn restarts_in_a_row_put_the_clock_no_more_than_a_count_ahead_each() {
        let mut ceiling = clock_with_ceiling(1_000_000).ceiling;
        let first = ceiling;
        for _ in 0..10 {
            let clock = Clock::new(1, ceiling, 1_000_000, 0);
            ceiling = clock.reserve(1_000_000, 60_000);
        }
        assert!(ceiling - first <= (10 * COUNT_ONLY_MS) << COUNTER_BITS);
    }

    #[test]
    fn what_is_written_next_is_newer_than_what_was_seen() {
        let mut clock = clock_with_ceiling(1_000_000);
        clock.observe(1_030_000 << COUNTER_BITS);
        assert!(clock.issue(1_000_000).clock > 1_030_000 << COUNTER_BITS);
        clock.observe(clock.ceiling);
        assert!(clock.is_spent());
    }

    #[test]
    fn two_incarnations_that_go_past_the_same_stamp_issue_others() {
        let after = |chance| {
            let mut clock = Clock::new(0, 0, 1_000_000, 1);
            let (seen, ceiling) = ((1_000_000 + 30_000) << COUNTER_BITS, u64::MAX);
            clock.begin_anew(seen, 1_000_000, chance);
            clock.reserved(ceiling);
            let first = clock.issue(1_000_000).clock;
            assert!(first > seen);
            first
        };
        assert_ne!(after(1 << 40 | 7), after(1 << 50 | 70_000));
    }

    #[test]
    fn stamps_do_not_follow_the_wall_clock_past_what_is_persisted() {
        let mut clock = clock_with_ceiling(1_000_000);
        let ceiling = clock.ceiling;
        assert!(clock.issue(900_000_000).clock < ceiling);
        assert!(clock.wants_ceiling(900_000_000, 1_000));
    }
}
