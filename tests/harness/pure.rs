//! A pure node and whoever plays its machine: the start, bytes in and out, turns, ticks, and a disk that takes
//! everything at once. Tests that need a worse disk bring their own.

#![allow(dead_code, reason = "each test binary uses its own part")]

use kvstoreapp::node::options::{HttpOptions, HttpPolicy};
use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin, SessionId};
use kvstoreapp::replica::{Checkpoint, Cluster, Disk, Merged, Outcome, Save, Saved};
use kvstoreapp::replication::{Identity, Limits, Secrets, WHOLE_BYTES_MAX};
use kvstoreapp::secrets::ClusterSecrets;
use kvstoreapp::store::{NodeId, Store};

pub const NOW: Now = Now { monotonic_us: 1_000_000, unix_ms: 1_700_000_000_000 };

/// So many passwords that are none a client may say.
const REFUSALS_MAX: u64 = 10;

pub const LIMITS: Limits =
    Limits { clock_drift_ms_max: 60_000, tombstones_max: 1_000_000, whole_bytes_max: WHOLE_BYTES_MAX };

/// A cluster's secret, the one that it is exchanged for, and a stranger's.
pub const SECRET: &str = "the-secret-of-the-cluster-which-is-long-enough";
pub const NEW_SECRET: &str = "the-new-secret-of-the-cluster-which-is-as-long";
pub const OTHER_SECRET: &str = "what-a-stranger-has-made-up-and-takes-for-good";

/// Those in a file with this text.
pub fn secrets(text: &str) -> Box<dyn Secrets> {
    Box::new(ClusterSecrets::parse(text).expect("it is a file of secrets"))
}

/// Node `node` of so many, in some incarnation of it.
pub fn cluster(node: NodeId, nodes: usize, incarnation: u64) -> Cluster {
    let members = (0..nodes).map(|id| format!("10.0.0.{id}:5000")).collect();
    Cluster { identity: Identity { node, incarnation }, members, seed: incarnation }
}

/// A disk on which there is nothing, for a store that may have so many bytes (0: no limit).
#[derive(Default)]
pub struct EmptyDisk {
    pub bytes_max: usize,
    pub checkpoint: Checkpoint,
}

impl Disk for EmptyDisk {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        Ok(Store::new([1, 2], self.bytes_max, first))
    }

    fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        self.checkpoint = checkpoint.clone();
        Ok(())
    }
}

/// A node of that cluster with an empty disk.
pub fn start(cluster: Cluster, options: Options, now: Now) -> Node {
    let mut disk = EmptyDisk { bytes_max: options.memory_bytes_max, ..EmptyDisk::default() };
    let chance = u64::from(cluster.identity.node);
    let mut node = Node::start(&mut disk, cluster, options, chance, || now).expect("an empty disk takes everything");
    node.random_by(|bytes| bytes.fill(7));
    node
}

/// What a node is told whose clients are few.
pub fn options() -> Options {
    Options { value_bytes_max: 64 << 20, clients_max: 10, limits: LIMITS, ..Options::default() }
}

/// An empty node that is alone.
pub fn node(options: Options) -> Node {
    let mut node = start(cluster(0, 1, 1), options, NOW);
    node.begin_tick(NOW);
    node
}

/// An empty node with sessions 0 and 1 open.
pub fn node_with_two_clients() -> Node {
    let mut node = node(options());
    for id in 0..2 {
        node.open(id, Origin::Loopback, NOW).expect("two are not too many");
    }
    node
}

/// All answers of a fresh node that takes values up to this length and no HTTP to a conversation that comes in these
/// pieces and then ends, all in one tick.
pub fn play<'a>(value_bytes_max: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let http = HttpOptions { policy: HttpPolicy::Off, ..HttpOptions::default() };
    let mut node = node(Options { value_bytes_max, http, ..options() });
    let mut answers = Vec::new();
    node.open(0, Origin::Loopback, NOW).expect("one client is not too many");
    for piece in pieces {
        if node.waits(0) != Waits::ForInput {
            break;
        }
        node.receive(0, piece, NOW);
        answers.append(&mut answer(&mut node, 0, piece.len()));
    }
    node.finish(0, NOW);
    answers.append(&mut answer(&mut node, 0, 0));
    assert!(node.is_over(0), "a conversation that ended is over, but it waits {:?}", node.waits(0));
    answers
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
    node.take_touched(&mut Vec::new());
    answers
}

/// One turn for each session whose turn it is. Returns how many there were.
pub fn take_turns(node: &mut Node) -> usize {
    take_turns_at(node, NOW)
}

pub fn take_turns_at(node: &mut Node, now: Now) -> usize {
    let mut ids = Vec::new();
    node.take_runnable(&mut ids);
    ids.iter().for_each(|&id| node.resume(id, now));
    ids.len()
}

/// A whole tick. The disk takes everything at once.
pub fn tick(node: &mut Node, now: Now) {
    node.begin_tick(now);
    take_turns_at(node, now);
    save(node, now);
}

/// What follows the turns of a tick. The disk takes everything at once. Returns whether there was something.
pub fn save(node: &mut Node, now: Now) -> bool {
    let saves = hand_over(node, now);
    let is_any = !saves.is_empty();
    for Save { snapshot, batch, commit, merge } in saves {
        let outcome = commit.map_or(Outcome::Taken, Outcome::Committed);
        node.saved(Saved { snapshot, batch, outcome, is_merged: true }, now);
        if merge {
            node.merged(Merged { snapshot, took_us: None, failure: None }, now);
        }
    }
    is_any
}

/// What follows the turns of a tick, and what it gives the disk.
pub fn hand_over(node: &mut Node, now: Now) -> Vec<Save> {
    let mut saves = Vec::new();
    node.finish_tick(now, |save| saves.push(save));
    saves
}

/// Reads and takes turns until nobody has one.
fn answer(node: &mut Node, id: SessionId, received: usize) -> Vec<u8> {
    let mut answers = read(node, id);
    let mut rounds = 0;
    while take_turns(node) > 0 {
        answers.append(&mut read(node, id));
        rounds += 1;
        assert!(rounds <= received + 10, "it goes in circles: {rounds} rounds for {received} bytes");
    }
    answers
}

/// Reads and takes turns until the session waits for its client or for nothing, and all is saved.
fn settle(node: &mut Node, id: SessionId, received: usize) -> Vec<u8> {
    let mut answers = answer(node, id, received);
    while save(node, NOW) {}
    answers.append(&mut read(node, id));
    // A password that is none is answered after a while, and no test waits for that.
    for seconds in 1..=REFUSALS_MAX {
        if node.waits(id) != Waits::ForGate(Cause::Time) {
            break;
        }
        let later = Now { monotonic_us: NOW.monotonic_us + seconds * 2_000_000, ..NOW };
        hand_over(node, later);
        take_turns_at(node, later);
        answers.append(&mut answer(node, id, received));
    }
    let waits = node.waits(id);
    assert!(matches!(waits, Waits::ForInput | Waits::ForNothing), "nobody will wake it: it waits {waits:?}");
    answers
}
