//! What is asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// kvstoreapp's lines.
    Line,
    /// Redis' RESP2.
    Resp,
    /// memcached's text protocol.
    Memcached,
}

/// How keys are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// Each as often as any other.
    Uniform,
    /// The n-th most frequent one 1/n as often as the first.
    Zipfian,
}

/// Measures a key-value server: kvstoreapp, Redis, memcached.
///
/// Closed loop (the default): each of --clients sends --depth requests, and the next ones when those are answered.
/// Open loop (--rate): requests are due at fixed times, and a latency counts from when the request was due, so that a
/// server that stalls is not asked less meanwhile.
#[derive(Debug, Parser)]
#[command(
    name = "kvbench",
    version,
    max_term_width = 110,
    after_help = "\
Examples:\n  \
kvbench --address 127.0.0.1:5000 --fill --reads 0.8 --clients 50\n  \
kvbench --dialect resp --address 127.0.0.1:6379 --depth 16 --reads 0 --server-pid $(pidof redis-server)\n  \
kvbench --rate 50000 --seconds 60 --plot latency.svg"
)]
pub struct Options {
    /// The server
    #[arg(long, default_value = "127.0.0.1:5000")]
    pub address: SocketAddr,

    /// The server's unix socket, which the clients use in the place of its address
    #[arg(long, value_name = "path", conflicts_with_all = ["address", "tls_ca"])]
    pub unix_socket: Option<PathBuf>,

    /// How it is spoken to
    #[arg(long, value_name = "name", default_value = "line")]
    pub dialect: Dialect,

    /// Speaks TLS with a server that --tls-ca vouches for
    #[arg(long, requires = "tls_ca")]
    pub tls: bool,

    /// The authority in PEM
    #[arg(long, value_name = "file", requires = "tls")]
    pub tls_ca: Option<PathBuf>,

    /// A certificate of its own, in PEM
    #[arg(long, value_name = "file", requires = "tls", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key to it
    #[arg(long, value_name = "file", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Connections
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clients: u32,

    /// Requests that a connection sends before it waits for answers
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub depth: u32,

    /// Requests a second over all connections, each due at its time: the open loop
    #[arg(long, value_name = "per second")]
    pub rate: Option<f64>,

    /// Sleeps so long between what is due and answers that have come, and again: half of the processor time at high
    /// rates; latencies come out some 1.5 naps too long, and without real time by what the system adds to a sleep
    #[arg(long, value_name = "us", requires = "rate", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub nap: Option<u64>,

    /// Never sleeps while it waits for answers, so that no latency holds the time that this tool takes to wake up; as
    /// --null-server while it waits for requests
    #[arg(long, conflicts_with = "nap")]
    pub busy_poll: bool,

    /// Seconds that count
    #[arg(long, default_value = "10")]
    pub seconds: f64,

    /// Seconds before those
    #[arg(long, default_value = "1")]
    pub warm_up: f64,

    /// Keys there are
    #[arg(long, default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: u64,

    /// Bytes of a key
    #[arg(long, default_value = "16", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub key_bytes: u32,

    /// Bytes of a value
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub value_bytes: u32,

    /// Share of requests that read, 0 to 1
    #[arg(long, default_value = "0.8")]
    pub reads: f64,

    /// How keys are drawn
    #[arg(long, value_name = "name", default_value = "uniform")]
    pub distribution: Distribution,

    /// Writes every key once before anything is measured
    #[arg(long)]
    pub fill: bool,

    /// The same seed draws the same keys
    #[arg(long, default_value = "1")]
    pub seed: u64,

    /// The server's process: its processor time per request is shown
    #[arg(long, value_name = "pid")]
    pub server_pid: Option<u32>,

    /// Prints one JSON object and nothing else
    #[arg(long)]
    pub json: bool,

    /// Draws the distribution of latencies into an SVG file
    #[arg(long, value_name = "file")]
    pub plot: Option<PathBuf>,

    /// Draws median and maximum of every 100 ms over time into an SVG file
    #[arg(long, value_name = "file")]
    pub plot_time: Option<PathBuf>,

    /// Answers OK to every line and +OK to every RESP array on this port, and stores nothing: what the network and
    /// this tool cost without a store
    #[arg(long, value_name = "port")]
    pub null_server: Option<u16>,
}

impl Options {
    /// The server, as it is named where it does not answer.
    pub fn target(&self) -> String {
        self.unix_socket.as_ref().map_or_else(|| self.address.to_string(), |path| path.display().to_string())
    }
}
