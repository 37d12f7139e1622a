//! The figures under the names of redis_exporter: made of the fields of `INFO`, as the exporter makes them.

use super::cursor::Cursor;
use super::members;
use super::redis_names::{INSTANCE, NAMES, Name};
use super::text::Text;
use crate::metrics::statistic::{Shown, Unit, Value};
use crate::node::statistics::{self, Family, Field, Section, Sources, Statistic, Type};

/// Rows before those of the table of names.
const FIRST: usize = 2;
/// Parts of a line of `INFO latencystats`, and what they are of all calls.
const QUANTILES: [(&str, &str); 3] = [("p50", "0.5"), ("p99", "0.99"), ("p99.9", "0.999")];

pub(super) fn write(text: &mut Text<'_>, sources: &Sources<'_>, cursor: Cursor, end: usize) -> Option<Cursor> {
    let mut at = cursor;
    loop {
        if text.out.len() >= end {
            return Some(at);
        }
        match at.family {
            0 => {
                text.header("redis_up", Type::Gauge, None, "Whether the node answers.");
                text.sample("redis_up", Type::Gauge, &[], &Value::Count(1), Unit::One);
            }
            1 => write_instance(text, sources),
            other if other - FIRST < NAMES.len() => {
                if !write_family(text, sources, &NAMES[other - FIRST], &mut at, end) {
                    return Some(at);
                }
            }
            _ => return write_latencies(text, sources, at, end),
        }
        at.next_family();
    }
}

/// The row that has this field of `INFO`.
fn row_of(section: Section, name: &str, part: Option<&str>) -> Option<(&'static Statistic, &'static Field)> {
    let is_it = |field: &&Field| field.section == section && field.name == name && field.part == part;
    statistics::all().find_map(|row| row.fields().find(is_it).map(|field| (row, field)))
}

fn write_instance(text: &mut Text<'_>, sources: &Sources<'_>) {
    let said = |&(section, field, label): &(Section, &'static str, &'static str)| {
        let (row, _) = row_of(section, field, None)?;
        Some((label, row.value(sources, 0).to_string()))
    };
    let texts: Vec<(&str, String)> = INSTANCE.iter().filter_map(said).collect();
    let labels: Vec<(&str, &str)> = texts.iter().map(|(label, text)| (*label, text.as_str())).collect();
    text.header("redis_instance", Type::Info, None, "What tells this node from others.");
    text.sample("redis_instance", Type::Info, &labels, &Value::Count(1), Unit::One);
}

/// Returns whether all of it is written.
fn write_family(text: &mut Text<'_>, sources: &Sources<'_>, name: &Name, at: &mut Cursor, end: usize) -> bool {
    let Some((row, field)) = row_of(name.section, name.field, name.part) else { return true };
    for (member, label) in members::after(at, sources, row.family()) {
        let begin = text.out.len();
        if begin >= end {
            return false;
        }
        if !at.is_begun {
            text.header(name.name, name.kind, None, row.help);
        }
        let label = label.into_owned();
        // A line of several parts that is not of a member has its name in it.
        let shown = if row.family().is_some() { label.as_str() } else { name.field };
        let labels: Vec<(&str, &str)> = name.label.map(|name| (name, shown)).into_iter().collect();
        let header_end = text.out.len();
        let unit = if name.name.contains("seconds") { row.unit } else { Unit::One };
        text.sample(name.name, name.kind, &labels, &number(field.shown, row.value(sources, member)), unit);
        if text.out.len() == header_end {
            text.out.truncate(begin);
        } else {
            at.is_begun = true;
        }
        at.after = Some(label);
    }
    true
}

/// How long commands took, as a summary. Returns where it goes on.
fn write_latencies(text: &mut Text<'_>, sources: &Sources<'_>, at: Cursor, end: usize) -> Option<Cursor> {
    const NAME: &str = "redis_latency_percentiles_usec";
    let mut at = at;
    let part =
        |section, name, part, member| row_of(section, name, Some(part)).map(|(row, _)| row.value(sources, member));
    for (member, command) in members::after(&at, sources, Some(Family::Command)) {
        if text.out.len() >= end {
            return Some(at);
        }
        let command = command.into_owned();
        let of = [("cmd", command.as_str())];
        for (name, quantile) in QUANTILES {
            let value = part(Section::Latencystats, "latency_percentiles_usec_{}", name, member);
            let Some(value @ Value::Fraction(_)) = value else { continue };
            if !std::mem::replace(&mut at.is_begun, true) {
                text.header(NAME, Type::Summary, None, "How long the calls of the command took that were timed.");
            }
            text.sample(NAME, Type::Summary, &[of[0], ("quantile", quantile)], &value, Unit::One);
        }
        for (suffix, name) in [("_sum", "usec"), ("_count", "calls")] {
            let value = part(Section::Commandstats, "cmdstat_{}", name, member).filter(|_| at.is_begun);
            text.sample(&[NAME, suffix].concat(), Type::Summary, &of, &value.unwrap_or(Value::Unknown), Unit::One);
        }
        at.after = Some(command);
    }
    None
}

/// What the exporter reads of a field: of texts, the number they are.
fn number(shown: Shown, value: Value<'_>) -> Value<'_> {
    match (shown, &value) {
        (Shown::Verdict, _) => Value::Flag(value == Value::Nothing),
        (_, Value::Text(text)) => text.parse().map_or(Value::Unknown, Value::Count),
        _ => value,
    }
}
