//! What a request works on: commands about data get [`Data`], commands about the conversation or the node all of it.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;

use super::outcome::{DONE, Executed, Outcome};
use crate::auth::Users;
use crate::metrics::Metrics;
use crate::node::accounts::Accounts;
use crate::node::backups::Backups;
use crate::node::channels::Channels;
use crate::node::client::Client;
use crate::node::keyspace::Keyspace;
use crate::node::progress::Progress;
use crate::node::readiness::Readiness;
use crate::node::replies::Replies;
use crate::node::reports::Reports;
use crate::node::sessions::Sessions;
use crate::node::settings::Settings;
use crate::node::steps::{COPIED_PER_STEP, Steps};
use crate::node::timing::Timing;
use crate::node::waiting::{Until, Waiter};
use crate::protocol::Reply;
use crate::replication::SessionId;
use crate::scripting::Engine;
use crate::store::{Database, Now};

/// The keys, the time, and a place for replies.
pub(in crate::node) struct Data<'a> {
    pub(in crate::node) keys: &'a mut Keyspace,
    pub(in crate::node) out: &'a mut Replies,
    pub(in crate::node) progress: &'a mut Progress,
    /// Where changes of keys are told.
    pub(in crate::node) events: Events<'a>,
    pub(in crate::node) metrics: &'a mut Metrics,
    /// What is left of the turn.
    pub(in crate::node) steps: Steps,
    /// The memory that the turn's requests lie in, where it can be shared.
    pub(in crate::node) whole: Option<Bytes>,
    pub(in crate::node) now: Now,
}

/// Who is told of changes: all other sessions, and this one.
pub(in crate::node) struct Events<'a> {
    pub(in crate::node) channels: &'a mut Channels,
    pub(in crate::node) sessions: &'a mut Sessions,
    pub(in crate::node) id: SessionId,
}

/// All there is.
pub(in crate::node) struct Context<'a> {
    pub(in crate::node) data: Data<'a>,
    pub(in crate::node) client: &'a mut Client,
    pub(in crate::node) users: &'a mut Users,
    pub(in crate::node) accounts: &'a mut Accounts,
    pub(in crate::node) settings: &'a mut Settings,
    pub(in crate::node) timing: &'a mut Timing,
    pub(in crate::node) readiness: &'a mut Readiness,
    pub(in crate::node) backups: &'a mut Backups,
    /// What other nodes have said of themselves.
    pub(in crate::node) reports: &'a mut Reports,
    pub(in crate::node) scripts: &'a mut Engine,
    /// Whether a client has asked for the end of the process.
    pub(in crate::node) is_shutting_down: &'a mut bool,
}

impl<'a> Deref for Context<'a> {
    type Target = Data<'a>;

    fn deref(&self) -> &Data<'a> {
        &self.data
    }
}

impl<'a> DerefMut for Context<'a> {
    fn deref_mut(&mut self) -> &mut Data<'a> {
        &mut self.data
    }
}

impl Context<'_> {
    /// The session's requests are about this database from here on.
    pub(in crate::node) fn select(&mut self, database: Database) {
        self.client.database = database;
        self.data.keys.select(database);
    }

    /// What was written since the mark waits until this is so.
    pub(super) fn hold(&mut self, start: u64, until: Until) {
        let Context { data: Data { out, events, .. }, client, .. } = self;
        out.hold(start, until);
        if client.gated.insert(until.cause()) {
            events.sessions.waiting.add(Waiter::answers(events.id, until));
        }
    }

    /// What was written since the mark answers several requests, of which the last that changed something did so at
    /// this position: it waits for the disk as the answer to that one would.
    pub(in crate::node) fn hold_until_durable(&mut self, start: u64, position: u64) {
        let snapshotter = self.keys.replica().snapshotter();
        if snapshotter.holds_answers() && position > snapshotter.durable() {
            self.hold(start, Until::Durable(position));
        }
    }
}

impl Data<'_> {
    /// Does something with the keys of another database, and means those of the own one again afterwards.
    pub(super) fn within<T>(&mut self, database: Database, then: impl FnOnce(&mut Self) -> T) -> T {
        let own = self.keys.store().selected();
        self.keys.select(database);
        let done = then(self);
        self.keys.select(own);
        done
    }

    /// Answers with one reply, and is done.
    pub(super) fn answer(&mut self, reply: Reply<'_>) -> Outcome {
        self.out.answer(reply);
        DONE
    }

    /// It is answered, and has made a value of so many bytes anew.
    pub(super) fn done_after_copying(&mut self, bytes: usize) -> Outcome {
        self.done_after(bytes / COPIED_PER_STEP)
    }

    /// It is answered, and took so many steps of the turn.
    pub(super) fn done_after(&mut self, steps: usize) -> Outcome {
        self.steps.spend(steps);
        Ok(if self.steps.are_spent() { Executed::Exhausted } else { Executed::Answered })
    }

    /// The value of a key, and the count of hits and misses.
    pub(super) fn look_up(&mut self, key: &[u8]) -> Option<&[u8]> {
        let found = self.keys.get(key);
        match found {
            Some(_) => self.metrics.hits += 1,
            None => self.metrics.misses += 1,
        }
        found
    }
}
