//! What the log says of passwords that were none: a line a second at most, with how many there were.

use super::Now;

/// Least time between two of these lines.
const LOG_US: u64 = 1_000_000;

/// Those that no line has told of.
#[derive(Default)]
pub(super) struct Failures {
    count: u64,
    last_from: String,
    /// Before this time no line is written.
    silent_until_us: u64,
}

impl Failures {
    /// One more, of a client at this address.
    pub(super) fn note(&mut self, now: Now, from: &str) {
        self.count += 1;
        self.last_from.clear();
        self.last_from.push_str(from);
        self.tell(now);
    }

    /// Writes the line that is due.
    pub(super) fn tell(&mut self, now: Now) {
        if self.deadline_us() <= now.monotonic_us {
            log::warn!(
                event = "auth_failed", count = self.count, from:% = self.last_from;
                "{} failed AUTH, the last of them from {}", self.count, self.last_from
            );
            self.count = 0;
            self.silent_until_us = now.monotonic_us + LOG_US;
        }
    }

    /// When a line is due, in monotonic microseconds.
    pub(super) fn deadline_us(&self) -> u64 {
        if self.count > 0 { self.silent_until_us } else { u64::MAX }
    }
}
