//! The cluster as a replica begins with it.

use crate::replication::Identity;
use crate::store::Clock;

/// See the module.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// This node.
    pub identity: Identity,
    /// The addresses of all nodes, by id; empty where one was removed.
    pub members: Vec<String>,
    /// Decides about pauses between dials.
    pub seed: u64,
}

impl Cluster {
    /// The clock that the node begins with, above the ceiling that the incarnation before has recorded (0: there was
    /// none). `chance` is a random number.
    pub fn clock(&self, floor: u64, unix_ms: u64, chance: u64) -> Clock {
        let node = self.identity.node;
        if self.members.iter().filter(|member| !member.is_empty()).count() > 1 {
            Clock::new(node, floor, unix_ms, chance)
        } else {
            Clock::alone(node, floor, unix_ms)
        }
    }
}
