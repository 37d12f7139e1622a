//! Where the node's time goes: ticks, and the commands that are timed one by one.
//!
//! Timing a command costs some 0.1 us, a quarter of a pipelined `GET`, so only what can take long is timed: commands
//! that can by their nature, those with many arguments, and all where somebody has asked for it. Of the others one call
//! of 64 is, so that it is known about how long they take.

use super::client::Client;
use super::options::Usage;
use super::progress::Progress;
use super::redacting::without_secrets;
use super::throttle::Throttle;
use crate::metrics::calls::AllCalls;
use crate::metrics::durations::Durations;
use crate::metrics::latency::Latency;
use crate::metrics::slow_log::SlowLog;
use crate::protocol::{Args, Command};
use crate::scripting::Clock;
use crate::store::Now;

/// More arguments than that may take long, whatever the command.
const ARGS_FEW: usize = 32;
/// Where less than that is slow, any command can be.
const SLOW_US_MIN: i64 = 1_000;

/// When a command began.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    ns: u64,
    /// Whether it is timed for itself, and not for others of its kind.
    pub(super) is_timed: bool,
}

/// See the module.
pub(super) struct Timing {
    /// Monotonic nanoseconds. Nothing but how much of a tick goes to what can wait is decided by it.
    pub(super) stopwatch: Option<Clock>,
    /// What the process has used of the machine.
    pub(super) measure: Option<Box<dyn Fn() -> Option<Usage>>>,
    /// When the node began, and the time of its last tick.
    pub(super) started: Now,
    pub(super) ticked: Now,
    /// ... and its number.
    pub(super) tick: u64,
    pub(super) slow_log: SlowLog,
    pub(super) latency: Latency,
    /// Whether all commands are timed, however short they are.
    pub(super) tracks_all: bool,
    /// Whether the transaction that is run has had a part that is listed as slow.
    pub(super) had_slow_part: bool,
    /// About long ticks.
    pub(super) tick_log: Throttle,
    /// How long the commands took that were timed, by number.
    commands: Vec<(Command, Durations)>,
}

impl Timing {
    /// Of a node that begins.
    pub(super) fn new(now: Now) -> Timing {
        Timing {
            stopwatch: None,
            measure: None,
            started: now,
            ticked: now,
            tick: 0,
            slow_log: SlowLog::default(),
            latency: Latency::default(),
            tracks_all: false,
            had_slow_part: false,
            tick_log: Throttle::default(),
            commands: Vec::new(),
        }
    }

    /// What the process has used of the machine; `None` where nobody says so.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.measure.as_ref().and_then(|measure| measure())
    }

    /// A command begins. `None`: there is no more to it than that it is counted.
    #[inline(always)]
    pub(super) fn begin(&self, calls: &AllCalls, command: Command, args: Args<'_>) -> Option<Begun> {
        let is_all = self.tracks_all || (0..SLOW_US_MIN).contains(&self.slow_log.threshold_us);
        let is_plain = !is_all && args.len() <= ARGS_FEW && command.is_plain();
        if is_plain && !calls.of_plain(command).is_sample_due() {
            return None;
        }
        let is_timed = is_all || args.len() > ARGS_FEW || command.can_take_long();
        Some(Begun { ns: self.monotonic_ns(), is_timed })
    }

    /// One that is timed has made a step. `is_over` says whether it was the last. Returns how long it took so far, in
    /// nanoseconds.
    pub(super) fn note(
        &mut self,
        (client, progress): (&Client, &mut Progress),
        command: Command,
        args: Args<'_>,
        begun: Begun,
        is_over: bool,
        now: Now,
    ) -> u64 {
        let ns = progress.spent_us * 1_000 + self.since(begun);
        let us = ns / 1_000;
        progress.spent_us = us;
        if !is_over {
            return ns;
        }
        progress.spent_us = 0;
        let unix_s = now.unix_ms / 1000;
        self.latency.note("command", unix_s, us);
        // Of a transaction what was slow in it is listed, and itself only where nothing else is.
        let is_listed = command == Command::Exec && std::mem::take(&mut self.had_slow_part);
        if self.slow_log.is_slow(us) && !is_listed {
            self.had_slow_part |= progress.is_executing;
            let args = without_secrets(command, args);
            self.slow_log.push(us, unix_s, &args, (&client.addresses.0, &client.name), self.tick);
        }
        let at = self.commands.iter().position(|(other, _)| *other == command).unwrap_or_else(|| {
            self.commands.push((command, Durations::default()));
            self.commands.len() - 1
        });
        self.commands[at].1.note(us);
        ns
    }

    /// Nanoseconds since then.
    pub(super) fn since(&self, begun: Begun) -> u64 {
        self.monotonic_ns().saturating_sub(begun.ns)
    }

    pub(super) fn monotonic_ns(&self) -> u64 {
        self.stopwatch.as_ref().map_or(0, |stopwatch| stopwatch())
    }

    /// Begins to count anew.
    pub(super) fn reset(&mut self) {
        self.commands.clear();
    }

    /// The commands that were timed.
    pub(super) fn commands(&self) -> impl Iterator<Item = (Command, &Durations)> {
        self.commands.iter().map(|(command, durations)| (*command, durations))
    }
}
