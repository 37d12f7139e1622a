//! When and by whom a change was made, and the clock that says so.
//!
//! The clock is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) packed into 64 bits:
//! 48 bits of unix milliseconds, 16 bits of counter. It promises that no stamp is issued twice, also across
//! crashes and clock steps, provided that [`Clock::reserve`] is persisted and given back to [`Clock::new`].
//! It does not know where the wall time comes from.

/// Place of a node in the configured list.
pub type NodeId = u16;

/// Bits below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// Room below the persisted ceiling in which the clock only counts and stops following the wall clock. It is used
/// up only while the disk takes no snapshot, and holds 131 million writes.
const COUNT_ONLY_MS: u64 = 2_000;

/// Unique and totally ordered: the highest stamp wins a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Packed milliseconds and counter.
    pub clock: u64,
    /// Who issued it; decides between equal clocks.
    pub node: NodeId,
}

/// Issues the stamps of one node.
///
/// Invariant: `last` is at or above every clock value issued or restored.
#[derive(Debug)]
pub struct Clock {
    node: NodeId,
    last: u64,
    ceiling: u64,
}

impl Clock {
    /// A clock that issues nothing at or below `floor`, the ceiling an earlier life recorded (0 for none).
    pub fn new(node: NodeId, floor: u64) -> Clock {
        Clock { node, last: floor, ceiling: floor }
    }

    /// The next stamp. Follows the wall clock up to the persisted ceiling, counts where the wall clock stands still,
    /// steps back or has passed the ceiling. A counter that overflows borrows a millisecond.
    pub fn issue(&mut self, unix_ms: u64) -> Stamp {
        let follow_max = self.ceiling.saturating_sub(COUNT_ONLY_MS << COUNTER_BITS);
        self.last = (self.last + 1).max((unix_ms << COUNTER_BITS).min(follow_max));
        Stamp { clock: self.last, node: self.node }
    }

    /// The ceiling to persist so that a restart within `lead_ms` stays above all stamps issued until then.
    /// Never below an earlier one: until a lower one were on disk, stamps could follow the wall clock up to that.
    pub fn reserve(&self, unix_ms: u64, lead_ms: u64) -> u64 {
        let ahead = (lead_ms + COUNT_ONLY_MS) << COUNTER_BITS;
        self.last.max(unix_ms << COUNTER_BITS).saturating_add(ahead).max(self.ceiling)
    }

    /// The ceiling is on disk: stamps may follow the wall clock up to it.
    pub fn reserved(&mut self, ceiling: u64) {
        self.ceiling = self.ceiling.max(ceiling);
    }

    /// Whether less than `lead_ms` of the persisted ceiling are left.
    pub fn wants_ceiling(&self, unix_ms: u64, lead_ms: u64) -> bool {
        (unix_ms.saturating_add(lead_ms + COUNT_ONLY_MS)) << COUNTER_BITS > self.ceiling
    }

    /// The highest clock value issued.
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
        let mut clock = Clock::new(1, 0);
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
        for _ in 0..70_000 {
            let next = clock.issue(1_000);
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.clock >> COUNTER_BITS, 1_001);
    }

    #[test]
    fn a_restart_begins_above_the_recorded_ceiling_also_when_the_wall_clock_stepped_back() {
        let mut first = clock_with_ceiling(1_000_000);
        let ceiling = first.reserve(1_000_000, 10_000);
        first.reserved(ceiling);
        let issued = first.issue(1_009_999);
        let mut second = Clock::new(1, ceiling);
        assert!(second.issue(500) > issued);
    }

    #[test]
    fn stamps_do_not_follow_the_wall_clock_past_what_is_persisted() {
        let mut clock = clock_with_ceiling(1_000_000);
        let ceiling = clock.ceiling;
        assert!(clock.issue(900_000_000).clock < ceiling);
        assert!(clock.wants_ceiling(900_000_000, 1_000));
    }
}
