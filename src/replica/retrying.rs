//! Snapshots that fail: what is said of it, when the next one is tried, and when the end gives up.

/// Pause after the first failure; it doubles with each further one.
const RETRY_US_MIN: u64 = 100_000;
const RETRY_US_MAX: u64 = 5_000_000;
/// So long the end waits for a disk that fails. A second signal does not wait.
const ENDING_US: u64 = 10_000_000;
/// ... and tries again at least so often, for whoever makes room meanwhile.
const ENDING_RETRY_US_MAX: u64 = 500_000;

/// Failures since the last success.
#[derive(Default)]
pub(super) struct Retrying {
    failures: u32,
    /// When the end was first tried, once it was.
    ending_us: Option<u64>,
}

impl Retrying {
    /// A snapshot has failed, for this reason, and this is not on disk. Returns when the next is due.
    pub(super) fn failed(&mut self, why: &str, not_on_disk: &str, monotonic_us: u64) -> u64 {
        if self.failures == 0 {
            log::error!(
                event = "snapshot_failed", why:%;
                "snapshot failed: {why}. All data is served from memory. Not on disk: {not_on_disk}; check free \
                 space, quota and permissions, and that the data directory is where it was. Retrying until it \
                 succeeds"
            );
        }
        self.next_us(RETRY_US_MAX, monotonic_us)
    }

    /// The same of the last one. Returns when the next is due, unless it is too late for one.
    pub(super) fn failed_at_last(&mut self, why: &str, not_on_disk: &str, monotonic_us: u64) -> Option<u64> {
        if self.ending_us.is_none() {
            log::error!(
                event = "snapshot_failed", why:%;
                "the last snapshot failed: {why}. Not on disk: {not_on_disk}; it is tried for {} s more: free some \
                 space or mend the disk in this time. A second signal gives up what is not on disk",
                ENDING_US / 1_000_000
            );
        }
        let since_us = *self.ending_us.get_or_insert(monotonic_us);
        let next_us = self.next_us(ENDING_RETRY_US_MAX, monotonic_us);
        (monotonic_us - since_us < ENDING_US).then_some(next_us)
    }

    /// One has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    fn next_us(&mut self, pause_us_max: u64, monotonic_us: u64) -> u64 {
        let pause_us = (RETRY_US_MIN << self.failures.min(10)).min(pause_us_max);
        self.failures += 1;
        monotonic_us + pause_us
    }
}
