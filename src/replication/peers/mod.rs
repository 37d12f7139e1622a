//! The other nodes: who they are, which connection leads to each, when to dial whom.
//!
//! - `peer`: one of them; `linked`: ... while there is a link
//! - `acknowledging`, `liveness`, `lag`: when to say how far this node is, whether the peer lives, how long it takes
//! - `connections`: connections, whatever they are for
//! - `handshake`: who may become a link; `trust`: who has to prove the cluster's secret before; `strangers`: who did not
//! - `incarnations`: positions of earlier incarnations of this node
//! - `readiness`: whether this node has caught up; `terms`: what all nodes should be told alike, and are not
//! - `status`: what a person sees of it
//!
//! Both sides of a pair dial; of two links the one dialed by the lower id stays.

pub(in crate::replication) mod acknowledging;
pub(in crate::replication) mod connections;
pub(in crate::replication) mod handshake;
pub(in crate::replication) mod incarnations;
mod lag;
pub(in crate::replication) mod linked;
pub(in crate::replication) mod liveness;
pub(in crate::replication) mod peer;
pub(in crate::replication) mod readiness;
pub(in crate::replication) mod status;
pub(in crate::replication) mod strangers;
pub(in crate::replication) mod terms;
pub(in crate::replication) mod trust;

use std::collections::BTreeMap;

use connections::{HANDSHAKE_US, Role, SessionId};
use linked::Linked;
use peer::{FirstHand, GivenUp, Peer};
use readiness::Unready;
use strangers::Repeats;
use trust::{Trust, Way};

use super::persisted::{Followed, PersistedState};
use crate::store::NodeId;

/// So long an encrypted connection may take to be set up before the peer is dialed again: longer than whoever sets it up
/// tries.
const ENCRYPTING_US: u64 = 6_000_000;

/// Log lines at once about those who are refused and are no peers, or refuse.
const REFUSALS_AT_ONCE: u64 = 8;

/// A connection to a peer that is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDial {
    /// To whom.
    pub peer: NodeId,
    /// Where that is, as the list of nodes has it.
    pub address: String,
    /// How.
    pub way: Way,
}

/// All of them. It decides when to dial whom.
pub(in crate::replication) struct Peers {
    own: NodeId,
    /// The addresses of all nodes, by id; empty where one was removed.
    members: Vec<String>,
    /// Counts the lists of them.
    members_number: u64,
    all: BTreeMap<NodeId, Peer>,
    /// How far nodes that are no peers at present were followed.
    strangers: BTreeMap<NodeId, Followed>,
    /// About those who dialed and are no peers, or went away with a reason.
    refusals: Repeats,
    refusals_there: Repeats,
    /// Decides about pauses between dials.
    random: fastrand::Rng,
}

impl Peers {
    /// None yet, of the node `own`. `persisted` says how far each was followed.
    pub(in crate::replication) fn new(own: NodeId, persisted: &PersistedState, seed: u64) -> Peers {
        Peers {
            own,
            members: Vec::new(),
            members_number: 0,
            all: BTreeMap::new(),
            strangers: persisted.follows(),
            refusals: Repeats::new(REFUSALS_AT_ONCE),
            refusals_there: Repeats::new(REFUSALS_AT_ONCE),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Whether a changed list of nodes can be taken over: who stays must keep its place and address.
    pub(in crate::replication) fn check_members(&self, members: &[String]) -> Result<(), String> {
        for (id, (old, new)) in self.members.iter().zip(members).enumerate() {
            if !old.is_empty() && !new.is_empty() && old != new {
                return Err(format!("node {id} would change from {old} to {new}, but an id in use keeps its address"));
            }
        }
        if members.get(usize::from(self.own)).is_none_or(String::is_empty) {
            return Err(format!("this node, {}, is not in it", self.own));
        }
        Ok(())
    }

    /// Takes over a list of nodes. Returns the connections of those that were removed.
    pub(in crate::replication) fn set_members(&mut self, members: Vec<String>, now_us: u64) -> Vec<SessionId> {
        let own = usize::from(self.own);
        let is_peer = |id: usize| id != own && members.get(id).is_some_and(|member| !member.is_empty());
        let mut given_up = Vec::new();
        let removed: Vec<NodeId> = self.all.keys().copied().filter(|&id| !is_peer(id.into())).collect();
        for id in removed {
            let peer = self.all.remove(&id).expect("ids come from the map");
            let GivenUp { followed, connections } = peer.give_up();
            self.strangers.insert(id, followed);
            given_up.extend(connections.into_iter().flatten());
            log::info!(event = "peer_removed", peer = id; "node {id} was removed from the cluster");
        }
        for id in (0..members.len()).filter(|&id| is_peer(id)) {
            let id = id as NodeId;
            let followed = self.strangers.remove(&id).unwrap_or_default();
            self.all.entry(id).or_insert_with(|| Peer::new(id, followed, now_us));
        }
        self.members = members;
        self.members_number += 1;
        given_up
    }

    /// The peer to dial now, if any.
    pub(in crate::replication) fn next_dial(&mut self, trust: &Trust, now_us: u64) -> Option<DueDial> {
        let peer = self.all.values_mut().find(|peer| peer.dial_us().is_some_and(|due_us| due_us <= now_us))?;
        let way = trust.way(peer.way());
        peer.begin_dial(now_us + if way == Way::Plain { HANDSHAKE_US } else { ENCRYPTING_US });
        Some(DueDial { peer: peer.id(), address: self.members[usize::from(peer.id())].clone(), way })
    }

    /// A connection to the peer is being set up. Returns whether it is wanted.
    pub(in crate::replication) fn dialing(&mut self, session: SessionId, id: NodeId) -> bool {
        let peer = self.all.get_mut(&id).filter(|peer| !peer.is_linked());
        peer.is_some_and(|peer| {
            peer.dialing(session);
            true
        })
    }

    /// No connection could even be tried.
    pub(in crate::replication) fn dial_failed(&mut self, id: NodeId, why: &str, now_us: u64) {
        if let Some(peer) = self.all.get_mut(&id).filter(|peer| !peer.is_linked()) {
            peer.note_retry();
            peer.retry(why, false, now_us, &mut self.random);
        }
    }

    /// Who answers there does not speak TLS as nodes with a secret do.
    pub(in crate::replication) fn not_encrypted(&mut self, id: NodeId, why: &str, now_us: u64) {
        let address = &self.members[usize::from(id)];
        if self.all.get(&id).is_some_and(|peer| !peer.is_linked() && peer.error() != Some(why)) {
            log::warn!(
                event = "peer_unreachable", peer = id, why;
                "cannot link to node {id} at {address} over TLS: {why}"
            );
        }
        self.dial_failed(id, why, now_us);
        if let Some(peer) = self.all.get_mut(&id) {
            peer.try_plain();
        }
    }

    /// A connection has ended that was for this; what that means for its peer. `slowly` where the other side says that
    /// a quick dial is of no use.
    pub(in crate::replication) fn lost(
        &mut self,
        session: SessionId,
        role: Role,
        why: &str,
        slowly: bool,
        now_us: u64,
    ) {
        let (Role::Dialed(id) | Role::Linked(id)) = role else { return };
        let Some(peer) = self.all.get_mut(&id) else { return };
        match (peer.linked().map(Linked::session), role) {
            (Some(linked), Role::Linked(_)) if linked == session => {
                log::warn!(event = "peer_lost", peer = id, why; "link to node {id} lost: {why}");
                peer.retry(why, slowly, now_us, &mut self.random);
            }
            (None, Role::Dialed(_)) if peer.is_dialing(session) => {
                peer.note_retry();
                if peer.error() != Some(why) {
                    log::warn!(
                        event = "peer_unreachable", peer = id, why;
                        "cannot link to node {id} at {}: {why}", self.members[usize::from(id)]
                    );
                }
                peer.retry(why, slowly, now_us, &mut self.random);
            }
            (Some(_), Role::Dialed(_)) => peer.dial_at(now_us),
            (_, Role::Linked(_) | Role::Dialed(_) | Role::Accepted | Role::Over) => (),
        }
    }

    /// A node that dialed was refused for this reason.
    pub(in crate::replication) fn note_refusal(&mut self, from: NodeId, why: &str, now_us: u64) {
        match self.all.get_mut(&from).filter(|peer| !peer.is_linked()) {
            Some(peer) if peer.error() == Some(why) => (),
            Some(peer) => {
                log::warn!(event = "link_refused", peer = from, why; "refused a link from node {from}: {why}");
                peer.note_refused(why);
            }
            None => {
                if let Some(more) = self.refusals.due(now_us) {
                    log::warn!(event = "link_refused", why; "refused a link: {why}{more}");
                }
            }
        }
    }

    /// Who has dialed has refused this node, for this reason.
    pub(in crate::replication) fn note_refusal_there(&mut self, why: &str, now_us: u64) {
        if let Some(more) = self.refusals_there.due(now_us) {
            log::warn!(event = "link_refused_there", why; "a node hung up: {why}{more}");
        }
    }

    pub(in crate::replication) fn get(&self, id: NodeId) -> Option<&Peer> {
        self.all.get(&id)
    }

    pub(in crate::replication) fn get_mut(&mut self, id: NodeId) -> Option<&mut Peer> {
        self.all.get_mut(&id)
    }

    /// The peer's link, where there is one.
    pub(in crate::replication) fn linked_mut(&mut self, id: NodeId) -> Option<&mut Linked> {
        self.all.get_mut(&id)?.linked_mut()
    }

    /// All of them, in the order of their ids.
    pub(in crate::replication) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.all.values()
    }

    pub(in crate::replication) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.all.values_mut()
    }

    /// All links.
    pub(in crate::replication) fn links(&self) -> impl Iterator<Item = &Linked> {
        self.all.values().filter_map(Peer::linked)
    }

    pub(in crate::replication) fn links_mut(&mut self) -> impl Iterator<Item = &mut Linked> {
        self.all.values_mut().filter_map(Peer::linked_mut)
    }

    /// The nodes whose writes come first-hand, or will at once; and until when the latter is believed.
    pub(in crate::replication) fn first_hand(&self, now_us: u64) -> (impl Iterator<Item = NodeId> + Clone, u64) {
        let all = self.all.values().map(move |peer| (peer.id(), peer.first_hand(now_us)));
        let believed = all.clone().filter_map(|(_, first_hand)| match first_hand {
            FirstHand::Soon { until_us } => Some(until_us),
            FirstHand::Yes | FirstHand::No => None,
        });
        let until_us = believed.min().unwrap_or(u64::MAX);
        (all.filter(|(_, first_hand)| *first_hand != FirstHand::No).map(|(id, _)| id), until_us)
    }

    /// How far each node that was ever a peer is followed.
    pub(in crate::replication) fn follows(&self) -> impl Iterator<Item = (NodeId, Followed)> {
        let peers = self.all.values().map(|peer| (peer.id(), Followed { cursor: peer.cursor, sent: peer.sent() }));
        peers.chain(self.strangers.iter().map(|(&id, &followed)| (id, followed)))
    }

    /// Whether any node was ever linked to this one, in this incarnation or, as far as the data file knows, an earlier
    /// one.
    pub(in crate::replication) fn has_met_any(&self) -> bool {
        self.follows().any(|(_, Followed { cursor, sent })| cursor.incarnation != 0 || sent.incarnation != 0)
    }

    /// Why this node is not ready.
    pub(in crate::replication) fn unready(&self, now_us: u64) -> Option<Unready> {
        self.all.values().find_map(|peer| peer.unready(now_us))
    }

    /// Counts the lists of members.
    pub(in crate::replication) fn members_number(&self) -> u64 {
        self.members_number
    }

    /// When the next dial is due, in monotonic microseconds.
    pub(in crate::replication) fn dial_us(&self) -> u64 {
        self.all.values().filter_map(Peer::dial_us).min().unwrap_or(u64::MAX)
    }

    /// The addresses of all nodes, by id; empty where one was removed.
    pub(in crate::replication) fn members(&self) -> &[String] {
        &self.members
    }

    pub(in crate::replication) fn len(&self) -> usize {
        self.all.len()
    }

    pub(in crate::replication) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in crate::replication) fn contains(&self, id: NodeId) -> bool {
        self.all.contains_key(&id)
    }
}
