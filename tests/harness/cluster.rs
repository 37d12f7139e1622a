//! What a pure node is told about its cluster.

use kvstoreapp::node::Cluster;
use kvstoreapp::replication::WHOLE_BYTES_MAX;
use kvstoreapp::replication::{Identity, Limits};
use kvstoreapp::store::NodeId;

pub const LIMITS: Limits =
    Limits { clock_drift_ms_max: 60_000, tombstones_max: 1_000_000, whole_bytes_max: WHOLE_BYTES_MAX };

/// Node `node` of so many, in some incarnation of it.
pub fn cluster(node: NodeId, nodes: usize, incarnation: u64) -> Cluster {
    let members = (0..nodes).map(|id| format!("10.0.0.{id}:5000")).collect();
    Cluster { identity: Identity { node, incarnation }, members, seed: incarnation }
}
