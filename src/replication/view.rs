//! What a link reads of its node, and how much of a value it sends at once.

use super::vector::VersionVector;
use crate::store::{NodeId, Store};

/// What a link reads of its node.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) store: &'a Store,
    pub(super) own: NodeId,
    /// What this node has.
    pub(super) vector: &'a VersionVector,
    /// Longest value that goes with its change.
    pub(super) whole_bytes_max: usize,
}

impl View<'_> {
    /// The same where the change belongs together with others, which would be sent without it.
    pub(super) fn together_bytes_max(self) -> usize {
        4 * self.whole_bytes_max
    }

    /// Longest part of a value that goes before its change.
    pub(super) fn part_bytes_max(self) -> usize {
        self.whole_bytes_max / 4
    }
}
