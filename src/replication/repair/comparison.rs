//! Whether two stores are the same, as their digests say when nothing is under way.

use crate::replication::wire::Ack;
use crate::store::Content;

/// A peer to whose list nothing was added for so long will not get what is withheld for it from the node that wrote
/// it.
const STILL_US: u64 = 2_000_000;
/// Least time between two repairs of one link.
const REPAIR_US: u64 = 60_000_000;

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

impl Agreement {
    /// Of two digests, both taken where each side had all that the other has. Keys that expire count only where two
    /// clocks that differ by `drift_ms_max` cannot disagree about them.
    pub(in crate::replication) fn of(own: Content, own_ms: u64, ack: &Ack, drift_ms_max: u64) -> Agreement {
        let latest_ms = own_ms.max(ack.unix_ms).saturating_add(drift_ms_max);
        let may_have_expired = [own, ack.content].iter().any(|content| content.next_expiry <= latest_ms);
        if ack.content.is_same(&own) {
            Agreement::Agrees
        } else if ack.content.is_same_but_expiring(&own) && may_have_expired {
            Agreement::Unknown
        } else {
            Agreement::Diverged
        }
    }
}

/// What is known of a linked peer's store beside positions.
pub(in crate::replication) struct Comparison {
    agreement: Agreement,
    repaired_us: Option<u64>,
    /// Whether the peer compares its store with a full listing, or has seen that the stores differ.
    is_peer_comparing: bool,
    /// The end of the peer's list, and since when it is that.
    position: u64,
    still_us: u64,
}

impl Comparison {
    /// Nothing was compared.
    pub(in crate::replication) fn new(now_us: u64) -> Comparison {
        Comparison {
            agreement: Agreement::Unknown,
            repaired_us: None,
            is_peer_comparing: false,
            position: 0,
            still_us: now_us,
        }
    }

    /// The peer said how far it is.
    pub(in crate::replication) fn acknowledged(&mut self, ack: &Ack, now_us: u64) {
        self.is_peer_comparing = ack.busy || ack.diverged;
        if self.position != ack.position {
            (self.position, self.still_us) = (ack.position, now_us);
        }
    }

    /// What digests have said. Returns whether that is new.
    pub(in crate::replication) fn decided(&mut self, agreement: Agreement) -> bool {
        let is_new = self.agreement != agreement;
        self.agreement = agreement;
        is_new
    }

    /// Whether everything may be sent again, for the sake of a difference; and that it is.
    pub(in crate::replication) fn may_repair(&mut self, now_us: u64) -> bool {
        let may = self.repaired_us.is_none_or(|last_us| now_us - last_us >= REPAIR_US);
        if may {
            self.repaired_us = Some(now_us);
        }
        may
    }

    /// What digests have said last.
    pub(in crate::replication) fn agreement(&self) -> Agreement {
        self.agreement
    }

    /// The end of the peer's list, as it said.
    pub(in crate::replication) fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing was added to the peer's list for a while.
    pub(in crate::replication) fn is_still(&self, now_us: u64) -> bool {
        self.still_us + STILL_US <= now_us
    }

    /// Whether one of both sides compares stores, or will.
    pub(in crate::replication) fn is_comparing(&self) -> bool {
        self.is_peer_comparing || self.agreement == Agreement::Diverged
    }
}
