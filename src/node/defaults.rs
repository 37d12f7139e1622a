//! What a setting is in a node that was told nothing about it.

use super::Options;
use super::foreign::Foreign;
use super::log_book;
use super::notifications::Notifications;
use crate::auth::log::Log;
use crate::metrics::latency::Latency;
use crate::metrics::slow_log::SlowLog;

/// The default of a setting of this name, in small letters; `None`: each node has its own, or no setting is called so.
pub(super) fn of(name: &str) -> Option<String> {
    let options = Options::default();
    Some(match name {
        "id" | "bind" | "port" | "dir" => return None,
        "acllog-max-len" => Log::default().entries_max.to_string(),
        "aclfile" | "requirepass" | "tls-ca-cert-file" | "tls-cert-file" | "tls-key-file" => String::new(),
        "durability" => options.durability.to_string(),
        "latency-monitor-threshold" => Latency::default().threshold_ms.to_string(),
        "latency-tracking" | "tls-auth-clients" => "no".to_owned(),
        "loglevel" => log_book::redis_name(options.process.log_level).to_owned(),
        "max-value-bytes" => options.value_bytes_max.to_string(),
        "maxclients" => options.clients_max.to_string(),
        "maxmemory" => options.memory_bytes_max.to_string(),
        "notify-keyspace-events" => Notifications::default().text(),
        "protected-mode" => if options.protected_mode { "yes" } else { "no" }.to_owned(),
        "slowlog-log-slower-than" => SlowLog::default().threshold_us.to_string(),
        "slowlog-max-len" => SlowLog::default().entries_max.to_string(),
        "snapshot-interval-ms" => options.snapshot_interval_ms.to_string(),
        "timeout" => options.idle_timeout_s.to_string(),
        foreign => Foreign::named(foreign)?.truth(&options),
    })
}
