//! One other node: whether there is a link to it, when to dial it next, how far this node follows it, what went wrong.

use super::connections::SessionId;
use super::lag::Lag;
use super::linked::Linked;
use super::readiness::{PATIENCE_US, Unready};
use super::trust::Way;
use crate::replication::persisted::Followed;
use crate::replication::wire::vector::VersionVector;
use crate::replication::wire::{Cursor, Hello, VERSION, VERSION_MIN};
use crate::store::{NodeId, Stamp};

/// Pause before the second dial; it doubles with each further one.
const PAUSE_US_MIN: u64 = 100_000;
const PAUSE_US_MAX: u64 = 5_000_000;
/// A link that stayed up for so long ends the row of failures.
const STAYED_US: u64 = 5_000_000;
/// So long others are not asked for the writes of a peer whose link was lost: it may come back at once.
const GRACE_US: u64 = 500_000;

/// Bytes over all links to a peer since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

/// Whether a connection of this node's own is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dial {
    /// The next one is due then.
    Due { at_us: u64 },
    /// This connection is being set up.
    UnderWay(SessionId),
}

/// See the module.
pub(in crate::replication) struct Peer {
    id: NodeId,
    dial: Dial,
    /// How to dial next where there is a choice.
    way: Way,
    linked: Option<Linked>,
    /// Of the frames: the one to offer.
    version: u16,
    /// Since when it is in its state.
    since_us: u64,
    /// When there was a link last, or when this node began.
    lost_us: u64,
    /// How far this node follows its list.
    pub(in crate::replication) cursor: Cursor,
    /// How far it was sent this node's list, while there is no link that says so: in an earlier incarnation, or over an
    /// earlier link.
    sent: Cursor,
    /// How far it was in this node's list when it last said so to this incarnation, in all writes; in own ones, and on
    /// its disk.
    reached: Option<u64>,
    received_lag: Lag,
    durable_lag: Lag,
    /// So long this node is not ready without a link.
    awaited_until_us: u64,
    /// What its data file has for certain.
    durable_vector: VersionVector,
    /// Whether deletions are collected without it; it gets a full listing when it comes back.
    forsaken: bool,
    error: Option<String>,
    /// Whether one of the two refuses the link until something is mended.
    refused: bool,
    /// What its wall clock was ahead by when it last said so, less the way here.
    skew_ms: Option<i64>,
    /// Bytes that came and went over its links.
    traffic: Traffic,
    /// Links that were lost.
    losses: u64,
    /// Dials that did not become a link, in all.
    retries: u64,
    /// ... in a row.
    failures: u32,
}

impl Peer {
    /// One that is to be dialed at once, and was followed so far before.
    pub(super) fn new(id: NodeId, followed: Followed, now_us: u64) -> Peer {
        let Followed { cursor, sent } = followed;
        Peer {
            id,
            dial: Dial::Due { at_us: now_us },
            way: Way::Encrypted,
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
            refused: false,
            skew_ms: None,
            traffic: Traffic::default(),
            losses: 0,
            retries: 0,
            failures: 0,
        }
    }

    /// A dial begins; until then it has to have become a connection.
    pub(super) fn begin_dial(&mut self, until_us: u64) {
        self.dial = Dial::Due { at_us: until_us };
    }

    /// This connection is being set up.
    pub(super) fn dialing(&mut self, session: SessionId) {
        self.dial = Dial::UnderWay(session);
    }

    /// Whatever was dialed is over; the next dial is due then.
    pub(super) fn dial_at(&mut self, at_us: u64) {
        self.dial = Dial::Due { at_us };
    }

    /// It does not speak TLS: the next dial goes without.
    pub(super) fn try_plain(&mut self) {
        self.way = Way::Plain;
    }

    /// A dial has not become a link.
    pub(super) fn note_retry(&mut self) {
        self.retries += 1;
    }

    /// A hello has come that fits: before there is a link.
    pub(in crate::replication) fn greeted(&mut self, hello: &Hello) {
        if self.cursor.incarnation != hello.incarnation {
            // Where in its new list that is, the peer will say.
            self.cursor = Cursor { incarnation: hello.incarnation, direct: 0, relay: 0 };
        }
        // A disk that was wiped or put back holds less than was heard of it.
        self.durable_vector = self.durable_vector.intersection(&hello.vector);
    }

    /// It does not speak the version that was offered: the one before it is next.
    pub(in crate::replication) fn offer_other_version(&mut self) {
        self.version = if self.version > VERSION_MIN { self.version - 1 } else { VERSION };
    }

    /// It wants more than the version that was offered.
    pub(in crate::replication) fn offer_latest_version(&mut self) {
        self.version = VERSION;
    }

    /// It offers this version, or agrees to it.
    pub(in crate::replication) fn agree_on_version(&mut self, version: u16) {
        self.version = version;
    }

    /// It has said how far it is in this node's list: over its link, and with its own writes on disk up to `durable`.
    pub(in crate::replication) fn note_reached(&mut self, durable: Option<u64>, now_us: u64) {
        let Some(linked) = &self.linked else { return };
        self.reached = Some(linked.outbound.reached());
        self.received_lag.reach(linked.outbound.received().direct, now_us);
        if let Some(durable) = durable {
            self.durable_lag.reach(durable, now_us);
        }
    }

    /// Takes note of how long changes wait for the peer's word, linked or not, and whether this node has caught up.
    /// `is_purging` says that a full listing of the peer is being worked in.
    pub(in crate::replication) fn note_tick(&mut self, tail: u64, is_purging: bool, now_us: u64) {
        self.received_lag.note(tail, now_us);
        self.durable_lag.note(tail, now_us);
        if let Some(linked) = &mut self.linked {
            let is_comparing = linked.inbound.listing.is_some() || is_purging;
            linked.catching_up.note(self.cursor, linked.inbound.listings, is_comparing);
        }
    }

    /// There is a link. Returns the connections that it replaces. `own` is this node.
    pub(in crate::replication) fn link_up(
        &mut self,
        linked: Linked,
        own: NodeId,
        now_us: u64,
    ) -> [Option<SessionId>; 2] {
        let session = linked.session();
        let earlier = self.linked.replace(linked);
        self.note_reached(None, now_us);
        self.since_us = if earlier.is_some() { self.since_us } else { now_us };
        (self.error, self.refused) = (None, false);
        self.forsaken = false;
        let pending = match self.dial {
            Dial::UnderWay(other) if other != session => Some(other),
            Dial::UnderWay(_) | Dial::Due { .. } => None,
        };
        // A dial of the lower id goes on: its link is the one that stays.
        let pending = pending.filter(|_| self.id < own);
        if pending.is_some() || self.is_dialing(session) {
            self.dial_at(now_us);
        }
        [earlier.map(|earlier| earlier.session()), pending]
    }

    /// It said what its data file has.
    pub(in crate::replication) fn note_durable(&mut self, vector: &VersionVector) {
        self.durable_vector.clone_from(vector);
    }

    /// It said what time it is.
    pub(in crate::replication) fn note_clock(&mut self, its_unix_ms: u64, unix_ms: u64) {
        self.skew_ms = Some(its_unix_ms as i64 - unix_ms as i64);
    }

    /// So many bytes came over its link.
    pub(in crate::replication) fn note_received(&mut self, count: usize) {
        self.traffic.bytes_in += count as u64;
    }

    /// So many bytes went over its link.
    pub(in crate::replication) fn note_sent(&mut self, count: usize) {
        self.traffic.bytes_out += count as u64;
    }

    /// Deletions are collected without it from here on.
    pub(in crate::replication) fn forsake(&mut self) {
        self.forsaken = true;
    }

    /// It was refused, for this reason.
    pub(super) fn note_refused(&mut self, why: &str) {
        (self.error, self.refused) = (Some(why.to_owned()), true);
    }

    /// The link is gone, or never came to be. `slowly` where the other side says that a quick dial is of no use.
    pub(super) fn retry(&mut self, why: &str, slowly: bool, now_us: u64, random: &mut fastrand::Rng) {
        self.sent = self.sent();
        self.way = Way::Encrypted;
        let linked_us = self.since_us;
        if let Some(linked) = self.linked.take() {
            self.losses += 1;
            (self.lost_us, self.since_us) = (now_us, now_us);
            // Its next incarnation may be of a later version.
            self.version = VERSION;
            if !linked.catching_up.is_done() {
                self.awaited_until_us = now_us + PATIENCE_US;
            }
            self.failures = if now_us - linked_us >= STAYED_US { 0 } else { self.failures };
        }
        let pause_us = if slowly { PAUSE_US_MAX } else { (PAUSE_US_MIN << self.failures.min(10)).min(PAUSE_US_MAX) };
        self.failures += 1;
        // Between a half and a whole: two nodes that lost each other at once do not dial at once for ever.
        self.dial_at(now_us + random.u64(pause_us / 2..=pause_us));
        self.refused = slowly;
        if self.error.as_deref() != Some(why) {
            self.error = Some(why.to_owned());
        }
    }

    /// Gives up whatever connections there are, and returns them.
    pub(super) fn give_up(self) -> GivenUp {
        // Beside a link, too, a dial may be under way.
        let dialed = match self.dial {
            Dial::UnderWay(session) => Some(session),
            Dial::Due { .. } => None,
        };
        let followed = Followed { cursor: self.cursor, sent: self.sent() };
        GivenUp { followed, connections: [self.linked.map(|linked| linked.session()), dialed] }
    }

    /// Its place in the list of members.
    pub(in crate::replication) fn id(&self) -> NodeId {
        self.id
    }

    /// The link, where there is one.
    pub(in crate::replication) fn linked(&self) -> Option<&Linked> {
        self.linked.as_ref()
    }

    /// The link, where there is one.
    pub(in crate::replication) fn linked_mut(&mut self) -> Option<&mut Linked> {
        self.linked.as_mut()
    }

    /// Whether there is a link.
    pub(in crate::replication) fn is_linked(&self) -> bool {
        self.linked.is_some()
    }

    /// Whether this connection is the one that is being set up.
    pub(super) fn is_dialing(&self, session: SessionId) -> bool {
        self.dial == Dial::UnderWay(session)
    }

    /// How to dial next where there is a choice.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// When to dial, in monotonic microseconds; `None` while there is a link or a dial is under way.
    pub(super) fn dial_us(&self) -> Option<u64> {
        match self.dial {
            Dial::Due { at_us } if self.linked.is_none() => Some(at_us),
            Dial::Due { .. } | Dial::UnderWay(_) => None,
        }
    }

    /// Whether its writes come first-hand, or will at once; and until when the latter is believed.
    pub(super) fn first_hand(&self, now_us: u64) -> FirstHand {
        let until_us = self.lost_us + GRACE_US;
        match &self.linked {
            Some(_) => FirstHand::Yes,
            None if now_us < until_us => FirstHand::Soon { until_us },
            None => FirstHand::No,
        }
    }

    /// How far it was sent this node's list.
    pub(in crate::replication) fn sent(&self) -> Cursor {
        self.linked.as_ref().map_or(self.sent, |linked| linked.outbound.sent())
    }

    /// How far it was sent this node's list before the link that is there, if any.
    pub(in crate::replication) fn sent_before(&self) -> Cursor {
        self.sent
    }

    /// What its data file has for certain.
    pub(in crate::replication) fn durable_vector(&self) -> &VersionVector {
        &self.durable_vector
    }

    /// Whether deletions are collected without it.
    pub(in crate::replication) fn is_forsaken(&self) -> bool {
        self.forsaken
    }

    /// The version of the frames to offer.
    pub(in crate::replication) fn version(&self) -> u16 {
        self.version
    }

    /// Whether it has said that it has this write, which stands at `position` of this node's list, or a newer one.
    pub(in crate::replication) fn has_said_of(&self, stamp: Stamp, position: u64) -> bool {
        match &self.linked {
            Some(linked) => linked.outbound.has_said_of(stamp, position),
            None => self.reached.is_some_and(|reached| reached >= position) || self.durable_vector.covers(stamp),
        }
    }

    /// Why this node is not ready because of it.
    pub(super) fn unready(&self, now_us: u64) -> Option<Unready> {
        match &self.linked {
            Some(linked) => (!linked.catching_up.is_done()).then_some(Unready::CatchingUp(self.id)),
            None => (now_us < self.awaited_until_us).then_some(Unready::NotReached(self.id)),
        }
    }

    /// How far it is known to be in this node's list; where it has not said since the start, how far it was sent that.
    pub(super) fn reached(&self) -> u64 {
        let sent = self.sent();
        self.reached.unwrap_or(sent.direct.min(sent.relay))
    }

    /// How long own writes take until it has them.
    pub(super) fn received_lag(&self) -> &Lag {
        &self.received_lag
    }

    /// ... on disk.
    pub(super) fn durable_lag(&self) -> &Lag {
        &self.durable_lag
    }

    /// Why there is no link.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Whether one of the two refuses the link until something is mended.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// What its wall clock was ahead by when it last said so, less the way here, in milliseconds.
    pub(super) fn skew_ms(&self) -> Option<i64> {
        self.skew_ms
    }

    /// Bytes that came and went over its links.
    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Links that were lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses
    }

    /// Dials that did not become a link, in all.
    pub(super) fn retries(&self) -> u64 {
        self.retries
    }

    /// Since when it is linked, or not.
    pub(super) fn since_us(&self) -> u64 {
        self.since_us
    }

    /// Whether a dial is under way.
    pub(super) fn has_dial(&self) -> bool {
        matches!(self.dial, Dial::UnderWay(_))
    }
}

/// What is left of a peer that is removed.
pub(super) struct GivenUp {
    pub(super) followed: Followed,
    pub(super) connections: [Option<SessionId>; 2],
}

/// Whether a peer's writes come from itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstHand {
    Yes,
    /// It is expected back until then.
    Soon {
        until_us: u64,
    },
    No,
}
