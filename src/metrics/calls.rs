//! How often each command was called, what became of that, and how long it took, as Redis' `INFO commandstats` has it.
//!
//! Every call is counted. Of a command that takes little time one call of 64 is timed, and stands for the others: reading
//! the clock costs a quarter of a pipelined `GET`. So what such commands took is an estimate; what was timed call by call
//! is exact.

use std::collections::BTreeMap;

use crate::protocol::command::COMMANDS;
use crate::protocol::{Args, Command};

/// Calls of which the first is timed for all.
const CALLS_PER_SAMPLE: u64 = 64;

/// The calls of one command, or of one of its subcommands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that ran.
    pub count: u64,
    /// Those that were refused before they could run.
    pub rejected: u64,
    /// Those that ran and answered with an error.
    pub failed: u64,
    /// Of those that ran, those that were timed for themselves, and how long they took.
    timed: Total,
    /// ... and those that were timed for others.
    sampled: Total,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Total {
    count: u64,
    ns: u64,
}

impl Total {
    fn note(&mut self, ns: u64) {
        self.count += 1;
        self.ns += ns;
    }
}

/// What is known of how long a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// Nothing.
    Unknown,
    /// So many nanoseconds; those calls are meant that come after it, too.
    Sample(u64),
    /// So many nanoseconds.
    Exactly(u64),
}

impl Calls {
    /// A call has run.
    pub fn note(&mut self, has_failed: bool, took: Took) {
        self.count += 1;
        self.failed += u64::from(has_failed);
        match took {
            Took::Unknown => (),
            Took::Sample(ns) => self.sampled.note(ns),
            Took::Exactly(ns) => self.timed.note(ns),
        }
    }

    /// Whether the next call is to be timed for others.
    pub fn is_sample_due(&self) -> bool {
        self.count.is_multiple_of(CALLS_PER_SAMPLE)
    }

    /// How long all took, in microseconds: where not each was timed, an estimate.
    pub fn us(&self) -> u64 {
        let untimed = u128::from(self.count - self.timed.count);
        let estimated_ns = (untimed * u128::from(self.sampled.ns)).checked_div(self.sampled.count.into()).unwrap_or(0);
        (self.timed.ns + estimated_ns as u64) / 1_000
    }

    /// ... and one on average.
    pub fn us_per_call(&self) -> f64 {
        self.us() as f64 / self.count.max(1) as f64
    }
}

/// The calls of all commands.
#[derive(Debug)]
pub struct AllCalls {
    /// By the number of the command; of those with subcommands, those without one.
    whole: Box<[Calls]>,
    subcommands: BTreeMap<(usize, &'static str), Calls>,
}

impl Default for AllCalls {
    fn default() -> AllCalls {
        AllCalls { whole: vec![Calls::default(); COMMANDS.len()].into(), subcommands: BTreeMap::new() }
    }
}

impl AllCalls {
    /// A call of a command without subcommands has run, was not timed, and has not failed.
    #[inline]
    pub fn count(&mut self, command: Command) {
        self.whole[command as usize].count += 1;
    }

    /// The calls of a command without subcommands.
    #[inline]
    pub fn of_plain(&self, command: Command) -> &Calls {
        &self.whole[command as usize]
    }

    /// The calls of what is asked for, be it a subcommand.
    pub fn of(&mut self, command: Command, args: Args<'_>) -> &mut Calls {
        let is_meant = |(name, _): &&(&'static str, i32)| args.get(1).is_some_and(|arg| is(arg, name));
        match command.subcommands().iter().find(is_meant) {
            Some((name, _)) => self.subcommands.entry((command as usize, name)).or_default(),
            None => &mut self.whole[command as usize],
        }
    }

    /// Those that were called, each with its name: `get`, `config|set`.
    pub fn used(&self) -> Vec<(String, Calls)> {
        let mut used = Vec::new();
        for (number, command) in COMMANDS.iter().enumerate() {
            let subcommands = self.subcommands.range((number, "")..(number + 1, ""));
            used.push((command.name.to_owned(), self.whole[number]));
            used.extend(subcommands.map(|((_, name), calls)| (format!("{}|{name}", command.name), *calls)));
        }
        used.retain(|(_, calls)| *calls != Calls::default());
        used
    }
}

fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many calls, of which each takes so many nanoseconds.
    fn run(calls: &mut Calls, count: u64, ns: u64) {
        for _ in 0..count {
            let took = if calls.is_sample_due() { Took::Sample(ns) } else { Took::Unknown };
            calls.note(false, took);
        }
    }

    #[test]
    fn one_call_of_64_stands_for_all() {
        let mut calls = Calls::default();
        run(&mut calls, 1, 3_000);
        assert_eq!((calls.us(), calls.us_per_call()), (3, 3.0));
        run(&mut calls, 63, 500);
        assert_eq!(calls.us(), 64 * 3, "the first is all that is known of them");
        run(&mut calls, 64 * 9, 500);
        assert_eq!((calls.count, calls.sampled), (640, Total { count: 10, ns: 3_000 + 9 * 500 }));
        assert_eq!(calls.us(), 640 * 750 / 1_000);
    }

    #[test]
    fn what_was_timed_call_by_call_is_exact() {
        let mut calls = Calls::default();
        [1_000, 2_000, 9_000].into_iter().for_each(|ns| calls.note(false, Took::Exactly(ns)));
        assert_eq!((calls.us(), calls.us_per_call()), (12, 4.0));
        // Others, before and after that, are estimated by themselves.
        calls.note(true, Took::Sample(100_000));
        calls.note(false, Took::Unknown);
        assert_eq!((calls.us(), calls.count, calls.failed), (212, 5, 1));
        assert_eq!(Calls::default().us_per_call(), 0.0);
    }
}
