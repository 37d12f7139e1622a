//! Snapshots as a replica sees them: when one begins, which changes go next, when it commits, what a failure means.
//!
//! A snapshot is one transaction of the data file. Changes go to the writer in bounded slices, in the order of the
//! change list; it commits where the cursor meets the end of the list, so what is committed is exactly the state of
//! that moment. Where writes outrun the writer, the snapshot fixes a *target* position after one interval, and a
//! change below the target that is about to be overwritten goes into a bounded buffer first; when that is full,
//! writers wait.
//!
//! It hands out [`Save`]s and takes back [`Saved`]s; it does not know SQLite, threads or files.

use super::backup::Backup;
use super::collecting::Collecting;
use super::group_commit::{Durability, GroupCommit};
use super::handover::{Checkpoint, Merged, Outcome, Save, Saved};
use super::retrying::Retrying;
use super::unsaved::Unsaved;
use crate::replication::PersistedState;
use crate::replication::wire::vector::VersionVector;
use crate::store::{Batch, Clock, Copied, Now, Stamp, Store};

/// Rows of a slice: copied in some 100 us, written in some 1 ms.
const SLICE_ROWS: usize = 1 << 10;
/// Rows that a slice takes out at most: 256 KiB of numbers, taken from a list.
const SLICE_RETIRED: usize = 1 << 16;
/// Bytes of a slice, but for its last row.
const SLICE_BYTES: usize = 1 << 18;
/// Slices at the writer: one that it writes and some that wait, so that it never does.
pub const IN_FLIGHT_MAX: usize = 4;
/// What may be overwritten ahead of a snapshot with a target: rows and bytes.
const DISPLACED_ROWS_MAX: usize = 1 << 14;
const DISPLACED_BYTES_MAX: usize = 1 << 20;
/// Positions reserved ahead: 19 hours at a million changes a second.
const POSITIONS_AHEAD: u64 = 1 << 36;
/// Clock reserved ahead, beside two snapshot intervals.
pub const CLOCK_AHEAD_MS: u64 = 10_000;
/// A ceiling is renewed while so much of it, beside two intervals, is left.
const CLOCK_LEFT_MS: u64 = 1_000;
/// What to do with the sessions whose answers wait.
pub enum Verdict {
    /// Nothing yet.
    None,
    /// Open the gates up to the durable position; peers are to hear of what was recorded.
    Release(PersistedState),
    /// Refuse what waits: for positions, and for this snapshot and later ones.
    Refuse(u64),
}

enum Phase {
    /// Between two snapshots.
    Idle,
    /// Slices are going out, since then; up to the target, or to the end of the list where it is not fixed.
    Writing { since_us: u64, target: Option<Target> },
    /// All is out, since then; the commit is awaited.
    Committing { since_us: u64 },
    /// The last one failed; the next begins then.
    Failed { retry_us: u64 },
}

/// A position that a snapshot goes to, and how replication stood there.
struct Target {
    position: u64,
    recorded: PersistedState,
}

/// How far the node is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Not,
    Wanted,
    Saved,
    Failed,
}

/// See the module. Invariant: `durable <= cursor`; the store's fence is up exactly while a target is fixed.
pub struct Snapshotter {
    phase: Phase,
    durability: Durability,
    interval_us: u64,
    snapshot: u64,
    cursor: u64,
    durable: u64,
    group_commit: GroupCommit,
    backup: Backup,
    collecting: Collecting,
    due_us: u64,
    in_flight: usize,
    spare: Vec<Batch>,
    retrying: Retrying,
    unsaved: Unsaved,
    ending: Ending,
    /// When the last commit was, in monotonic microseconds.
    pub committed_us: u64,
    /// How long the last snapshot took from its beginning to its commit.
    pub took_us: u64,
    /// How long its commit took: from its last slice on.
    pub commit_us: u64,
    begun_us: u64,
    /// Why the last snapshot failed, while none has succeeded since.
    pub error: Option<String>,
}

impl Snapshotter {
    /// A snapshotter of a store that is durable up to `durable`.
    pub fn new(durability: Durability, interval_ms: u64, durable: u64, now: Now) -> Snapshotter {
        Snapshotter {
            phase: Phase::Idle,
            durability,
            interval_us: interval_ms * 1000,
            snapshot: 0,
            cursor: durable,
            durable,
            group_commit: GroupCommit::default(),
            backup: Backup::new(now.unix_ms),
            collecting: Collecting::new(),
            due_us: now.monotonic_us + interval_ms * 1000,
            in_flight: 0,
            spare: Vec::new(),
            retrying: Retrying::default(),
            unsaved: Unsaved::default(),
            ending: Ending::Not,
            committed_us: now.monotonic_us,
            took_us: 0,
            commit_us: 0,
            begun_us: 0,
            error: None,
        }
    }

    /// What to record in a file about to be used: nothing of it may be issued twice.
    pub fn checkpoint(
        position: u64,
        first_position: u64,
        clock: &Clock,
        interval_ms: u64,
        unix_ms: u64,
        recorded: PersistedState,
    ) -> Checkpoint {
        Checkpoint {
            recorded,
            position,
            position_ceiling: first_position.saturating_add(POSITIONS_AHEAD),
            clock_ceiling: clock.reserve(unix_ms, CLOCK_AHEAD_MS + 2 * interval_ms),
        }
    }

    /// The next piece of work, where there is one and the writer has room.
    pub fn next(
        &mut self,
        store: &mut Store,
        clock: &Clock,
        record: impl FnOnce(&Store) -> PersistedState,
        now: Now,
    ) -> Option<Save> {
        self.unsaved.note(store.last_position() > self.durable, now.monotonic_us);
        self.begin_if_due(store, clock, now);
        let Phase::Writing { since_us, target } = &mut self.phase else { return None };
        if self.in_flight >= IN_FLIGHT_MAX {
            return None;
        }
        let (since_us, target) = (*since_us, target.take());
        let mut batch = self.spare.pop().unwrap_or_default();
        let up_to = target.as_ref().map(|target| target.position);
        let met = self.fill(&mut batch, store, up_to);
        let mut commit = None;
        if met {
            let at_tail = target.is_none();
            let recorded = match target {
                // The deletions forgotten since the target was fixed are taken out of the file with this commit.
                Some(target) => PersistedState { collected: record(store).collected, ..target.recorded },
                None => record(store),
            };
            commit = Some(self.meet(store, clock, at_tail, recorded, now));
        } else if target.is_some() || now.monotonic_us - since_us <= self.interval_us {
            self.phase = Phase::Writing { since_us, target };
        } else {
            let position = store.last_position();
            store.raise_fence(self.cursor, position);
            self.unsaved.complete(now.monotonic_us);
            self.phase = Phase::Writing { since_us, target: Some(Target { position, recorded: record(store) }) };
        }
        self.in_flight += 1;
        let merge = commit.is_some() && self.backup.wants(self.snapshot);
        Some(Save { snapshot: self.snapshot, batch, commit, merge })
    }

    /// Takes back a piece of work.
    pub fn done(&mut self, saved: Saved, store: &mut Store, clock: &mut Clock, now: Now) -> Verdict {
        let Saved { snapshot, mut batch, outcome, is_merged } = saved;
        self.in_flight -= 1;
        batch.clear(SLICE_BYTES);
        self.spare.push(batch);
        match outcome {
            Outcome::Taken | Outcome::Skipped => Verdict::None,
            Outcome::Committed(checkpoint) => {
                if is_merged {
                    self.backup.is_up_to_date(now.unix_ms);
                }
                Verdict::Release(self.committed(checkpoint, store, clock, now))
            }
            Outcome::Failed(why) if snapshot == self.snapshot => {
                self.failed(why, store, now);
                Verdict::Refuse(snapshot)
            }
            Outcome::Gone(why) if snapshot == self.snapshot => {
                self.durable = 0;
                self.collecting.begin_again();
                self.failed(why, store, now);
                // Also what waits for a merge of what was committed.
                Verdict::Refuse(0)
            }
            Outcome::Failed(_) | Outcome::Gone(_) => Verdict::None,
        }
    }

    /// This deletion was just made and may be undone for a minute.
    pub fn keep_deletion(&mut self, stamp: Stamp, now: Now) {
        self.collecting.keep(stamp, now);
    }

    /// Forgets deletions that are durable everywhere they must be, a bounded number of them. `settle` says where:
    /// `None` is here alone.
    pub fn collect_tombstones(
        &mut self,
        store: &mut Store,
        settle: impl FnOnce(usize) -> Option<VersionVector>,
        now: Now,
    ) {
        self.collecting.go_on(store, self.durable, settle, now);
    }

    /// Wants one last snapshot, after which nothing is issued any more.
    pub fn end(&mut self) {
        if self.ending == Ending::Not {
            self.ending = Ending::Wanted;
            if let Phase::Failed { retry_us } = &mut self.phase {
                *retry_us = 0;
            }
        }
    }

    /// After [`Snapshotter::end`]: whether all is saved (`Ok`) or cannot be (`Err`); `None` while it is under way.
    pub fn ended(&self) -> Option<Result<(), &str>> {
        match self.ending {
            Ending::Not | Ending::Wanted => None,
            Ending::Saved if self.backup.is_awaited() => None,
            Ending::Saved => Some(Ok(())),
            Ending::Failed => Some(Err(self.error.as_deref().unwrap_or("unknown"))),
        }
    }

    /// A snapshot of all there is begins as soon as none is under way, and goes into the rows at once. Returns its
    /// number.
    pub fn back_up(&mut self) -> u64 {
        self.backup.want_after(self.snapshot)
    }

    /// Whether a snapshot that [`Snapshotter::back_up`] has asked for is under way.
    pub fn is_backing_up(&self) -> bool {
        self.backup.is_awaited()
    }

    /// When the rows held all there was last, in unix milliseconds; not while a snapshot that [`Snapshotter::back_up`] has
    /// asked for is on its way there.
    pub fn saved_unix_ms(&self) -> u64 {
        self.backup.saved_unix_ms()
    }

    /// The rows have come up to a snapshot, or have not where somebody asked for it.
    pub fn merged(&mut self, merged: &Merged, now: Now) {
        match merged.failure {
            None => self.backup.merged(merged.snapshot, now.unix_ms),
            Some(_) => self.backup.not_merged(merged.snapshot),
        }
    }

    /// Whether writers have to wait for the writer to take what they would overwrite.
    pub fn holds_writers(&self, store: &Store) -> bool {
        let (rows, bytes) = store.displaced();
        rows >= DISPLACED_ROWS_MAX || bytes >= DISPLACED_BYTES_MAX
    }

    /// Whether answers to writes wait until they are durable.
    pub fn holds_answers(&self) -> bool {
        self.durability == Durability::Commit && !crate::fault_injection::is("answered before it is on disk")
    }

    /// Whether the disk takes no snapshots at present.
    pub fn is_failing(&self) -> bool {
        self.error.is_some()
    }

    /// The age of the oldest change that is not on disk, in microseconds; 0: there is none.
    pub fn unsaved_us(&self, now: Now) -> u64 {
        self.unsaved.us(now.monotonic_us)
    }

    /// All changes up to here are on disk.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// When to look again, in monotonic microseconds, where nothing else happens before.
    pub fn deadline_us(&self, store: &Store) -> u64 {
        match self.phase {
            Phase::Idle if self.ending == Ending::Wanted || self.collecting.is_under_way(store, self.durable) => 0,
            Phase::Idle if self.ending == Ending::Not && self.is_awaited(store) => 0,
            Phase::Idle if self.ending == Ending::Not && self.backup.wants_after(self.snapshot) => 0,
            Phase::Idle if store.can_collect() => self.due_us.min(self.collecting.due_us()),
            Phase::Idle => self.due_us,
            Phase::Writing { .. } if self.in_flight < IN_FLIGHT_MAX => 0,
            Phase::Writing { .. } | Phase::Committing { .. } => u64::MAX,
            Phase::Failed { retry_us } => retry_us,
        }
    }

    /// What it is doing, in a word.
    pub fn state(&self) -> &'static str {
        match self.phase {
            Phase::Idle => "idle",
            Phase::Writing { target: None, .. } => "writing",
            Phase::Writing { target: Some(_), .. } => "writing to a fixed target",
            Phase::Committing { .. } => "committing",
            Phase::Failed { .. } => "failed",
        }
    }

    fn begin_if_due(&mut self, store: &Store, clock: &Clock, now: Now) {
        let due = match self.phase {
            Phase::Writing { .. } | Phase::Committing { .. } => false,
            Phase::Failed { retry_us } => retry_us <= now.monotonic_us,
            Phase::Idle => match self.ending {
                Ending::Wanted => true,
                Ending::Saved | Ending::Failed => false,
                Ending::Not if self.backup.wants_after(self.snapshot) => true,
                Ending::Not if self.is_awaited(store) => {
                    self.group_commit.is_done(self.durable, store.last_position(), now.monotonic_us)
                }
                Ending::Not if clock.is_spent() => true,
                Ending::Not if self.due_us > now.monotonic_us => false,
                Ending::Not => {
                    self.due_us = now.monotonic_us + self.interval_us;
                    let lead_ms = 2 * self.interval_us / 1000 + CLOCK_LEFT_MS;
                    store.last_position() > self.durable
                        || store.has_retired()
                        || clock.wants_ceiling(now.unix_ms, lead_ms)
                }
            },
        };
        if due {
            self.snapshot += 1;
            self.group_commit.end();
            self.cursor = self.durable;
            self.begun_us = now.monotonic_us;
            self.due_us = now.monotonic_us + self.interval_us;
            self.phase = Phase::Writing { since_us: now.monotonic_us, target: None };
        }
    }

    /// Whether writes wait for the next commit.
    fn is_awaited(&self, store: &Store) -> bool {
        self.durability == Durability::Commit && store.last_position() > self.durable
    }

    /// Puts the next changes into the batch. Returns whether they were the last.
    fn fill(&mut self, batch: &mut Batch, store: &mut Store, target: Option<u64>) -> bool {
        store.swap_displaced(batch);
        store.take_retired(SLICE_RETIRED, &mut batch.retired);
        let up_to = target.unwrap_or_else(|| store.last_position());
        // Beside what was displaced, so that a trickle of writes does not hold the cursor up.
        let (rows_max, bytes_max) = (batch.len() + SLICE_ROWS, batch.bytes() + SLICE_BYTES);
        match store.copy_changes(self.cursor, up_to, rows_max, bytes_max, batch) {
            Copied::All => self.cursor = up_to,
            Copied::UpTo(position) => self.cursor = position,
        }
        store.advance_fence(self.cursor);
        self.cursor == up_to
    }

    fn meet(
        &mut self,
        store: &mut Store,
        clock: &Clock,
        at_tail: bool,
        recorded: PersistedState,
        now: Now,
    ) -> Checkpoint {
        self.phase = Phase::Committing { since_us: now.monotonic_us };
        if at_tail {
            self.unsaved.complete(now.monotonic_us);
        }
        store.drop_fence();
        let (position, next) = (self.cursor, store.last_position() + 1);
        if self.ending == Ending::Wanted && at_tail {
            return Checkpoint { position, position_ceiling: next, clock_ceiling: clock.last(), recorded };
        }
        Snapshotter::checkpoint(position, next, clock, self.interval_us / 1000, now.unix_ms, recorded)
    }

    fn committed(&mut self, checkpoint: Checkpoint, store: &mut Store, clock: &mut Clock, now: Now) -> PersistedState {
        if let Some(error) = self.error.take() {
            let left = store.count_after(checkpoint.position);
            log::info!(
                event = "snapshots_recovered";
                "snapshots succeed again; changes to {left} keys since the one just saved wait for the next. The \
                 last failure was: {error}"
            );
        }
        self.retrying.succeeded();
        if let Phase::Committing { since_us } = self.phase {
            self.commit_us = now.monotonic_us - since_us;
        }
        self.phase = Phase::Idle;
        self.committed_us = now.monotonic_us;
        self.took_us = now.monotonic_us - self.begun_us;
        self.group_commit.committed(checkpoint.position - self.durable, self.took_us);
        self.durable = checkpoint.position;
        self.unsaved.committed();
        self.unsaved.note(store.last_position() > self.durable, now.monotonic_us);
        // Of the memory that slices were copied into, so much is enough for who commits often.
        self.spare.truncate(1);
        store.reuse_retired();
        clock.reserved(checkpoint.clock_ceiling);
        let is_last = checkpoint.clock_ceiling == clock.last() && !self.backup.wants_after(self.snapshot);
        if self.ending == Ending::Wanted && is_last {
            self.ending = Ending::Saved;
        }
        checkpoint.recorded
    }

    fn failed(&mut self, why: String, store: &mut Store, now: Now) {
        let not_on_disk = match self.durable {
            0 => "all data".to_owned(),
            durable => format!("changes to {} keys since the last snapshot", store.count_after(durable)),
        };
        let retry_us = match self.ending {
            Ending::Wanted => self.retrying.failed_at_last(&why, &not_on_disk, now.monotonic_us),
            Ending::Not | Ending::Saved | Ending::Failed => {
                Some(self.retrying.failed(&why, &not_on_disk, now.monotonic_us))
            }
        };
        if retry_us.is_none() {
            self.ending = Ending::Failed;
        }
        self.error = Some(why);
        self.backup.failed(self.snapshot);
        self.phase = Phase::Failed { retry_us: retry_us.unwrap_or(u64::MAX) };
        store.drop_fence();
        store.retract_retired();
    }
}
