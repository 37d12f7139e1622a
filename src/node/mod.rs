//! The node as one state machine: bytes of clients in, bytes for clients and work for the data file out.
//!
//! - [`session`]: one conversation's bytes, and what holds them back
//! - `commands`: what each request does
//! - [`saving`]: snapshots: when, what next; `retrying`: what a failure means; `gathering`: group commit; `backup`: `SAVE`
//! - `handover`: what goes to the data file's thread and comes back; `disk`: what the node does with it
//! - `serving`: a session's turn; `ahead`: requests decoded before it is their turn
//! - `sessions`: all of them, and which of them something is to be done for
//! - `transaction`: requests that are run as one
//! - `listening`, `pubsub`: who listens to which channel
//! - `notifications`: changes as messages; `watching`: changes by prefix
//! - `outbox`: answers on their way; [`waiting`]: what cannot be done yet
//! - `glob`: patterns
//! - `writing`: how commands change keys
//! - [`options`]: what it is told about itself
//! - `steps`: what a turn may take
//! - `settings`: what can be changed while it runs; `foreign`: settings of Redis that it does not have
//! - `peers`: what the node does for other nodes
//! - `expiring`: keys whose time has come, or that were flushed
//! - `timing`: where the time goes
//! - `info`: the answer to `INFO`; [`statistics`]: what there is to tell
//!
//! Time comes in with every call. It does not know sockets, threads, files or the system's clocks.

mod ahead;
mod backup;
mod commands;
mod disk;
mod expiring;
mod foreign;
mod gathering;
mod glob;
mod handover;
mod info;
mod listening;
mod notifications;
pub mod options;
mod outbox;
mod peers;
mod pubsub;
mod retrying;
pub mod saving;
mod serving;
pub mod session;
mod sessions;
mod settings;
pub mod statistics;
mod steps;
mod timing;
mod transaction;
pub mod waiting;
mod watching;
mod writing;

use ahead::Ahead;
use bytes::Bytes;
use notifications::Notifications;
pub use options::{Options, Process, Usage};
use pubsub::PubSub;
use saving::{Checkpoint, Saver};
pub use serving::REQUESTS_PER_TURN;
use session::{OUTBOX_BYTES_MAX, Session, Waits};
use sessions::Sessions;

use settings::Settings;
use steps::Steps;
use timing::Timing;
use waiting::Pause;

use crate::metrics::Metrics;
use crate::protocol::{Refusal, Scratch};
use crate::replication::{Identity, Replication};
pub use crate::store::Now;
use crate::store::{Clock, Store};

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

impl Cluster {
    /// The clock that the node begins with, above the ceiling that the life before has recorded (0: there was none).
    pub fn clock(&self, floor: u64, unix_ms: u64, chance: u64) -> Clock {
        let node = self.identity.node;
        if self.members.iter().filter(|member| !member.is_empty()).count() > 1 {
            Clock::new(node, floor, unix_ms, chance)
        } else {
            Clock::alone(node, floor, unix_ms)
        }
    }
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
    /// The last position then.
    started_position: u64,
    /// What the process has used of the machine.
    measure: Box<dyn Fn() -> Option<Usage>>,
    /// The time of the last tick.
    ticked: Now,
    /// ... and the last position then.
    ticked_position: u64,
    /// Looks for flushed keys that changes have called for.
    sweep_owed: u64,
    pubsub: PubSub,
    notifications: Notifications,
    settings: Settings,
    timing: Timing,
    /// Whether keys may have expired that are not turned into deletions, and whether more memory may be in use than is
    /// allowed: as of the beginning of the tick, or later.
    may_hide: bool,
    may_be_over_limit: bool,
    /// Commands that monitors are not told of; read when there is the first of them.
    administrative: Vec<String>,
    pause: Option<Pause>,
    /// Whether keys are turned into deletions when their time has come, and not only hidden.
    expires_actively: bool,
    /// A client has asked for the end.
    is_shutting_down: bool,
    random: fastrand::Rng,
    ahead: Ahead,
    scratch: Scratch,
    /// What is left of the turn under way.
    steps: Steps,
    /// The memory that the requests under way lie in, where it can be shared.
    whole: Option<Bytes>,
    session_bytes_max: usize,
    http_logged_us: Option<u64>,
}

/// See the module.
pub struct Node {
    core: Core,
    sessions: Sessions,
    ending: bool,
}

/// A number of bytes, K, M or G after it or not; `None` where it is none or too large.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let unit = match lower.chars().next_back() {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        Some(_) | None => 0,
    };
    let digits = if unit == 0 { lower } else { &lower[..lower.len() - 1] };
    digits.parse::<u64>().ok()?.checked_mul(1 << unit)
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
            ticked_position: store.last_position(),
            started_position: store.last_position(),
            measure: Box::new(|| None),
            sweep_owed: 0,
            store,
            clock,
            metrics: Metrics::default(),
            options,
            started_us: now.monotonic_us,
            ticked: now,
            pubsub: PubSub::default(),
            notifications: Notifications::default(),
            settings: Settings::default(),
            timing: Timing::default(),
            administrative: Vec::new(),
            may_hide: false,
            may_be_over_limit: false,
            pause: None,
            expires_actively: true,
            is_shutting_down: false,
            random: fastrand::Rng::with_seed(seed),
            ahead: Ahead::default(),
            scratch: Scratch::default(),
            steps: Steps::default(),
            whole: None,
            session_bytes_max: 0,
            http_logged_us: None,
        };
        Node { core, sessions: Sessions::default(), ending: false }
    }

    /// A client is there. Refused where too many are; the refusal's text is then all it may be sent.
    pub fn open(&mut self, id: SessionId, now: Now) -> Result<(), Refusal> {
        if self.sessions.len() >= self.core.options.clients_max {
            self.core.metrics.clients_refused += 1;
            return Err(Refusal::TooManyClients(self.core.options.clients_max));
        }
        if self.ending {
            return Err(Refusal::ShuttingDown);
        }
        self.core.metrics.clients_accepted += 1;
        let Core { metrics, options, .. } = &self.core;
        self.sessions.add(id, Session::new(metrics.clients_accepted, options.dialect, now.monotonic_us));
        Ok(())
    }

    /// Where the client comes from and which address it reached.
    pub fn introduce(&mut self, id: SessionId, addresses: (String, String)) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.addresses = addresses;
        }
    }

    /// The client is gone, answers owed or not.
    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            self.core.pubsub.forget(id, &session);
        }
    }

    /// Bytes have come. To be called only while the session [waits for input](Waits::ForInput).
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        if self.ending {
            return;
        }
        let Node { core, sessions, .. } = self;
        core.metrics.bytes_in += bytes.len() as u64;
        let Some(mut session) = sessions.take(id) else {
            return self.receive_from_peer(id, bytes, now);
        };
        if session.greets(bytes) {
            sessions.give(id, session);
            return self.become_peer(id, bytes, now);
        }
        session.active_us = now.monotonic_us;
        if session.inbox.is_empty() {
            // The common case: whole requests are read where they lie, without a copy.
            let used = core.serve(sessions, id, &mut session, bytes, now);
            session.inbox.extend_from_slice(&bytes[used..]);
        } else {
            session.inbox.extend_from_slice(bytes);
            core.serve_inbox(sessions, id, &mut session, now);
        }
        self.after_turn(id, session);
    }

    /// Where the next bytes of a client are to be put whose request is long, so that they are not copied; `None`:
    /// anywhere. To be followed by [`Node::received`].
    pub fn room(&mut self, id: SessionId) -> Option<&mut [u8]> {
        if self.ending { None } else { self.sessions.get_mut(id)?.room() }
    }

    /// So many bytes have come to where [`Node::room`] said.
    pub fn received(&mut self, id: SessionId, count: usize, now: Now) {
        let Node { core, sessions, .. } = self;
        core.metrics.bytes_in += count as u64;
        let Some(session) = sessions.get_mut(id) else { return };
        session.active_us = now.monotonic_us;
        if session.filled(count) {
            self.resume(id, now);
        }
    }

    /// The client will send no more; its answers still go to it.
    pub fn finish(&mut self, id: SessionId, now: Now) {
        match self.sessions.get_mut(id) {
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
        let Some(mut session) = sessions.take(id) else {
            return self.peer_turn(id, now);
        };
        core.serve_inbox(sessions, id, &mut session, now);
        self.after_turn(id, session);
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
        let Some(session) = self.sessions.get_mut(id) else {
            return self.core.replication.sent(id, count);
        };
        session.sent(count);
        if session.waits == Waits::ForReader && session.burden() < OUTBOX_BYTES_MAX {
            self.sessions.run(id);
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
        self.sessions.take_touched(into);
        self.core.replication.take_touched(into);
    }

    /// The sessions to be [resumed](Node::resume) since the last call.
    pub fn take_runnable(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.sessions.runnable);
    }

    /// Nothing is executed any more; one last snapshot is wanted.
    pub fn end(&mut self) {
        self.ending = true;
        self.core.saver.end();
    }

    /// After [`Node::end`]: whether all is saved or cannot be, and what that costs; `None` while it is under way.
    pub fn ended(&self) -> Option<Result<(), String>> {
        let Core { store, saver, replication, .. } = &self.core;
        let verdict = saver.ended()?;
        Some(verdict.map_err(|why| {
            let lost = store.count_after(saver.durable());
            if lost == 0 {
                return format!("all changes are on disk, but the end could not be recorded there: {why}");
            }
            let elsewhere = match &replication.complete(store)[..] {
                [] => "No linked node is known to have them all".to_owned(),
                ids => format!("All of them are on node {}, in memory at least", ids.join(" and ")),
            };
            format!(
                "changes to {lost} keys since the last snapshot could not be saved: {why}. {elsewhere}. On disk is the \
                 state of that snapshot; make sure that there is room before the next start"
            )
        }))
    }

    /// Whether every request that is here is executed. O(sessions).
    pub fn is_quiet(&self) -> bool {
        self.sessions.iter().all(|(_, session)| matches!(session.waits, Waits::ForInput | Waits::ForNothing))
    }

    /// When to call again, in monotonic microseconds, where nothing else happens before.
    pub fn deadline_us(&self) -> u64 {
        let Core { store, saver, replication, .. } = &self.core;
        let is_busy = !self.sessions.runnable.is_empty() || self.core.has_untold(&self.sessions);
        let busy = if !is_busy { u64::MAX } else { 0 };
        busy.min(saver.deadline_us(store))
            .min(self.expiry_us())
            .min(replication.deadline_us())
            .min(self.sessions.waiting.deadline_us())
    }

    /// Whether a client has asked for the end of the process.
    pub fn is_shutting_down(&self) -> bool {
        self.core.is_shutting_down
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
        self.sessions.iter().map(|(_, session)| session.bytes()).sum()
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    fn after_turn(&mut self, id: SessionId, session: Box<Session>) {
        self.core.session_bytes_max = self.core.session_bytes_max.max(session.bytes());
        self.sessions.give(id, session);
        self.sessions.note_turn(id);
    }
}
