//! How far a peer is known to be, and how long a position takes until it is. One sample at a time.

/// See the module.
#[derive(Clone, Copy, Default)]
pub(in crate::replication) struct Lag {
    /// `None` until the peer has said so to this incarnation.
    reached: Option<u64>,
    sample: Option<Sample>,
    took_us: u64,
}

/// The list ended there then.
#[derive(Clone, Copy)]
struct Sample {
    position: u64,
    since_us: u64,
}

impl Lag {
    /// The peer says that it is there.
    pub(in crate::replication) fn reach(&mut self, reached: u64, now_us: u64) {
        self.reached = Some(reached);
        if let Some(Sample { position, since_us }) = self.sample
            && reached >= position
        {
            self.took_us = now_us - since_us;
            self.sample = None;
        }
    }

    /// The list ends there.
    pub(in crate::replication) fn note(&mut self, tail: u64, now_us: u64) {
        let Some(reached) = self.reached else { return };
        if reached >= tail {
            (self.sample, self.took_us) = (None, 0);
        } else if self.sample.is_none() {
            self.sample = Some(Sample { position: tail, since_us: now_us });
        }
    }

    /// How far the peer is; `None` where it has not said.
    pub(in crate::replication) fn reached(&self) -> Option<u64> {
        self.reached
    }

    /// In milliseconds; `None` where nothing is known.
    pub(in crate::replication) fn ms(&self, now_us: u64) -> Option<u64> {
        let waits_us = self.sample.map_or(0, |sample| now_us - sample.since_us);
        self.reached.map(|_| waits_us.max(self.took_us) / 1000)
    }
}
