//! A cluster that is set back to a backup of one of its nodes, by way of one: whoever runs, whatever disk was lost, and
//! whatever clocks say, all have what the backup has, and nothing that was issued is issued again.

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin};
use kvstoreapp::replica::recasting::{Recast, Row, recast};
use kvstoreapp::replication::{Channel, DueDial, Identity};
use kvstoreapp::store::{Database, NodeId, Stamp};

use crate::disk::{Disk, Key};
use crate::pair::CLIENT;
use crate::pure::{cluster, options, take_turns_at};

/// Time of a tick.
const TICK_US: u64 = 5_000;
const SECOND_US: u64 = 1_000_000;
const NODES: usize = 3;
const SEEDS: std::ops::Range<u64> = 0..6;

fn database(number: u8) -> Database {
    Database::new(number.into()).expect("there are 16")
}

/// Keys with their values and expiries, and the clock value above which nothing was issued by then.
#[derive(Clone)]
struct Backup {
    rows: BTreeMap<Key, (Vec<u8>, Option<u64>)>,
    clock: u64,
}

struct Host {
    node: Option<Node>,
    disk: Disk,
    /// What its wall clock is ahead by.
    ahead_ms: u64,
}

/// Three machines whose disks are theirs, and the bytes between them.
struct Town {
    hosts: Vec<Host>,
    random: Rng,
    time_us: u64,
    wires: Vec<(usize, usize)>,
    /// What was ever written with a stamp.
    issued: HashMap<Stamp, (Vec<u8>, Option<Vec<u8>>)>,
}

impl Town {
    fn new(seed: u64) -> Town {
        let host = |_| Host { node: None, disk: Disk::default(), ahead_ms: 0 };
        let hosts = (0..NODES).map(host).collect();
        let random = Rng::with_seed(seed);
        Town { hosts, random, time_us: SECOND_US, wires: Vec::new(), issued: HashMap::new() }
    }

    /// All run, and have a past.
    fn with_past(seed: u64) -> Town {
        let mut town = Town::new(seed);
        (0..NODES).for_each(|id| town.start(id));
        town.pass(SECOND_US);
        town.live(400);
        town
    }

    fn now(&self, id: usize) -> Now {
        let unix_ms = 1_700_000_000_000 + self.time_us / 1_000 + self.hosts[id].ahead_ms;
        Now { monotonic_us: self.time_us, unix_ms }
    }

    fn start(&mut self, id: usize) {
        let now = self.now(id);
        let options = Options { snapshot_interval_ms: 100, value_bytes_max: 1_000, ..options() };
        let (incarnation, chance) = (self.random.u64(1..), self.random.u64(..));
        let cluster = cluster(id as NodeId, NODES, incarnation);
        let disk = &mut self.hosts[id].disk.file;
        let mut node = Node::start(disk, cluster, options, chance, || now).expect("it is its own file");
        node.time_by(|| u64::MAX / 2);
        node.open(CLIENT, Origin::Loopback, now).expect("there is room");
        self.hosts[id].node = Some(node);
    }

    /// A crash: what was not committed is gone.
    fn stop(&mut self, id: usize) {
        self.hosts[id].node = None;
        self.hosts[id].disk.crash();
        self.wires.retain(|&(from, to)| from != id && to != id);
        for other in (0..NODES).filter(|&other| other != id) {
            let now = self.now(other);
            if let Some(node) = &mut self.hosts[other].node {
                node.lose_peer(id + 1, "gone", now);
                node.close(id + 1);
            }
        }
    }

    fn wipe(&mut self, id: usize) {
        self.hosts[id].disk = Disk::default();
    }

    fn request(&mut self, id: usize, request: &str) {
        while self.node(id).waits(CLIENT) != Waits::ForInput {
            self.tick();
        }
        let now = self.now(id);
        let node = self.node(id);
        node.receive(CLIENT, format!("{request}\n").as_bytes(), now);
        let owed = node.sendable(CLIENT).len();
        node.sent(CLIENT, owed);
    }

    fn node(&mut self, id: usize) -> &mut Node {
        self.hosts[id].node.as_mut().expect("it runs")
    }

    /// Clients of all nodes do what clients do.
    fn live(&mut self, requests: usize) {
        for _ in 0..requests {
            let id = self.random.usize(0..NODES);
            let (key, value) = (self.random.u8(..60), self.random.u16(..));
            let database = database(self.random.u8(..3) * 7);
            self.request(id, &format!("SELECT {}", database.number()));
            match self.random.u8(..100) {
                0..70 => self.request(id, &format!("SET key:{key} {value}")),
                70..98 => self.request(id, &format!("DELETE key:{key}")),
                98 => self.expire(id, database, &format!("key:{key}"), u64::from(value)),
                _ => self.flush(id, Some(database).filter(|_| value % 2 == 0)),
            }
            if self.random.u8(..4) == 0 {
                self.tick();
            }
        }
        self.pass(SECOND_US);
        self.note_issued();
    }

    fn expire(&mut self, id: usize, database: Database, key: &str, ms: u64) {
        let now = self.now(id);
        let expiry_ms = now.unix_ms + 1 + ms;
        while self.node(id).set_expiring(database, key.as_bytes(), b"passing", expiry_ms, now).is_none() {
            self.tick();
        }
    }

    fn flush(&mut self, id: usize, database: Option<Database>) {
        let now = self.now(id);
        while self.node(id).flush(database, now).is_none() {
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.time_us += TICK_US;
        for id in 0..NODES {
            self.dial(id);
            let now = self.now(id);
            let Host { node: Some(node), disk, .. } = &mut self.hosts[id] else { continue };
            node.begin_tick(now);
            take_turns_at(node, now);
            node.finish_tick(now, |save| disk.give(save));
            while let Some(saved) = disk.take_one(now.unix_ms) {
                node.saved(saved, now);
            }
            let mut touched = Vec::new();
            node.take_touched(&mut touched);
            self.hang_up(id, &touched);
        }
        for (from, to) in self.wires.clone() {
            self.carry(from, to);
        }
    }

    fn pass(&mut self, us: u64) {
        let end_us = self.time_us + us;
        while self.time_us < end_us {
            self.tick();
        }
    }

    fn dial(&mut self, id: usize) {
        let now = self.now(id);
        while let Some(DueDial { peer, .. }) = self.hosts[id].node.as_mut().and_then(|node| node.next_dial(now)) {
            let to = usize::from(peer);
            if to < id || self.hosts[to].node.is_none() {
                self.node(id).dial_failed(peer, "it does not run", now);
                continue;
            }
            self.node(id).dialing(to + 1, peer, Channel::Plain, now);
            let their_now = self.now(to);
            self.node(to).open(id + 1, Origin::Loopback, their_now).expect("there is room");
            self.wires.extend([(id, to), (to, id)]);
        }
    }

    fn hang_up(&mut self, id: usize, touched: &[usize]) {
        for &session in touched.iter().filter(|&&session| session != CLIENT) {
            let other = session - 1;
            if self.node(id).is_over(session) {
                let (now, their_now) = (self.now(id), self.now(other));
                self.node(id).lose_peer(session, "over", now);
                if let Some(other) = &mut self.hosts[other].node {
                    other.finish(id + 1, their_now);
                    // It may not have greeted yet.
                    other.close(id + 1);
                }
                self.wires.retain(|&wire| wire != (id, other) && wire != (other, id));
            }
        }
    }

    fn carry(&mut self, from: usize, to: usize) {
        if !self.wires.contains(&(from, to)) {
            return;
        }
        let bytes = self.node(from).sendable(to + 1);
        let bytes = bytes[..bytes.len().min(64 << 10)].to_vec();
        if bytes.is_empty() || self.node(to).waits(from + 1) != Waits::ForInput {
            return;
        }
        self.node(from).sent(to + 1, bytes.len());
        let now = self.now(to);
        self.node(to).receive(from + 1, &bytes, now);
    }

    /// Until all that run are linked with all that run, and agree.
    fn settle(&mut self) {
        for _ in 0..20_000 {
            self.pass(20 * TICK_US);
            let up: Vec<usize> = (0..NODES).filter(|&id| self.hosts[id].node.is_some()).collect();
            let agree = up.iter().all(|&id| {
                let peers = self.hosts[id].node.as_ref().expect("it runs").peers(self.now(id));
                let mut others = peers.iter().filter(|peer| up.contains(&usize::from(peer.id)));
                others.all(|peer| peer.state == "linked" && peer.agreement == "agrees")
            });
            if agree {
                return;
            }
        }
        panic!("they never agree");
    }

    /// What a client of the node sees.
    fn content(&self, id: usize) -> BTreeMap<Key, (Vec<u8>, Option<u64>)> {
        let store = self.hosts[id].node.as_ref().expect("it runs").store();
        let now_ms = self.now(id).unix_ms;
        let rows = store.changes_after(0).filter(|change| !store.is_flushed(change));
        rows.filter_map(|change| {
            let expiry = change.expiry.map(|expiry| expiry.get());
            let is_there = expiry.is_none_or(|expiry| expiry > now_ms);
            Some(((change.database, change.key.to_vec()), (change.value.filter(|_| is_there)?.to_vec(), expiry)))
        })
        .collect()
    }

    fn back_up(&mut self, id: usize) -> Backup {
        self.pass(SECOND_US);
        Backup { rows: self.content(id), clock: self.hosts[id].disk.file.checkpoint.clock_ceiling }
    }

    /// As the program does it, into the node's directory.
    fn restore(&mut self, id: usize, backup: &Backup) {
        let now = self.now(id);
        let mut made = Disk::default();
        let rows = |take: &mut kvstoreapp::replica::recasting::Take<'_>| {
            backup.rows.iter().try_for_each(|((database, key), (value, expiry))| {
                take(Row { database: *database, key, value, expiry: *expiry })
            })
        };
        let write = |save| {
            made.give(save);
            made.take_one(now.unix_ms).expect("it was given")
        };
        let identity = Identity { node: id as NodeId, incarnation: self.random.u64(1..) };
        let chance = self.random.u64(..);
        let before = &mut self.hosts[id].disk.file.clone();
        let done = recast(before, identity, backup.clock, chance, || now, rows, write).expect("there is room");
        let is_there = |(_, expiry): &&(Vec<u8>, Option<u64>)| expiry.is_none_or(|expiry| expiry > now.unix_ms);
        let keys = backup.rows.values().filter(is_there).count();
        assert_eq!(done, Recast { keys: keys as u64, expired: (backup.rows.len() - keys) as u64 });
        self.hosts[id].disk = made;
    }

    /// All that run have what the backup has, but for what has expired; and what is written then stays.
    fn assert_back(&mut self, backup: &Backup, story: &str) {
        self.settle();
        self.note_issued();
        for id in 0..NODES {
            let now_ms = self.now(id).unix_ms;
            let mut expected = backup.rows.clone();
            expected.retain(|_, (_, expiry)| expiry.is_none_or(|expiry| expiry > now_ms));
            assert_eq!(self.content(id), expected, "{story}: node {id}");
        }
        for id in 0..NODES {
            self.request(id, &format!("SELECT 0\nSET key:{id} after"));
            self.request(id, &format!("SET new:{id} after"));
        }
        self.settle();
        self.note_issued();
        for id in 0..NODES {
            let content = self.content(id);
            for other in 0..NODES {
                for key in [format!("key:{other}"), format!("new:{other}")] {
                    assert_eq!(
                        content[&(Database::ZERO, key.clone().into_bytes())].0,
                        b"after",
                        "{story}: {key} of node {id}"
                    );
                }
            }
        }
    }

    /// No stamp stands for two writes.
    fn note_issued(&mut self) {
        for host in &self.hosts {
            let Some(node) = &host.node else { continue };
            for change in node.store().changes_after(0) {
                let write = (change.key.to_vec(), change.value.map(<[u8]>::to_vec));
                let first = self.issued.entry(change.stamp).or_insert_with(|| write.clone());
                // A key that has expired is deleted with the stamp that it was written with.
                let is_same = first.0 == write.0 && (first.1 == write.1 || first.1.is_none() != write.1.is_none());
                assert!(is_same, "{:?} was issued twice: for {first:?} and {write:?}", change.stamp);
            }
        }
    }
}

/// Each story begins after a past, a backup of a node, and more life since.
fn tell(story: &str, restore: impl Fn(&mut Town, &Backup)) {
    for seed in SEEDS {
        let mut town = Town::with_past(seed);
        let of = town.random.usize(0..NODES);
        let backup = town.back_up(of);
        assert!(!backup.rows.is_empty());
        town.live(400);
        restore(&mut town, &backup);
        town.assert_back(&backup, &format!("{story}, seed {seed}"));
    }
}

#[test]
fn peers_that_run_go_back_with_the_node_that_was_restored() {
    tell("peers run", |town, backup| {
        town.stop(0);
        town.live_beside(0);
        town.restore(0, backup);
        town.start(0);
    });
}

#[test]
fn peers_that_are_down_go_back_when_they_come() {
    tell("peers are down", |town, backup| {
        (0..NODES).for_each(|id| town.stop(id));
        town.pass(30 * SECOND_US);
        town.restore(1, backup);
        town.start(1);
        town.pass(5 * SECOND_US);
        town.start(0);
        town.pass(5 * SECOND_US);
        town.start(2);
    });
}

#[test]
fn a_directory_that_was_wiped_serves_as_well() {
    tell("wiped, peers run", |town, backup| {
        town.stop(0);
        town.live_beside(0);
        town.wipe(0);
        town.restore(0, backup);
        town.start(0);
    });
    tell("wiped, peers are down", |town, backup| {
        (0..NODES).for_each(|id| town.stop(id));
        town.wipe(2);
        town.restore(2, backup);
        [2, 0, 1].into_iter().for_each(|id| {
            town.start(id);
            town.pass(5 * SECOND_US);
        });
    });
}

#[test]
fn nodes_that_are_all_restored_one_after_the_other_are_as_good() {
    tell("all at once", |town, backup| {
        (0..NODES).for_each(|id| town.stop(id));
        (0..NODES).for_each(|id| town.restore(id, backup));
        (0..NODES).for_each(|id| town.start(id));
    });
    tell("one by one", |town, backup| {
        for id in 0..NODES {
            town.stop(id);
            town.restore(id, backup);
            town.start(id);
            town.settle();
        }
    });
}

#[test]
fn a_cluster_goes_back_twice_and_forth_again() {
    tell("back, forth and back", |town, backup| {
        let later = town.back_up(1);
        for (id, backup) in [(0, backup), (1, &later), (0, backup)] {
            town.stop(id);
            town.restore(id, backup);
            town.start(id);
            town.settle();
            town.live(50);
        }
        town.stop(2);
        town.restore(2, backup);
        town.start(2);
    });
}

#[test]
fn a_machine_whose_clock_is_behind_those_of_the_peers_sets_them_back_too() {
    for is_wiped in [false, true] {
        for seed in SEEDS {
            let mut town = Town::new(seed);
            [1, 2].into_iter().for_each(|id| town.hosts[id].ahead_ms = 25_000);
            (0..NODES).for_each(|id| town.start(id));
            town.pass(40 * SECOND_US);
            town.live(300);
            let backup = town.back_up(1);
            town.live(300);
            town.stop(0);
            town.live_beside(0);
            if is_wiped {
                town.wipe(0);
            }
            town.restore(0, &backup);
            town.start(0);
            town.assert_back(&backup, &format!("a clock that is behind, wiped: {is_wiped}, seed {seed}"));
        }
    }
}

impl Town {
    /// Clients of the others go on while that node is away.
    fn live_beside(&mut self, away: usize) {
        for _ in 0..50 {
            let id = (away + 1 + self.random.usize(0..NODES - 1)) % NODES;
            let (key, value) = (self.random.u8(..60), self.random.u16(..));
            let database = database(self.random.u8(..3) * 7);
            self.request(id, &format!("SELECT {}", database.number()));
            match self.random.bool() {
                true => self.request(id, &format!("SET key:{key} {value}")),
                false => self.request(id, &format!("DELETE key:{key}")),
            }
            self.tick();
        }
        self.pass(25 * SECOND_US);
        self.note_issued();
    }
}
