//! What peers have said to this node that is no change.

use std::collections::BTreeMap;

use super::wire::{Audience, Status};
use crate::store::NodeId;

/// What was said in a channel of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// For whom.
    pub audience: Audience,
    /// Where.
    pub channel: Vec<u8>,
    /// What.
    pub message: Vec<u8>,
}

/// What a node says of itself, as a peer has told it. Nobody has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardStatus {
    /// Who told it.
    pub from: NodeId,
    /// Of whom.
    pub node: NodeId,
    /// When that node said it, in monotonic microseconds: before this node began, where it is less than 0.
    pub said_us: i64,
    /// What it said.
    pub text: Vec<u8>,
}

/// The latest of each node that each peer has told, until somebody takes them. So whatever a peer sends, there is one for
/// each node, and looking at it is no work for the loop but once.
#[derive(Debug, Default)]
pub(super) struct Statuses(BTreeMap<(NodeId, NodeId), HeardStatus>);

impl Statuses {
    /// A peer has told this.
    pub(super) fn hear(&mut self, from: NodeId, status: &Status<'_>, now_us: u64) {
        let is_own = status.node == from;
        let age_us = if is_own { 0 } else { i64::from(status.age_ms) * 1_000 };
        let said_us = i64::try_from(now_us).unwrap_or(i64::MAX) - age_us;
        let text = status.text.to_vec();
        self.0.insert((status.node, from), HeardStatus { from, node: status.node, said_us, text });
    }

    /// All of them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = HeardStatus> {
        std::mem::take(&mut self.0).into_values()
    }

    /// Memory held.
    pub(super) fn bytes(&self) -> usize {
        self.0.values().map(|status| status.text.capacity()).sum()
    }
}
