//! What peers have said to this node that is no change.

use super::wire::Audience;

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
