//! When who watches is told of changes: at once where that is seldom, else of all that came within some milliseconds.
//!
//! Each telling is a write that wakes its reader. At 10,000 changes a second, one or two in a tick, that is far more work
//! than what is told. So it is a bucket that leaks (the *generic cell rate algorithm* of networks): tellings may follow
//! each other at once until it is full, and it leaks one of them each [`PAUSE_US`].

/// Least time from one telling to the next, in the long run.
const PAUSE_US: u64 = 10_000;
/// So many may follow each other at once after a time without any.
const AT_ONCE: u64 = 32;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// When the bucket will be empty, in monotonic microseconds.
    empty_us: u64,
}

impl Gathering {
    /// All that waited was told.
    pub(super) fn note(&mut self, now_us: u64) {
        self.empty_us = self.empty_us.max(now_us) + PAUSE_US;
    }

    /// From when on the next may be told, in monotonic microseconds.
    pub(super) fn due_us(&self) -> u64 {
        self.empty_us.saturating_sub((AT_ONCE - 1) * PAUSE_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seldom_is_told_at_once_and_the_rest_together() {
        let mut gathering = Gathering::default();
        let mut tell = |from_us: u64, until_us: u64| {
            let mut told = 0;
            for now_us in (from_us..until_us).step_by(100) {
                if gathering.due_us() <= now_us {
                    gathering.note(now_us);
                    told += 1;
                }
            }
            told
        };
        assert_eq!(tell(1_000_000, 1_000_000 + 100 * AT_ONCE), AT_ONCE, "a burst");
        assert_eq!(tell(2_000_000, 4_000_000), AT_ONCE - 1 + 2_000_000 / PAUSE_US, "10,000 a second");
        assert_eq!(tell(5_000_000, 5_000_000 + 200), 2, "after a time without any");
    }
}
