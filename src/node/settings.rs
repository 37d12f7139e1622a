//! Settings that can be changed while the node runs: what is asked for is checked as a whole, then done as a whole.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use log::LevelFilter;

use super::Options;
use super::encryption::{ClientAuth, Renewals, Tls};
use super::foreign::{Foreign, Kind, bytes, integer, yes_no};
use super::log_book::{self, LogBook, NoLog};
use super::notifications::Notifications;
use crate::auth::Password;

/// Most clients that can be asked for.
const CLIENTS_MAX: i64 = u32::MAX as i64;

/// Memory that a script may be allowed, and the longest time.
const SCRIPT_MEMORY_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 30;
const SCRIPT_TIME_MS_MAX: i64 = 1_000;

/// What the node was told about itself, and foreign settings that were set.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: Options,
    pub(super) set: BTreeMap<&'static str, String>,
    pub(super) renewals: Renewals,
    pub(super) log: Box<dyn LogBook>,
}

impl Settings {
    /// As they are at the start.
    pub(super) fn new(options: Options) -> Settings {
        Settings { options, set: BTreeMap::new(), renewals: Renewals::default(), log: Box::new(NoLog) }
    }

    pub(super) fn foreign(&self, foreign: &Foreign) -> String {
        self.set.get(foreign.name).cloned().unwrap_or_else(|| foreign.truth(&self.options))
    }
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
    LogLevel(LevelFilter),
    Password(Option<Password>),
    ProtectedMode(bool),
    ScriptMemory(usize),
    ScriptTime(u64),
    SlowLogThreshold(i64),
    SlowLogEntries(usize),
    DenialEntries(usize),
    Foreign(&'static str, String),
    /// Certificates are to be read; nothing has changed before they hold.
    Tls(TlsChange),
}

/// What of TLS is to become another.
#[derive(Debug)]
pub(super) enum TlsChange {
    CertificateFile(String),
    KeyFile(String),
    ClientCaFile(String),
    ClientAuth(ClientAuth),
}

impl TlsChange {
    pub(super) fn apply(self, tls: &mut Tls) {
        match self {
            TlsChange::CertificateFile(file) => tls.files.certificate = file,
            TlsChange::KeyFile(file) => tls.files.key = file,
            TlsChange::ClientCaFile(file) => tls.files.client_ca = file,
            TlsChange::ClientAuth(auth) => tls.client_auth = auth,
        }
    }
}

/// Why a setting cannot be changed, whatever the value; `None` where it can, or where no setting has this name.
pub(super) fn locked(name: &str) -> Option<&'static str> {
    const IMMUTABLE: &str = "can't set immutable config";
    match name {
        "aclfile" | "id" | "durability" | "max-value-bytes" | "snapshot-interval-ms" => Some(IMMUTABLE),
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

pub(super) const OWN: [&str; 23] = [
    "aclfile",
    "acllog-max-len",
    "durability",
    "id",
    "latency-monitor-threshold",
    "latency-tracking",
    "loglevel",
    "max-value-bytes",
    "maxclients",
    "maxmemory",
    "notify-keyspace-events",
    "protected-mode",
    "requirepass",
    "script-memory",
    "script-time-ms",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "snapshot-interval-ms",
    "timeout",
    "tls-auth-clients",
    "tls-ca-cert-file",
    "tls-cert-file",
    "tls-key-file",
];

/// The value of a setting that is one of the options, by its name in small letters; `None`: it is not.
pub(super) fn in_options(name: &str, options: &Options) -> Option<String> {
    let yes_or_no = |on| if on { "yes" } else { "no" }.to_owned();
    let of_tls = |of: fn(&Tls) -> &str, without: &str| options.tls.as_ref().map_or(without, of).to_owned();
    Some(match name {
        "aclfile" => options.users_file.clone(),
        "durability" => options.durability.to_string(),
        "loglevel" => log_book::redis_name(options.process.log_level).to_owned(),
        "max-value-bytes" => options.value_bytes_max.to_string(),
        "maxclients" => options.clients_max.to_string(),
        "maxmemory" => options.memory_bytes_max.to_string(),
        "protected-mode" => yes_or_no(options.protected_mode),
        "script-memory" => options.scripts.memory_bytes.to_string(),
        "script-time-ms" => options.scripts.time_ms.to_string(),
        "snapshot-interval-ms" => options.snapshot_interval_ms.to_string(),
        "timeout" => options.idle_timeout_s.to_string(),
        "tls-auth-clients" => of_tls(|tls| tls.client_auth.redis_name(), "no"),
        "tls-ca-cert-file" => of_tls(|tls| &tls.files.client_ca, ""),
        "tls-cert-file" => of_tls(|tls| &tls.files.certificate, ""),
        "tls-key-file" => of_tls(|tls| &tls.files.key, ""),
        _ => return None,
    })
}

impl Change {
    /// What setting `requirepass` comes to: the default user's password, none where it is empty.
    pub(super) fn password(text: &[u8]) -> Change {
        Change::Password((!text.is_empty()).then(|| Password::of(text)))
    }

    /// What setting a setting that is [known](is_known) to a value comes to, or why not.
    pub(super) fn read(name: &str, value: &str, options: &Options) -> Result<Change, String> {
        Ok(match name {
            "latency-monitor-threshold" => Change::LatencyThreshold(integer(value, 0, i64::MAX)? as u64),
            "latency-tracking" => Change::LatencyTracking(yes_no(value)?),
            "loglevel" => {
                let names = "debug, verbose, notice, warning";
                let level = log_book::level_named(value);
                Change::LogLevel(level.ok_or_else(|| format!("argument(s) must be one of the following: {names}"))?)
            }
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
            "protected-mode" => Change::ProtectedMode(yes_no(value)?),
            "script-memory" => {
                let wanted = bytes(value)?;
                if !SCRIPT_MEMORY_BYTES.contains(&wanted) {
                    return Err("argument must be between 1mb and 1gb".to_owned());
                }
                Change::ScriptMemory(wanted as usize)
            }
            "script-time-ms" => Change::ScriptTime(integer(value, 1, SCRIPT_TIME_MS_MAX)? as u64),
            "slowlog-log-slower-than" => Change::SlowLogThreshold(integer(value, -1, i64::MAX)?),
            "acllog-max-len" => Change::DenialEntries(integer(value, 0, i64::MAX)? as usize),
            "slowlog-max-len" => Change::SlowLogEntries(integer(value, 0, i64::MAX)? as usize),
            "timeout" => Change::IdleTimeout(integer(value, 0, i32::MAX.into())? as u64),
            "tls-auth-clients" | "tls-ca-cert-file" | "tls-cert-file" | "tls-key-file" => {
                if options.tls.is_none() {
                    return Err("TLS is off: start the node with --tls-cert and --tls-key".to_owned());
                }
                Change::Tls(match name {
                    "tls-auth-clients" => TlsChange::ClientAuth(client_auth(value)?),
                    "tls-ca-cert-file" => TlsChange::ClientCaFile(value.to_owned()),
                    "tls-cert-file" => TlsChange::CertificateFile(value.to_owned()),
                    _ => TlsChange::KeyFile(value.to_owned()),
                })
            }
            _ => {
                let foreign = Foreign::named(name).ok_or("there is no such setting")?;
                Change::Foreign(foreign.name, foreign.accept(value, options)?)
            }
        })
    }
}

fn client_auth(value: &str) -> Result<ClientAuth, String> {
    let all = [ClientAuth::No, ClientAuth::Optional, ClientAuth::Required];
    let named = all.into_iter().find(|auth| auth.redis_name().eq_ignore_ascii_case(value));
    named.ok_or_else(|| "argument(s) must be one of the following: no, yes, optional".to_owned())
}
