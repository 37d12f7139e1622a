//! Backups that clients take.
//!
//! A client that begins one waits as with `SAVE`, until the rows of the data file hold all there is, and then until a
//! copy of them is made by whoever may take time. From there on it asks for the copy piece by piece, and each request
//! waits until its piece was read. So the node holds one piece of a backup at most, beside what the client is owed as
//! with any answer, and a client that does not read asks for nothing more. The copy goes with its client.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::waiting::Until;
use crate::replica::CopyJob;
use crate::replication::SessionId;
use crate::store::Now;

/// Backups at once: each takes as much room on the disk as the data file.
const BACKUPS_MAX: usize = 4;
/// A backup of which nothing was read for so long is over.
const PATIENCE_US: u64 = 60_000_000;

/// How far a backup is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The rows are to hold this snapshot.
    Saving(u64),
    /// The copy is being made.
    Copying,
    /// The copy can be read.
    Made,
}

struct Backup {
    number: u64,
    client: SessionId,
    stage: Stage,
    bytes: u64,
    /// So many of them were read.
    read: u64,
    /// When the client last asked for something, in monotonic microseconds.
    asked_us: u64,
    begun_us: u64,
}

impl Backup {
    fn waits_for(&self, snapshots: &RangeInclusive<u64>) -> bool {
        matches!(self.stage, Stage::Saving(one) if snapshots.contains(&one))
    }
}

/// See the module. Invariant: a client has one at most.
#[derive(Default)]
pub(super) struct Backups {
    all: Vec<Backup>,
    to_do: VecDeque<CopyJob>,
    /// The number of the last one.
    last: u64,
}

impl Backups {
    /// The client begins one, once the rows hold this snapshot. Returns what it is to wait for. An error is an answer.
    pub(super) fn begin(&mut self, client: SessionId, snapshot: u64, now: Now) -> Result<Until, String> {
        // Who begins anew has given up the one before.
        self.forget(client);
        if self.all.len() >= BACKUPS_MAX {
            return Err(format!("ERR {BACKUPS_MAX} backups are under way: try again when one of them is done"));
        }
        self.last += 1;
        let number = self.last;
        let (stage, asked_us) = (Stage::Saving(snapshot), now.monotonic_us);
        self.all.push(Backup { number, client, stage, bytes: 0, read: 0, asked_us, begun_us: asked_us });
        log::info!(event = "backup_begun", backup = number; "backup {number} begins");
        Ok(Until::Copy(number))
    }

    /// The client wants the piece that begins there. Returns what it is to wait for. An error is an answer.
    pub(super) fn read(&mut self, client: SessionId, offset: u64, now: Now) -> Result<Until, String> {
        let backup = self.of(client).ok_or(NONE)?;
        if offset > backup.bytes {
            return Err(format!("ERR the backup has {} bytes", backup.bytes));
        }
        backup.asked_us = now.monotonic_us;
        backup.read = backup.read.max(offset);
        let copy = backup.number;
        self.to_do.push_back(CopyJob::Read { copy, offset });
        Ok(Until::Copy(copy))
    }

    /// The client has all it wants. An error is an answer.
    pub(super) fn end(&mut self, client: SessionId, now: Now) -> Result<(), String> {
        let Backup { number, bytes, begun_us, .. } = *self.of(client).ok_or(NONE)?;
        let ms = (now.monotonic_us - begun_us) / 1_000;
        log::info!(
            event = "backup_done", backup = number, bytes, ms;
            "backup {number} is done: {bytes} bytes in {ms} ms"
        );
        self.drop_copy(number);
        Ok(())
    }

    /// The client is gone, and its backup with it.
    pub(super) fn forget(&mut self, client: SessionId) {
        if let Some(&mut Backup { number, read, .. }) = self.of(client) {
            log::warn!(
                event = "backup_failed", backup = number;
                "backup {number} ends before its time: its client is gone after {read} bytes"
            );
            self.drop_copy(number);
        }
    }

    /// The next to be done.
    pub(super) fn next_job(&mut self) -> Option<CopyJob> {
        self.to_do.pop_front()
    }

    /// The copy is made, and takes so many bytes.
    pub(super) fn made(&mut self, number: u64, bytes: u64, now: Now) {
        for backup in self.all.iter_mut().filter(|backup| backup.number == number) {
            (backup.stage, backup.bytes, backup.asked_us) = (Stage::Made, bytes, now.monotonic_us);
        }
    }

    /// The rows hold these snapshots: copies that waited for one are made.
    pub(super) fn saved(&mut self, snapshots: &RangeInclusive<u64>) {
        for backup in &mut self.all {
            if backup.waits_for(snapshots) {
                backup.stage = Stage::Copying;
                self.to_do.push_back(CopyJob::Make(backup.number));
            }
        }
    }

    /// One that waits for one of these snapshots.
    pub(super) fn waiting_for(&self, snapshots: &RangeInclusive<u64>) -> Option<u64> {
        self.all.iter().find(|backup| backup.waits_for(snapshots)).map(|backup| backup.number)
    }

    /// One of which nothing was read for too long.
    pub(super) fn idle(&self, now: Now) -> Option<u64> {
        let is_idle = |backup: &&Backup| {
            backup.stage == Stage::Made && now.monotonic_us.saturating_sub(backup.asked_us) >= PATIENCE_US
        };
        self.all.iter().find(is_idle).map(|backup| backup.number)
    }

    /// It is over.
    pub(super) fn drop_copy(&mut self, number: u64) {
        self.all.retain(|backup| backup.number != number);
        self.to_do.push_back(CopyJob::Drop(number));
    }

    fn of(&mut self, client: SessionId) -> Option<&mut Backup> {
        self.all.iter_mut().find(|backup| backup.client == client)
    }
}

/// What a client is told that has not begun one, or whose backup has ended meanwhile.
const NONE: &str =
    "ERR no backup is under way here: BACKUP BEGIN begins one, and it ends when nothing is read for 60 s";
