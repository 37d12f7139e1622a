//! What nodes tell each other, as a state machine: bytes of peers in, bytes for peers and changes for the store out.
//!
//! # The problem
//!
//! Every node takes writes, any node may be away, and all that can reach each other must end with the same data,
//! without a queue for whoever is away and without ever sending everything again.
//!
//! # The idea
//!
//! Each node has one *change list*: every live entry once, in the order in which it was last changed here. A peer that
//! follows the node is a *cursor* on that list. It sees each key once, in its latest state, however often it was
//! written meanwhile, and costs a few integers. What a peer has need not be sent: its *version vector* says which
//! writes of which node it has, or has newer than. Of two writes of a key the one with the higher *stamp* stays,
//! everywhere.
//!
//! A node sends its own writes to everybody (*direct*). It passes on the writes of a third node only to a peer that
//! says that it does not hear that node first-hand (*relay*). So in a healthy mesh nothing is sent twice, and a cut
//! between two nodes is bridged by any third.
//!
//! # An example
//!
//! Nodes 0, 1 and 2; the link between 0 and 2 is cut. Node 0 writes `color=blue` as stamp (7, 0).
//!
//! 1. Node 0 sends it to node 1, and *claims*: "with this frame you have all of mine up to 7".
//! 2. Node 2 has told node 1 that it hears only 1 first-hand. So the relay of the link from 1 to 2 sends (7, 0), and
//!    claims the same for node 0: node 2's vector covers (7, 0).
//! 3. Node 1 overwrites `color=green` as (9, 1) just before step 2. Then (7, 0) stands in no list any more. The link
//!    sends (9, 1), and may still claim (7, 0): "or something newer".
//! 4. The case that is hard: node 1 had not sent (7, 0) to node 2, and the write that replaced it was not its own but
//!    node 3's, (9, 3), which node 2 hears first-hand. If the link skipped (9, 3), since node 3 sends it, and claimed
//!    (7, 0), then a death of node 3 before it has reached node 2 leaves a cluster that believes node 2 to have all of
//!    node 0's writes, while its `color` is older than (7, 0). So what overwrites an unsent write is *piggybacked*:
//!    sent, whoever wrote it.
//! 5. The cut heals. Node 2 says in its hello what its vector covers, and node 0 sends nothing of all this again.
//!
//! # What can go wrong
//!
//! - A crash takes back what was not committed. Positions and stamps go with an incarnation, so
//!   nobody takes those issued again for those of before.
//! - A disk that was wiped or put back forgets more than that: `repair::rollback`.
//! - A deletion is forgotten once everybody has it on disk. Who comes back with a disk that is older gets a full
//!   listing: `repair::purge`.
//! - A mistake of ours: digests of both stores show it, and both sides send everything again: `repair::comparison`.
//!
//! # The rooms
//!
//! - [`wire`]: every frame: who sends it, when, why
//! - `link`: cursors, and what goes out
//! - `peers`: connections, handshake, incarnations
//! - `repair`: what is done where stores differ
//! - `knowledge`: what this node has of everybody's writes; `persisted`: what the data file keeps of that
//! - `connecting`: connections that begin: whom to dial, and who dials
//! - `frames`, `inbound`: what a peer's bytes lead to, and what the frames of a link do here
//! - `unproven`: what is said and heard before the other side has proven the cluster's secret, where there is one
//! - `conflicts`: writes to one key that did not know of each other, counted
//! - `exchange`, `outbound`: what one tick does, and what it sends to a peer
//! - `telling`: what peers are told beside changes: what clients publish, and how nodes are; `heard`: what
//!   they say
//!
//! It does not know sockets: whoever owns one says that a dial succeeded or failed, brings bytes and takes bytes away.

mod conflicts;
mod connecting;
mod exchange;
mod frames;
mod heard;
mod here;
mod inbound;
mod knowledge;
mod limits;
mod link;
mod outbound;
mod over_memory;
mod peers;
mod persisted;
mod repair;
mod telling;
mod unproven;
pub mod wire;

pub use conflicts::Conflicts;
use heard::Statuses;
pub use heard::{HeardStatus, Message};
pub use here::Here;
use knowledge::Knowledge;
pub use limits::Limits;
pub use link::chunks::WHOLE_BYTES_MAX;
use over_memory::OverMemory;
pub use peers::DueDial;
use peers::Peers;
use peers::connections::{Connections, Role, Standing};
pub use peers::connections::{SessionId, Turn, connections_max};
use peers::incarnations::Incarnations;
use peers::linked::Linked;
use peers::peer::Peer;
pub use peers::readiness::Unready;
pub use peers::status::PeerStatus;
use peers::strangers::Strangers;
pub use peers::trust::{Binding, Channel, PeerTls, Secrets, Trust, Way};
pub use persisted::{PersistedState, Unreadable};
pub use repair::comparison::Agreement;
use repair::purge::Purges;
use repair::rollback::RollbackRecovery;
pub use wire::Audience;
use wire::vector::VersionVector;
use wire::{Cursor, Terms};

use crate::fault_injection;
use crate::store::{Clock, NodeId, Now, Store};

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its place in the list of members.
    pub node: NodeId,
    /// This process, a random number that is not 0.
    pub incarnation: u64,
}

/// See the module.
pub struct Replication {
    identity: Identity,
    limits: Limits,
    knowledge: Knowledge,
    incarnations: Incarnations,
    peers: Peers,
    connections: Connections,
    trust: Trust,
    strangers: Strangers,
    rollback: RollbackRecovery,
    purges: Purges,
    memory: OverMemory,
    conflicts: Conflicts,
    /// Whether deletions were forgotten while there was no other node.
    forgets_alone: bool,
    /// What peers have said to listeners here.
    messages: Vec<Message>,
    /// ... of nodes.
    statuses: Statuses,
    scratch: Vec<u8>,
    /// When to look again although nothing happens.
    due_us: u64,
}

impl Replication {
    /// Replication of a store restored with `persisted`. `seed` decides about pauses between dials.
    pub fn new(
        identity: Identity,
        members: Vec<String>,
        limits: Limits,
        persisted: PersistedState,
        store: &Store,
        seed: u64,
        now: Now,
    ) -> Replication {
        let mut replication = Replication {
            incarnations: Incarnations::new(identity.incarnation, &persisted.incarnations),
            peers: Peers::new(identity.node, &persisted, seed),
            knowledge: Knowledge::restored(identity.node, persisted, store),
            identity,
            limits,
            connections: Connections::default(),
            trust: Trust::in_anybody(),
            strangers: Strangers::default(),
            rollback: RollbackRecovery::new(store.last_position()),
            purges: Purges::default(),
            memory: OverMemory::default(),
            conflicts: Conflicts::default(),
            forgets_alone: false,
            messages: Vec::new(),
            statuses: Statuses::default(),
            scratch: Vec::new(),
            due_us: now.monotonic_us,
        };
        replication.set_members(members, now);
        replication
    }

    /// The list of nodes: where each is reached, empty where one was removed.
    pub fn members(&self) -> &[String] {
        self.peers.members()
    }

    /// Takes over a changed list of nodes: appended ones are linked, removed ones hung up on. Nodes that stay must keep
    /// their place and address; else nothing is changed and the error says why.
    pub fn reload(&mut self, members: Vec<String>, now: Now) -> Result<(), String> {
        self.peers.check_members(&members)?;
        self.set_members(members, now);
        Ok(())
    }

    /// The connection is gone, for this reason.
    pub fn closed(&mut self, session: SessionId, why: &str, now: Now) {
        if let Some(role) = self.connections.remove(session) {
            self.peers.lost(session, role, why, false, now.monotonic_us);
        }
    }

    /// So many of the bytes that may be sent are.
    pub fn sent(&mut self, session: SessionId, count: usize) {
        if let Some(Role::Linked(id)) = self.connections.get(session).map(|connection| connection.role())
            && let Some(peer) = self.peers.get_mut(id)
        {
            peer.note_sent(count);
        }
        if self.connections.sent(session, count) {
            // The walk waited for this.
            self.due_us = 0;
        }
    }

    /// The connections with something new to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        self.connections.take_touched(into);
    }

    /// What is to be recorded beside the store as it is.
    pub fn record(&mut self, clock: &Clock, store: &Store) -> PersistedState {
        self.knowledge.keep_up(clock);
        self.note_forgotten_alone();
        PersistedState {
            vector: self.knowledge.vector().clone(),
            collected: self.knowledge.collected().clone(),
            cursors: self.peers.follows().map(|(id, followed)| (id, ahead_by_mistake(followed.cursor))).collect(),
            sent: self.peers.follows().map(|(id, followed)| (id, followed.sent)).collect(),
            incarnations: self.incarnations.record(store.last_position()),
        }
    }

    /// The data file has recorded this.
    pub fn persisted(&mut self, state: PersistedState) {
        self.knowledge.persisted(state);
        self.peers.links_mut().for_each(|linked| linked.acknowledging.want());
        self.due_us = 0;
    }

    /// Which deletions every node holds on disk, so that they may be forgotten (`None`: all); also notes that they will
    /// be.
    pub fn settle(&mut self, tombstones: usize) -> Option<VersionVector> {
        if self.peers.is_empty() {
            self.forgets_alone |= tombstones > 0;
            return None;
        }
        let mut stable = self.knowledge.durable().vector.clone();
        for peer in self.peers.iter_mut() {
            if !peer.is_linked() && !peer.is_forsaken() && tombstones > self.limits.tombstones_max {
                peer.forsake();
                log::warn!(
                    event = "peer_forsaken", peer = peer.id(), deletions = tombstones;
                    "node {} is away and {tombstones} deletions are kept for it: they are forgotten from here on, \
                     and it gets a full listing when it comes back",
                    peer.id()
                );
            }
            if !peer.is_forsaken() {
                stable = stable.intersection(peer.durable_vector());
            }
        }
        // While stores are compared, what one of them dropped may come from another that still has it, although all
        // have heard of that write: who remembers the deletion then decides.
        if !self.purges.is_empty() || self.peers.links().any(Linked::is_comparing) {
            stable = VersionVector::default();
        }
        if fault_injection::is("deletion forgotten before all have it") {
            stable.clone_from(&self.knowledge.durable().vector);
        }
        if tombstones > 0 {
            self.knowledge.collect(&stable);
        }
        Some(stable)
    }

    /// When to [`Replication::exchange`] although nothing happens, in monotonic microseconds.
    pub fn deadline_us(&self) -> u64 {
        self.peers.dial_us().min(self.due_us)
    }

    /// Whether the connection is one between nodes.
    pub fn has(&self, session: SessionId) -> bool {
        self.connections.get(session).is_some()
    }

    /// What the connection waits for; `None` where it is not one between nodes, or over.
    pub fn waits(&self, session: SessionId) -> Option<Turn> {
        let connection = self.connections.get(session).filter(|connection| connection.role() != Role::Over);
        connection.map(|connection| connection.waits())
    }

    /// The bytes that may be sent.
    pub fn sendable(&self, session: SessionId) -> &[u8] {
        self.connections.get(session).map_or(&[], |connection| connection.stream.sendable())
    }

    /// Whether the connection is to be closed.
    pub fn is_over(&self, session: SessionId) -> bool {
        let connection = self.connections.get(session);
        connection.is_none_or(|connection| connection.role() == Role::Over && connection.stream.owed() == 0)
    }

    /// How many peers hold all own writes up to the position on disk.
    pub fn count_durable(&self, position: u64) -> usize {
        self.peers.links().filter(|linked| linked.outbound.durable().direct >= position).count()
    }

    /// All peers. O(peers and segments of the change list).
    pub fn status(&self, store: &Store, now_us: u64) -> Vec<PeerStatus> {
        self.peers.status(store, now_us)
    }

    /// The ids of all peers, in rising order.
    pub fn peer_ids(&self) -> impl Iterator<Item = NodeId> {
        self.peers.iter().map(Peer::id)
    }

    /// One peer; `None` where it is none. O(segments of the change list).
    pub fn status_of(&self, id: NodeId, store: &Store, now_us: u64) -> Option<PeerStatus> {
        self.peers.get(id).map(|peer| self.peers.status_of(peer, store, now_us))
    }

    /// The ids of those linked peers that have acknowledged everything.
    pub fn complete(&self, store: &Store) -> Vec<String> {
        self.peers.complete(store)
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.identity.node
    }

    /// Peers in all.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Peers with a link.
    pub fn linked(&self) -> usize {
        self.peers.links().count()
    }

    /// Linked peers with another list of nodes, or other limits.
    pub fn differing(&self) -> usize {
        self.peers.links().filter(|linked| linked.terms.difference().is_some()).count()
    }

    /// Peers' writes that were taken although this node had all the memory it may have.
    pub fn over_memory(&self) -> u64 {
        self.memory.taken()
    }

    /// Writes to one key of which neither writer had seen the other.
    pub fn conflicts(&self) -> Conflicts {
        self.conflicts
    }

    /// Links that are encrypted, with nodes that have proven the cluster's secret.
    pub fn proven(&self) -> usize {
        let is_proven = |linked: &&Linked| {
            let connection = self.connections.get(linked.session());
            connection.is_some_and(|connection| matches!(connection.standing(), Standing::Proven(_)))
        };
        self.peers.links().filter(is_proven).count()
    }

    /// Connections that were refused before they had proven anything.
    pub fn strangers(&self) -> u64 {
        self.strangers.count()
    }

    /// Which links are encrypted and proven.
    pub fn peer_tls(&self) -> PeerTls {
        self.trust.tls()
    }

    /// Why this node is not ready; `None` where it is.
    pub fn unready(&self, now_us: u64) -> Option<Unready> {
        if self.rollback.is_under_way() { Some(Unready::RollingBack) } else { self.peers.unready(now_us) }
    }

    /// Memory held for all peers: what followers cost beside the store.
    pub fn bytes(&self) -> usize {
        let chunks: usize = self.peers.links().map(|linked| linked.inbound.chunks.memory_bytes()).sum();
        self.connections.bytes() + chunks + self.statuses.bytes() + self.scratch.capacity()
    }

    /// Who was a peer once, or becomes one, may hold what was deleted and forgotten meanwhile.
    fn note_forgotten_alone(&mut self) {
        if self.peers.is_empty() && self.forgets_alone {
            self.knowledge.forgot_alone();
        }
    }

    fn terms(&self, store: &Store) -> Terms {
        Terms { members: self.peers.members().to_vec(), memory_bytes_max: Some(store.bytes_max() as u64) }
    }

    fn set_members(&mut self, members: Vec<String>, now: Now) {
        self.note_forgotten_alone();
        for session in self.peers.set_members(members, now.monotonic_us) {
            self.connections.hang_up(session);
        }
        self.due_us = 0;
    }

    /// Closes the connection without a word; the peer it was for is dialed again.
    fn drop_connection(&mut self, session: SessionId, why: &str, now: Now) {
        if let Some(role) = self.connections.hang_up(session) {
            self.peers.lost(session, role, why, false, now.monotonic_us);
        }
    }
}

/// Only where a mistake was injected.
fn ahead_by_mistake(mut cursor: Cursor) -> Cursor {
    if fault_injection::is("cursor saved before its data") {
        cursor.direct += 20;
    }
    cursor
}
