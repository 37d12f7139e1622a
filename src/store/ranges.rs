//! Ranges of positions in the change list that no follower should stop in.

use std::collections::VecDeque;

/// Ranges kept; past that the oldest is given up: 64 KiB for a follower that is far behind.
const RANGES_MAX: usize = 1 << 12;

/// First and last position. Invariant: they rise and do not overlap.
#[derive(Default)]
pub(super) struct Ranges(VecDeque<(u64, u64)>);

impl Ranges {
    /// A range that ends with the latest change of all.
    pub(super) fn add(&mut self, first: u64, last: u64) {
        let first = match self.0.back() {
            // A key of an earlier range was overwritten among these.
            Some(&(earlier, end)) if end >= first => {
                self.0.pop_back();
                earlier
            }
            Some(_) | None => first,
        };
        if first < last {
            if self.0.len() == RANGES_MAX {
                self.0.pop_front();
            }
            self.0.push_back((first, last));
        }
    }

    /// The change at `before` has been overwritten by the one at `position`, the latest of all.
    pub(super) fn moved(&mut self, before: u64, position: u64) {
        if self.0.is_empty() {
            return;
        }
        if let Some(at) = self.with(before) {
            let (first, _) = self.0[at];
            self.0.truncate(at);
            self.0.push_back((first, position));
        }
    }

    /// Forgets those that end here or before.
    pub(super) fn forget(&mut self, up_to: u64) {
        while self.0.pop_front_if(|&mut (_, last)| last <= up_to).is_some() {}
    }

    /// Whether the position is in one.
    pub(super) fn contain(&self, position: u64) -> bool {
        self.with(position).is_some()
    }

    /// Whether the position and the one after it are in one.
    pub(super) fn go_on_after(&self, position: u64) -> bool {
        self.with(position).is_some_and(|at| position < self.0[at].1)
    }

    /// Which range the position is in.
    fn with(&self, position: u64) -> Option<usize> {
        let at = self.0.partition_point(|&(_, last)| last < position);
        self.0.get(at).is_some_and(|&(first, _)| first <= position).then_some(at)
    }
}
