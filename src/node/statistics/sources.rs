//! What the values of statistics are read from: the node as it is at one moment.
//!
//! What costs more than a look is read once, and only where a statistic that is shown wants it.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::section::Family;
use crate::metrics::Metrics;
use crate::metrics::calls::Used;
use crate::metrics::statistic::Value;
use crate::metrics::ticks::{Phase, Ticks, Traffic};
use crate::node::Now;
use crate::node::channels::Channels;
use crate::node::commands::context::{Context, Data, Events};
use crate::node::keyspace::Keyspace;
use crate::node::options::{Options, Usage};
use crate::node::pubsub::PubSub;
use crate::node::sessions::Sessions;
use crate::node::settings::Settings;
use crate::node::timing::Timing;
use crate::replica::Snapshotter;
use crate::replication::{PeerStatus, Replication, Unready};
use crate::scripting::Engine;
use crate::store::{Clock, Database, NodeId, Store};

/// See the module.
pub struct Sources<'a> {
    keys: &'a Keyspace,
    channels: &'a Channels,
    sessions: &'a Sessions,
    metrics: &'a Metrics,
    timing: &'a Timing,
    settings: &'a Settings,
    scripts: &'a Engine,
    now: Now,
    usage: OnceCell<Option<Usage>>,
    unready: OnceCell<Option<Unready>>,
    peers: OnceCell<Vec<Peer>>,
    rates: OnceCell<Traffic>,
    commands: OnceCell<Vec<Used>>,
    errors: OnceCell<Vec<(String, u64)>>,
}

/// A peer, and how it is, once somebody wants to know that.
struct Peer {
    id: NodeId,
    status: OnceCell<PeerStatus>,
}

impl<'a> Sources<'a> {
    /// For a client that asks.
    pub(in crate::node) fn new(cx: &'a Context<'_>) -> Sources<'a> {
        let Data { keys, events: Events { channels, sessions, .. }, metrics, now, .. } = &cx.data;
        Sources::of(keys, channels, sessions, (metrics, cx.timing), cx.settings, cx.scripts, *now)
    }

    /// While nobody has a turn.
    pub(in crate::node) fn of(
        keys: &'a Keyspace,
        channels: &'a Channels,
        sessions: &'a Sessions,
        (metrics, timing): (&'a Metrics, &'a Timing),
        settings: &'a Settings,
        scripts: &'a Engine,
        now: Now,
    ) -> Sources<'a> {
        Sources {
            keys,
            channels,
            sessions,
            metrics,
            timing,
            settings,
            scripts,
            now,
            usage: OnceCell::new(),
            unready: OnceCell::new(),
            peers: OnceCell::new(),
            rates: OnceCell::new(),
            commands: OnceCell::new(),
            errors: OnceCell::new(),
        }
    }

    /// The names of a family's members, in the order in which they are read.
    pub fn members(&self, family: Family) -> Vec<Cow<'_, str>> {
        match family {
            Family::Phase => Phase::ALL.map(|phase| phase.name().into()).into(),
            Family::Peer => self.peers().iter().map(|peer| peer.id.to_string().into()).collect(),
            Family::Command => self.commands().iter().map(|used| used.name.as_str().into()).collect(),
            Family::Error => self.errors().iter().map(|(code, _)| code.as_str().into()).collect(),
            Family::Database => self.databases().map(|database| format!("db{}", database.number()).into()).collect(),
        }
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    pub(super) fn uptime_us(&self) -> u64 {
        self.now.monotonic_us - self.timing.started.monotonic_us
    }

    pub(super) fn started_unix_ms(&self) -> u64 {
        self.timing.started.unix_ms
    }

    pub(super) fn store(&self) -> &Store {
        self.keys.store()
    }

    pub(super) fn scripts(&self) -> &Engine {
        self.scripts
    }

    pub(super) fn clock(&self) -> &Clock {
        self.keys.replica().clock()
    }

    pub(super) fn snapshotter(&self) -> &Snapshotter {
        self.keys.replica().snapshotter()
    }

    pub(super) fn replication(&self) -> &Replication {
        self.keys.replica().replication()
    }

    pub(super) fn changes(&self) -> u64 {
        self.keys.changes()
    }

    pub(super) fn unready(&self) -> Option<&Unready> {
        self.unready.get_or_init(|| self.replication().unready(self.now.monotonic_us)).as_ref()
    }

    /// How a peer is, by its place among all.
    pub(super) fn peer(&self, place: usize) -> &PeerStatus {
        let Peer { id, status } = &self.peers()[place];
        status.get_or_init(|| {
            let status = self.replication().status_of(*id, self.store(), self.now.monotonic_us);
            status.expect("its id comes from there")
        })
    }

    fn peers(&self) -> &[Peer] {
        self.peers.get_or_init(|| {
            let ids = self.replication().peer_ids();
            ids.map(|id| Peer { id, status: OnceCell::new() }).collect()
        })
    }

    /// The first, and those that hold keys.
    pub(super) fn databases(&self) -> impl Iterator<Item = Database> {
        Database::all().filter(|&database| database.is_zero() || self.store().keys_in(database) > 0)
    }

    /// One of these, by its place among them.
    pub(super) fn database(&self, place: usize) -> Database {
        self.databases().nth(place).unwrap_or_default()
    }

    pub(super) fn options(&self) -> &Options {
        &self.settings.options
    }

    pub(super) fn metrics(&self) -> &Metrics {
        self.metrics
    }

    pub(super) fn ticks(&self) -> &Ticks {
        &self.metrics.ticks
    }

    /// What comes and goes in a second.
    pub(super) fn rates(&self) -> Traffic {
        *self.rates.get_or_init(|| {
            let metrics = self.metrics();
            metrics.rates.per_second(self.now.monotonic_us, metrics.traffic())
        })
    }

    /// The commands and subcommands that were called.
    pub(super) fn commands(&self) -> &[Used] {
        self.commands.get_or_init(|| self.metrics.calls.used())
    }

    /// Of a thousand calls of a command that were timed so many took at most so long, in microseconds.
    pub(super) fn percentile<'b>(&self, command: usize, per_mille: u64) -> Value<'b> {
        let us = self.metrics.calls.at_most_us(&self.commands()[command], per_mille);
        us.map_or(Value::Nothing, Value::Fraction)
    }

    /// The codes of errors that were answered.
    pub(super) fn errors(&self) -> &[(String, u64)] {
        self.errors.get_or_init(|| {
            let counts = self.metrics.errors.counts();
            counts.map(|(code, count)| (code.to_owned(), count)).collect()
        })
    }

    pub(super) fn pubsub(&self) -> &PubSub {
        &self.channels.pubsub
    }

    /// Clients that came by TLS.
    pub(super) fn encrypted(&self) -> usize {
        self.sessions.encrypted()
    }

    pub(super) fn clients(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn clients_blocked(&self) -> usize {
        self.sessions.blocked()
    }

    pub(super) fn clients_unauthenticated(&self) -> usize {
        self.sessions.strangers.len()
    }

    pub(super) fn session_bytes_max(&self) -> usize {
        self.sessions.bytes_max
    }

    /// What the process has used of the machine; `None` where nobody says so.
    pub(super) fn usage(&self) -> Option<Usage> {
        *self.usage.get_or_init(|| self.timing.usage())
    }

    /// A number, or that it is not known.
    pub(super) fn known<'b>(&self, number: Option<impl Into<Value<'b>>>) -> Value<'b> {
        number.map_or(Value::Unknown, Into::into)
    }

    /// A text, or that there is none.
    pub(super) fn named<'b>(&self, text: Option<impl Into<Value<'b>>>) -> Value<'b> {
        text.map_or(Value::Nothing, Into::into)
    }
}
