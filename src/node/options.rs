//! What a node is told about itself.

use log::LevelFilter;

use super::encryption::Tls;
use crate::auth::Password;
use crate::protocol::Dialect;
use crate::replica::Durability;
use crate::replication::Limits;
use crate::replication::WHOLE_BYTES_MAX;
use crate::scripting::Limits as ScriptLimits;
use crate::store::{DATABASES_MAX, Database, VALUE_BYTES_MAX};

/// How long other nodes are waited for before a node is ready, unless it is told otherwise.
pub const READY_AFTER_S: u64 = 30;

/// See the module.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a write's `OK` promises.
    pub durability: Durability,
    /// Time between two snapshots.
    pub snapshot_interval_ms: u64,
    /// How clients speak whose first byte does not tell.
    pub dialect: Dialect,
    /// Longest value.
    pub value_bytes_max: usize,
    /// Databases that clients may select.
    pub databases: usize,
    /// Clients at once.
    pub clients_max: usize,
    /// Whether clients and nodes of other machines are turned away while nothing has to be proven.
    pub protected_mode: bool,
    /// As `--max-memory` was given; the store enforces it. 0: no limit.
    pub memory_bytes_max: usize,
    /// After so long without a byte a client is closed. 0: never.
    pub idle_timeout_s: u64,
    /// The default user's password; `None`: it needs none.
    pub password: Option<Password>,
    /// The file of users as it was named; empty: there is none.
    pub users_file: String,
    /// What peers are allowed.
    pub limits: Limits,
    /// How clients come by TLS; `None`: they do not.
    pub tls: Option<Tls>,
    /// What of HTTP is served, and to whom.
    pub http: HttpOptions,
    /// What a script may take.
    pub scripts: ScriptLimits,
    /// After so long a node is ready whether it has caught up with all nodes or not.
    pub ready_after_s: u64,
    /// Where it runs.
    pub process: Process,
}

/// What of HTTP is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpPolicy {
    /// All of it.
    #[default]
    On,
    /// What machines look at: how the node is, and its figures.
    Metrics,
    /// Nothing: who speaks HTTP is hung up on.
    Off,
}

/// HTTP as it is served.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// What is served.
    pub policy: HttpPolicy,
    /// Names that the node is called by, beside those of the list of nodes.
    pub names: Vec<String>,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
}

/// What a node knows of the process it runs in, for who asks.
#[derive(Clone, Debug)]
pub struct Process {
    /// The address that is listened on.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The unix socket that is listened on.
    pub unix_socket: Option<LocalAddress>,
    /// Where the data file is.
    pub directory: String,
    /// What is logged.
    pub log_level: LevelFilter,
    /// Clients at once that the system has room for.
    pub clients_possible: usize,
    /// Its number.
    pub id: u32,
    /// 40 hexadecimal digits that nobody can foresee, others after each start.
    pub run_id: String,
    /// The operating system's name and version, and the processor's kind.
    pub system: String,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
}

/// A unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The file that it is.
    pub path: String,
    /// The file's permissions.
    pub mode: u32,
}

/// What a process has used of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the processors.
    pub process: CpuTime,
    /// ... by the thread that asks.
    pub thread: CpuTime,
    /// Of the memory.
    pub resident_bytes: u64,
    /// ... of its addresses.
    pub virtual_bytes: u64,
    /// Files and sockets that are open.
    pub files: Option<u64>,
    /// ... that may be at once.
    pub files_max: Option<u64>,
}

/// Time of processors, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Outside the system.
    pub user_us: u64,
    /// Within the system.
    pub system_us: u64,
}

/// A number of bytes, K, M or G after it or not; `None` where it is none or too large.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let unit = match lower.chars().next_back() {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        Some(_) | None => 0,
    };
    let digits = if unit == 0 { lower } else { &lower[..lower.len() - 1] };
    digits.parse::<u64>().ok()?.checked_mul(1 << unit)
}

impl Options {
    /// The database of this number, where clients may select it.
    pub fn database(&self, number: u64) -> Option<Database> {
        usize::try_from(number).ok().filter(|&number| number < self.databases).and_then(Database::new)
    }
}

impl Default for Options {
    /// As the program has it without flags.
    fn default() -> Options {
        Options {
            durability: Durability::Interval,
            snapshot_interval_ms: 2_000,
            dialect: Dialect::default(),
            value_bytes_max: VALUE_BYTES_MAX,
            databases: DATABASES_MAX,
            clients_max: 10_000,
            protected_mode: true,
            memory_bytes_max: 0,
            idle_timeout_s: 0,
            password: None,
            users_file: String::new(),
            limits: Limits { clock_drift_ms_max: 60_000, tombstones_max: 1_000_000, whole_bytes_max: WHOLE_BYTES_MAX },
            tls: None,
            http: HttpOptions::default(),
            scripts: ScriptLimits { time_ms: 5, memory_bytes: 8 << 20 },
            ready_after_s: READY_AFTER_S,
            process: Process::default(),
        }
    }
}

impl Default for Process {
    /// None in particular.
    fn default() -> Process {
        Process {
            address: "127.0.0.1".to_owned(),
            port: 5000,
            unix_socket: None,
            directory: "/".to_owned(),
            log_level: LevelFilter::Info,
            clients_possible: 1_000_000,
            id: 1,
            run_id: "0".repeat(40),
            system: "none".to_owned(),
            memory_bytes: None,
        }
    }
}
