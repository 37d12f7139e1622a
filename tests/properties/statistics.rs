//! The table of statistics: each is named once and explained, and `scripts/OPERATIONS.md` has them all.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use kvstoreapp::metrics::statistic::{Kind, Unit};
use kvstoreapp::node::statistics::{self, Exposed, Section, Statistic, Type};

/// Around the part of `scripts/OPERATIONS.md` that is made from the table.
const BEGIN: &str = "<!-- made from src/node/statistics -->\n";
const END: &str = "<!-- up to here -->\n";

#[test]
fn each_statistic_has_a_name_of_its_own_and_a_sentence() {
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for statistic in statistics::all() {
        let Statistic { name, help, line, .. } = statistic;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert!(help.ends_with('.') && help.starts_with(|c: char| !c.is_lowercase()), "{name}: {help}");
        let is_in_info = line.is_some() || statistic.fields().next().is_some();
        assert!(is_in_info || statistic.exposed != Exposed::Nowhere, "nobody is told of {name}");
        let fields = statistic.fields().map(|field| (field.section.name(), field.name, field.part));
        for place in line.iter().map(|line| ("", *line, None)).chain(fields) {
            let is_of_member = statistic.family().is_some();
            assert_eq!(is_of_member, place.1.contains("{}"), "{name} is of each member: {is_of_member}");
            assert!(places.insert(place), "{place:?} is there twice");
        }
    }
}

#[test]
fn a_name_says_the_unit_where_there_is_one() {
    for statistic in statistics::all().filter(|statistic| statistic.kind != Kind::Text) {
        let words: Vec<&str> = statistic.name.split('_').collect();
        let units: &[&str] = match statistic.unit {
            Unit::One => &[],
            Unit::Bytes => &["bytes"],
            Unit::Seconds => &["s"],
            Unit::Milliseconds => &["ms"],
            Unit::Microseconds => &["us", "usec"],
        };
        let name = statistic.name;
        assert!(units.is_empty() || units.iter().any(|unit| words.contains(unit)), "{name} does not say its unit");
        let is_duration = words.iter().any(|word| ["ms", "us", "bytes"].contains(word));
        assert!(!units.is_empty() || !is_duration, "{name} says a unit that it has not");
    }
}

#[test]
fn operations_has_every_statistic_as_the_table_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/OPERATIONS.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (found, after) = rest.split_once(END).expect("the table ends");
    let expected = table();
    if std::env::var_os("KVSTOREAPP_WRITE_DOCS").is_some() {
        std::fs::write(&path, [before, BEGIN, &expected, END, after].concat()).expect("the page is writable");
        return;
    }
    let [found, expected] = [found, &expected].map(|table| table.lines().collect::<Vec<_>>());
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    assert!(missing.is_empty(), "KVSTOREAPP_WRITE_DOCS=1 makes the page right; it lacks {missing:#?}");
    assert_eq!(found, expected);
}

fn table() -> String {
    let mut out = "\n| line | in Redis' form | in `/metrics` | what it says |\n|---|---|---|---|\n".to_owned();
    for statistic in statistics::all() {
        let line = statistic.line.map(|line| format!("`{}`", shown(line, statistic)));
        let fields = statistic.fields().map(|field| {
            let part = field.part.map(|part| format!(":{part}=")).unwrap_or_default();
            format!("{} `{}{part}`", field.section.name(), shown(field.name, statistic))
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        let (line, metric) = (line.unwrap_or_default(), metric(statistic));
        writeln!(out, "| {line} | {fields} | {metric} | {} |", statistic.help).expect("memory takes all");
    }
    out.push('\n');
    out
}

/// What it is called in `/metrics`.
fn metric(statistic: &Statistic) -> String {
    let suffix = match statistic.family_type() {
        Type::Counter => "_total",
        Type::Info => "_info",
        Type::Gauge | Type::Histogram | Type::Summary => "",
    };
    let of = statistic.family().map(|family| format!("{}=", family.label()));
    let part = match statistic.exposed {
        Exposed::Nowhere => return String::new(),
        Exposed::Part { label, value, .. } => Some(format!("{label}=\"{value}\"")),
        Exposed::Label { label, .. } | Exposed::States { label, .. } => Some(format!("{label}=")),
        Exposed::Own | Exposed::As(_) | Exposed::Process(_) => None,
    };
    let labels = of.into_iter().chain(part).collect::<Vec<_>>().join(",");
    let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
    format!("`{}{suffix}{labels}`", statistic.family_name())
}

fn shown(name: &str, statistic: &Statistic) -> String {
    let label = statistic.family().map_or("", |family| family.label());
    name.replace("{}", &format!("<{label}>"))
}

#[test]
fn each_section_has_something_to_say() {
    for section in Section::ALL {
        let is_used = statistics::all().any(|statistic| statistic.fields().any(|field| field.section == section));
        assert!(is_used, "{} is empty", section.name());
    }
}
