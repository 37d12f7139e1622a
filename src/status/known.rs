//! What is known of one node, and how old that is.

use serde::{Deserialize, Serialize};

use super::report::NodeStatus;

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Its place in the list of nodes.
    pub id: u16,
    /// Where it is reached.
    pub address: String,
    /// How long ago it said what is known; none: nothing is.
    pub age_ms: Option<u64>,
    /// The node that has handed it on; none: it said so itself.
    pub via: Option<u16>,
    /// What it said.
    pub status: Option<NodeStatus>,
}

/// What is older says nothing of how a node is: two words of it and more are missing.
const FRESH_MS: u64 = 5_000;

/// A node that nobody is linked with and that has not said anything for that long is away, and not behind a cut link.
const RECENT_MS: u64 = 2_500;

impl Known {
    /// What it said a moment ago; none where that is longer ago.
    pub fn fresh(&self) -> Option<&NodeStatus> {
        self.status.as_ref().filter(|_| self.age_ms.is_some_and(|age_ms| age_ms <= FRESH_MS))
    }

    /// Whether it has said something just now.
    pub fn is_heard(&self) -> bool {
        self.status.is_some() && self.age_ms.is_some_and(|age_ms| age_ms <= RECENT_MS)
    }
}
