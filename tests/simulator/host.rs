//! One simulated machine: the real pure node, its disk, its clocks, and the client that talks to it.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use fastrand::Rng;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin};
use kvstoreapp::replica::Cluster;
use kvstoreapp::replication::{Identity, Limits};
use kvstoreapp::store::{Database, NodeId};

use crate::disk::Disk;
use crate::disk::Key;
use crate::network::{HostId, Session};
use crate::plan::Plan;
use crate::wiretap::Wiretap;
use crate::world::secrecy;

/// The client's session.
pub const CLIENT: Session = 0;
/// When all simulated clocks begin.
pub const EPOCH_MS: u64 = 1_700_000_000_000;

/// What a step of a tick takes, as the node's stopwatch shows it.
const STEP_US: u64 = 25;

/// A request whose answer has not come.
pub struct Asked {
    pub key: Key,
    /// The write it became, as the model knows it.
    pub write: Option<usize>,
}

pub struct Host {
    pub id: HostId,
    pub node: Option<Node>,
    pub disk: Disk,
    pub members: Vec<String>,
    pub born_us: u64,
    /// What its node measures by: a tick's time goes by in the tick.
    stopwatch_us: Rc<Cell<u64>>,
    /// The number of its incarnation.
    pub incarnation: u64,
    /// What its wall clock is off by.
    pub clock_off_ms: i64,
    pub drift_ppm: i64,
    /// The highest its wall clock ever stood at.
    pub clock_max_ms: u64,
    pub down_until_us: u64,
    pub frozen_until_us: u64,
    pub disk_failing_until_us: u64,
    pub disk_due_us: u64,
    pub request_due_us: u64,
    /// No tick before that.
    pub busy_until_us: u64,
    pub used: Vec<bool>,
    pub unsent: Vec<Session>,
    pub taps: BTreeMap<Session, Wiretap>,
    pub asked: VecDeque<Asked>,
    pub answers: Vec<u8>,
    /// The database that the client has selected.
    pub selected: Database,
    /// Whether the request sent last has not been executed yet.
    pub is_held: bool,
    /// Whether it will never come back.
    pub is_dead: bool,
    /// How far its file of the cluster's secret is, where there is one, and whether it is a wrong one.
    pub secret_step: Option<usize>,
    pub is_secret_mistaken: bool,
}

impl Host {
    pub fn new(id: HostId, members: Vec<String>) -> Host {
        Host {
            id,
            node: None,
            disk: Disk::default(),
            members,
            born_us: 0,
            stopwatch_us: Rc::default(),
            incarnation: 0,
            clock_off_ms: 0,
            drift_ppm: 0,
            clock_max_ms: 0,
            down_until_us: 0,
            frozen_until_us: 0,
            disk_failing_until_us: 0,
            disk_due_us: u64::MAX,
            request_due_us: 0,
            busy_until_us: 0,
            used: Vec::new(),
            unsent: Vec::new(),
            taps: BTreeMap::new(),
            asked: VecDeque::new(),
            answers: Vec::new(),
            selected: Database::ZERO,
            is_held: false,
            is_dead: false,
            secret_step: None,
            is_secret_mistaken: false,
        }
    }

    pub fn now(&mut self, time_us: u64) -> Now {
        let unix_ms = self.unix_ms(time_us);
        self.clock_max_ms = self.clock_max_ms.max(unix_ms);
        self.stopwatch_us.set(time_us - self.born_us);
        Now { monotonic_us: time_us - self.born_us, unix_ms }
    }

    pub fn unix_ms(&self, time_us: u64) -> u64 {
        let drift_ms = time_us as i64 / 1000 * self.drift_ppm / 1_000_000;
        (EPOCH_MS + time_us / 1000).saturating_add_signed(self.clock_off_ms + drift_ms)
    }

    /// A start as the program does it: from the rows and the checkpoint that are on disk.
    pub fn start(&mut self, plan: &Plan, time_us: u64, random: &mut Rng) {
        self.born_us = time_us;
        let now = self.now(time_us);
        let chance = random.u64(..);
        self.incarnation = random.u64(1..);
        let identity = Identity { node: self.id as NodeId, incarnation: self.incarnation };
        let cluster = Cluster { identity, members: self.members.clone(), seed: random.u64(..) };
        let options = Options {
            durability: plan.durability,
            snapshot_interval_ms: plan.snapshot_interval_ms,
            value_bytes_max: 1_000,
            clients_max: 100,
            limits: Limits { clock_drift_ms_max: 60_000, tombstones_max: plan.tombstones_max, whole_bytes_max: 16 },
            ..Options::default()
        };
        let started = Node::start(&mut self.disk.file, cluster, options, chance, || now);
        let mut node = started.expect("what it has recorded itself can be started from");
        let stopwatch_us = Rc::clone(&self.stopwatch_us);
        node.time_by(move || {
            stopwatch_us.set(stopwatch_us.get() + STEP_US);
            stopwatch_us.get() * 1_000
        });
        if let Some(step) = self.secret_step {
            node.trust(secrecy::trust(step, self.is_secret_mistaken));
        }
        node.open(CLIENT, Origin::Loopback, now).expect("there is room");
        self.node = Some(node);
        self.used = vec![true];
        self.disk_due_us = u64::MAX;
        self.request_due_us = self.request_due_us.max(time_us);
        (self.is_held, self.selected, self.busy_until_us) = (false, Database::ZERO, 0);
    }

    /// All that is not on disk is gone.
    pub fn stop(&mut self) {
        self.node = None;
        self.disk.crash();
        self.used.clear();
        self.unsent.clear();
        self.taps.clear();
        self.asked.clear();
        self.answers.clear();
        self.frozen_until_us = 0;
    }

    pub fn free_session(&mut self) -> Session {
        let free = self.used.iter().position(|used| !used).unwrap_or(self.used.len());
        if free == self.used.len() {
            self.used.push(false);
        }
        self.used[free] = true;
        self.taps.remove(&free);
        free
    }

    /// Whether the client may ask for something.
    pub fn can_ask(&self) -> bool {
        let node = self.node.as_ref();
        !self.is_held && self.asked.len() < 8 && node.is_some_and(|node| node.waits(CLIENT) == Waits::ForInput)
    }

    /// When it has something to do on its own account.
    pub fn due_us(&self, writes: bool) -> u64 {
        let Some(node) = &self.node else {
            return if self.is_dead { u64::MAX } else { self.down_until_us };
        };
        let deadline_us = node.deadline_us().saturating_add(self.born_us);
        let request_us = if writes && self.can_ask() { self.request_due_us } else { u64::MAX };
        deadline_us.min(self.disk_due_us).min(request_us).max(self.busy_until_us).max(self.frozen_until_us)
    }
}
