//! The parts of a history that can be checked each by itself.

use std::collections::BTreeMap;

use super::history::{History, Outcome, Text};

/// Numbers of the calls of each part, in the order of their invocation: two calls are of one part if they name the
/// same key, or if a chain of calls ties their keys together. What cannot matter is left out: what was not made, and
/// what was read without anybody knowing the answer.
pub fn of(history: &History) -> Vec<Vec<usize>> {
    let matters = |outcome: &Outcome, is_write: bool| match outcome {
        Outcome::Answered(_) => true,
        Outcome::NotMade => false,
        Outcome::Unknown => is_write,
    };
    let calls =
        || history.calls().iter().enumerate().filter(|(_, call)| matters(&call.outcome, call.request.is_write()));
    let mut groups = Groups::default();
    for (_, call) in calls() {
        let keys = call.request.keys();
        for pair in keys.windows(2) {
            groups.tie(pair[0], pair[1]);
        }
    }
    let mut parts: BTreeMap<Text, Vec<usize>> = BTreeMap::new();
    for (number, call) in calls() {
        if let Some(key) = call.request.keys().first() {
            parts.entry(groups.root(key)).or_default().push(number);
        }
    }
    parts.into_values().collect()
}

/// Keys that are tied together, as trees (union-find): each key that is no root names another one of its group.
#[derive(Default)]
struct Groups(BTreeMap<Text, Text>);

impl Groups {
    fn tie(&mut self, one: &Text, other: &Text) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            self.0.insert(one, other);
        }
    }

    fn root(&self, key: &Text) -> Text {
        let mut key = key;
        while let Some(next) = self.0.get(key) {
            key = next;
        }
        key.clone()
    }
}
