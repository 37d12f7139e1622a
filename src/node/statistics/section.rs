//! Where statistics appear, and of what there are several.

use crate::metrics::statistic::Shown;

/// A part of `INFO` as Redis has it, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The process.
    Server,
    /// Who is connected.
    Clients,
    /// What it takes.
    Memory,
    /// The data file.
    Persistence,
    /// What came and went.
    Stats,
    /// Clients that come by TLS. Not of Redis.
    Tls,
    /// The turns of the loop. Not of Redis.
    Ticks,
    /// This node among others.
    Replication,
    /// Each of the others. Not of Redis.
    Peers,
    /// Processor time.
    Cpu,
    /// Each command.
    Commandstats,
    /// Each code of an error.
    Errorstats,
    /// How long the calls of each command took.
    Latencystats,
    /// Whether this is Redis Cluster.
    Cluster,
    /// Keys.
    Keyspace,
}

impl Section {
    /// All of them.
    pub const ALL: [Section; 15] = [
        Section::Server,
        Section::Clients,
        Section::Memory,
        Section::Persistence,
        Section::Stats,
        Section::Tls,
        Section::Ticks,
        Section::Replication,
        Section::Peers,
        Section::Cpu,
        Section::Commandstats,
        Section::Errorstats,
        Section::Latencystats,
        Section::Cluster,
        Section::Keyspace,
    ];

    /// Its title.
    pub fn name(self) -> &'static str {
        match self {
            Section::Server => "Server",
            Section::Clients => "Clients",
            Section::Memory => "Memory",
            Section::Persistence => "Persistence",
            Section::Stats => "Stats",
            Section::Tls => "TLS",
            Section::Ticks => "Ticks",
            Section::Replication => "Replication",
            Section::Peers => "Peers",
            Section::Cpu => "CPU",
            Section::Commandstats => "Commandstats",
            Section::Errorstats => "Errorstats",
            Section::Latencystats => "Latencystats",
            Section::Cluster => "Cluster",
            Section::Keyspace => "Keyspace",
        }
    }

    /// Whether it is shown to who names no section.
    pub fn is_default(self) -> bool {
        !matches!(self, Section::Commandstats | Section::Latencystats)
    }
}

/// Where in a section a statistic appears. In names `{}` stands for the member's.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// In which section.
    pub section: Section,
    /// The line's name.
    pub name: &'static str,
    /// Its name in a line of several (`db0:keys=1,expires=0`).
    pub part: Option<&'static str>,
    /// How its value is written.
    pub shown: Shown,
}

/// What there are several of, each with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Parts of a tick.
    Phase,
    /// Other nodes.
    Peer,
    /// Commands, and their subcommands, that were asked for.
    Command,
    /// Codes of errors that were answered.
    Error,
    /// Databases: the first, and those that hold keys.
    Database,
}

impl Family {
    /// What a member's name is the name of.
    pub fn label(self) -> &'static str {
        match self {
            Family::Phase => "phase",
            Family::Peer => "peer",
            Family::Command => "command",
            Family::Error => "code",
            Family::Database => "db",
        }
    }
}
