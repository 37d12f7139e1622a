//! Since when something is not on disk: what a crash would cost, in time.
//!
//! A commit has all that was there at one moment, when its last change was handed over. What came after that moment is
//! no older than it. So two times are enough: when the first change came of those that no commit has, and when the
//! commit under way was complete.

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// `None`: all is on disk, as far as was looked.
    since_us: Option<u64>,
    /// The commit under way has all that was there at this time.
    complete_us: u64,
}

impl Unsaved {
    /// Whether something is not on disk, as of this tick.
    pub(super) fn note(&mut self, is_any: bool, now_us: u64) {
        if !is_any {
            self.since_us = None;
        } else if self.since_us.is_none() {
            self.since_us = Some(now_us);
        }
    }

    /// A snapshot takes all that is there at this time, and nothing that comes later.
    pub(super) fn complete(&mut self, now_us: u64) {
        self.complete_us = now_us;
    }

    /// It is on disk.
    pub(super) fn committed(&mut self) {
        self.since_us = self.since_us.map(|since_us| since_us.max(self.complete_us));
    }

    /// The age of the oldest change that is not on disk, in microseconds; 0: there is none.
    pub(super) fn us(&self, now_us: u64) -> u64 {
        self.since_us.map_or(0, |since_us| now_us.saturating_sub(since_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_first_change_that_no_commit_has() {
        let mut unsaved = Unsaved::default();
        unsaved.note(false, 5);
        assert_eq!(unsaved.us(7), 0);
        // However long nothing was written before.
        unsaved.note(true, 100);
        unsaved.note(true, 110);
        assert_eq!(unsaved.us(130), 30);
        unsaved.complete(120);
        unsaved.note(true, 125);
        assert_eq!(unsaved.us(130), 30, "it is not on disk before it is committed");
        unsaved.committed();
        assert_eq!(unsaved.us(130), 10, "what came since the commit was complete");
        unsaved.note(false, 140);
        assert_eq!(unsaved.us(150), 0);
    }
}
