//! One copy of the data as one value: what every key is, the clock that stamps changes, what is saved of them, and
//! what other nodes are told.
//!
//! - [`Cluster`]: who takes part; [`Disk`]: what a start finds; `starting`: the start, the only one there is
//! - `writing`: how keys are changed; `expiring`, `sweep`, `collecting`: what time, flushes and other nodes do to them
//! - [`Snapshotter`]: snapshots: when, what next; `retrying`: what a failure means; `unsaved`: since when something is
//!   not on disk; [`group_commit`]: durability of one
//!   write; `backup`: `SAVE`; [`handover`]: what goes to the data file's thread and comes back
//! - [`recasting`]: a data file made of a backup, for the whole cluster
//! - `saving`: what a replica does for its data file; `links`: what it does for other nodes
//!
//! What a replica of another kind would do in another way is behind these methods: who changes a key does not know
//! whether the change is agreed on first or told afterwards. It does not know clients, sockets, threads or files.

mod backup;
mod cluster;
mod collecting;
mod disk;
mod expiring;
pub mod group_commit;
pub mod handover;
mod links;
pub mod recasting;
mod retrying;
mod saving;
pub mod snapshotter;
mod starting;
mod sweep;
mod unsaved;
mod writing;

pub use cluster::Cluster;
pub use disk::Disk;
pub use group_commit::Durability;
pub use handover::{COPY_PIECE_BYTES, Checkpoint, CopyJob, CopyNews, Merged, Outcome, Save, Saved};
pub use saving::Settled;
pub use snapshotter::Snapshotter;
pub use starting::Promises;
use sweep::Sweep;
pub use writing::Writers;

use crate::replication::Replication;
use crate::store::{Clock, Now, Store};

/// See the module.
pub struct Replica {
    store: Store,
    clock: Clock,
    snapshotter: Snapshotter,
    replication: Replication,
    /// The time of the last tick.
    ticked: Now,
    sweep: Sweep,
    /// Whether keys are turned into deletions when their time has come, and not only hidden.
    expires_actively: bool,
}

impl Replica {
    /// What every key is.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What stamps changes.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How snapshots stand.
    pub fn snapshotter(&self) -> &Snapshotter {
        &self.snapshotter
    }

    /// How other nodes stand.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }

    /// Whether whoever overwrites something has to wait for the data file to take it first.
    fn holds_writers(&self) -> bool {
        self.snapshotter.holds_writers(&self.store)
    }

    /// When the next tick is to begin, in monotonic microseconds, where nothing happens before.
    pub fn deadline_us(&self) -> u64 {
        let Replica { store, snapshotter, replication, .. } = self;
        snapshotter.deadline_us(store).min(self.expiry_us()).min(replication.deadline_us())
    }
}
