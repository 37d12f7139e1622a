//! What clients ask for.

use kvstoreapp::node::Now;
use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;

use kvstoreapp::store::Database;

use super::World;
use crate::disk::Key;
use crate::host::{Asked, CLIENT};
use crate::model::{Verdict, Write, name};
use crate::network::HostId;

impl World {
    pub(super) fn ask(&mut self, id: HostId, now: Now) -> Verdict {
        let begins = self.time_us >= self.writes_begin_us && !self.healed;
        if !begins || !self.hosts[id].can_ask() || self.hosts[id].request_due_us > self.time_us {
            return Ok(());
        }
        let pause_us = self.random.u64(0..=2 * self.plan.request_us);
        self.hosts[id].request_due_us = self.time_us + pause_us;
        if self.plan.flushes > 0 && self.random.u64(0..1_000) < self.plan.flushes {
            return self.flush(id, now);
        }
        let number = self.random.u64(0..self.plan.keys);
        let key = if self.plan.own_keys { format!("{id}-{number}") } else { format!("k{number}") };
        let database = self.any_database();
        if self.plan.expiring > 0 && self.random.u64(0..100) < self.plan.expiring {
            return self.write_expiring(id, (database, key.into_bytes()), now);
        }
        if self.plan.together > 0 && self.random.u64(0..100) < self.plan.together {
            return self.write_group(id, number, now);
        }
        let request = match self.random.u64(0..110) {
            share if share < self.plan.deletions => format!("DELETE {key}"),
            100..107 => format!("GET {key}"),
            107.. => format!("WAIT {} {}", self.random.u8(0..3), self.random.u8(0..100)),
            _ => {
                let times = if self.random.u64(0..100) < self.plan.large { 4 } else { 1 };
                format!("SET {key} {}", self.random.u32(..).to_string().repeat(times))
            }
        };
        self.note(|| format!("{id} is asked: {request}"));
        let mut request = format!("{request}\n");
        let key = (database, key.into_bytes());
        if std::mem::replace(&mut self.hosts[id].selected, database) != database {
            request.insert_str(0, &format!("SELECT {}\n", database.number()));
            self.hosts[id].asked.push_back(Asked { key: key.clone(), write: None });
        }
        self.hosts[id].asked.push_back(Asked { key, write: None });
        self.hosts[id].is_held = true;
        self.node(id).receive(CLIENT, request.as_bytes(), now);
        self.note_execution(id)
    }

    fn flush(&mut self, id: HostId, now: Now) -> Verdict {
        let database = Some(self.any_database()).filter(|_| self.plan.databases == 1 || self.random.bool());
        if self.node(id).flush(database, now).is_none() {
            return Ok(());
        }
        let flushed = Database::all().filter(|&one| database.is_none_or(|database| database == one));
        for database in flushed {
            let store = self.node(id).store();
            let floor = store.floors().of(database);
            assert_eq!(store.keys_in(database), 0, "the node that flushes knows that nothing is left");
            self.note(|| format!("{id} flushes {}: {floor:?}", database.number()));
            self.model.flushed(id, database, floor)?;
        }
        self.count(if database.is_some() { "flush of one database" } else { "flush" });
        Ok(())
    }

    /// One of those that the plan has; 0 where that is the only one.
    fn any_database(&mut self) -> Database {
        let number = if self.plan.databases == 1 { 0 } else { self.random.u64(0..self.plan.databases) };
        database(number)
    }

    fn write_expiring(&mut self, id: HostId, key: Key, now: Now) -> Verdict {
        let expiry = now.unix_ms + self.random.u64(self.plan.lasts_ms.clone());
        let value = self.random.u32(..).to_string().into_bytes();
        let Some(position) = self.node(id).set_expiring(key.0, &key.1, &value, expiry, now) else { return Ok(()) };
        self.note(|| format!("{id} writes {} until {expiry}", name(&key)));
        let stamp = self.node(id).store().changes_after(position - 1).next().expect("it was written").stamp;
        let write = Write { key, stamp, value: Some(value), expiry: Some(expiry), host: id, position };
        self.model.accepted(write, self.hosts[id].incarnation).map(drop)
    }

    /// Some keys get one value, as one request of a client would do it.
    fn write_group(&mut self, id: HostId, number: u64, now: Now) -> Verdict {
        let key = |number: u64| if self.plan.own_keys { format!("{id}-{number}") } else { format!("k{number}") };
        let count = self.plan.keys.min(self.random.u64(2..6));
        let at = |step: u64| (database(step % self.plan.databases), (number + step) % self.plan.keys);
        let keys: Vec<Key> =
            (0..count).map(at).map(|(database, number)| (database, key(number).into_bytes())).collect();
        let value = self.random.u32(..).to_string().into_bytes();
        let borrowed: Vec<_> = keys.iter().map(|(database, key)| (*database, key.as_slice())).collect();
        let Some(last) = self.node(id).set_group(&borrowed, &value, now) else { return Ok(()) };
        self.note(|| format!("{id} writes {count} keys together: {:?}", keys.iter().map(name).collect::<Vec<_>>()));
        self.count("request of many keys");
        let first = last + 1 - count;
        let written = self.node(id).store().changes_after(first - 1).map(|change| (change.position, change.stamp));
        let mut group = Vec::new();
        for ((position, stamp), key) in written.collect::<Vec<_>>().into_iter().zip(keys) {
            let write = Write { key: key.clone(), stamp, value: Some(value.clone()), expiry: None, host: id, position };
            self.model.accepted(write, self.hosts[id].incarnation)?;
            group.push((key, stamp));
        }
        self.model.together.push(group);
        Ok(())
    }

    /// Notes the write that the last request was, once it has been executed.
    pub(super) fn note_execution(&mut self, id: HostId) -> Verdict {
        let host = &mut self.hosts[id];
        let node = host.node.as_ref().expect("it is up");
        if !host.is_held || matches!(node.waits(CLIENT), Waits::ForGate(Cause::Snapshot) | Waits::ForTurn) {
            return Ok(());
        }
        host.is_held = false;
        let asked = host.asked.back_mut().expect("something was asked");
        let Some(change) = node.store().state_in(asked.key.0, &asked.key.1) else { return Ok(()) };
        let is_own = usize::from(change.stamp.node) == id && change.position == node.store().last_position();
        let is_known = self.model.is_known(&asked.key, change.value, change.stamp, &self.plan);
        if !is_own || is_known {
            return Ok(());
        }
        let write = Write {
            key: asked.key.clone(),
            stamp: change.stamp,
            value: change.value.map(<[u8]>::to_vec),
            expiry: None,
            host: id,
            position: change.position,
        };
        asked.write = Some(self.model.accepted(write, host.incarnation)?);
        Ok(())
    }
}

/// Their numbers lie apart.
fn database(number: u64) -> Database {
    Database::new(5 * number as usize).expect("four at most")
}
