//! A tick: what is due before clients have their turns, and what follows them. Whoever owns the sockets calls both
//! parts, and brings bytes in between.

use std::rc::Rc;

use super::timing::Timing;
use super::{LogBook, Node, Now, Usage};
use crate::metrics::ticks::{Phase, Tick};
use crate::replica::Save;
use crate::scripting::Clock;

/// Time of a tick that goes to steps of clearing out what expired or was flushed, but for the last: 5 to 50 us each,
/// and ten times that where much memory becomes free.
const CLEAR_OUT_US: u64 = 200;
/// Time of a tick that goes to slices of a snapshot, but for the last: some 50 us each where what changed is in the
/// cache, 300 us where it is not.
const HAND_OVER_US: u64 = 100;

/// A tick that long is told of in the log: everybody has waited for it.
const LONG_TICK_US: u64 = 100_000;
/// Least time between two such lines.
const LONG_TICK_PAUSE_US: u64 = 10_000_000;

impl Node {
    /// A tick begins, and it is that time: what has expired is hidden from here on, and cleared out as long as there is
    /// time for that.
    pub fn begin_tick(&mut self, now: Now) {
        self.time_tick(now);
        self.keys.begin_tick(now);
        while self.clear_out() && self.spent(Phase::Expiry) < CLEAR_OUT_US {}
        self.spent(Phase::Expiry);
    }

    /// Clients had their turns: peers get what they lack, whoever waited for time or peers goes on, and the data file
    /// gets its next pieces of work.
    pub fn finish_tick(&mut self, now: Now, mut give: impl FnMut(Save)) {
        self.keys.replica_mut().exchange(now);
        self.open_gates(now);
        self.send_strangers_away(now);
        self.sessions.failures.tell(now);
        self.note_readiness(now);
        self.end_logins(now);
        self.end_idle_backups(now);
        self.tell_watchers(now);
        let until_us = self.spent(Phase::Peers) + HAND_OVER_US;
        while let Some(save) = self.next_save(now) {
            give(save);
            if self.spent(Phase::Snapshot) > until_us {
                break;
            }
        }
        self.spent(Phase::Snapshot);
    }

    /// A node that was ready for a moment is ready from there on.
    fn note_readiness(&mut self, now: Now) {
        if !self.readiness.has_been() {
            let unready = self.unready(now);
            self.readiness.note(unready.as_ref(), self.settings.options.ready_after_s, now);
        }
    }

    /// One step. Returns whether there are more.
    fn clear_out(&mut self) -> bool {
        let mut told = Vec::new();
        let is_told = !self.channels.pubsub.is_empty();
        let expired = self.keys.replica_mut().clear_out(|database, key| {
            if is_told {
                told.push((database, key.to_vec()));
            }
        });
        self.metrics.keys_expired += expired as u64;
        told.iter().for_each(|(database, key)| self.notify('x', "expired", *database, key));
        self.keys.replica().can_clear_out()
    }

    /// What commands and the parts of a tick are timed by, in monotonic nanoseconds. It stands still where nobody gives one.
    pub fn time_by(&mut self, stopwatch: impl Fn() -> u64 + 'static) {
        let stopwatch: Clock = Rc::new(stopwatch);
        self.scripts.time_by(stopwatch.clone());
        self.timing.stopwatch = Some(stopwatch);
    }

    /// What says what the process has used of the machine; `None` where nobody knows.
    pub fn measure_by(&mut self, measure: impl Fn() -> Option<Usage> + 'static) {
        self.timing.measure = Some(Box::new(measure));
    }

    /// What keeps the log's events, and chooses what is printed.
    pub fn log_to(&mut self, log: impl LogBook + 'static) {
        self.settings.log = Box::new(log);
    }

    /// What has passed of the tick since the last call went to this phase. Returns how long the tick has taken so far,
    /// in microseconds.
    pub fn spent(&mut self, phase: Phase) -> u64 {
        let ticked_us = self.timing.ticked.monotonic_us;
        let monotonic_us = (self.timing.monotonic_ns() / 1_000).max(ticked_us);
        self.metrics.ticks.spent(phase, monotonic_us);
        monotonic_us - ticked_us
    }

    /// The tick is over. So much of it the thread had no processor.
    pub fn end_tick(&mut self, off_cpu_us: u64) {
        let metrics = &mut self.metrics;
        let tick = metrics.ticks.end(metrics.traffic(), off_cpu_us);
        self.timing.slow_log.end_tick(&tick);
        self.tell_of_long_tick(&tick);
        let latency = &mut self.timing.latency;
        if latency.threshold_ms > 0 && tick.us() >= 1_000 {
            let unix_s = tick.unix_ms / 1000;
            latency.note("tick", unix_s, tick.us());
            Phase::ALL.into_iter().for_each(|phase| latency.note(event(phase), unix_s, tick.phase_us(phase)));
        }
    }

    /// Says what a long tick was spent on, but not of each where many are.
    fn tell_of_long_tick(&mut self, tick: &Tick) {
        let Timing { ticked, tick_log, .. } = &mut self.timing;
        if tick.us() < LONG_TICK_US || !tick_log.lets(ticked.monotonic_us, LONG_TICK_PAUSE_US) {
            return;
        }
        let (ms, phase, number) = (tick.us() / 1_000, tick.longest_phase(), tick.number);
        let (phase_ms, off_cpu_ms) = (tick.phase_us(phase) / 1_000, tick.off_cpu_us / 1_000);
        log::warn!(
            event = "long_tick", tick = number, ms, phase = phase.name(), phase_ms, off_cpu_ms;
            "tick {number} took {ms} ms, {phase_ms} of them in phase {}; for {off_cpu_ms} ms there was no \
             processor. SLOWLOG GET 10 TICK shows which requests were in it",
            phase.name()
        );
    }

    /// A tick begins.
    fn time_tick(&mut self, now: Now) {
        self.timing.ticked = now;
        if self.metrics.history.is_due(now.monotonic_us) {
            self.note_second(now);
        }
        let metrics = &mut self.metrics;
        let traffic = metrics.traffic();
        metrics.ticks.begin(now.monotonic_us, now.unix_ms, traffic);
        self.timing.tick = metrics.ticks.number();
        metrics.rates.note(now.monotonic_us, traffic);
    }
}

/// What a phase is called in `LATENCY`: as in Redis where it has the same.
fn event(phase: Phase) -> &'static str {
    match phase {
        Phase::Expiry => "expire-cycle",
        other => other.name(),
    }
}
