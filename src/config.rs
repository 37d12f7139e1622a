//! The command line and `node_config.json`, checked as far as that goes without touching anything.
//!
//! Every mistake is one sentence that names what is wrong and where.

pub mod password;
pub mod users;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::auth::file::Loaded;
use crate::config::users::UsersFile;
use crate::node::options::READY_AFTER_S;
use crate::node::{Options, Process, SessionId, parse_bytes};
use crate::protocol::Dialect;
use crate::replica::Durability;
use crate::replication::Limits;
use crate::replication::WHOLE_BYTES_MAX;
use crate::store::{NodeId, VALUE_BYTES_MAX};

mod backups;
mod cluster;
mod environment;
mod hostname;
mod http;
mod log;
mod order;
mod proven_links;
mod reach;
mod scripts;
mod tls;
mod tools;
mod unix;
mod watched;

pub use backups::{BackupArguments, RestoreArguments};
pub use cluster::{ClusterFile, NodeAddress, members};
use environment::Taken;
use http::HttpArguments;
use log::LogArguments;
pub use log::LogConfig;
pub use order::{CertsArguments, CheckArguments, SecretArguments, Tool};
use proven_links::PeerTlsArguments;
pub use proven_links::ProvenLinks;
pub use reach::{Access, AccessArguments, Login, NodeArguments, TlsTrust};
use scripts::ScriptArguments;
use tls::TlsArguments;
pub use tools::{CliArguments, ExportArguments, ImportArguments, Shell, StatusArguments, WatchArguments};
pub use unix::UnixSocket;
use unix::mode;
use watched::WatchConfigArguments;
pub use watched::{Said, WatchedFile};

/// Longest snapshot interval: a restart's clock may begin two of them ahead.
const INTERVAL_MS_MAX: u64 = 60_000;

/// Longest idle timeout: a year.
const IDLE_TIMEOUT_S_MAX: u64 = 365 * 24 * 3600;

/// kvstoreapp: a distributed in-memory key-value server for people who want microseconds, not a platform.
///
/// Talk to it with netcat: printf 'SET color blue\nGET color\n' | nc -N 127.0.0.1 5000
#[derive(Parser, Debug)]
#[command(
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KVSTOREAPP_BUILD"), ")"),
    max_term_width = 110,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "\
Signals: SIGTERM and SIGINT answer what was received, save and exit with 0; a second one exits at once with 1.\n\
SIGHUP reads the config file again, or for the first time: nodes may be appended, or replaced by null.\n\
Certificates and the cluster's secret are read again, too.\n\n\
Environment: each flag can stand there as well, --max-clients as KVSTOREAPP_MAX_CLIENTS, several values with commas\n\
between them. The command line comes first; what is empty counts as missing. Tools take from there which node they ask\n\
and how they reach it: KVSTOREAPP_ADDRESS, _CONFIG, _ID, _ID_FROM_HOSTNAME, _USER, _PASSWORD_FILE, _TLS_CA_FILE."
)]
struct Arguments {
    /// Which entry of the config file this node is, counted from 0; needed where there is such a file
    #[arg(long, value_name = "n")]
    id: Option<NodeId>,

    /// The same, by the number that this machine's name ends with, up to its first dot: kvstoreapp-2 is node 2
    #[arg(long, conflicts_with = "id")]
    id_from_hostname: bool,

    /// Cluster description: a JSON array of { "ip", "port" }; "ip" is an IPv4 or IPv6 address or a host name. Without
    /// this flag and that file there is one node, 0, on 127.0.0.1:5000 [default: node_config.json]
    #[arg(long, value_name = "file")]
    config: Option<PathBuf>,

    #[command(flatten)]
    watch: WatchConfigArguments,

    /// Directory of the data file backup.db
    #[arg(long, value_name = "directory", help = "Directory of the data file backup.db [default: data/node-<id>]")]
    data_dir: Option<PathBuf>,

    /// Milliseconds between two snapshots to the data file, 10 to 60000: what a crash may cost with interval durability
    #[arg(long, value_name = "ms", default_value = "2000", value_parser = clap::value_parser!(u64).range(10..=INTERVAL_MS_MAX))]
    snapshot_interval_ms: u64,

    /// Room on the disk that is kept beside the data file and given up when the disk is full, so that a last snapshot
    /// has a chance; at most a tenth of what is free; K, M and G may follow the number; 0: none
    #[arg(long, value_name = "bytes", default_value = "16M", value_parser = bytes)]
    disk_reserve: u64,

    /// What the OK of a write promises: "interval": it is in memory, and on disk after the next snapshot; "commit": it
    /// is on disk
    #[arg(long, value_name = "mode", default_value = "interval")]
    durability: DurabilityArgument,

    /// Address to listen on where it differs from the configured one: an IP, or IP:port (port 0: the system chooses)
    #[arg(long, value_name = "address")]
    bind: Option<String>,

    /// "yes": while nothing has to be proven, clients and nodes of other machines are turned away. "no": whoever reaches
    /// the address is served
    #[arg(long, value_name = "yes|no", default_value = "yes")]
    protected_mode: YesNo,

    /// Unix socket to serve clients of this machine at, too; a file that the node makes and removes. A socket that a
    /// crash left behind is replaced
    #[arg(long, value_name = "path")]
    unix_socket: Option<PathBuf>,

    /// Who may connect to the unix socket, as chmod has it: 700 the node's own user, 770 its group, too
    #[arg(long, value_name = "mode", default_value = "700", requires = "unix_socket", value_parser = mode)]
    unix_socket_mode: u32,

    #[command(flatten)]
    log: LogArguments,

    /// Pin the loop to this core, counted from 0; the data file's thread is kept off it where there is another
    #[arg(long, value_name = "core")]
    cpu: Option<usize>,

    /// Never sleep while waiting for clients: lowest latency, and one core always busy
    #[arg(long)]
    busy_poll: bool,

    /// Databases that clients may SELECT, 1 to 16; what other nodes write into further ones is kept all the same
    #[arg(long, value_name = "count", default_value = "16", value_parser = clap::value_parser!(u8).range(1..=16))]
    databases: u8,

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

    /// File whose first line is the default user's password, which clients then have to say. The environment variable
    /// KVSTOREAPP_PASSWORD is the same without a file; it is read once and does not stay there
    #[arg(long, value_name = "file")]
    password_file: Option<PathBuf>,

    /// File of users, a line each, as Redis' ACL files are; ACL SAVE writes it, ACL LOAD and SIGHUP read it again
    #[arg(long, value_name = "file")]
    acl_file: Option<PathBuf>,

    /// A node whose clock is ahead of this one's by more milliseconds is not linked until its clock is right. A start
    /// in a cluster puts a node's clock some 20 s ahead, so that no stamp is used twice
    #[arg(long, value_name = "ms", default_value = "60000", value_parser = clap::value_parser!(u64).range(1_000..=86_400_000))]
    max_clock_drift_ms: u64,

    /// Deletions kept for nodes that are away; above that they are forgotten, and such a node gets a full listing when
    /// it comes back
    #[arg(long, value_name = "count", default_value = "1000000", value_parser = clap::value_parser!(u32).range(1..))]
    max_tombstones: u32,

    #[command(flatten)]
    tls: TlsArguments,

    #[command(flatten)]
    peers: PeerTlsArguments,

    #[command(flatten)]
    http: HttpArguments,

    /// Seconds after the start after which a node counts as ready whether it has caught up with all others or not
    /// (/readyz, kvstoreapp check --ready)
    #[arg(long, value_name = "s", default_value_t = READY_AFTER_S, value_parser = clap::value_parser!(u64).range(..=86_400))]
    ready_after_s: u64,

    #[command(flatten)]
    scripts: ScriptArguments,

    /// Check flags and config file, say what they mean, and exit
    #[arg(long)]
    check_config: bool,

    #[command(subcommand)]
    tool: Option<Tool>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DialectArgument {
    Line,
    Resp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DurabilityArgument {
    Interval,
    Commit,
}

/// What a node runs with.
#[derive(Debug)]
pub struct Config {
    /// This node's place in `nodes`.
    pub id: NodeId,
    /// The cluster; `None` where a node was removed.
    pub nodes: Vec<Option<NodeAddress>>,
    /// What says so, to be read again.
    pub file: WatchedFile,
    /// Where to listen: the first of these that can be bound.
    pub listen: Vec<SocketAddr>,
    /// ... and where else.
    pub unix_socket: Option<UnixSocket>,
    /// ... and where for HTTP alone.
    pub http_bind: Option<SocketAddr>,
    /// Directory of the data file.
    pub data_dir: PathBuf,
    /// Bytes of the disk to be kept in reserve.
    pub disk_reserve_bytes: u64,
    /// What the node itself is told.
    pub options: Options,
    /// Which links between nodes are proven; `None`: none.
    pub proven_links: Option<ProvenLinks>,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Core to pin the loop to.
    pub cpu: Option<usize>,
    /// Whether the loop never sleeps.
    pub busy_poll: bool,
    /// The file of users, to be read again, and what it says.
    pub users_file: Option<UsersFile>,
    /// Who else may read the password's file, in a sentence.
    pub password_warning: Option<String>,
    /// See `users_file`.
    pub users: Option<Loaded>,
    /// Whether to exit once all is checked.
    pub check_only: bool,
    /// What stands in the environment and not on the command line.
    from_environment: Taken,
}

/// What the program is to do.
pub enum Order {
    /// Run a node.
    Serve(Box<Config>),
    /// Something that ends.
    Use(Box<Tool>),
}

/// All flags and tools, for who describes them.
pub fn command() -> clap::Command {
    Arguments::command()
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
    pub fn load(arguments: impl Iterator<Item = OsString>) -> Result<Order, Stop> {
        let arguments: Vec<OsString> = arguments.collect();
        let has_value = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let (command, taken) = environment::added(command(), &arguments, has_value);
        let program = std::iter::once("kvstoreapp".into());
        let matches = command.try_get_matches_from(program.chain(arguments));
        let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
        let mut arguments = parsed.map_err(|error| match error.use_stderr() {
            false => Stop::Answer(error.to_string()),
            true => Stop::Mistake(taken.explain(sentence(&error))),
        })?;
        if let Some(tool) = arguments.tool.take() {
            return Ok(Order::Use(Box::new(tool)));
        }
        match Config::check(arguments) {
            Ok(config) => Ok(Order::Serve(Box::new(Config { from_environment: taken, ..config }))),
            Err(mistake) => Err(Stop::Mistake(taken.explain(mistake))),
        }
    }

    /// What `--check-config` says of a config that is right.
    pub fn summary(&self) -> String {
        let variables: Vec<&str> = self.from_environment.variables().collect();
        let from = if variables.is_empty() { "" } else { "; from the environment: " };
        let (nodes, file, variables) = (self.nodes.len(), self.data_file(), variables.join(", "));
        format!("valid: node {} of {nodes}, data in {}{from}{variables}", self.id, file.display())
    }

    /// The data file.
    pub fn data_file(&self) -> PathBuf {
        self.data_dir.join("backup.db")
    }

    fn check(arguments: Arguments) -> Result<Config, String> {
        let (interval_ms, drift_ms_max) = (arguments.snapshot_interval_ms, arguments.max_clock_drift_ms);
        let file = ClusterFile::new(arguments.config.clone(), interval_ms, drift_ms_max);
        let given = if arguments.id_from_hostname { Some(hostname::own_id()?) } else { arguments.id };
        let (id, nodes) = if arguments.config.is_none() && file.is_absent() {
            (file.id_alone(given)?, vec![Some(NodeAddress::alone())])
        } else {
            let nodes = file.read()?;
            (file.own_id(given, &nodes)?, nodes)
        };
        let own = nodes[usize::from(id)].as_ref().expect("the own entry was checked");
        let value_bytes_max = arguments.max_value_bytes as usize;
        if !(1..=VALUE_BYTES_MAX).contains(&value_bytes_max) {
            return Err(format!("--max-value-bytes is {value_bytes_max}, but must be from 1 to {VALUE_BYTES_MAX}"));
        }
        let users_file = arguments.acl_file.map(UsersFile::new);
        let users = users_file.as_ref().map(UsersFile::read).transpose()?;
        let password = arguments.password_file.as_deref().map(password::read).transpose()?;
        users_file.iter().zip(&users).try_for_each(|(file, users)| file.check_beside(users, password.as_ref()))?;
        let log = arguments.log.check();
        let unix_socket = arguments.unix_socket.map(|path| UnixSocket { path, mode: arguments.unix_socket_mode });
        let shown = unix_socket.as_ref().map(UnixSocket::shown);
        let (http, http_bind) = arguments.http.check(own.port)?;
        Ok(Config {
            id,
            listen: listen_addresses(own, arguments.bind.as_deref())?,
            unix_socket,
            http_bind,
            data_dir: arguments.data_dir.unwrap_or_else(|| format!("data/node-{id}").into()),
            disk_reserve_bytes: arguments.disk_reserve,
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
                databases: arguments.databases.into(),
                clients_max: arguments.max_clients as SessionId,
                protected_mode: arguments.protected_mode == YesNo::Yes,
                memory_bytes_max: arguments.max_memory as usize,
                idle_timeout_s: arguments.idle_timeout_s,
                users_file: users_file.as_ref().map(UsersFile::name).unwrap_or_default(),
                password,
                limits: Limits {
                    clock_drift_ms_max: arguments.max_clock_drift_ms,
                    tombstones_max: arguments.max_tombstones as usize,
                    whole_bytes_max: WHOLE_BYTES_MAX,
                },
                tls: arguments.tls.check()?,
                http,
                scripts: arguments.scripts.limits(),
                ready_after_s: arguments.ready_after_s,
                process: Process { log_level: log.level, unix_socket: shown, ..Process::default() },
            },
            proven_links: arguments.peers.check()?,
            file: WatchedFile::new(file, &arguments.watch, &nodes),
            nodes,
            log,
            cpu: arguments.cpu,
            busy_poll: arguments.busy_poll,
            users_file,
            password_warning: arguments.password_file.as_deref().and_then(password::warning),
            users,
            check_only: arguments.check_config,
            from_environment: Taken::default(),
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

/// A number of bytes, with K, M or G for powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "a number of bytes is wanted, such as 65536, 64K, 1M or 2G".to_owned())
}
