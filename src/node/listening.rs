//! What one client listens to.

use std::collections::BTreeSet;

/// What is listened to: each has names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Channels,
    /// Channels whose names match.
    Patterns,
    /// Shard channels: where there is no cluster of Redis', nothing but further channels.
    Shards,
}

/// Names, in order.
#[derive(Default)]
pub(super) struct Listening {
    pub(super) channels: BTreeSet<Vec<u8>>,
    pub(super) patterns: BTreeSet<Vec<u8>>,
    pub(super) shards: BTreeSet<Vec<u8>>,
}

impl Listening {
    pub(super) fn to(&self, names: Names) -> &BTreeSet<Vec<u8>> {
        match names {
            Names::Channels => &self.channels,
            Names::Patterns => &self.patterns,
            Names::Shards => &self.shards,
        }
    }

    pub(super) fn to_mut(&mut self, names: Names) -> &mut BTreeSet<Vec<u8>> {
        match names {
            Names::Channels => &mut self.channels,
            Names::Patterns => &mut self.patterns,
            Names::Shards => &mut self.shards,
        }
    }

    /// How many a confirmation counts: shard channels apart.
    pub(super) fn count(&self, names: Names) -> usize {
        match names {
            Names::Channels | Names::Patterns => self.channels.len() + self.patterns.len(),
            Names::Shards => self.shards.len(),
        }
    }

    /// Whether it listens to nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }
}
