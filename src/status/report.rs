//! One node's word of itself and of its links.

use serde::{Deserialize, Serialize};

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
    /// How it stands with another node.
    pub fn peer(&self, id: u16) -> Option<&PeerRow> {
        self.peers.iter().find(|row| row.id == id)
    }
}
