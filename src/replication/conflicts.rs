//! Writes of two nodes to one key of which neither writer had seen the other: which of both is kept is decided by their
//! stamps, and nobody is told. So they are counted.
//!
//! A clock value is above all that its writer had seen. So where a peer's write comes that is older than this node's own
//! one of that key, the peer had not seen that when it wrote; and as the peer's comes for the first time, this node had
//! not seen it either. That is certain, and [counted](Conflicts::won) by the node whose write is kept, once for each write
//! that is lost. Where all nodes hear each other first-hand, their counts together are those of the cluster. A third node
//! that passes writes on keeps back what is older than what it has: such a write never comes here, and is not counted.
//!
//! Where a peer's write is the newer one its stamp does not tell. The peer had seen this node's if it has said so by
//! then; else it [counts](Conflicts::lost), and so does one that the peer got in the last moments before it wrote: it
//! says what it has some 20 ms later. That is the most that it can be.
//!
//! So the first is at most as many as there were, and the second at least. Of several writes of a key that a node made
//! meanwhile only the last is there to be met. Writes that meet at a node which wrote neither are not counted there. Nor
//! are keys that a flush deletes.

/// What is known of the write that a peer's write meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Whether the one that is here was written by this node, and the one that comes by another.
    pub(super) is_of_two: bool,
    /// Whether the one that comes is the newer one.
    pub(super) is_overwritten: bool,
    /// Whether the one that comes, or a later one of its writer, was here before.
    pub(super) came_before: bool,
    /// Whether its writer had said that it has the one that is here.
    pub(super) was_known: bool,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Own writes that are kept, each with one of a peer that is not.
    pub won: u64,
    /// Own writes that a peer's write took the place of.
    pub lost: u64,
}

impl Conflicts {
    /// A peer's write has met another of the same key.
    pub(super) fn note(&mut self, meeting: Meeting) {
        let Meeting { is_of_two, is_overwritten, came_before, was_known } = meeting;
        self.won += u64::from(is_of_two && !is_overwritten && !came_before);
        self.lost += u64::from(is_of_two && is_overwritten && !was_known);
    }
}
