//! `LATENCY`: when something took longer than it may, and how long, as Redis keeps it
//! (<https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/>).

use std::collections::{BTreeMap, VecDeque};

/// Samples kept of an event.
const SAMPLES: usize = 160;

/// What happened under one name. Invariant: samples are of different seconds, the earliest first, one at least.
#[derive(Debug, Default)]
pub struct Event {
    samples: VecDeque<(u64, u64)>,
    longest_ms: u64,
}

/// Events by name.
#[derive(Debug, Default)]
pub struct Latency {
    /// From how many milliseconds on an event is kept; 0: none is.
    pub threshold_ms: u64,
    events: BTreeMap<&'static str, Event>,
}

impl Latency {
    /// Something took so long. Of one second the longest is kept.
    pub fn note(&mut self, name: &'static str, unix_s: u64, us: u64) {
        let ms = us / 1000;
        if self.threshold_ms == 0 || ms < self.threshold_ms {
            return;
        }
        let event = self.events.entry(name).or_default();
        event.longest_ms = event.longest_ms.max(ms);
        match event.samples.back_mut() {
            Some((at_s, longest_ms)) if *at_s == unix_s => *longest_ms = ms.max(*longest_ms),
            Some(_) | None => event.samples.push_back((unix_s, ms)),
        }
        if event.samples.len() > SAMPLES {
            event.samples.pop_front();
        }
    }

    /// Forgets the events that are chosen. Returns how many those were.
    pub fn reset(&mut self, is_chosen: impl Fn(&str) -> bool) -> usize {
        let before = self.events.len();
        self.events.retain(|name, _| !is_chosen(name));
        before - self.events.len()
    }

    /// All events, in the order of their names.
    pub fn events(&self) -> impl ExactSizeIterator<Item = (&'static str, &Event)> {
        self.events.iter().map(|(name, event)| (*name, event))
    }

    /// One of them, in any case.
    pub fn event(&self, name: &[u8]) -> Option<(&'static str, &Event)> {
        self.events().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Event {
    /// Unix seconds and milliseconds, the earliest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = (u64, u64)> {
        self.samples.iter().copied()
    }

    /// The latest of them.
    pub fn latest(&self) -> (u64, u64) {
        self.samples.back().copied().unwrap_or_default()
    }

    /// The longest there ever was.
    pub fn longest_ms(&self) -> u64 {
        self.longest_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shorter_than_the_threshold_is_no_event_and_without_one_nothing_is() {
        let mut latency = Latency::default();
        latency.note("command", 1, 1_000_000);
        latency.threshold_ms = 10;
        latency.note("command", 1, 9_999);
        assert_eq!(latency.events().len(), 0);
        latency.note("command", 1, 10_000);
        assert_eq!(latency.events().len(), 1);
    }

    #[test]
    fn of_a_second_the_longest_is_kept_and_of_an_event_the_latest_160() {
        let mut latency = Latency { threshold_ms: 1, ..Latency::default() };
        for (unix_s, ms) in [(1, 900), (2, 5), (2, 9), (2, 7)].into_iter().chain((3..=161).map(|unix_s| (unix_s, 1))) {
            latency.note("tick", unix_s, 1_000 * ms);
        }
        let (_, event) = latency.event(b"TICK").expect("it was noted");
        assert_eq!(event.samples().next(), Some((2, 9)));
        assert_eq!((event.samples().len(), event.latest(), event.longest_ms()), (160, (161, 1), 900));
    }

    #[test]
    fn events_are_forgotten_by_name() {
        let mut latency = Latency { threshold_ms: 1, ..Latency::default() };
        ["command", "peers", "tick"].into_iter().for_each(|name| latency.note(name, 1, 5_000));
        assert_eq!(latency.reset(|name| name == "peers" || name == "unheard-of"), 1);
        assert_eq!(latency.events().map(|(name, _)| name).collect::<Vec<_>>(), ["command", "tick"]);
        assert_eq!(latency.reset(|_| true), 2);
    }
}
