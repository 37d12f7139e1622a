//! What goes wrong, and how it ends.

use std::collections::BTreeMap;

use kvstoreapp::store::{Clock, Stamp};

use super::World;
use crate::disk::Key;
use crate::host::Host;
use crate::model::{are_identical, name};
use crate::network::HostId;
use crate::plan::{MS, SECOND};

impl World {
    /// A fault comes, and its next one is set.
    pub(super) fn strike(&mut self, at: usize) -> Result<(), String> {
        let (kind, mean_us, _) = self.faults[at];
        let again_us = if mean_us == 0 { u64::MAX } else { self.time_us + self.random.u64(1..=2 * mean_us) };
        self.faults[at].2 = again_us;
        let id = self.random.usize(0..self.plan.nodes);
        let outage_us = self.random.u64(1..=self.plan.outage_us);
        let until_us = self.time_us + outage_us;
        let happened = match kind {
            "cut" | "one-way cut" => {
                let other = (id + self.random.usize(1..self.plan.nodes)) % self.plan.nodes;
                self.note(|| format!("{kind} from {id} to {other} for {} ms", outage_us / MS));
                self.network.cut_until_us[id][other] = until_us;
                if kind == "cut" {
                    self.network.cut_until_us[other][id] = until_us;
                }
                true
            }
            "connection reset" => self.reset_one(),
            "crash" => self.crash(id, until_us),
            "stop" => self.stop(id, until_us)?,
            "disk wiped" => self.crash(id, until_us) && self.wipe(id),
            "disk put back" => self.put_back(id, until_us),
            "clock step" => {
                let most_ms: i64 = if self.plan.long_steps { 3_600_000 } else { 20_000 };
                let step_ms = self.random.i64(-most_ms..=most_ms);
                self.note(|| format!("the clock of {id} steps by {step_ms} ms"));
                self.hosts[id].clock_off_ms += step_ms;
                true
            }
            "disk failure" => {
                self.note(|| format!("the disk of {id} fails for {} ms", outage_us / MS));
                self.hosts[id].disk_failing_until_us = until_us;
                true
            }
            "node frozen" => {
                self.note(|| format!("{id} is frozen for {} ms", outage_us / MS));
                self.hosts[id].frozen_until_us = until_us;
                self.hosts[id].node.is_some()
            }
            "node appended" => {
                self.append_last();
                true
            }
            "secret exchanged" => self.exchange_secret(),
            "secret mistaken" => self.mistake_secret(id),
            "stranger dialed" => self.stranger_dials(id)?,
            _ => unreachable!("every kind has its arm"),
        };
        if happened {
            self.count(kind);
        }
        Ok(())
    }

    fn crash(&mut self, id: HostId, until_us: u64) -> bool {
        if self.hosts[id].node.is_none() {
            return false;
        }
        self.note(|| format!("{id} crashes"));
        if self.hosts[id].disk.is_busy() {
            self.count("crash in the middle of a snapshot");
        }
        self.hosts[id].stop();
        self.hosts[id].down_until_us = until_us;
        let silent = self.random.u8(0..4) == 0;
        for at in 0..self.network.connections.len() {
            let Some(connection) = &mut self.network.connections[at] else { continue };
            let Some(own) = connection.ends.iter().position(|end| end.is_some_and(|end| end.host == id)) else {
                if connection.reaches_us.is_some_and(|(to, _)| to == id) {
                    connection.reaches_us = Some((id, u64::MAX));
                }
                continue;
            };
            connection.ends[own] = None;
            if connection.ends[1 - own].is_none() {
                self.network.connections[at] = None;
            } else if silent {
                // The machine has lost its power: nobody says that the connection is gone.
                let pipe = &mut connection.pipes[own];
                pipe.break_off(&mut self.random, self.time_us);
                pipe.forget_end();
            } else {
                connection.pipes[own].break_off(&mut self.random, self.time_us);
            }
        }
        if silent {
            self.count("stale connection");
        }
        true
    }

    /// As SIGTERM does it: all is saved, and then the node is gone.
    fn stop(&mut self, id: HostId, until_us: u64) -> Result<bool, String> {
        let now = self.hosts[id].now(self.time_us);
        let Host { node: Some(node), disk, disk_failing_until_us, .. } = &mut self.hosts[id] else { return Ok(false) };
        if *disk_failing_until_us > self.time_us {
            return Ok(false);
        }
        disk.failing = false;
        node.end();
        while node.ended().is_none() {
            node.finish_tick(now, |save| disk.give(save));
            // After a failure it waits before it tries again, and is killed meanwhile.
            let Some(saved) = disk.take_one(now.unix_ms) else { break };
            node.saved(saved, now);
        }
        let is_saved = node.ended().is_some();
        self.look(id)?;
        Ok(self.crash(id, until_us) && is_saved)
    }

    fn wipe(&mut self, id: HostId) -> bool {
        self.note(|| format!("the disk of {id} is wiped"));
        self.hosts[id].disk = Default::default();
        self.model.rewind(id, &self.hosts);
        true
    }

    fn put_back(&mut self, id: HostId, until_us: u64) -> bool {
        let host = &self.hosts[id];
        // Where the wall clock stands before a time it has shown, nothing on an old copy says how far stamps had come.
        if host.unix_ms(self.time_us) < host.clock_max_ms || host.disk.copies.is_empty() || !self.crash(id, until_us) {
            return false;
        }
        let host = &mut self.hosts[id];
        let which = self.random.usize(0..host.disk.copies.len());
        let (_, file) = host.disk.copies[which].clone();
        host.disk.file = file;
        self.model.rewind(id, &self.hosts);
        self.note(|| format!("an old copy of the data file of {id} is put back"));
        true
    }

    fn reset_one(&mut self) -> bool {
        let open: Vec<usize> = (0..self.network.connections.len())
            .filter(|&at| self.network.connections[at].as_ref().is_some_and(|one| one.ends.iter().all(Option::is_some)))
            .collect();
        let Some(&at) = self.random.choice(&open) else { return false };
        self.note(|| "a connection is reset".to_owned());
        let connection = self.network.connections[at].as_mut().expect("it is open");
        for pipe in &mut connection.pipes {
            pipe.break_off(&mut self.random, self.time_us);
        }
        true
    }

    /// The last node is put into everybody's list, and begins.
    fn append_last(&mut self) {
        let last = self.plan.nodes - 1;
        let members = self.hosts[last].members.clone();
        self.note(|| format!("{last} is appended to the cluster"));
        self.reload(&members);
        self.hosts[last].down_until_us = self.time_us;
    }

    fn reload(&mut self, members: &[String]) {
        for id in 0..self.plan.nodes {
            let now = self.hosts[id].now(self.time_us);
            self.hosts[id].members = members.to_vec();
            if let Some(node) = &mut self.hosts[id].node {
                node.reload(members.to_vec(), now).expect("ids in use keep their addresses");
            }
        }
    }

    /// Nothing goes wrong from here on. Returns what has survived.
    pub(super) fn heal(&mut self) -> Result<BTreeMap<Key, (Stamp, bool)>, String> {
        self.note(|| "all is healed".to_owned());
        self.healed = true;
        if self.faults.iter().any(|&(kind, _, due_us)| kind == "node appended" && due_us != u64::MAX) {
            self.append_last();
        }
        self.faults.clear();
        let nodes = self.plan.nodes;
        if self.plan.majority && nodes > 2 {
            let dead = self.random.usize(1..=(nodes - 1) / 2);
            for _ in 0..dead {
                let id = self.random.usize(0..nodes);
                self.crash(id, u64::MAX);
                self.note(|| format!("{id} is dead for good"));
                self.hosts[id].is_dead = true;
                self.count("node dead for good");
            }
            if self.plan.removed {
                let members = (0..nodes).map(|id| match self.hosts[id].is_dead {
                    true => String::new(),
                    false => self.hosts[id].members[id].clone(),
                });
                let members: Vec<String> = members.collect();
                for host in self.hosts.iter_mut().filter(|host| !host.is_dead) {
                    let now = host.now(self.time_us);
                    host.members.clone_from(&members);
                    if let Some(node) = &mut host.node {
                        node.reload(members.clone(), now).expect("the living stay");
                    }
                }
                self.count("node removed");
            }
        }
        self.network.heal(self.time_us);
        self.settle_secrets();
        for host in &mut self.hosts {
            host.down_until_us = host.down_until_us.min(self.time_us);
            host.frozen_until_us = 0;
            host.disk_failing_until_us = 0;
            (host.clock_off_ms, host.drift_ppm) = (0, 0);
        }
        self.model.note_floor(&self.hosts);
        Ok(self.model.surviving(&self.hosts))
    }

    /// How long the right clocks take until they are where the wrong ones were.
    pub(super) fn clock_lead_us(&self) -> u64 {
        let nodes = self.hosts.iter().filter(|host| !host.is_dead);
        let lead_ms = nodes.map(|host| {
            let clock = host.node.as_ref().map_or(host.disk.file.checkpoint.clock_ceiling, |node| node.clock_last());
            Clock::unix_ms(clock).saturating_sub(host.unix_ms(self.time_us))
        });
        lead_ms.max().unwrap_or(0) * MS + 20 * SECOND
    }

    /// How long it takes until all that expires has.
    pub(super) fn expiry_lead_us(&self) -> u64 {
        let last_ms = self.model.writes.iter().filter_map(|write| write.expiry).max().unwrap_or(0);
        let unix_ms = self.hosts.iter().map(|host| host.unix_ms(self.time_us)).min().unwrap_or(0);
        last_ms.saturating_sub(unix_ms) * MS
    }

    /// Whether all that is to be reached in the end is reached.
    pub(super) fn is_settled(&self) -> bool {
        let all_up = self.hosts.iter().all(|host| host.is_dead || host.node.is_some());
        let collects = self.hosts.iter().all(|host| !host.is_dead) || self.plan.removed;
        let is_kept = |host: &Host| {
            host.node.as_ref().is_some_and(|node| node.store().expiring() == 0 && !node.store().is_sweeping())
        };
        all_up
            && are_identical(&self.hosts, &self.model.keys)
            && self.hosts.iter().all(|host| host.is_dead || is_kept(host))
            && self.hosts.iter().filter(|host| !host.is_dead).all(|host| {
                let Some(node) = &host.node else { return false };
                let now = kvstoreapp::node::Now {
                    monotonic_us: self.time_us - host.born_us,
                    unix_ms: host.unix_ms(self.time_us),
                };
                let peers = node.peers(now);
                let living = peers.iter().filter(|peer| !self.hosts[usize::from(peer.id)].is_dead);
                (!collects || node.store().tombstones() == 0)
                    && living.into_iter().all(|peer| peer.agreement == "agrees")
            })
    }

    /// How the nodes stand, for a person.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            let Some(node) = &host.node else {
                text += &format!("\n  {} is down{}", host.id, if host.is_dead { " for good" } else { "" });
                continue;
            };
            let store = node.store();
            text += &format!(
                "\n  {}: {} keys, {} deletions, digest {:x}",
                host.id,
                store.keys(),
                store.tombstones(),
                store.content().digest
            );
            let now = kvstoreapp::node::Now { monotonic_us: self.time_us - host.born_us, unix_ms: 0 };
            for peer in node.peers(now) {
                text += &format!("; {}: {} {} {:?}", peer.id, peer.state, peer.agreement, peer.error);
            }
            for key in &self.model.keys {
                let stamp = |host: &Host| {
                    let one = host.node.as_ref()?.store().state_in(key.0, &key.1)?;
                    Some((one.stamp, one.value.map(<[u8]>::to_vec)))
                };
                let nodes = || self.hosts.iter().filter(|host| host.node.is_some());
                if nodes().any(|one| nodes().any(|two| stamp(one) != stamp(two)))
                    && let Some(one) = store.state_in(key.0, &key.1)
                {
                    let key = name(key);
                    text += &format!("\n     {key} {:?} {:?}", one.stamp, one.value.map(String::from_utf8_lossy));
                }
            }
        }
        text
    }
}
