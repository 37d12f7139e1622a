//! Never forgets: every write ever accepted, what was answered, what each host held. Says what must hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kvstoreapp::replica::Durability;
use kvstoreapp::store::{Database, Floors, NodeId, Stamp, Store};

use crate::disk::Key;
use crate::host::Host;
use crate::network::HostId;
use crate::plan::Plan;

#[derive(Clone, Debug)]
pub struct Write {
    pub key: Key,
    pub stamp: Stamp,
    pub value: Option<Vec<u8>>,
    /// In unix milliseconds.
    pub expiry: Option<u64>,
    pub host: HostId,
    pub position: u64,
}

#[derive(Default)]
pub struct Model {
    pub writes: Vec<Write>,
    stamps: HashMap<Stamp, usize>,
    issued: HashMap<HostId, Stamp>,
    positions: HashMap<(HostId, u64), u64>,
    /// Writes answered OK under commit durability, the newest of each key, by host.
    promised: HashMap<(HostId, Key), Stamp>,
    /// What each host held at its last look: stamp and whether it is alive.
    held: Vec<BTreeMap<Key, (Stamp, bool)>>,
    /// The newest deletion of each key that was forgotten because all have it.
    forgotten: HashMap<Key, Stamp>,
    /// Changes that crossed between a pair of hosts, in a mesh where nothing goes wrong.
    crossed: HashSet<(HostId, HostId, Vec<u8>, Stamp)>,
    pub keys: BTreeSet<Key>,
    /// Keys and stamps that were written by one request.
    pub together: Vec<Vec<(Key, Stamp)>>,
    /// All flushes, and the latest of each database that survived.
    floors: Vec<(Database, Stamp)>,
    latest: Floors,
    /// Hosts whose disk was wiped or put back.
    rewound: HashSet<HostId>,
    /// Writes that were not on the disk that their author went on with, and those of them that came back with a copy
    /// that was put back later.
    taken_back: HashSet<Stamp>,
    returned: HashSet<Stamp>,
    /// Writes of such a host under stamps not above all it had issued before, until it wrote them again with others:
    /// who has seen the future that was taken back, and does not meet the host, takes them for writes of that time.
    doubtful: HashSet<Stamp>,
    pub collected: usize,
    pub expired: usize,
    pub dropped: usize,
}

/// Requests of several keys that are looked at, the latest ones.
const GROUPS: usize = 8;

pub type Verdict = Result<(), String>;

impl Model {
    pub fn new(hosts: usize) -> Model {
        Model { held: vec![BTreeMap::new(); hosts], ..Model::default() }
    }

    /// A host's client has written something. Returns its number.
    pub fn accepted(&mut self, write: Write, incarnation: u64) -> Result<usize, String> {
        let number = self.writes.len();
        // A node that has lost its disk may hit on a stamp of before, until a peer tells it so; what it wrote is then
        // written again with another one.
        let is_rewound = self.is_rewound(write.host);
        if let Some(&other) = self.stamps.get(&write.stamp).filter(|_| !is_rewound) {
            return Err(format!("5: stamp {:?} was issued twice: {:?} and {write:?}", write.stamp, self.writes[other]));
        }
        if self.issued.get(&write.host).is_some_and(|&last| last >= write.stamp) && !is_rewound {
            return Err(format!("5: a stamp is not above all earlier ones of its host: {write:?}"));
        }
        let last = self.positions.entry((write.host, incarnation)).or_default();
        if *last >= write.position {
            return Err(format!("5: a position is used again: {write:?}"));
        }
        *last = write.position;
        self.stamps.insert(write.stamp, number);
        let issued = self.issued.entry(write.host).or_default();
        if *issued >= write.stamp {
            self.doubtful.insert(write.stamp);
        }
        *issued = (*issued).max(write.stamp);
        self.keys.insert(write.key.clone());
        self.writes.push(write);
        Ok(number)
    }

    /// A host's client has flushed a database.
    pub fn flushed(&mut self, host: HostId, database: Database, floor: Stamp) -> Verdict {
        if self.issued.get(&host).is_some_and(|&last| last >= floor) && !self.is_rewound(host) {
            return Err(format!("5: the stamp of a flush is not above all earlier ones of {host}: {floor:?}"));
        }
        self.issued.insert(host, floor);
        self.floors.push((database, floor));
        Ok(())
    }

    /// Notes the latest flush that is anywhere, in memory or on a disk that comes back.
    pub fn note_floor(&mut self, hosts: &[Host]) {
        self.latest = Floors::default();
        for host in hosts.iter().filter(|host| !host.is_dead) {
            for database in Database::all() {
                let on_disk = || host.disk.file.floor(database);
                let floor = host.node.as_ref().map_or_else(on_disk, |node| node.store().floors().of(database));
                self.latest.raise(database, floor);
            }
        }
    }

    /// Whether a flush deleted it that may have been on its way when all was healed.
    fn is_flushed_after(&self, database: Database, stamp: Stamp) -> bool {
        self.floors.iter().any(|&(of, floor)| of == database && floor > stamp)
    }

    /// Whether a write of this key with this value and stamp is known: it may have come back from another node, and have
    /// expired, or been dropped after a full listing.
    pub fn is_known(&self, key: &Key, value: Option<&[u8]>, stamp: Stamp, plan: &Plan) -> bool {
        let write = self.stamps.get(&stamp).map(|&number| &self.writes[number]);
        let may_be_gone = |write: &Write| write.expiry.is_some() || plan.forgets();
        let is_it = |write: &Write| write.value.as_deref() == value || (value.is_none() && may_be_gone(write));
        write.is_some_and(|write| write.key == *key && is_it(write))
    }

    /// Whether the write's time has come by the clock that is furthest ahead, or was.
    fn may_have_expired(&self, stamp: Stamp, hosts: &[Host]) -> bool {
        let latest_ms = hosts.iter().map(|host| host.clock_max_ms).max().unwrap_or(0);
        let write = self.stamps.get(&stamp).map(|&number| &self.writes[number]);
        write.and_then(|write| write.expiry).is_some_and(|expiry| expiry <= latest_ms)
    }

    /// Whether this write expires, or a later one that may have been on its way when all was healed. A node that has
    /// lost its disk may have given a write a later stamp than it was issued with.
    fn expires_after(&self, key: &Key, stamp: Stamp) -> bool {
        let later = |write: &Write| write.stamp >= stamp || self.is_rewound(write.host);
        self.writes.iter().any(|write| write.key == *key && write.expiry.is_some() && later(write))
    }

    /// A host whose disk was wiped or put back may begin below what it has forgotten, but never on it.
    fn is_rewound(&self, host: HostId) -> bool {
        self.rewound.contains(&host)
    }

    /// Whether the write cannot be told from one of a future that was taken back: its author is dead, and never wrote
    /// it again.
    fn is_doubtful(&self, stamp: Stamp, hosts: &[Host]) -> bool {
        self.doubtful.contains(&stamp) && hosts.iter().any(|host| host.id == HostId::from(stamp.node) && host.is_dead)
    }

    /// Whether the key's state is a write of a node that had lost its disk, under another stamp than it was issued
    /// with: one that the node's lost incarnation may have given to something else, which nobody has seen.
    fn is_written_again(&self, key: &Key, store: &Store) -> bool {
        let Some(change) = store.state_in(key.0, &key.1) else { return false };
        let is_it = |write: &Write| write.key == *key && write.value.as_deref() == change.value;
        let host = HostId::from(change.stamp.node);
        self.is_rewound(host) && self.writes.iter().any(|write| write.host == host && is_it(write))
    }

    /// A host's disk was wiped, or an old copy of it put back.
    pub fn rewind(&mut self, host: HostId, hosts: &[Host]) {
        self.rewound.insert(host);
        let disk = &hosts[host].disk.file;
        self.returned.extend(disk.rows.values().map(|row| row.stamp).filter(|stamp| self.taken_back.contains(stamp)));
        let is_gone =
            |write: &&Write| write.host == host && disk.state(&write.key).is_none_or(|row| row.stamp < write.stamp);
        self.taken_back.extend(self.writes.iter().filter(is_gone).map(|write| write.stamp));
        // Where no other has ever heard of it, nobody knows of deletions that are not on that copy. What was promised of
        // them is kept: they were forgotten rightly.
        if hosts.iter().all(|other| other.id == host || !has_heard_of(other, host)) {
            let forgotten = std::mem::take(&mut self.forgotten);
            self.promised.retain(|(_, key), promised| forgotten.get(key).is_none_or(|stamp| stamp < promised));
        }
    }

    pub fn answered(&mut self, number: usize, durability: Durability) {
        if durability == Durability::Commit {
            let Write { host, key, stamp, .. } = &self.writes[number];
            let promised = self.promised.entry((*host, key.clone())).or_insert(*stamp);
            *promised = (*promised).max(*stamp);
        }
    }

    /// A change was sent from one host to another while nothing goes wrong.
    pub fn crossed(&mut self, from: HostId, to: HostId, key: Vec<u8>, stamp: Stamp) -> Verdict {
        if !self.crossed.insert((from.min(to), from.max(to), key.clone(), stamp)) {
            let key = String::from_utf8_lossy(&key).into_owned();
            return Err(format!("7: {key} {stamp:?} crosses the link of {from} and {to} twice, now from {from}"));
        }
        Ok(())
    }

    /// A host has begun with what its disk had.
    pub fn started(&mut self, host: HostId, store: &Store) -> Verdict {
        self.held[host] = self.keys.iter().filter_map(|key| Some((key.clone(), held(store, key)?))).collect();
        if self.rewound.contains(&host) {
            self.promised.retain(|(other, _), _| *other != host);
        }
        for ((other, key), promised) in self.promised.iter().filter(|((other, _), _)| *other == host) {
            let kept = held(store, key).is_some_and(|(stamp, _)| stamp >= *promised) || store.covers(key.0, *promised);
            if !kept && self.forgotten.get(key).is_none_or(|forgotten| forgotten < promised) {
                let key = name(key);
                return Err(format!("3: {other} answered OK under commit durability and lost {key} {promised:?}"));
            }
        }
        Ok(())
    }

    /// Compares what a host holds with what it held.
    pub fn look(&mut self, host: HostId, store: &Store, hosts: &[Host], plan: &Plan) -> Verdict {
        for key in &self.keys {
            let (before, after) = (self.held[host].get(key).copied(), held(store, key));
            if before == after {
                continue;
            }
            let (database, name) = (key.0, name(key));
            let forgotten = self.forgotten.get(key).copied();
            match (before, after) {
                (_, Some((new, _))) if store.covers(database, new) => {
                    let floor = store.floors().of(database);
                    return Err(format!("4: {host} has {name} {new:?}, which was flushed: {floor:?}"));
                }
                (Some((old, _)), None) if store.covers(database, old) => (),
                (Some((old, _)), Some((new, _))) if new < old => {
                    return Err(format!("2: {host} went back from {old:?} to {new:?} for {name}"));
                }
                (Some((old, true)), Some((new, false))) if new == old && self.may_have_expired(old, hosts) => {
                    self.expired += 1;
                }
                (Some((old, true)), Some((new, false))) if new == old => {
                    self.dropped += 1;
                    if !plan.forgets() {
                        return Err(format!("2: {host} dropped {name} {old:?}, which nobody deleted"));
                    }
                }
                (Some((old, false)), Some((new, true))) if new == old => {
                    return Err(format!("4: {host} brought {name} {old:?} back"));
                }
                (Some((old, true)), None) => return Err(format!("2: {host} lost {name} {old:?}")),
                (Some((old, false)), None) => {
                    self.collected += 1;
                    for other in hosts.iter().filter(|other| !other.is_dead && !plan.forgets()) {
                        let on_disk = other.disk.file.state(key).map(|row| row.stamp);
                        let in_memory = other.node.as_ref().and_then(|node| held(node.store(), key));
                        let older = [on_disk, in_memory.map(|(stamp, _)| stamp)].into_iter().flatten();
                        if let Some(older) = older.min().filter(|&older| older < old) {
                            let other = other.id;
                            return Err(format!(
                                "4: {host} forgot the deletion {name} {old:?}, and {other} has {older:?}"
                            ));
                        }
                    }
                    let newest = self.forgotten.entry(key.clone()).or_insert(old);
                    *newest = (*newest).max(old);
                }
                (None, Some((new, true))) if forgotten.is_some_and(|old| new < old) && !plan.forgets() => {
                    return Err(format!("4: {name} {new:?} is back on {host}, deleted by {forgotten:?}"));
                }
                (Some(_) | None, Some(_)) | (None, None) => (),
            }
            if let (Some((stamp, true)), Some(change)) = (after, store.state_in(key.0, &key.1)) {
                let written = self.stamps.get(&stamp).map(|&number| &self.writes[number]);
                let is_rewound = self.is_rewound(stamp.node.into());
                if written.is_none_or(|write| write.key != *key || write.value.as_deref() != change.value)
                    && !is_rewound
                {
                    return Err(format!("2: {host} has {name} {stamp:?} as nobody wrote it: {:?}", change.value));
                }
            }
            match after {
                Some(after) => self.held[host].insert(key.clone(), after),
                None => self.held[host].remove(key),
            };
        }
        Ok(())
    }

    /// Whether the host shows one request's changes in part; in a mesh where nothing goes wrong, that never is.
    pub fn look_at_groups(&self, host: HostId, store: &Store) -> Verdict {
        for group in self.together.iter().rev().take(GROUPS) {
            let is_there = |(key, stamp): &&(Key, Stamp)| held(store, key).is_some_and(|(held, _)| held == *stamp);
            let there = group.iter().filter(is_there).count();
            if there > 0 && there < group.len() && group.iter().any(|(key, stamp)| is_lower(store, key, *stamp)) {
                return Err(format!("4: {host} shows {there} of what was written together: {group:?}"));
            }
        }
        Ok(())
    }

    /// The newest state of each key that is anywhere, in memory or on a disk that comes back: its stamp, and whether it
    /// is alive.
    pub fn surviving(&self, hosts: &[Host]) -> BTreeMap<Key, (Stamp, bool)> {
        let mut newest = BTreeMap::new();
        for host in hosts.iter().filter(|host| !host.is_dead) {
            for key in &self.keys {
                let state = match &host.node {
                    Some(node) => held(node.store(), key),
                    None => host.disk.file.state(key).map(|row| (row.stamp, row.value.is_some())),
                };
                if let Some(state) = state {
                    let newest = newest.entry(key.clone()).or_insert(state);
                    *newest = (*newest).max(state);
                }
            }
        }
        newest
    }

    /// Whether somebody has deleted the key later: that may have been on its way when all was healed. A node that has
    /// lost its disk may have given the deletion a later stamp than it was issued with.
    fn is_deleted_after(&self, key: &Key, stamp: Stamp) -> bool {
        let later = |write: &Write| write.stamp > stamp || self.is_rewound(write.host);
        self.writes.iter().any(|write| write.key == *key && write.value.is_none() && later(write))
    }

    /// What the end has to be.
    pub fn check_end(&self, hosts: &[Host], surviving: &BTreeMap<Key, (Stamp, bool)>, plan: &Plan) -> Verdict {
        let alive: Vec<&Host> = hosts.iter().filter(|host| !host.is_dead).collect();
        let Some(first) = alive.first().and_then(|host| host.node.as_ref()) else { return Ok(()) };
        for key in &self.keys {
            let (database, name) = (key.0, name(key));
            let end = held(first.store(), key).filter(|&(_, alive)| alive).map(|(stamp, _)| stamp);
            let newest = surviving.get(key).copied().filter(|(stamp, _)| !self.is_doubtful(*stamp, hosts));
            let forgotten = self.forgotten.get(key).copied();
            let deleted =
                |stamp: Stamp| self.stamps.get(&stamp).is_some_and(|&write| self.writes[write].value.is_none());
            // Where two disks or more were lost or put back, a write may be on one of them that no vector speaks of,
            // and outlive its deletion once all others have it and have forgotten it.
            let outlived = |newest: Stamp| self.rewound.len() >= 2 && forgotten.is_some_and(|stamp| stamp >= newest);
            // Nor can a write of such a node be told from one of a future that was taken back, by who has seen that
            // future.
            let taken_back = |newest: Stamp| self.rewound.len() >= 2 && self.is_rewound(newest.node.into());
            // A deletion (or what has expired) that was not kept for a node that was away does not beat an older write
            // of that node, though it does beat what it deleted, on a disk that was put back.
            let given_up = plan.tombstones_max < 1_000;
            match (end, newest) {
                (Some(end), _) if self.latest.covers(database, end) => {
                    let floor = self.latest.of(database);
                    return Err(format!("4: {name} ends as {end:?}, below the flush {floor:?}"));
                }
                (Some(end), Some((newest, alive)))
                    if end < newest
                        && !(given_up
                            && (!alive || self.expires_after(key, newest) || self.is_deleted_after(key, newest)))
                        && (alive || !outlived(newest)) =>
                {
                    return Err(format!("2: {name} ends as {end:?}, but {newest:?} survived"));
                }
                (None, Some((newest, true)))
                    if !deleted(newest)
                        && !self.expires_after(key, newest)
                        && !self.is_flushed_after(database, newest)
                        && forgotten.is_none_or(|forgotten| forgotten < newest)
                        && !self.is_deleted_after(key, newest)
                        && !taken_back(newest) =>
                {
                    return Err(format!("2: {name} {newest:?} survived and is gone in the end"));
                }
                (Some(end), _) if deleted(end) && !self.is_written_again(key, first.store()) => {
                    return Err(format!("4: {name} ends as the deletion {end:?}, alive"));
                }
                (Some(end), _)
                    // What the end has may be of a time that its author's disk left and came back to; and a deletion of
                    // a node that died before it met who knows its lost future may pass for one of that future.
                    if forgotten.is_some_and(|forgotten| end < forgotten && !self.is_doubtful(forgotten, hosts))
                        && !self.returned.contains(&end)
                    // A node that is appended with a clock that is behind may write what is older than a deletion that
                    // it was never to hear of.
                        && !(plan.appended && plan.clock_step_us > 0)
                        && self.rewound.len() < 2
                        && plan.tombstones_max > 1_000 =>
                {
                    return Err(format!("4: {name} {end:?} is back in the end, deleted by {forgotten:?}"));
                }
                (Some(_) | None, Some(_) | None) => (),
            }
        }
        Ok(())
    }
}

/// Whether there is a write of the host in memory or on disk.
fn has_heard_of(other: &Host, host: HostId) -> bool {
    let is_its = |stamp: Stamp| HostId::from(stamp.node) == host;
    other.disk.file.rows.values().any(|row| is_its(row.stamp))
        || other.node.as_ref().is_some_and(|node| node.store().changes_after(0).any(|change| is_its(change.stamp)))
}

/// Whether the store has an earlier state of the key.
fn is_lower(store: &Store, key: &Key, stamp: Stamp) -> bool {
    held(store, key).is_some_and(|(held, _)| held < stamp)
}

fn held(store: &Store, key: &Key) -> Option<(Stamp, bool)> {
    store.state_in(key.0, &key.1).map(|change| (change.stamp, change.value.is_some()))
}

/// Whether the hosts hold the same keys, stamps and values.
pub fn are_identical(hosts: &[Host], keys: &BTreeSet<Key>) -> bool {
    let stores: Vec<&Store> =
        hosts.iter().filter(|host| !host.is_dead).filter_map(|host| Some(host.node.as_ref()?.store())).collect();
    let live =
        |store: &Store, key: &Key| store.state_in(key.0, &key.1).and_then(|one| Some((one.stamp, one.value?.to_vec())));
    stores.windows(2).all(|pair| keys.iter().all(|key| live(pair[0], key) == live(pair[1], key)))
}

/// A key, for messages.
pub fn name((database, key): &Key) -> String {
    format!("{}/{}", database.number(), String::from_utf8_lossy(key))
}

/// The number of a node, for messages.
pub fn node_id(host: HostId) -> NodeId {
    host as NodeId
}
