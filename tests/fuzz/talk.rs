//! One client and the pure node: bytes go in as they are cut, answers come out as one piece.

use kvstoreapp::node::saving::{Durability, Saver};
use kvstoreapp::node::session::Waits;
use kvstoreapp::node::{Node, Now, Options};
use kvstoreapp::replication::PersistedState;
use kvstoreapp::store::{Clock, Store};

use crate::cluster::{LIMITS, cluster};
use crate::random::Random;

pub const NOW: Now = Now { monotonic_us: 1_000_000, unix_ms: 1_700_000_000_000 };

/// An empty node that takes values up to this length.
pub fn node(value_bytes_max: usize) -> Node {
    let clock = Clock::new(0, 0, NOW.unix_ms, 0);
    let options = Options {
        durability: Durability::Interval,
        snapshot_interval_ms: 2_000,
        dialect: kvstoreapp::protocol::Dialect::Line,
        value_bytes_max,
        clients_max: 10,
        memory_bytes_max: 0,
        idle_timeout_s: 0,
        limits: LIMITS,
        ..Options::default()
    };
    let reserved =
        Saver::checkpoint(0, 1, &clock, options.snapshot_interval_ms, NOW.unix_ms, PersistedState::default());
    Node::new(Store::new([1, 2], 0, 1), clock, reserved, cluster(0, 1, 1), options, NOW)
}

/// All answers of a fresh node to a conversation that comes in these pieces and then ends.
pub fn play<'a>(value_bytes_max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut node = node(value_bytes_max);
    let mut answers = Vec::new();
    node.open(0, NOW).expect("one client is not too many");
    for piece in pieces {
        if node.waits(0) != Waits::ForInput {
            break;
        }
        node.receive(0, piece, NOW);
        settle(&mut node, &mut answers, piece.len());
    }
    node.finish(0, NOW);
    settle(&mut node, &mut answers, 0);
    assert!(node.is_over(0), "a conversation that ended is over, but it waits {:?}", node.waits(0));
    answers
}

/// Cuts the bytes at random; some pieces are empty, some a single byte.
pub fn pieces<'a>(bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let longest = random.choose(&[1, 7, 100, 5_000, 40_000]);
    let longest = longest.max(bytes.len() / 2_000);
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(random.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

/// Reads what is owed and lets the session have its turns until it waits for bytes or for nothing.
fn settle(node: &mut Node, answers: &mut Vec<u8>, received: usize) {
    let (mut ids, mut turns) = (Vec::new(), 0);
    loop {
        let sendable = node.sendable(0);
        answers.extend_from_slice(sendable);
        let count = sendable.len();
        node.sent(0, count);
        node.take_touched(&mut ids);
        ids.clear();
        node.take_runnable(&mut ids);
        if ids.is_empty() {
            break;
        }
        ids.drain(..).for_each(|id| node.resume(id, NOW));
        turns += 1;
        assert!(turns <= received + 10, "it goes in circles: {turns} turns for {received} bytes");
    }
    let waits = node.waits(0);
    assert!(matches!(waits, Waits::ForInput | Waits::ForNothing), "nobody will wake it: it waits {waits:?}");
}
