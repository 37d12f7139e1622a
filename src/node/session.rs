//! One conversation: bytes that came, bytes owed, and what holds either back.
//!
//! It does not know sockets; whoever owns one brings bytes and takes bytes away.

use std::collections::{BTreeSet, VecDeque};

use super::commands::Walk;
use super::transaction::{Queue, Watched};
use crate::protocol::{Command, Dialect, Refusal, Reply, encode, json};
use crate::replication::frame::GREETING;

/// What a client that does not read may be owed before its requests are left unread. One answer may go past it. Memory
/// grows by doubling and what is sent lies before what is owed for a while, so such a client costs up to four times
/// this; 1,000 of them 1 GiB, which a small machine survives.
pub const OUTBOX_BYTES_MAX: usize = 1 << 18;
/// Room for gates that stays.
const GATES_KEPT: usize = 1 << 7;
/// What an answer that waits to be durable may cost: its gate, and a refusal in its place.
const GATE_BYTES: usize = size_of::<Gate>() + 80;
/// Memory that an empty inbox or outbox keeps: what a pipelining client needs again at once.
const KEPT_BYTES: usize = 16 << 10;

/// What has to come before a session's next request can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Bytes from the client.
    ForInput,
    /// Its next turn: requests are there, and others come first.
    ForTurn,
    /// The client reads what it is owed.
    ForReader,
    /// The data file takes what is about to be overwritten, or the clock's ceiling.
    ForSnapshot,
    /// Peers have its last write on disk, or no more time is left.
    ForPeers,
    /// Clients are not paused.
    ForUnpause,
    /// Nothing: it ends once what is owed is sent.
    ForNothing,
}

/// Which answers a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answers {
    #[default]
    All,
    None,
    /// All but that to the next request.
    SkipNext,
    /// All but that to this request.
    Skip,
}

/// Keys that begin so are watched; up to the position all changes are told.
pub(super) struct Prefix {
    pub(super) prefix: Vec<u8>,
    pub(super) told: u64,
}

/// An answer that may go out once a position is durable. Offsets count from the beginning of the conversation.
struct Gate {
    start: u64,
    end: u64,
    position: u64,
}

/// Invariant: `outbox[sent..]` is owed; `outbox[0]` is byte `begin` of all answers; gates are in order and lie within
/// what is owed.
pub struct Session {
    /// The beginning of a request whose end has not come, or requests that wait for their turn.
    pub(super) inbox: Vec<u8>,
    /// Bytes at the beginning of the inbox that hold no line end.
    pub(super) scanned: usize,
    /// So many bytes at least the request has that the inbox begins with.
    pub(super) needs: usize,
    /// How the client speaks.
    pub(super) dialect: Dialect,
    /// Its number among all clients there ever were.
    pub(super) number: u64,
    /// Its address and the one it reached, as the server knows them.
    pub(super) addresses: (String, String),
    /// What it calls itself, its library, and the library's version.
    pub(super) name: Vec<u8>,
    pub(super) library: (Vec<u8>, Vec<u8>),
    pub(super) begun_us: u64,
    /// The command executed last.
    pub(super) command: Option<Command>,
    pub(super) answers: Answers,
    /// The transaction that is being put together.
    pub(super) queue: Option<Box<Queue>>,
    pub(super) watched: Watched,
    /// Channels and patterns it listens to, in order.
    pub(super) channels: BTreeSet<Vec<u8>>,
    pub(super) patterns: BTreeSet<Vec<u8>>,
    /// A walk through all keys that takes several turns.
    pub(super) walk: Option<Box<Walk>>,
    /// What it watches by prefix, and how far it was told of that.
    pub(super) watch: Option<Box<Prefix>>,
    /// Until when its last request sleeps.
    pub(super) sleeps_until_us: Option<u64>,
    /// How long the request has taken so far that is to be executed again.
    pub(super) spent_us: u64,
    /// Whether a transaction is being run.
    pub(super) is_executing: bool,
    /// What an answer that comes later is to be wrapped in.
    pub(super) envelope: Option<Box<json::Envelope>>,
    /// Whether bytes are dropped up to the next line end.
    pub(super) skipping: bool,
    /// Whether no valid request has come yet.
    pub(super) first: bool,
    /// Whether the client has said all it will say.
    pub(super) ended: bool,
    pub(super) waits: Waits,
    /// When bytes last came, in monotonic microseconds.
    pub(super) active_us: u64,
    /// Whether the node's list of sessions with something to send holds it.
    pub(super) touched: bool,
    /// Whether the node's list of sessions with closed gates holds it.
    pub(super) gated: bool,
    /// The position of its last write; 0: none.
    pub(super) written: u64,
    /// What it waits for: so many peers, until then at most.
    pub(super) wanted: (usize, u64),
    outbox: Vec<u8>,
    sent: usize,
    begin: u64,
    gates: VecDeque<Gate>,
}

impl Session {
    /// A conversation that begins, the `number`th.
    pub fn new(number: u64, dialect: Dialect, now_us: u64) -> Session {
        Session {
            inbox: Vec::new(),
            scanned: 0,
            needs: 0,
            dialect,
            number,
            addresses: Default::default(),
            name: Vec::new(),
            library: Default::default(),
            begun_us: now_us,
            command: None,
            answers: Answers::default(),
            queue: None,
            watched: Watched::default(),
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            walk: None,
            watch: None,
            sleeps_until_us: None,
            spent_us: 0,
            is_executing: false,
            envelope: None,
            skipping: false,
            first: true,
            ended: false,
            waits: Waits::ForInput,
            active_us: now_us,
            touched: false,
            gated: false,
            written: 0,
            wanted: (0, 0),
            outbox: Vec::new(),
            sent: 0,
            begin: 0,
            gates: VecDeque::new(),
        }
    }

    /// Answers in the order of the requests.
    pub fn answer(&mut self, reply: Reply<'_>) {
        encode(self.dialect, reply, &mut self.outbox);
    }

    /// The end of all answers so far, as a place for [`Session::hold`] and [`Session::take_back`].
    pub(super) fn mark(&self) -> u64 {
        self.begin + self.outbox.len() as u64
    }

    /// What was answered since the mark stays here until the position is durable, and with it all later answers.
    pub(super) fn hold(&mut self, start: u64, position: u64) {
        let end = self.mark();
        self.gates.push_back(Gate { start, end, position });
    }

    /// Takes back what was answered since the mark.
    pub(super) fn take_back(&mut self, start: u64) -> Vec<u8> {
        self.outbox.split_off((start - self.begin) as usize)
    }

    /// Answers in bytes that are ready to be sent.
    pub(super) fn answer_bytes(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    /// Wraps what was answered since the mark as the JSON dialect does.
    pub(super) fn wrap(&mut self, start: u64, envelope: &json::Envelope) {
        let plain = self.take_back(start);
        json::encode(envelope, &plain, &mut self.outbox);
    }

    /// Whether it listens to anything.
    pub(super) fn is_listening(&self) -> bool {
        !self.channels.is_empty() || !self.patterns.is_empty()
    }

    /// Opens the gates up to a durable position. Returns whether any stays closed.
    pub fn release(&mut self, durable: u64) -> bool {
        let open = self.gates.partition_point(|gate| gate.position <= durable);
        self.gates.drain(..open);
        self.gates.shrink_to(GATES_KEPT);
        !self.gates.is_empty()
    }

    /// Puts a refusal in the place of every answer that still waits to be durable.
    pub fn refuse_gated(&mut self, refusal: Refusal) {
        let Some(first) = self.gates.front() else { return };
        let mut copied = first.start;
        let tail_start = copied;
        let tail = self.outbox.split_off((copied - self.begin) as usize);
        let part = |from: u64, to: u64| &tail[(from - tail_start) as usize..(to - tail_start) as usize];
        for gate in self.gates.drain(..) {
            self.outbox.extend_from_slice(part(copied, gate.start));
            match self.dialect {
                Dialect::Json => json::refuse(part(gate.start, gate.end), refusal, &mut self.outbox),
                dialect => encode(dialect, Reply::Error(refusal), &mut self.outbox),
            }
            copied = gate.end;
        }
        self.outbox.extend_from_slice(part(copied, tail_start + tail.len() as u64));
    }

    /// The bytes that may be sent.
    pub fn sendable(&self) -> &[u8] {
        let end = self.gates.front().map_or(self.outbox.len(), |gate| (gate.start - self.begin) as usize);
        &self.outbox[self.sent..end]
    }

    /// So many of the sendable bytes are on their way.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.outbox.len() {
            self.begin += self.sent as u64;
            self.sent = 0;
            self.outbox.clear();
            self.outbox.shrink_to(KEPT_BYTES);
        } else if self.sent > self.owed() {
            self.begin += self.sent as u64;
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Whether the conversation begins, these bytes included, as one between nodes does.
    pub(super) fn greets(&self, bytes: &[u8]) -> bool {
        let begun = self.inbox.first().or(bytes.first());
        if begun != GREETING.first() || !self.first || self.skipping || self.begin > 0 || !self.outbox.is_empty() {
            return false;
        }
        self.inbox.iter().chain(bytes).take(GREETING.len()).eq(GREETING)
    }

    /// Whether an answer waits to be durable.
    pub fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// Bytes owed, sendable or not.
    pub fn owed(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// What is owed and what waits to be durable, each with the refusal that may come in its place.
    pub fn burden(&self) -> usize {
        self.owed() + self.gates.len() * GATE_BYTES
    }

    /// Memory held for this conversation.
    pub fn bytes(&self) -> usize {
        self.inbox.capacity() + self.outbox.capacity() + self.gates.capacity() * size_of::<Gate>()
    }

    /// Keeps the part of `bytes` that no request has used, for later.
    pub(super) fn keep_inbox(&mut self, mut inbox: Vec<u8>, used: usize) {
        inbox.drain(..used);
        if inbox.is_empty() {
            inbox.shrink_to(KEPT_BYTES);
        }
        self.inbox = inbox;
    }
}
