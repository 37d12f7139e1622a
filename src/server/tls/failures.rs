//! Handshakes that failed, and a log line about them now and then.

use std::io::Error;
use std::time::{Duration, Instant};

/// Least time between two log lines.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Those that failed since a log line said so.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u64,
    said_at: Option<Instant>,
}

impl Failures {
    /// One more, for this reason.
    pub(super) fn note(&mut self, why: &Error) {
        self.count += 1;
        let now = Instant::now();
        if self.said_at.is_none_or(|said_at| said_at + LOG_PAUSE <= now) {
            self.said_at = Some(now);
            log::info!(
                event = "tls_handshakes_failed", count = self.count;
                "TLS: {} failed since the last such line; the latest: {why}", handshakes(self.count)
            );
            self.count = 0;
        }
    }
}

fn handshakes(count: u64) -> String {
    if count == 1 { "a handshake".to_owned() } else { format!("{count} handshakes") }
}
