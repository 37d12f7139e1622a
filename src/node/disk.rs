//! What the node does for its data file: answers that wait for it.

use super::waiting::{Lost, Reached};
use super::{Node, Now};
use crate::replica::{Merged, Save, Saved, Settled, Writers};

impl Node {
    /// The next piece of work for the data file, where there is one and the writer has room.
    pub(super) fn next_save(&mut self, now: Now) -> Option<Save> {
        let save = self.keys.replica_mut().next_save(now);
        self.metrics.rows_written += save.as_ref().map_or(0, |save| save.batch.len() as u64);
        if self.keys.replica().writers() != Writers::Wait {
            self.sessions.reached(Reached::Writable);
        }
        save
    }

    /// Takes back a piece of work from the data file, and with it the answers that waited for it.
    pub fn saved(&mut self, saved: Saved, now: Now) {
        match self.keys.replica_mut().saved(saved, now) {
            Settled::Nothing => (),
            Settled::Durable(durable) => {
                self.metrics.snapshots += 1;
                self.metrics.commits.note(self.keys.replica().snapshotter().commit_us);
                self.sessions.reached(Reached::Durable(durable));
                self.count_copies();
            }
            Settled::Failed(snapshot) => {
                self.metrics.snapshots_failed += 1;
                self.backups_saved(snapshot..=u64::MAX, false);
                self.sessions.lost(Lost::MergesFrom(snapshot));
                self.sessions.lost(Lost::Durability);
            }
        }
    }

    /// The rows of the data file hold a snapshot that somebody waits for, or cannot be brought to.
    pub fn merged(&mut self, merged: Merged, now: Now) {
        self.keys.replica_mut().merged(&merged, now);
        let Merged { snapshot, took_us, failure } = merged;
        if let Some(took_us) = took_us {
            self.metrics.merges.note(took_us);
        }
        let is_merged = failure.is_none();
        match failure {
            None => self.sessions.reached(Reached::Merged(snapshot)),
            Some(_) => self.sessions.lost(Lost::MergesUpTo(snapshot)),
        }
        self.backups_saved(0..=snapshot, is_merged);
    }
}
