//! A peer with a link: the link, and what is kept beside it for as long as it lasts.

use super::acknowledging::Acknowledging;
use super::connections::SessionId;
use super::liveness::Liveness;
use super::readiness::CatchingUp;
use super::terms::Agreed;
use crate::replication::link::Link;
use crate::replication::link::chunks::ChunkReceiver;
use crate::replication::repair::comparison::Comparison;
use crate::replication::repair::purge::IncomingListing;
use crate::replication::wire::vector::VersionVector;
use crate::replication::wire::{Hello, VERSION_WITH_DATABASES, VERSION_WITH_STATUS, VERSION_WITH_TERMS};

/// So long after a frame changes gather for the next, unless they fill one: a write to a socket and waking the peer
/// cost as much as many changes do. The first after a pause goes at once.
const FRAME_PAUSE_US: u64 = 500;

/// See the module. What goes out, what comes in, and what is measured, each with an owner.
pub(in crate::replication) struct Linked {
    session: SessionId,
    dialed: bool,
    pub(in crate::replication) outbound: Link,
    /// When changes last went.
    sent_us: u64,
    pub(in crate::replication) acknowledging: Acknowledging,
    pub(in crate::replication) inbound: Incoming,
    pub(in crate::replication) liveness: Liveness,
    pub(in crate::replication) comparison: Comparison,
    /// Whether this node has what the peer had when the link began.
    pub(in crate::replication) catching_up: CatchingUp,
    /// What the peer runs with, and in what that differs.
    pub(in crate::replication) terms: Agreed,
    /// Of the frames.
    version: u16,
}

/// What comes in over several frames.
pub(in crate::replication) struct Incoming {
    /// A large value.
    pub(in crate::replication) chunks: ChunkReceiver,
    /// A full listing.
    pub(in crate::replication) listing: Option<IncomingListing>,
    /// Full listings that have come.
    pub(in crate::replication) listings: u64,
    /// What deletions the peer had forgotten when the link began. Where a listing comes, this node has no trace of them
    /// either once that is worked in, and has to see to it that others have not.
    collected: VersionVector,
}

impl Incoming {
    /// What deletions the peer had forgotten when the link began.
    pub(in crate::replication) fn collected(&self) -> &VersionVector {
        &self.collected
    }
}

impl Linked {
    /// A link that begins.
    pub(in crate::replication) fn new(
        session: SessionId,
        dialed: bool,
        hello: &Hello,
        outbound: Link,
        awaits_listing: bool,
        now_us: u64,
    ) -> Linked {
        Linked {
            session,
            dialed,
            outbound,
            sent_us: 0,
            acknowledging: Acknowledging::new(now_us),
            inbound: Incoming {
                chunks: ChunkReceiver::default(),
                listing: None,
                listings: 0,
                collected: hello.collected.clone(),
            },
            liveness: Liveness::new(now_us),
            comparison: Comparison::new(now_us),
            catching_up: CatchingUp::new(awaits_listing),
            terms: Agreed::new(hello.members.clone()),
            version: hello.version,
        }
    }

    /// Changes went.
    pub(in crate::replication) fn sent_changes(&mut self, now_us: u64) {
        self.sent_us = now_us;
    }

    /// Whether it understands terms and messages of shard channels.
    pub(in crate::replication) fn knows_terms(&self) -> bool {
        self.version >= VERSION_WITH_TERMS
    }

    /// Whether it understands how nodes are.
    pub(in crate::replication) fn knows_statuses(&self) -> bool {
        self.version >= VERSION_WITH_STATUS
    }

    /// The version of the frames.
    pub(in crate::replication) fn version(&self) -> u16 {
        self.version
    }

    /// Whether it knows databases other than 0.
    pub(in crate::replication) fn knows_databases(&self) -> bool {
        self.version >= VERSION_WITH_DATABASES
    }

    /// The connection.
    pub(in crate::replication) fn session(&self) -> SessionId {
        self.session
    }

    /// Whether this node has dialed it.
    pub(in crate::replication) fn is_dialed(&self) -> bool {
        self.dialed
    }

    /// When changes that fill no frame may go.
    pub(in crate::replication) fn walk_us(&self) -> u64 {
        self.sent_us + FRAME_PAUSE_US
    }

    /// Whether a full listing is owed or under way in either direction, or will be.
    pub(in crate::replication) fn is_comparing(&self) -> bool {
        self.outbound.is_listing() || self.inbound.listing.is_some() || self.comparison.is_comparing()
    }
}
