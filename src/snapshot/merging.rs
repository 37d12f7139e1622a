//! Journals merged into the rows of the data file: each key's last state is written once, in one transaction.

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
const MERGE_NICENESS: i32 = 10;

/// The thread that merges.
pub(super) struct Merger {
    jobs: Sender<Job>,
    done: Receiver<MergeOutcome>,
    thread: JoinHandle<()>,
}

enum Job {
    Merge(Box<Merge>),
    /// Journals that are merged.
    Remove(Vec<Journal>),
}

/// A piece of work for it.
pub(super) struct Merge {
    /// Whose rows.
    pub(super) file: DataFile,
    /// Oldest first.
    pub(super) journals: Vec<Journal>,
}

/// What became of one.
pub(super) struct MergeOutcome {
    /// As in the [`Merge`].
    pub(super) file: DataFile,
    /// Those that are still to be merged.
    pub(super) unmerged: Vec<Journal>,
    /// Those that are, to be [removed](Merger::remove).
    pub(super) merged: Vec<Journal>,
    /// How long it took.
    pub(super) took: Duration,
    /// Why it failed.
    pub(super) failure: Option<Fault>,
}

impl Merger {
    pub(super) fn start() -> std::io::Result<Merger> {
        let (jobs, to_merge) = channel();
        let (merged, done) = channel();
        let work = move || {
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::nice(MERGE_NICENESS) {
                log::debug!("merges go on without giving way: {error}");
            }
            for job in to_merge {
                match job {
                    // Where nobody takes it nobody waits for it.
                    Job::Merge(job) => drop(merged.send(run(*job))),
                    Job::Remove(journals) => journals.into_iter().for_each(Journal::remove),
                }
            }
        };
        let thread = thread::Builder::new().name("merge".into()).spawn(work)?;
        Ok(Merger { jobs, done, thread })
    }

    /// Gives it work; one piece at a time.
    pub(super) fn begin(&self, job: Merge) {
        self.jobs.send(Job::Merge(Box::new(job))).expect("the thread lives as long as this");
    }

    /// Lets it remove what is merged.
    pub(super) fn remove(&self, merged: Vec<Journal>) {
        if !merged.is_empty() {
            self.jobs.send(Job::Remove(merged)).expect("the thread lives as long as this");
        }
    }

    /// What is done.
    pub(super) fn take(&self) -> Option<MergeOutcome> {
        self.done.try_recv().ok()
    }

    /// Waits for what is under way.
    pub(super) fn wait(&self) -> MergeOutcome {
        self.done.recv().expect("the thread lives as long as this")
    }

    /// Ends the thread.
    pub(super) fn close(self) {
        drop(self.jobs);
        self.thread.join().expect("a panic ends the process");
    }
}

fn run(job: Merge) -> MergeOutcome {
    let Merge { mut file, journals } = job;
    let began = Instant::now();
    let failure = merge(&mut file, &journals).err();
    if failure.is_some() {
        file.roll_back();
    } else {
        file.checkpoint_if_due();
    }
    file.release_memory();
    let took = began.elapsed();
    log::debug!("merging took {} ms", took.as_millis());
    let (unmerged, merged) = if failure.is_some() { (journals, Vec::new()) } else { (Vec::new(), journals) };
    MergeOutcome { file, unmerged, merged, took, failure }
}

/// Brings the rows up to the end of the last journal, all or nothing, and returns what that recorded. Journals come
/// oldest first, none of them merged.
///
/// Read backwards, the first change of a slot is the one that counts, so all that is to be remembered of the newer ones
/// is a bit for each slot.
pub(super) fn merge(file: &mut DataFile, journals: &[Journal]) -> Result<Checkpoint, Fault> {
    let last = journals.last().expect("there is something to merge");
    let path = file.path().to_owned();
    let explain = |error| Fault::of_file(&path, &error);
    let end = last.end()?;
    file.begin().map_err(explain)?;
    for journal in journals {
        file.drop_below(&journal.floors()?);
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
    file.set_last_merged(last.number()).and_then(|()| file.commit(&end)).map_err(explain)?;
    Ok(end)
}

/// What a start does with the journals that a crash, or a stop with a full disk, left: merges those that are not.
/// Returns what is to be removed once the rows were read, and what the last commit recorded where that was not in the
/// rows.
pub(super) fn recover(file: &mut DataFile, directory: &Path) -> Result<(Vec<Journal>, Option<Checkpoint>), Fault> {
    let journals = Journal::find(directory)?;
    let merged = file.last_merged().map_err(|error| Fault::of_file(file.path(), &error))?;
    let first = journals.partition_point(|journal| journal.number() <= merged);
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
        unmerged => {
            log::info!(
                event = "journals_taken_over", journals = unmerged.len();
                "taking over {} journals that were not merged before the last end", unmerged.len()
            );
            Some(merge(file, unmerged).inspect_err(|_| file.roll_back())?)
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
