//! The loop's part in what a service manager is told, and what it asks for by a signal: to read files again.

use super::Server;
use super::background::Job;
use super::supervisor::Supervisor;

impl Server {
    /// Clients are served from here on, which this one is told.
    pub(super) fn report_to(&mut self, supervisor: Supervisor) {
        self.supervisor = supervisor;
        let status = self.node.at_a_glance(self.now);
        self.supervisor.ready(&status, self.now.monotonic_us);
    }

    /// ... and how the node is, as often as it wants to hear of it.
    pub(super) fn report(&mut self) {
        if self.supervisor.due_us().is_some_and(|due_us| due_us <= self.now.monotonic_us) {
            self.supervisor.hear(|| self.node.at_a_glance(self.now), self.now.monotonic_us);
        }
    }

    /// Everything that is configured by files is read again.
    pub(super) fn reload(&mut self) {
        self.supervisor.reloading(self.now.monotonic_us);
        self.background.give(Job::Reload);
        self.read_secrets_again();
        self.node.renew();
        self.node.reload_users();
    }

    /// All that a reload reads is under way: behind it comes a mark.
    pub(super) fn mark_reload(&mut self) {
        if self.supervisor.wants_mark() {
            self.background.give(Job::Mark);
        }
    }

    /// ... and was read.
    pub(super) fn end_reload(&mut self) {
        if self.supervisor.marked() {
            let status = self.node.at_a_glance(self.now);
            self.supervisor.ready(&status, self.now.monotonic_us);
        }
    }
}
