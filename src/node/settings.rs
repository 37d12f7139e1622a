//! Settings that can be changed while the node runs: what is asked for is checked as a whole, then done as a whole.

use std::collections::BTreeMap;

use super::foreign::{ALIASES, FOREIGN, Foreign, Kind, bytes, integer, yes_no};
use super::notifications::Notifications;
use super::{Core, Options};

/// Most clients that can be asked for.
const CLIENTS_MAX: i64 = u32::MAX as i64;

/// Foreign settings that were set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    set: BTreeMap<&'static str, String>,
}

/// A setting that is to become another, and may.
#[derive(Debug)]
pub(super) enum Change {
    Notifications(Notifications),
    MemoryMax(usize),
    ClientsMax(usize),
    IdleTimeout(u64),
    LatencyThreshold(u64),
    LatencyTracking(bool),
    SlowLogThreshold(i64),
    SlowLogEntries(usize),
    Foreign(&'static str, String),
}

/// Why a setting cannot be changed, whatever the value; `None` where it can, or where no setting has this name.
pub(super) fn locked(name: &str) -> Option<&'static str> {
    const IMMUTABLE: &str = "can't set immutable config";
    match name {
        "id" | "durability" | "max-value-bytes" | "snapshot-interval-ms" => Some(IMMUTABLE),
        _ => match Foreign::named(name)?.kind {
            Kind::Immutable => Some(IMMUTABLE),
            Kind::Protected => Some("can't set protected config"),
            Kind::Harmless(_) | Kind::Fixed(..) => None,
        },
    }
}

/// Whether a setting has this name, in small letters.
pub(super) fn is_known(name: &str) -> bool {
    OWN.contains(&name) || Foreign::named(name).is_some()
}

const OWN: [&str; 12] = [
    "durability",
    "id",
    "latency-monitor-threshold",
    "latency-tracking",
    "max-value-bytes",
    "maxclients",
    "maxmemory",
    "notify-keyspace-events",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "snapshot-interval-ms",
    "timeout",
];

impl Change {
    /// What setting a setting that is [known](is_known) to a value comes to, or why not.
    pub(super) fn read(name: &str, value: &str, options: &Options) -> Result<Change, String> {
        Ok(match name {
            "latency-monitor-threshold" => Change::LatencyThreshold(integer(value, 0, i64::MAX)? as u64),
            "latency-tracking" => Change::LatencyTracking(yes_no(value)?),
            "maxclients" => {
                let clients = integer(value, 1, CLIENTS_MAX)? as usize;
                if clients > options.process.clients_possible {
                    return Err(format!(
                        "The operating system is not able to handle the specified number of clients, try with {}",
                        options.process.clients_possible
                    ));
                }
                Change::ClientsMax(clients)
            }
            "maxmemory" => Change::MemoryMax(bytes(value)? as usize),
            "notify-keyspace-events" => {
                let parsed = Notifications::parse(value);
                Change::Notifications(parsed.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?)
            }
            "slowlog-log-slower-than" => Change::SlowLogThreshold(integer(value, -1, i64::MAX)?),
            "slowlog-max-len" => Change::SlowLogEntries(integer(value, 0, i64::MAX)? as usize),
            "timeout" => Change::IdleTimeout(integer(value, 0, i32::MAX.into())? as u64),
            _ => {
                let foreign = Foreign::named(name).ok_or("there is no such setting")?;
                Change::Foreign(foreign.name, foreign.accept(value, options)?)
            }
        })
    }
}

impl Core {
    /// Does what was found to be right.
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Notifications(notifications) => self.notifications = notifications,
            Change::MemoryMax(bytes) => {
                self.options.memory_bytes_max = bytes;
                self.store.limit_bytes(bytes);
                self.may_be_over_limit = true;
            }
            Change::ClientsMax(clients) => self.options.clients_max = clients,
            Change::IdleTimeout(seconds) => self.options.idle_timeout_s = seconds,
            Change::LatencyThreshold(ms) => self.timing.latency.threshold_ms = ms,
            Change::LatencyTracking(all) => self.timing.tracks_all = all,
            Change::SlowLogThreshold(us) => self.timing.slow_log.threshold_us = us,
            Change::SlowLogEntries(entries) => self.timing.slow_log.entries_max = entries,
            Change::Foreign(name, value) => drop(self.settings.set.insert(name, value)),
        }
    }

    /// All settings, each with its value; older names after the others.
    pub(super) fn all_settings(&self) -> Vec<(&'static str, String)> {
        let own = OWN.map(|name| (name, self.own_setting(name)));
        let foreign = FOREIGN.iter().map(|foreign| (foreign.name, self.foreign_setting(foreign)));
        let aliases = ALIASES.into_iter().filter_map(|(alias, name)| {
            let foreign = Foreign::named(name)?;
            Some((alias, self.foreign_setting(foreign)))
        });
        own.into_iter().chain(foreign).chain(aliases).collect()
    }

    fn own_setting(&self, name: &str) -> String {
        let Core { options, timing, .. } = self;
        match name {
            "durability" => options.durability.to_string(),
            "id" => self.clock.node().to_string(),
            "latency-monitor-threshold" => timing.latency.threshold_ms.to_string(),
            "latency-tracking" => if timing.tracks_all { "yes" } else { "no" }.to_owned(),
            "max-value-bytes" => options.value_bytes_max.to_string(),
            "maxclients" => options.clients_max.to_string(),
            "maxmemory" => options.memory_bytes_max.to_string(),
            "notify-keyspace-events" => self.notifications.text(),
            "slowlog-log-slower-than" => timing.slow_log.threshold_us.to_string(),
            "slowlog-max-len" => timing.slow_log.entries_max.to_string(),
            "snapshot-interval-ms" => options.snapshot_interval_ms.to_string(),
            _ => options.idle_timeout_s.to_string(),
        }
    }

    fn foreign_setting(&self, foreign: &Foreign) -> String {
        self.settings.set.get(foreign.name).cloned().unwrap_or_else(|| foreign.truth(&self.options))
    }
}
