//! The data file and the thread that writes it: the door to SQLite.
//!
//! - [`mod@file`]: the schema, rows on their way to the disk
//! - `journal`: commits appended, where they are too many to become rows at once
//! - `merging`: ... and how they become rows later
//! - `storage`: which of both, and when
//! - [`backup_file`]: one that is read; [`restoring`]: ... put into a data directory; `exchange`: all or nothing; `aside`:
//!   what becomes of what was there
//! - [`copies`]: backups of it, taken while the node runs
//! - `place`: where all of it lies, and whether what is open is what lies there
//! - [`opening`]: what is accepted at the start, rows on their way back
//! - `directory`: created and locked
//! - `fault`: what is the matter with a file
//! - `reserve`: room on the disk that is given up when it is full
//! - [`Writer`]: the thread; things are given to it and come back
//!
//! It does not know what a snapshot is made of or when one is due; see [`crate::replica`].

mod aside;
pub mod backup_file;
pub mod copies;
mod directory;
mod exchange;
mod fault;
pub mod file;
mod journal;
mod merging;
pub mod opening;
mod place;
mod reserve;
pub mod restoring;
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::replica::snapshotter::IN_FLIGHT_MAX;
use crate::replica::{Checkpoint, Merged, Outcome, Save, Saved};
use crate::store::Batch;
use file::DataFile;
use place::{Misplaced, Place};
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
    thread: JoinHandle<Result<(), String>>,
    taken: Arc<Taken>,
}

/// What is taken of the disk beside the rows, to be read by others at any time.
#[derive(Default)]
struct Taken {
    reserve_bytes: AtomicU64,
    journal_bytes: AtomicU64,
}

impl Writer {
    /// Starts the thread. `wake` is called whenever [`Writer::take`], [`Writer::reserve_bytes`] or [`Writer::journal_bytes`] has something
    /// new.
    pub fn start(file: DataFile, wake: impl Fn() + Send + 'static) -> std::io::Result<Writer> {
        let (saves, to_save) = sync_channel::<Save>(IN_FLIGHT_MAX);
        let (report, reports) = channel();
        let mut session = WriteSession::new(file)?;
        let taken = Arc::clone(&session.taken);
        let write = move || {
            let tell = |news| {
                let is_heard = report.send(news).is_ok();
                wake();
                is_heard
            };
            loop {
                match session.next(&to_save) {
                    Ok(save) => {
                        let ends = save.commit.is_some();
                        if !tell(Report::Saved(session.save(save))) {
                            break;
                        }
                        if ends {
                            session.tidy(&wake);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => session.tidy(&wake),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if let Some(merged) = session.take_merged()
                    && !tell(Report::Merged(merged))
                {
                    break;
                }
            }
            session.close()
        };
        let thread = thread::Builder::new().name("snapshot".into()).spawn(write)?;
        Ok(Writer { saves, reports, thread, taken })
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

    /// How much of the disk is kept in reserve.
    pub fn reserve_bytes(&self) -> u64 {
        self.taken.reserve_bytes.load(Relaxed)
    }

    /// What journals hold that are not merged into the rows.
    pub fn journal_bytes(&self) -> u64 {
        self.taken.journal_bytes.load(Relaxed)
    }

    /// Waits for the thread to close the file. An error says why what was saved is not where it belongs.
    pub fn close(self) -> Result<(), String> {
        drop(self.saves);
        self.thread.join().expect("a panic ends the process")
    }
}

/// What becomes of a transaction that fails.
enum Failure {
    /// Nothing else: the disk has failed.
    Disk(rusqlite::Error),
    /// Nothing else.
    Here(String),
    /// All that was committed earlier is lost with it.
    Gone(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Disk(error)
    }
}

impl From<Misplaced> for Failure {
    fn from(misplaced: Misplaced) -> Failure {
        match misplaced {
            Misplaced::Gone(why) => Failure::Gone(why),
            Misplaced::Unknown(why) => Failure::Here(why),
        }
    }
}

/// What is open.
enum Opened {
    All(Box<Storage>),
    /// Nothing: what was committed is gone, for this reason, which nobody was told yet.
    Gone(String),
    /// Nothing. The next transaction begins with the first change.
    Nothing,
}

/// Invariant: a transaction is open exactly while `open` names its snapshot.
struct WriteSession {
    opened: Opened,
    place: Place,
    open: Option<u64>,
    failed: u64,
    reserve_bytes_max: u64,
    taken: Arc<Taken>,
}

impl WriteSession {
    fn new(mut file: DataFile) -> std::io::Result<WriteSession> {
        let mut place = Place::of(&mut file)?;
        let reserve_bytes_max = file.reserve_bytes_max();
        let storage = Box::new(Storage::new(file)?);
        // From here on what is replaced is noticed, also before the first transaction.
        let opened = match place.check(storage.files()) {
            Ok(()) | Err(Misplaced::Unknown(_)) => Opened::All(storage),
            Err(Misplaced::Gone(why)) => {
                storage.abandon();
                Opened::Gone(why)
            }
        };
        let session = WriteSession { opened, place, open: None, failed: 0, reserve_bytes_max, taken: Arc::default() };
        session.show_taken();
        Ok(session)
    }

    /// The next piece of work; a timeout where the storage has something to do before it comes.
    fn next(&self, saves: &Receiver<Save>) -> Result<Save, RecvTimeoutError> {
        let pause = match &self.opened {
            Opened::All(storage) => storage.pause(),
            Opened::Gone(_) | Opened::Nothing => None,
        };
        match pause.filter(|_| self.open.is_none()) {
            Some(pause) => saves.recv_timeout(pause),
            None => saves.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn save(&mut self, save: Save) -> Saved {
        let Save { snapshot, batch, commit, merge } = save;
        if snapshot == self.failed {
            return Saved { snapshot, batch, outcome: Outcome::Skipped, is_merged: false };
        }
        let outcome = match self.write(snapshot, &batch, commit, merge) {
            Ok(outcome) => outcome,
            Err(failure) => {
                (self.open, self.failed) = (None, snapshot);
                match (failure, std::mem::replace(&mut self.opened, Opened::Nothing)) {
                    (Failure::Disk(error), Opened::All(mut storage)) => {
                        let why = storage.fail(&error);
                        self.opened = Opened::All(storage);
                        Outcome::Failed(why)
                    }
                    (Failure::Disk(error), Opened::Gone(_) | Opened::Nothing) => Outcome::Failed(error.to_string()),
                    (Failure::Here(why), Opened::All(mut storage)) => {
                        storage.roll_back();
                        self.opened = Opened::All(storage);
                        Outcome::Failed(why)
                    }
                    (Failure::Here(why), Opened::Gone(_) | Opened::Nothing) => Outcome::Failed(why),
                    (Failure::Gone(why), opened) => {
                        if let Opened::All(storage) = opened {
                            storage.abandon();
                        }
                        Outcome::Gone(why)
                    }
                }
            }
        };
        self.show_taken();
        let is_merged = matches!(&self.opened, Opened::All(storage) if storage.is_merged());
        Saved { snapshot, batch, outcome, is_merged }
    }

    fn write(
        &mut self,
        snapshot: u64,
        batch: &Batch,
        commit: Option<Checkpoint>,
        merge: bool,
    ) -> Result<Outcome, Failure> {
        if self.open != Some(snapshot) {
            self.begin()?.begin();
            self.open = Some(snapshot);
        }
        let Opened::All(storage) = &mut self.opened else { unreachable!("a transaction is open") };
        storage.write(batch)?;
        let Some(checkpoint) = commit else { return Ok(Outcome::Taken) };
        storage.commit(snapshot, &checkpoint)?;
        // Where a file was put elsewhere meanwhile the commit has succeeded, and is worth nothing.
        self.place.check(storage.files())?;
        self.place.reserve(&checkpoint);
        if merge {
            storage.merge(snapshot);
        }
        self.open = None;
        Ok(Outcome::Committed(checkpoint))
    }

    /// What the next transaction goes to: what is open, as long as it is what lies at the path.
    fn begin(&mut self) -> Result<&mut Storage, Failure> {
        match std::mem::replace(&mut self.opened, Opened::Nothing) {
            Opened::All(storage) => self.opened = Opened::All(storage),
            Opened::Gone(why) => return Err(Failure::Gone(why)),
            Opened::Nothing => {
                let mut file = self.place.begin_anew().map_err(Failure::Here)?;
                file.keep_reserve(self.reserve_bytes_max);
                let storage = Storage::new(file).map_err(|error| Failure::Here(error.to_string()))?;
                self.opened = Opened::All(Box::new(storage));
            }
        }
        let Opened::All(storage) = &mut self.opened else { unreachable!("it was opened") };
        self.place.check(storage.files())?;
        Ok(storage)
    }

    fn tidy(&mut self, wake: impl Fn()) {
        if let Opened::All(storage) = &mut self.opened {
            storage.tidy();
        }
        if self.show_taken() {
            wake();
        }
    }

    /// Returns whether it has changed.
    fn show_taken(&self) -> bool {
        let (reserve_bytes, journal_bytes) = match &self.opened {
            Opened::All(storage) => (storage.reserve_bytes(), storage.journal_bytes()),
            Opened::Gone(_) | Opened::Nothing => (0, 0),
        };
        let is_new = |shown: &AtomicU64, bytes| shown.swap(bytes, Relaxed) != bytes;
        // Both are shown in any case.
        is_new(&self.taken.reserve_bytes, reserve_bytes) | is_new(&self.taken.journal_bytes, journal_bytes)
    }

    /// See [`Storage::take_merged`].
    fn take_merged(&mut self) -> Option<Merged> {
        let Opened::All(storage) = &mut self.opened else { return None };
        let Merged { snapshot, took_us, failure } = storage.take_merged()?;
        let failure = match (failure, self.place.check(storage.files())) {
            (Some(failure), _) | (None, Err(Misplaced::Unknown(failure))) => Some(failure),
            (None, Ok(())) => None,
            (None, Err(Misplaced::Gone(why))) => {
                if let Opened::All(storage) = std::mem::replace(&mut self.opened, Opened::Gone(why.clone())) {
                    storage.abandon();
                }
                self.open = None;
                Some(why)
            }
        };
        Some(Merged { snapshot, took_us, failure })
    }

    fn close(self) -> Result<(), String> {
        let WriteSession { opened, mut place, .. } = self;
        match opened {
            Opened::All(storage) => {
                if let Err(Misplaced::Gone(why)) = place.check(storage.files()) {
                    storage.abandon();
                    return Err(why);
                }
                let left = storage.close();
                place.check(left).map_err(|misplaced| match misplaced {
                    Misplaced::Gone(why) | Misplaced::Unknown(why) => why,
                })
            }
            Opened::Gone(why) => Err(why),
            // The node has said so already.
            Opened::Nothing => Ok(()),
        }
    }
}
