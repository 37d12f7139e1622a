//! The last things that an operator may have to know of: log lines that have a code, kept for whoever asks later.
//!
//! An event is a log line with a field `event`. The code stays what it is when the sentence is said better; what to do
//! about each is in `scripts/EVENTS.md`.

use std::collections::VecDeque;

/// Events that are kept.
pub const EVENTS_MAX: usize = 512;
/// ... and those of one code among them: what happens often does not push out what happened once.
const ONE_CODE_MAX: usize = 128;

/// A log line that has a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number among all since the start; the first is 1.
    pub number: u64,
    /// The wall clock when it happened.
    pub unix_ms: u64,
    /// `error`, `warn` or `info`.
    pub level: &'static str,
    /// What happened: `peer_lost`.
    pub code: String,
    /// What it happened to, and how: names and values, in the order in which they are said.
    pub fields: Vec<(String, String)>,
    /// The sentence that was logged.
    pub text: String,
}

/// Invariant: numbers rise from front to back.
#[derive(Debug, Default)]
pub struct Events {
    kept: VecDeque<Event>,
    count: u64,
}

impl Events {
    /// None.
    pub const fn new() -> Events {
        Events { kept: VecDeque::new(), count: 0 }
    }

    /// Keeps one, under the next number, and drops the oldest beyond what is kept of all, and of its code. O(events).
    pub fn push(&mut self, event: Event) {
        let same = || self.kept.iter().enumerate().filter(|(_, kept)| kept.code == event.code);
        let oldest = same().next().filter(|_| same().count() >= ONE_CODE_MAX).map(|(at, _)| at);
        if let Some(at) = oldest.or((self.kept.len() == EVENTS_MAX).then_some(0)) {
            self.kept.remove(at);
        }
        self.count += 1;
        self.kept.push_back(Event { number: self.count, ..event });
    }

    /// Those that are kept with a number above that, the earliest first; of more than `most` the latest.
    pub fn after(&self, number: u64, most: usize) -> impl ExactSizeIterator<Item = &Event> {
        let seen = self.kept.partition_point(|event| event.number <= number);
        let begin = seen.max(self.kept.len().saturating_sub(most));
        self.kept.range(begin..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: u64) -> Event {
        let (code, fields, text) = (format!("code_{code}"), Vec::new(), String::new());
        Event { number: 0, unix_ms: 0, level: "info", code, fields, text }
    }

    /// So many, of eight codes in turn.
    fn events(count: u64) -> Events {
        let mut events = Events::new();
        (0..count).for_each(|number| events.push(event(number % 8)));
        events
    }

    fn numbers(events: &Events, after: u64, most: usize) -> Vec<u64> {
        events.after(after, most).map(|event| event.number).collect()
    }

    #[test]
    fn the_latest_are_kept_and_numbers_go_on() {
        let events = events(600);
        assert_eq!((events.count, events.after(0, usize::MAX).len()), (600, EVENTS_MAX));
        assert_eq!(numbers(&events, 0, 3), [598, 599, 600]);
        assert_eq!(numbers(&events, 598, 10), [599, 600]);
        assert_eq!(numbers(&events, 88, usize::MAX).first(), Some(&89));
        assert!(numbers(&events, 600, 10).is_empty());
        assert!(numbers(&events, u64::MAX, 10).is_empty());
    }

    #[test]
    fn what_happens_often_does_not_push_out_what_happened_once() {
        let mut events = events(3);
        (0..10_000).for_each(|_| events.push(event(9)));
        let numbers = numbers(&events, 0, usize::MAX);
        assert_eq!(numbers.len(), 3 + ONE_CODE_MAX);
        assert_eq!((&numbers[..3], numbers[3]), (&[1, 2, 3][..], 10_003 - ONE_CODE_MAX as u64 + 1));
        assert_eq!(events.after(2, 1).next().map(|event| event.number), Some(10_003));
    }

    #[test]
    fn there_may_be_none() {
        assert!(numbers(&events(0), 0, 10).is_empty());
        assert_eq!(numbers(&events(2), 0, 10), [1, 2]);
        assert!(numbers(&events(2), 0, 0).is_empty());
    }
}
