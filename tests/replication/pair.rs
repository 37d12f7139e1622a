//! Nodes and the bytes between them, without sockets, disks or time of their own.

use std::collections::BTreeSet;

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin};
use kvstoreapp::replica::{Cluster, Outcome, Save, Saved};
use kvstoreapp::replication::Unready;
use kvstoreapp::replication::wire::{self, Frame, GREETING};
use kvstoreapp::replication::{Channel, DueDial, Limits, PeerStatus};
use kvstoreapp::store::{Database, NodeId};

use crate::pure::{LIMITS, cluster, hand_over, options, save, start, take_turns_at};

pub const SECOND_US: u64 = 1_000_000;
pub const CLIENT: usize = 0;
/// What one tick carries from one node to another.
const CARRIED: usize = 64 << 10;

/// Nodes, each pair of them linked by session numbers: the session for peer `p` is `p + 1`.
pub struct Mesh {
    nodes: Vec<Node>,
    now: Now,
    /// Pairs, the lower number first, that reach each other no more.
    cuts: BTreeSet<(usize, usize)>,
    silent: Option<usize>,
    /// A node whose disk takes nothing.
    diskless: Option<usize>,
    /// What each node's wall clock is ahead by.
    ahead_ms: Vec<u64>,
    /// Disks that were wiped.
    wipes: u64,
    wires: Vec<Wire>,
    bytes: Vec<usize>,
    changes: Vec<usize>,
}

/// One direction of a connection, as far as frames are understood.
struct Wire {
    from: usize,
    to: usize,
    heard: Vec<u8>,
    greeted: bool,
}

impl Mesh {
    pub fn new(count: usize) -> Mesh {
        let mut mesh = Mesh::with_limits(count, LIMITS);
        mesh.link();
        mesh
    }

    /// Nodes that have not dialed yet.
    pub fn with_limits(count: usize, limits: Limits) -> Mesh {
        let now = Now { monotonic_us: SECOND_US, unix_ms: 1_700_000_000_000 };
        Mesh {
            nodes: (0..count).map(|id| node(id, count, id as u64 + 1, limits, now)).collect(),
            now,
            cuts: BTreeSet::new(),
            silent: None,
            diskless: None,
            ahead_ms: vec![0; count],
            wipes: 0,
            wires: Vec::new(),
            bytes: vec![0; count],
            changes: vec![0; count],
        }
    }

    /// Every dial reaches its peer from here on.
    pub fn link(&mut self) {
        self.cuts.clear();
        self.pass(10 * SECOND_US);
        assert!(self.nodes.iter().all(|node| node.peers(self.now).iter().all(|peer| peer.state == "linked")));
    }

    /// All links are gone, and none comes.
    pub fn cut(&mut self) {
        for one in 0..self.nodes.len() {
            (one + 1..self.nodes.len()).for_each(|other| self.cut_between(one, other));
        }
    }

    /// The link between these two, the lower number first, is gone, and none comes.
    pub fn cut_between(&mut self, one: usize, other: usize) {
        self.cuts.insert((one, other));
        for (from, to) in [(one, other), (other, one)] {
            self.nodes[from].lose_peer(to + 1, "cut", self.now);
            self.wires.retain(|wire| (wire.from, wire.to) != (from, to));
        }
    }

    pub fn link_between(&mut self, one: usize, other: usize) {
        self.cuts.remove(&(one, other));
    }

    /// The node is gone and begins anew with an empty disk.
    pub fn wipe(&mut self, node: usize, limits: Limits) {
        let count = self.nodes.len();
        let cuts = self.cuts.clone();
        (0..count).filter(|&other| other != node).for_each(|other| self.cut_between(node.min(other), node.max(other)));
        self.cuts = cuts;
        self.wipes += 1;
        self.nodes[node] = self::node(node, count, 100 * self.wipes + node as u64, limits, self.now(node));
    }

    /// The node is gone and begins anew with an empty disk, and knows of no other.
    pub fn wipe_alone(&mut self, node: usize) {
        self.wipe(node, LIMITS);
        let alone = alone(cluster(node as NodeId, self.nodes.len(), 200 + node as u64), node);
        self.nodes[node] = node_of(alone, LIMITS, self.now);
    }

    /// The node's list of nodes has itself and nobody else, or all of them.
    pub fn leave_alone(&mut self, node: usize) {
        let Cluster { members, .. } = alone(cluster(node as NodeId, self.nodes.len(), 1), node);
        self.nodes[node].reload(members, self.now).expect("its own place is the same");
    }

    /// The node's list of nodes lacks one.
    pub fn leave_out(&mut self, node: usize, other: usize) {
        let Cluster { mut members, .. } = cluster(node as NodeId, self.nodes.len(), 1);
        members[other].clear();
        self.nodes[node].reload(members, self.now).expect("its own place is the same");
    }

    /// The node's list of nodes has all of them.
    pub fn take_in(&mut self, node: usize) {
        let Cluster { members, .. } = cluster(node as NodeId, self.nodes.len(), 1);
        self.nodes[node].reload(members, self.now).expect("all keep their places");
    }

    /// The node's disk takes nothing from here on.
    pub fn fail_disk(&mut self, node: Option<usize>) {
        self.diskless = node;
    }

    pub fn set_ahead(&mut self, node: usize, ms: u64) {
        self.ahead_ms[node] = ms;
    }

    /// Whether nothing is to be done before time passes or bytes come.
    pub fn is_at_rest(&self, node: usize) -> bool {
        self.nodes[node].deadline_us() > self.now.monotonic_us
    }

    pub fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// What the node says of the peer.
    pub fn peer(&self, node: usize, peer: usize) -> PeerStatus {
        let peers = self.nodes[node].peers(self.now);
        peers.into_iter().find(|status| usize::from(status.id) == peer).expect("it is a peer")
    }

    /// Why the node is not ready.
    pub fn unready(&self, node: usize) -> Option<Unready> {
        self.nodes[node].unready(self.now)
    }

    pub fn read_again(&mut self) {
        self.silent = None;
    }

    pub fn stop_reading(&mut self, node: usize) {
        self.silent = Some(node);
    }

    pub fn request(&mut self, node: usize, request: &str) {
        self.ask(node, request);
    }

    /// The same, and what is answered at once.
    pub fn ask(&mut self, node: usize, request: &str) -> String {
        let now = self.now(node);
        let one = &mut self.nodes[node];
        while one.waits(CLIENT) != Waits::ForInput {
            save(one, now);
            take_turns_at(one, now);
        }
        one.receive(CLIENT, format!("{request}\n").as_bytes(), now);
        let answer = String::from_utf8_lossy(one.sendable(CLIENT)).into_owned();
        one.sent(CLIENT, answer.len());
        answer
    }

    /// The node is asked to set all these keys in one request.
    pub fn set_group(&mut self, node: usize, keys: &[String], value: &str) {
        let now = self.now(node);
        let keys: Vec<_> = keys.iter().map(|key| (Database::ZERO, key.as_bytes())).collect();
        let one = &mut self.nodes[node];
        while one.set_group(&keys, value.as_bytes(), now).is_none() {
            save(one, now);
        }
    }

    /// Whether the node has the same for all these keys.
    pub fn have_one_value(&self, node: usize, keys: &[String]) -> bool {
        let store = self.nodes[node].store();
        keys.windows(2).all(|pair| store.get(pair[0].as_bytes()) == store.get(pair[1].as_bytes()))
    }

    /// The node is asked to delete all keys of database 0.
    pub fn flush(&mut self, node: usize) {
        let now = self.now(node);
        let one = &mut self.nodes[node];
        while one.flush(Some(Database::ZERO), now).is_none() {
            save(one, now);
        }
    }

    /// The node is asked to keep the key for so long.
    pub fn set_expiring(&mut self, node: usize, key: &str, lasts_ms: u64) {
        let expiry_ms = self.now(node).unix_ms + lasts_ms;
        self.set_expiring_at(node, key, expiry_ms);
    }

    pub fn set_expiring_at(&mut self, node: usize, key: &str, expiry_ms: u64) {
        let now = self.now(node);
        let one = &mut self.nodes[node];
        while one.set_expiring(Database::ZERO, key.as_bytes(), b"passing", expiry_ms, now).is_none() {
            save(one, now);
        }
    }

    /// A millisecond passes.
    pub fn tick(&mut self) {
        self.now.monotonic_us += 1_000;
        self.now.unix_ms += 1;
        self.tick_without_time();
    }

    pub fn tick_without_time(&mut self) {
        for id in 0..self.nodes.len() {
            self.dial(id);
            let (now, has_disk) = (self.now(id), self.diskless != Some(id));
            let node = &mut self.nodes[id];
            node.begin_tick(now);
            take_turns_at(node, now);
            if has_disk {
                save(node, now);
            } else {
                fail_saves(node, now);
            }
            let mut touched = Vec::new();
            node.take_touched(&mut touched);
            self.hang_up(id, &touched);
        }
        for at in 0..self.wires.len() {
            self.carry(at);
        }
    }

    pub fn pass(&mut self, us: u64) {
        let end_us = self.now.monotonic_us + us;
        while self.now.monotonic_us < end_us {
            self.tick();
        }
    }

    /// Until all agree.
    pub fn settle(&mut self) {
        for _ in 0..60_000 {
            self.tick();
            let agrees = |node: &Node| node.peers(self.now).iter().all(|peer| peer.agreement == "agrees");
            if self.now.monotonic_us.is_multiple_of(100_000) && self.nodes.iter().all(agrees) {
                return;
            }
        }
        panic!("they never agree: {:?}", self.nodes.iter().map(|node| node.peers(self.now)).collect::<Vec<_>>());
    }

    pub fn bytes_sent(&self, node: usize) -> usize {
        self.bytes[node]
    }

    pub fn changes_sent(&self, node: usize) -> usize {
        self.changes[node]
    }

    pub fn all_changes_sent(&self) -> usize {
        self.changes.iter().sum()
    }

    pub fn peer_bytes(&self, node: usize) -> usize {
        self.nodes[node].peer_bytes()
    }

    pub fn assert_same(&self) {
        for pair in self.nodes.windows(2) {
            assert_eq!(pair[0].store().content(), pair[1].store().content());
        }
    }

    /// Dials of the lower number of a pair come through.
    fn dial(&mut self, id: usize) {
        let now = self.now(id);
        while let Some(DueDial { peer, .. }) = self.nodes[id].next_dial(now) {
            let to = usize::from(peer);
            if to < id || self.cuts.contains(&(id, to)) {
                self.nodes[id].dial_failed(peer, "cut", now);
                continue;
            }
            self.nodes[id].dialing(to + 1, peer, Channel::Plain, now);
            let their_now = self.now(to);
            self.nodes[to].open(id + 1, Origin::Loopback, their_now).expect("there is room");
            for (from, to) in [(id, to), (to, id)] {
                self.wires.push(Wire { from, to, heard: Vec::new(), greeted: false });
            }
        }
    }

    pub fn now(&self, node: usize) -> Now {
        Now { unix_ms: self.now.unix_ms + self.ahead_ms[node], ..self.now }
    }

    /// Connections that this node has ended are gone for the other as well, once all is carried.
    fn hang_up(&mut self, node: usize, touched: &[usize]) {
        for &session in touched {
            if session != CLIENT && self.nodes[node].is_over(session) {
                let other = session - 1;
                let (now, their_now) = (self.now(node), self.now(other));
                self.nodes[node].lose_peer(session, "over", now);
                self.nodes[other].finish(node + 1, their_now);
                self.wires
                    .retain(|wire| (wire.from, wire.to) != (node, other) && (wire.from, wire.to) != (other, node));
            }
        }
    }

    fn carry(&mut self, at: usize) {
        let Wire { from, to, heard, greeted } = &mut self.wires[at];
        if self.silent == Some(*to) {
            return;
        }
        let bytes = self.nodes[*from].sendable(*to + 1);
        let bytes = bytes[..bytes.len().min(CARRIED)].to_vec();
        if bytes.is_empty() || self.nodes[*to].waits(*from + 1) != Waits::ForInput {
            return;
        }
        self.nodes[*from].sent(*to + 1, bytes.len());
        self.bytes[*from] += bytes.len();
        heard.extend_from_slice(&bytes);
        if !*greeted {
            heard.drain(..GREETING.len());
            *greeted = true;
        }
        while let Some(length) = heard.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes) as usize) {
            let Some(body) = heard.get(8..8 + length) else { break };
            if let Ok(Frame::Changes(_, changes)) = wire::decode(body) {
                self.changes[*from] += changes.iter().count();
            }
            heard.drain(..8 + length);
        }
        let now = Now { unix_ms: self.now.unix_ms + self.ahead_ms[*to], ..self.now };
        self.nodes[*to].receive(*from + 1, &bytes, now);
    }
}

/// The node has no peers.
fn alone(mut cluster: Cluster, node: usize) -> Cluster {
    let others = cluster.members.iter_mut().enumerate().filter(|(id, _)| *id != node);
    others.for_each(|(_, member)| member.clear());
    cluster
}

pub fn node(id: usize, count: usize, incarnation: u64, limits: Limits, now: Now) -> Node {
    node_of(cluster(id as NodeId, count, incarnation), limits, now)
}

fn node_of(cluster: Cluster, limits: Limits, now: Now) -> Node {
    let options = Options { snapshot_interval_ms: 200, value_bytes_max: 1 << 20, limits, ..options() };
    let mut node = start(cluster, options, now);
    // A tick has time for one step of what can wait.
    node.time_by(|| u64::MAX / 2);
    node.open(CLIENT, Origin::Loopback, now).expect("there is room");
    node
}

/// What follows the turns of a tick. The disk takes nothing.
fn fail_saves(node: &mut Node, now: Now) {
    for Save { snapshot, batch, .. } in hand_over(node, now) {
        let outcome = Outcome::Failed("the disk is full".to_owned());
        node.saved(Saved { snapshot, batch, outcome, is_merged: false }, now);
    }
}
