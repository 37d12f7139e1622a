//! The keys as commands about data have them: what they are, what may be changed, and what a request may cost.

use super::Now;
use super::waiting::Copies;
use crate::replica::Replica;
use crate::store::Store;

/// See the module.
pub(super) struct Keyspace {
    replica: Replica,
    /// The last position at the start.
    started_position: u64,
    value_bytes_max: usize,
    /// Whether keys may have expired that are not turned into deletions, and whether more memory may be in use than is
    /// allowed: as of the beginning of the tick, or later.
    pub(super) may_hide: bool,
    pub(super) may_be_over_limit: bool,
    random: fastrand::Rng,
}

impl Keyspace {
    /// The keys of a replica. `seed` decides about random keys.
    pub(super) fn new(replica: Replica, value_bytes_max: usize, seed: u64) -> Keyspace {
        Keyspace {
            started_position: replica.store().last_position(),
            replica,
            value_bytes_max,
            may_hide: false,
            may_be_over_limit: false,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// What every key is.
    #[inline]
    pub(super) fn store(&self) -> &Store {
        self.replica.store()
    }

    /// What is behind the keys.
    #[inline]
    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// What is behind the keys, to be changed.
    #[inline]
    pub(super) fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Longest value.
    pub(super) fn value_bytes_max(&self) -> usize {
        self.value_bytes_max
    }

    /// A tick begins, and it is that time.
    pub(super) fn begin_tick(&mut self, now: Now) {
        self.replica.begin_tick(now);
        (self.may_hide, self.may_be_over_limit) = (self.store().has_expired(), self.store().is_over_limit());
    }

    /// Memory that all entries may have, in bytes; 0: no limit.
    pub(super) fn limit_bytes(&mut self, bytes_max: usize) {
        self.replica.limit_bytes(bytes_max);
        self.may_be_over_limit = true;
    }

    /// Changes applied since the start. Positions are far above what a client's 53 bits can hold.
    pub(super) fn changes(&self) -> u64 {
        self.store().last_position() - self.started_position
    }

    /// Any key.
    pub(super) fn random_key(&mut self) -> Option<&[u8]> {
        let chance = self.random.u64(..);
        self.replica.store().random_key(chance)
    }

    /// Who has all of this node's writes up to the position on disk.
    pub(super) fn copies(&self, position: u64) -> Copies {
        Copies {
            here: self.replica.snapshotter().durable() >= position,
            peers: self.replica.replication().count_durable(position),
        }
    }
}
