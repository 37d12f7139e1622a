//! What other threads have done for the loop, and what they are to do.

use super::Server;
use super::background::Job;
use crate::snapshot::Report;

impl Server {
    /// Takes in what they have done.
    pub(super) fn take_reports(&mut self) {
        while let Some(report) = self.writer.take() {
            match report {
                Report::Saved(saved) => self.node.saved(saved, self.now),
                Report::Merged(merged) => self.node.merged(merged, self.now),
            }
        }
        while let Some(news) = self.copies.take() {
            self.node.copied(news, self.now);
        }
        let metrics = self.node.metrics();
        metrics.disk_reserve_bytes = self.writer.reserve_bytes();
        metrics.journal_bytes = self.writer.journal_bytes();
        self.take_results();
        self.take_handshakes();
    }

    /// Gives them what the node wants done.
    pub(super) fn give_jobs(&mut self) {
        while let Some(job) = self.node.next_users_job() {
            self.background.give(Job::Users(job));
        }
        while let Some(job) = self.node.next_copy_job() {
            self.copies.give(job);
        }
        self.mark_reload();
    }
}
