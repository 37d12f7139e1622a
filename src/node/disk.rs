//! What the node does for its data file: it hands out work, and takes it back with the answers that waited for it.

use super::saving::{Merged, Save, Saved, Verdict};
use super::waiting::{Lost, Reached};
use super::{Core, Node, Now};

impl Node {
    /// The next piece of work for the data file, where there is one and the writer has room.
    pub fn next_save(&mut self, now: Now) -> Option<Save> {
        let Core { store, clock, saver, replication, metrics, .. } = &mut self.core;
        let settle = |tombstones| replication.settle(tombstones);
        saver.collect_tombstones(store, settle, now);
        let save = saver.next(store, clock, |store| replication.record(clock, store), now);
        metrics.rows_written += save.as_ref().map_or(0, |save| save.batch.len() as u64);
        let is_free = !saver.holds_writers(store) && (!clock.is_spent() || saver.is_failing());
        if is_free {
            self.sessions.reached(Reached::Writable);
        }
        save
    }

    /// Takes back a piece of work from the data file, and with it the answers that waited for it.
    pub fn saved(&mut self, saved: Saved, now: Now) {
        let Core { store, clock, saver, replication, metrics, .. } = &mut self.core;
        match saver.done(saved, store, clock, now) {
            Verdict::None => (),
            Verdict::Release(recorded) => {
                metrics.snapshots += 1;
                replication.persisted(recorded);
                self.sessions.reached(Reached::Durable(saver.durable()));
                self.count_copies();
            }
            Verdict::Refuse(snapshot) => {
                metrics.snapshots_failed += 1;
                self.sessions.lost(Lost::MergesFrom(snapshot));
                self.sessions.lost(Lost::Durability);
            }
        }
    }

    /// The rows of the data file hold a snapshot that somebody waits for, or cannot be brought to.
    pub fn merged(&mut self, merged: Merged, now: Now) {
        self.core.saver.merged(&merged, now);
        let Merged { snapshot, failure } = merged;
        match failure {
            None => self.sessions.reached(Reached::Merged(snapshot)),
            Some(_) => self.sessions.lost(Lost::MergesUpTo(snapshot)),
        }
    }
}
