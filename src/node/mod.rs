//! The node as one state machine: bytes of clients in, bytes for clients and work for the data file out.
//!
//! - [`session`]: one conversation's bytes, and what holds them back
//! - `commands`: what each request does
//! - [`saving`]: snapshots: when, what next, what a failure means
//! - `serving`: a session's turn
//! - `peers`: what the node does for other nodes
//! - `expiring`: keys whose time has come, or that were flushed
//! - `writing`: writes without a conversation
//! - `info`: the answer to `INFO`
//!
//! Time comes in with every call. It does not know sockets, threads, files or the system's clocks.

mod commands;
mod expiring;
mod info;
mod peers;
pub mod saving;
mod serving;
pub mod session;
mod writing;

use saving::{Checkpoint, Durability, Save, Saved, Saver, Verdict};
pub use serving::REQUESTS_PER_TURN;
use session::{OUTBOX_BYTES_MAX, Session, Waits};

use crate::metrics::Metrics;
use crate::protocol::Refusal;
use crate::replication::{Identity, Limits, Replication};
pub use crate::store::Now;
use crate::store::{Clock, Store};

/// What a node is told about itself.
#[derive(Clone, Debug)]
pub struct Options {
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
    /// What peers are allowed.
    pub limits: Limits,
}

/// The cluster as a node begins with it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// This node.
    pub identity: Identity,
    /// The addresses of all nodes, by id; empty where one was removed.
    pub members: Vec<String>,
    /// Decides about pauses between dials.
    pub seed: u64,
}

/// Names a session; small numbers, chosen by whoever opens it.
pub type SessionId = usize;

/// All of the node that is not a session.
pub(crate) struct Core {
    store: Store,
    clock: Clock,
    saver: Saver,
    replication: Replication,
    metrics: Metrics,
    options: Options,
    started_us: u64,
    /// The time of the last tick.
    ticked: Now,
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
    /// Sessions (and peers' connections) that wait for the snapshot.
    held: Vec<SessionId>,
    /// Sessions with answers that wait to be durable.
    gated: Vec<SessionId>,
    /// Sessions that wait for peers.
    waiting: Vec<SessionId>,
    ending: bool,
}

impl Node {
    /// A node that serves the store. `clock` issues above all stamps in it; `reserved` is what the data file records.
    pub fn new(
        store: Store,
        mut clock: Clock,
        reserved: Checkpoint,
        cluster: Cluster,
        options: Options,
        now: Now,
    ) -> Node {
        clock.reserved(reserved.clock_ceiling);
        let Cluster { identity, members, seed } = cluster;
        let Checkpoint { position, recorded, .. } = reserved;
        let limits = options.limits;
        let core = Core {
            replication: Replication::new(identity, members, limits, recorded, &store, seed, now),
            saver: Saver::new(options.durability, options.snapshot_interval_ms, position, now),
            store,
            clock,
            metrics: Metrics::default(),
            options,
            started_us: now.monotonic_us,
            ticked: now,
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
            waiting: Vec::new(),
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
        if let Some(session) = self.sessions.get_mut(id).and_then(Option::take) {
            self.core.sessions -= 1;
            for list in [&mut self.runnable, &mut self.held, &mut self.waiting] {
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
        core.metrics.bytes_in += bytes.len() as u64;
        let Some(session) = sessions.get_mut(id).and_then(Option::as_deref_mut) else {
            return self.receive_from_peer(id, bytes, now);
        };
        if session.greets(bytes) {
            return self.become_peer(id, bytes, now);
        }
        session.active_us = now.monotonic_us;
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
        match self.sessions.get_mut(id).and_then(Option::as_deref_mut) {
            Some(session) => {
                session.ended = true;
                // One that waits for peers has said so already.
                if session.waits == Waits::ForInput {
                    self.resume(id, now);
                }
            }
            None => self.lose_peer(id, "it closed the connection", now),
        }
    }

    /// Goes on with requests that are here already.
    pub fn resume(&mut self, id: SessionId, now: Now) {
        if self.ending {
            return;
        }
        let Node { core, sessions, .. } = self;
        let Some(session) = sessions.get_mut(id).and_then(Option::as_deref_mut) else {
            return self.peer_turn(id, now);
        };
        let inbox = std::mem::take(&mut session.inbox);
        let used = core.serve(session, &inbox, now);
        session.keep_inbox(inbox, used);
        self.after_turn(id);
    }

    /// What the session's next request waits for.
    pub fn waits(&self, id: SessionId) -> Waits {
        self.session(id).map_or_else(|| self.peer_waits(id), |session| session.waits)
    }

    /// The bytes that may be sent to the client.
    pub fn sendable(&self, id: SessionId) -> &[u8] {
        self.session(id).map_or_else(|| self.core.replication.sendable(id), Session::sendable)
    }

    /// So many of them are sent.
    pub fn sent(&mut self, id: SessionId, count: usize) {
        self.core.metrics.bytes_out += count as u64;
        let Some(session) = self.sessions.get_mut(id).and_then(Option::as_deref_mut) else {
            return self.core.replication.sent(id, count);
        };
        session.sent(count);
        if session.waits == Waits::ForReader && session.burden() < OUTBOX_BYTES_MAX {
            session.waits = Waits::ForTurn;
            self.runnable.push(id);
        }
    }

    /// Whether the conversation is over and all of it sent.
    pub fn is_over(&self, id: SessionId) -> bool {
        match self.session(id) {
            Some(session) => session.waits == Waits::ForNothing && session.owed() == 0,
            None => self.core.replication.is_over(id),
        }
    }

    /// Whether it is a client's, and not a peer's.
    pub fn is_client(&self, id: SessionId) -> bool {
        self.session(id).is_some()
    }

    /// When bytes last came from the client, in monotonic microseconds.
    pub fn active_us(&self, id: SessionId) -> u64 {
        self.session(id).map_or(0, |session| session.active_us)
    }

    /// The sessions with something to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        for &id in &self.touched {
            if let Some(session) = self.sessions[id].as_deref_mut() {
                session.touched = false;
            }
        }
        into.append(&mut self.touched);
        self.core.replication.take_touched(into);
    }

    /// The sessions to be [resumed](Node::resume) since the last call.
    pub fn take_runnable(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.runnable);
    }

    /// The next piece of work for the data file, where there is one and the writer has room.
    pub fn next_save(&mut self, now: Now) -> Option<Save> {
        let Core { store, clock, saver, replication, metrics, .. } = &mut self.core;
        let settle = |tombstones| (!replication.is_alone()).then(|| replication.settle(tombstones));
        saver.collect_tombstones(store, settle, now);
        let save = saver.next(store, clock, |store| replication.record(clock, store), now);
        metrics.rows_written += save.as_ref().map_or(0, |save| save.batch.len() as u64);
        let is_free = !saver.holds_writers(store) && (!clock.is_spent() || saver.is_failing());
        if !self.held.is_empty() && is_free {
            for id in self.held.drain(..) {
                if let Some(session) = self.sessions.get_mut(id).and_then(Option::as_deref_mut) {
                    session.waits = Waits::ForTurn;
                }
                self.runnable.push(id);
            }
        }
        save
    }

    /// Takes back a piece of work from the data file, and with it the answers that waited for it.
    pub fn saved(&mut self, saved: Saved, now: Now) {
        let Core { store, clock, saver, replication, metrics, .. } = &mut self.core;
        match saver.done(saved, store, clock, now) {
            Verdict::None => (),
            Verdict::Release(recorded) => {
                metrics.snapshots += 1;
                replication.recorded(recorded);
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
        let Core { store, saver, replication, .. } = &self.core;
        let busy = if self.runnable.is_empty() { u64::MAX } else { 0 };
        let saving_us = saver.deadline_us(store).min(self.expiry_us());
        busy.min(saving_us).min(replication.deadline_us()).min(self.waits_end_us())
    }

    /// What every key is.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// The highest clock value issued or seen.
    pub fn clock_last(&self) -> u64 {
        self.core.clock.last()
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

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id).and_then(Option::as_deref)
    }

    fn after_turn(&mut self, id: SessionId) {
        let Some(session) = self.sessions[id].as_deref_mut() else { return };
        self.core.session_bytes_max = self.core.session_bytes_max.max(session.bytes());
        match session.waits {
            Waits::ForTurn => self.runnable.push(id),
            Waits::ForSnapshot => self.held.push(id),
            Waits::ForPeers => self.waiting.push(id),
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
