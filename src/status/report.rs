//! One node's word of itself and of its links.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A node as it sees itself. Counts are since its start, or since `CONFIG RESETSTAT`; `INFO` has the same figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    /// Its place in the list of nodes.
    pub id: u16,
    /// The version of the program.
    pub version: String,
    /// Its wall clock when it said so.
    pub unix_ms: u64,
    /// Time since its start.
    pub uptime_s: u64,
    /// Whether it has caught up with its peers, and was not asked to end.
    pub ready: bool,
    /// Why not.
    pub unready_why: Option<String>,
    /// Whether it was asked to end.
    pub ending: bool,
    /// What a write's `OK` promises: `interval` or `commit`.
    pub durability: String,
    /// Keys with a value.
    pub keys: u64,
    /// ... of those databases but 0 that hold any, by their numbers.
    pub databases: BTreeMap<u8, u64>,
    /// Clients connected.
    pub clients: u64,
    /// Memory of all entries.
    pub memory_bytes: u64,
    /// ... that they may have; 0: no limit.
    pub memory_bytes_max: u64,
    /// Requests executed in a second, of the last one and a half.
    pub requests_per_s: u64,
    /// Bytes read in a second, in the same way.
    pub bytes_in_per_s: u64,
    /// Bytes written in a second, in the same way.
    pub bytes_out_per_s: u64,
    /// `GET`s of a key with a value.
    pub hits: u64,
    /// `GET`s of a key without.
    pub misses: u64,
    /// Own writes that met one of another node to the same key, neither knowing of the other.
    pub conflicts: u64,
    /// How long half of all turns of the loop took at most.
    pub tick_us_p50: u64,
    /// ... 99 of 100.
    pub tick_us_p99: u64,
    /// How long the longest turn of the last minute took.
    pub longest_tick_recent_us: u64,
    /// Time between two snapshots.
    pub snapshot_interval_ms: u64,
    /// Time since the last one was on disk.
    pub snapshot_age_ms: u64,
    /// The age of the oldest change that is not on disk; 0: there is none.
    pub unsaved_ms: u64,
    /// Keys whose latest change is not on disk.
    pub unsaved_changes: u64,
    /// Why the disk takes nothing.
    pub disk_error: Option<String>,
    /// By how much a peer's clock may be ahead.
    pub clock_drift_ms_max: u64,
    /// How it stands with each of the others.
    pub peers: Vec<PeerRow>,
}

/// How a node stands with another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerRow {
    /// The other's place in the list of nodes.
    pub id: u16,
    /// `linked`, `catching up` (linked, and it is sent what it lacks), `dialing` or `waiting`.
    pub state: String,
    /// For how long there has been a link, or none.
    pub since_ms: u64,
    /// `agrees`, `behind by N`, `this node is behind`, `comparing`, `DIVERGED`, or, without a link, `unknown`.
    pub agreement: String,
    /// Changes that the other has not acknowledged.
    pub lag_changes: u64,
    /// ... that it does not have on disk; none: it has not said since the start.
    pub lag_changes_durable: Option<u64>,
    /// Time that a change takes until it is acknowledged.
    pub lag_ms: Option<u64>,
    /// ... until it is on the other's disk.
    pub lag_ms_durable: Option<u64>,
    /// What the other's wall clock is ahead by, less the way here.
    pub skew_ms: Option<i64>,
    /// In what the lists of nodes or the limits of both differ.
    pub difference: Option<String>,
    /// What went wrong last, while there is no link.
    pub error: Option<String>,
    /// Whether one of the two refuses the link until something is mended.
    pub refused: bool,
}

impl PeerRow {
    /// Whether there is a link.
    pub fn is_linked(&self) -> bool {
        self.state == "linked" || self.state == "catching up"
    }

    /// Whether both are known to have the same data.
    pub fn agrees(&self) -> bool {
        self.is_linked() && self.agreement == "agrees"
    }

    /// Whether both differ although nothing is under way.
    pub fn has_diverged(&self) -> bool {
        self.agreement == "DIVERGED"
    }
}

impl NodeStatus {
    /// Keys with a value of this database.
    pub fn keys_of(&self, database: u8) -> u64 {
        match database {
            0 => self.keys.saturating_sub(self.databases.values().sum()),
            _ => self.databases.get(&database).copied().unwrap_or(0),
        }
    }

    /// How it stands with another node.
    pub fn peer(&self, id: u16) -> Option<&PeerRow> {
        self.peers.iter().find(|row| row.id == id)
    }
}

/// Longest text of another node that is shown.
const TEXT_CHARS_MAX: usize = 500;
/// Links of another node that are shown: more than there are nodes in any list.
const ROWS_MAX: usize = 512;

impl NodeStatus {
    /// As it travels: JSON without what every reader takes for granted.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut status = plain(self);
        if let Some(Value::Array(rows)) = status.get_mut("peers") {
            let granted = plain(&PeerRow::granted());
            rows.iter_mut().for_each(|row| leave_out(row, &granted));
        }
        leave_out(&mut status, &plain(&NodeStatus::granted()));
        serde_json::to_vec(&status).unwrap_or_default()
    }

    /// Reads what came over a link; `None`: it is none. Texts are made fit for a line.
    pub fn from_wire(text: &[u8]) -> Option<NodeStatus> {
        let mut status: Value = serde_json::from_slice(text).ok()?;
        fill_in(&mut status, &plain(&NodeStatus::granted()));
        if let Some(Value::Array(rows)) = status.get_mut("peers") {
            rows.truncate(ROWS_MAX);
            let granted = plain(&PeerRow::granted());
            rows.iter_mut().for_each(|row| fill_in(row, &granted));
        }
        let mut status: NodeStatus = serde_json::from_value(status).ok()?;
        let NodeStatus { version, durability, unready_why, disk_error, peers, .. } = &mut status;
        [version, durability].into_iter().for_each(tidy);
        [unready_why, disk_error].into_iter().flatten().for_each(tidy);
        for PeerRow { state, agreement, difference, error, .. } in peers {
            [state, agreement].into_iter().for_each(tidy);
            [difference, error].into_iter().flatten().for_each(tidy);
        }
        Some(status)
    }

    /// What most nodes say most of the time, and what is meant by who says nothing of it. It stays as it is for ever, so
    /// that versions understand each other.
    fn granted() -> NodeStatus {
        NodeStatus {
            ready: true,
            durability: "interval".to_owned(),
            snapshot_interval_ms: 2_000,
            clock_drift_ms_max: 60_000,
            ..NodeStatus::default()
        }
    }
}

impl PeerRow {
    /// As [`NodeStatus::granted`].
    fn granted() -> PeerRow {
        PeerRow {
            state: "linked".to_owned(),
            agreement: "agrees".to_owned(),
            lag_changes_durable: Some(0),
            lag_ms: Some(0),
            lag_ms_durable: Some(0),
            skew_ms: Some(0),
            ..PeerRow::default()
        }
    }
}

fn plain(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

fn leave_out(object: &mut Value, granted: &Value) {
    if let Value::Object(fields) = object {
        fields.retain(|name, value| granted.get(name) != Some(value));
    }
}

fn fill_in(object: &mut Value, granted: &Value) {
    if let (Value::Object(fields), Value::Object(granted)) = (object, granted) {
        for (name, value) in granted.iter().filter(|(_, value)| !value.is_null()) {
            fields.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Short, and nothing that a terminal would obey.
fn tidy(text: &mut String) {
    if text.len() > TEXT_CHARS_MAX || text.contains(char::is_control) {
        *text = text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_is_short_and_says_all() {
        let healthy = PeerRow { id: 1, since_ms: 5, ..PeerRow::granted() };
        let status = NodeStatus { id: 2, keys: 7, peers: vec![healthy, PeerRow::default()], ..NodeStatus::granted() };
        let wire = String::from_utf8(status.to_wire()).expect("JSON is text");
        assert!(wire.starts_with(r#"{"id":2,"keys":7,"peers":[{"id":1,"since_ms":5},{"#), "{wire}");
        assert_eq!(NodeStatus::from_wire(wire.as_bytes()), Some(status));
        let nothing = NodeStatus::default();
        assert_eq!(NodeStatus::from_wire(&nothing.to_wire()), Some(nothing));
    }

    #[test]
    fn nodes_of_other_versions_are_understood_and_others_are_not() {
        let later = br#"{"id":1,"weather":"fine","peers":[{"id":2,"mood":[]}]}"#;
        let status = NodeStatus::from_wire(later).expect("it is one");
        assert_eq!((status.id, status.peers.len(), status.ready), (1, 1, true));
        let deep = "[".repeat(60_000);
        for text in ["", "{", "7", "{\"id\":-1}", "{\"id\":70000}", "{\"peers\":{}}", "\u{ff}", &deep] {
            assert_eq!(NodeStatus::from_wire(text.as_bytes()), None, "{text:.40}");
        }
    }

    #[test]
    fn texts_of_others_are_one_short_line() {
        let error = Some(format!("a\nb\u{1b}[2J{}", "x".repeat(9_000)));
        let status = NodeStatus { disk_error: error, ..NodeStatus::default() };
        let read = NodeStatus::from_wire(&status.to_wire()).and_then(|status| status.disk_error).expect("it has one");
        assert!(read.starts_with("a b [2Jx") && read.len() == 500, "{read:.20}");
    }
}
