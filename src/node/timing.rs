//! Where the node's time goes: what whoever turns the loop tells it of a tick.

use super::{Node, Now};
use crate::metrics::ticks::Phase;

impl Node {
    /// A part of the tick is over, and it is that time, in monotonic microseconds.
    pub fn spent(&mut self, phase: Phase, monotonic_us: u64) {
        self.core.metrics.ticks.spent(phase, monotonic_us);
    }

    /// The tick is over.
    pub fn end_tick(&mut self) {
        let metrics = &mut self.core.metrics;
        metrics.ticks.end(metrics.traffic());
    }

    /// A tick begins.
    pub(super) fn time_tick(&mut self, now: Now) {
        let metrics = &mut self.core.metrics;
        metrics.ticks.begin(now.monotonic_us, now.unix_ms, metrics.traffic());
    }
}
