//! The answer to `INFO`: one `name: value` per line, an empty line at the end.

use std::fmt::Write;

use super::{Core, Now};

/// The node's state for a person. Names are stable; new ones may come between.
pub(super) fn text(core: &Core, now: Now) -> String {
    let Core { store, clock, saver, replication, metrics, options, sessions, session_bytes_max, started_us, .. } = core;
    let mut out = String::with_capacity(1024);
    let mut line =
        |name: &str, value: &dyn std::fmt::Display| writeln!(out, "{name}: {value}").expect("memory takes all");
    line("version", &env!("CARGO_PKG_VERSION"));
    line("id", &clock.node());
    line("nodes", &(replication.peers() + 1));
    line("peers_linked", &replication.linked());
    line("uptime_s", &((now.monotonic_us - started_us) / 1_000_000));
    line("clients", sessions);
    line("clients_max", &options.clients_max);
    line("clients_accepted", &metrics.clients_accepted);
    line("clients_refused", &metrics.clients_refused);
    line("clients_closed_idle", &metrics.idle_closed);
    line("clients_closed_http", &metrics.http_closed);
    line("client_buffer_bytes_longest", session_bytes_max);
    line("keys", &store.keys());
    line("keys_expiring", &store.expiring());
    line("keys_expired", &metrics.keys_expired);
    line("tombstones", &store.tombstones());
    line("memory_bytes", &store.bytes());
    line("memory_bytes_max", &options.memory_bytes_max);
    line("change_list_bytes", &store.change_list_bytes());
    line("position", &store.last_position());
    line("durability", &options.durability);
    line("durable_position", &saver.durable());
    line("snapshot_state", &saver.state());
    line("snapshot_age_ms", &((now.monotonic_us - saver.committed_us) / 1000));
    line("snapshot_took_ms", &(saver.took_us / 1000));
    line("snapshot_error", &saver.error.as_deref().unwrap_or("none"));
    line("snapshots", &metrics.snapshots);
    line("snapshots_failed", &metrics.snapshots_failed);
    line("rows_written", &metrics.rows_written);
    line("writer_stalls", &metrics.writer_stalls);
    line("requests", &metrics.requests);
    line("requests_refused", &metrics.requests_refused);
    line("hits", &metrics.hits);
    line("misses", &metrics.misses);
    line("bytes_in", &metrics.bytes_in);
    line("bytes_out", &metrics.bytes_out);
    line("ticks", &metrics.ticks);
    line("longest_tick_us", &metrics.longest_tick_us);
    line("log_lines_dropped", &metrics.log_lines_dropped);
    line("peer_bytes", &replication.bytes());
    for peer in replication.status(store, now.monotonic_us) {
        let mut line = |name: &str, value: &dyn std::fmt::Display| line(&format!("peer_{}_{name}", peer.id), value);
        line("address", &peer.address);
        line("state", &peer.state);
        line("since_ms", &peer.since_ms);
        line("agreement", &peer.agreement);
        line("lag_changes", &peer.lag_changes);
        line("lag_changes_durable", &peer.lag_changes_durable);
        line("lag_ms", &peer.lag_ms);
        line("lag_ms_durable", &peer.lag_ms_durable);
        line("retries", &peer.retries);
        line("error", &peer.error.as_deref().unwrap_or("none"));
    }
    out.push('\n');
    out
}
