//! What one peer has, as far as it said so or sent it itself.

use crate::fault_injection;
use crate::replication::wire::vector::VersionVector;
use crate::replication::wire::{Ack, Hello, VERSION_WITH_DATABASES};
use crate::store::{Database, Floors, NodeId, Stamp};

/// See the module.
pub(super) struct Follower {
    node: NodeId,
    incarnation: u64,
    /// It has all its own stamps above the first, the beginning of its incarnation, that it has sent up to the second.
    since: u64,
    heard: u64,
    /// What it has, as it said.
    vector: VersionVector,
    /// The latest flush of each database that it has, or was sent.
    floors: Floors,
    /// Whether it knows databases other than 0.
    knows_databases: bool,
    /// Whose writes it gets first-hand, in rising order.
    first_hand: Vec<NodeId>,
}

impl Follower {
    /// A peer that said this.
    pub(super) fn new(hello: &Hello) -> Follower {
        Follower {
            node: hello.node,
            incarnation: hello.incarnation,
            since: hello.since,
            heard: 0,
            vector: hello.vector.clone(),
            floors: hello.floors,
            knows_databases: hello.version >= VERSION_WITH_DATABASES,
            first_hand: hello.linked.clone(),
        }
    }

    /// It said how far it is. Returns whether it gets the writes of fewer nodes first-hand than before.
    pub(super) fn acknowledged(&mut self, ack: &Ack) -> bool {
        self.vector.clone_from(&ack.vector);
        self.floors.merge(&ack.floors);
        let lost = self.first_hand.iter().any(|node| ack.linked.binary_search(node).is_err());
        self.first_hand.clone_from(&ack.linked);
        lost
    }

    /// It claims to have this.
    pub(super) fn claimed(&mut self, claims: &VersionVector) {
        self.vector.merge(claims);
    }

    /// It has sent own writes up to this clock value.
    pub(super) fn heard_up_to(&mut self, clock: u64) {
        self.heard = self.heard.max(clock);
    }

    /// It is sent the flush.
    pub(super) fn sent_flush(&mut self, database: Database, floor: Stamp) {
        self.floors.raise(database, floor);
    }

    /// Its incarnation.
    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Whether it has all of this, as it said.
    pub(super) fn includes(&self, vector: &VersionVector) -> bool {
        self.vector.includes(vector)
    }

    /// Whether it lacks the flush. One that knows database 0 alone has nothing that could be flushed in another.
    pub(super) fn lacks_flush(&self, database: Database, floor: Stamp) -> bool {
        (database.is_zero() || self.knows_databases) && self.floors.of(database) < floor
    }

    /// Whether it gets the node's writes from that node itself.
    pub(super) fn hears_first_hand(&self, node: NodeId) -> bool {
        self.first_hand.binary_search(&node).is_ok()
    }

    /// Whether it relies on this node, `own`, for the writes of `node`.
    pub(super) fn relies_on(&self, own: NodeId, node: NodeId) -> bool {
        node == own || !self.hears_first_hand(node)
    }

    /// Whether it has this write, or newer.
    pub(super) fn has(&self, stamp: Stamp) -> bool {
        if fault_injection::is("author believed to have all its writes") && stamp.node == self.node {
            return true;
        }
        self.vector.covers(stamp) || (stamp.node == self.node && self.since < stamp.clock && stamp.clock <= self.heard)
    }
}
