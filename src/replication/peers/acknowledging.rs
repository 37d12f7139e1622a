//! When to tell a peer how far this node is.

use crate::replication::wire::Cursor;

/// Least time between two acknowledgements, but for one that says that something is durable.
const ACK_US: u64 = 20_000;
/// Most time between two.
const HEARTBEAT_US: u64 = 1_000_000;

/// What an acknowledgement says, in short: where it is the same, a new one would say nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::replication) struct News {
    pub(in crate::replication) position: u64,
    pub(in crate::replication) received: Cursor,
    pub(in crate::replication) facts: u64,
}

/// See the module.
pub(in crate::replication) struct Acknowledging {
    said: News,
    wanted: bool,
    last_us: u64,
    /// Where in all that was ever owed the last acknowledgement ends.
    end: u64,
}

impl Acknowledging {
    /// The first one is due.
    pub(in crate::replication) fn new(now_us: u64) -> Acknowledging {
        Acknowledging { said: News::default(), wanted: true, last_us: now_us, end: 0 }
    }

    /// The next one goes at once.
    pub(in crate::replication) fn want(&mut self) {
        self.wanted = true;
    }

    /// It was said, up to there in all that was ever owed.
    pub(in crate::replication) fn said(&mut self, news: News, end: u64, now_us: u64) {
        *self = Acknowledging { said: news, wanted: false, last_us: now_us, end };
    }

    /// Where the last one ends in all that was ever owed. While a slow peer has not taken it, another would only be
    /// followed by one that says more.
    pub(in crate::replication) fn end(&self) -> u64 {
        self.end
    }

    /// Time between the last one and one with this news.
    pub(in crate::replication) fn pause_us(&self, news: News) -> u64 {
        if news == self.said { HEARTBEAT_US } else { ACK_US }
    }

    /// Whether one is due after such a pause.
    pub(in crate::replication) fn is_due(&self, pause_us: u64, now_us: u64) -> bool {
        self.wanted || self.last_us + pause_us <= now_us
    }

    /// When to look again; `taken` says whether the peer has taken the last one.
    pub(in crate::replication) fn next_us(&self, taken: bool, pause_us: u64, now_us: u64) -> u64 {
        let next_us = if taken { self.last_us + pause_us } else { now_us + ACK_US };
        next_us.max(now_us + 1)
    }
}
