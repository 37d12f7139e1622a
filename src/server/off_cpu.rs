//! Time inside a tick in which the loop's thread had no processor: another thread's turn, the host's, a page that came
//! from a disk.
//!
//! The thread's processor time is asked for by a system call, so not in each tick, but at the beginning of one now and
//! then, and again where a tick was long: between the two, all time that was neither spent on a processor nor waited
//! for events is lost.

/// From one reading to the next.
const MARK_US: u64 = 1_000;
/// A tick that is long.
const LONG_US: u64 = 1_000;

/// See the module. Times in microseconds.
#[derive(Default)]
pub(super) struct OffCpu {
    /// The last reading, and when it was.
    cpu_us: u64,
    marked_us: u64,
    /// Waited for events since then.
    idle_us: u64,
    /// When the last tick was over.
    ended_us: u64,
}

impl OffCpu {
    /// A tick begins.
    pub(super) fn begin(&mut self, now_us: u64, cpu_us: impl FnOnce() -> u64) {
        self.idle_us += now_us.saturating_sub(self.ended_us);
        if now_us >= self.marked_us + MARK_US {
            *self = OffCpu { cpu_us: cpu_us(), marked_us: now_us, idle_us: 0, ended_us: now_us };
        }
    }

    /// A tick is over that took so long. Returns how much of that was lost; zero where it was short.
    ///
    /// The processor time of the waits since the last reading is missing: 0.1 ms where they were many.
    pub(super) fn end(&mut self, now_us: u64, took_us: u64, cpu_us: impl FnOnce() -> u64) -> u64 {
        self.ended_us = now_us;
        if took_us < LONG_US {
            return 0;
        }
        let busy_us = now_us.saturating_sub(self.marked_us + self.idle_us);
        busy_us.saturating_sub(cpu_us().saturating_sub(self.cpu_us)).min(took_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_long_tick_was_without_a_processor_is_told_from_its_work() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 50);
        assert_eq!(off.end(3_500, 2_500, || 50 + 700), 1_800);
        // It was another tick that began, and 300 us of waiting lay between.
        off.begin(3_800, || 750);
        assert_eq!(off.end(3_900, 100, || unreachable!("it was short")), 0);
        off.begin(3_910, || unreachable!("the last reading is young"));
        assert_eq!(off.end(5_010, 1_100, || 750 + 100 + 1_100), 0);
    }

    #[test]
    fn waits_between_two_readings_are_not_lost() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 0);
        off.end(1_010, 10, || unreachable!("it was short"));
        off.begin(1_150, || unreachable!("the last reading is young"));
        assert_eq!(off.end(2_350, 1_200, || 10 + 200), 1_000);
    }

    #[test]
    fn no_more_is_lost_than_the_tick_took() {
        let mut off = OffCpu::default();
        off.begin(1_000, || 0);
        off.end(1_100, 100, || unreachable!("it was short"));
        off.begin(1_100, || unreachable!("the last reading is young"));
        assert_eq!(off.end(2_100, 1_000, || 0), 1_000);
    }
}
