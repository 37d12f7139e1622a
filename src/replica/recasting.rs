//! A data file made of the rows of a backup, so that all nodes go back to that: what it would be had a client of this
//! node said `FLUSHALL`, and then set every key.
//!
//! It is done by an incarnation of its own, which begins above all that the data file before and the backup have seen,
//! and ends at once: all that it issues is new, whatever the incarnations before and after it issue. What the data file
//! before knew of other nodes stays. Nobody hears of it before the next start; from there on peers take its changes as
//! any others, and what they have that is older is flushed.

use super::{Checkpoint, Cluster, Disk, Durability, Promises, Replica, Save, Saved, Writers};
use crate::replication::{Identity, Limits, WHOLE_BYTES_MAX};
use crate::store::{Clock, Database, Now, Store};

/// So far ahead of the wall clock the new stamps begin at least: those of peers may be ahead of it themselves, where
/// their clocks are, or began so. Peers take a clock that is ahead by 60 s, unless they are told otherwise.
const LEAD_MS: u64 = 30_000;
/// Between two snapshots lie at most so many rows.
const ROWS: usize = 1 << 10;
/// How often a snapshot begins.
const INTERVAL_MS: u64 = 1_000;

/// One row of the backup.
pub struct Row<'a> {
    /// The database of the key.
    pub database: Database,
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// When it expires, in unix milliseconds, if it does.
    pub expiry: Option<u64>,
}

/// What rows come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recast {
    /// Keys that are there again.
    pub keys: u64,
    /// Those that have expired since the backup was taken, and are not.
    pub expired: u64,
}

/// What takes in a row. An error is a sentence.
pub type Take<'a> = dyn FnMut(Row<'_>) -> Result<(), String> + 'a;

/// What the data file had before, to which nothing is done.
struct Before<'a, D> {
    disk: &'a mut D,
    checkpoint: Checkpoint,
}

impl<D: Disk> Disk for Before<'_, D> {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        self.disk.restore(first)
    }

    fn record(&mut self, _checkpoint: &Checkpoint) -> Result<(), String> {
        Ok(())
    }
}

/// Makes it. `before` is what the node had; `clock_seen` the clock value that the backup knows to be behind it; `rows`
/// gives its rows; `write` writes the new data file. `incarnation` and `chance` are random numbers. An error is a
/// sentence.
pub fn recast(
    before: &mut impl Disk,
    identity: Identity,
    clock_seen: u64,
    chance: u64,
    now: impl Fn() -> Now,
    rows: impl FnOnce(&mut Take<'_>) -> Result<(), String>,
    mut write: impl FnMut(Save) -> Saved,
) -> Result<Recast, String> {
    let mut checkpoint = before.checkpoint().clone();
    let least = Clock::at(now().unix_ms.saturating_add(LEAD_MS));
    checkpoint.clock_ceiling = checkpoint.clock_ceiling.max(clock_seen).max(least);
    let mut before = Before { disk: before, checkpoint };
    let limits = Limits { clock_drift_ms_max: u64::MAX, tombstones_max: usize::MAX, whole_bytes_max: WHOLE_BYTES_MAX };
    let promises = Promises { durability: Durability::Interval, snapshot_interval_ms: INTERVAL_MS, limits };
    let mut replica = Replica::start(&mut before, among_others(identity), promises, chance, &now)?;
    replica.begin_tick(now());
    replica.flush_all(now());
    let mut recast = Recast::default();
    let mut take = |row: Row<'_>| {
        let at = now();
        if row.expiry.is_some_and(|expiry| expiry <= at.unix_ms) {
            recast.expired += 1;
            return Ok(());
        }
        if recast.keys.is_multiple_of(ROWS as u64) || replica.writers() != Writers::Go {
            write_out(&mut replica, at, &mut write)?;
        }
        recast.keys += 1;
        let no_memory = |_| "there is no memory for all of it".to_owned();
        replica.select(row.database);
        replica.set(row.key, row.value.into(), row.expiry, at).map_err(no_memory)
    };
    rows(&mut take)?;
    replica.end();
    while replica.ended().is_none() {
        write_out(&mut replica, now(), &mut write)?;
    }
    replica.ended().unwrap_or(Ok(())).map(|()| recast)
}

/// Has everything written that is due.
fn write_out(replica: &mut Replica, now: Now, write: &mut impl FnMut(Save) -> Saved) -> Result<(), String> {
    // What was flushed gives its memory back.
    replica.begin_tick(now);
    while let Some(save) = replica.next_save(now) {
        let saved = write(save);
        replica.saved(saved, now);
        if let Some(why) = &replica.snapshotter().error {
            return Err(format!("cannot write it: {why}"));
        }
    }
    Ok(())
}

/// Another node is there, whichever: what was deleted is not forgotten, and the clock begins as in a cluster.
fn among_others(identity: Identity) -> Cluster {
    let own = usize::from(identity.node);
    let members = (0..own + 2).map(|id| if id < own { "" } else { "somewhere" }.to_owned()).collect();
    Cluster { identity, members, seed: 0 }
}
