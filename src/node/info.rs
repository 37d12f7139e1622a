//! The answer to `INFO`, in two forms: lines for people, and Redis' sections. Both say what the table of
//! [`statistics`] has.

use std::borrow::Cow;
use std::fmt::Write;

use super::statistics::{self, Family, Field, Section, Sources, Statistic};

/// One `name: value` per line, an empty line at the end. Names are stable; new ones may come between.
pub(super) fn lines(sources: &Sources<'_>) -> String {
    let mut out = String::with_capacity(4096);
    let shown: Vec<_> = statistics::all().filter_map(|statistic| Some((statistic, statistic.line?))).collect();
    for group in shown.chunk_by(|(one, _), (other, _)| is_one_family(one, other)) {
        for (member, label) in members(sources, group[0].0.family()).into_iter().enumerate() {
            for (statistic, name) in group {
                push_name(&mut out, name, &label);
                writeln!(out, ": {}", statistic.value(sources, member)).expect("memory takes all");
            }
        }
    }
    out.push('\n');
    out
}

/// Redis' sections, with the names that tools read: those that are wanted, in small letters; by default nearly all.
pub(super) fn sections(sources: &Sources<'_>, wanted: &[String]) -> String {
    let mut out = String::with_capacity(4096);
    for section in Section::ALL {
        if is_wanted(section, wanted) {
            let separator = if out.is_empty() { "" } else { "\r\n" };
            write!(out, "{separator}# {}\r\n", section.name()).expect("memory takes all");
            push_section(&mut out, sources, section);
        }
    }
    out
}

fn is_wanted(section: Section, wanted: &[String]) -> bool {
    let is_named = |name: &String| match name.as_str() {
        "all" | "everything" => true,
        "default" => section.is_default(),
        other => section.name().eq_ignore_ascii_case(other),
    };
    if wanted.is_empty() { section.is_default() } else { wanted.iter().any(is_named) }
}

fn push_section(out: &mut String, sources: &Sources<'_>, section: Section) {
    let shown: Vec<(&Statistic, &Field)> = statistics::all()
        .flat_map(|statistic| statistic.fields().map(move |field| (statistic, field)))
        .filter(|(_, field)| field.section == section)
        .collect();
    let is_group = |(one, field): &(&Statistic, &Field), (other, next): &(&Statistic, &Field)| {
        is_one_family(one, other) || (field.part.is_some() && field.name == next.name)
    };
    for group in shown.chunk_by(is_group) {
        for (member, label) in members(sources, group[0].0.family()).into_iter().enumerate() {
            for line in group.chunk_by(|(_, field), (_, next)| field.part.is_some() && field.name == next.name) {
                push_line(out, sources, line, member, &label);
            }
        }
    }
}

/// One line: a name and a value, or several parts. It is left out where all of these are 0.
fn push_line(out: &mut String, sources: &Sources<'_>, parts: &[(&Statistic, &Field)], member: usize, label: &str) {
    let begin = out.len();
    let mut is_all_zero = true;
    push_name(out, parts[0].1.name, label);
    for (place, (statistic, field)) in parts.iter().enumerate() {
        out.push(if place == 0 { ':' } else { ',' });
        let value = statistic.value(sources, member);
        match field.part {
            None => is_all_zero = false,
            Some(part) => {
                is_all_zero &= value.is_zero();
                write!(out, "{part}=").expect("memory takes all");
            }
        }
        field.shown.write(&value, out);
    }
    if is_all_zero {
        return out.truncate(begin);
    }
    out.push_str("\r\n");
}

fn is_one_family(one: &Statistic, other: &Statistic) -> bool {
    one.family().is_some() && one.family() == other.family()
}

/// The names of a family's members; of what has no family, one without a name.
fn members<'a>(sources: &'a Sources<'_>, family: Option<Family>) -> Vec<Cow<'a, str>> {
    family.map_or_else(|| vec![Cow::Borrowed("")], |family| sources.members(family))
}

fn push_name(out: &mut String, pattern: &str, label: &str) {
    match pattern.split_once("{}") {
        Some((before, after)) => [before, label, after].iter().for_each(|part| out.push_str(part)),
        None => out.push_str(pattern),
    }
}
