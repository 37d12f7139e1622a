//! What one node, or one tool, knows of all nodes.

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::verdict::{Verdict, verdict};

/// The answer to `STATUS`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    /// What all of it comes to.
    pub verdict: Verdict,
    /// The node that was asked.
    pub asked: u16,
    /// All nodes of its list, in the order of their ids.
    pub nodes: Vec<Known>,
}

impl ClusterStatus {
    /// Of what was found out by this node, or for a tool by the first that answered.
    pub fn new(asked: u16, nodes: Vec<Known>) -> ClusterStatus {
        ClusterStatus { verdict: verdict(&nodes), asked, nodes }
    }

    /// As it is answered.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("it has no keys but texts")
    }

    /// Reads an answer.
    pub fn from_json(text: &[u8]) -> Result<ClusterStatus, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }
}
