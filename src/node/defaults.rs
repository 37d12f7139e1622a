//! What a setting is in a node that was told nothing about it.

use super::Options;
use super::foreign::Foreign;
use super::notifications::Notifications;
use super::settings;
use crate::auth::log::Log;
use crate::metrics::latency::Latency;
use crate::metrics::slow_log::SlowLog;

/// The default of a setting of this name, in small letters; `None`: each node has its own, or no setting is called so.
pub(super) fn of(name: &str) -> Option<String> {
    let options = Options::default();
    settings::in_options(name, &options).or_else(|| {
        Some(match name {
            "id" | "bind" | "port" | "dir" => return None,
            "acllog-max-len" => Log::default().entries_max.to_string(),
            "latency-monitor-threshold" => Latency::default().threshold_ms.to_string(),
            "latency-tracking" => "no".to_owned(),
            "notify-keyspace-events" => Notifications::default().text(),
            "requirepass" => String::new(),
            "slowlog-log-slower-than" => SlowLog::default().threshold_us.to_string(),
            "slowlog-max-len" => SlowLog::default().entries_max.to_string(),
            foreign => Foreign::named(foreign)?.truth(&options),
        })
    })
}
