//! The node without a process: its pieces of work for the data file are taken and given back by hand, as slowly and
//! with as many failures as a test wants, and every commit is compared with the state at its position.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kvstoreapp::node::saving::{Checkpoint, Durability, IN_FLIGHT_MAX, Outcome, Save, Saved, Saver};
use kvstoreapp::node::session::Waits;
use kvstoreapp::node::{Node, Now, Options};
use kvstoreapp::store::{Change, Clock, Restore, Stamp, Store};

use crate::cluster::{LIMITS, cluster};
use crate::history::Random;

#[test]
fn every_commit_is_the_state_at_its_position_while_writes_outrun_the_writer() {
    let mut play = Play::new(Setting::default());
    let mut random = Random::new(3);
    while play.disk.commits < 12 {
        play.write_some(&mut random, 8_000, 60_000);
        play.writer_takes_one();
    }
    assert!(play.targets_seen > 0, "the load was too small to outrun the writer");
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn every_commit_is_the_state_at_its_position_while_the_writer_keeps_up() {
    let mut play = Play::new(Setting::default());
    let mut random = Random::new(4);
    while play.disk.commits < 100 {
        play.write_some(&mut random, 40, 300);
        play.writer_takes_one();
    }
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn a_failure_at_any_step_costs_no_write() {
    let mut targets_seen = 0;
    for step in 0..40 {
        let mut play = Play::new(Setting::default());
        play.disk.failing = (step..=step + step % 3).collect();
        let mut random = Random::new(step);
        while play.disk.commits < 3 || !play.disk.failing.is_empty() {
            play.write_some(&mut random, 3_500, 12_000);
            play.writer_takes_one();
        }
        play.settle();
        play.disk.assert_restores_to(&play.model);
        targets_seen += play.targets_seen;
    }
    assert!(targets_seen > 0, "no snapshot with a target was among them");
}

#[test]
fn rows_of_collected_deletions_leave_the_file() {
    let play = delete_and_settle(&[]);
    assert_eq!(play.node.store().tombstones(), 0);
    assert_eq!(play.disk.rows.len(), play.node.store().keys());
}

#[test]
fn rows_of_collected_deletions_leave_the_file_also_where_the_snapshot_that_took_them_out_failed() {
    for step in 0..20 {
        let play = delete_and_settle(&[step]);
        assert_eq!(play.node.store().tombstones(), 0);
        assert_eq!(play.disk.rows.len(), play.node.store().keys(), "rows in the file, after a failure at step {step}");
    }
}

#[test]
fn deletions_stay_in_the_file_while_other_nodes_may_have_to_hear_of_them() {
    let mut play = Play::new(Setting { nodes: 3, ..Setting::default() });
    for request in ["SET a 1", "SET b 2", "DELETE a"] {
        play.request(request);
    }
    play.settle();
    assert_eq!(play.node.store().tombstones(), 1);
    assert_eq!(play.disk.rows.len(), 2);
}

#[test]
fn a_quarter_of_a_million_deletions_leave_the_file_within_a_few_snapshots() {
    const KEYS: u64 = 250_000;
    let mut play = Play::new(Setting::default());
    for verb in ["SET", "DELETE"] {
        let value = if verb == "SET" { " 1" } else { "" };
        for key in 0..KEYS {
            play.request(&format!("{verb} k{key}{value}"));
        }
        play.settle();
    }
    let commits = play.disk.commits;
    while play.node.store().tombstones() > 0 {
        play.writer_takes_one();
        assert!(play.disk.commits < commits + 20, "{} are left", play.node.store().tombstones());
    }
}

#[test]
fn an_end_waits_for_a_disk_that_fails_once() {
    let mut play = Play::new(Setting::default());
    play.request("SET a 1");
    play.disk.failing.push_back(play.disk.steps);
    play.node.end();
    for _ in 0..1_000 {
        play.writer_takes_one();
    }
    assert_eq!(play.node.ended(), Some(Ok(())));
    assert_eq!(play.disk.rows.len(), 1);
}

#[test]
fn a_slot_used_again_holds_its_new_key_in_every_commit() {
    let mut play = Play::new(Setting::default());
    for round in 0..50 {
        for key in 0..40 {
            play.request(&format!("SET {round}-{key} {round}"));
            play.writer_takes_one();
        }
        for key in 0..40 {
            play.request(&format!("DELETE {round}-{key}"));
            play.writer_takes_one();
        }
    }
    play.settle();
    assert!(play.disk.slots < 200, "2,000 keys in all, 40 at a time, took {} slots", play.disk.slots);
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn what_is_displaced_is_bounded_and_writers_that_wait_for_it_go_on() {
    const KEYS: u64 = 50_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    let mut waited = 0;
    for key in (0..KEYS).rev() {
        play.send(&format!("SET k{key} 1"));
        let (rows, bytes) = play.node.store().displaced();
        assert!(rows <= 1 << 14 && bytes <= (1 << 20) + 100, "{rows} rows of {bytes} bytes are displaced");
        waited += usize::from(play.node.waits(0) == Waits::ForSnapshot);
        play.finish_request();
    }
    assert!(waited > 0, "the writer was fast enough to take all");
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn writers_that_wait_go_on_where_the_snapshot_fails() {
    const KEYS: u64 = 50_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    for key in (0..KEYS).rev() {
        play.send(&format!("SET k{key} 1"));
        if play.node.waits(0) == Waits::ForSnapshot {
            break;
        }
        play.finish_request();
    }
    play.disk.failing.push_back(play.disk.steps);
    play.writer_takes_one();
    assert_eq!(play.node.waits(0), Waits::ForInput);
    assert_eq!(play.node.store().displaced(), (0, 0));
    play.finish_request();
    play.settle();
    play.disk.assert_restores_to(&play.model);
}

#[test]
fn a_snapshot_costs_the_writer_no_more_slices_where_one_write_comes_between_any_two() {
    const KEYS: u64 = 20_000;
    let mut play = Play::new(Setting::default());
    (0..KEYS).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.begin_writing_to_a_target();
    let (commits, steps) = (play.disk.commits, play.disk.steps);
    for key in (0..KEYS).rev() {
        if play.disk.commits > commits {
            break;
        }
        play.request(&format!("SET k{key} 1"));
        play.writer_takes_one();
    }
    let slices = play.disk.steps - steps;
    assert!(slices < 40, "{slices} slices for {KEYS} keys");
}

#[test]
fn stamps_and_positions_of_a_life_are_above_those_of_all_earlier_ones_also_when_the_wall_clock_stepped_back() {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let mut used = (Stamp { clock: 0, node: 0 }, 0);
    let mut disk = Disk::default();
    for unix_ms in [20_000 * DAY_MS, 19_000 * DAY_MS, 1_000, 20_001 * DAY_MS, 0] {
        let mut play = Play::with_disk(Setting::default(), disk, unix_ms);
        let mut random = Random::new(unix_ms);
        // A disk that fails for an hour renews no ceiling, and the end of this life comes before any later commit.
        for (failing, pause_us) in [(false, 1_000), (true, 3_600_000_000)] {
            play.disk.failing =
                if failing { (play.disk.steps..play.disk.steps + 100_000).collect() } else { [].into() };
            play.now.monotonic_us += pause_us;
            play.now.unix_ms += pause_us / 1_000;
            for _ in 0..30 {
                play.write_some(&mut random, 100, 300);
                play.writer_takes_one();
            }
        }
        let handed_out = std::mem::take(&mut play.disk.handed_out);
        let oldest = handed_out.iter().filter(|&&(_, position)| position > play.born).min().copied();
        assert!(
            oldest.is_some_and(|(stamp, position)| stamp > used.0 && position > used.1),
            "{oldest:?} after {used:?}"
        );
        used = handed_out.into_iter().max().expect("there were writes");
        disk = play.disk;
        disk.crash();
    }
}

#[test]
fn a_rolled_back_file_gives_no_position_out_again_while_the_wall_clock_goes_on() {
    const DAY_MS: u64 = 24 * 3_600 * 1_000;
    let mut first = Play::with_disk(Setting::default(), Disk::default(), 20_000 * DAY_MS);
    first.request("SET a 1");
    let last = first.node.store().last_position();
    let second = Play::with_disk(Setting::default(), Disk::default(), 20_001 * DAY_MS);
    assert!(second.node.store().last_position() > last);
}

fn delete_and_settle(failing: &[u64]) -> Play {
    let mut play = Play::new(Setting::default());
    (0..300).for_each(|key| play.request(&format!("SET k{key} 0")));
    play.settle();
    play.disk.failing = failing.iter().map(|step| play.disk.steps + step).collect();
    for key in 0..100 {
        play.request(&format!("DELETE k{key}"));
        if key % 10 == 0 {
            play.writer_takes_one();
        }
    }
    play.settle();
    play
}

#[derive(Clone, Copy)]
struct Setting {
    nodes: usize,
    interval_ms: u64,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting { nodes: 1, interval_ms: 5 }
    }
}

/// A node, one client of it, and the disk.
struct Play {
    node: Node,
    now: Now,
    /// The position before the first of this life.
    born: u64,
    disk: Disk,
    model: Model,
    targets_seen: usize,
}

impl Play {
    fn new(setting: Setting) -> Play {
        Play::with_disk(setting, Disk::default(), 1_700_000_000_000)
    }

    /// A start as the program does it: from the rows and the checkpoint that are on disk.
    fn with_disk(setting: Setting, mut disk: Disk, unix_ms: u64) -> Play {
        let now = Now { monotonic_us: 0, unix_ms };
        let first = disk.checkpoint.position_ceiling.max(unix_ms * 1_000_000).max(1);
        let store = disk.restored(first);
        let clock = Clock::new(0, disk.checkpoint.clock_ceiling, unix_ms, 0);
        let born = store.last_position();
        let recorded = disk.checkpoint.recorded.clone();
        disk.checkpoint = Saver::checkpoint(born, born + 1, &clock, setting.interval_ms, unix_ms, recorded);
        let model = Model { checked: disk.live(), changes: VecDeque::new(), request: String::new(), last: born };
        let options = Options {
            dialect: kvstoreapp::protocol::Dialect::Line,
            durability: Durability::Interval,
            snapshot_interval_ms: setting.interval_ms,
            value_bytes_max: 1_000,
            clients_max: 1,
            memory_bytes_max: 0,
            idle_timeout_s: 0,
            limits: LIMITS,
        };
        let mut node = Node::new(store, clock, disk.checkpoint.clone(), cluster(0, setting.nodes, 1), options, now);
        node.open(0, now).expect("there is room for one");
        Play { node, now, born, disk, model, targets_seen: 0 }
    }

    /// Up to `count` random writes over so many keys, one in six a deletion.
    fn write_some(&mut self, random: &mut Random, count: u64, keys: u64) {
        for _ in 0..random.below(count) {
            let key = random.below(keys);
            let deletes = random.below(6) == 0;
            let request = if deletes { format!("DELETE k{key}") } else { format!("SET k{key} {}", random.next()) };
            self.request(&request);
        }
    }

    /// One request, played to its end.
    fn request(&mut self, request: &str) {
        self.send(request);
        self.finish_request();
    }

    /// One request, which may have to wait.
    fn send(&mut self, request: &str) {
        assert_eq!(self.node.waits(0), Waits::ForInput);
        self.model.request = request.to_owned();
        self.node.receive(0, format!("{request}\n").as_bytes(), self.now);
        self.model.note(&self.node);
    }

    fn finish_request(&mut self) {
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
    fn writer_takes_one(&mut self) {
        self.turn();
        if let Some(saved) = self.disk.take_one(&mut self.model) {
            self.node.saved(saved, self.now);
        }
        self.turn();
    }

    fn turn(&mut self) {
        self.targets_seen += usize::from(self.node.store().displaced().0 > 0);
        self.now.monotonic_us += 1_000;
        self.now.unix_ms += 1;
        while let Some(save) = self.node.next_save(self.now) {
            self.disk.give(save);
        }
        let mut runnable = Vec::new();
        self.node.take_runnable(&mut runnable);
        runnable.into_iter().for_each(|id| self.node.resume(id, self.now));
        self.model.note(&self.node);
    }

    /// Until a change that is about to be overwritten is kept for the snapshot under way. Overwrites `k0` for it.
    fn begin_writing_to_a_target(&mut self) {
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
    fn settle(&mut self) {
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

/// What the state at each position is. Positions up to `checked` are dropped.
struct Model {
    checked: BTreeMap<Vec<u8>, Vec<u8>>,
    changes: VecDeque<(u64, Vec<u8>, Option<Vec<u8>>)>,
    request: String,
    last: u64,
}

impl Model {
    /// Notes the change that the last request was, once it has been executed.
    fn note(&mut self, node: &Node) {
        let position = node.store().last_position();
        if position == self.last {
            return;
        }
        assert_eq!(position, self.last + 1, "one request is one change");
        self.last = position;
        let mut words = self.request.split(' ').skip(1);
        let key = words.next().expect("a key").into();
        self.changes.push_back((position, key, words.next().map(Into::into)));
    }

    fn go_to(&mut self, position: u64) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        while self.changes.front().is_some_and(|&(at, _, _)| at <= position) {
            let (_, key, value) = self.changes.pop_front().expect("it was looked at");
            match value {
                Some(value) => self.checked.insert(key, value),
                None => self.checked.remove(&key),
            };
        }
        &self.checked
    }
}

#[derive(Clone)]
struct Row {
    position: u64,
    stamp: Stamp,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// A data file in memory: what is committed, and what an open transaction will do to it.
#[derive(Default)]
struct Disk {
    rows: HashMap<u32, Row>,
    checkpoint: Checkpoint,
    queue: VecDeque<Save>,
    /// The open transaction's snapshot and steps; the snapshot that failed last.
    open: Option<u64>,
    pending: Vec<(u32, Option<Row>)>,
    failed: u64,
    /// Pieces of work taken so far, and which of them are to fail.
    steps: u64,
    failing: VecDeque<u64>,
    commits: usize,
    /// One above the highest slot there ever was.
    slots: u32,
    /// Stamps and positions of all rows ever handed over, in this life.
    handed_out: Vec<(Stamp, u64)>,
}

impl Disk {
    fn give(&mut self, save: Save) {
        self.handed_out.extend(save.batch.changes().map(|change| (change.stamp, change.position)));
        self.queue.push_back(save);
        assert!(self.queue.len() <= IN_FLIGHT_MAX, "more slices wait for the writer than it was promised");
    }

    fn take_one(&mut self, model: &mut Model) -> Option<Saved> {
        let Save { snapshot, batch, commit } = self.queue.pop_front()?;
        let step = self.steps;
        self.steps += 1;
        let fails = self.failing.front().is_some_and(|&failing| failing <= step);
        self.failing.drain(..usize::from(fails));
        let outcome = if snapshot == self.failed {
            Outcome::Skipped
        } else if fails {
            self.pending.clear();
            (self.open, self.failed) = (None, snapshot);
            Outcome::Failed("the disk is full".to_owned())
        } else {
            assert!(self.open.is_none_or(|open| open == snapshot), "two transactions at once");
            self.open = Some(snapshot);
            self.pending.extend(batch.retired.iter().map(|&slot| (slot, None)));
            self.pending.extend(batch.changes().map(row));
            match commit {
                Some(checkpoint) => self.commit(checkpoint, model),
                None => Outcome::Taken,
            }
        };
        Some(Saved { snapshot, batch, outcome })
    }

    fn commit(&mut self, checkpoint: Checkpoint, model: &mut Model) -> Outcome {
        for (slot, row) in self.pending.drain(..) {
            self.slots = self.slots.max(slot + 1);
            match row {
                Some(row) => self.rows.insert(slot, row),
                None => self.rows.remove(&slot),
            };
        }
        assert!(checkpoint.position >= self.checkpoint.position, "a snapshot is older than the one before");
        (self.open, self.checkpoint) = (None, checkpoint.clone());
        self.commits += 1;
        assert!(self.rows.values().all(|row| row.position <= checkpoint.position), "a row from after the position");
        // Maps of tens of thousands of keys are not worth printing.
        assert!(self.holds(model.go_to(checkpoint.position)), "a commit is not the state at its position");
        Outcome::Committed(checkpoint)
    }

    /// What is not committed is gone.
    fn crash(&mut self) {
        (self.open, self.failed) = (None, 0);
        self.queue.clear();
        self.pending.clear();
    }

    /// Whether the live rows are these keys and values.
    fn holds(&self, state: &BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
        let mut live = self.rows.values().filter_map(|row| Some((&row.key, row.value.as_ref()?)));
        live.clone().count() == state.len() && live.all(|(key, value)| state.get(key) == Some(value))
    }

    fn live(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let rows = self.rows.values();
        rows.filter_map(|row| Some((row.key.clone(), row.value.clone()?))).collect()
    }

    fn restored(&self, first: u64) -> Store {
        let mut restore = Restore::new([1, 2], 0);
        for (&slot, Row { position, stamp, key, value }) in &self.rows {
            let (position, stamp, value) = (*position, *stamp, value.as_deref());
            restore.add(Change { slot, position, stamp, key, value, shared: None, expiry: None });
        }
        restore.finish(first).expect("no two rows have one position")
    }

    fn assert_restores_to(&self, model: &Model) {
        let store = self.restored(1);
        assert_eq!(store.keys(), model.checked.len());
        for (key, value) in &model.checked {
            assert_eq!(store.get(key), Some(value.as_slice()), "{}", String::from_utf8_lossy(key));
        }
    }
}

fn row(change: Change<'_>) -> (u32, Option<Row>) {
    let Change { slot, position, stamp, key, value, .. } = change;
    (slot, Some(Row { position, stamp, key: key.to_vec(), value: value.map(<[u8]>::to_vec) }))
}
