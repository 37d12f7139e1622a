//! A row of the table of statistics.

use super::exposed::Exposed;
use super::section::{Family, Field, Section};
use super::sources::Sources;
use crate::metrics::durations::Durations;
use crate::metrics::statistic::{Kind, Shown, Unit, Value};

/// How a value is read.
#[derive(Clone, Copy)]
pub enum Read {
    /// There is one.
    One(for<'a> fn(&'a Sources<'a>) -> Value<'a>),
    /// There is one for each member of a family, in the order of [`Sources::members`].
    Each(Family, for<'a> fn(&'a Sources<'a>, usize) -> Value<'a>),
    /// There are many, of which is known how many are about how long.
    Many(for<'a> fn(&'a Sources<'a>) -> &'a Durations),
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
    /// What it is called where machines collect figures.
    pub exposed: Exposed,
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
            Read::One(_) | Read::Many(_) => None,
            Read::Each(family, _) => Some(family),
        }
    }

    /// Its value, that of a member where it has a family. Of many it is how many there are.
    pub fn value<'a>(&self, sources: &'a Sources<'a>, member: usize) -> Value<'a> {
        match self.read {
            Read::One(read) => read(sources),
            Read::Each(_, read) => read(sources, member),
            Read::Many(read) => Value::Count(read(sources).count()),
        }
    }

    pub(super) const fn of(kind: Kind, name: &'static str, help: &'static str, read: Read) -> Statistic {
        let line = match read {
            Read::One(_) => Some(name),
            Read::Each(..) | Read::Many(_) => None,
        };
        let exposed = match kind {
            Kind::Text => Exposed::Nowhere,
            Kind::Counter | Kind::Gauge | Kind::Histogram => Exposed::Own,
        };
        Statistic { name, kind, unit: Unit::One, help, line, read, exposed, fields: [None; FIELDS_MAX] }
    }

    /// Machines know it by this name.
    pub(super) const fn named(self, name: &'static str) -> Statistic {
        Statistic { exposed: Exposed::As(name), ..self }
    }

    /// Machines know it as one of several.
    pub(super) const fn part_of(self, name: &'static str, label: &'static str, value: &'static str) -> Statistic {
        Statistic { exposed: Exposed::Part { name, label, value }, ..self }
    }

    /// Machines know it of every program.
    pub(super) const fn of_process(self, name: &'static str) -> Statistic {
        Statistic { exposed: Exposed::Process(name), ..self }
    }

    /// Machines know it as a label.
    pub(super) const fn label(self, of: &'static str, label: &'static str) -> Statistic {
        Statistic { exposed: Exposed::Label { of, label }, ..self }
    }

    /// Machines know whether it begins with each of these words.
    pub(super) const fn states(self, label: &'static str, states: &'static [&'static str]) -> Statistic {
        Statistic { exposed: Exposed::States { label, states }, ..self }
    }

    /// Nobody is told of it but machines.
    pub(super) const fn for_machines(self) -> Statistic {
        Statistic { line: None, ..self }
    }

    pub(super) const fn bytes(self) -> Statistic {
        Statistic { unit: Unit::Bytes, ..self }
    }

    pub(super) const fn seconds(self) -> Statistic {
        Statistic { unit: Unit::Seconds, ..self }
    }

    pub(super) const fn ms(self) -> Statistic {
        Statistic { unit: Unit::Milliseconds, ..self }
    }

    pub(super) const fn us(self) -> Statistic {
        Statistic { unit: Unit::Microseconds, ..self }
    }

    /// Among lines it has this name, with `{}` for the member's.
    pub(super) const fn line(self, name: &'static str) -> Statistic {
        Statistic { line: Some(name), ..self }
    }

    /// Redis has it, or tools that read Redis' form want it; among lines it would say nothing new.
    pub(super) const fn for_redis(self) -> Statistic {
        Statistic { line: None, ..self }
    }

    /// It appears in Redis' form, too, under the name that it has among lines.
    pub(super) const fn too(self, section: Section) -> Statistic {
        match self.line {
            Some(name) => self.field(section, name, Shown::Plain),
            None => self.field(section, self.name, Shown::Plain),
        }
    }

    pub(super) const fn field(self, section: Section, name: &'static str, shown: Shown) -> Statistic {
        self.add(Field { section, name, part: None, shown })
    }

    pub(super) const fn part(
        self,
        section: Section,
        name: &'static str,
        part: &'static str,
        shown: Shown,
    ) -> Statistic {
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

pub(super) const fn counter(
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>) -> Value<'a>,
) -> Statistic {
    Statistic::of(Kind::Counter, name, help, Read::One(read))
}

pub(super) const fn gauge(
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>) -> Value<'a>,
) -> Statistic {
    Statistic::of(Kind::Gauge, name, help, Read::One(read))
}

pub(super) const fn text(
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>) -> Value<'a>,
) -> Statistic {
    Statistic::of(Kind::Text, name, help, Read::One(read))
}

pub(super) const fn histogram(
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&'a Sources<'a>) -> &'a Durations,
) -> Statistic {
    Statistic::of(Kind::Histogram, name, help, Read::Many(read)).us()
}
