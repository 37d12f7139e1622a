//! The statistics that other nodes and people are told at a glance.

use std::collections::BTreeMap;

use super::Sources;
use crate::replication::PeerStatus;
use crate::status::{NodeStatus, PeerRow};
use crate::store::{Database, Store};

impl Sources<'_> {
    /// The node as it is, but for whether it ends. O(peers and segments of the change list).
    pub(in crate::node) fn status(&self) -> NodeStatus {
        let (metrics, snapshotter, store) = (self.metrics(), self.snapshotter(), self.store());
        let (options, rates, now) = (self.options(), self.rates(), self.now());
        let conflicts = self.replication().conflicts();
        let durations = self.ticks().durations();
        let ms_since = |us: u64| now.monotonic_us.saturating_sub(us) / 1_000;
        NodeStatus {
            id: self.clock().node(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            unix_ms: now.unix_ms,
            uptime_s: self.uptime_us() / 1_000_000,
            ready: self.unready().is_none(),
            unready_why: self.unready().map(ToString::to_string),
            ending: false,
            durability: options.durability.to_string(),
            keys: store.keys() as u64,
            databases: keys_beside_zero(store),
            clients: self.clients() as u64,
            memory_bytes: store.bytes() as u64,
            memory_bytes_max: store.bytes_max() as u64,
            requests_per_s: rates.requests,
            bytes_in_per_s: rates.bytes_in,
            bytes_out_per_s: rates.bytes_out,
            hits: metrics.hits,
            misses: metrics.misses,
            conflicts: conflicts.won + conflicts.lost,
            tick_us_p50: durations.at_most(500),
            tick_us_p99: durations.at_most(990),
            longest_tick_recent_us: self.ticks().longest_of_minute_us(now.monotonic_us),
            snapshot_interval_ms: options.snapshot_interval_ms,
            snapshot_age_ms: ms_since(snapshotter.committed_us),
            unsaved_ms: snapshotter.unsaved_us(now) / 1_000,
            unsaved_changes: store.count_after(snapshotter.durable()) as u64,
            disk_error: snapshotter.error.clone(),
            clock_drift_ms_max: options.limits.clock_drift_ms_max,
            peers: (0..self.replication().peers()).map(|place| row(self.peer(place))).collect(),
        }
    }
}

fn keys_beside_zero(store: &Store) -> BTreeMap<u8, u64> {
    let held = Database::all().skip(1).map(|database| (database.number() as u8, store.keys_in(database) as u64));
    held.filter(|(_, keys)| *keys > 0).collect()
}

fn row(peer: &PeerStatus) -> PeerRow {
    let PeerStatus { id, state, since_ms, lag_ms, lag_ms_durable, skew_ms, refused, .. } = *peer;
    PeerRow {
        id,
        state: state.to_owned(),
        since_ms,
        agreement: peer.agreement.clone(),
        lag_changes: peer.lag_changes as u64,
        lag_changes_durable: peer.lag_changes_durable.map(|changes| changes as u64),
        lag_ms,
        lag_ms_durable,
        skew_ms,
        difference: peer.difference.clone(),
        error: peer.error.clone(),
        refused,
    }
}
