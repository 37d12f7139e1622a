//! The names of figures, made of rows of the table.

use super::exposed::{Exposed, Type};
use super::row::Statistic;
use crate::metrics::statistic::{Kind, Unit};

/// Before all names but those that every program has.
const PREFIX: &str = "kvstoreapp_";
/// Before those.
const PROCESS: &str = "process_";

impl Statistic {
    /// The name of its family, with prefix and unit.
    pub fn family_name(&self) -> String {
        let (prefix, words) = match self.exposed {
            Exposed::Own | Exposed::States { .. } | Exposed::Nowhere => (PREFIX, self.words()),
            Exposed::As(name) | Exposed::Part { name, .. } => (PREFIX, name.to_owned()),
            Exposed::Process(name) => (PROCESS, name.to_owned()),
            Exposed::Label { of, .. } => (PREFIX, of.to_owned()),
        };
        match self.base_unit() {
            Some(unit) => format!("{prefix}{words}_{unit}"),
            None => format!("{prefix}{words}"),
        }
    }

    /// What its family is.
    pub fn family_type(&self) -> Type {
        match (self.kind, self.exposed) {
            (_, Exposed::Label { .. }) => Type::Info,
            (Kind::Counter, _) => Type::Counter,
            (Kind::Histogram, _) => Type::Histogram,
            (Kind::Gauge | Kind::Text, _) => Type::Gauge,
        }
    }

    /// The unit in which it is told.
    pub fn base_unit(&self) -> Option<&'static str> {
        match self.unit {
            Unit::One => None,
            Unit::Bytes => Some("bytes"),
            Unit::Seconds | Unit::Milliseconds | Unit::Microseconds => Some("seconds"),
        }
    }

    /// Whether both are of one family.
    pub fn is_kin_of(&self, other: &Statistic) -> bool {
        match (self.exposed, other.exposed) {
            (Exposed::Part { name, .. }, Exposed::Part { name: others, .. }) => name == others,
            (Exposed::Label { of, .. }, Exposed::Label { of: others, .. }) => of == others,
            _ => std::ptr::eq(self, other),
        }
    }

    /// Its own name without the unit.
    fn words(&self) -> String {
        let units: &[&str] = match self.unit {
            Unit::One => &[],
            Unit::Bytes => &["bytes"],
            Unit::Seconds => &["s"],
            Unit::Milliseconds => &["ms"],
            Unit::Microseconds => &["us", "usec"],
        };
        let words: Vec<&str> = self.name.split('_').filter(|word| !units.contains(word)).collect();
        words.join("_")
    }
}
