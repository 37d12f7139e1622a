//! The answer to `INFO`: one `name: value` per line, an empty line at the end.

use std::fmt::Write;

use super::commands::REDIS_VERSION;
use super::{Core, Now};
use crate::metrics::ticks::{Phase, Ticks};

/// The node's state for a person. Names are stable; new ones may come between.
pub(super) fn text(core: &Core, clients: usize, now: Now) -> String {
    let Core { store, clock, saver, replication, metrics, options, session_bytes_max, started_us, .. } = core;
    let mut out = String::with_capacity(1024);
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let begin = out.len();
        write!(out, "{name}: {value}").expect("memory takes all");
        // A reason that others gave may have several.
        if out[begin..].contains(['\r', '\n']) {
            let one = out.split_off(begin).replace(['\r', '\n'], " ");
            out.push_str(&one);
        }
        out.push('\n');
    };
    line("version", &env!("CARGO_PKG_VERSION"));
    line("id", &clock.node());
    line("nodes", &(replication.peers() + 1));
    line("peers_linked", &replication.linked());
    line("peers_differing", &replication.differing());
    for (name, value) in readiness(core, now) {
        line(name, &value);
    }
    line("uptime_s", &((now.monotonic_us - started_us) / 1_000_000));
    line("clients", &clients);
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
    line("memory_exceeding_peer_writes", &replication.over_memory());
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
    line("disk_reserve_bytes", &metrics.disk_reserve_bytes);
    line("rows_written", &metrics.rows_written);
    line("writer_stalls", &metrics.writer_stalls);
    line("requests", &metrics.requests);
    line("requests_refused", &metrics.requests_refused);
    line("hits", &metrics.hits);
    line("misses", &metrics.misses);
    line("bytes_in", &metrics.bytes_in);
    line("bytes_out", &metrics.bytes_out);
    line("ticks", &metrics.ticks.durations().count());
    for (name, value) in ticks(&metrics.ticks) {
        line(&name, &value);
    }
    line("log_lines_dropped", &metrics.log_lines_dropped);
    line("peer_bytes", &replication.bytes());
    for peer in replication.status(store, now.monotonic_us) {
        let mut line = |name: &str, value: &dyn std::fmt::Display| line(&format!("peer_{}_{name}", peer.id), value);
        line("address", &peer.address);
        line("state", &peer.state);
        line("since_ms", &peer.since_ms);
        line("agreement", &peer.agreement);
        line("lag_changes", &peer.lag_changes);
        line("lag_changes_durable", &known(peer.lag_changes_durable));
        line("lag_ms", &known(peer.lag_ms));
        line("lag_ms_durable", &known(peer.lag_ms_durable));
        line("difference", &peer.difference.as_deref().unwrap_or("none"));
        line("retries", &peer.retries);
        line("error", &peer.error.as_deref().unwrap_or("none"));
    }
    out.push('\n');
    out
}

/// Whether the node has caught up, and why not.
fn readiness(core: &Core, now: Now) -> [(&'static str, String); 2] {
    let unready = core.replication.unready(now.monotonic_us);
    let is_ready = if unready.is_none() { "yes" } else { "no" };
    [("ready", is_ready.to_owned()), ("ready_reason", unready.map_or("none".to_owned(), |why| why.to_string()))]
}

/// A number, or that there is none: an alert on 0 must not be silent where nothing is known.
fn known(number: Option<impl ToString>) -> String {
    number.map_or("unknown".to_owned(), |number| number.to_string())
}

/// How long the loop's turns take, and what the longest one was spent on.
fn ticks(ticks: &Ticks) -> Vec<(String, String)> {
    let longest = ticks.longest();
    let phases = Phase::ALL.map(|phase| (format!("longest_tick_{}_us", phase.name()), longest.phase_us(phase)));
    let others = [
        ("longest_tick_off_cpu_us", longest.off_cpu_us),
        ("longest_tick_at_unix_ms", longest.unix_ms),
        ("longest_tick_requests", longest.traffic.requests),
        ("longest_tick_bytes_in", longest.traffic.bytes_in),
        ("longest_tick_bytes_out", longest.traffic.bytes_out),
        ("tick_us_p50", ticks.durations().at_most_us(500)),
        ("tick_us_p99", ticks.durations().at_most_us(990)),
        ("tick_us_p999", ticks.durations().at_most_us(999)),
        ("tick_on_cpu_us_max", ticks.on_cpu_us_max()),
    ];
    let mut lines = vec![
        ("longest_tick_us".to_owned(), longest.us().to_string()),
        ("longest_tick_phase".to_owned(), longest.longest_phase().name().to_owned()),
    ];
    lines.extend(phases.map(|(name, us)| (name, us.to_string())));
    lines.extend(others.map(|(name, number)| (name.to_owned(), number.to_string())));
    lines
}

/// The node's state in Redis' sections, with the names that tools read.
pub(super) fn sections(core: &Core, clients: usize, now: Now, wanted: &[String]) -> String {
    let Core { store, clock, saver, replication, metrics, options, started_us, pubsub, .. } = core;
    let uptime_s = (now.monotonic_us - started_us) / 1_000_000;
    let per_s = metrics.requests / uptime_s.max(1);
    let megabytes = |bytes: usize| format!("{:.2}M", bytes as f64 / (1 << 20) as f64);
    let keyspace = match store.keys() {
        0 => Vec::new(),
        keys => vec![("db0", format!("keys={keys},expires={},avg_ttl=0", store.expiring()))],
    };
    let ticks = ticks(&metrics.ticks);
    let [ready, ready_reason] = readiness(core, now);
    let all: [(&str, Vec<(&str, String)>); 10] = [
        (
            "Server",
            vec![
                ("redis_version", REDIS_VERSION.to_owned()),
                ("kvstoreapp_version", env!("CARGO_PKG_VERSION").to_owned()),
                ("redis_mode", "standalone".to_owned()),
                ("arch_bits", usize::BITS.to_string()),
                ("multiplexing_api", "mio".to_owned()),
                ("run_id", format!("{:040x}", replication.identity().incarnation)),
                ("uptime_in_seconds", uptime_s.to_string()),
                ("uptime_in_days", (uptime_s / 86_400).to_string()),
                ("node_id", clock.node().to_string()),
            ],
        ),
        (
            "Clients",
            vec![
                ("connected_clients", clients.to_string()),
                ("maxclients", options.clients_max.to_string()),
                ("client_recent_max_input_buffer", core.session_bytes_max.to_string()),
                ("blocked_clients", "0".to_owned()),
                ("pubsub_clients", pubsub.listeners().to_string()),
            ],
        ),
        (
            "Memory",
            vec![
                ("used_memory", store.bytes().to_string()),
                ("used_memory_human", megabytes(store.bytes())),
                ("used_memory_dataset", store.bytes().to_string()),
                ("used_memory_peers", replication.bytes().to_string()),
                ("maxmemory", options.memory_bytes_max.to_string()),
                ("maxmemory_human", megabytes(options.memory_bytes_max)),
                ("maxmemory_exceeding_peer_writes", replication.over_memory().to_string()),
                ("maxmemory_policy", "noeviction".to_owned()),
                ("mem_allocator", "mimalloc".to_owned()),
            ],
        ),
        (
            "Persistence",
            vec![
                ("loading", "0".to_owned()),
                ("rdb_changes_since_last_save", store.count_after(saver.durable()).to_string()),
                ("rdb_bgsave_in_progress", u8::from(saver.is_backing_up()).to_string()),
                ("rdb_last_save_time", (saver.saved_unix_ms() / 1000).to_string()),
                ("rdb_last_bgsave_status", if saver.error.is_some() { "err" } else { "ok" }.to_owned()),
                ("rdb_last_bgsave_time_sec", (saver.took_us / 1_000_000).to_string()),
                ("aof_enabled", "0".to_owned()),
                ("snapshot_error", saver.error.clone().unwrap_or_else(|| "none".to_owned())),
                ("disk_reserve_bytes", metrics.disk_reserve_bytes.to_string()),
            ],
        ),
        (
            "Stats",
            vec![
                ("total_connections_received", metrics.clients_accepted.to_string()),
                ("total_commands_processed", metrics.requests.to_string()),
                ("instantaneous_ops_per_sec", per_s.to_string()),
                ("total_net_input_bytes", metrics.bytes_in.to_string()),
                ("total_net_output_bytes", metrics.bytes_out.to_string()),
                ("rejected_connections", metrics.clients_refused.to_string()),
                ("expired_keys", metrics.keys_expired.to_string()),
                ("evicted_keys", "0".to_owned()),
                ("keyspace_hits", metrics.hits.to_string()),
                ("keyspace_misses", metrics.misses.to_string()),
                ("pubsub_channels", pubsub.channels.len().to_string()),
                ("pubsub_patterns", pubsub.patterns.len().to_string()),
                ("pubsubshard_channels", pubsub.shards.len().to_string()),
                ("total_error_replies", metrics.requests_refused.to_string()),
                ("eventloop_cycles", metrics.ticks.durations().count().to_string()),
                ("eventloop_duration_sum", metrics.ticks.durations().sum_us().to_string()),
            ],
        ),
        ("Ticks", ticks.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()),
        (
            "Replication",
            vec![
                ("role", "master".to_owned()),
                ("connected_slaves", replication.linked().to_string()),
                ("peers", replication.peers().to_string()),
                ("peers_differing", replication.differing().to_string()),
                ready,
                ready_reason,
                ("master_repl_offset", store.last_position().to_string()),
            ],
        ),
        ("CPU", Vec::new()),
        ("Cluster", vec![("cluster_enabled", "0".to_owned())]),
        ("Keyspace", keyspace),
    ];
    let everything =
        wanted.is_empty() || wanted.iter().any(|name| ["all", "default", "everything"].contains(&name.as_str()));
    let mut out = String::with_capacity(2048);
    for (name, fields) in all {
        if !everything && !wanted.contains(&name.to_lowercase()) {
            continue;
        }
        let separator = if out.is_empty() { "" } else { "\r\n" };
        write!(out, "{separator}# {name}\r\n").expect("memory takes all");
        for (field, value) in fields {
            write!(out, "{field}:{value}\r\n").expect("memory takes all");
        }
    }
    out
}
