//! Those who dial and are no nodes of the cluster, or do not prove that they are: how many there were, and a log line
//! about them now and then.
//!
//! Anybody who reaches the port can be one, as often as they like.

/// Least time between two log lines.
const LOG_US: u64 = 10_000_000;

/// See the module.
#[derive(Debug)]
pub(in crate::replication) struct Strangers {
    count: u64,
    lines: Repeats,
}

impl Default for Strangers {
    fn default() -> Strangers {
        Strangers { count: 0, lines: Repeats::new(1) }
    }
}

/// Log lines of one kind that anybody can cause: a few at once, then one now and then, which says how many there were.
#[derive(Debug)]
pub(in crate::replication) struct Repeats {
    /// Lines at once.
    burst: u64,
    /// ... of which so many may still be written, and since when that is so.
    left: u64,
    since_us: u64,
    /// Since the last log line.
    unlogged: u64,
}

impl Repeats {
    /// None was written yet.
    pub(in crate::replication) fn new(burst: u64) -> Repeats {
        Repeats { burst, left: burst, since_us: 0, unlogged: 0 }
    }

    /// Whether a line is due, and what it ends with.
    pub(in crate::replication) fn due(&mut self, now_us: u64) -> Option<String> {
        let earned = now_us.saturating_sub(self.since_us) / LOG_US;
        if self.left + earned >= self.burst {
            (self.left, self.since_us) = (self.burst, now_us);
        } else {
            (self.left, self.since_us) = (self.left + earned, self.since_us + earned * LOG_US);
        }
        if self.left == 0 {
            self.unlogged += 1;
            return None;
        }
        self.left -= 1;
        Some(match std::mem::take(&mut self.unlogged) {
            0 => String::new(),
            unlogged => format!(" ({unlogged} more since the last such line)"),
        })
    }
}

impl Strangers {
    /// One was refused for this reason.
    pub(in crate::replication) fn refused(&mut self, from: &str, why: &str, now_us: u64) {
        self.count += 1;
        if let Some(more) = self.lines.due(now_us) {
            log::warn!(event = "link_refused", from:%, why:%; "refused a link from {from}: {why}{more}");
        }
    }

    /// How many there were.
    pub(in crate::replication) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_are_written_at_once_and_then_one_in_ten_seconds() {
        let mut repeats = Repeats::new(3);
        let said: Vec<_> = (0..600).filter_map(|number| Some((number, repeats.due(number * 100_000)?))).collect();
        let (numbers, ends): (Vec<u64>, Vec<String>) = said.into_iter().unzip();
        assert_eq!(numbers, [0, 1, 2, 100, 200, 300, 400, 500]);
        assert_eq!(ends[2..5], ["", " (97 more since the last such line)", " (99 more since the last such line)"]);
        assert!([9_000, 9_001, 9_002].into_iter().all(|number| repeats.due(number * 100_000).is_some()));
        assert_eq!(repeats.due(9_003 * 100_000), None);
    }
}
