//! How often each command was called, what became of that, and how long it took, as Redis' `INFO commandstats` and
//! `latencystats` have it.
//!
//! Every call is counted. Of a command that takes little time one call of 64 is timed, and stands for the others: reading
//! the clock costs a quarter of a pipelined `GET`. Which one is left to chance, so that no rhythm of a client's decides
//! about it: the first of a pipeline finds a colder cache than all that follow. So what such commands took is an
//! estimate; what was timed call by call is exact.

use std::collections::BTreeMap;

use super::durations::Durations;
use crate::protocol::command::{COMMANDS, Kind};
use crate::protocol::{Args, Command};

/// Of so many calls one is timed for all, on average.
const CALLS_PER_SAMPLE: u64 = 64;
/// The unit in which percentiles are kept: fine enough for a `GET`, and a minute fits.
const PERCENTILE_NS: u64 = 16;

/// The calls of one command, or of one of its subcommands. 64 bytes, of which a call that is not timed touches two
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that ran.
    pub count: u64,
    /// When as many have run the next is timed for others.
    sample_at: u64,
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
    /// Whether the next call is to be timed for others.
    #[inline]
    pub fn is_sample_due(&self) -> bool {
        self.count >= self.sample_at
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

    /// A call has run. Where it was timed for others, the one after so many more is the next.
    fn note(&mut self, has_failed: bool, took: Took, pause: impl FnOnce() -> u64) {
        self.count += 1;
        self.failed += u64::from(has_failed);
        match took {
            Took::Unknown => (),
            Took::Sample(ns) => {
                self.sampled.note(ns);
                self.sample_at = self.count + pause();
            }
            Took::Exactly(ns) => self.timed.note(ns),
        }
    }
}

/// How long the calls took that were timed, in [`PERCENTILE_NS`].
type Latency = Option<Box<Durations>>;

/// The calls of all commands.
#[derive(Debug)]
pub struct AllCalls {
    /// By the number of the command; of those with subcommands, those without one.
    whole: Box<[Calls]>,
    latencies: Box<[Latency]>,
    subcommands: BTreeMap<(usize, &'static str), (Calls, Latency)>,
    /// Decides which call is timed.
    random: fastrand::Rng,
}

impl Default for AllCalls {
    fn default() -> AllCalls {
        AllCalls::new(fastrand::Rng::with_seed(0))
    }
}

/// What was called.
#[derive(Debug)]
pub struct Used {
    /// Its name: `get`, `config|set`.
    pub name: String,
    /// Its calls.
    pub calls: Calls,
    number: usize,
    subcommand: Option<&'static str>,
}

impl AllCalls {
    /// None yet. `random` decides which are timed.
    pub fn new(random: fastrand::Rng) -> AllCalls {
        let latencies = COMMANDS.iter().map(|_| None).collect();
        AllCalls {
            whole: vec![Calls::default(); COMMANDS.len()].into(),
            latencies,
            subcommands: BTreeMap::new(),
            random,
        }
    }

    /// Begins to count anew.
    pub fn reset(&mut self) {
        *self = AllCalls::new(self.random.clone());
    }

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

    /// A call of what is asked for, be it a subcommand, has run.
    pub fn note(&mut self, command: Command, args: Args<'_>, has_failed: bool, took: Took) {
        let AllCalls { whole, latencies, subcommands, random } = self;
        let (calls, latency) = match subcommand(command, args) {
            Some(name) => {
                let (calls, latency) = subcommands.entry((command as usize, name)).or_default();
                (calls, latency)
            }
            None => (&mut whole[command as usize], &mut latencies[command as usize]),
        };
        calls.note(has_failed, took, || random.u64(0..2 * CALLS_PER_SAMPLE - 1));
        if let Took::Sample(ns) | Took::Exactly(ns) = took {
            latency.get_or_insert_default().note(ns / PERCENTILE_NS);
        }
    }

    /// A call of what is asked for was refused before it could run.
    pub fn reject(&mut self, command: Command, args: Args<'_>) {
        match subcommand(command, args) {
            Some(name) => self.subcommands.entry((command as usize, name)).or_default().0.rejected += 1,
            None => self.whole[command as usize].rejected += 1,
        }
    }

    /// How many ran that look at keys, that change some, and that do neither. O(commands).
    pub fn by_kind(&self) -> [u64; 3] {
        let mut sums = [0; 3];
        let mut add = |number: usize, calls: &Calls| sums[place(COMMANDS[number].kind)] += calls.count;
        self.whole.iter().enumerate().for_each(|(number, calls)| add(number, calls));
        self.subcommands.iter().for_each(|((number, _), (calls, _))| add(*number, calls));
        sums
    }

    /// Those that were called.
    pub fn used(&self) -> Vec<Used> {
        let mut used = Vec::new();
        for (number, command) in COMMANDS.iter().enumerate() {
            let name = command.name;
            used.push(Used { name: name.to_owned(), calls: self.whole[number], number, subcommand: None });
            let subcommands = self.subcommands.range((number, "")..(number + 1, ""));
            used.extend(subcommands.map(|(&(number, part), (calls, _))| Used {
                name: format!("{name}|{part}"),
                calls: *calls,
                number,
                subcommand: Some(part),
            }));
        }
        used.retain(|one| one.calls != Calls::default());
        used
    }

    /// Of a thousand calls that were timed so many took at most so many microseconds; `None` where none was.
    pub fn at_most_us(&self, of: &Used, per_mille: u64) -> Option<f64> {
        let latency = match of.subcommand {
            Some(part) => self.subcommands.get(&(of.number, part)).and_then(|(_, latency)| latency.as_deref()),
            None => self.latencies[of.number].as_deref(),
        };
        latency.map(|latency| (latency.at_most(per_mille) * PERCENTILE_NS) as f64 / 1_000.0)
    }
}

fn place(kind: Kind) -> usize {
    match kind {
        Kind::Read => 0,
        Kind::Write => 1,
        Kind::Other => 2,
    }
}

/// The name of the subcommand that is asked for.
fn subcommand(command: Command, args: Args<'_>) -> Option<&'static str> {
    let is_meant = |(name, _): &&(&'static str, i32)| args.get(1).is_some_and(|arg| is(arg, name));
    command.subcommands().iter().find(is_meant).map(|(name, _)| *name)
}

fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many calls, of which each takes so many nanoseconds. Returns which of them were timed.
    fn run(calls: &mut Calls, random: &mut fastrand::Rng, count: u64, ns: u64) -> Vec<u64> {
        let mut timed = Vec::new();
        for number in 0..count {
            let took = if calls.is_sample_due() { Took::Sample(ns) } else { Took::Unknown };
            timed.extend((took != Took::Unknown).then_some(number));
            calls.note(false, took, || random.u64(0..2 * CALLS_PER_SAMPLE - 1));
        }
        timed
    }

    #[test]
    fn one_call_of_64_stands_for_all_and_chance_decides_which() {
        let (mut calls, mut random) = (Calls::default(), fastrand::Rng::with_seed(7));
        assert_eq!(run(&mut calls, &mut random, 1, 3_000), [0], "the first is timed: else nothing would be known");
        assert_eq!((calls.us(), calls.us_per_call()), (3, 3.0));
        let timed = run(&mut calls, &mut random, 640_000, 500);
        assert!((9_500..10_500).contains(&timed.len()), "{} of 640,000", timed.len());
        // Whatever a client's rhythm: each place of a pipeline is timed about as often.
        for pipeline in [2, 16, 64, 100] {
            let first = timed.iter().filter(|number| *number % pipeline == 0).count();
            let expected = timed.len() / pipeline as usize;
            assert!(first < 2 * expected && first > expected / 2, "{first} times the first of {pipeline}");
        }
        assert_eq!(calls.count, 640_001);
        assert!((calls.us() as i64 - 320_000).abs() < 1_000, "{} us", calls.us());
    }

    #[test]
    fn what_was_timed_call_by_call_is_exact() {
        let mut calls = Calls::default();
        let note = |calls: &mut Calls, has_failed, took| calls.note(has_failed, took, || 100);
        [1_000, 2_000, 9_000].into_iter().for_each(|ns| note(&mut calls, false, Took::Exactly(ns)));
        assert_eq!((calls.us(), calls.us_per_call()), (12, 4.0));
        // Others, before and after that, are estimated by themselves.
        note(&mut calls, true, Took::Sample(100_000));
        note(&mut calls, false, Took::Unknown);
        assert_eq!((calls.us(), calls.count, calls.failed), (212, 5, 1));
        assert_eq!(Calls::default().us_per_call(), 0.0);
    }

    #[test]
    fn percentiles_are_those_of_the_calls_that_were_timed() {
        let mut all = AllCalls::default();
        let spans = std::slice::from_ref(&(0..3));
        for ns in [200, 200, 200, 50_000_000] {
            all.note(Command::Get, Args::new(b"GET", spans), false, Took::Sample(ns));
        }
        let used = all.used();
        let us = |per_mille| all.at_most_us(&used[0], per_mille).expect("some were timed");
        assert_eq!((used.len(), used[0].name.as_str()), (1, "get"));
        assert!((0.16..0.24).contains(&us(500)), "{} us", us(500));
        assert!((49_000.0..51_000.0).contains(&us(999)), "{} us", us(999));
    }
}
