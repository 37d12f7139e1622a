//! One node, and peers that are played by hand: whatever they say goes to the node as it is.

use std::collections::VecDeque;

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Origin};
use kvstoreapp::replica::{Checkpoint, Outcome, Save, Saved};
use kvstoreapp::replication::wire::vector::{Span, VersionVector};
use kvstoreapp::replication::wire::{
    Ack, Changes, Cursor, Frame, GREETING, Hello, Progress, VERSION, WireChange, decode,
};
use kvstoreapp::replication::{PeerTls, Trust};
use kvstoreapp::store::{Database, Floors, NodeId, Stamp};

use crate::pair::{CLIENT, SECOND_US, node};
use crate::pure::{LIMITS, hand_over, secrets, take_turns_at};

/// The incarnation of the node; see [`node`].
pub const INCARNATION: u64 = 1;

/// Node 0 and its peers; the session of peer `p` is `p`.
pub struct Stranger {
    pub node: Node,
    pub now: Now,
    /// What the data file was given and has not taken.
    saves: VecDeque<Save>,
}

impl Stranger {
    /// Node 0 of so many, with a data file that has taken its first checkpoint.
    pub fn new(nodes: usize) -> Stranger {
        let now = Now { monotonic_us: SECOND_US, unix_ms: 1_700_000_000_000 };
        Stranger { node: node(0, nodes, 1, LIMITS, now), now, saves: VecDeque::new() }
    }

    /// The same, which asks for proofs of this secret.
    pub fn trusting(nodes: usize, tls: PeerTls, secret: &str) -> Stranger {
        let mut stranger = Stranger::new(nodes);
        stranger.node.trust(Trust::in_proof(tls, secrets(secret)));
        stranger
    }

    /// What an honest peer without data says first.
    pub fn hello(&self, from: NodeId) -> Hello {
        Hello {
            version: VERSION,
            floors: Floors::default(),
            node: from,
            to: 0,
            incarnation: 1_000 + u64::from(from),
            unix_ms: self.now.unix_ms,
            clock: self.clock(0),
            since: self.clock(0),
            seen: 0,
            cursor: Cursor::default(),
            vector: VersionVector::default(),
            collected: VersionVector::default(),
            linked: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The clock value of so many milliseconds from now.
    pub fn clock(&self, ahead_ms: u64) -> u64 {
        (self.now.unix_ms + ahead_ms) << 16
    }

    /// The peer dials, greets and says this.
    pub fn dial(&mut self, hello: &Hello) {
        let mut bytes = GREETING.to_vec();
        hello.encode(&mut bytes);
        let id = hello.node.into();
        self.node.open(id, Origin::Loopback, self.now).expect("there is room");
        self.say(id, &bytes);
    }

    /// The peer has written so many keys that begin like this, and sends them.
    pub fn write(&mut self, from: NodeId, name: &str, count: usize) -> VersionVector {
        let begin = self.clock(0);
        for (at, stamp) in (0..count).map(|at| (at, Stamp { clock: begin + 1 + at as u64, node: from })) {
            let mut change = Vec::new();
            WireChange {
                stamp,
                database: Database::ZERO,
                key: format!("{name}{at}").as_bytes(),
                value: Some(b"value"),
                expiry: None,
                chunked: 0,
            }
            .encode(&mut change);
            self.say(from.into(), &progress(&VersionVector::default(), &change));
        }
        span(from, begin, begin + count as u64)
    }

    /// Bytes of a peer, while its node reads them.
    pub fn say(&mut self, session: usize, bytes: &[u8]) {
        for part in bytes.chunks(16 << 10) {
            for _ in 0..1_000 {
                match self.node.waits(session) {
                    Waits::ForTurn => self.node.resume(session, self.now),
                    Waits::ForInput => break,
                    _ => return,
                }
            }
            self.node.receive(session, part, self.now);
        }
    }

    pub fn request(&mut self, request: &str) -> String {
        self.node.receive(CLIENT, format!("{request}\n").as_bytes(), self.now);
        let answer = String::from_utf8_lossy(self.node.sendable(CLIENT)).into_owned();
        self.node.sent(CLIENT, answer.len());
        answer
    }

    /// One turn of the loop. What the data file is given waits there.
    pub fn exchange(&mut self) {
        self.now.monotonic_us += 1_000;
        self.now.unix_ms += 1;
        self.node.begin_tick(self.now);
        take_turns_at(&mut self.node, self.now);
        self.saves.extend(hand_over(&mut self.node, self.now));
        self.node.take_touched(&mut Vec::new());
    }

    /// The data file takes what it was given first. Returns its checkpoint, if it has one.
    pub fn save_one(&mut self) -> Option<Checkpoint> {
        let Save { snapshot, batch, commit, .. } = self.saves.pop_front().expect("it was given something");
        let outcome = commit.clone().map_or(Outcome::Taken, Outcome::Committed);
        self.node.saved(Saved { snapshot, batch, outcome, is_merged: true }, self.now);
        commit
    }

    /// The data file takes what it was given. Returns the last checkpoint, if any.
    pub fn save(&mut self) -> Option<Checkpoint> {
        let mut last = None;
        while !self.saves.is_empty() {
            last = self.save_one().or(last);
        }
        last
    }

    pub fn tick(&mut self) -> Option<Checkpoint> {
        self.exchange();
        self.save()
    }

    /// Takes all that the peer is owed, and returns the bodies of the frames.
    pub fn hear(&mut self, session: usize) -> Vec<Vec<u8>> {
        let bytes = self.hear_some(session, usize::MAX);
        let (bodies, rest) = bodies(&bytes);
        assert!(rest.is_empty(), "half a frame is owed");
        bodies
    }

    /// Takes so many bytes of what the peer is owed, at most.
    pub fn hear_some(&mut self, session: usize, count: usize) -> Vec<u8> {
        let owed = self.node.sendable(session);
        let bytes = owed[..count.min(owed.len())].to_vec();
        self.node.sent(session, bytes.len());
        bytes
    }

    /// Keys that the peer is sent within a second.
    pub fn keys_sent(&mut self, session: usize) -> usize {
        let count = |body: &Vec<u8>| match decode(body) {
            Ok(Frame::Changes(_, changes)) => Changes::iter(changes).count(),
            _ => 0,
        };
        (0..1_000)
            .map(|_| {
                self.tick();
                self.hear(session).iter().map(count).sum::<usize>()
            })
            .sum()
    }
}

pub fn span(node: NodeId, after: u64, up_to: u64) -> VersionVector {
    let mut vector = VersionVector::default();
    vector.add(node, Span { after, up_to });
    vector
}

pub fn progress(claims: &VersionVector, changes: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Progress { direct: 0, relay: 0, claims: claims.clone() }.encode(changes, &mut bytes);
    bytes
}

pub fn ack(ack: &Ack) -> Vec<u8> {
    let mut bytes = Vec::new();
    ack.encode(&mut bytes);
    bytes
}

/// Of the frames that have come whole; and what is behind them.
pub fn bodies(bytes: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut rest = bytes.strip_prefix(GREETING).unwrap_or(bytes);
    let mut bodies = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some((body, behind)) = after.split_at_checked(length) else { break };
        bodies.push(body.to_vec());
        rest = behind;
    }
    (bodies, rest)
}
