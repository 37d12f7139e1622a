//! Time inside a tick in which the loop's thread had no processor: another thread's turn, the host's, a page that came
//! from a disk.
//!
//! The thread's processor time is asked for by a system call, so not in each tick, but once in a while, and again where
//! a tick was long: what that took beyond all processor time since the last reading is lost.

/// From one reading to the next. What is lost comes out too short by what the thread did in that time, at most, and
/// never too long.
const MARK_US: u64 = 500;
/// A tick that is long.
const LONG_US: u64 = 1_000;

/// See the module: the last reading. Times in microseconds.
#[derive(Default)]
pub(super) struct OffCpu {
    cpu_us: u64,
    marked_us: u64,
}

impl OffCpu {
    /// A tick begins, or none does and the loop goes on waiting.
    pub(super) fn begin(&mut self, now_us: u64, cpu_us: impl FnOnce() -> u64) {
        if now_us >= self.marked_us + MARK_US {
            *self = OffCpu { cpu_us: cpu_us(), marked_us: now_us };
        }
    }

    /// A tick is over that took so long. Returns how much of that was lost; zero where it was short.
    pub(super) fn end(&self, took_us: u64, cpu_us: impl FnOnce() -> u64) -> u64 {
        match took_us < LONG_US {
            true => 0,
            false => took_us.saturating_sub(cpu_us().saturating_sub(self.cpu_us)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_long_tick_was_without_a_processor_is_told_from_its_work() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 50);
        assert_eq!(off.end(2_500, || 50 + 700), 1_800);
        off.begin(3_800, || 750);
        assert_eq!(off.end(100, || unreachable!("it was short")), 0);
        off.begin(3_910, || unreachable!("the last reading is young"));
        assert_eq!(off.end(1_100, || 750 + 100 + 1_100), 0);
    }

    #[test]
    fn what_was_lost_before_a_tick_is_not_put_down_to_it() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 0);
        assert_eq!(off.end(450, || unreachable!("it was short")), 0);
        off.begin(1_450, || unreachable!("the last reading is young"));
        // Of the first 450 us, 400 were lost.
        assert_eq!(off.end(1_100, || 50 + 1_100), 0);
    }

    #[test]
    fn no_more_is_lost_than_the_tick_took() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 7);
        assert_eq!(off.end(1_000, || 7), 1_000);
    }
}
