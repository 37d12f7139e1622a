//! The pure node, and whoever plays its server: bytes in, bytes out, each session's turns.

use kvstoreapp::node::saving::{Durability, Merged, Outcome, Save, Saved, Saver};
use kvstoreapp::node::session::Waits;
use kvstoreapp::node::{Node, Now, Options, SessionId};
use kvstoreapp::replication::PersistedState;
use kvstoreapp::store::{Clock, Store};

use crate::cluster::{LIMITS, cluster};

pub const NOW: Now = Now { monotonic_us: 1_000_000, unix_ms: 1_700_000_000_000 };

pub fn options() -> Options {
    Options {
        durability: Durability::Interval,
        snapshot_interval_ms: 2_000,
        dialect: kvstoreapp::protocol::Dialect::Line,
        value_bytes_max: 64 << 20,
        clients_max: 10,
        memory_bytes_max: 0,
        idle_timeout_s: 0,
        limits: LIMITS,
        ..Options::default()
    }
}

/// An empty node.
pub fn node(options: Options) -> Node {
    let clock = Clock::new(0, 0, NOW.unix_ms, 0);
    let reserved =
        Saver::checkpoint(0, 1, &clock, options.snapshot_interval_ms, NOW.unix_ms, PersistedState::default());
    let store = Store::new([1, 2], options.memory_bytes_max, 1);
    let mut node = Node::new(store, clock, reserved, cluster(0, 1, 1), options, NOW);
    node.begin_tick(NOW);
    node
}

/// An empty node with sessions 0 and 1 open.
pub fn node_with_two_clients() -> Node {
    let mut node = node(options());
    for id in 0..2 {
        node.open(id, NOW).expect("two are not too many");
    }
    node
}

/// Brings the bytes, as far as the session takes them, and takes all answers away. Every session gets its turns.
pub fn say(node: &mut Node, id: SessionId, bytes: &[u8]) -> Vec<u8> {
    if node.waits(id) == Waits::ForInput {
        node.receive(id, bytes, NOW);
    }
    settle(node, id, bytes.len())
}

/// What is written for the session without its having asked.
pub fn told(node: &mut Node, id: SessionId) -> String {
    String::from_utf8(read(node, id)).expect("the test expects text")
}

/// The client will say no more.
pub fn finish(node: &mut Node, id: SessionId) -> Vec<u8> {
    node.finish(id, NOW);
    settle(node, id, 0)
}

/// Takes away all that may be sent.
pub fn read(node: &mut Node, id: SessionId) -> Vec<u8> {
    let answers = node.sendable(id).to_vec();
    node.sent(id, answers.len());
    answers
}

/// One turn for each session whose turn it is. Returns how many there were.
pub fn take_turns(node: &mut Node) -> usize {
    let mut ids = Vec::new();
    node.take_runnable(&mut ids);
    ids.iter().for_each(|&id| node.resume(id, NOW));
    ids.len()
}

/// A disk that takes everything at once.
fn save(node: &mut Node) {
    while let Some(Save { snapshot, batch, commit, merge }) = node.next_save(NOW) {
        let outcome = commit.map_or(Outcome::Taken, Outcome::Committed);
        node.saved(Saved { snapshot, batch, outcome, is_merged: true }, NOW);
        if merge {
            node.merged(Merged { snapshot, failure: None }, NOW);
        }
    }
}

/// Reads and takes turns until the session waits for its client or for nothing.
fn settle(node: &mut Node, id: SessionId, received: usize) -> Vec<u8> {
    let mut answers = read(node, id);
    let mut rounds = 0;
    while take_turns(node) > 0 {
        answers.append(&mut read(node, id));
        rounds += 1;
        assert!(rounds <= received + 10, "it goes in circles: {rounds} rounds for {received} bytes");
    }
    save(node);
    answers.append(&mut read(node, id));
    let waits = node.waits(id);
    assert!(matches!(waits, Waits::ForInput | Waits::ForNothing), "nobody will wake it: it waits {waits:?}");
    answers
}
