//! What the node does for clients that take backups: it answers them when something has come of what they wait for.

use std::ops::RangeInclusive;

use super::waiting::{Cause, Until};
use super::{Node, Now};
use crate::protocol::Reply;
use crate::replica::{CopyJob, CopyNews};

impl Node {
    /// The next to be done about copies of the data file, by whoever may take time. What was done comes back by
    /// [`Node::copied`].
    pub fn next_copy_job(&mut self) -> Option<CopyJob> {
        self.backups.next_job()
    }

    /// What became of a job.
    pub fn copied(&mut self, news: CopyNews, now: Now) {
        match news {
            CopyNews::Made(copy, Ok(bytes)) => {
                self.backups.made(copy, bytes, now);
                self.answer_backup(copy, Reply::Int(bytes as i64));
            }
            CopyNews::Read(copy, Ok(piece)) => self.answer_backup(copy, Reply::Value(&piece)),
            CopyNews::Made(copy, Err(why)) | CopyNews::Read(copy, Err(why)) => self.fail_backup(copy, &why),
        }
    }

    /// The rows hold these snapshots, or will not.
    pub(super) fn backups_saved(&mut self, snapshots: RangeInclusive<u64>, is_saved: bool) {
        if is_saved {
            return self.backups.saved(&snapshots);
        }
        while let Some(number) = self.backups.waiting_for(&snapshots) {
            self.fail_backup(number, "the disk failed, and not all is saved");
        }
    }

    /// Nothing is kept for a client that asks for nothing.
    pub(super) fn end_idle_backups(&mut self, now: Now) {
        while let Some(number) = self.backups.idle(now) {
            self.fail_backup(number, "nothing of it was read for 60 s");
        }
    }

    fn fail_backup(&mut self, number: u64, why: &str) {
        log::warn!(event = "backup_failed", backup = number, why; "backup {number} failed: {why}");
        let answer = format!("ERR the backup failed: {}", why.replace(['\r', '\n'], " "));
        self.answer_backup(number, Reply::Fail(&answer));
        self.backups.drop_copy(number);
    }

    /// Answers the client that waits for this copy, if it does.
    fn answer_backup(&mut self, copy: u64, reply: Reply<'_>) {
        let until = Until::Copy(copy);
        let mut waiters = self.sessions.waiting.of(Cause::Backup).iter();
        let Some(id) = waiters.find(|waiter| waiter.until == until).map(|waiter| waiter.id) else { return };
        self.sessions.forget(id);
        self.sessions.end_wait(id, &[reply]);
    }
}
