//! Whether a linked peer still lives: it says something, and takes what it is sent.

/// A peer that was silent for so long is gone.
const SILENCE_US: u64 = 4_000_000;
/// So long a peer may acknowledge nothing new although there is something.
const STUCK_US: u64 = 10_000_000;
/// A link that something came over so lately is alive: another process of the same id is refused.
const ALIVE_US: u64 = 2_500_000;

/// See the module.
pub(in crate::replication) struct Liveness {
    heard_us: u64,
    /// Since when changes wait for the peer's word without any progress.
    stuck_us: Option<u64>,
    /// Bytes of chunks that it has taken, as it said.
    chunked: u64,
}

/// What a look says.
pub(in crate::replication) enum Pulse {
    /// It lives, until then at least.
    Alive { until_us: u64 },
    /// It is gone, for this reason.
    Gone(&'static str),
}

impl Liveness {
    /// Something came just now.
    pub(in crate::replication) fn new(now_us: u64) -> Liveness {
        Liveness { heard_us: now_us, stuck_us: None, chunked: 0 }
    }

    /// Bytes came.
    pub(in crate::replication) fn heard(&mut self, now_us: u64) {
        self.heard_us = now_us;
    }

    /// What it says lies here unread, until the own data file has taken more.
    pub(in crate::replication) fn is_kept_waiting(&mut self, now_us: u64) {
        (self.heard_us, self.stuck_us) = (now_us, None);
    }

    /// It said how far it is: further than before, or it has taken so many bytes of chunks.
    pub(in crate::replication) fn acknowledged(&mut self, is_further: bool, chunked: u64) {
        if is_further || self.chunked != chunked {
            self.stuck_us = None;
        }
        self.chunked = chunked;
    }

    /// Whether something came so lately that no other process may take its place.
    pub(in crate::replication) fn is_alive(&self, now_us: u64) -> bool {
        now_us - self.heard_us < ALIVE_US
    }

    /// Looks at it; `waits` says that it has not acknowledged everything.
    pub(in crate::replication) fn look(&mut self, waits: bool, now_us: u64) -> Pulse {
        if !waits {
            self.stuck_us = None;
        }
        let stuck_us = *self.stuck_us.get_or_insert(now_us);
        let (silent_us, stuck_us) = (self.heard_us + SILENCE_US, stuck_us + STUCK_US);
        if silent_us <= now_us {
            Pulse::Gone("nothing came for 4 s")
        } else if stuck_us <= now_us && waits {
            Pulse::Gone("it acknowledged nothing for 10 s")
        } else {
            Pulse::Alive { until_us: silent_us.min(stuck_us.max(now_us + 1)) }
        }
    }
}
