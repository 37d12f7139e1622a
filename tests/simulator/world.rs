//! The whole cluster in one thread: whose turn is next, what arrives, what goes wrong.
//!
//! One random source, one time. The same seed plays the same run, to the byte.

#[path = "faults.rs"]
mod faults;
#[path = "requests.rs"]
mod requests;
#[path = "secrecy.rs"]
pub mod secrecy;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Now, Origin};
use kvstoreapp::replication::{Channel, DueDial, Way};
use kvstoreapp::store::{NodeId, Stamp};

use crate::host::{CLIENT, Host};
use crate::model::{self, Model, Verdict};
use crate::network::{Connection, End, HostId, Network, Pipe, Session};
use crate::plan::{MS, Plan, SECOND, SecrecyPlan};
use crate::wiretap::{Heard, Wiretap, relayed};
use secrecy::Secrecy;

/// What a healed cluster is given to agree, beside the time until its clocks are right.
const PATIENCE_US: u64 = 90 * SECOND;
/// Memory that a host may hold for each peer.
const PEER_BYTES_MAX: usize = 5 << 20;

/// How often each thing happened.
pub type Counters = BTreeMap<&'static str, u64>;

/// What a run came to.
pub struct Outcome {
    pub verdict: Verdict,
    pub counters: Counters,
    pub steps: u64,
    /// Of everything that came and went.
    pub hash: u64,
    pub trace: Vec<String>,
}

pub struct World {
    pub plan: Plan,
    random: Rng,
    time_us: u64,
    hosts: Vec<Host>,
    network: Network,
    model: Model,
    counters: Counters,
    faults: Vec<(&'static str, u64, u64)>,
    healed: bool,
    is_healthy: bool,
    /// Where the nodes have a secret.
    secrecy: Option<Secrecy>,
    writes_begin_us: u64,
    steps: u64,
    hash: DefaultHasher,
    tracing: bool,
    trace: Vec<String>,
    failure: Option<String>,
}

/// Plays a run.
pub fn play(seed: u64, healthy: bool, tracing: bool) -> Outcome {
    let mut random = Rng::with_seed(seed);
    let plan = if healthy { Plan::healthy(&mut random) } else { Plan::draw(&mut random) };
    World::new(plan, random, healthy, tracing).play()
}

/// Plays a run of the same plan whose nodes have a secret, and in which strangers do what they can.
#[allow(dead_code, reason = "each test binary uses its own part")]
pub fn play_with_secret(seed: u64, tracing: bool) -> Outcome {
    let mut random = Rng::with_seed(seed);
    let plan = Plan::draw(&mut random);
    let mut world = World::new(plan, random, false, tracing);
    world.keep_secret();
    world.play()
}
impl World {
    fn new(plan: Plan, mut random: Rng, is_healthy: bool, tracing: bool) -> World {
        let nodes = plan.nodes;
        let members: Vec<String> = (0..nodes).map(|id| format!("10.0.0.{id}:5000")).collect();
        let mut hosts: Vec<Host> = (0..nodes).map(|id| Host::new(id, members.clone())).collect();
        if plan.appended {
            hosts[..nodes - 1].iter_mut().for_each(|host| host.members.truncate(nodes - 1));
            hosts[nodes - 1].down_until_us = u64::MAX;
        }
        for host in &mut hosts {
            host.drift_ppm = if plan.drift_ppm > 0 { random.i64(-plan.drift_ppm..=plan.drift_ppm) } else { 0 };
        }
        let mut faults: Vec<(&'static str, u64, u64)> = [
            ("cut", plan.cut_us),
            ("one-way cut", plan.one_way_cut_us),
            ("connection reset", plan.reset_us),
            ("crash", plan.crash_us),
            ("disk wiped", plan.wipe_us),
            ("disk put back", plan.roll_back_us),
            ("clock step", plan.clock_step_us),
            ("disk failure", plan.disk_failure_us),
            ("node frozen", plan.freeze_us),
            ("stop", plan.stop_us),
        ]
        .into_iter()
        .filter(|&(_, mean_us)| mean_us > 0)
        .map(|(kind, mean_us)| (kind, mean_us, random.u64(0..2 * mean_us)))
        .collect();
        if plan.appended {
            faults.push(("node appended", 0, random.u64(0..plan.length_us)));
        }
        World {
            network: Network::new(nodes),
            model: Model::new(nodes),
            counters: Counters::new(),
            time_us: 0,
            healed: false,
            writes_begin_us: if is_healthy { SECOND } else { 0 },
            is_healthy,
            secrecy: None,
            steps: 0,
            hash: DefaultHasher::new(),
            trace: Vec::new(),
            failure: None,
            plan,
            random,
            hosts,
            faults,
            tracing,
        }
    }

    /// All nodes have one secret from the beginning.
    fn keep_secret(&mut self) {
        let plan = SecrecyPlan::draw(&mut self.random);
        let kinds = [
            ("secret exchanged", plan.exchange_us),
            ("secret mistaken", plan.mistake_us),
            ("stranger dialed", plan.stranger_us),
        ];
        for (kind, mean_us) in kinds.into_iter().filter(|&(_, mean_us)| mean_us > 0) {
            self.faults.push((kind, mean_us, self.random.u64(0..2 * mean_us)));
        }
        self.secrecy = Some(Secrecy::new(plan));
        self.settle_secrets();
    }

    fn play(mut self) -> Outcome {
        let verdict = self.run();
        self.counters.insert("deletion forgotten", self.model.collected as u64);
        self.counters.insert("key expired", self.model.expired as u64);
        self.counters.insert("key dropped after a full listing", self.model.dropped as u64);
        let wanted = self.model.writes.len() * (self.plan.nodes - 1);
        let sent = self.counters.get("change sent").copied().unwrap_or(0);
        self.counters.insert("slice coalesced", (wanted as u64).saturating_sub(sent));
        Outcome { verdict, counters: self.counters, steps: self.steps, hash: self.hash.finish(), trace: self.trace }
    }

    fn run(&mut self) -> Verdict {
        self.note(|| "begins".to_owned());
        let length_us = self.plan.length_us + self.writes_begin_us;
        self.play_until(length_us)?;
        let surviving = self.heal()?;
        let lead_us = self.clock_lead_us().max(self.expiry_lead_us());
        let end_us = self.time_us + PATIENCE_US + lead_us;
        while !self.is_settled() {
            if self.time_us >= end_us {
                return Err(format!("1: the nodes do not agree in the end: {}", self.describe()));
            }
            let pause_us = if self.time_us + PATIENCE_US < end_us { 20 * SECOND } else { SECOND / 2 };
            self.play_until(self.time_us + pause_us)?;
        }
        self.model.check_end(&self.hosts, &surviving, &self.plan)
    }

    fn play_until(&mut self, end_us: u64) -> Verdict {
        loop {
            let writes = !self.healed && self.time_us + 1 >= self.writes_begin_us;
            let due = |host: &Host| host.due_us(writes).min(self.arrival_us(host));
            let (due_us, id) = self.hosts.iter().map(|host| (due(host), host.id)).min().expect("there are hosts");
            let fault = self.faults.iter().enumerate().map(|(at, &(.., due_us))| (due_us, at)).min();
            let fault_us = fault.map_or(u64::MAX, |(due_us, _)| due_us);
            let next_us = due_us.min(fault_us).max(self.time_us);
            if next_us >= end_us {
                self.time_us = end_us;
                return Ok(());
            }
            self.time_us = next_us;
            match fault {
                Some((due_us, at)) if due_us <= next_us => self.strike(at)?,
                _ => self.tick(id)?,
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
    }

    /// When something is there for the host that it would take.
    fn arrival_us(&self, host: &Host) -> u64 {
        let Some(node) = &host.node else { return u64::MAX };
        let mut due_us = u64::MAX;
        for connection in self.network.connections.iter().flatten() {
            if let Some((to, at_us)) = connection.reaches_us
                && to == host.id
            {
                due_us = due_us.min(at_us);
            }
            for (at, end) in connection.ends.iter().enumerate() {
                let Some(end) = end.filter(|end| end.host == host.id) else { continue };
                if node.waits(end.session) == Waits::ForInput {
                    due_us = due_us.min(connection.pipes[1 - at].next_us());
                }
                let unsent = !node.sendable(end.session).is_empty() && connection.reaches_us.is_none();
                if unsent && !connection.pipes[at].is_full(self.plan.pipe_bytes) {
                    due_us = due_us.min(self.time_us);
                }
            }
        }
        due_us.max(host.busy_until_us).max(host.frozen_until_us)
    }

    /// One turn of a host's loop, in the order of the server's.
    fn tick(&mut self, id: HostId) -> Verdict {
        self.steps += 1;
        let time_us = self.time_us;
        (time_us, id).hash(&mut self.hash);
        if self.hosts[id].node.is_none() {
            return self.start(id);
        }
        let now = self.hosts[id].now(time_us);
        self.node(id).begin_tick(now);
        self.finish_disk(id, now)?;
        self.take_connections(id, now);
        self.take_bytes(id, now)?;
        self.take_turns(id, now)?;
        self.ask(id, now)?;
        self.dial(id, now)?;
        self.finish_tick(id, now);
        self.send(id, now)?;
        let node = self.hosts[id].node.as_ref().expect("it is up");
        if node.peer_bytes() > self.plan.nodes * PEER_BYTES_MAX {
            return Err(format!("6: {id} holds {} bytes for its peers", node.peer_bytes()));
        }
        self.look(id)?;
        self.hosts[id].busy_until_us = time_us + self.random.u64(20..200);
        Ok(())
    }

    /// The model sees what the host holds.
    fn look(&mut self, id: HostId) -> Verdict {
        let node = self.hosts[id].node.as_ref().expect("it is up");
        self.model.look(id, node.store(), &self.hosts, &self.plan)?;
        if self.secrecy.is_some() {
            self.look_for_strangers(id)?;
        }
        let node = self.hosts[id].node.as_ref().expect("it is up");
        if self.is_healthy { self.model.look_at_groups(id, node.store()) } else { Ok(()) }
    }

    fn start(&mut self, id: HostId) -> Verdict {
        self.note(|| format!("{id} starts"));
        self.hosts[id].start(&self.plan, self.time_us, &mut self.random);
        let node = self.hosts[id].node.as_ref().expect("it was started");
        self.model.started(id, node.store())
    }

    fn node(&mut self, id: HostId) -> &mut kvstoreapp::node::Node {
        self.hosts[id].node.as_mut().expect("it is up")
    }

    fn finish_disk(&mut self, id: HostId, now: Now) -> Verdict {
        let host = &mut self.hosts[id];
        if host.disk_due_us > self.time_us {
            return Ok(());
        }
        host.disk.failing = host.disk_failing_until_us > self.time_us;
        let commits = host.disk.commits;
        if let Some(saved) = host.disk.take_one(now.unix_ms) {
            host.node.as_mut().expect("it is up").saved(saved, now);
        }
        if host.disk.failing {
            self.count("disk failed");
        }
        let host = &mut self.hosts[id];
        let committed = host.disk.commits > commits;
        host.disk_due_us =
            if host.disk.is_busy() { self.time_us + self.random.u64(1..=self.plan.disk_us) } else { u64::MAX };
        if committed {
            let position = self.hosts[id].disk.file.checkpoint.position;
            self.note(|| format!("{id} commits up to {position}"));
        }
        Ok(())
    }

    fn take_connections(&mut self, id: HostId, now: Now) {
        for at in 0..self.network.connections.len() {
            let Some(connection) = &self.network.connections[at] else { continue };
            if !connection.reaches_us.is_some_and(|(to, at_us)| to == id && at_us <= self.time_us) {
                continue;
            }
            let (bindings, from) = (connection.bindings, connection.ends[0].map_or(0, |end| end.host));
            let session = self.hosts[id].free_session();
            match bindings {
                None => self.node(id).open(session, Origin::Loopback, now).expect("there is room"),
                Some([_, binding]) => {
                    self.node(id).accept_peer(session, Channel::Encrypted(binding), &format!("10.0.0.{from}:999"), now);
                }
            }
            let connection = self.network.connections[at].as_mut().expect("it was there");
            connection.reaches_us = None;
            connection.ends[1] = Some(End { host: id, session });
        }
    }

    fn take_bytes(&mut self, id: HostId, now: Now) -> Verdict {
        for at in 0..self.network.connections.len() {
            let Some(connection) = &mut self.network.connections[at] else { continue };
            let Some(own) = connection.ends.iter().position(|end| end.is_some_and(|end| end.host == id)) else {
                continue;
            };
            let session = connection.ends[own].expect("it was found").session;
            let node = self.hosts[id].node.as_mut().expect("it is up");
            if node.waits(session) != Waits::ForInput {
                continue;
            }
            let pipe = &mut connection.pipes[1 - own];
            while node.waits(session) == Waits::ForInput
                && let Some(piece) = pipe.take(self.time_us)
            {
                piece.hash(&mut self.hash);
                node.receive(session, &piece, now);
            }
            if node.waits(session) == Waits::ForInput && pipe.has_ended(self.time_us) {
                node.finish(session, now);
            }
            if node.is_over(session) {
                self.close(id, session, now, "the other side closed it");
            }
        }
        Ok(())
    }

    fn take_turns(&mut self, id: HostId, now: Now) -> Verdict {
        let mut runnable = Vec::new();
        self.node(id).take_runnable(&mut runnable);
        for session in runnable {
            self.node(id).resume(session, now);
            if session == CLIENT {
                self.note_execution(id)?;
            }
        }
        Ok(())
    }

    fn dial(&mut self, id: HostId, now: Now) -> Verdict {
        while let Some(DueDial { peer, way, .. }) = self.node(id).next_dial(now) {
            let peer = usize::from(peer);
            let is_encrypted = way == Way::Encrypted;
            if is_encrypted && self.is_handshake_broken() {
                self.count("handshake broken");
                self.node(id).not_encrypted(peer as NodeId, "the handshake failed", now);
                continue;
            }
            let session = self.hosts[id].free_session();
            if is_encrypted && self.is_answered_by_a_stranger() {
                self.stranger_answers(id, session, peer, now)?;
                continue;
            }
            if !is_encrypted && self.secrecy.is_some() {
                return Err(format!("9: {id} dials {peer} in plain text"));
            }
            let bindings = is_encrypted.then(|| self.bindings());
            let channel = bindings.map_or(Channel::Plain, |[binding, _]| Channel::Encrypted(binding));
            self.node(id).dialing(session, peer as NodeId, channel, now);
            let blocked = self.network.is_cut(id, peer, self.time_us) || self.network.is_cut(peer, id, self.time_us);
            let is_up = self.hosts[peer].node.is_some();
            if !is_up && !blocked {
                self.note(|| format!("{id} dials {peer}, which is down"));
                self.node(id).lose_peer(session, "connection refused", now);
                self.hosts[id].used[session] = false;
                continue;
            }
            self.note(|| format!("{id} dials {peer}{}", if blocked { " in vain" } else { "" }));
            let at_us = if blocked { u64::MAX } else { self.time_us + self.delay_us() };
            let ends = [Some(End { host: id, session }), None];
            self.network.add(Connection { ends, pipes: Default::default(), bindings, reaches_us: Some((peer, at_us)) });
        }
        Ok(())
    }

    fn finish_tick(&mut self, id: HostId, now: Now) {
        let World { hosts, random, time_us, plan, .. } = self;
        let Host { node, disk, disk_due_us, .. } = &mut hosts[id];
        node.as_mut().expect("it is up").finish_tick(now, |save| {
            *disk_due_us = (*disk_due_us).min(*time_us + random.u64(1..=plan.disk_us));
            disk.give(save);
        });
    }

    /// What is owed goes out, as far as the network takes it.
    fn send(&mut self, id: HostId, now: Now) -> Verdict {
        let mut touched = std::mem::take(&mut self.hosts[id].unsent);
        self.node(id).take_touched(&mut touched);
        touched.sort_unstable();
        touched.dedup();
        for session in touched {
            if session == CLIENT {
                self.take_answers(id);
                continue;
            }
            let Some((at, own)) = self.network.find(id, session) else { continue };
            let connection = self.network.connections[at].as_mut().expect("it was found");
            if connection.reaches_us.is_none()
                && let Some(to) = connection.ends[1 - own].map(|end| end.host)
            {
                self.send_bytes(id, session, to, at, own)?;
            } else if connection.reaches_us.is_none() {
                // Nobody is there any more.
                let owed = self.node(id).sendable(session).len();
                self.node(id).sent(session, owed);
            }
            let node = self.hosts[id].node.as_ref().expect("it is up");
            if node.is_over(session) {
                self.close(id, session, now, "it is over");
            } else if !node.sendable(session).is_empty() {
                self.hosts[id].unsent.push(session);
            }
        }
        Ok(())
    }

    fn send_bytes(&mut self, id: HostId, session: Session, to: HostId, at: usize, own: usize) -> Verdict {
        let due_us = self.time_us + self.delay_us();
        let due_us = due_us.max(self.network.cut_until_us[id][to]);
        let Host { node, taps, .. } = &mut self.hosts[id];
        let node = node.as_mut().expect("it is up");
        let bytes = node.sendable(session);
        let connection = self.network.connections[at].as_mut().expect("it was found");
        let is_overheard = connection.has_a_man_in_the_middle();
        let pipe: &mut Pipe = &mut connection.pipes[own];
        let count = pipe.send(bytes, self.plan.pipe_bytes, due_us, self.plan.piece_bytes, &mut self.random);
        if count < bytes.len() {
            *self.counters.entry("outbox full").or_default() += 1;
        }
        let tap: &mut Wiretap = taps.entry(session).or_default();
        let (mut changes, mut heard_others) = (Vec::new(), Vec::new());
        tap.listen(&bytes[..count], |heard| match heard {
            Heard::Changes(some) => changes.push(some),
            other => heard_others.push(other),
        });
        node.sent(session, count);
        let is_harmless = |heard: &Heard| matches!(heard, Heard::Proof(_) | Heard::Refusal(_));
        if is_overheard && !(changes.is_empty() && heard_others.iter().all(is_harmless)) {
            return Err(format!("9: {id} tells a man in the middle what {to} alone may know"));
        }
        for changes in changes {
            let relayed = relayed(&changes, model::node_id(id));
            self.count_many("change sent", changes.len());
            self.count_many("change relayed", relayed);
            let is_down = |stamp: &Stamp| self.hosts[usize::from(stamp.node)].node.is_none();
            let orphans = changes.iter().filter(|(_, stamp)| is_down(stamp)).count();
            self.count_many("write of a dead node relayed", orphans);
            for (key, stamp) in changes {
                self.note(|| format!("{id} -> {to}: {} {stamp:?}", String::from_utf8_lossy(&key)));
                // A flush goes to whoever is not known to have it.
                if self.is_healthy && !key.is_empty() {
                    self.model.crossed(id, to, key, stamp)?;
                }
            }
        }
        for heard in heard_others {
            match heard {
                Heard::Listing => self.count("full listing sent"),
                Heard::Refusal(why) => {
                    self.note(|| format!("{id} refuses {to}: {why}"));
                    self.count(if why.contains("clock") { "clock refused" } else { "link refused" });
                }
                // Where disks were lost or deletions given up, nodes may differ until they have heard of it from all;
                // and where a clock was further off than is allowed, until keys have expired everywhere.
                Heard::Diverged if self.plan.forgets() || self.plan.expires_askew() => self.count("mended"),
                Heard::Diverged => {
                    return Err(format!("1: {id} says that it and {to} have diverged{}", self.describe()));
                }
                Heard::Chunk => self.count("chunk of a large value sent"),
                Heard::Proof(proof) => self.record_proof(proof),
                Heard::Changes(_) | Heard::Other => (),
            }
        }
        Ok(())
    }

    fn take_answers(&mut self, id: HostId) {
        let host = &mut self.hosts[id];
        let node = host.node.as_mut().expect("it is up");
        let bytes = node.sendable(CLIENT).to_vec();
        node.sent(CLIENT, bytes.len());
        bytes.hash(&mut self.hash);
        host.answers.extend_from_slice(&bytes);
        while let Some(end) = host.answers.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = host.answers.drain(..=end).collect();
            let asked = host.asked.pop_front().expect("every answer is that of a request");
            if let Some(write) = asked.write.filter(|_| line == b"OK\n") {
                self.model.answered(write, self.plan.durability);
            }
        }
    }

    /// The host closes its end.
    fn close(&mut self, id: HostId, session: Session, now: Now, why: &str) {
        self.note(|| format!("{id} closes connection {session}: {why}"));
        let node = self.hosts[id].node.as_mut().expect("it is up");
        node.close(session);
        node.lose_peer(session, why, now);
        self.hosts[id].used[session] = false;
        let Some((at, own)) = self.network.find(id, session) else { return };
        let due_us = self.time_us + self.delay_us();
        let connection = self.network.connections[at].as_mut().expect("it was found");
        let to = connection.ends[1 - own].map(|end| end.host);
        connection.ends[own] = None;
        let cut_us = to.map_or(0, |to| self.network.cut_until_us[id][to]);
        connection.pipes[own].close(due_us.max(cut_us));
        if to.is_none() {
            self.network.connections[at] = None;
        }
    }

    fn delay_us(&mut self) -> u64 {
        self.plan.delay_us + self.random.u64(0..=self.plan.jitter_us)
    }

    fn count(&mut self, what: &'static str) {
        self.count_many(what, 1);
    }

    fn count_many(&mut self, what: &'static str, count: usize) {
        *self.counters.entry(what).or_default() += count as u64;
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.tracing {
            let line = format!("{:>12.3} ms  {}", self.time_us as f64 / MS as f64, what());
            self.trace.push(line);
        }
    }
}
