//! The file that describes the cluster, understood and checked.
//!
//! Every mistake is one sentence that names what is wrong and where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::replica::snapshotter::CLOCK_AHEAD_MS;
use crate::store::stamp::AHEAD_MS;
use crate::store::{NODES_MAX, NodeId};

/// Where the cluster is described, unless `--config` says otherwise.
const CONFIG_DEFAULT: &str = "node_config.json";
/// The only node where no file describes any, as a file would say it.
const ALONE: (&str, u16) = ("127.0.0.1", 5000);
/// What some editors put in front of a text, as UTF-8 has it.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// A clock may be so far beyond what was reserved for it or where its incarnation began.
const CLOCK_MARGIN_MS: u64 = 2_000;

/// One entry of the config file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// IPv4 or IPv6 address, or host name.
    pub ip: String,
    /// TCP port, not 0.
    pub port: u16,
}

impl std::fmt::Display for NodeAddress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let brackets = if self.ip.contains(':') { ("[", "]") } else { ("", "") };
        write!(out, "{}{}{}:{}", brackets.0, self.ip, brackets.1, self.port)
    }
}

/// The file that describes the cluster, and what of this node's flags it has to go with.
#[derive(Clone, Debug)]
pub struct ClusterFile {
    path: PathBuf,
    snapshot_interval_ms: u64,
    clock_drift_ms_max: u64,
}

impl NodeAddress {
    /// Of the only node where no file describes any.
    pub(super) fn alone() -> NodeAddress {
        NodeAddress { ip: ALONE.0.to_owned(), port: ALONE.1 }
    }
}

impl ClusterFile {
    /// This one, or the usual one, for who does not run a node of it.
    pub(super) fn named(path: Option<PathBuf>) -> ClusterFile {
        ClusterFile::new(path, 0, u64::MAX)
    }

    /// This one, or the usual one, for a node with these flags.
    pub(super) fn new(path: Option<PathBuf>, snapshot_interval_ms: u64, clock_drift_ms_max: u64) -> ClusterFile {
        let path = path.unwrap_or_else(|| CONFIG_DEFAULT.into());
        ClusterFile { path, snapshot_interval_ms, clock_drift_ms_max }
    }

    /// Reads and checks the list of nodes, each `None` where it was removed. An error is a sentence.
    pub fn read(&self) -> Result<Vec<Option<NodeAddress>>, String> {
        let name = self.path.display();
        let text = std::fs::read_to_string(&self.path);
        let text = text.map_err(|error| format!("cannot read the config file {name}: {error}"))?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let nodes: Vec<Option<NodeAddress>> = serde_json::from_str(text).map_err(|error| {
            format!(r#"the config file {name} is not an array of {{ "ip": "...", "port": ... }}: {error}"#)
        })?;
        self.check(&nodes)?;
        Ok(nodes)
    }

    pub(super) fn is_absent(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    fn check(&self, nodes: &[Option<NodeAddress>]) -> Result<(), String> {
        let name = self.path.display();
        if nodes.is_empty() {
            return Err(format!("the config file {name} lists no node"));
        }
        if nodes.len() > NODES_MAX {
            let count = nodes.len();
            return Err(format!("the config file {name} lists {count} nodes, but at most {NODES_MAX} can be"));
        }
        let is_cluster = nodes.iter().flatten().count() > 1;
        let mut seen = HashMap::new();
        for (id, node) in nodes.iter().enumerate().filter_map(|(id, node)| Some((id, node.as_ref()?))) {
            if node.ip.is_empty() || node.port == 0 {
                return Err(format!("node {id} in {name} has no address to connect to: {node}"));
            }
            let ip = node.ip.parse().map(|ip: IpAddr| ip.to_canonical());
            if is_cluster && ip.as_ref().is_ok_and(IpAddr::is_unspecified) {
                return Err(format!(
                    "node {id} in {name} has the address {node}, which no other node can reach it at: give one that \
                     they can, and --bind={} to node {id} where it is to listen on all its addresses",
                    node.ip
                ));
            }
            let host = ip.map_or_else(|_| node.ip.to_lowercase(), |ip| ip.to_string());
            if let Some(other) = seen.insert((host, node.port), id) {
                return Err(format!("nodes {other} and {id} in {name} have the same address {node}"));
            }
        }
        let (interval_ms, drift_ms_max) = (self.snapshot_interval_ms, self.clock_drift_ms_max);
        let ahead_ms = start_ahead_ms(interval_ms);
        if is_cluster && drift_ms_max < ahead_ms {
            return Err(format!(
                "--max-clock-drift-ms={drift_ms_max} is too little: with --snapshot-interval-ms={interval_ms} a start \
                 puts a node's clock up to {ahead_ms} ms ahead, and the others would not link to it for so long"
            ));
        }
        Ok(())
    }

    /// The id that was given, where the file has it.
    pub(super) fn own_id(&self, id: Option<NodeId>, nodes: &[Option<NodeAddress>]) -> Result<NodeId, String> {
        let (name, last) = (self.path.display(), nodes.len() - 1);
        let Some(id) = id else {
            return Err(format!("--id=<n> is missing: which node of {name} is this, of 0 to {last}?"));
        };
        match nodes.get(usize::from(id)) {
            None => Err(format!("--id={id} is not in {name}, which has ids 0 to {last}")),
            Some(None) => Err(format!("--id={id} is null in {name}: that node was removed")),
            Some(Some(_)) => Ok(id),
        }
    }

    /// The id that was given, where there is no file.
    pub(super) fn id_alone(&self, id: Option<NodeId>) -> Result<NodeId, String> {
        match id {
            None | Some(0) => Ok(0),
            Some(id) => Err(format!(
                "--id={id}: there is no {} here, so there is one node, 0; --config=<file> names the file of a cluster",
                self.path.display()
            )),
        }
    }
}

/// The addresses as text, empty where a node was removed.
pub fn members(nodes: &[Option<NodeAddress>]) -> Vec<String> {
    nodes.iter().map(|node| node.as_ref().map(NodeAddress::to_string).unwrap_or_default()).collect()
}

/// How far ahead of the wall clock a start puts a node's clock, at most: beyond what the data file has reserved.
fn start_ahead_ms(interval_ms: u64) -> u64 {
    AHEAD_MS.max(CLOCK_AHEAD_MS + 2 * interval_ms) + CLOCK_MARGIN_MS
}
