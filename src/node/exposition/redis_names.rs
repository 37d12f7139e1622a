//! What redis_exporter (<https://github.com/oliver006/redis_exporter>) calls the fields of `INFO`, so that dashboards
//! that were made for it show a node.
//!
//! Its tests and ours compare: each name here is one that the exporter has of a node, with the same type. Left out is
//! `redis_rdb_last_bgsave_duration_sec`: what checks names does not let it pass.

use crate::node::statistics::Section::{
    self, Clients, Commandstats, Cpu, Errorstats, Keyspace, Memory, Persistence, Replication, Server, Stats,
};
use crate::node::statistics::Type::{self, Counter, Gauge};

/// A field of `INFO`, and the figure that is made of it.
pub(super) struct Name {
    pub(super) section: Section,
    pub(super) field: &'static str,
    /// Its part, where a line has several.
    pub(super) part: Option<&'static str>,
    /// Without suffix.
    pub(super) name: &'static str,
    pub(super) kind: Type,
    /// What members are told apart by.
    pub(super) label: Option<&'static str>,
}

const fn gauge(section: Section, field: &'static str, name: &'static str) -> Name {
    Name { section, field, part: None, name, kind: Gauge, label: None }
}

const fn counter(section: Section, field: &'static str, name: &'static str) -> Name {
    Name { section, field, part: None, name, kind: Counter, label: None }
}

const fn of_each(
    section: Section,
    (field, part): (&'static str, &'static str),
    (name, kind): (&'static str, Type),
    label: &'static str,
) -> Name {
    Name { section, field, part: Some(part), name, kind, label: Some(label) }
}

/// All of them.
pub(super) const NAMES: &[Name] = &[
    gauge(Server, "uptime_in_seconds", "redis_uptime_in_seconds"),
    gauge(Server, "process_id", "redis_process_id"),
    gauge(Clients, "connected_clients", "redis_connected_clients"),
    gauge(Clients, "blocked_clients", "redis_blocked_clients"),
    gauge(Clients, "maxclients", "redis_config_maxclients"),
    gauge(Clients, "client_recent_max_input_buffer", "redis_client_recent_max_input_buffer_bytes"),
    gauge(Memory, "used_memory", "redis_memory_used_bytes"),
    gauge(Memory, "used_memory_rss", "redis_memory_used_rss_bytes"),
    gauge(Memory, "used_memory_dataset", "redis_memory_used_dataset_bytes"),
    gauge(Memory, "maxmemory", "redis_memory_max_bytes"),
    gauge(Memory, "mem_fragmentation_ratio", "redis_mem_fragmentation_ratio"),
    gauge(Persistence, "loading", "redis_loading_dump_file"),
    gauge(Persistence, "rdb_changes_since_last_save", "redis_rdb_changes_since_last_save"),
    gauge(Persistence, "rdb_bgsave_in_progress", "redis_rdb_bgsave_in_progress"),
    gauge(Persistence, "rdb_last_save_time", "redis_rdb_last_save_timestamp_seconds"),
    gauge(Persistence, "rdb_last_bgsave_status", "redis_rdb_last_bgsave_status"),
    gauge(Persistence, "aof_enabled", "redis_aof_enabled"),
    counter(Stats, "total_connections_received", "redis_connections_received"),
    counter(Stats, "total_commands_processed", "redis_commands_processed"),
    counter(Stats, "rejected_connections", "redis_rejected_connections"),
    counter(Stats, "total_net_input_bytes", "redis_net_input_bytes"),
    counter(Stats, "total_net_output_bytes", "redis_net_output_bytes"),
    counter(Stats, "expired_keys", "redis_expired_keys"),
    counter(Stats, "evicted_keys", "redis_evicted_keys"),
    counter(Stats, "keyspace_hits", "redis_keyspace_hits"),
    counter(Stats, "keyspace_misses", "redis_keyspace_misses"),
    gauge(Stats, "pubsub_channels", "redis_pubsub_channels"),
    gauge(Stats, "pubsub_patterns", "redis_pubsub_patterns"),
    gauge(Replication, "connected_slaves", "redis_connected_slaves"),
    gauge(Replication, "master_repl_offset", "redis_master_repl_offset"),
    counter(Cpu, "used_cpu_sys", "redis_cpu_sys_seconds"),
    counter(Cpu, "used_cpu_user", "redis_cpu_user_seconds"),
    counter(Cpu, "used_cpu_sys_children", "redis_cpu_sys_children_seconds"),
    counter(Cpu, "used_cpu_user_children", "redis_cpu_user_children_seconds"),
    of_each(Commandstats, ("cmdstat_{}", "calls"), ("redis_commands", Counter), "cmd"),
    of_each(Commandstats, ("cmdstat_{}", "usec"), ("redis_commands_duration_seconds", Counter), "cmd"),
    of_each(Commandstats, ("cmdstat_{}", "rejected_calls"), ("redis_commands_rejected_calls", Counter), "cmd"),
    of_each(Commandstats, ("cmdstat_{}", "failed_calls"), ("redis_commands_failed_calls", Counter), "cmd"),
    of_each(Errorstats, ("errorstat_{}", "count"), ("redis_errors", Counter), "err"),
    of_each(Keyspace, ("{}", "keys"), ("redis_db_keys", Gauge), "db"),
    of_each(Keyspace, ("{}", "expires"), ("redis_db_keys_expiring", Gauge), "db"),
    of_each(Keyspace, ("{}", "avg_ttl"), ("redis_db_avg_ttl_seconds", Gauge), "db"),
];

/// The fields that tell a node from others: labels of `redis_instance_info`.
pub(super) const INSTANCE: [(Section, &str, &str); 8] = [
    (Replication, "role", "role"),
    (Server, "redis_version", "redis_version"),
    (Server, "redis_mode", "redis_mode"),
    (Server, "os", "os"),
    (Memory, "maxmemory_policy", "maxmemory_policy"),
    (Server, "tcp_port", "tcp_port"),
    (Server, "run_id", "run_id"),
    (Server, "process_id", "process_id"),
];
