//! The start of an incarnation: above everything that any earlier one has issued, and recorded before anybody hears.

use super::sweep::Sweep;
use super::{Checkpoint, Cluster, Disk, Durability, Replica, Snapshotter};
use crate::fault_injection;
use crate::replication::{Limits, Replication};
use crate::store::Now;

/// The year 2100: what is recorded of a clock that is wrong by so much would be refused once it is right.
const UNIX_MS_MAX: u64 = 4_102_444_800 * 1_000;

/// What a replica promises to those who write, and allows its peers.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// What a write's `OK` promises.
    pub durability: Durability,
    /// Time between two snapshots.
    pub snapshot_interval_ms: u64,
    /// What peers are allowed.
    pub limits: Limits,
}

impl Replica {
    /// An incarnation of the node begins with what its disk has. `chance` is a random number; `now` tells the time, which
    /// goes on while rows are put in order. An error is a sentence.
    pub fn start(
        disk: &mut impl Disk,
        cluster: Cluster,
        promises: Promises,
        chance: u64,
        now: impl Fn() -> Now,
    ) -> Result<Replica, String> {
        let unix_ms = now().unix_ms;
        if unix_ms > UNIX_MS_MAX {
            return Err("the system's clock is after the year 2100: set it right and start again".to_owned());
        }
        let Checkpoint { position_ceiling, clock_ceiling, mut recorded, .. } = disk.checkpoint().clone();
        // Positions are never reused, also where an old copy of the file was put back: the clock has gone on since.
        let store = disk.restore(position_ceiling.max(unix_ms * 1_000_000).max(1))?;
        let now = now();
        let floor = if fault_injection::is("clock not restored") { 0 } else { clock_ceiling };
        let mut clock = cluster.clock(floor, now.unix_ms, chance);
        let position = store.last_position();
        recorded.begin_incarnation(cluster.identity.incarnation, position);
        let Promises { durability, snapshot_interval_ms, limits } = promises;
        let checkpoint =
            Snapshotter::checkpoint(position, position + 1, &clock, snapshot_interval_ms, now.unix_ms, recorded);
        disk.record(&checkpoint)?;
        clock.reserved(checkpoint.clock_ceiling);
        let Cluster { identity, members, seed } = cluster;
        Ok(Replica {
            replication: Replication::new(identity, members, limits, checkpoint.recorded, &store, seed, now),
            snapshotter: Snapshotter::new(durability, snapshot_interval_ms, position, now),
            sweep: Sweep::new(position),
            store,
            clock,
            ticked: now,
            expires_actively: true,
        })
    }
}
