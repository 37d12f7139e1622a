//! What the node does once a second, whatever else happens: it notes how it was, and tells other nodes how it is.

use super::{Node, Now};
use crate::metrics::history::Gauges;

impl Node {
    /// A second is over, or more.
    #[cold]
    pub(super) fn note_second(&mut self, now: Now) {
        let Node { keys, metrics, .. } = self;
        let replica = keys.replica();
        let conflicts = replica.replication().conflicts();
        let since_commit_us = now.monotonic_us.saturating_sub(replica.snapshotter().committed_us);
        let gauges = Gauges {
            memory_bytes: replica.store().bytes() as u64,
            snapshot_age_ms: since_commit_us / 1_000,
            conflicts: conflicts.won + conflicts.lost,
            ran_until_us: metrics.ticks.ran_until_us(),
        };
        let (sums, longest_us) = (metrics.sums(), metrics.ticks.take_lately_us());
        let turns = (metrics.ticks.durations(), longest_us);
        metrics.history.note(now, &sums, turns, gauges, replica.replication().lags(now.monotonic_us));
        self.report(now);
    }
}
