//! The longest turns of the last hour: some of each minute, so that one bad minute does not hide the others.

use super::tick::Tick;

const MINUTE_US: u64 = 60_000_000;
const MINUTES: usize = 60;
/// So many of a minute.
const PER_MINUTE: usize = 4;
/// So many of all.
const LONGEST: usize = 40;

/// The longest turns of a minute, in no order.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    number: u64,
    ticks: [Tick; PER_MINUTE],
}

/// See the module.
#[derive(Debug, Default)]
pub struct Longest {
    /// By the numbers of their minutes.
    minutes: Vec<Minute>,
    /// Until then turns that are not longer than this are none of the longest.
    until_us: u64,
    floor_us: u64,
}

impl Longest {
    /// A turn is over, at that time.
    #[inline]
    pub(super) fn note(&mut self, tick: &Tick, us: u64, monotonic_us: u64) {
        if us > self.floor_us || monotonic_us >= self.until_us {
            self.put(tick, us, monotonic_us);
        }
    }

    #[cold]
    fn put(&mut self, tick: &Tick, us: u64, monotonic_us: u64) {
        let number = monotonic_us / MINUTE_US;
        self.minutes.resize(MINUTES, Minute::default());
        let minute = &mut self.minutes[(number % MINUTES as u64) as usize];
        if minute.number != number || monotonic_us >= self.until_us {
            *minute = Minute { number, ..Minute::default() };
        }
        let shortest = minute.ticks.iter_mut().min_by_key(|tick| tick.us()).expect("there are some");
        if us > shortest.us() {
            *shortest = *tick;
        }
        self.floor_us = minute.ticks.iter().map(Tick::us).min().unwrap_or(0);
        self.until_us = (number + 1) * MINUTE_US;
    }

    /// Those of the last hour, the longest first.
    pub fn list(&self, monotonic_us: u64) -> Vec<Tick> {
        let first = (monotonic_us / MINUTE_US + 1).saturating_sub(MINUTES as u64);
        let recent = self.minutes.iter().filter(|minute| minute.number >= first);
        let mut ticks: Vec<Tick> = recent.flat_map(|minute| minute.ticks).filter(|tick| tick.number > 0).collect();
        ticks.sort_by_key(|tick| (std::cmp::Reverse(tick.us()), tick.number));
        ticks.truncate(LONGEST);
        ticks
    }

    /// Memory that it may come to hold.
    pub const fn bytes_max() -> usize {
        size_of::<Longest>() + MINUTES * size_of::<Minute>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ticks::{Phase, Ticks, Traffic};

    /// A turn at that second, so many microseconds long.
    fn tick(ticks: &mut Ticks, second: u64, us: u64) {
        ticks.begin(second * 1_000_000, second * 1_000, Traffic::default());
        ticks.spent(Phase::Clients, second * 1_000_000 + us);
        ticks.end(Traffic::default(), 0);
    }

    fn longest(ticks: &Ticks, second: u64) -> Vec<u64> {
        ticks.longest_of_hour().list(second * 1_000_000).iter().map(super::Tick::us).collect()
    }

    #[test]
    fn the_longest_of_each_minute_of_an_hour_come_first_and_a_bad_minute_does_not_hide_the_others() {
        let mut ticks = Ticks::default();
        // A bad minute.
        (60..120).for_each(|second| tick(&mut ticks, second, 9_000 + second));
        (120..240).for_each(|second| tick(&mut ticks, second, second));
        assert_eq!(longest(&ticks, 240), [9_119, 9_118, 9_117, 9_116, 239, 238, 237, 236, 179, 178, 177, 176]);
        // Counts begin anew, and the hour stays.
        ticks.reset();
        assert_eq!(longest(&ticks, 3_659).len(), 12);
        assert_eq!(longest(&ticks, 3_660)[0], 239, "the bad minute is an hour ago");
        (240..7_200).for_each(|second| tick(&mut ticks, second, second % 60 + 1));
        let all = longest(&ticks, 7_199);
        assert_eq!((all.len(), all[0], all[39]), (40, 60, 60));
    }
}
