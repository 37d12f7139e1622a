//! Nodes and the bytes between them, without sockets, disks or time of their own.

use kvstoreapp::node::saving::{Durability, Outcome, Saved, Saver};
use kvstoreapp::node::session::Waits;
use kvstoreapp::node::{Node, Now, Options};
use kvstoreapp::replication::Recorded;
use kvstoreapp::replication::frame::{self, Frame, GREETING};
use kvstoreapp::store::{Clock, NodeId, Store};

use crate::cluster::{LIMITS, cluster};

pub const SECOND_US: u64 = 1_000_000;
pub const CLIENT: usize = 0;
/// What one tick carries from one node to another.
const CARRIED: usize = 64 << 10;

/// Nodes, each pair of them linked by session numbers: the session for peer `p` is `p + 1`.
pub struct Mesh {
    nodes: Vec<Node>,
    now: Now,
    is_cut: bool,
    silent: Option<usize>,
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
        let now = Now { monotonic_us: SECOND_US, unix_ms: 1_700_000_000_000 };
        let nodes = (0..count).map(|id| node(id as NodeId, count, now)).collect();
        let (bytes, changes) = (vec![0; count], vec![0; count]);
        let mut mesh = Mesh { nodes, now, is_cut: true, silent: None, wires: Vec::new(), bytes, changes };
        mesh.link();
        mesh
    }

    /// Every dial reaches its peer from here on.
    pub fn link(&mut self) {
        self.is_cut = false;
        self.pass(10 * SECOND_US);
        assert!(self.nodes.iter().all(|node| node.peers(self.now).iter().all(|peer| peer.state == "linked")));
    }

    /// All links are gone, and none comes.
    pub fn cut(&mut self) {
        self.is_cut = true;
        for Wire { from, to, .. } in std::mem::take(&mut self.wires) {
            self.nodes[from].lose_peer(to + 1, "cut", self.now);
        }
    }

    pub fn stop_reading(&mut self, node: usize) {
        self.silent = Some(node);
    }

    pub fn request(&mut self, node: usize, request: &str) {
        let one = &mut self.nodes[node];
        while one.waits(CLIENT) != Waits::ForInput {
            save(one, self.now);
            let mut runnable = Vec::new();
            one.take_runnable(&mut runnable);
            runnable.into_iter().for_each(|id| one.resume(id, self.now));
        }
        one.receive(CLIENT, format!("{request}\n").as_bytes(), self.now);
        let owed = one.sendable(CLIENT).len();
        one.sent(CLIENT, owed);
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
            let node = &mut self.nodes[id];
            let mut runnable = Vec::new();
            node.take_runnable(&mut runnable);
            runnable.into_iter().for_each(|session| node.resume(session, self.now));
            node.exchange(self.now);
            save(node, self.now);
            node.take_touched(&mut Vec::new());
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

    pub fn peer_bytes(&self, node: usize) -> usize {
        self.nodes[node].peer_bytes()
    }

    pub fn assert_same(&self) {
        for pair in self.nodes.windows(2) {
            assert_eq!(pair[0].store().digest(), pair[1].store().digest());
            assert_eq!(pair[0].store().keys(), pair[1].store().keys());
        }
    }

    /// Dials of the lower number of a pair come through.
    fn dial(&mut self, id: usize) {
        while let Some((peer, _)) = self.nodes[id].next_dial(self.now) {
            let to = usize::from(peer);
            if self.is_cut || to < id {
                self.nodes[id].dial_failed(peer, "cut", self.now);
                continue;
            }
            self.nodes[id].dialing(to + 1, peer, self.now);
            self.nodes[to].open(id + 1, self.now).expect("there is room");
            for (from, to) in [(id, to), (to, id)] {
                self.wires.push(Wire { from, to, heard: Vec::new(), greeted: false });
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
            if let Ok(Frame::Changes(_, changes)) = frame::decode(body) {
                self.changes[*from] += changes.iter().count();
            }
            heard.drain(..8 + length);
        }
        self.nodes[*to].receive(*from + 1, &bytes, self.now);
    }
}

pub fn node(id: NodeId, count: usize, now: Now) -> Node {
    let options = Options {
        durability: Durability::Interval,
        snapshot_interval_ms: 200,
        value_bytes_max: 1 << 20,
        clients_max: 10,
        memory_bytes_max: 0,
        idle_timeout_s: 0,
        limits: LIMITS,
    };
    let clock = Clock::new(id, 0, now.unix_ms, u64::from(id));
    let life = u64::from(id) + 1;
    let mut recorded = Recorded::default();
    recorded.begin_life(life, 0);
    let reserved = Saver::checkpoint(0, 1, &clock, options.snapshot_interval_ms, now.unix_ms, recorded);
    let mut node = Node::new(Store::new([1, 2], 0, 1), clock, reserved, cluster(id, count, life), options, now);
    node.open(CLIENT, now).expect("there is room");
    node
}

/// A disk that takes everything at once.
pub fn save(node: &mut Node, now: Now) {
    while let Some(save) = node.next_save(now) {
        let outcome = save.commit.map_or(Outcome::Taken, Outcome::Committed);
        node.saved(Saved { snapshot: save.snapshot, batch: save.batch, outcome }, now);
    }
}
