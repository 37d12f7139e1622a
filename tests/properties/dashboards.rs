//! What is deployed beside a node uses names that nodes tell.

use std::collections::BTreeSet;
use std::path::Path;

use kvstoreapp::node::statistics;
use serde_json::Value;

use crate::exposition::{UNKNOWN_OF_STRANGERS, node, own};

/// All names of figures, those included that are not known without a linked peer.
fn names() -> BTreeSet<String> {
    let families = own(&node());
    let samples = families.values().flat_map(|family| &family.samples).map(|sample| sample.name.clone());
    let unknown = statistics::all().filter(|row| UNKNOWN_OF_STRANGERS.contains(&row.name));
    samples.chain(unknown.map(|row| row.family_name())).collect()
}

/// The names of figures in an expression.
fn used(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("kvstoreapp_") || word.starts_with("process_"))
}

fn assert_known<'a>(expressions: impl Iterator<Item = &'a str>, least: usize) {
    let names = names();
    let mut count = 0;
    for expression in expressions {
        for name in used(expression) {
            assert!(names.contains(name), "no node tells {name}: {expression}");
            count += 1;
        }
    }
    assert!(count >= least, "{count} names");
}

fn deployed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All texts under these names, wherever they stand.
fn texts<'a>(value: &'a Value, names: &[&str], into: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if names.contains(&name.as_str()) => into.push(text),
                    other => texts(other, names, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, names, into)),
        _ => (),
    }
}

#[test]
fn the_dashboard_is_one_and_shows_figures_that_nodes_tell() {
    let dashboard: Value = serde_json::from_str(&deployed("grafana/kvstoreapp.json")).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("a number")), "two have one number: {panel}");
        let is_row = panel["type"] == "row";
        let targets = panel["targets"].as_array().map_or(0, Vec::len);
        assert_eq!(is_row, targets == 0, "{panel}");
        let place = &panel["gridPos"];
        let side = |name: &str| place[name].as_u64().expect("a number");
        assert!(side("x") + side("w") <= 24 && side("h") > 0, "{panel}");
    }
    let mut expressions = Vec::new();
    texts(&dashboard, &["expr", "query", "definition"], &mut expressions);
    assert_known(expressions.into_iter(), 40);
}

#[test]
fn alerts_are_about_figures_that_nodes_tell_and_each_has_a_case_in_which_it_fires() {
    let (rules, cases) = (deployed("prometheus/alerts.yml"), deployed("prometheus/alerts_test.yml"));
    assert_known(rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")), 15);
    assert_known(cases.lines().filter_map(|line| line.trim().strip_prefix("- series: ")), 15);
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 11, "{alerts:?}");
    for alert in alerts {
        let case = format!("alertname=\"{alert}\", alertstate=\"firing\"");
        assert!(cases.contains(&case), "{alert} has no case: promtool test rules would not notice");
    }
}
