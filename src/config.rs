//! The command line and `node_config.json`, checked as far as that goes without touching anything.
//!
//! Every mistake is one sentence that names what is wrong and where.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use log::LevelFilter;
use serde::Deserialize;

use crate::node::saving::{CLOCK_AHEAD_MS, Durability};
use crate::node::{Options, SessionId, parse_bytes};
use crate::protocol::Dialect;
use crate::replication::Limits;
use crate::replication::parts::WHOLE_BYTES_MAX;
use crate::store::stamp::AHEAD_MS;
use crate::store::{NodeId, VALUE_BYTES_MAX};

/// Where the cluster is described, unless `--config` says otherwise.
const CONFIG_DEFAULT: &str = "node_config.json";
/// The cluster where no file describes one: the file that the project ships.
const CONFIG_EMBEDDED: &str = include_str!("../node_config.json");
/// Longest snapshot interval: a restart's clock may begin two of them ahead.
const INTERVAL_MS_MAX: u64 = 60_000;

/// A clock may be so far beyond what was reserved for it or where its life began.
const CLOCK_MARGIN_MS: u64 = 2_000;

/// Longest idle timeout: a year.
const IDLE_TIMEOUT_S_MAX: u64 = 365 * 24 * 3600;

/// kvstoreapp: a distributed in-memory key-value server for people who want microseconds, not a platform.
///
/// Talk to it with netcat: printf 'SET color blue\nGET color\n' | nc -N 127.0.0.1 5000
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 110,
    after_help = "\
Signals: SIGTERM and SIGINT answer what was received, save and exit with 0; a second one exits at once with 1.\n\
SIGHUP reads the config file again: nodes may be appended, or replaced by null."
)]
struct Arguments {
    /// Which entry of the config file this node is, counted from 0
    #[arg(long, value_name = "n")]
    id: NodeId,

    /// Cluster description: a JSON array of { "ip", "port" }; "ip" is an IPv4 or IPv6 address or a host name
    ///
    /// Where this flag is absent and the current directory has no such file, three nodes on 127.0.0.1, ports 5000 to
    /// 5002, are assumed
    #[arg(long, value_name = "file", default_value = CONFIG_DEFAULT)]
    config: PathBuf,

    /// Directory of the data file backup.db
    #[arg(long, value_name = "directory", help = "Directory of the data file backup.db [default: data/node-<id>]")]
    data_dir: Option<PathBuf>,

    /// Milliseconds between two snapshots to the data file, 10 to 60000: what a crash may cost with interval durability
    #[arg(long, value_name = "ms", default_value = "2000", value_parser = clap::value_parser!(u64).range(10..=INTERVAL_MS_MAX))]
    snapshot_interval_ms: u64,

    /// What the OK of a write promises: "interval": it is in memory, and on disk after the next snapshot; "commit": it
    /// is on disk
    #[arg(long, value_name = "mode", default_value = "interval")]
    durability: DurabilityArgument,

    /// Address to listen on where it differs from the configured one: an IP, or IP:port (port 0: the system chooses)
    #[arg(long, value_name = "address")]
    bind: Option<String>,

    /// Least important log lines to print: off, error, warn, info, debug or trace
    #[arg(long, value_name = "level", default_value = "info")]
    log_level: LevelFilter,

    /// Pin the loop to this core, counted from 0; the data file's thread is kept off it where there is another
    #[arg(long, value_name = "core")]
    cpu: Option<usize>,

    /// Never sleep while waiting for clients: lowest latency, and one core always busy
    #[arg(long)]
    busy_poll: bool,

    /// Clients connected at once; further ones are told so and closed
    #[arg(long, value_name = "count", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_clients: u32,

    /// How clients speak whose first byte does not tell: "line", or "resp": inline commands are answered as Redis does
    #[arg(long, value_name = "name", default_value = "line")]
    dialect: DialectArgument,

    /// Longest value in bytes, at most 64M; K and M may follow the number; above 1M only in RESP
    #[arg(long, value_name = "bytes", default_value = "64M", value_parser = bytes)]
    max_value_bytes: u64,

    /// Memory for keys and values in bytes, above which SET is refused; K, M and G may follow the number; 0: no limit
    #[arg(long, value_name = "bytes", default_value = "0", value_parser = bytes)]
    max_memory: u64,

    /// Seconds without a byte from a client after which it is closed, up to a year; 0: never
    #[arg(long, value_name = "s", default_value = "0", value_parser = clap::value_parser!(u64).range(..=IDLE_TIMEOUT_S_MAX))]
    idle_timeout_s: u64,

    /// A node whose clock is ahead of this one's by more milliseconds is not linked until its clock is right. A start
    /// puts a node's clock some 20 s ahead, so that no stamp is used twice
    #[arg(long, value_name = "ms", default_value = "60000", value_parser = clap::value_parser!(u64).range(1_000..=86_400_000))]
    max_clock_drift_ms: u64,

    /// Deletions kept for nodes that are away; above that they are forgotten, and such a node gets a full listing when
    /// it comes back
    #[arg(long, value_name = "count", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..))]
    max_tombstones: u32,

    /// Check flags and config file, say what they mean, and exit
    #[arg(long)]
    check_config: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DialectArgument {
    Line,
    Resp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DurabilityArgument {
    Interval,
    Commit,
}

/// One entry of the config file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// IPv4 or IPv6 address, or host name.
    pub ip: String,
    /// TCP port, not 0.
    pub port: u16,
}

impl std::fmt::Display for NodeAddress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let brackets = if self.ip.contains(':') { ("[", "]") } else { ("", "") };
        write!(out, "{}{}{}:{}", brackets.0, self.ip, brackets.1, self.port)
    }
}

/// What a node runs with.
#[derive(Debug)]
pub struct Config {
    /// This node's place in `nodes`.
    pub id: NodeId,
    /// The cluster; `None` where a node was removed.
    pub nodes: Vec<Option<NodeAddress>>,
    /// The file that says so, to be read again.
    pub file: PathBuf,
    /// Where to listen: the first of these that can be bound.
    pub listen: Vec<SocketAddr>,
    /// Directory of the data file.
    pub data_dir: PathBuf,
    /// What the node itself is told.
    pub options: Options,
    /// Least important log lines to print.
    pub log_level: LevelFilter,
    /// Core to pin the loop to.
    pub cpu: Option<usize>,
    /// Whether the loop never sleeps.
    pub busy_poll: bool,
    /// Whether to exit once all is checked.
    pub check_only: bool,
}

/// Why the program ends before it runs.
pub enum Stop {
    /// It was asked for help or its version; this is the answer.
    Answer(String),
    /// A mistake, in one sentence.
    Mistake(String),
}

impl Config {
    /// Reads the arguments (without the program's name) and the config file they name.
    pub fn load(arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Config, Stop> {
        let program = std::iter::once("kvstoreapp".into());
        let arguments =
            Arguments::try_parse_from(program.chain(arguments)).map_err(|error| match error.use_stderr() {
                false => Stop::Answer(error.to_string()),
                true => Stop::Mistake(sentence(&error)),
            })?;
        Config::check(arguments).map_err(Stop::Mistake)
    }

    /// The data file.
    pub fn data_file(&self) -> PathBuf {
        self.data_dir.join("backup.db")
    }

    fn check(arguments: Arguments) -> Result<Config, String> {
        let id = arguments.id;
        let nodes = read_nodes(&arguments.config)?;
        let file = arguments.config.display();
        let own = nodes.get(usize::from(id)).ok_or_else(|| {
            let last = nodes.len() - 1;
            format!("--id={id} is not in {file}, which has ids 0 to {last}")
        })?;
        let own = own.as_ref().ok_or_else(|| format!("--id={id} is null in {file}: that node was removed"))?;
        let value_bytes_max = arguments.max_value_bytes as usize;
        if !(1..=VALUE_BYTES_MAX).contains(&value_bytes_max) {
            return Err(format!("--max-value-bytes is {value_bytes_max}, but must be from 1 to {VALUE_BYTES_MAX}"));
        }
        let (interval_ms, drift_ms_max) = (arguments.snapshot_interval_ms, arguments.max_clock_drift_ms);
        let ahead_ms = start_ahead_ms(interval_ms);
        if nodes.iter().flatten().count() > 1 && drift_ms_max < ahead_ms {
            return Err(format!(
                "--max-clock-drift-ms={drift_ms_max} is too little: with --snapshot-interval-ms={interval_ms} a start \
                 puts a node's clock up to {ahead_ms} ms ahead, and the others would not link to it for so long"
            ));
        }
        Ok(Config {
            id,
            listen: listen_addresses(own, arguments.bind.as_deref())?,
            data_dir: arguments.data_dir.unwrap_or_else(|| format!("data/node-{id}").into()),
            options: Options {
                dialect: match arguments.dialect {
                    DialectArgument::Line => Dialect::Line,
                    DialectArgument::Resp => Dialect::Resp2,
                },
                durability: match arguments.durability {
                    DurabilityArgument::Interval => Durability::Interval,
                    DurabilityArgument::Commit => Durability::Commit,
                },
                snapshot_interval_ms: arguments.snapshot_interval_ms,
                value_bytes_max,
                clients_max: arguments.max_clients as SessionId,
                memory_bytes_max: arguments.max_memory as usize,
                idle_timeout_s: arguments.idle_timeout_s,
                limits: Limits {
                    clock_drift_ms_max: arguments.max_clock_drift_ms,
                    tombstones_max: arguments.max_tombstones as usize,
                    whole_bytes_max: WHOLE_BYTES_MAX,
                },
            },
            nodes,
            file: arguments.config,
            log_level: arguments.log_level,
            cpu: arguments.cpu,
            busy_poll: arguments.busy_poll,
            check_only: arguments.check_config,
        })
    }
}

/// What clap found wrong, in one line.
fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let rest: Vec<&str> = lines.collect();
    let first = if rest.is_empty() { first } else { format!("{first} {}", rest.join(", ")) };
    format!("{first}; --help explains all flags")
}

/// Reads and checks the list of nodes.
pub fn read_nodes(path: &Path) -> Result<Vec<Option<NodeAddress>>, String> {
    let name = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path == Path::new(CONFIG_DEFAULT) => {
            CONFIG_EMBEDDED.to_owned()
        }
        Err(error) => return Err(format!("cannot read the config file {name}: {error}")),
    };
    let nodes: Vec<Option<NodeAddress>> = serde_json::from_str(&text).map_err(|error| {
        format!(r#"the config file {name} is not an array of {{ "ip": "...", "port": ... }}: {error}"#)
    })?;
    if nodes.is_empty() {
        return Err(format!("the config file {name} lists no node"));
    }
    if nodes.len() > usize::from(NodeId::MAX) {
        return Err(format!("the config file {name} lists {} nodes, but at most {} can be", nodes.len(), NodeId::MAX));
    }
    let mut seen = HashMap::new();
    for (id, node) in nodes.iter().enumerate().filter_map(|(id, node)| Some((id, node.as_ref()?))) {
        if node.ip.is_empty() || node.port == 0 {
            return Err(format!("node {id} in {name} has no address to connect to: {node}"));
        }
        let host = node.ip.parse().map_or_else(|_| node.ip.to_lowercase(), |ip: IpAddr| ip.to_string());
        if let Some(other) = seen.insert((host, node.port), id) {
            return Err(format!("nodes {other} and {id} in {name} have the same address {node}"));
        }
    }
    Ok(nodes)
}

/// The addresses as text, empty where a node was removed.
pub fn members(nodes: &[Option<NodeAddress>]) -> Vec<String> {
    nodes.iter().map(|node| node.as_ref().map(NodeAddress::to_string).unwrap_or_default()).collect()
}

fn listen_addresses(own: &NodeAddress, bind: Option<&str>) -> Result<Vec<SocketAddr>, String> {
    if let Some(bind) = bind {
        let address = match bind.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, own.port),
            Err(_) => bind.parse().map_err(|_| format!("--bind={bind} is neither an IP address nor IP:port"))?,
        };
        return Ok(vec![address]);
    }
    let addresses = (own.ip.as_str(), own.port).to_socket_addrs();
    let addresses: Vec<SocketAddr> = addresses.map_err(|error| format!("cannot resolve {own}: {error}"))?.collect();
    if addresses.is_empty() {
        return Err(format!("cannot resolve {own}: it has no address"));
    }
    Ok(addresses)
}

/// How far ahead of the wall clock a start puts a node's clock, at most: beyond what the data file has reserved.
fn start_ahead_ms(interval_ms: u64) -> u64 {
    AHEAD_MS.max(CLOCK_AHEAD_MS + 2 * interval_ms) + CLOCK_MARGIN_MS
}

/// A number of bytes, with K, M or G for powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "a number of bytes is wanted, such as 65536, 64K, 1M or 2G".to_owned())
}
