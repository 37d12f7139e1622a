//! What this node has of everybody's writes, in memory and on disk, and what it knows of stamps that were issued.

use std::collections::BTreeMap;

use super::persisted::PersistedState;
use super::wire::Cursor;
use super::wire::vector::{Span, VersionVector};
use crate::fault_injection;
use crate::store::{Clock, NodeId, Stamp, Store};

/// See the module.
pub(super) struct Knowledge {
    own: NodeId,
    /// What this node has.
    vector: VersionVector,
    /// What deletions were collected under.
    collected: VersionVector,
    /// Whether some were that peers with a link have not been told of.
    collected_more: bool,
    /// What its data file has.
    durable: PersistedState,
    /// The highest stamp of each node that was ever here.
    seen: BTreeMap<NodeId, u64>,
    /// The nodes whose writes come first-hand, in rising order.
    first_hand: Vec<NodeId>,
    /// Counts what peers are to be told of beside positions.
    facts: u64,
}

impl Knowledge {
    /// What a data file and the store restored from it say.
    pub(super) fn restored(own: NodeId, persisted: PersistedState, store: &Store) -> Knowledge {
        let mut knowledge = Knowledge {
            own,
            vector: persisted.vector.clone(),
            collected: persisted.collected.clone(),
            collected_more: false,
            durable: persisted,
            seen: BTreeMap::new(),
            first_hand: Vec::new(),
            facts: 0,
        };
        store.changes_after(0).for_each(|change| knowledge.note_seen(change.stamp));
        knowledge
    }

    /// Peers are to be told of something new.
    pub(super) fn changed(&mut self) {
        self.facts += 1;
    }

    /// The data file has this.
    pub(super) fn persisted(&mut self, state: PersistedState) {
        self.durable = state;
        self.facts += 1;
    }

    /// Brings the own part of the vector up to date.
    pub(super) fn keep_up(&mut self, clock: &Clock) {
        let (after, up_to) = clock.span();
        let after = if fault_injection::is("own gap not stated") { 0 } else { after };
        self.vector.add(self.own, Span { after, up_to });
    }

    /// A write with this stamp is here.
    pub(super) fn note_seen(&mut self, stamp: Stamp) {
        let seen = self.seen.entry(stamp.node).or_default();
        *seen = (*seen).max(stamp.clock);
    }

    /// These nodes' writes come first-hand, in rising order.
    pub(super) fn note_first_hand(&mut self, nodes: impl Iterator<Item = NodeId> + Clone) {
        if !nodes.clone().eq(self.first_hand.iter().copied()) {
            self.first_hand = nodes.collect();
            self.facts += 1;
        }
    }

    /// This node has all of this, or newer.
    pub(super) fn merge(&mut self, claims: &VersionVector) {
        if !self.vector.includes(claims) {
            self.vector.merge(claims);
            self.facts += 1;
        }
    }

    /// Full listings are worked in: all that peers have claimed meanwhile is had, and no trace is left of deletions
    /// that they had collected.
    pub(super) fn purged(&mut self, claims: &VersionVector, collected: &VersionVector) {
        self.vector.merge(claims);
        self.take_collected(collected);
        self.facts += 1;
    }

    /// A peer has collected deletions under this. Who has all that they were known under has no trace of them.
    pub(super) fn learn_collected(&mut self, collected: &VersionVector) {
        if self.vector.includes(collected) {
            self.take_collected(collected);
        }
    }

    /// Whether others have collected deletions that peers with a link are to be told of.
    pub(super) fn take_collected_more(&mut self) -> bool {
        std::mem::take(&mut self.collected_more)
    }

    /// Of the own writes, those above this clock value are not had.
    pub(super) fn cut_own(&mut self, after: u64) {
        self.vector.cut(self.own, after);
        self.collected.cut(self.own, after);
    }

    /// Where the whole cluster agrees, nobody holds anything of this node's earlier incarnations, nor of a node that is
    /// no peer, that another lacks.
    pub(super) fn close_gaps(&mut self, clock: &Clock, is_peer: impl Fn(NodeId) -> bool) {
        let own = self.own;
        let removed = self.seen.iter().filter(|(node, _)| **node != own && !is_peer(**node));
        let closed = removed.map(|(&node, &seen)| (node, seen)).chain([(own, clock.span().0)]);
        for (node, up_to) in closed {
            self.vector.add(node, Span { after: 0, up_to });
        }
    }

    /// Deletions were forgotten while there was no other node: who was a peer once, or becomes one, may hold what was
    /// deleted.
    pub(super) fn forgot_alone(&mut self) {
        self.collected.merge(&self.vector);
    }

    /// Deletions under this are to be forgotten.
    pub(super) fn collect(&mut self, stable: &VersionVector) {
        if !self.collected.includes(stable) {
            self.collected.merge(stable);
        }
    }

    fn take_collected(&mut self, collected: &VersionVector) {
        if !self.collected.includes(collected) {
            self.collected.merge(collected);
            self.collected_more = true;
        }
    }

    /// This node.
    pub(super) fn own(&self) -> NodeId {
        self.own
    }

    pub(super) fn vector(&self) -> &VersionVector {
        &self.vector
    }

    pub(super) fn collected(&self) -> &VersionVector {
        &self.collected
    }

    pub(super) fn durable(&self) -> &PersistedState {
        &self.durable
    }

    pub(super) fn first_hand(&self) -> &[NodeId] {
        &self.first_hand
    }

    pub(super) fn facts(&self) -> u64 {
        self.facts
    }

    /// How far the data file has followed the peer's list.
    pub(super) fn durable_cursor(&self, peer: NodeId) -> Cursor {
        let found = self.durable.cursors.iter().find(|&&(node, _)| node == peer);
        found.map_or(Cursor::default(), |&(_, cursor)| cursor)
    }

    /// The highest stamp of a node that was ever here, or is claimed to be.
    pub(super) fn highest_seen(&self, node: NodeId) -> u64 {
        self.seen.get(&node).copied().unwrap_or(0).max(self.vector.highest(node))
    }
}
