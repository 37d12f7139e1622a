//! The data file and the thread that writes it: the door to SQLite.
//!
//! - [`mod@file`]: the schema, rows on their way to the disk
//! - [`opening`]: what is accepted at the start, rows on their way back
//! - [`Writer`]: the thread; things are given to it and come back
//!
//! It does not know what a snapshot is made of or when one is due; see [`crate::node::saving`].

pub mod file;
pub mod opening;

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::node::saving::{Checkpoint, IN_FLIGHT_MAX, Outcome, Save, Saved};
use crate::store::Batch;
use file::DataFile;

/// The thread that owns the data file.
pub struct Writer {
    saves: SyncSender<Save>,
    saved: Receiver<Saved>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread. `wake` is called whenever [`Writer::take`] has something new.
    pub fn start(file: DataFile, wake: impl Fn() + Send + 'static) -> std::io::Result<Writer> {
        let (saves, to_save) = sync_channel::<Save>(IN_FLIGHT_MAX);
        let (done, saved) = channel();
        let write = move || {
            let mut session = WriteSession { file, open: None, failed: 0 };
            for save in to_save {
                let checkpoint_due = save.commit.is_some();
                if done.send(session.save(save)).is_err() {
                    break;
                }
                wake();
                if checkpoint_due {
                    session.file.checkpoint_if_due();
                }
            }
            session.file.close();
        };
        let thread = thread::Builder::new().name("snapshot".into()).spawn(write)?;
        Ok(Writer { saves, saved, thread })
    }

    /// Gives the thread a piece of work.
    pub fn give(&self, save: Save) {
        self.saves
            .try_send(save)
            .expect("the node keeps no more pieces under way and the thread lives as long as this");
    }

    /// Takes back a piece of work that is done.
    pub fn take(&self) -> Option<Saved> {
        self.saved.try_recv().ok()
    }

    /// Waits for the thread to close the file.
    pub fn close(self) {
        drop(self.saves);
        self.thread.join().expect("a panic ends the process");
    }
}

/// Invariant: a transaction is open exactly while `open` names its snapshot.
struct WriteSession {
    file: DataFile,
    open: Option<u64>,
    failed: u64,
}

impl WriteSession {
    fn save(&mut self, save: Save) -> Saved {
        let Save { snapshot, batch, commit } = save;
        if snapshot == self.failed {
            return Saved { snapshot, batch, outcome: Outcome::Skipped };
        }
        let outcome = match self.write(snapshot, &batch, commit) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.file.roll_back();
                (self.open, self.failed) = (None, snapshot);
                Outcome::Failed(error.to_string())
            }
        };
        Saved { snapshot, batch, outcome }
    }

    fn write(&mut self, snapshot: u64, batch: &Batch, commit: Option<Checkpoint>) -> rusqlite::Result<Outcome> {
        if self.open != Some(snapshot) {
            self.file.begin()?;
            self.open = Some(snapshot);
        }
        self.file.write(batch)?;
        let Some(checkpoint) = commit else { return Ok(Outcome::Taken) };
        self.file.commit(&checkpoint)?;
        self.open = None;
        Ok(Outcome::Committed(checkpoint))
    }
}
