//! A full listing on its way out: hash and stamp of each key, sent after all changes.
//!
//! The peer may hold what was deleted so long ago that nobody remembers the deletion. So it gets everything that its
//! vector does not cover, and then a list of all that is held: what is not in it, the peer drops.

use super::view::View;
use crate::replication::wire::vector::VersionVector;
use crate::replication::wire::{ITEMS_MAX, Items, Listing};
use crate::store::digest::key_hash;

enum State {
    Idle,
    /// It begins once the cursors have met the end of the change list.
    Owed {
        /// Whether what the peer says it has is believed; not where the stores differ although nothing is under way.
        trusting: bool,
    },
    /// It is on its way, up to that position.
    Sending {
        up_to: u64,
        vector: VersionVector,
    },
}

/// See the module.
pub(super) struct ListingSender {
    state: State,
    completed: u64,
}

/// What follows a part of a listing.
pub(super) enum Step {
    /// Another part.
    More,
    /// Nothing. With it the peer has all of this.
    Complete(VersionVector),
    /// There was nothing to send.
    Idle,
}

impl ListingSender {
    /// Nothing to send.
    pub(super) fn idle() -> ListingSender {
        ListingSender { state: State::Idle, completed: 0 }
    }

    /// A listing is to be sent.
    pub(super) fn owe(&mut self, trusting: bool) {
        self.state = State::Owed { trusting };
    }

    /// Whether one is owed or under way.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Whether everything has to be sent, whatever the peer says it has.
    pub(super) fn distrusts(&self) -> bool {
        matches!(self.state, State::Owed { trusting: false })
    }

    /// How many were sent whole.
    pub(super) fn completed(&self) -> u64 {
        self.completed
    }

    /// Writes the next part.
    pub(super) fn next(&mut self, view: View<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Step {
        match &mut self.state {
            State::Idle => Step::Idle,
            State::Owed { .. } => {
                Listing::Begin(view.vector.clone()).encode(out);
                self.state = State::Sending { up_to: 0, vector: view.vector.clone() };
                Step::More
            }
            State::Sending { up_to, vector } => {
                scratch.clear();
                let mut looks = 0;
                for change in view.store.changes_after(*up_to).take(ITEMS_MAX) {
                    if !view.store.is_flushed(&change) {
                        Items::put(key_hash(change.database, change.key), change.stamp, scratch);
                    }
                    *up_to = change.position;
                    looks += 1;
                }
                Listing::Items(Items::of(scratch)).encode(out);
                if looks == ITEMS_MAX {
                    return Step::More;
                }
                Listing::End.encode(out);
                let claims = std::mem::take(vector);
                self.state = State::Idle;
                self.completed += 1;
                Step::Complete(claims)
            }
        }
    }
}
