//! The node as one state machine: bytes of clients in, bytes for clients and work for the data file out.
//!
//! - [`session`]: one conversation's bytes, and what holds them back
//! - `commands`: what each request does
//! - [`saving`]: snapshots: when, what next, what a failure means
//! - `info`: the answer to `INFO`
//!
//! Time comes in with every call. It does not know sockets, threads, files or the system's clocks.

mod commands;
mod info;
pub mod saving;
pub mod session;

use commands::Executed;
use memchr::memchr;
use saving::{Checkpoint, Durability, Save, Saved, Saver, Verdict};
use session::{OUTBOX_BYTES_MAX, Session, Waits};

use crate::metrics::Metrics;
use crate::protocol::{Decoded, Refusal, Reply, line};
use crate::store::{Clock, Store};

/// Requests of one session executed in one turn, so that the longest turn stays far below a millisecond.
pub const REQUESTS_PER_TURN: usize = 512;
/// Least time between two log lines about connections that spoke HTTP.
const HTTP_LOG_US: u64 = 10_000_000;

/// The time, read once a tick.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since any fixed moment; never steps.
    pub monotonic_us: u64,
    /// Wall clock; may step.
    pub unix_ms: u64,
}

/// What a node is told about itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nodes of the cluster, this one included.
    pub nodes: usize,
    /// What a write's `OK` promises.
    pub durability: Durability,
    /// Time between two snapshots.
    pub snapshot_interval_ms: u64,
    /// Longest value.
    pub value_bytes_max: usize,
    /// Clients at once.
    pub clients_max: usize,
    /// As `--max-memory` was given; the store enforces it. 0: no limit.
    pub memory_bytes_max: usize,
    /// After so long without a byte a client is closed. 0: never.
    pub idle_timeout_s: u64,
}

/// Names a session; small numbers, chosen by whoever opens it.
pub type SessionId = usize;

/// All of the node that is not a session.
pub(crate) struct Core {
    store: Store,
    clock: Clock,
    saver: Saver,
    metrics: Metrics,
    options: Options,
    started_us: u64,
    sessions: usize,
    session_bytes_max: usize,
    http_logged_us: Option<u64>,
}

/// See the module.
pub struct Node {
    core: Core,
    sessions: Vec<Option<Box<Session>>>,
    /// Sessions with something new to send.
    touched: Vec<SessionId>,
    /// Sessions whose turn comes.
    runnable: Vec<SessionId>,
    /// Sessions that wait for the snapshot.
    held: Vec<SessionId>,
    /// Sessions with answers that wait to be durable.
    gated: Vec<SessionId>,
    ending: bool,
}

impl Node {
    /// A node that serves the store. `clock` issues above all stamps in it; `reserved` is what the data file records.
    pub fn new(store: Store, mut clock: Clock, reserved: Checkpoint, options: Options, now: Now) -> Node {
        clock.reserved(reserved.clock_ceiling);
        let alone = options.nodes == 1;
        let interval_ms = options.snapshot_interval_ms;
        let core = Core {
            saver: Saver::new(options.durability, interval_ms, alone, reserved.position, now),
            store,
            clock,
            metrics: Metrics::default(),
            options,
            started_us: now.monotonic_us,
            sessions: 0,
            session_bytes_max: 0,
            http_logged_us: None,
        };
        Node {
            core,
            sessions: Vec::new(),
            touched: Vec::new(),
            runnable: Vec::new(),
            held: Vec::new(),
            gated: Vec::new(),
            ending: false,
        }
    }

    /// A client is there. Refused where too many are; the refusal's text is then all it may be sent.
    pub fn open(&mut self, id: SessionId, now: Now) -> Result<(), Refusal> {
        if self.core.sessions >= self.core.options.clients_max {
            self.core.metrics.clients_refused += 1;
            return Err(Refusal::TooManyClients(self.core.options.clients_max));
        }
        if self.ending {
            return Err(Refusal::ShuttingDown);
        }
        if self.sessions.len() <= id {
            self.sessions.resize_with(id + 1, || None);
        }
        debug_assert!(self.sessions[id].is_none());
        self.sessions[id] = Some(Box::new(Session::new(now.monotonic_us)));
        self.core.sessions += 1;
        self.core.metrics.clients_accepted += 1;
        Ok(())
    }

    /// The client is gone, answers owed or not.
    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions[id].take() {
            self.core.sessions -= 1;
            for list in [&mut self.runnable, &mut self.held] {
                list.retain(|&other| other != id);
            }
            if session.touched {
                self.touched.retain(|&other| other != id);
            }
            if session.gated {
                self.gated.retain(|&other| other != id);
            }
        }
    }

    /// Bytes have come. To be called only while the session [waits for input](Waits::ForInput).
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        if self.ending {
            return;
        }
        let Node { core, sessions, .. } = self;
        let Some(session) = sessions[id].as_deref_mut() else { return };
        session.active_us = now.monotonic_us;
        core.metrics.bytes_in += bytes.len() as u64;
        if session.inbox.is_empty() {
            // The common case: whole requests are read where they lie, without a copy.
            let used = core.serve(session, bytes, now);
            session.inbox.extend_from_slice(&bytes[used..]);
        } else {
            let mut inbox = std::mem::take(&mut session.inbox);
            inbox.extend_from_slice(bytes);
            let used = core.serve(session, &inbox, now);
            session.keep_inbox(inbox, used);
        }
        self.after_turn(id);
    }

    /// The client will send no more; its answers still go to it.
    pub fn finish(&mut self, id: SessionId, now: Now) {
        if let Some(session) = self.sessions[id].as_deref_mut() {
            session.ended = true;
            self.resume(id, now);
        }
    }

    /// Goes on with requests that are here already.
    pub fn resume(&mut self, id: SessionId, now: Now) {
        if self.ending {
            return;
        }
        let Node { core, sessions, .. } = self;
        let Some(session) = sessions[id].as_deref_mut() else { return };
        let inbox = std::mem::take(&mut session.inbox);
        let used = core.serve(session, &inbox, now);
        session.keep_inbox(inbox, used);
        self.after_turn(id);
    }

    /// What the session's next request waits for.
    pub fn waits(&self, id: SessionId) -> Waits {
        self.sessions[id].as_deref().map_or(Waits::ForNothing, |session| session.waits)
    }

    /// The bytes that may be sent to the client.
    pub fn sendable(&self, id: SessionId) -> &[u8] {
        self.sessions[id].as_deref().map_or(&[], Session::sendable)
    }

    /// So many of them are sent.
    pub fn sent(&mut self, id: SessionId, count: usize) {
        let Some(session) = self.sessions[id].as_deref_mut() else { return };
        self.core.metrics.bytes_out += count as u64;
        session.sent(count);
        if session.waits == Waits::ForReader && session.owed() < OUTBOX_BYTES_MAX {
            session.waits = Waits::ForTurn;
            self.runnable.push(id);
        }
    }

    /// Whether the conversation is over and all of it sent.
    pub fn is_over(&self, id: SessionId) -> bool {
        self.sessions[id].as_deref().is_none_or(|session| session.waits == Waits::ForNothing && session.owed() == 0)
    }

    /// When bytes last came from the client, in monotonic microseconds.
    pub fn active_us(&self, id: SessionId) -> u64 {
        self.sessions[id].as_deref().map_or(0, |session| session.active_us)
    }

    /// The sessions with something to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        for &id in &self.touched {
            if let Some(session) = self.sessions[id].as_deref_mut() {
                session.touched = false;
            }
        }
        into.append(&mut self.touched);
    }

    /// The sessions to be [resumed](Node::resume) since the last call.
    pub fn take_runnable(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.runnable);
    }

    /// The next piece of work for the data file, where there is one and the writer has room.
    pub fn next_save(&mut self, now: Now) -> Option<Save> {
        let Core { store, clock, saver, metrics, .. } = &mut self.core;
        saver.collect_tombstones(store);
        let save = saver.next(store, clock, now);
        metrics.rows_written += save.as_ref().map_or(0, |save| save.batch.len() as u64);
        if !self.held.is_empty() && !saver.holds_writers(store) {
            for id in self.held.drain(..) {
                if let Some(session) = self.sessions[id].as_deref_mut() {
                    session.waits = Waits::ForTurn;
                    self.runnable.push(id);
                }
            }
        }
        save
    }

    /// Takes back a piece of work from the data file, and with it the answers that waited for it.
    pub fn saved(&mut self, saved: Saved, now: Now) {
        let Core { store, clock, saver, metrics, .. } = &mut self.core;
        match saver.done(saved, store, clock, now) {
            Verdict::None => (),
            Verdict::Release => {
                metrics.snapshots += 1;
                let durable = saver.durable();
                self.visit_gated(|session| session.release(durable));
            }
            Verdict::Refuse => {
                metrics.snapshots_failed += 1;
                self.visit_gated(|session| {
                    session.refuse_gated(Refusal::MaybeDurable);
                    false
                });
            }
        }
    }

    /// Nothing is executed any more; one last snapshot is wanted.
    pub fn end(&mut self) {
        self.ending = true;
        self.core.saver.end();
    }

    /// After [`Node::end`]: whether all is saved or cannot be; `None` while it is under way.
    pub fn ended(&self) -> Option<Result<(), &str>> {
        self.core.saver.ended()
    }

    /// Whether every request that is here is executed. O(sessions).
    pub fn is_quiet(&self) -> bool {
        let waits = self.sessions.iter().flatten().map(|session| session.waits);
        waits.into_iter().all(|waits| matches!(waits, Waits::ForInput | Waits::ForNothing))
    }

    /// When to call again, in monotonic microseconds, where nothing else happens before.
    pub fn deadline_us(&self) -> u64 {
        if self.runnable.is_empty() { self.core.saver.deadline_us(&self.core.store) } else { 0 }
    }

    /// What every key is.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// What is counted.
    pub fn metrics(&mut self) -> &mut Metrics {
        &mut self.core.metrics
    }

    /// What it was told about itself.
    pub fn options(&self) -> &Options {
        &self.core.options
    }

    /// Memory held for all sessions.
    pub fn session_bytes(&self) -> usize {
        self.sessions.iter().flatten().map(|session| session.bytes()).sum()
    }

    fn after_turn(&mut self, id: SessionId) {
        let Some(session) = self.sessions[id].as_deref_mut() else { return };
        self.core.session_bytes_max = self.core.session_bytes_max.max(session.bytes());
        match session.waits {
            Waits::ForTurn => self.runnable.push(id),
            Waits::ForSnapshot => self.held.push(id),
            Waits::ForInput | Waits::ForReader | Waits::ForNothing => (),
        }
        if !session.touched && (session.owed() > 0 || session.waits == Waits::ForNothing) {
            session.touched = true;
            self.touched.push(id);
        }
        if !session.gated && session.has_gates() {
            session.gated = true;
            self.gated.push(id);
        }
    }

    /// `keep` says whether the session stays among the gated ones.
    fn visit_gated(&mut self, mut keep: impl FnMut(&mut Session) -> bool) {
        let Node { sessions, gated, touched, .. } = self;
        gated.retain(|&id| {
            let Some(session) = sessions[id].as_deref_mut() else { return false };
            session.gated = keep(session);
            if !session.touched {
                session.touched = true;
                touched.push(id);
            }
            session.gated
        });
    }
}

impl Core {
    /// Executes the requests in `bytes`, a turn's worth at most, and returns how many bytes they were.
    fn serve(&mut self, session: &mut Session, bytes: &[u8], now: Now) -> usize {
        let mut used = 0;
        for _ in 0..REQUESTS_PER_TURN {
            if session.waits == Waits::ForNothing {
                return bytes.len();
            }
            if session.owed() >= OUTBOX_BYTES_MAX {
                session.waits = Waits::ForReader;
                return used;
            }
            let rest = &bytes[used..];
            if session.skipping {
                match memchr(b'\n', rest) {
                    Some(end) => (used, session.skipping) = (used + end + 1, false),
                    None => return self.out_of_input(session, bytes.len(), bytes.len()),
                }
                continue;
            }
            match line::decode(rest, session.scanned, session.first, self.options.value_bytes_max) {
                Decoded::Request(request, count) => {
                    session.scanned = 0;
                    match commands::execute(self, session, request, now) {
                        Executed::Answered => (),
                        Executed::Ended => session.waits = Waits::ForNothing,
                        Executed::Wait => {
                            session.waits = Waits::ForSnapshot;
                            return used;
                        }
                    }
                    self.metrics.requests += 1;
                    session.first = false;
                    used += count;
                }
                Decoded::Malformed(reply, count) => {
                    self.metrics.requests_refused += 1;
                    session.answer(reply);
                    (session.scanned, used) = (0, used + count);
                }
                Decoded::Oversized(reply) => {
                    self.metrics.requests_refused += 1;
                    session.answer(reply);
                    (session.scanned, session.skipping, used) = (0, true, bytes.len());
                }
                Decoded::Http => {
                    self.note_http(now);
                    session.waits = Waits::ForNothing;
                }
                Decoded::Incomplete => {
                    session.scanned = rest.len();
                    return self.out_of_input(session, used, bytes.len());
                }
            }
        }
        session.waits = Waits::ForTurn;
        used
    }

    /// All that can be executed is; `used` of `len` bytes are.
    fn out_of_input(&mut self, session: &mut Session, used: usize, len: usize) -> usize {
        session.waits = Waits::ForInput;
        if !session.ended {
            return used;
        }
        if used < len {
            self.metrics.requests_refused += 1;
            session.answer(Reply::Error(Refusal::Unterminated));
        }
        session.waits = Waits::ForNothing;
        len
    }

    fn note_http(&mut self, now: Now) {
        self.metrics.http_closed += 1;
        if self.http_logged_us.is_none_or(|last| now.monotonic_us - last > HTTP_LOG_US) {
            self.http_logged_us = Some(now.monotonic_us);
            log::warn!(
                "closed a connection that spoke HTTP ({} so far): a web page may be trying to reach this port; \
                 bind it to an address that browsers cannot reach",
                self.metrics.http_closed
            );
        }
    }
}
