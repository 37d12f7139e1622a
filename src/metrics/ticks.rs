//! The turns of the loop: how long they are, and what the longest one was spent on.
//!
//! Whoever turns says what time it is whenever a phase is over. It does not read a clock.

use super::durations::Durations;
use super::longest::Longest;
use super::tick::PHASES;
pub use super::tick::{Phase, Tick, Traffic};

/// The longest turns are remembered for so long, in spans of so long.
const RECENT_SPAN_US: u64 = 5_000_000;
/// Those of the last minute, and the one under way.
const RECENT_SPANS: u64 = 13;

/// The longest turn of a span of time.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    span: u64,
    us: u64,
}

/// All turns since the start.
#[derive(Debug, Default)]
pub struct Ticks {
    current: Tick,
    /// All traffic before the current tick.
    before: Traffic,
    /// Up to here the current tick's time is put down to phases.
    counted_us: u64,
    longest: Tick,
    on_cpu_us_max: u64,
    durations: Durations,
    /// How long all were in each phase.
    phases_us: [u64; PHASES],
    /// By the numbers of their spans.
    recent: [Recent; RECENT_SPANS as usize],
    /// How long all were without a processor, as far as it is known.
    off_cpu_us: u64,
    /// The longest since somebody asked for it.
    lately_us: u64,
    /// Up to when the last one is known to have run.
    ran_until_us: u64,
    longest_of_hour: Longest,
}

impl Ticks {
    /// One begins. Its wait is over.
    pub fn begin(&mut self, monotonic_us: u64, unix_ms: u64, traffic: Traffic) {
        self.current = Tick { number: self.current.number + 1, unix_ms, ..Tick::default() };
        (self.counted_us, self.before) = (monotonic_us, traffic);
    }

    /// What has passed since the last call went to this phase.
    pub fn spent(&mut self, phase: Phase, monotonic_us: u64) {
        self.current.phases_us[phase as usize] += monotonic_us.saturating_sub(self.counted_us);
        self.counted_us = monotonic_us;
    }

    /// It is over.
    pub fn end(&mut self, traffic: Traffic, off_cpu_us: u64) -> Tick {
        // After a reset what is left of the tick may be shorter than what all of it had lost.
        let off_cpu_us = off_cpu_us.min(self.current.us());
        let tick = Tick { traffic: traffic.since(self.before), off_cpu_us, ..self.current };
        let us = tick.us();
        self.durations.note(us);
        self.phases_us.iter_mut().zip(tick.phases_us).for_each(|(all, us)| *all += us);
        let span = self.counted_us / RECENT_SPAN_US;
        let recent = &mut self.recent[(span % RECENT_SPANS) as usize];
        if recent.span != span {
            *recent = Recent { span, us: 0 };
        }
        recent.us = recent.us.max(us);
        self.lately_us = self.lately_us.max(us);
        self.off_cpu_us += off_cpu_us;
        self.ran_until_us = self.counted_us.saturating_sub(off_cpu_us);
        self.longest_of_hour.note(&tick, us, self.counted_us);
        if us >= self.longest.us() {
            self.longest = tick;
        }
        self.on_cpu_us_max = self.on_cpu_us_max.max(us.saturating_sub(off_cpu_us));
        tick
    }

    /// Begins to count anew, in the middle of a tick: what is left of it counts. What the hour had stays.
    pub fn reset(&mut self) {
        let Tick { number, unix_ms, .. } = self.current;
        let current = Tick { number, unix_ms, ..Tick::default() };
        let longest_of_hour = std::mem::take(&mut self.longest_of_hour);
        let Ticks { counted_us, lately_us, ran_until_us, .. } = *self;
        *self = Ticks { current, counted_us, lately_us, ran_until_us, longest_of_hour, ..Ticks::default() };
    }

    /// The number of the one that is under way.
    pub fn number(&self) -> u64 {
        self.current.number
    }

    /// The one that took longest.
    pub fn longest(&self) -> &Tick {
        &self.longest
    }

    /// How long the longest took since the last call.
    pub fn take_lately_us(&mut self) -> u64 {
        std::mem::take(&mut self.lately_us)
    }

    /// How long all were without a processor, as far as it is known: of long ones.
    pub fn off_cpu_us(&self) -> u64 {
        self.off_cpu_us
    }

    /// Up to when the last one that is over is known to have run.
    pub fn ran_until_us(&self) -> u64 {
        self.ran_until_us
    }

    /// The longest ones of the last hour.
    pub fn longest_of_hour(&self) -> &Longest {
        &self.longest_of_hour
    }

    /// How long the longest of the last minute took.
    pub fn longest_of_minute_us(&self, monotonic_us: u64) -> u64 {
        let first = (monotonic_us / RECENT_SPAN_US + 1).saturating_sub(RECENT_SPANS);
        self.recent.iter().filter(|recent| recent.span >= first).map(|recent| recent.us).max().unwrap_or(0)
    }

    /// How long all were in a phase.
    pub fn phase_us(&self, phase: Phase) -> u64 {
        self.phases_us[phase as usize]
    }

    /// The most that one took on a processor.
    pub fn on_cpu_us_max(&self) -> u64 {
        self.on_cpu_us_max
    }

    /// How long they took.
    pub fn durations(&self) -> &Durations {
        &self.durations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(requests: u64) -> Traffic {
        Traffic { requests, bytes_in: 10 * requests, bytes_out: 100 * requests }
    }

    /// Ticks that begin a second apart and end so many microseconds into each phase.
    fn ticks(phases_us: &[&[(Phase, u64)]]) -> Ticks {
        let mut ticks = Ticks::default();
        for (number, phases_us) in (1..).zip(phases_us) {
            let mut now_us = number * 1_000_000;
            ticks.begin(now_us, number * 1_000, traffic(number));
            for &(phase, us) in *phases_us {
                now_us += us;
                ticks.spent(phase, now_us);
            }
            ticks.end(traffic(number + number), number);
        }
        ticks
    }

    #[test]
    fn the_longest_tick_says_when_it_was_what_it_did_and_what_took_how_long() {
        use Phase::{Clients, Expiry, Peers};
        let ticks = ticks(&[
            &[(Expiry, 5), (Clients, 10)],
            &[(Expiry, 1), (Clients, 20), (Peers, 30), (Clients, 40), (Peers, 5)],
            &[(Expiry, 95)],
        ]);
        let longest = ticks.longest();
        assert_eq!((longest.us(), longest.unix_ms, longest.longest_phase()), (96, 2_000, Clients));
        assert_eq!(Phase::ALL.map(|phase| longest.phase_us(phase)), [1, 0, 60, 35, 0, 0]);
        assert_eq!((longest.traffic, longest.off_cpu_us, ticks.on_cpu_us_max()), (traffic(2), 2, 94));
        assert_eq!((ticks.durations().count(), ticks.durations().sum()), (3, 15 + 96 + 95));
    }

    #[test]
    fn the_longest_of_the_last_minute_is_forgotten_after_it() {
        let mut ticks = Ticks::default();
        let mut tick = |at_s: u64, us: u64| {
            ticks.begin(at_s * 1_000_000, at_s * 1_000, Traffic::default());
            ticks.spent(Phase::Clients, at_s * 1_000_000 + us);
            ticks.end(Traffic::default(), 0);
            ticks.longest_of_minute_us(at_s * 1_000_000 + us)
        };
        assert_eq!(tick(0, 3), 3);
        assert_eq!([tick(100, 700), tick(101, 50), tick(159, 80), tick(166, 20), tick(300, 5)], [700, 700, 700, 80, 5]);
        assert_eq!([299, 359, 365].map(|at_s| ticks.longest_of_minute_us(at_s * 1_000_000)), [5, 5, 0]);
        assert_eq!((ticks.phase_us(Phase::Clients), ticks.phase_us(Phase::Peers)), (3 + 700 + 50 + 80 + 20 + 5, 0));
    }

    #[test]
    fn what_lay_before_a_reset_is_forgotten_and_the_rest_of_its_tick_counts() {
        let mut ticks = ticks(&[&[(Phase::Clients, 9_000)]]);
        ticks.begin(5_000_000, 5_000, traffic(3));
        ticks.spent(Phase::Clients, 5_000_700);
        ticks.reset();
        ticks.spent(Phase::Clients, 5_000_900);
        ticks.end(traffic(0), 50);
        let longest = ticks.longest();
        assert_eq!((longest.us(), longest.unix_ms, longest.traffic), (200, 5_000, Traffic::default()));
        assert_eq!((ticks.durations().count(), ticks.on_cpu_us_max()), (1, 150));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_counts_nothing() {
        let mut ticks = Ticks::default();
        ticks.begin(1_000, 1, Traffic::default());
        ticks.spent(Phase::Intake, 1_000);
        ticks.spent(Phase::Clients, 900);
        ticks.spent(Phase::Replies, 901);
        assert_eq!(ticks.end(Traffic::default(), 0).us(), 1);
    }
}
