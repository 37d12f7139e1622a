//! What comes and goes in a second: of the last moments, not of the whole life.
//!
//! Time is divided into spans of 100 ms. The first tick in a span says how much had come and gone before; nothing comes
//! and goes but in a tick. So what came since a span began is known whenever somebody asks, and a node that sleeps needs
//! no timer to find out that it does nothing.

use super::ticks::Traffic;

/// How often is remembered what had come.
const SPAN_US: u64 = 100_000;
/// Spans that are looked back over, the one under way included.
const SPANS: u64 = 16;

/// What had come and gone before the first tick of a span.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    span: u64,
    before: Traffic,
}

/// See the module. A sample lies at the place of its span's number.
#[derive(Debug, Default)]
pub struct Rates {
    samples: [Option<Sample>; SPANS as usize],
    latest: Option<u64>,
}

impl Rates {
    /// A tick begins, and all that had come and gone before it.
    #[inline]
    pub fn note(&mut self, monotonic_us: u64, before: Traffic) {
        let span = monotonic_us / SPAN_US;
        if self.latest != Some(span) {
            self.latest = Some(span);
            self.samples[(span % SPANS) as usize] = Some(Sample { span, before });
        }
    }

    /// What came and went in a second, of the last 1.5 to 1.6 seconds. `total` is all that ever came and went.
    pub fn per_second(&self, monotonic_us: u64, total: Traffic) -> Traffic {
        let first = (monotonic_us / SPAN_US).saturating_sub(SPANS - 1);
        let recent = self.samples.iter().flatten().filter(|sample| sample.span >= first);
        let Some(oldest) = recent.min_by_key(|sample| sample.span) else { return Traffic::default() };
        let us = (monotonic_us - first * SPAN_US).max(SPAN_US);
        total.since(oldest.before).per_second(us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(requests: u64) -> Traffic {
        Traffic { requests, bytes_in: 10 * requests, bytes_out: 100 * requests }
    }

    /// Ticks of this length, and so many requests in each, up to that time. Returns all requests.
    fn run(rates: &mut Rates, from_us: u64, to_us: u64, tick_us: usize, requests: u64, before: u64) -> u64 {
        let mut total = before;
        for now_us in (from_us..to_us).step_by(tick_us) {
            rates.note(now_us, traffic(total));
            total += requests;
        }
        total
    }

    #[test]
    fn it_is_the_rate_of_the_last_moments() {
        let mut rates = Rates::default();
        let total = run(&mut rates, 0, 60_000_000, 1_000, 50, 0);
        assert_eq!(rates.per_second(60_000_000, traffic(total)), traffic(50_000));
        // Much slower from here on.
        let total = run(&mut rates, 60_000_000, 62_000_000, 1_000, 1, total);
        assert_eq!(rates.per_second(62_000_000, traffic(total)).requests, 1_000);
    }

    #[test]
    fn it_falls_while_nothing_comes_and_nobody_looks() {
        let mut rates = Rates::default();
        let total = run(&mut rates, 0, 3_000_000, 10_000, 10, 0);
        let rate = |us| rates.per_second(us, traffic(total)).requests;
        assert_eq!(rate(3_000_000), 1_000);
        // 800 ms of it are within the last 1,550.
        assert_eq!(rate(3_750_000), 800 * 1_000 / 1_550);
        assert_eq!([rate(4_500_000), rate(1_000_000_000)], [0, 0]);
    }

    #[test]
    fn after_a_silence_only_what_came_since_counts() {
        let mut rates = Rates::default();
        let total = run(&mut rates, 0, 1_000_000, 10_000, 1_000, 0);
        rates.note(9_000_050, traffic(total));
        assert_eq!(rates.per_second(9_000_050, traffic(total + 3)).requests, 1);
    }

    #[test]
    fn a_young_node_is_measured_by_its_age() {
        let mut rates = Rates::default();
        let total = run(&mut rates, 0, 500_000, 10_000, 7, 0);
        assert_eq!(rates.per_second(500_000, traffic(total)).requests, 700);
        assert_eq!(Rates::default().per_second(0, traffic(5)), Traffic::default());
    }
}
