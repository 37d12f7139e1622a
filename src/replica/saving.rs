//! What a replica does for its data file: it hands out work, takes it back, and ends when all is saved.

use super::snapshotter::Verdict;
use super::{Merged, Replica, Save, Saved};
use crate::store::Now;

/// What a piece of work that came back has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing yet.
    Nothing,
    /// All changes up to this position are on disk.
    Durable(u64),
    /// This snapshot has failed, and with it whoever waits for it or a later one.
    Failed(u64),
}

impl Replica {
    /// The next piece of work for the data file, where there is one and the writer has room.
    pub fn next_save(&mut self, now: Now) -> Option<Save> {
        let Replica { store, clock, snapshotter, replication, .. } = self;
        snapshotter.collect_tombstones(store, |tombstones| replication.settle(tombstones), now);
        snapshotter.next(store, clock, |store| replication.record(clock, store), now)
    }

    /// Takes back a piece of work from the data file.
    pub fn saved(&mut self, saved: Saved, now: Now) -> Settled {
        let Replica { store, clock, snapshotter, replication, .. } = self;
        match snapshotter.done(saved, store, clock, now) {
            Verdict::None => Settled::Nothing,
            Verdict::Release(recorded) => {
                replication.persisted(recorded);
                Settled::Durable(snapshotter.durable())
            }
            Verdict::Refuse(snapshot) => Settled::Failed(snapshot),
        }
    }

    /// The rows of the data file hold a snapshot that somebody waits for, or cannot be brought to.
    pub fn merged(&mut self, merged: &Merged, now: Now) {
        self.snapshotter.merged(merged, now);
    }

    /// Wants a snapshot of all there is in the rows of the data file at once. Returns its number.
    pub fn back_up(&mut self) -> u64 {
        self.snapshotter.back_up()
    }

    /// Nothing is changed any more; one last snapshot is wanted.
    pub fn end(&mut self) {
        self.snapshotter.end();
    }

    /// After [`Replica::end`]: whether all is saved or cannot be, and what that costs; `None` while it is under way.
    pub fn ended(&self) -> Option<Result<(), String>> {
        let Replica { store, snapshotter, replication, .. } = self;
        let verdict = snapshotter.ended()?;
        Some(verdict.map_err(|why| {
            let lost = store.count_after(snapshotter.durable());
            if lost == 0 {
                return format!("all changes are on disk, but the end could not be recorded there: {why}");
            }
            let elsewhere = match &replication.complete(store)[..] {
                [] => "No linked node is known to have them all".to_owned(),
                ids => format!("All of them are on node {}, in memory at least", ids.join(" and ")),
            };
            format!(
                "changes to {lost} keys since the last snapshot could not be saved: {why}. {elsewhere}. On disk is the \
                 state of that snapshot; make sure that there is room before the next start"
            )
        }))
    }
}
