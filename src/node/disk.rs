//! What the node does for its data file: it hands out work, and takes it back with the answers that waited for it.

use super::outbox::Until;
use super::saving::{Merged, Save, Saved, Verdict};
use super::{Core, Node, Now};
use crate::protocol::Refusal;

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
            self.sessions.run_held();
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
                let durable = saver.durable();
                self.sessions.visit_gated(|session| session.release(Until::Durable(durable)));
            }
            Verdict::Refuse(snapshot) => {
                metrics.snapshots_failed += 1;
                self.sessions.visit_gated(|session| {
                    session
                        .refuse_gated(Refusal::NotSaved, |until| matches!(until, Until::Merged(of) if of >= snapshot));
                    session.refuse_gated(Refusal::MaybeDurable, |until| matches!(until, Until::Durable(_)))
                });
            }
        }
    }

    /// The rows of the data file hold a snapshot that somebody waits for, or cannot be brought to.
    pub fn merged(&mut self, merged: Merged, now: Now) {
        self.core.saver.merged(&merged, now);
        let Merged { snapshot, failure } = merged;
        self.sessions.visit_gated(|session| match failure {
            None => session.release(Until::Merged(snapshot)),
            Some(_) => {
                session.refuse_gated(Refusal::NotSaved, |until| matches!(until, Until::Merged(of) if of <= snapshot))
            }
        });
    }
}
