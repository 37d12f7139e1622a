//! What a person sees of replication.

use super::peer::{Agreement, Tie};
use super::{Identity, Replication};
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
    /// Own changes, and others', that it has not acknowledged.
    pub lag_changes: usize,
    /// ... that it does not have on disk.
    pub lag_changes_durable: usize,
    /// Time that a change takes until it is acknowledged.
    pub lag_ms: u64,
    /// ... until it is on its disk.
    pub lag_ms_durable: u64,
    /// `agrees`, `behind by N`, `DIVERGED` or `unknown`.
    pub agreement: String,
    /// What went wrong last, while there is no link.
    pub error: Option<String>,
    /// Dials that did not become a link.
    pub retries: u64,
}

impl Replication {
    /// All peers. O(peers and segments of the change list).
    pub fn status(&self, store: &Store, now_us: u64) -> Vec<PeerStatus> {
        let tail = store.last_position();
        let status = |peer: &super::Peer| {
            let mut status = PeerStatus {
                id: peer.id,
                address: self.members[usize::from(peer.id)].clone(),
                state: if matches!(peer.tie, Tie::Dialing(_)) { "dialing" } else { "waiting" },
                since_ms: now_us.saturating_sub(peer.since_us) / 1000,
                lag_changes: 0,
                lag_changes_durable: 0,
                lag_ms: 0,
                lag_ms_durable: 0,
                agreement: "unknown".to_owned(),
                error: peer.error.clone(),
                retries: peer.retries,
            };
            let Some(linked) = &peer.linked else { return status };
            let behind = store.count_after(linked.link.reached());
            status.state = if linked.link.is_walked(tail) { "linked" } else { "catching up" };
            status.lag_changes = behind;
            status.lag_changes_durable = store.count_after(linked.link.durable.direct);
            status.lag_ms = linked.received_lag.ms(now_us);
            status.lag_ms_durable = linked.durable_lag.ms(now_us);
            status.agreement = match linked.agreement {
                Agreement::Agrees => "agrees".to_owned(),
                Agreement::Diverged => "DIVERGED".to_owned(),
                Agreement::Unknown => format!("behind by {behind}"),
            };
            status
        };
        self.peers.values().map(status).collect()
    }

    /// Peers with a link.
    pub fn linked(&self) -> usize {
        self.peers.values().filter(|peer| peer.linked.is_some()).count()
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Peers in all.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }
}
