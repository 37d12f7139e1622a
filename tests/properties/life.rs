//! A store, its model, and the file its snapshots go to, from one life to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use kvstoreapp::replica::{Checkpoint, Snapshotter};
use kvstoreapp::replication::PersistedState;
use kvstoreapp::store::{Batch, Change, Clock, Copied, Database, OutOfMemory, Restore, Stamp, Store};

use crate::store_model::Step;

/// What a key costs beside its entry, as the limit on memory counts it.
const OVERHEAD_BYTES: usize = 26;
/// What the index costs one that expires.
const INDEX_BYTES: usize = 32;
const SEED: [u64; 2] = [1, 2];
const INTERVAL_MS: u64 = 2_000;

/// A key's last change.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    value: Option<Vec<u8>>,
    expiry: Option<u64>,
    stamp: Stamp,
    position: u64,
}

/// A key and the database that it is of.
pub type Key = (Database, Vec<u8>);

pub type Model = BTreeMap<Key, State>;

/// What the data file holds.
#[derive(Clone)]
pub struct File {
    rows: BTreeMap<u32, (Key, State)>,
    recorded: Checkpoint,
}

/// A snapshot that is not committed yet.
pub struct Transaction {
    file: File,
    cursor: u64,
    target: Option<u64>,
}

pub struct Life {
    store: Store,
    clock: Clock,
    unix_ms: u64,
    bytes_max: usize,
    /// What the store was told the time is.
    passed_ms: u64,
    /// Flushed and not swept.
    flushed: Model,
    /// What the store should say. Deletions stay in it until the store has forgotten them.
    model: Model,
    /// Changes since the last commit, in their order.
    log: Vec<(Key, State)>,
    /// The model at the position of the last commit; nothing is ever forgotten here.
    committed: Model,
    file: File,
    transaction: Option<Transaction>,
    collected: u64,
    /// Slots whose entry is gone and that nobody has been told about.
    retired: BTreeSet<u32>,
    /// The highest of any life.
    stamp_max: Stamp,
    position_max: u64,
    writes: usize,
}

impl Life {
    pub fn begin(bytes_max: usize) -> Life {
        let recorded = Checkpoint::default();
        let mut life = Life {
            store: Store::new(SEED, bytes_max, 1),
            clock: Clock::new(3, 0, 0, 0),
            unix_ms: 1_000_000,
            bytes_max,
            passed_ms: 0,
            flushed: Model::new(),
            model: Model::new(),
            log: Vec::new(),
            committed: Model::new(),
            file: File { rows: BTreeMap::new(), recorded },
            transaction: None,
            collected: 0,
            retired: BTreeSet::new(),
            stamp_max: Stamp { clock: 0, node: 0 },
            position_max: 0,
            writes: 0,
        };
        life.record_ceilings();
        life
    }

    pub fn go(&mut self, step: Step) {
        match step {
            Step::Set { key, bytes } => self.set(key, bytes, None),
            Step::SetExpiring { key, bytes, expiry_ms } => self.set(key, bytes, Some(expiry_ms)),
            Step::PassTo { unix_ms } => {
                self.passed_ms = self.passed_ms.max(unix_ms);
                self.store.pass_to(unix_ms);
            }
            // What is flushed and not swept would count as looked at.
            Step::Expire { .. } if self.store.is_sweeping() => (),
            Step::Expire { max } => self.expire(max),
            Step::Flush => self.flush(),
            Step::Sweep => self.sweep(),
            Step::Delete { key } => self.delete(key),
            Step::SetMany { first, count, bytes } => (first..first + count).for_each(|key| self.set(key, bytes, None)),
            Step::DeleteMany { first, count } => (first..first + count).for_each(|key| self.delete(key)),
            Step::ClockTo { unix_ms } => self.unix_ms = unix_ms,
            Step::Collect { looks } => self.collect(looks),
            Step::Save { rows, bytes, retired } => self.save(rows, bytes, retired),
            Step::FixTarget => self.fix_target(),
            Step::SaveFails => self.end_transaction(),
            Step::Crash { unix_ms, rows_turned } => self.crash(unix_ms, rows_turned),
        }
    }

    fn set(&mut self, key: usize, bytes: usize, expiry: Option<u64>) {
        let (key, stamp) = (key_of(key), self.issue());
        self.writes += 1;
        let value: Vec<u8> = (0..bytes).map(|at| (self.writes + at) as u8).collect();
        self.store.select(key.0);
        let cost_before = self.model.get(&key).or(self.flushed.get(&key)).map_or(0, |state| cost(&key, state));
        let expiry_in = expiry.map(|expiry| expiry.max(1));
        let state = State { value: Some(value), expiry: expiry_in, stamp, position: self.position_max + 1 };
        let (before, growth) = (self.bytes(), cost(&key, &state));
        let fits = growth <= cost_before || self.bytes_max == 0 || before + growth - cost_before <= self.bytes_max;
        let value = state.value.as_deref().unwrap_or_default();
        let result = match expiry {
            Some(expiry) => self.store.set_expiring(&key.1, value, expiry, stamp),
            None => self.store.set(&key.1, value, stamp),
        };
        if fits {
            assert_eq!(result, Ok(self.store.last_position()));
            self.changed(key, state);
        } else {
            assert_eq!(result, Err(OutOfMemory), "{before} bytes and {growth} for {cost_before}");
        }
    }

    fn delete(&mut self, key: usize) {
        let (key, stamp) = (key_of(key), self.issue());
        let had_value = self.model.get(&key).is_some_and(|state| self.shown(state).is_some());
        self.store.select(key.0);
        let position = self.store.delete(&key.1, stamp);
        assert_eq!(position, had_value.then_some(self.store.last_position()));
        if had_value {
            self.changed(key, State { value: None, expiry: None, stamp, position: 0 });
        }
    }

    /// The value, unless it has expired.
    fn shown<'a>(&self, state: &'a State) -> Option<&'a [u8]> {
        let has_expired = state.expiry.is_some_and(|expiry| expiry <= self.passed_ms);
        state.value.as_deref().filter(|_| !has_expired)
    }

    fn expire(&mut self, max: usize) {
        let slots = self.slots();
        let due = self.model.iter().filter(|(_, state)| state.expiry.is_some_and(|expiry| expiry <= self.passed_ms));
        let mut due: Vec<_> = due.map(|(key, state)| (state.expiry, slots[key], key.clone(), state.stamp)).collect();
        due.sort_unstable();
        due.truncate(max);
        let mut expired = Vec::new();
        let before = self.store.last_position();
        assert_eq!(self.store.expire(max, |database, key| expired.push((database, key.to_vec()))), due.len());
        assert_eq!(expired, due.iter().map(|(_, _, key, _)| key.clone()).collect::<Vec<_>>());
        for (at, (_, _, key, stamp)) in due.into_iter().enumerate() {
            let state = State { value: None, expiry: None, stamp, position: before + at as u64 + 1 };
            self.position_max = state.position;
            self.log.push((key.clone(), state.clone()));
            self.model.insert(key, state);
        }
    }

    fn issue(&mut self) -> Stamp {
        let stamp = self.clock.issue(self.unix_ms);
        assert!(stamp > self.stamp_max, "{stamp:?} is not above {:?}", self.stamp_max);
        assert!(stamp.clock <= self.file.recorded.clock_ceiling, "{stamp:?} is above what the file records");
        self.stamp_max = stamp;
        stamp
    }

    fn changed(&mut self, key: Key, mut state: State) {
        state.position = self.store.last_position();
        assert!(state.position > self.position_max, "{} is not above {}", state.position, self.position_max);
        assert!(state.position < self.file.recorded.position_ceiling, "a position above what the file records");
        self.position_max = state.position;
        self.log.push((key.clone(), state.clone()));
        self.flushed.remove(&key);
        self.model.insert(key, state);
    }

    fn flush(&mut self) {
        let stamp = self.issue();
        let (database, _) = key_of(self.writes);
        self.store.select(database);
        assert_eq!(self.store.flush(stamp), self.store.last_position());
        assert_eq!((self.store.keys_in(database), self.store.expiry(b"")), (0, None));
        let (gone, kept) = std::mem::take(&mut self.model).into_iter().partition(|(key, _)| key.0 == database);
        self.model = kept;
        let gone: Model = gone;
        self.flushed.extend(gone.into_iter().filter(|(key, _)| !is_floor(key)));
        self.changed((database, Vec::new()), State { value: None, expiry: None, stamp, position: 0 });
    }

    fn sweep(&mut self) {
        self.store.sweep(usize::MAX);
        if self.transaction.as_ref().is_none_or(|transaction| transaction.target.is_none()) {
            assert!(!self.store.is_sweeping());
            self.flushed.clear();
        }
    }

    fn collect(&mut self, looks: usize) {
        let durable = self.file.recorded.position;
        let slots = self.slots();
        let reached = self.store.collect_tombstones(self.collected, durable, looks, |_| true);
        assert!(reached <= durable, "it looks no further than it may");
        let wanted = self.collected + 1..=reached;
        let gone: Vec<_> = self
            .model
            .iter()
            .filter(|(key, state)| !is_floor(key) && state.value.is_none() && wanted.contains(&state.position))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.model.remove(&key);
            self.retired.insert(slots[&key]);
        }
        self.collected = reached;
    }

    /// As a node does: retired slots first, then what was displaced, then the next changes.
    fn save(&mut self, rows_max: usize, bytes_max: usize, retired_max: usize) {
        let Life { store, file, transaction, retired, .. } = self;
        let transaction = transaction.get_or_insert_with(|| Transaction {
            file: file.clone(),
            cursor: file.recorded.position,
            target: None,
        });
        let mut told = Vec::new();
        store.take_retired(retired_max, &mut told);
        for slot in told {
            assert!(retired.remove(&slot), "slot {slot} was not retired");
            transaction.file.rows.remove(&slot);
        }
        let (mut batch, displaced) = (Batch::default(), store.displaced());
        let up_to = transaction.target.unwrap_or(store.last_position());
        if displaced.0 > 0 {
            store.swap_displaced(&mut batch);
            assert_eq!((batch.len(), batch.bytes()), displaced);
        } else {
            match store.copy_changes(transaction.cursor, up_to, rows_max, bytes_max, &mut batch) {
                Copied::All => transaction.cursor = up_to,
                Copied::UpTo(position) => transaction.cursor = position,
            }
            store.advance_fence(transaction.cursor);
        }
        for change in batch.changes() {
            let (key, state) = (key_and_database(&change), state_of(change));
            transaction.file.rows.insert(change.slot, (key, state));
        }
        if displaced.0 == 0 && transaction.cursor == up_to {
            self.commit(up_to);
        }
    }

    fn commit(&mut self, position: u64) {
        let transaction = self.transaction.take().expect("one is open");
        self.store.drop_fence();
        self.file.rows = transaction.file.rows;
        let next = self.store.last_position() + 1;
        self.file.recorded =
            Snapshotter::checkpoint(position, next, &self.clock, INTERVAL_MS, self.unix_ms, PersistedState::default());
        self.clock.reserved(self.file.recorded.clock_ceiling);
        let later = self.log.iter().position(|(_, state)| state.position > position).unwrap_or(self.log.len());
        for (key, state) in self.log.drain(..later) {
            if is_floor(&key) {
                self.committed.retain(|(database, _), _| *database != key.0);
                self.file.rows.retain(|_, ((database, _), row)| *database != key.0 || row.stamp >= state.stamp);
            }
            self.committed.insert(key, state);
        }
        self.check_file();
    }

    /// What is in the file is the model at its position.
    fn check_file(&self) {
        let mut newest = Model::new();
        for (key, state) in self.file.rows.values() {
            if newest.get(key).is_none_or(|other| other.stamp < state.stamp) {
                newest.insert(key.clone(), state.clone());
            }
        }
        self.check_recovered(&newest);
        let remembered = self.model.iter().filter(|(key, state)| self.committed.get(*key) == Some(state));
        for (key, state) in remembered {
            assert_eq!(newest.get(key), Some(state), "what is remembered is in the file: {}", key.1.escape_ascii());
        }
    }

    /// All values are those of the last commit. A deletion may be forgotten, and where a snapshot failed that was to
    /// take its row out, an older deletion of the same key may be found again, but never a value.
    fn check_recovered(&self, recovered: &Model) {
        let values = |model: &Model| -> Model {
            let with_value = model.iter().filter(|(_, state)| state.value.is_some());
            with_value.map(|(key, state)| (key.clone(), state.clone())).collect()
        };
        assert_eq!(values(recovered), values(&self.committed), "it is not one moment of the history");
        for (key, state) in recovered {
            let last = &self.committed[key];
            let is_older_deletion = last.value.is_none() && state.value.is_none() && state.stamp < last.stamp;
            assert!(state == last || is_older_deletion, "{} is {state:?} and was {last:?}", key.1.escape_ascii());
        }
    }

    fn fix_target(&mut self) {
        let end = self.store.last_position();
        if let Some(Transaction { cursor, target: target @ None, .. }) = &mut self.transaction {
            *target = Some(end);
            self.store.raise_fence(*cursor, end);
        }
    }

    fn end_transaction(&mut self) {
        self.transaction = None;
        self.store.drop_fence();
    }

    fn crash(&mut self, unix_ms: u64, rows_turned: bool) {
        self.end_transaction();
        self.unix_ms = unix_ms;
        let mut restore = Restore::new(SEED, self.bytes_max);
        let mut rows: Vec<_> = self.file.rows.iter().collect();
        if rows_turned {
            rows.reverse();
        }
        for &(&slot, (key, state)) in &rows {
            let State { value, expiry, stamp, position } = state;
            let (position, stamp, expiry) = (*position, *stamp, expiry.and_then(NonZeroU64::new));
            let (database, key) = (key.0, &key.1);
            restore.add(Change { slot, position, stamp, database, key, value: value.as_deref(), shared: None, expiry });
        }
        assert_eq!(restore.rows(), rows.len());
        let Checkpoint { position_ceiling, clock_ceiling, .. } = self.file.recorded.clone();
        self.store = restore.finish(position_ceiling.max(unix_ms * 1_000_000).max(1)).expect("positions are unique");
        self.clock = Clock::new(3, clock_ceiling, 0, 0);
        self.passed_ms = 0;
        self.flushed.clear();
        let recovered = changes_after(&self.store, 0);
        let kept: BTreeSet<u32> = recovered.iter().map(|(slot, ..)| *slot).collect();
        self.retired = self.file.rows.keys().copied().filter(|slot| !kept.contains(slot)).collect();
        self.model = recovered.into_iter().map(|(_, key, state)| (key, state)).collect();
        self.check_recovered(&self.model);
        self.log.clear();
        self.collected = 0;
        assert!(self.store.last_position() >= self.position_max, "positions of this life are above all earlier ones");
        self.record_ceilings();
    }

    /// A start records what it will use before it uses any of it.
    fn record_ceilings(&mut self) {
        let position = self.store.last_position();
        let recorded = Snapshotter::checkpoint(
            position,
            position + 1,
            &self.clock,
            INTERVAL_MS,
            self.unix_ms,
            PersistedState::default(),
        );
        self.clock.reserved(recorded.clock_ceiling);
        self.file.recorded = recorded;
    }

    pub fn check(&mut self, number: usize) {
        self.check_keys(number);
        let Life { store, model, .. } = &*self;
        let keys = model.values().filter(|state| state.value.is_some()).count();
        let floors = model.keys().filter(|key| is_floor(key)).count();
        for database in Database::all() {
            let of_it = || model.iter().filter(|((of, _), _)| *of == database).map(|(_, state)| state);
            assert_eq!(store.keys_in(database), of_it().filter(|state| state.value.is_some()).count());
            if !store.is_sweeping() {
                assert_eq!(store.expiring_in(database), of_it().filter(|state| state.expiry.is_some()).count());
            }
        }
        let is_other = |key: &Key| !key.0.is_zero() && !is_floor(key);
        assert_eq!(store.holds_other_databases(), model.keys().chain(self.flushed.keys()).any(is_other));
        let flushed = self.flushed.values().filter(|state| state.value.is_none()).count();
        assert_eq!((store.keys(), store.tombstones()), (keys, model.len() - keys - floors + flushed));
        if !store.is_sweeping() {
            let expiries = || model.values().filter_map(|state| state.expiry);
            let first = expiries().min().unwrap_or(u64::MAX);
            assert_eq!((store.expiring(), store.next_expiry()), (expiries().count(), first));
        }
        assert!(store.last_position() >= self.position_max);
        if !store.is_sweeping() {
            assert_eq!(store.bytes(), self.bytes());
        }
        assert_eq!(store.has_retired(), !self.retired.is_empty());
        self.check_changes(number);
    }

    fn check_keys(&mut self, number: usize) {
        // Those that single steps touch, and from time to time all.
        let looked_at = if number.is_multiple_of(8) { 1_500 } else { 60 };
        for key in (0..looked_at).map(key_of) {
            self.store.select(key.0);
            let Life { store, model, .. } = &*self;
            let expected = model.get(&key).and_then(|state| self.shown(state));
            assert!(store.get(&key.1) == expected, "{} has another value", key.1.escape_ascii());
            let expiry = model.get(&key).and_then(|state| state.expiry).filter(|_| expected.is_some());
            assert_eq!(store.expiry(&key.1), expiry);
            assert_eq!(store.state_in(key.0, &key.1), store.state(&key.1));
        }
        assert_eq!(self.store.get(b"another key"), None);
    }

    fn check_changes(&self, number: usize) {
        let mut expected: Vec<_> = self.model.iter().collect();
        expected.sort_by_key(|(_, state)| state.position);
        let shown = changes_after(&self.store, 0);
        assert!(
            shown.iter().map(|(_, key, state)| (key, state)).eq(expected.iter().copied()),
            "the change list is not all keys by their last change"
        );
        let slots: BTreeSet<u32> = shown.iter().map(|(slot, ..)| *slot).collect();
        assert_eq!(slots.len(), shown.len(), "two keys in one slot");
        assert!(slots.is_disjoint(&self.retired), "a slot was used again before anybody heard that it was free");

        // A slice from anywhere, of any size.
        let (rows_max, bytes_max) = (number * 5 % 23 + 1, number * 131 % 4_001 + 1);
        let place = |times: usize| number * times % (expected.len() + 1);
        let position =
            |place: usize| expected.get(place).map_or(self.store.last_position(), |(_, state)| state.position);
        // What ends before a flush is the state of before.
        let flushes = self.model.iter().filter(|(key, _)| is_floor(key)).map(|(_, state)| state.position);
        let up_to = position(place(11)).max(flushes.max().unwrap_or(0));
        let after = position(place(7)).saturating_sub(number as u64 % 2);
        let mut wanted = Vec::new();
        let (mut bytes, mut copied_expected) = (0, Copied::All);
        for (key, state) in expected.iter().filter(|(_, state)| after < state.position && state.position <= up_to) {
            wanted.push((*key, *state));
            bytes += key.1.len() + state.value.as_ref().map_or(0, Vec::len);
            if wanted.len() >= rows_max || bytes >= bytes_max {
                copied_expected = Copied::UpTo(state.position);
                break;
            }
        }
        let mut batch = Batch::default();
        let copied = self.store.copy_changes(after, up_to, rows_max, bytes_max, &mut batch);
        assert_eq!((copied, batch.len(), batch.bytes()), (copied_expected, wanted.len(), bytes), "{after} to {up_to}");
        assert!(
            batch
                .changes()
                .map(|change| (key_and_database(&change), state_of(change)))
                .eq(wanted.into_iter().map(|(key, state)| (key.clone(), state.clone())))
        );
    }

    fn slots(&self) -> BTreeMap<Key, u32> {
        changes_after(&self.store, 0).into_iter().map(|(slot, key, _)| (key, slot)).collect()
    }

    /// Memory as the limit should count it.
    fn bytes(&self) -> usize {
        self.model.iter().chain(&self.flushed).map(|(key, state)| cost(key, state)).sum()
    }
}

/// A header of 16 bytes, key, value and expiry, in steps of 8; and what is beside it.
fn cost((_, key): &Key, state: &State) -> usize {
    let (expiry_bytes, index_bytes) = if state.expiry.is_some() { (8, INDEX_BYTES) } else { (0, 0) };
    let entry = (16 + key.len() + state.value.as_ref().map_or(0, Vec::len) + expiry_bytes).div_ceil(8) * 8;
    entry + index_bytes + OVERHEAD_BYTES
}

/// Of different lengths, so that entries of all sizes come about; each name is there in three databases.
fn key_of(number: usize) -> Key {
    let (name, database) = (number / 3, [0, 5, 15][number % 3]);
    let database = Database::new(database).expect("there are 16");
    (database, format!("key {name} {}", "k".repeat(name % 17)).into_bytes())
}

fn is_floor((_, key): &Key) -> bool {
    key.is_empty()
}

fn key_and_database(change: &Change<'_>) -> Key {
    (change.database, change.key.to_vec())
}

fn state_of(change: Change<'_>) -> State {
    let expiry = change.expiry.map(u64::from);
    State { value: change.value.map(<[u8]>::to_vec), expiry, stamp: change.stamp, position: change.position }
}

fn changes_after(store: &Store, position: u64) -> Vec<(u32, Key, State)> {
    let mut batch = Batch::default();
    assert_eq!(store.copy_changes(position, u64::MAX, usize::MAX, usize::MAX, &mut batch), Copied::All);
    batch.changes().map(|change| (change.slot, key_and_database(&change), state_of(change))).collect()
}
