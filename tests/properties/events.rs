//! Every log line that an operator may have to act on has a code, and every code has its row in the operator's page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The text of each macro call that writes such a line.
fn said(source: &str) -> Vec<(&str, &str)> {
    let mut said = Vec::new();
    for level in ["error", "warn", "info"] {
        let begin = format!("log::{level}!(");
        for (at, _) in source.match_indices(&begin) {
            let rest = &source[at + begin.len()..];
            said.push((&source[at + 5..at + 5 + level.len()], rest[..rest.len().min(200)].trim_start()));
        }
    }
    said
}

/// The sources' text, by name.
fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).expect("it is text")));
        }
    }
}

#[test]
fn every_code_has_a_row_with_its_levels_and_every_row_a_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, source) in &found {
        for (level, call) in said(source) {
            let code = call.strip_prefix("event = \"").and_then(|rest| rest.split('"').next());
            assert!(code.is_some() || level == "info", "{name}: a line of level {level} has no code: {call:.80}");
            if let Some(code) = code {
                codes.entry(code.to_owned()).or_default().insert(level.to_owned());
            }
        }
        // The log's own thread makes its line by hand.
        if source.contains("(\"event\", Value::from(\"log_dropped\"))") {
            codes.entry("log_dropped".to_owned()).or_default().insert("warn".to_owned());
        }
    }
    assert!(codes.len() > 40, "codes are found");

    let page = fs::read_to_string(root.join("scripts/EVENTS.md")).expect("the page is there");
    let mut rows = BTreeMap::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [code, levels, _, _, what_to_do] = cells[..] else { continue };
        let levels: BTreeSet<String> = levels.split(" or ").map(str::to_owned).collect();
        assert!(what_to_do.len() > 5, "{code}: what is to be done?");
        let twice = rows.insert(code.trim_end_matches('`').to_owned(), levels);
        assert_eq!(twice, None, "{code} has two rows");
    }
    assert_eq!(rows, codes, "left: the page; right: the sources");
}
