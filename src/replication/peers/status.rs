//! What a person sees of replication.

use super::Peers;
use super::linked::Linked;
use crate::replication::repair::comparison::Agreement;
use crate::store::{NodeId, Store};

/// One peer, in words and numbers.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its place in the list of members.
    pub id: NodeId,
    /// Where it is dialed.
    pub address: String,
    /// `linked`, `dialing`, `waiting` or `catching up`.
    pub state: &'static str,
    /// For how long it has been in that state, linked or not.
    pub since_ms: u64,
    /// Own changes, and others', that it has not acknowledged, linked or not; where it was not linked since the start,
    /// those that it was not sent before.
    pub lag_changes: usize,
    /// ... that it does not have on disk. `None`: it has not said since the start.
    pub lag_changes_durable: Option<usize>,
    /// Time that a change takes until it is acknowledged, or that one has waited for that. `None`: as above.
    pub lag_ms: Option<u64>,
    /// ... until it is on its disk.
    pub lag_ms_durable: Option<u64>,
    /// `agrees`, `behind by N`, `this node is behind`, `comparing`, `DIVERGED`, or, without a link, `unknown`.
    pub agreement: String,
    /// In what its list of nodes or its limits differ from this node's, while there is a link.
    pub difference: Option<String>,
    /// What went wrong last, while there is no link.
    pub error: Option<String>,
    /// Whether one of the two refuses the link until something is mended.
    pub refused: bool,
    /// Dials that did not become a link.
    pub retries: u64,
    /// Links that were lost.
    pub losses: u64,
    /// Bytes that came over its links.
    pub bytes_in: u64,
    /// ... that went.
    pub bytes_out: u64,
    /// What its wall clock was ahead by when it last said so, less the way here. `None`: it has not.
    pub skew_ms: Option<i64>,
}

impl Peers {
    /// All peers. O(peers and segments of the change list).
    pub(in crate::replication) fn status(&self, store: &Store, now_us: u64) -> Vec<PeerStatus> {
        self.all.values().map(|peer| self.status_of(peer, store, now_us)).collect()
    }

    /// How long a change takes until each has acknowledged it, in milliseconds.
    pub(in crate::replication) fn lags(&self, now_us: u64) -> impl Iterator<Item = (NodeId, Option<u64>)> {
        self.all.values().map(move |peer| (peer.id(), peer.received_lag().ms(now_us)))
    }

    /// One of them.
    pub(in crate::replication) fn status_of(&self, peer: &super::Peer, store: &Store, now_us: u64) -> PeerStatus {
        let tail = store.last_position();
        let behind = store.count_after(peer.reached());
        let mut status = PeerStatus {
            id: peer.id(),
            address: self.members[usize::from(peer.id())].clone(),
            state: if peer.has_dial() { "dialing" } else { "waiting" },
            since_ms: now_us.saturating_sub(peer.since_us()) / 1000,
            lag_changes: behind,
            lag_changes_durable: peer.durable_lag().reached().map(|position| store.count_after(position)),
            lag_ms: peer.received_lag().ms(now_us),
            lag_ms_durable: peer.durable_lag().ms(now_us),
            agreement: "unknown".to_owned(),
            difference: peer.linked().and_then(|linked| linked.terms.difference()).map(str::to_owned),
            error: peer.error().map(str::to_owned),
            refused: peer.is_refused(),
            retries: peer.retries(),
            losses: peer.losses(),
            bytes_in: peer.traffic().bytes_in,
            bytes_out: peer.traffic().bytes_out,
            skew_ms: peer.skew_ms(),
        };
        let Some(linked) = peer.linked() else { return status };
        status.state = if linked.outbound.is_walked(tail) { "linked" } else { "catching up" };
        status.agreement = match linked.comparison.agreement() {
            Agreement::Agrees => "agrees".to_owned(),
            Agreement::Diverged => "DIVERGED".to_owned(),
            Agreement::Unknown if behind > 0 => format!("behind by {behind}"),
            Agreement::Unknown if peer.cursor.direct.min(peer.cursor.relay) < linked.comparison.position() => {
                "this node is behind".to_owned()
            }
            Agreement::Unknown => "comparing".to_owned(),
        };
        status
    }

    /// The ids of those linked peers that have acknowledged everything.
    pub(in crate::replication) fn complete(&self, store: &Store) -> Vec<String> {
        let tail = store.last_position();
        let has_all =
            |linked: &Linked| linked.outbound.is_walked(tail) && store.count_after(linked.outbound.reached()) == 0;
        self.all.values().filter(|peer| peer.linked().is_some_and(has_all)).map(|peer| peer.id().to_string()).collect()
    }
}
