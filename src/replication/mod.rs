//! What nodes tell each other, as a state machine: bytes of peers in, bytes for peers and changes for the store out.
//!
//! - [`codec`], [`vector`]: numbers, and which writes of which node somebody has
//! - [`frame`]: what goes over a link
//! - `wire`: the bytes of one connection
//! - `lines`: connections, and what the end of one means
//! - `draft`, [`parts`]: how long a frame becomes, and large values in several of them
//! - `view`: what a link reads of its node
//! - `link`: cursors on the own change list, and what goes next
//! - `sent`: changes as they lie in a frame
//! - `messages`: what is told and not kept
//! - `lives`: positions of earlier lives of this node
//! - `membership`: who the other nodes are, and were
//! - `peer`: another node, linked or not
//! - `handshake`: who may become a link
//! - `exchange`: what one tick sends
//! - `following`: what a peer's frames do here
//! - `recorded`: what the data file keeps of it
//! - `rewinding`: a data file that was wiped or put back
//! - `terms`: what all nodes should be told alike, and are not
//! - `readiness`: whether this node has caught up
//! - `status`: what a person sees of it
//!
//! One link per pair of nodes. Both sides dial; of two links the one dialed by the lower id stays. It does not know
//! sockets: whoever owns one says that a dial succeeded or failed, brings bytes and takes bytes away.

pub mod codec;
mod draft;
mod exchange;
mod following;
pub mod frame;
mod handshake;
mod lines;
mod link;
mod lives;
mod membership;
mod messages;
pub mod parts;
mod peer;
pub mod readiness;
mod recorded;
mod rewinding;
mod sent;
mod status;
mod terms;
pub mod vector;
mod view;
mod wire;

use std::collections::BTreeMap;

pub use following::Turn;
use frame::Cursor;
use lines::{Line, Role};
use lives::Lives;
pub use messages::{Audience, Message};
pub use peer::Agreement;
use peer::{Linked, Peer, SessionId, Tie};
pub use recorded::Recorded;
use rewinding::Rewinding;
pub use status::PeerStatus;
use vector::{Span, VersionVector};

use crate::planted;
use crate::store::{Clock, NodeId, Now, Stamp, Store};

/// What a peer that does not read may be owed before the walk waits for it: the socket's buffer holds more.
const OUTBOX_BYTES_MAX: usize = 64 << 10;
/// So long after a frame changes gather for the next, unless they fill one: a write to a socket and waking the peer
/// cost as much as many changes do. The first after a pause goes at once.
const FRAME_PAUSE_US: u64 = 500;
/// Least time between two acknowledgements, but for one that says that something is durable.
const ACK_US: u64 = 20_000;
/// Most time between two.
const HEARTBEAT_US: u64 = 1_000_000;
/// A peer that was silent for so long is gone.
const SILENCE_US: u64 = 4_000_000;
/// So long a peer may acknowledge nothing new although there is something.
const STUCK_US: u64 = 10_000_000;
/// A connection that has not become a link after so long never will.
const HANDSHAKE_US: u64 = 3_000_000;
/// So long others are not asked for the writes of a peer whose link was lost: it may come back at once.
const GRACE_US: u64 = 500_000;
/// A peer to whose list nothing was added for so long will not get what is held back for it from the node that wrote
/// it.
const STILL_US: u64 = 2_000_000;
/// Least time between two mendings of one link.
const MEND_US: u64 = 60_000_000;

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its place in the list of members.
    pub node: NodeId,
    /// This process, a random number that is not 0.
    pub life: u64,
}

/// Settings of replication.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A peer whose clock is ahead by more is refused.
    pub clock_drift_ms_max: u64,
    /// More deletions than this are not kept for a peer that is away.
    pub tombstones_max: usize,
    /// Longest value that is sent with its change; larger ones go before it, in parts of a quarter of this.
    pub whole_bytes_max: usize,
}

/// What replication works on: the node's store and clock, and the time.
pub struct Here<'a> {
    /// What every key is.
    pub store: &'a mut Store,
    /// Issues stamps, and hears of those of others.
    pub clock: &'a mut Clock,
    /// The time of this tick.
    pub now: Now,
}

/// See the module.
pub struct Replication {
    identity: Identity,
    /// The configured nodes; empty where one was removed.
    members: Vec<String>,
    /// Counts the lists of them.
    members_number: u64,
    limits: Limits,
    lives: Lives,
    /// What this node has.
    vector: VersionVector,
    durable: Recorded,
    collected: VersionVector,
    peers: BTreeMap<NodeId, Peer>,
    /// How far nodes that are no peers at present were followed, and sent our list.
    strangers: BTreeMap<NodeId, (Cursor, Cursor)>,
    lines: Vec<Option<Box<Line>>>,
    /// Connections with something new to send, or that are over.
    touched: Vec<SessionId>,
    /// What peers have said to listeners here.
    messages: Vec<Message>,
    /// The highest stamp of each node that was ever here.
    seen: BTreeMap<NodeId, u64>,
    /// The highest position at which an own write was overwritten by another node's.
    overwritten: u64,
    /// The position before the first of this life.
    born: u64,
    rewinding: Option<Rewinding>,
    /// Whether a peer can have seen a stamp of this life.
    has_linked: bool,
    /// Whether deletions were forgotten while there was no other node.
    forgets_alone: bool,
    /// Peers' writes that were taken although this node had all the memory it may have.
    over_memory: u64,
    is_over_memory: bool,
    purges: following::Purges,
    random: fastrand::Rng,
    scratch: Vec<u8>,
    /// When to look again although nothing happens.
    due_us: u64,
    /// The nodes whose writes come first-hand.
    linked_nodes: Vec<NodeId>,
    /// Counts what peers are to be told of beside positions.
    facts: u64,
}

impl Replication {
    /// Replication of a store restored with `recorded`. `seed` decides about pauses between dials.
    pub fn new(
        identity: Identity,
        members: Vec<String>,
        limits: Limits,
        recorded: Recorded,
        store: &Store,
        seed: u64,
        now: Now,
    ) -> Replication {
        let mut replication = Replication {
            lives: Lives::new(identity.life, &recorded.lives),
            identity,
            members: Vec::new(),
            members_number: 0,
            limits,
            vector: recorded.vector.clone(),
            collected: recorded.collected.clone(),
            strangers: recorded.strangers(),
            durable: recorded,
            peers: BTreeMap::new(),
            lines: Vec::new(),
            touched: Vec::new(),
            messages: Vec::new(),
            seen: BTreeMap::new(),
            overwritten: store.last_position(),
            born: store.last_position(),
            rewinding: None,
            has_linked: false,
            forgets_alone: false,
            over_memory: 0,
            is_over_memory: false,
            purges: following::Purges::default(),
            random: fastrand::Rng::with_seed(seed),
            scratch: Vec::new(),
            due_us: now.monotonic_us,
            linked_nodes: Vec::new(),
            facts: 0,
        };
        store.changes_after(0).for_each(|change| replication.note_seen(change.stamp));
        replication.set_members(members, now.monotonic_us);
        replication
    }

    /// The peer to dial now, if any; followed by [`Replication::dialing`] or [`Replication::dial_failed`].
    pub fn next_dial(&mut self, now: Now) -> Option<(NodeId, String)> {
        let now_us = now.monotonic_us;
        if self.rewinding.is_some() {
            return None;
        }
        let peer = self.peers.values_mut().find(|peer| peer.is_due(now_us))?;
        peer.tie = Tie::Waiting { until_us: now_us + HANDSHAKE_US };
        Some((peer.id, self.members[usize::from(peer.id)].clone()))
    }

    /// A connection to the peer is being set up.
    pub fn dialing(&mut self, session: SessionId, peer: NodeId, here: &Here<'_>) {
        self.add_line(session, Role::Dialed(peer), here.now.monotonic_us);
        let Some(known) = self.peers.get_mut(&peer) else { return self.hang_up(session) };
        if known.linked.is_some() {
            return self.hang_up(session);
        }
        known.tie = Tie::Dialing(session);
        self.greet(session, peer, here);
    }

    /// No connection could even be tried.
    pub fn dial_failed(&mut self, peer: NodeId, why: &str, now: Now) {
        if let Some(peer) = self.peers.get_mut(&peer).filter(|peer| peer.linked.is_none()) {
            peer.retries += 1;
            peer.retry(why, false, now.monotonic_us, &mut self.random);
        }
    }

    /// Sends each peer what it lacks, a bounded part of it, and what it has to know. `held` says that nothing may be
    /// overwritten at present.
    pub fn exchange(&mut self, held: bool, here: &mut Here<'_>) {
        let now = here.now;
        self.due_us = u64::MAX;
        let followers = self.peers.values().filter_map(|peer| peer.linked.as_ref());
        here.store.forget_together(followers.map(|linked| linked.link.sent().direct).min().unwrap_or(u64::MAX));
        if self.peers.is_empty() && self.lines.is_empty() && self.purges.is_empty() {
            return;
        }
        if !held {
            self.go_on_rewinding(here);
            self.purge(here.store);
        }
        self.keep_up(here.clock);
        let ids: Vec<NodeId> = self.peers.keys().copied().collect();
        self.note_linked_nodes(now.monotonic_us);
        self.note_memory(here.store);
        let tail = here.store.last_position();
        for id in ids {
            self.tell_terms(id, here.store);
            self.exchange_with(id, here.store, now);
            self.note_lags(id, tail, now.monotonic_us);
        }
        self.end_handshakes(now);
        self.close_gaps(here.clock);
        // Where the data file has to take something first, that is what wakes the loop.
        let rewinds = self.rewinding.is_some() && !here.clock.is_spent();
        if !held && (rewinds || !self.purges.is_empty()) {
            self.due_us = 0;
        }
    }

    /// When to [`Replication::exchange`] although nothing happens, in monotonic microseconds.
    pub fn deadline_us(&self) -> u64 {
        let dials = self.peers.values().filter(|peer| peer.linked.is_none()).filter_map(|peer| match peer.tie {
            Tie::Waiting { until_us } => Some(until_us),
            Tie::Dialing(_) => None,
        });
        dials.min().unwrap_or(u64::MAX).min(self.due_us)
    }

    /// What is to be recorded beside the store as it is.
    pub fn record(&mut self, clock: &Clock, store: &Store) -> Recorded {
        self.keep_up(clock);
        self.note_forgotten_alone();
        Recorded {
            vector: self.vector.clone(),
            collected: self.collected.clone(),
            cursors: self.follows().map(|(id, cursor, _)| (id, ahead_by_mistake(cursor))).collect(),
            sent: self.follows().map(|(id, _, sent)| (id, sent)).collect(),
            lives: self.lives.record(store.last_position()),
        }
    }

    /// The data file has recorded this.
    pub fn recorded(&mut self, recorded: Recorded) {
        self.durable = recorded;
        self.facts += 1;
        for linked in self.peers.values_mut().filter_map(|peer| peer.linked.as_mut()) {
            linked.ack_wanted = true;
        }
        self.due_us = 0;
    }

    /// Which deletions every node holds on disk, so that they may be forgotten (`None`: all); also notes that they will
    /// be.
    pub fn settle(&mut self, tombstones: usize) -> Option<VersionVector> {
        if self.is_alone() {
            self.forgets_alone |= tombstones > 0;
            return None;
        }
        let mut stable = self.durable.vector.clone();
        for peer in self.peers.values_mut() {
            if peer.linked.is_none() && !peer.forsaken && tombstones > self.limits.tombstones_max {
                peer.forsaken = true;
                log::warn!(
                    "node {} is away and {tombstones} deletions are kept for it: they are forgotten from here on, and \
                     it gets a full listing when it comes back",
                    peer.id
                );
            }
            if !peer.forsaken {
                stable = stable.intersection(&peer.durable_vector);
            }
        }
        // While stores are compared, what one of them dropped may come from another that still has it, although all
        // have heard of that write: who remembers the deletion then decides.
        let linked = |peer: &Peer| peer.linked.as_ref().is_some_and(Linked::is_comparing);
        let is_comparing = !self.purges.is_empty() || self.peers.values().any(linked);
        if is_comparing {
            stable = VersionVector::default();
        }
        if planted::is("deletion forgotten before all have it") {
            stable.clone_from(&self.durable.vector);
        }
        if tombstones > 0 && !self.collected.includes(&stable) {
            self.collected.merge(&stable);
        }
        Some(stable)
    }

    /// How many peers hold all own writes up to the position on disk.
    pub fn count_durable(&self, position: u64) -> usize {
        self.peers
            .values()
            .filter_map(|peer| peer.linked.as_ref())
            .filter(|linked| linked.link.durable.direct >= position)
            .count()
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.identity.node
    }

    /// Memory held for all peers: what followers cost beside the store.
    pub fn bytes(&self) -> usize {
        let assembled = |peer: &Peer| peer.linked.as_ref().map_or(0, |linked| linked.assembly.memory_bytes());
        self.lines.iter().flatten().map(|line| line.wire.bytes()).sum::<usize>()
            + self.peers.values().map(assembled).sum::<usize>()
            + self.scratch.capacity()
    }

    /// Where the whole cluster agrees, nobody holds anything of this node's earlier lives, nor of a node that was
    /// removed, that another lacks.
    fn close_gaps(&mut self, clock: &Clock) {
        let agrees = |peer: &Peer| peer.linked.as_ref().is_some_and(|one| one.agreement == Agreement::Agrees);
        if self.peers.is_empty() || !self.peers.values().all(agrees) {
            return;
        }
        let own = self.identity.node;
        let removed = self.seen.iter().filter(|(node, _)| **node != own && !self.peers.contains_key(node));
        let closed = removed.map(|(&node, &seen)| (node, seen)).chain([(own, clock.span().0)]);
        for (node, up_to) in closed {
            self.vector.add(node, Span { after: 0, up_to });
        }
    }

    /// Brings the own part of the vector up to date.
    fn keep_up(&mut self, clock: &Clock) {
        let (after, up_to) = clock.span();
        let after = if planted::is("own gap not stated") { 0 } else { after };
        self.vector.add(self.identity.node, Span { after, up_to });
    }

    /// Takes note of how long changes wait for the peer's word, linked or not, and whether this node has caught up.
    fn note_lags(&mut self, id: NodeId, tail: u64, now_us: u64) {
        let peer = self.peers.get_mut(&id).expect("ids come from the map");
        peer.received_lag.note(tail, now_us);
        peer.durable_lag.note(tail, now_us);
        if let Some(linked) = &mut peer.linked {
            let is_comparing = linked.listed.is_some() || self.purges.is_under_way(id);
            linked.catching_up.note(peer.cursor, linked.listings, is_comparing);
        }
    }
}

/// Whether the stamp's clock is further ahead of the wall clock than is allowed.
fn is_ahead(clock: u64, now: Now, drift_ms_max: u64) -> bool {
    Clock::unix_ms(clock) > now.unix_ms.saturating_add(drift_ms_max)
}

/// The highest stamp of a node that was ever here, or is claimed to be.
fn highest_seen(seen: &BTreeMap<NodeId, u64>, vector: &VersionVector, node: NodeId) -> u64 {
    seen.get(&node).copied().unwrap_or(0).max(vector.highest(node))
}

/// Only where a mistake was planted.
fn ahead_by_mistake(mut cursor: Cursor) -> Cursor {
    if planted::is("cursor saved before its data") {
        cursor.direct += 20;
    }
    cursor
}

/// The highest stamp of some changes.
fn highest(stamps: impl Iterator<Item = Stamp>) -> u64 {
    stamps.map(|stamp| stamp.clock).max().unwrap_or(0)
}
