//! The statistics of a node: one table, of which each form of `INFO` is a rendering.
//!
//! A row says once what a statistic is called, of which kind it is, what it means, where it appears, and how its value is
//! read. What there is one of for each peer, command, error or phase is a row with a [`Family`]: it is read for each
//! member, and the member's name is a label.
//!
//! - here: what a row is
//! - [`sources`]: what values are read from
//! - `server`, `replication`, `memory`, `persistence`, `traffic`, `ticks`, `families`: the rows

mod families;
mod memory;
mod persistence;
mod replication;
mod server;
pub mod sources;
mod ticks;
mod traffic;

pub use sources::Sources;

use crate::metrics::statistic::{Kind, Shown, Unit, Value};

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
    /// Whether this is Redis Cluster.
    Cluster,
    /// Keys.
    Keyspace,
}

impl Section {
    /// All of them.
    pub const ALL: [Section; 13] = [
        Section::Server,
        Section::Clients,
        Section::Memory,
        Section::Persistence,
        Section::Stats,
        Section::Ticks,
        Section::Replication,
        Section::Peers,
        Section::Cpu,
        Section::Commandstats,
        Section::Errorstats,
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
            Section::Ticks => "Ticks",
            Section::Replication => "Replication",
            Section::Peers => "Peers",
            Section::Cpu => "CPU",
            Section::Commandstats => "Commandstats",
            Section::Errorstats => "Errorstats",
            Section::Cluster => "Cluster",
            Section::Keyspace => "Keyspace",
        }
    }

    /// Whether it is shown to who names no section.
    pub fn is_default(self) -> bool {
        self != Section::Commandstats
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
}

impl Family {
    /// What a member's name is the name of.
    pub fn label(self) -> &'static str {
        match self {
            Family::Phase => "phase",
            Family::Peer => "peer",
            Family::Command => "command",
            Family::Error => "code",
        }
    }
}

/// How a value is read.
#[derive(Clone, Copy)]
pub enum Read {
    /// There is one.
    One(for<'a> fn(&'a Sources<'a>) -> Value<'a>),
    /// There is one for each member of a family, in the order of [`Sources::members`].
    Each(Family, for<'a> fn(&'a Sources<'a>, usize) -> Value<'a>),
}

const FIELDS_MAX: usize = 3;

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Statistic {
    /// Unlike all others. Ends with the unit.
    pub name: &'static str,
    /// How it goes on.
    pub kind: Kind,
    /// What is counted or measured.
    pub unit: Unit,
    /// A sentence.
    pub help: &'static str,
    /// What it is called among lines; `{}` stands for the member's name. `None`: it is not there.
    pub line: Option<&'static str>,
    /// How its value is read.
    pub read: Read,
    fields: [Option<Field>; FIELDS_MAX],
}

impl Statistic {
    /// Where it appears in Redis' form.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().flatten()
    }

    /// The family that it is read for each member of.
    pub fn family(&self) -> Option<Family> {
        match self.read {
            Read::One(_) => None,
            Read::Each(family, _) => Some(family),
        }
    }

    /// Its value, that of a member where it has a family.
    pub fn value<'a>(&self, sources: &'a Sources<'a>, member: usize) -> Value<'a> {
        match self.read {
            Read::One(read) => read(sources),
            Read::Each(_, read) => read(sources, member),
        }
    }

    const fn of(kind: Kind, name: &'static str, help: &'static str, read: Read) -> Statistic {
        let line = match read {
            Read::One(_) => Some(name),
            Read::Each(..) => None,
        };
        Statistic { name, kind, unit: Unit::One, help, line, read, fields: [None; FIELDS_MAX] }
    }

    const fn bytes(self) -> Statistic {
        Statistic { unit: Unit::Bytes, ..self }
    }

    const fn seconds(self) -> Statistic {
        Statistic { unit: Unit::Seconds, ..self }
    }

    const fn ms(self) -> Statistic {
        Statistic { unit: Unit::Milliseconds, ..self }
    }

    const fn us(self) -> Statistic {
        Statistic { unit: Unit::Microseconds, ..self }
    }

    /// Among lines it has this name, with `{}` for the member's.
    const fn line(self, name: &'static str) -> Statistic {
        Statistic { line: Some(name), ..self }
    }

    /// Redis has it, or tools that read Redis' form want it; among lines it would say nothing new.
    const fn for_redis(self) -> Statistic {
        Statistic { line: None, ..self }
    }

    /// It appears in Redis' form, too, under the name that it has among lines.
    const fn too(self, section: Section) -> Statistic {
        match self.line {
            Some(name) => self.field(section, name, Shown::Plain),
            None => self.field(section, self.name, Shown::Plain),
        }
    }

    const fn field(self, section: Section, name: &'static str, shown: Shown) -> Statistic {
        self.add(Field { section, name, part: None, shown })
    }

    const fn part(self, section: Section, name: &'static str, part: &'static str, shown: Shown) -> Statistic {
        self.add(Field { section, name, part: Some(part), shown })
    }

    const fn add(mut self, field: Field) -> Statistic {
        let mut place = 0;
        while self.fields[place].is_some() {
            place += 1;
        }
        self.fields[place] = Some(field);
        self
    }
}

const fn counter(name: &'static str, help: &'static str, read: for<'a> fn(&'a Sources<'a>) -> Value<'a>) -> Statistic {
    Statistic::of(Kind::Counter, name, help, Read::One(read))
}

const fn gauge(name: &'static str, help: &'static str, read: for<'a> fn(&'a Sources<'a>) -> Value<'a>) -> Statistic {
    Statistic::of(Kind::Gauge, name, help, Read::One(read))
}

const fn text(name: &'static str, help: &'static str, read: for<'a> fn(&'a Sources<'a>) -> Value<'a>) -> Statistic {
    Statistic::of(Kind::Text, name, help, Read::One(read))
}

/// All rows, in the order in which lines have them.
pub fn all() -> impl Iterator<Item = &'static Statistic> + Clone {
    const TABLE: [&[Statistic]; 8] = [
        server::IDENTITY,
        replication::STATISTICS,
        server::STATISTICS,
        memory::STATISTICS,
        persistence::STATISTICS,
        traffic::STATISTICS,
        ticks::STATISTICS,
        families::STATISTICS,
    ];
    TABLE.into_iter().flatten()
}
