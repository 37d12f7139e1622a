//! What the node says of itself and of all others: to people, and to the other nodes.

use super::commands::context::Context;
use super::reports::HandedOn;
use super::statistics::Sources;
use super::{Node, Now};
use crate::replication::wire::Status;
use crate::status::{ClusterStatus, Known, NodeStatus};
use crate::store::NodeId;

/// All nodes, as far as this one knows. O(nodes, and peers and segments of the change list).
pub(super) fn cluster(cx: &mut Context<'_>) -> ClusterStatus {
    for heard in cx.data.keys.replica_mut().take_statuses() {
        cx.reports.take(heard);
    }
    let own = own(&Sources::new(cx), *cx.is_shutting_down);
    let (id, members, now_us) = (own.id, cx.keys.replica().replication().members(), cx.now.monotonic_us);
    let mut nodes: Vec<Known> = members
        .iter()
        .enumerate()
        .filter(|(_, address)| !address.is_empty())
        .map(|(id, address)| Known { id: id as NodeId, address: address.clone(), ..Known::default() })
        .collect();
    for known in &mut nodes {
        if known.id == id {
            (known.age_ms, known.status) = (Some(0), Some(own.clone()));
        } else {
            cx.reports.tell(known, now_us);
        }
    }
    ClusterStatus::new(id, nodes)
}

/// This node.
fn own(sources: &Sources<'_>, ending: bool) -> NodeStatus {
    NodeStatus { ending, ..sources.status() }
}

impl Node {
    /// A second is over: linked peers are told how this node is, and how those are that they have no link with.
    pub(super) fn report(&mut self, now: Now) {
        let readers: Vec<NodeId> = self.keys.replica().replication().status_readers().collect();
        if readers.is_empty() {
            return;
        }
        let Node { keys, channels, sessions, metrics, timing, settings, scripts, .. } = self;
        let sources = Sources::of(keys, channels, sessions, (metrics, timing), settings, scripts, now);
        let status = own(&sources, self.is_shutting_down);
        let (node, text) = (status.id, status.to_wire());
        let Node { keys, reports, .. } = self;
        let replica = keys.replica_mut();
        replica.take_statuses().for_each(|heard| reports.take(heard));
        for &to in &readers {
            replica.tell_status(to, &Status { node, age_ms: 0, text: &text });
        }
        reports.keep(|id| replica.replication().members().get(usize::from(id)).is_some_and(|one| !one.is_empty()));
        reports.hand_on(&readers, now.monotonic_us, |HandedOn { to, node, age_ms, text }| {
            replica.tell_status(to, &Status { node, age_ms, text });
        });
    }
}
