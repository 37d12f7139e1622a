//! Journals folded into the rows of the data file: each key's last state is written once, in one transaction.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::file::DataFile;
use super::journal::Journal;
use crate::replica::Checkpoint;

/// Lets the loop go first where both share a core.
#[cfg(target_os = "linux")]
const FOLD_NICENESS: i32 = 10;

/// The thread that folds.
pub(super) struct Folder {
    jobs: Sender<Job>,
    done: Receiver<Folded>,
    thread: JoinHandle<()>,
}

enum Job {
    Fold(Box<Fold>),
    /// Journals that are folded.
    Remove(Vec<Journal>),
}

/// A piece of work for it.
pub(super) struct Fold {
    /// Whose rows.
    pub(super) file: DataFile,
    /// Oldest first.
    pub(super) journals: Vec<Journal>,
}

/// What became of one.
pub(super) struct Folded {
    /// As in the [`Fold`].
    pub(super) file: DataFile,
    /// Those that are still to be folded.
    pub(super) unfolded: Vec<Journal>,
    /// Those that are, to be [removed](Folder::remove).
    pub(super) folded: Vec<Journal>,
    /// How long it took.
    pub(super) took: Duration,
    /// Why it failed.
    pub(super) failure: Option<Fault>,
}

impl Folder {
    pub(super) fn start() -> std::io::Result<Folder> {
        let (jobs, to_fold) = channel();
        let (folded, done) = channel();
        let work = move || {
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::nice(FOLD_NICENESS) {
                log::debug!("folds go on without giving way: {error}");
            }
            for job in to_fold {
                match job {
                    // Where nobody takes it nobody waits for it.
                    Job::Fold(job) => drop(folded.send(run(*job))),
                    Job::Remove(journals) => journals.into_iter().for_each(Journal::remove),
                }
            }
        };
        let thread = thread::Builder::new().name("fold".into()).spawn(work)?;
        Ok(Folder { jobs, done, thread })
    }

    /// Gives it work; one piece at a time.
    pub(super) fn begin(&self, job: Fold) {
        self.jobs.send(Job::Fold(Box::new(job))).expect("the thread lives as long as this");
    }

    /// Lets it remove what is folded.
    pub(super) fn remove(&self, folded: Vec<Journal>) {
        if !folded.is_empty() {
            self.jobs.send(Job::Remove(folded)).expect("the thread lives as long as this");
        }
    }

    /// What is done.
    pub(super) fn take(&self) -> Option<Folded> {
        self.done.try_recv().ok()
    }

    /// Waits for what is under way.
    pub(super) fn wait(&self) -> Folded {
        self.done.recv().expect("the thread lives as long as this")
    }

    /// Ends the thread.
    pub(super) fn close(self) {
        drop(self.jobs);
        self.thread.join().expect("a panic ends the process");
    }
}

fn run(job: Fold) -> Folded {
    let Fold { mut file, journals } = job;
    let began = Instant::now();
    let failure = fold(&mut file, &journals).err();
    if failure.is_some() {
        file.roll_back();
    } else {
        file.checkpoint_if_due();
    }
    file.release_memory();
    let took = began.elapsed();
    log::debug!("folding took {} ms", took.as_millis());
    let (unfolded, folded) = if failure.is_some() { (journals, Vec::new()) } else { (Vec::new(), journals) };
    Folded { file, unfolded, folded, took, failure }
}

/// Brings the rows up to the end of the last journal, all or nothing, and returns what that recorded. Journals come
/// oldest first, none of them folded.
///
/// Read backwards, the first change of a slot is the one that counts, so all that is to be remembered of the newer ones
/// is a bit for each slot.
pub(super) fn fold(file: &mut DataFile, journals: &[Journal]) -> Result<Checkpoint, Fault> {
    let last = journals.last().expect("there is something to fold");
    let path = file.path().to_owned();
    let explain = |error| Fault::of_file(&path, &error);
    let end = last.end()?;
    file.begin().map_err(explain)?;
    for journal in journals {
        file.drop_below(journal.floor()?);
    }
    let mut seen = Seen::default();
    for journal in journals.iter().rev() {
        journal.slices_back(|slice| {
            for change in slice.changes_back() {
                if seen.insert(change.slot) {
                    file.put(change).map_err(explain)?;
                }
            }
            slice.retired().filter(|&slot| seen.insert(slot)).for_each(|slot| file.take_out(slot));
            Ok(())
        })?;
    }
    file.set_last_folded(last.number()).and_then(|()| file.commit(&end)).map_err(explain)?;
    Ok(end)
}

/// What a start does with the journals that a crash, or a stop with a full disk, left: folds those that are not. Returns what is to be
/// removed once the rows were read, and what the last commit recorded where that was not in the rows.
pub(super) fn recover(file: &mut DataFile, directory: &Path) -> Result<(Vec<Journal>, Option<Checkpoint>), Fault> {
    let journals = Journal::find(directory)?;
    let folded = file.last_folded().map_err(|error| Fault::of_file(file.path(), &error))?;
    let first = journals.partition_point(|journal| journal.number() <= folded);
    let mut position = file.position();
    for journal in &journals[first..] {
        if !journal.bases()?.contains(&position) {
            let file = file.path().display();
            let sentence = format!(
                "goes on from another state of {file}: put back the file that it belongs to, or move it away to lose the \
                 changes in it"
            );
            return Err(Fault::refused(journal.path(), sentence));
        }
        position = journal.end()?.position;
    }
    let checkpoint = match &journals[first..] {
        [] => None,
        unfolded => {
            log::info!("taking over {} journals that were not merged before the last end", unfolded.len());
            Some(fold(file, unfolded).inspect_err(|_| file.roll_back())?)
        }
    };
    Ok((journals, checkpoint))
}

/// A set of slots, a bit each.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Whether it was not in there.
    fn insert(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }
}
