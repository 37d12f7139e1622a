//! One other node: whether there is a link to it, when to dial it next, how far we follow it, what went wrong.

use super::following::Listed;
use super::frame::{Cursor, Terms, VERSION, VERSION_MIN};
use super::link::Link;
use super::parts::Assembly;
use super::readiness::{CatchingUp, PATIENCE_US};
use super::vector::VersionVector;
use crate::store::NodeId;

/// Pause before the second dial; it doubles with each further one.
const PAUSE_US_MIN: u64 = 100_000;
const PAUSE_US_MAX: u64 = 5_000_000;
/// A link that stayed up for so long ends the row of failures.
const STAYED_US: u64 = 5_000_000;

/// Names a connection; see [`crate::replication`].
pub type SessionId = usize;

/// How we stand with a peer.
pub(super) enum Tie {
    /// There is no link; the next dial is then.
    Waiting { until_us: u64 },
    /// This connection of ours is being set up.
    Dialing(SessionId),
}

/// What a comparison of digests has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Something is under way.
    Unknown,
    /// Both stores are the same.
    Agrees,
    /// Nothing is under way and the stores differ.
    Diverged,
}

/// What an acknowledgement says, in short: where it is the same, a new one would say nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) position: u64,
    pub(super) received: Cursor,
    pub(super) facts: u64,
}

/// A link and what is kept beside it for as long as it lasts.
pub(super) struct Linked {
    pub(super) session: SessionId,
    pub(super) dialed: bool,
    /// Of the frames.
    pub(super) version: u16,
    /// The peer's, as far as it has told them, and in what they differ from the own ones.
    pub(super) terms: Terms,
    pub(super) difference: Option<String>,
    /// Which of the own ones it was told.
    pub(super) terms_told: Option<(u64, usize)>,
    pub(super) link: Link,
    /// When something last came, when an acknowledgement last went.
    pub(super) heard_us: u64,
    pub(super) acked_us: u64,
    /// When changes last went.
    pub(super) sent_us: u64,
    /// Since when changes wait for the peer's word without any progress.
    pub(super) stuck_us: Option<u64>,
    pub(super) agreement: Agreement,
    pub(super) mended_us: Option<u64>,
    /// What was last said, so that it is not said twice.
    pub(super) said: News,
    pub(super) ack_wanted: bool,
    /// Where in all that was ever owed the last acknowledgement ends.
    pub(super) ack_end: u64,
    /// A full listing that comes in: what it covers, and what it lists.
    pub(super) listed: Option<(VersionVector, Listed)>,
    /// What deletions it had forgotten when the link began. Where a listing comes, this node has no trace of them
    /// either once that is worked in, and has to see to it that others have not.
    pub(super) collected: VersionVector,
    /// The end of the peer's list, and since when it is that.
    pub(super) position: u64,
    pub(super) still_us: u64,
    /// Full listings that have come in.
    pub(super) listings: u64,
    /// Whether it compares its store with a full listing, or has seen that the stores differ.
    pub(super) busy: bool,
    /// Whether this node has what the peer had when the link began.
    pub(super) catching_up: CatchingUp,
    /// A large value that comes in.
    pub(super) assembly: Assembly,
    /// Bytes of large values that it has taken, as it said.
    pub(super) parted: u64,
}

impl Linked {
    /// Whether a full listing is owed or under way in either direction, or will be.
    pub(super) fn is_comparing(&self) -> bool {
        self.link.is_listing() || self.listed.is_some() || self.busy || self.agreement == Agreement::Diverged
    }
}

/// How far a peer is known to be, and how long a position takes until it is. One sample at a time.
#[derive(Clone, Copy, Default)]
pub(super) struct Lag {
    /// `None` until the peer has said so to this life.
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
    pub(super) fn reach(&mut self, reached: u64, now_us: u64) {
        self.reached = Some(reached);
        if let Some(Sample { position, since_us }) = self.sample
            && reached >= position
        {
            self.took_us = now_us - since_us;
            self.sample = None;
        }
    }

    /// The list ends there.
    pub(super) fn note(&mut self, tail: u64, now_us: u64) {
        let Some(reached) = self.reached else { return };
        if reached >= tail {
            (self.sample, self.took_us) = (None, 0);
        } else if self.sample.is_none() {
            self.sample = Some(Sample { position: tail, since_us: now_us });
        }
    }

    /// How far the peer is; `None` where it has not said.
    pub(super) fn reached(&self) -> Option<u64> {
        self.reached
    }

    /// In milliseconds; `None` where nothing is known.
    pub(super) fn ms(&self, now_us: u64) -> Option<u64> {
        let waits_us = self.sample.map_or(0, |sample| now_us - sample.since_us);
        self.reached.map(|_| waits_us.max(self.took_us) / 1000)
    }
}

/// See the module.
pub(super) struct Peer {
    pub(super) id: NodeId,
    pub(super) tie: Tie,
    pub(super) linked: Option<Linked>,
    /// Of the frames: the one to offer.
    pub(super) version: u16,
    /// Since when it is in its state.
    pub(super) since_us: u64,
    /// When there was a link last, or when we began.
    pub(super) lost_us: u64,
    /// How far we follow its list.
    pub(super) cursor: Cursor,
    /// How far it was sent our list, while there is no link that says so: in an earlier life, or over an earlier link.
    pub(super) sent: Cursor,
    /// How far it was in our list when it last said so to this life, in all writes, in own ones, and on its disk.
    pub(super) reached: Option<u64>,
    pub(super) received_lag: Lag,
    pub(super) durable_lag: Lag,
    /// So long this node is not ready without a link.
    pub(super) awaited_until_us: u64,
    /// What its data file has for certain.
    pub(super) durable_vector: VersionVector,
    /// Whether deletions are collected without it; it gets a full listing when it comes back.
    pub(super) forsaken: bool,
    pub(super) error: Option<String>,
    /// Dials that did not become a link, in all.
    pub(super) retries: u64,
    failures: u32,
}

impl Peer {
    pub(super) fn new(id: NodeId, cursor: Cursor, sent: Cursor, now_us: u64) -> Peer {
        Peer {
            id,
            tie: Tie::Waiting { until_us: now_us },
            linked: None,
            version: VERSION,
            since_us: now_us,
            lost_us: now_us,
            cursor,
            sent,
            reached: None,
            received_lag: Lag::default(),
            durable_lag: Lag::default(),
            awaited_until_us: now_us + PATIENCE_US,
            durable_vector: VersionVector::default(),
            forsaken: false,
            error: None,
            retries: 0,
            failures: 0,
        }
    }

    /// Whether this connection is the one that is being set up.
    pub(super) fn tie_is(&self, session: SessionId) -> bool {
        matches!(self.tie, Tie::Dialing(other) if other == session)
    }

    /// It does not speak the version that was offered.
    pub(super) fn offer_other_version(&mut self) {
        self.version = if self.version == VERSION { VERSION_MIN } else { VERSION };
    }

    /// How far it was sent our list.
    pub(super) fn sent(&self) -> Cursor {
        self.linked.as_ref().map_or(self.sent, |linked| linked.link.sent())
    }

    /// The next dial is due.
    pub(super) fn is_due(&self, now_us: u64) -> bool {
        self.linked.is_none() && matches!(self.tie, Tie::Waiting { until_us } if until_us <= now_us)
    }

    /// The link is gone, or never came to be. `slowly` where the other side says that a quick dial is of no use.
    pub(super) fn retry(&mut self, why: &str, slowly: bool, now_us: u64, random: &mut fastrand::Rng) {
        self.sent = self.sent();
        if let Some(linked) = self.linked.take() {
            self.lost_us = now_us;
            // Its next life may be a later version's.
            self.version = VERSION;
            if !linked.catching_up.is_done() {
                self.awaited_until_us = now_us + PATIENCE_US;
            }
            self.failures = if now_us - self.since_us >= STAYED_US { 0 } else { self.failures };
        }
        let pause_us = if slowly { PAUSE_US_MAX } else { (PAUSE_US_MIN << self.failures.min(10)).min(PAUSE_US_MAX) };
        self.failures += 1;
        // Between a half and a whole: two nodes that lost each other at once do not dial at once for ever.
        let until_us = now_us + random.u64(pause_us / 2..=pause_us);
        self.tie = Tie::Waiting { until_us };
        self.since_us = now_us;
        if self.error.as_deref() != Some(why) {
            self.error = Some(why.to_owned());
        }
    }
}
