//! `SAVE` and `BGSAVE`: snapshots that somebody wants in the rows of the data file at once, so that a copy of them holds
//! all that was written before.
//!
//! Who asks waits for the next snapshot that begins, whatever is under way: its number is what the answer waits for.

/// See the module. Snapshots are numbers that rise; a number stands for all up to it.
#[derive(Default)]
pub(super) struct Backup {
    /// Somebody wants this one.
    wanted: u64,
    /// Whoever wanted this one has heard how it went.
    settled: u64,
    /// When the rows were up to date last while nobody waited.
    saved_unix_ms: u64,
}

impl Backup {
    /// At the start the rows are up to date.
    pub(super) fn new(unix_ms: u64) -> Backup {
        Backup { saved_unix_ms: unix_ms, ..Backup::default() }
    }

    /// Somebody wants the snapshot that comes after this one.
    pub(super) fn want_after(&mut self, snapshot: u64) -> u64 {
        if !self.is_awaited() {
            self.settled = snapshot;
        }
        self.wanted = snapshot + 1;
        self.wanted
    }

    /// Whether somebody wants one that has not begun while this is the latest.
    pub(super) fn wants_after(&self, snapshot: u64) -> bool {
        self.wants(self.wanted) && self.wanted > snapshot
    }

    /// Whether somebody wants this one.
    pub(super) fn wants(&self, snapshot: u64) -> bool {
        self.settled < snapshot && snapshot <= self.wanted
    }

    /// Whether anybody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.settled < self.wanted
    }

    /// The rows hold all that is committed.
    pub(super) fn is_up_to_date(&mut self, unix_ms: u64) {
        if !self.is_awaited() {
            self.saved_unix_ms = unix_ms;
        }
    }

    /// The rows hold all up to this one.
    pub(super) fn merged(&mut self, snapshot: u64, unix_ms: u64) {
        self.settled = self.settled.max(snapshot);
        self.is_up_to_date(unix_ms);
    }

    /// The rows cannot be brought to this one.
    pub(super) fn not_merged(&mut self, snapshot: u64) {
        self.settled = self.settled.max(snapshot);
    }

    /// This one has failed, and with it whoever waits for it or for one that has not begun.
    pub(super) fn failed(&mut self, snapshot: u64) {
        if self.wanted >= snapshot {
            self.settled = self.wanted;
        }
    }

    /// What `LASTSAVE` tells.
    pub(super) fn saved_unix_ms(&self) -> u64 {
        self.saved_unix_ms
    }
}
