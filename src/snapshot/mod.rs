//! The data file and the thread that writes it: the door to SQLite.
//!
//! - [`mod@file`]: the schema, rows on their way to the disk
//! - `journal`: commits appended, where they are too many to become rows at once
//! - `folding`: ... and how they become rows later
//! - `storage`: which of both, and when
//! - [`opening`]: what is accepted at the start, rows on their way back
//! - [`Writer`]: the thread; things are given to it and come back
//!
//! It does not know what a snapshot is made of or when one is due; see [`crate::node::saving`].

pub mod file;
mod folding;
mod journal;
pub mod opening;
mod storage;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::node::saving::{Checkpoint, IN_FLIGHT_MAX, Merged, Outcome, Save, Saved};
use crate::store::Batch;
use file::DataFile;
use storage::Storage;

/// What the thread has done.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, in a queue of a few")]
pub enum Report {
    /// A piece of work.
    Saved(Saved),
    /// What one of them has asked for.
    Merged(Merged),
}

/// The thread that owns the data file.
pub struct Writer {
    saves: SyncSender<Save>,
    reports: Receiver<Report>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. `wake` is called whenever [`Writer::take`] has something new.
    pub fn start(file: DataFile, wake: impl Fn() + Send + 'static) -> std::io::Result<Writer> {
        let (saves, to_save) = sync_channel::<Save>(IN_FLIGHT_MAX);
        let (report, reports) = channel();
        let mut session = WriteSession { storage: Storage::new(file)?, open: None, failed: 0 };
        let write = move || {
            // Nobody listens any more once the server is gone.
            let tell = |news| {
                report.send(news).is_ok_and(|()| {
                    wake();
                    true
                })
            };
            loop {
                match session.next(&to_save) {
                    Ok(save) => {
                        let ends = save.commit.is_some();
                        if !tell(Report::Saved(session.save(save))) {
                            break;
                        }
                        if ends {
                            session.storage.tidy();
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => session.storage.tidy(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if let Some(merged) = session.storage.take_merged()
                    && !tell(Report::Merged(merged))
                {
                    break;
                }
            }
            session.storage.close();
        };
        let thread = thread::Builder::new().name("snapshot".into()).spawn(write)?;
        Ok(Writer { saves, reports, thread })
    }

    /// Gives the thread a piece of work.
    pub fn give(&self, save: Save) {
        self.saves
            .try_send(save)
            .expect("the node keeps no more pieces under way and the thread lives as long as this");
    }

    /// What is done.
    pub fn take(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Waits for the thread to close the file.
    pub fn close(self) {
        drop(self.saves);
        self.thread.join().expect("a panic ends the process");
    }
}

/// Invariant: a transaction is open exactly while `open` names its snapshot.
struct WriteSession {
    storage: Storage,
    open: Option<u64>,
    failed: u64,
}

impl WriteSession {
    /// The next piece of work; a timeout where the storage has something to do before it comes.
    fn next(&self, saves: &Receiver<Save>) -> Result<Save, RecvTimeoutError> {
        match self.storage.pause().filter(|_| self.open.is_none()) {
            Some(pause) => saves.recv_timeout(pause),
            None => saves.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn save(&mut self, save: Save) -> Saved {
        let Save { snapshot, batch, commit, merge } = save;
        if snapshot == self.failed {
            return Saved { snapshot, batch, outcome: Outcome::Skipped, is_merged: false };
        }
        let outcome = match self.write(snapshot, &batch, commit) {
            Ok(outcome) => {
                if merge {
                    self.storage.merge(snapshot);
                }
                outcome
            }
            Err(error) => {
                self.storage.roll_back();
                (self.open, self.failed) = (None, snapshot);
                Outcome::Failed(error.to_string())
            }
        };
        Saved { snapshot, batch, outcome, is_merged: self.storage.is_merged() }
    }

    fn write(&mut self, snapshot: u64, batch: &Batch, commit: Option<Checkpoint>) -> rusqlite::Result<Outcome> {
        if self.open != Some(snapshot) {
            self.storage.begin();
            self.open = Some(snapshot);
        }
        self.storage.write(batch)?;
        let Some(checkpoint) = commit else { return Ok(Outcome::Taken) };
        self.storage.commit(snapshot, &checkpoint)?;
        self.open = None;
        Ok(Outcome::Committed(checkpoint))
    }
}
