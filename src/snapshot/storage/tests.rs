//! Commits, merges and crashes in all orders.

use std::collections::BTreeMap;

use fastrand::Rng;
use tempfile::TempDir;

use super::*;
use crate::replica::Disk;
use crate::snapshot::merging::merge;
use crate::store::{Copied, Database, Restore, Stamp, Store};

type Content = BTreeMap<(Database, Vec<u8>), (Vec<u8>, u64, Stamp)>;

/// A data directory, what lies in it, and what should.
struct World {
    directory: TempDir,
    storage: Storage,
    store: Store,
    durable: u64,
    committed: Content,
    clock: u64,
    snapshot: u64,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let (storage, store) = open(&directory);
        World { directory, storage, store, durable: 0, committed: Content::new(), clock: 0, snapshot: 0 }
    }

    fn write(&mut self, random: &mut Rng, keys: u64) {
        self.clock += 1;
        let key = format!("key {}", random.u64(..keys));
        self.store.select(any_database(random));
        let stamp = Stamp { clock: self.clock, node: 0 };
        match random.u8(..10) {
            0..3 => drop(self.store.delete(key.as_bytes(), stamp)),
            3 => drop(self.store.set_expiring(key.as_bytes(), &b"for a time"[..], 1 << 60, stamp)),
            _ => drop(self.store.set(key.as_bytes(), key.repeat(random.usize(..5)).as_bytes(), stamp)),
        }
    }

    fn flush(&mut self, random: &mut Rng) {
        self.clock += 1;
        self.store.select(any_database(random));
        self.store.flush(Stamp { clock: self.clock, node: 0 });
        self.store.sweep(usize::MAX);
    }

    /// Forgets deletions, so that slots are used again.
    fn collect(&mut self) {
        self.store.collect_tombstones(0, self.durable, usize::MAX, |_| true);
    }

    /// A transaction in slices; it is rolled back where it does not succeed.
    fn save(&mut self, succeeds: bool) {
        let World { storage, store, snapshot, .. } = self;
        storage.begin();
        let mut after = self.durable;
        loop {
            let mut batch = Batch::default();
            store.take_retired(usize::MAX, &mut batch.retired);
            let copied = store.copy_changes(after, u64::MAX, 50, usize::MAX, &mut batch);
            storage.write(&batch).expect("the disk takes it");
            match copied {
                Copied::UpTo(position) => after = position,
                Copied::All => break,
            }
        }
        if succeeds {
            self.durable = store.last_position();
            let checkpoint = Checkpoint { position: self.durable, clock_ceiling: self.clock, ..Checkpoint::default() };
            *snapshot += 1;
            storage.commit(*snapshot, &checkpoint).expect("the disk takes it");
            store.reuse_retired();
            self.committed = content(store);
        } else {
            storage.roll_back();
            store.retract_retired();
        }
        storage.tidy();
    }

    fn merge(&mut self) {
        self.storage.merge_due = Instant::now();
        self.storage.tidy();
    }

    fn wait_for_merge(&mut self) {
        if self.storage.file.is_none() {
            let merged = self.storage.merger.wait();
            self.storage.accept(merged);
        }
    }

    /// What was not committed is gone.
    fn crash(mut self) -> World {
        self.wait_for_merge();
        let World { directory, storage, committed, clock, .. } = self;
        leave(storage);
        World::recover(directory, committed, clock)
    }

    fn recover(directory: TempDir, committed: Content, clock: u64) -> World {
        let (storage, store) = open(&directory);
        assert_eq!(content(&store), committed);
        let durable = store.last_position();
        World { directory, storage, store, durable, committed, clock, snapshot: 0 }
    }

    fn journals(&self) -> usize {
        Journal::find(self.directory.path()).expect("they can be read").len()
    }
}

fn open(directory: &TempDir) -> (Storage, Store) {
    let opened = (0..200).find_map(|_| {
        let opened = DataFile::open(directory.path(), 0, Restore::new([1, 2], 0));
        // A child that another test is about to start may hold the directory for a moment.
        if opened.is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        opened.ok()
    });
    let mut opened = opened.expect("the file can be opened");
    let store = opened.restore(opened.checkpoint.position + 1).expect("positions are unique");
    (Storage::new(opened.file).expect("a thread can be started"), store)
}

/// As it is, once its thread has removed what is merged.
fn leave(storage: Storage) {
    let Storage { file, journal, unmerged, merger, .. } = storage;
    drop((file, journal, unmerged));
    merger.close();
}

fn any_database(random: &mut Rng) -> Database {
    Database::new(random.choice([0, 0, 1, 15]).expect("there are some")).unwrap_or_default()
}

fn content(store: &Store) -> Content {
    store
        .changes_after(0)
        .filter(|change| !store.is_flushed(change))
        .filter_map(|change| {
            let expiry = change.expiry.map_or(0, |expiry| expiry.get());
            let key = (change.database, change.key.to_vec());
            Some((key, (change.value?.to_vec(), expiry, change.stamp)))
        })
        .collect()
}

#[test]
fn what_was_committed_is_there_after_any_crash_wherever_it_lies() {
    let (mut journals, mut rows) = (0, 0);
    for seed in 0..30 {
        let mut random = Rng::with_seed(seed);
        let mut world = World::new();
        for _ in 0..4 {
            for _ in 0..random.u8(1..12) {
                let keys = random.choice([30, 1_000]).expect("there are some");
                (0..random.choice([0, 3, 300, 2_000]).expect("there are some"))
                    .for_each(|_| world.write(&mut random, keys));
                if random.u8(..8) == 0 {
                    world.flush(&mut random);
                }
                if random.u8(..3) == 0 {
                    world.collect();
                }
                world.save(random.u8(..5) > 0);
                match random.u8(..4) {
                    0 => world.merge(),
                    1 => world.wait_for_merge(),
                    _ => (),
                }
            }
            world.wait_for_merge();
            *if !world.storage.has_journals() { &mut rows } else { &mut journals } += 1;
            world = world.crash();
        }
        let World { directory, storage, committed, clock, .. } = world;
        storage.close();
        let world = World::recover(directory, committed, clock);
        assert_eq!(world.journals(), 0, "a stop merges");
    }
    assert!(journals > 20 && rows > 20, "{journals} crashes with journals, {rows} without");
}

#[test]
fn few_changes_are_rows_at_once_and_many_once_they_are_merged() {
    let mut random = Rng::with_seed(1);
    let mut world = World::new();
    let rows = |world: &World| {
        let connection = rusqlite::Connection::open(world.directory.path().join("backup.db")).expect("it is there");
        connection.query_row("SELECT count(*) FROM kvstore", [], |row| row.get::<_, isize>(0)).expect("a number")
            as usize
    };
    (0..10).for_each(|_| world.write(&mut random, 1_000_000));
    world.save(true);
    assert_eq!(rows(&world), world.committed.len());
    let before = rows(&world);
    world.storage.merge_due += Duration::from_secs(3600);
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 1_000_000));
    world.save(true);
    // Also few changes go after those that are in a journal.
    (0..10).for_each(|_| world.write(&mut random, 1_000_000));
    world.save(true);
    assert_eq!(rows(&world), before);
    world.merge();
    world.wait_for_merge();
    assert_eq!((rows(&world), world.storage.has_journals()), (world.committed.len(), false));
}

#[test]
fn a_merge_that_fails_is_tried_again_and_costs_no_commit() {
    let mut random = Rng::with_seed(3);
    let mut world = World::new();
    world.storage.merge_due += Duration::from_secs(3600);
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 1_000));
    world.save(true);
    let other = rusqlite::Connection::open(world.directory.path().join("backup.db")).expect("it is there");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    world.merge();
    world.wait_for_merge();
    assert!(world.storage.merge_failed && world.storage.pause().is_some_and(|pause| pause <= MERGE_RETRY));
    world.write(&mut random, 1_000);
    world.save(true);
    drop(other);
    world.merge();
    world.wait_for_merge();
    assert!(!world.storage.merge_failed && !world.storage.has_journals());
    assert!(world.storage.pause().is_none(), "there is nothing to do");
    world.crash();
}

#[test]
fn what_comes_after_a_merge_that_failed_is_there_also_where_a_crash_shows_that_it_had_succeeded() {
    let mut random = Rng::with_seed(4);
    let mut world = World::new();
    world.storage.merge_due += Duration::from_secs(3600);
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 1_000));
    world.save(true);
    // As where the last fsync failed, but all was written.
    let journals = world.storage.take_commits();
    merge(world.storage.file.as_mut().expect("it is here"), &journals).expect("it can be merged");
    world.storage.unmerged = journals;
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 1_000));
    world.save(true);
    world.crash();
}

#[test]
fn a_journal_goes_on_from_a_commit_that_was_rolled_back_and_that_a_crash_shows() {
    let mut random = Rng::with_seed(5);
    let mut world = World::new();
    world.write(&mut random, 10);
    world.save(true);
    let before = (world.durable, world.committed.clone());
    (0..5).for_each(|_| world.write(&mut random, 10));
    world.save(true);
    // As where its last fsync failed, but all was written.
    (world.durable, world.committed) = before;
    world.storage.position = world.durable;
    world.storage.merge_due += Duration::from_secs(3600);
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 10_000));
    world.save(true);
    assert!(world.storage.has_journals());
    world.crash();
}

#[test]
fn a_journal_goes_on_after_one_of_an_earlier_start_that_held_forgotten_deletions_alone() {
    let mut random = Rng::with_seed(6);
    let mut world = World::new();
    let many = ROWS_MAX as u64 + 10;
    for key in 0..many {
        let key = key.to_be_bytes();
        world.clock += 2;
        world.store.set(&key, &b"value"[..], Stamp { clock: world.clock - 1, node: 0 }).expect("there is room");
        world.store.delete(&key, Stamp { clock: world.clock, node: 0 });
    }
    let save_and_merge = |world: &mut World| {
        world.storage.merge_due += Duration::from_secs(3600);
        world.save(true);
        assert!(world.storage.has_journals());
        world.merge();
        world.wait_for_merge();
        assert!(!world.storage.has_journals());
    };
    save_and_merge(&mut world);
    let position = world.durable;
    // It brings no position, so the next journal begins where this one did.
    world.collect();
    save_and_merge(&mut world);
    assert_eq!((world.durable, world.store.tombstones()), (position, 0));
    world = world.crash();
    (0..many).for_each(|_| world.write(&mut random, 1_000_000));
    world.save(true);
    assert!(world.storage.has_journals());
    world.crash();
}

#[test]
fn a_journal_is_not_applied_to_another_state_of_the_file_or_twice() {
    let mut random = Rng::with_seed(2);
    let mut world = World::new();
    (0..10).for_each(|_| world.write(&mut random, 100));
    world.save(true);
    let file = world.directory.path().join("backup.db");
    // All of it is in the file proper once it is closed.
    world = world.crash();
    let older = std::fs::read(&file).expect("it is there");
    (0..10).for_each(|_| world.write(&mut random, 100));
    world.save(true);
    world.storage.merge_due += Duration::from_secs(3600);
    (0..ROWS_MAX + 10).for_each(|_| world.write(&mut random, 1_000));
    world.save(true);
    let World { directory, storage, committed, clock, .. } = world;
    leave(storage);
    let newer = std::fs::read(&file).expect("it is there");
    std::fs::write(&file, &older).expect("it can be put back");
    let refusal = DataFile::open(directory.path(), 0, Restore::new([1, 2], 0)).err().expect("it is another state");
    assert!(refusal.contains("goes on from another state of") && refusal.contains("backup.db"), "{refusal}");
    std::fs::write(&file, &newer).expect("it can be put back");

    // A crash after the merge and before the journal is gone.
    let journal = Journal::find(directory.path()).expect("they can be read").remove(0);
    let [name, log] = ["", "-wal"].map(|suffix| format!("{}{suffix}", journal.path().display()));
    drop(journal);
    let [kept, kept_log] = [&name, &log].map(|path| std::fs::read(path).expect("it is there"));
    let mut world = World::recover(directory, committed, clock);
    world.write(&mut random, 10);
    world.save(true);
    let World { directory, storage, committed, clock, .. } = world;
    leave(storage);
    std::fs::write(&name, kept).and_then(|()| std::fs::write(&log, kept_log)).expect("they can be put back");
    let world = World::recover(directory, committed, clock);
    assert_eq!(world.journals(), 0);
}
