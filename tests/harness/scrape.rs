//! A page of figures as a collector reads it: text of Prometheus or OpenMetrics, and the rules that both have.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
}

/// Figures of one name, as they are announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// What a page says, by the names of its families.
pub type Families = BTreeMap<String, Family>;

/// Units that are none of those that figures are told in.
const OTHER_UNITS: [&str; 8] = ["ms", "us", "usec", "ns", "s", "sec", "milliseconds", "microseconds"];

/// Reads a page and checks what both forms ask for: each family is announced before its figures, with type and help, and
/// is whole in one place; each figure is there once; counters end in `_total` and nothing else does; the page of
/// OpenMetrics says where it ends and names units.
pub fn read(page: &str, is_open: bool) -> Families {
    let text = match (page.strip_suffix("# EOF\n"), is_open) {
        (Some(text), true) => text,
        (None, false) => page,
        (ended, _) => panic!("the page of OpenMetrics ends and the other does not: {}", ended.is_some()),
    };
    assert!(text.ends_with('\n') && !text.contains("# EOF"), "each line ends");
    let mut families = Families::new();
    let mut current: Option<String> = None;
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# ") {
            let (word, rest) = said.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (name, what) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            if word == "TYPE" {
                let family = Family { kind: what.to_owned(), ..Family::default() };
                assert!(families.insert(name.to_owned(), family).is_none(), "{name} is there twice");
                current = Some(name.to_owned());
            }
            let is_current = current.as_deref() == Some(name);
            let family = families.get_mut(name).filter(|family| is_current && family.samples.is_empty());
            let family = family.unwrap_or_else(|| panic!("out of place: {line}"));
            match word {
                "TYPE" => (),
                "UNIT" => family.unit = Some(what.to_owned()),
                "HELP" => family.help = what.to_owned(),
                _ => panic!("{line}"),
            }
            continue;
        }
        let sample = sample(line);
        let name = current.as_deref().unwrap_or_else(|| panic!("not announced: {line}"));
        let family = families.get_mut(name).expect("it is announced");
        let suffix = sample.name.strip_prefix(name).unwrap_or_else(|| panic!("not of {name}: {line}"));
        let suffixes: &[&str] = match (family.kind.as_str(), is_open) {
            ("summary", _) => &["", "_sum", "_count"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            ("counter" | "gauge", _) => &[""],
            (other, _) => panic!("{other} is no type: {line}"),
        };
        assert!(suffixes.contains(&suffix), "{line} is not of a {}", family.kind);
        assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
        family.samples.push(sample);
    }
    families.iter().for_each(|(name, family)| check(name, family, is_open));
    families
}

fn check(name: &str, family: &Family, is_open: bool) {
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
    assert!(!family.samples.is_empty(), "{name} has no figure");
    assert!(family.help.ends_with('.'), "{name}: {}", family.help);
    assert_eq!(name.ends_with("_total"), family.kind == "counter" && !is_open, "{name}");
    let words: Vec<&str> = name.split('_').collect();
    if !name.starts_with("redis_") {
        assert!(!words.iter().any(|word| OTHER_UNITS.contains(word)), "{name} has a unit that is no base unit");
        let base = name.trim_end_matches("_total");
        for unit in ["bytes", "seconds"] {
            assert_eq!(words.contains(&unit), base.ends_with(unit), "{name} ends with its unit");
            let is_unit = family.unit.as_deref() == Some(unit);
            assert!(!is_open || is_unit == base.ends_with(&format!("_{unit}")), "{name} has the unit that it says");
        }
    }
    if family.kind == "histogram" {
        check_histogram(name, family);
    } else {
        assert!(family.samples.iter().all(|sample| sample.value.is_finite()), "{name}");
    }
}

fn check_histogram(name: &str, family: &Family) {
    let (buckets, rest): (Vec<_>, Vec<_>) = family.samples.iter().partition(|sample| sample.name.ends_with("_bucket"));
    let ends: Vec<&str> = buckets.iter().map(|sample| sample.labels[0].1.as_str()).collect();
    let expected = (0..=24).map(|power| format!("{}", f64::from(1 << power) / 1e6)).chain(["+Inf".to_owned()]);
    assert_eq!(ends, expected.collect::<Vec<_>>(), "{name}");
    assert!(buckets.is_sorted_by(|one, next| one.value <= next.value), "{name}: each bucket has those before it");
    let names: Vec<&str> = rest.iter().map(|sample| &sample.name[name.len()..]).collect();
    assert_eq!(names, ["_sum", "_count"], "{name}");
    assert_eq!(rest[1].value, buckets.last().expect("there are some").value, "{name}");
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            let (value, after) = quoted(after).unwrap_or_else(|| panic!("{line}"));
            labels.push((label.trim_start_matches(',').to_owned(), value));
            rest = after;
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value }
}

/// The text up to the quote that ends it, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// The figure of this name and these labels; `None` where there is none.
pub fn find(families: &Families, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let is_it = |sample: &&Sample| {
        let has =
            |(name, value): &(&str, &str)| sample.labels.iter().any(|label| label.0 == *name && label.1 == *value);
        sample.name == name && labels.iter().all(has)
    };
    families.values().flat_map(|family| &family.samples).find(is_it).map(|sample| sample.value)
}
