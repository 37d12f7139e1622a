//! What a link reads of its node, and how much of a value it sends at once.

use crate::replication::wire::vector::VersionVector;
use crate::store::{NodeId, Store};

/// What a link reads of its node.
#[derive(Clone, Copy)]
pub(in crate::replication) struct View<'a> {
    pub(in crate::replication) store: &'a Store,
    pub(in crate::replication) own: NodeId,
    /// What this node has.
    pub(in crate::replication) vector: &'a VersionVector,
    /// Longest value that goes with its change.
    pub(in crate::replication) whole_bytes_max: usize,
}

impl View<'_> {
    /// The same where the change is of an atomic group, whose others would be sent without it.
    pub(in crate::replication) fn group_bytes_max(self) -> usize {
        4 * self.whole_bytes_max
    }

    /// Longest chunk of a value that goes before its change.
    pub(in crate::replication) fn chunk_bytes_max(self) -> usize {
        self.whole_bytes_max / 4
    }
}
