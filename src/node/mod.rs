//! The node as one state machine: bytes of clients in, bytes for clients and work for the data file out.
//!
//! What it has:
//!
//! - `keyspace`: the keys, as commands about data see them; `writing`: how they are changed; `view`: changes that may
//!   still come to nothing; `walk`: how all are gone through
//! - `sessions`: all conversations, and which of them something is to be done for; [`session`]: one of them, made of
//!   `client` (who it is), `replies` (what it is owed; `outbox`: the bytes of that) and `progress` (how far a request is)
//! - `channels`: who listens to what (`listening`, `pubsub`), and which changes are told (`notifications`)
//! - `users` (of [`auth`](crate::auth)): who there is, and what each may do; `accounts`: what there is beside
//! - [`origin`]: where a connection comes from
//! - `settings`: what can be changed while it runs; [`options`]: what it is told at the start; `foreign`: settings of
//!   Redis that it does not have
//! - `log_book`: the log, as far as the node has a say in it
//! - [`encryption`]: TLS as far as the node knows it
//! - `timing`: where the time goes; `redacting`: what of a request is shown to others; `readiness`: whether clients may
//!   be sent here
//! - `strangers`: clients that have proven nothing; `protection`: who is turned away
//!
//! What it does:
//!
//! - `serving`: a session's turn; `lookahead`: requests decoded before it is their turn; `steps`: what a turn may take
//! - `commands`: what each request does; `transaction`: requests that are run as one
//! - `ticking`: what a tick does before and after the turns; `peers`: what it does for other nodes; `disk`: what it does
//!   for its data file; `backups`, `backing_up`: copies of it for clients; `renewing`: certificates; `beat`: each second
//! - [`waiting`]: what cannot be done yet, and until when; [`waits`]: what a session waits for
//! - `telling`: changes told to who listens; `watching`: changes told by prefix, to those in `watchers`,
//!   as `gathering` lets them
//! - `info`: the answer to `INFO`; [`exposition`], `exposing`: that to `GET /metrics`; [`statistics`]: what there is to
//!   tell; `health`: the same for a machine; `reporting`: at a glance, of all nodes and by their `reports`
//! - `http`: what is asked in HTTP
//!
//! Time comes in with every call. It does not know sockets, threads, files or the system's clocks.

mod accounts;
mod backing_up;
mod backups;
mod beat;
mod channels;
mod client;
mod commands;
mod defaults;
mod disk;
pub mod encryption;
mod exposing;
pub mod exposition;
mod failures;
mod foreign;
mod gathering;
mod health;
mod http;
mod info;
mod keyspace;
mod listening;
mod log_book;
mod lookahead;
mod notifications;
pub mod options;
pub mod origin;
mod outbox;
mod peers;
mod progress;
mod protection;
mod pubsub;
mod readiness;
mod redacting;
mod renewing;
mod replies;
mod reporting;
mod reports;
mod serving;
pub mod session;
mod sessions;
mod settings;
pub mod statistics;
mod steps;
mod strangers;
mod telling;
mod throttle;
mod ticking;
mod timing;
mod transaction;
mod users_file;
mod view;
pub mod waiting;
pub mod waits;
mod walk;
mod watchers;
mod watching;
mod writing;

use accounts::Accounts;
pub use accounts::UsersJob;
use backups::Backups;
use channels::Channels;
use client::Client;
use keyspace::Keyspace;
pub use log_book::LogBook;
use lookahead::Lookahead;
pub use options::{Options, Process, Usage, parse_bytes};
pub use origin::{Crowd, Origin, Source};
pub use protection::Certificate;
use readiness::Readiness;
pub use replies::OUTBOX_BYTES_MAX;
use reports::Reports;
use session::Session;
use sessions::Sessions;
use settings::Settings;
pub use steps::REQUESTS_PER_TURN;
use strangers::Standing;
use throttle::Throttle;
use timing::Timing;
use waits::Waits;
pub use watching::WATCHING_LOOKS_PER_TICK;

use crate::auth::Users;
use crate::metrics::Metrics;
use crate::protocol::{Refusal, Scratch};
use crate::replica::{Cluster, Disk, Promises, Replica};
pub use crate::replication::SessionId;
pub use crate::store::Now;
use crate::store::Store;

/// See the module.
pub struct Node {
    keys: Keyspace,
    channels: Channels,
    sessions: Sessions,
    settings: Settings,
    users: Users,
    accounts: Accounts,
    metrics: Metrics,
    timing: Timing,
    readiness: Readiness,
    backups: Backups,
    reports: Reports,
    /// About nodes that are turned away.
    peer_log: Throttle,
    lookahead: Lookahead,
    scratch: Scratch,
    scripts: crate::scripting::Engine,
    /// A client has asked for the end of the process.
    is_shutting_down: bool,
    ending: bool,
}

impl Node {
    /// A node whose replica [starts](Replica::start) with what the disk has. `chance` is a random number,
    /// `now` tells the time.
    pub fn start(
        disk: &mut impl Disk,
        cluster: Cluster,
        options: Options,
        chance: u64,
        now: impl Fn() -> Now,
    ) -> Result<Node, String> {
        let Options { durability, snapshot_interval_ms, limits, .. } = options;
        let seed = cluster.seed;
        let mut users = Users::default();
        if let Some(password) = options.password {
            users.require(Some(password));
        }
        let promises = Promises { durability, snapshot_interval_ms, limits };
        let replica = Replica::start(disk, cluster, promises, chance, &now)?;
        Ok(Node {
            keys: Keyspace::new(replica, options.value_bytes_max, seed),
            channels: Channels::default(),
            sessions: Sessions::default(),
            settings: Settings::new(options),
            users,
            accounts: Accounts::default(),
            metrics: Metrics::new(chance),
            timing: Timing::new(now()),
            readiness: Readiness::new(now()),
            backups: Backups::default(),
            reports: Reports::default(),
            peer_log: Throttle::default(),
            lookahead: Lookahead::default(),
            scratch: Scratch::default(),
            scripts: crate::scripting::Engine::new(commands::REDIS_VERSION),
            is_shutting_down: false,
            ending: false,
        })
    }

    /// A client is there, and comes from there. Refused where too many are; the refusal's text is then all it may be sent.
    pub fn open(&mut self, id: SessionId, source: impl Into<Source>, now: Now) -> Result<(), Refusal> {
        let Source { origin, crowd } = source.into();
        let access = self.users.welcome(self.must_prove(origin));
        let standing = self.standing_of(origin, access, now);
        if standing != Standing::Admitted {
            self.make_room_for_stranger(crowd);
        }
        if !self.has_room_for_client(crowd) {
            self.metrics.clients_refused += 1;
            return Err(Refusal::TooManyClients(self.settings.options.clients_max));
        }
        if self.ending {
            return Err(Refusal::ShuttingDown);
        }
        self.metrics.clients_accepted += 1;
        let (number, dialect) = (self.metrics.clients_accepted, self.settings.options.dialect);
        let client = Client::new(number, Source { origin, crowd }, standing, access, now.monotonic_us);
        self.sessions.add(id, Session::new(client, dialect));
        Ok(())
    }

    /// Where the client comes from and which address it reached.
    pub fn introduce(&mut self, id: SessionId, addresses: (String, String)) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.client.addresses = addresses;
        }
    }

    /// The client is gone, answers owed or not.
    pub fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            self.channels.pubsub.forget(id, &session.client.listening);
            self.backups.forget(id);
        }
    }

    /// Bytes have come. To be called only while the session [waits for input](Waits::ForInput).
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        if self.ending {
            return;
        }
        self.metrics.bytes_in += bytes.len() as u64;
        let Some(mut session) = self.sessions.take(id) else {
            return self.receive_from_peer(id, bytes, now);
        };
        if session.greets(bytes) {
            self.sessions.give(id, session);
            return self.become_peer(id, bytes, now);
        }
        if let Standing::Denied { .. } = session.client.standing {
            return self.hear_denied(id, session, bytes, now);
        }
        session.client.active_us = now.monotonic_us;
        if session.client.inbox.is_empty() {
            // The common case: whole requests are read where they lie, without a copy.
            let used = self.serve(id, &mut session, bytes, None, now);
            session.client.inbox.extend_from_slice(&bytes[used..]);
        } else {
            session.client.inbox.extend_from_slice(bytes);
            self.serve_inbox(id, &mut session, now);
        }
        self.after_turn(id, session, now);
    }

    /// Where the next bytes of a client are to be put whose request is long, so that they are not copied; `None`:
    /// anywhere. To be followed by [`Node::received`].
    pub fn room(&mut self, id: SessionId) -> Option<&mut [u8]> {
        if self.ending { None } else { self.sessions.get_mut(id)?.room() }
    }

    /// So many bytes have come to where [`Node::room`] said.
    pub fn received(&mut self, id: SessionId, count: usize, now: Now) {
        self.metrics.bytes_in += count as u64;
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.client.active_us = now.monotonic_us;
        if session.filled(count) {
            self.resume(id, now);
        }
    }

    /// The client will send no more; its answers still go to it.
    pub fn finish(&mut self, id: SessionId, now: Now) {
        match self.sessions.get_mut(id) {
            Some(session) => {
                session.client.ended = true;
                // One that waits for peers has said so already.
                if session.client.waits == Waits::ForInput {
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
        let Some(mut session) = self.sessions.take(id) else {
            return self.peer_turn(id, now);
        };
        if let Standing::Denied { .. } = session.client.standing {
            self.sessions.give(id, session);
            return self.send_away(id);
        }
        self.serve_inbox(id, &mut session, now);
        self.after_turn(id, session, now);
    }

    /// What the session's next request waits for.
    pub fn waits(&self, id: SessionId) -> Waits {
        self.session(id).map_or_else(|| self.peer_waits(id), |session| session.client.waits)
    }

    /// The bytes that may be sent to the client.
    pub fn sendable(&self, id: SessionId) -> &[u8] {
        self.session(id)
            .map_or_else(|| self.keys.replica().replication().sendable(id), |session| session.out.sendable())
    }

    /// So many of them are sent.
    pub fn sent(&mut self, id: SessionId, count: usize) {
        self.metrics.bytes_out += count as u64;
        let Some(session) = self.sessions.get_mut(id) else {
            return self.keys.replica_mut().sent(id, count);
        };
        session.out.sent(count);
        let watches = session.client.watch.is_some();
        if session.client.waits == Waits::ForReader && session.out.burden() < OUTBOX_BYTES_MAX {
            self.sessions.run(id);
        }
        if watches {
            self.wake_watcher(id);
        }
    }

    /// Whether the conversation is over and all of it sent.
    pub fn is_over(&self, id: SessionId) -> bool {
        match self.session(id) {
            Some(session) => session.client.waits == Waits::ForNothing && session.out.owed() == 0,
            None => self.keys.replica().replication().is_over(id),
        }
    }

    /// Whether it is a client's, and not a peer's.
    pub fn is_client(&self, id: SessionId) -> bool {
        self.session(id).is_some()
    }

    /// When bytes last came from the client, in monotonic microseconds.
    pub fn active_us(&self, id: SessionId) -> u64 {
        self.session(id).map_or(0, |session| session.client.active_us)
    }

    /// The sessions with something to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        self.sessions.take_touched(into);
        self.keys.replica_mut().take_touched(into);
    }

    /// The sessions to be [resumed](Node::resume) since the last call.
    pub fn take_runnable(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.sessions.runnable);
    }

    /// Nothing is executed any more; one last snapshot is wanted.
    pub fn end(&mut self) {
        self.ending = true;
        self.keys.replica_mut().end();
    }

    /// After [`Node::end`]: whether all is saved or cannot be, and what that costs; `None` while it is under way.
    pub fn ended(&self) -> Option<Result<(), String>> {
        self.keys.replica().ended()
    }

    /// Whether every request that is here is executed. O(sessions).
    pub fn is_quiet(&self) -> bool {
        self.sessions.iter().all(|(_, session)| matches!(session.client.waits, Waits::ForInput | Waits::ForNothing))
    }

    /// When to call again, in monotonic microseconds, where nothing else happens before.
    pub fn deadline_us(&self) -> u64 {
        let busy = if self.sessions.runnable.is_empty() { u64::MAX } else { 0 };
        let (waiting_us, stranger_us) = (self.sessions.waiting.deadline_us(), self.sessions.strangers.deadline_us());
        busy.min(self.keys.replica().deadline_us())
            .min(self.untold_due_us())
            .min(waiting_us)
            .min(stranger_us)
            .min(self.sessions.failures.deadline_us())
            .min(self.accounts.logins.deadline_us())
            .min(self.metrics.history.due_us())
    }

    /// The end of the process was asked for: who asks whether to send clients here is told so.
    pub fn shut_down(&mut self) {
        self.is_shutting_down = true;
    }

    /// The client speaks HTTP, as nothing else is spoken where it came in.
    pub fn speak_http(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.out.decoder.speak_http();
        }
    }

    /// Whether the client speaks HTTP.
    pub fn speaks_http(&self, id: SessionId) -> bool {
        self.session(id).is_some_and(|session| session.out.dialect().is_http())
    }

    /// Whether the end of the process was asked for.
    pub fn is_shutting_down(&self) -> bool {
        self.is_shutting_down
    }

    /// What every key is.
    pub fn store(&self) -> &Store {
        self.keys.store()
    }

    /// The highest clock value issued or seen.
    pub fn clock_last(&self) -> u64 {
        self.keys.replica().clock().last()
    }

    /// What is counted.
    pub fn metrics(&mut self) -> &mut Metrics {
        &mut self.metrics
    }

    /// What it was told about itself.
    pub fn options(&self) -> &Options {
        &self.settings.options
    }

    /// Memory held for all sessions.
    pub fn session_bytes(&self) -> usize {
        self.sessions.iter().map(|(_, session)| session.bytes()).sum()
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    fn after_turn(&mut self, id: SessionId, mut session: Box<Session>, now: Now) {
        if session.client.has_changed_standing() {
            self.note_proof(id, &mut session.client, now);
        }
        self.sessions.bytes_max = self.sessions.bytes_max.max(session.bytes());
        self.sessions.give(id, session);
        self.sessions.note_turn(id);
    }
}
