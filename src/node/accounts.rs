//! What there is about users beside themselves: what was refused to whom, the file that they come from, who has logged
//! in with a form, and where secrets come from that nobody can foresee.

use std::collections::VecDeque;

use super::SessionId;
use super::client::Client;
use super::listening::Listening;
use super::pubsub::PubSub;
use crate::auth::Users;
use crate::auth::log::Log;
use crate::auth::logins::Logins;
use crate::auth::uses::Channel;
use crate::protocol::Command;

/// Fills memory with random bytes.
pub(super) type Randomness = Box<dyn FnMut(&mut [u8])>;

/// See the module.
#[derive(Default)]
pub(super) struct Accounts {
    pub(super) log: Log,
    pub(super) file: UsersFile,
    pub(super) logins: Logins,
    /// `None`: nobody has given one.
    pub(super) randomness: Option<Randomness>,
}

/// What is to be done with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersJob {
    /// Read it.
    Load,
    /// Write this.
    Save(Vec<u8>),
}

/// The file, as far as the node goes: jobs in the order in which they are to be done, each with its number.
#[derive(Default)]
pub(super) struct UsersFile {
    pub(super) to_do: VecDeque<UsersJob>,
    given: u64,
    /// So many are done.
    pub(super) done: u64,
}

impl UsersFile {
    /// One more. Returns its number.
    pub(super) fn add(&mut self, job: UsersJob) -> u64 {
        self.to_do.push_back(job);
        self.given += 1;
        self.given
    }
}

/// The client is to be disconnected: nothing more is told to it.
pub(super) fn dismiss(id: SessionId, client: &mut Client, pubsub: &mut PubSub) {
    pubsub.forget(id, &client.listening);
    client.listening = Listening::default();
    client.watch = None;
    client.is_monitor = false;
}

/// What a client may do after users were changed or logins have ended. Returns whether it may stay: its user is there,
/// and may still listen to what it listens to, be told of requests if it is, and have the answer that goes on.
pub(super) fn stays(client: &mut Client, users: &Users, logins: &Logins) -> bool {
    let is_there = users.is_somebody(client.access);
    client.access = users.refresh(client.access);
    let may_go_on = client.http.as_ref().is_none_or(|http| http.may_go_on(client.access, users, logins));
    is_there && may_go_on && (client.access.is_unlimited() || may_listen(client, users) && may_monitor(client, users))
}

fn may_listen(client: &Client, users: &Users) -> bool {
    let user = client.access.user();
    let allowed = |name: &Vec<u8>| users.allows_channel(user, name, Channel::Name);
    client.listening.channels.iter().chain(&client.listening.shards).all(allowed)
        && client.listening.patterns.iter().all(|name| users.allows_channel(user, name, Channel::Pattern))
        && client.watch.as_ref().is_none_or(|prefix| users.allows_watch(user, prefix))
}

fn may_monitor(client: &Client, users: &Users) -> bool {
    !client.is_monitor || users.allows_alone(client.access.user(), Command::Monitor)
}
