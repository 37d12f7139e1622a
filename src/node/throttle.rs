//! Log lines about what happens often: they may not fill the log.

/// When the last line of a kind was written.
#[derive(Default)]
pub(super) struct Throttle {
    last_us: Option<u64>,
}

impl Throttle {
    /// Whether one may be written at this time, so many microseconds after the last one.
    pub(super) fn lets(&mut self, now_us: u64, pause_us: u64) -> bool {
        let lets = self.last_us.is_none_or(|last_us| now_us - last_us >= pause_us);
        if lets {
            self.last_us = Some(now_us);
        }
        lets
    }
}
