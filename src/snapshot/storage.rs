//! Where a transaction goes: into the rows of `backup.db` while its changes are few, into a [journal](super::journal)
//! where they are many; and when journals are merged into the rows.
//!
//! Rows are what people read, and small: so they are written at once where that takes next to none of the time. Else
//! changes are appended, and merged by a thread of its own at intervals that keep this to a fiftieth of the time, in
//! which most keys of a busy node are overwritten again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::fault::{self, Fault};
use super::file::DataFile;
use super::journal::{Journal, with_suffix};
use super::merging::{Merge, MergeOutcome, Merger};
use super::reserve::Reserve;
use crate::replica::{Checkpoint, Merged};
use crate::store::Batch;

/// Changes that go into the rows at once: so many, and one more for each millisecond since the last commit. A row takes
/// some 5 us where it is alone on its page.
const ROWS_MIN: usize = 16;
const ROWS_MAX: usize = 1 << 12;
/// ... unless their values are large: these would be kept twice until the commit.
const ROW_BYTES_MAX: usize = 4 << 20;
/// The memory for them that stays for the next transaction.
const ROW_BYTES_KEPT: usize = 1 << 16;
/// Between the end of one merge, or the beginning of a journal, and the beginning of the next merge lies at least so
/// long,
const MERGE_PAUSE: Duration = Duration::from_secs(1);
/// ... and so many times as long as the last one took,
const MERGE_PAUSE_FACTOR: u32 = 50;
/// ... unless somebody waits for it, or nothing is written for so long,
const QUIET: Duration = Duration::from_secs(3);
/// ... or the journals take so much of the disk. Four of the largest merges of 1,000,000 keys in a minute.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;
/// After a merge that failed.
const MERGE_RETRY: Duration = Duration::from_secs(5);
/// How often it is looked whether a merge is done, where no commit comes meanwhile.
const MERGE_LOOK: Duration = Duration::from_millis(50);
/// ... and where somebody waits for it.
const MERGE_LOOK_AWAITED: Duration = Duration::from_millis(2);

/// See the module.
///
/// Invariant: `file` is absent exactly while a merge is under way, and none goes into the rows while that is so or a
/// journal is there.
pub(super) struct Storage {
    directory: PathBuf,
    file: Option<DataFile>,
    /// Takes the transactions.
    journal: Option<Journal>,
    /// Older ones, oldest first, whose merge has failed. They take no more: a crash may show that it had succeeded, and
    /// then they count as merged.
    unmerged: Vec<Journal>,
    /// The files of journals that are being merged, and what they hold.
    merging_files: Vec<PathBuf>,
    merging_bytes: u64,
    merger: Merger,
    /// Changes of the open transaction, while they may become rows at once.
    window: Batch,
    /// Whether the open transaction goes into the journal.
    journaling: bool,
    /// Changes in the open transaction.
    changes: usize,
    /// What is durable, in rows or journals.
    position: u64,
    committed: Instant,
    /// When changes were committed last.
    written: Instant,
    merging: Merging,
    /// Number of the last journal, or of the last that is in the rows: those up to that one count as merged.
    number: u64,
    merge_due: Instant,
    merge_pause: Duration,
    merge_failed: bool,
    reserve: Reserve,
}

impl Storage {
    /// Starts the thread that merges.
    pub(super) fn new(file: DataFile) -> std::io::Result<Storage> {
        let now = Instant::now();
        let directory = file.directory().to_owned();
        Ok(Storage {
            reserve: file.reserve(),
            directory,
            position: file.position(),
            number: file.last_merged().map_err(std::io::Error::other)?,
            file: Some(file),
            journal: None,
            unmerged: Vec::new(),
            merging_files: Vec::new(),
            merging_bytes: 0,
            merger: Merger::start()?,
            window: Batch::default(),
            journaling: false,
            changes: 0,
            committed: now,
            written: now,
            merging: Merging::default(),
            merge_due: now,
            merge_pause: MERGE_PAUSE,
            merge_failed: false,
        })
    }

    /// Begins a transaction; ends the one that may be open without effect.
    pub(super) fn begin(&mut self) {
        self.roll_back();
        self.take_back();
    }

    /// Takes changes into the open transaction.
    pub(super) fn write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        self.changes += batch.len();
        if self.journaling {
            return self.journal()?.append(batch);
        }
        self.window.append(batch);
        if self.may_become_rows() { Ok(()) } else { self.begin_journaling() }
    }

    /// Ends the transaction, that of this snapshot; it is on disk when this returns.
    pub(super) fn commit(&mut self, snapshot: u64, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        match &mut self.file {
            Some(file) if !self.journaling => {
                file.begin()?;
                file.write(&self.window)?;
                file.commit(checkpoint)?;
            }
            _ => self.journal()?.commit(checkpoint)?,
        }
        let is_in_rows = !self.journaling && self.file.is_some();
        self.merging.committed(snapshot, is_in_rows);
        self.position = checkpoint.position;
        self.committed = Instant::now();
        if self.changes > 0 {
            self.written = self.committed;
        }
        self.end_transaction();
        Ok(())
    }

    /// The rows are to be brought up to this snapshot, the last that was committed, as soon as can be.
    pub(super) fn merge(&mut self, snapshot: u64) {
        self.merging.want(snapshot);
    }

    /// That the rows have come up to a snapshot in a merge, or why they have not where somebody waits for it. Told
    /// once.
    pub(super) fn take_merged(&mut self) -> Option<Merged> {
        self.take_back();
        self.merging.news.take()
    }

    /// Whether the rows hold all that is committed.
    pub(super) fn is_merged(&self) -> bool {
        self.merging.merged == self.merging.committed
    }

    /// Ends the transaction, where one is open, without effect.
    pub(super) fn roll_back(&mut self) {
        self.end_transaction();
        self.file.iter_mut().for_each(DataFile::roll_back);
        self.journal.iter_mut().for_each(Journal::roll_back);
    }

    /// The open transaction has failed: it ends without effect, and where the disk is full the next has more room.
    /// Returns why it failed.
    pub(super) fn fail(&mut self, error: &rusqlite::Error) -> String {
        self.roll_back();
        let why = fault::reason(&self.directory, error);
        if fault::is_full(&self.directory, error) {
            self.make_room();
        }
        why
    }

    /// How much of the disk is kept in reserve.
    pub(super) fn reserve_bytes(&self) -> u64 {
        self.reserve.bytes()
    }

    /// What journals hold that are not merged, in bytes.
    pub(super) fn journal_bytes(&self) -> u64 {
        self.merging_bytes + self.unmerged.iter().chain(&self.journal).map(Journal::bytes).sum::<u64>()
    }

    /// Work that commits do not depend on, between two transactions.
    pub(super) fn tidy(&mut self) {
        self.take_back();
        self.reserve.keep();
        let bytes = self.journal.as_ref().map_or(0, Journal::bytes);
        let now = Instant::now();
        let due = self.merge_due <= now || bytes >= JOURNAL_BYTES_MAX && !self.merge_failed;
        let quiet = now - self.written >= QUIET && !self.merge_failed;
        match self.file.take() {
            Some(file) if self.can_merge() && (due || quiet || self.merging.is_awaited()) => {
                let journals = self.take_commits();
                self.merging_files = journals.iter().flat_map(Journal::files).collect();
                self.merging_bytes = journals.iter().map(Journal::bytes).sum();
                self.merging.begun();
                self.merger.begin(Merge { file, journals });
            }
            file => self.file = file,
        }
        self.file.iter_mut().for_each(DataFile::checkpoint_if_due);
    }

    /// When to [tidy](Storage::tidy) where no transaction comes before.
    pub(super) fn pause(&self) -> Option<Duration> {
        let now = Instant::now();
        let merge = match (&self.file, self.can_merge()) {
            (None, _) if self.merging.is_awaited() => Some(MERGE_LOOK_AWAITED),
            (None, _) => Some(MERGE_LOOK),
            (Some(_), false) => None,
            (Some(_), true) if self.merging.is_awaited() => Some(Duration::ZERO),
            (Some(_), true) if self.merge_failed => Some(self.merge_due.saturating_duration_since(now)),
            (Some(_), true) => Some(self.merge_due.min(self.written + QUIET).saturating_duration_since(now)),
        };
        merge.into_iter().chain(self.reserve.pause()).min()
    }

    /// All that is open and is to be at its path for what is committed to be there.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let path = self.directory.join("backup.db");
        let journals = self.unmerged.iter().chain(&self.journal).flat_map(Journal::files);
        let log = ["-wal", "-shm"].map(|suffix| with_suffix(&path, suffix));
        log.into_iter().chain([path]).chain(self.merging_files.iter().cloned()).chain(journals).collect()
    }

    /// Closes all as it is, and touches nothing that lies at the paths.
    pub(super) fn abandon(mut self) {
        self.roll_back();
        let merged = self.file.is_none().then(|| self.merger.wait());
        self.file.into_iter().chain(merged.map(|merged| merged.file)).for_each(DataFile::abandon);
        self.merger.close();
    }

    /// Merges what is not merged, and closes the file. Returns the files that are to be at their paths.
    pub(super) fn close(mut self) -> Vec<PathBuf> {
        self.roll_back();
        if self.file.is_none() {
            let merged = self.merger.wait();
            self.accept(merged);
        }
        let mut failure = self.merge_at_last();
        if failure.as_ref().is_some_and(Fault::is_full) && self.make_room() {
            failure = self.merge_at_last();
        }
        // It holds nothing, or all of it is to be found at the next start.
        self.journal.take().filter(|journal| !journal.has_commit()).into_iter().for_each(Journal::remove);
        let Storage { file, unmerged, merger, .. } = self;
        let file = file.expect("no merge is under way");
        let files = [file.path().to_owned()].into_iter().chain(unmerged.iter().flat_map(Journal::files)).collect();
        if let Some(fault) = failure {
            log::warn!(event = "merge_failed"; "{}; the next start does it", explain_failure(&file, &fault));
        }
        file.close();
        merger.close();
        files
    }

    fn merge_at_last(&mut self) -> Option<Fault> {
        if !self.can_merge() {
            return None;
        }
        let file = self.file.take().expect("no merge is under way");
        let journals = self.take_commits();
        self.merger.begin(Merge { file, journals });
        let MergeOutcome { file, unmerged, merged, failure, .. } = self.merger.wait();
        self.merger.remove(merged);
        (self.file, self.unmerged) = (Some(file), unmerged);
        failure
    }

    fn may_become_rows(&self) -> bool {
        let rows_max = (ROWS_MIN + self.committed.elapsed().as_millis() as usize).min(ROWS_MAX);
        self.file.is_some()
            && !self.has_journals()
            && self.window.len() + self.window.retired.len() <= rows_max
            && self.window.bytes() <= ROW_BYTES_MAX
    }

    fn begin_journaling(&mut self) -> rusqlite::Result<()> {
        self.journaling = true;
        let window = std::mem::take(&mut self.window);
        self.journal()?.append(&window)
    }

    fn journal(&mut self) -> rusqlite::Result<&mut Journal> {
        if self.journal.is_none() {
            let number = self.position.max(self.number + 1);
            self.journal = Some(Journal::create(&self.directory, number, self.position)?);
            self.number = number;
            self.merge_due = self.merge_due.max(Instant::now() + self.merge_pause);
        }
        Ok(self.journal.as_mut().expect("there is one"))
    }

    fn has_journals(&self) -> bool {
        self.journal.is_some() || !self.unmerged.is_empty()
    }

    /// Whether there is anything to merge. A journal without a commit, where a full disk took none, holds nothing.
    fn can_merge(&self) -> bool {
        !self.unmerged.is_empty() || self.journal.as_ref().is_some_and(Journal::has_commit)
    }

    /// The journals that are to be merged. One without a commit stays for the next transaction.
    fn take_commits(&mut self) -> Vec<Journal> {
        self.unmerged.drain(..).chain(self.journal.take_if(|journal| journal.has_commit())).collect()
    }

    /// Gives up what is kept in reserve. Returns whether there was any.
    fn make_room(&mut self) -> bool {
        let bytes = self.reserve.give_up();
        if bytes > 0 {
            let directory = self.directory.display();
            log::warn!(
                event = "disk_full", bytes;
                "the disk is full: {bytes} bytes that were kept in reserve in {directory} are given up, so that the \
                 next attempt has a chance. Free some space: once twice as much is free a reserve is kept again"
            );
        }
        bytes > 0
    }

    fn end_transaction(&mut self) {
        self.journaling = false;
        self.changes = 0;
        self.window.clear(ROW_BYTES_KEPT);
    }

    /// Takes the file back from a merge that is done.
    fn take_back(&mut self) {
        if let Some(merged) = self.merger.take() {
            self.accept(merged);
        }
    }

    fn accept(&mut self, merged: MergeOutcome) {
        let MergeOutcome { file, unmerged, merged, took, failure } = merged;
        match &failure {
            None if self.merge_failed => {
                log::info!(event = "merge_recovered"; "journals are merged into {} again", file.path().display())
            }
            Some(fault) if !self.merge_failed => {
                log::warn!(event = "merge_failed"; "{}; retrying", explain_failure(&file, fault))
            }
            _ => (),
        }
        self.merge_failed = failure.is_some();
        let made_room = failure.as_ref().is_some_and(Fault::is_full) && self.make_room();
        self.merge_pause = match &failure {
            Some(_) if made_room => Duration::ZERO,
            Some(_) => MERGE_RETRY,
            None => MERGE_PAUSE.max(took * MERGE_PAUSE_FACTOR),
        };
        // Where it is tried again at once, whoever waits for it waits for that.
        if !made_room {
            self.merging.ended(took, failure.map(|fault| fault.to_string()));
        }
        self.merge_due = Instant::now() + self.merge_pause;
        self.unmerged = unmerged;
        self.file = Some(file);
        self.merging_files.clear();
        self.merging_bytes = 0;
        self.merger.remove(merged);
    }
}

/// Which snapshot the rows hold, and which one somebody waits for. Numbers rise, and one stands for all up to it; 0 is
/// none.
#[derive(Default)]
struct Merging {
    /// On disk, in rows or journals.
    committed: u64,
    /// In the rows once the merge under way has succeeded.
    merging: u64,
    /// In the rows.
    merged: u64,
    /// Somebody waits for it.
    wanted: u64,
    /// To be said.
    news: Option<Merged>,
}

impl Merging {
    fn committed(&mut self, snapshot: u64, is_in_rows: bool) {
        self.committed = snapshot;
        if is_in_rows {
            self.merged = snapshot;
        }
    }

    fn want(&mut self, snapshot: u64) {
        self.wanted = snapshot;
        if !self.is_awaited() {
            self.news = Some(Merged { snapshot: self.merged, took_us: None, failure: None });
        }
    }

    /// Whether a merge is wanted at once.
    fn is_awaited(&self) -> bool {
        self.wanted > self.merged
    }

    /// A merge of all there is has begun.
    fn begun(&mut self) {
        self.merging = self.committed;
    }

    fn ended(&mut self, took: Duration, failure: Option<String>) {
        let took_us = Some(took.as_micros() as u64);
        if failure.is_none() {
            self.merged = self.merging;
            self.news = Some(Merged { snapshot: self.merged, took_us, failure });
        } else if self.is_awaited() {
            // Who waits for a later one hears of it, too, rather than wait for the next try.
            self.news = Some(Merged { snapshot: self.wanted, took_us, failure });
            self.wanted = self.merged;
        }
    }
}

fn explain_failure(file: &DataFile, fault: &Fault) -> String {
    let stands = match fault.is_of_journal() {
        true => "All data is served from memory; what was committed is in the journals as far as they can be read",
        false => "What was committed is in the journals beside it",
    };
    format!("cannot merge journals into the rows of {}: {fault}. {stands}", file.path().display())
}

#[cfg(test)]
mod tests;
