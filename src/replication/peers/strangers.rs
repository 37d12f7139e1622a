//! Those who dial and do not prove the cluster's secret: how many there were, and a log line about them now and then.
//!
//! Anybody who reaches the port can be one, as often as they like.

/// Least time between two log lines.
const LOG_US: u64 = 10_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::replication) struct Strangers {
    count: u64,
    logged_us: Option<u64>,
    /// Since the last log line.
    unlogged: u64,
}

impl Strangers {
    /// One was refused for this reason.
    pub(in crate::replication) fn refused(&mut self, from: &str, why: &str, now_us: u64) {
        self.count += 1;
        if self.logged_us.is_some_and(|logged_us| now_us < logged_us + LOG_US) {
            self.unlogged += 1;
            return;
        }
        let more = match self.unlogged {
            0 => String::new(),
            unlogged => format!(" ({unlogged} more since the last such line)"),
        };
        log::warn!(event = "link_refused", from:%, why:%; "refused a link from {from}: {why}{more}");
        (self.logged_us, self.unlogged) = (Some(now_us), 0);
    }

    /// How many there were.
    pub(in crate::replication) fn count(&self) -> u64 {
        self.count
    }
}
