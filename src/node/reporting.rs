//! What the node says of itself and of all others: to people, and to the other nodes.

use super::commands::context::Context;
use super::statistics::Sources;
use crate::status::{ClusterStatus, Known, NodeStatus};
use crate::store::NodeId;

/// All nodes, as far as this one knows. O(nodes, and peers and segments of the change list).
pub(super) fn cluster(cx: &mut Context<'_>) -> ClusterStatus {
    let own = own(&Sources::new(cx), *cx.is_shutting_down);
    let (id, members) = (own.id, cx.keys.replica().replication().members());
    let mut nodes: Vec<Known> = members
        .iter()
        .enumerate()
        .filter(|(_, address)| !address.is_empty())
        .map(|(id, address)| Known { id: id as NodeId, address: address.clone(), ..Known::default() })
        .collect();
    if let Some(known) = nodes.iter_mut().find(|known| known.id == id) {
        (known.age_ms, known.status) = (Some(0), Some(own));
    }
    ClusterStatus::new(id, nodes)
}

/// This node.
fn own(sources: &Sources<'_>, ending: bool) -> NodeStatus {
    NodeStatus { ending, ..sources.status() }
}
