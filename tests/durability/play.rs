//! A node and one client of it without a process, and the disk whose work a test does by hand.

use std::collections::VecDeque;

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin};

use crate::disk::{Disk, Model};
use crate::history::Random;
use crate::pure::{LIMITS, cluster, take_turns_at};

#[derive(Clone, Copy)]
pub struct Setting {
    pub nodes: usize,
    pub interval_ms: u64,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting { nodes: 1, interval_ms: 5 }
    }
}

/// A node, one client of it, and the disk.
pub struct Play {
    pub node: Node,
    pub now: Now,
    /// The position before the first of this incarnation.
    pub born: u64,
    pub disk: Disk,
    pub model: Model,
    pub targets_seen: usize,
}

impl Play {
    pub fn new(setting: Setting) -> Play {
        Play::with_disk(setting, Disk::default(), 1_700_000_000_000)
    }

    /// A start as the program does it: from the rows and the checkpoint that are on disk.
    pub fn with_disk(setting: Setting, mut disk: Disk, unix_ms: u64) -> Play {
        let now = Now { monotonic_us: 0, unix_ms };
        let options = Options {
            snapshot_interval_ms: setting.interval_ms,
            value_bytes_max: 1_000,
            clients_max: 1,
            limits: LIMITS,
            ..Options::default()
        };
        let started = Node::start(&mut disk, cluster(0, setting.nodes, 1), options, 0, || now);
        let mut node = started.expect("what it has recorded itself can be started from");
        let born = node.store().last_position();
        let model = Model { checked: disk.live(), changes: VecDeque::new(), request: String::new(), last: born };
        node.open(0, Origin::Loopback, now).expect("there is room for one");
        Play { node, now, born, disk, model, targets_seen: 0 }
    }

    /// Up to `count` random writes over so many keys, one in six a deletion.
    pub fn write_some(&mut self, random: &mut Random, count: u64, keys: u64) {
        for _ in 0..random.below(count) {
            let key = random.below(keys);
            let deletes = random.below(6) == 0;
            let request = if deletes { format!("DELETE k{key}") } else { format!("SET k{key} {}", random.next()) };
            self.request(&request);
        }
    }

    /// One request, played to its end.
    pub fn request(&mut self, request: &str) {
        self.send(request);
        self.finish_request();
    }

    /// One request, which may have to wait.
    pub fn send(&mut self, request: &str) {
        assert_eq!(self.node.waits(0), Waits::ForInput);
        self.model.request = request.to_owned();
        self.node.receive(0, format!("{request}\n").as_bytes(), self.now);
        self.model.note(&self.node);
    }

    pub fn finish_request(&mut self) {
        for _ in 0..10 {
            if self.node.waits(0) == Waits::ForInput {
                self.model.note(&self.node);
                let answer = self.node.sendable(0);
                assert!(answer == b"OK\n" || answer == b"KEY NOT FOUND\n", "{}", String::from_utf8_lossy(answer));
                return self.node.sent(0, answer.len());
            }
            self.writer_takes_one();
        }
        panic!("a writer waits for ever");
    }

    /// The writer takes the oldest piece of work and gives it back; then the node has its turn, a millisecond later.
    pub fn writer_takes_one(&mut self) {
        self.turn();
        if let Some(saved) = self.disk.take_one(&mut self.model) {
            self.node.saved(saved, self.now);
        }
        self.turn();
    }

    pub fn turn(&mut self) {
        self.targets_seen += usize::from(self.node.store().displaced().0 > 0);
        self.now.monotonic_us += 1_000;
        self.now.unix_ms += 1;
        self.node.begin_tick(self.now);
        take_turns_at(&mut self.node, self.now);
        self.node.finish_tick(self.now, |save| self.disk.give(save));
        self.model.note(&self.node);
    }

    /// Until a change that is about to be overwritten is kept for the snapshot under way. Overwrites `k0` for it.
    pub fn begin_writing_to_a_target(&mut self) {
        for _ in 0..1_000 {
            self.turn();
            self.request("SET k0 1");
            self.request("SET probe 1");
            self.now.monotonic_us += 10_000;
            if self.node.store().displaced().0 > 0 {
                return;
            }
            self.writer_takes_one();
        }
        panic!("no snapshot came to a fixed target");
    }

    /// Until everything is on disk and nothing is left to do.
    pub fn settle(&mut self) {
        self.disk.failing.clear();
        let mut still = 0;
        // Pauses after failures are bounded, and so is what is left.
        for _ in 0..20_000 {
            self.writer_takes_one();
            let saved = self.disk.checkpoint.position == self.node.store().last_position();
            still = if saved && self.disk.queue.is_empty() { still + 1 } else { 0 };
            if still == 50 {
                return;
            }
        }
        panic!("something is never saved");
    }
}
