//! The figures of this program: each row of the table that has a number, and texts as labels.

use super::cursor::Cursor;
use super::members;
use super::text::Text;
use crate::metrics::statistic::{Unit, Value};
use crate::node::statistics::{self, Exposed, Read, Sources, Statistic, Type};

pub(super) fn write(text: &mut Text<'_>, sources: &Sources<'_>, cursor: Cursor, end: usize) -> Option<Cursor> {
    let rows: Vec<&Statistic> = statistics::all().filter(|row| row.exposed != Exposed::Nowhere).collect();
    let mut at = cursor;
    while let Some(&first) = rows.get(at.family) {
        let kin = kin_of(first, &rows);
        // What a family has at other places of the table is told with its first row.
        let is_first = std::ptr::eq(kin[0], first);
        if is_first && !write_family(text, sources, &kin, &mut at, end) {
            return Some(at);
        }
        at.next_family();
    }
    None
}

/// The rows of its family.
fn kin_of<'a>(row: &'a Statistic, rows: &[&'a Statistic]) -> Vec<&'a Statistic> {
    match row.exposed {
        Exposed::Part { .. } | Exposed::Label { .. } => {
            rows.iter().filter(|other| other.is_kin_of(row)).copied().collect()
        }
        Exposed::Own | Exposed::As(_) | Exposed::Process(_) | Exposed::States { .. } | Exposed::Nowhere => vec![row],
    }
}

/// Returns whether all of it is written.
fn write_family(text: &mut Text<'_>, sources: &Sources<'_>, kin: &[&Statistic], at: &mut Cursor, end: usize) -> bool {
    let (family, kind) = (kin[0].family_name(), kin[0].family_type());
    // The labels of a text are written at once.
    let rows = if kind == Type::Info { 1 } else { kin.len() };
    while at.row < rows {
        let row = kin[at.row];
        for (member, name) in members::after(at, sources, row.family()) {
            let begin = text.out.len();
            if begin >= end {
                return false;
            }
            if !at.is_begun {
                text.header(&family, kind, row.base_unit(), row.help);
            }
            let header_end = text.out.len();
            match kind {
                Type::Info => write_info(text, sources, &family, kin, (member, &name)),
                _ => write_figure(text, sources, &family, row, (member, &name)),
            }
            if text.out.len() == header_end {
                // There is no figure yet to be announced.
                text.out.truncate(begin);
            } else {
                at.is_begun = true;
            }
            at.after = Some(name.into_owned());
        }
        at.next_row();
    }
    true
}

/// What a member of a row's family is, as a label.
fn of_member<'a>(row: &Statistic, name: &'a str) -> Option<(&'a str, &'a str)> {
    row.family().map(|family| (family.label(), name))
}

fn write_figure(
    text: &mut Text<'_>,
    sources: &Sources<'_>,
    family: &str,
    row: &Statistic,
    (member, name): (usize, &str),
) {
    if let Read::Many(read) = row.read {
        return text.histogram(family, read(sources));
    }
    let value = row.value(sources, member);
    let mut labels: Vec<(&str, &str)> = of_member(row, name).into_iter().collect();
    match row.exposed {
        Exposed::Part { label, value: part, .. } => {
            labels.push((label, part));
            text.sample(family, row.family_type(), &labels, &value, row.unit);
        }
        Exposed::States { label, states } => {
            let said = value.to_string();
            let is = states.iter().filter(|state| said.starts_with(*state)).max_by_key(|state| state.len());
            for state in states {
                labels.push((label, state));
                text.sample(family, Type::Gauge, &labels, &Value::Flag(is == Some(state)), Unit::One);
                labels.pop();
            }
        }
        Exposed::Own | Exposed::As(_) | Exposed::Process(_) | Exposed::Label { .. } | Exposed::Nowhere => {
            text.sample(family, row.family_type(), &labels, &value, row.unit);
        }
    }
}

fn write_info(
    text: &mut Text<'_>,
    sources: &Sources<'_>,
    family: &str,
    kin: &[&Statistic],
    (member, name): (usize, &str),
) {
    let said = |row: &&Statistic| match (row.exposed, row.value(sources, member)) {
        (_, Value::Nothing | Value::Unknown) => None,
        (Exposed::Label { label, .. }, value) => Some((label, value.to_string())),
        _ => None,
    };
    let texts: Vec<(&str, String)> = kin.iter().filter_map(said).collect();
    if texts.is_empty() {
        return;
    }
    let labels = of_member(kin[0], name).into_iter().chain(texts.iter().map(|(label, text)| (*label, text.as_str())));
    text.sample(family, Type::Info, &labels.collect::<Vec<_>>(), &Value::Count(1), Unit::One);
}
