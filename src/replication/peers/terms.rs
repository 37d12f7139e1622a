//! What a node runs with that every node should have alike, told to each peer: differences are nobody's end, and
//! everybody's business.
//!
//! A list of nodes that lacks one forgets deletions that the one has not heard of. A node with less memory than its
//! peers takes what they write all the same: refused, it would be missing there for ever. Both are said, on both sides,
//! in the log and in `INFO`. Lists differ for a while whenever one is changed; so each node tells when its own has.

use crate::replication::wire::Terms;
use crate::store::NodeId;

/// Entries of lists that are told apart by name.
const DIFFERENCES_MAX: usize = 3;

/// What a linked peer runs with, as far as it has told, and in what that differs from this node's.
pub(in crate::replication) struct Agreed {
    theirs: Terms,
    difference: Option<String>,
    /// Which of this node's own it was told.
    told: Option<Edition>,
}

/// Names the terms that a node has at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::replication) struct Edition {
    /// Counts the lists of nodes.
    pub(in crate::replication) members: u64,
    pub(in crate::replication) memory_bytes_max: u64,
}

impl Agreed {
    /// The peer has told these nodes in its hello.
    pub(in crate::replication) fn new(members: Vec<String>) -> Agreed {
        Agreed { theirs: Terms { members, memory_bytes_max: None }, difference: None, told: None }
    }

    /// The peer has told its own. To be compared at once.
    pub(in crate::replication) fn hear(&mut self, terms: Terms) {
        self.theirs = terms;
    }

    /// Whether the peer is to be told this node's terms; it counts as told from here on.
    pub(in crate::replication) fn are_to_be_told(&mut self, edition: Edition) -> bool {
        self.told.replace(edition) != Some(edition)
    }

    /// Compares both, and says so in the log where what differs is new.
    pub(in crate::replication) fn compare(&mut self, ours: &Terms, own: NodeId, peer: NodeId) {
        let difference = difference(ours, own, &self.theirs, peer);
        if difference == self.difference {
            return;
        }
        match &difference {
            Some(difference) => log::warn!(event = "peer_differs", peer; "{difference}. Make them the same"),
            None => {
                log::info!(
                    event = "peer_alike", peer;
                    "node {peer} and this node have the same nodes and limits again"
                )
            }
        }
        self.difference = difference;
    }

    /// In what both differ.
    pub(in crate::replication) fn difference(&self) -> Option<&str> {
        self.difference.as_deref()
    }
}

/// What differs, in a sentence that both sides can say.
fn difference(ours: &Terms, own: NodeId, theirs: &Terms, peer: NodeId) -> Option<String> {
    let mut differences = Vec::new();
    for place in 0..ours.members.len().max(theirs.members.len()) {
        let at = |terms: &Terms| match terms.members.get(place).map(String::as_str) {
            None | Some("") => "not there".to_owned(),
            Some(address) => address.to_owned(),
        };
        let (here, there) = (at(ours), at(theirs));
        if here != there {
            differences.push(format!("node {place} is {here} at node {own}, and {there} at node {peer}"));
        }
    }
    if let Some(more) = differences.len().checked_sub(DIFFERENCES_MAX).filter(|&more| more > 0) {
        differences.truncate(DIFFERENCES_MAX);
        differences.push(format!("and {more} more"));
    }
    let lists = (!differences.is_empty()).then(|| format!("the config files differ: {}", differences.join("; ")));
    let said = |bytes: u64| if bytes == 0 { "no limit".to_owned() } else { bytes.to_string() };
    let memory = match (ours.memory_bytes_max, theirs.memory_bytes_max) {
        (Some(here), Some(there)) if here != there => {
            let (here, there) = (said(here), said(there));
            Some(format!("--max-memory differs: {here} at node {own}, and {there} at node {peer}"))
        }
        _ => None,
    };
    let all: Vec<String> = [lists, memory].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(members: &[&str], memory_bytes_max: Option<u64>) -> Terms {
        Terms { members: members.iter().map(|&member| member.to_owned()).collect(), memory_bytes_max }
    }

    #[test]
    fn what_differs_is_said_and_what_is_alike_or_not_known_is_not() {
        let three = terms(&["a:1", "b:1", "c:1"], Some(100));
        assert_eq!(difference(&three, 0, &three, 1), None);
        assert_eq!(difference(&three, 0, &terms(&["a:1", "b:1", "c:1"], None), 1), None);
        assert_eq!(difference(&terms(&["a:1", "b:1", ""], None), 0, &terms(&["a:1", "b:1"], None), 1), None);
        let two = terms(&["a:1", "b:1"], Some(0));
        assert_eq!(
            difference(&three, 0, &two, 1).as_deref(),
            Some(
                "the config files differ: node 2 is c:1 at node 0, and not there at node 1. \
                 --max-memory differs: 100 at node 0, and no limit at node 1"
            )
        );
    }
}
