//! A flush in the data file: one statement, in the transaction that holds the flush.

use std::path::Path;

use kvstoreapp::replica::{Checkpoint, Disk};
use kvstoreapp::snapshot::file::DataFile;
use kvstoreapp::store::{Batch, Copied, Database, Restore, Stamp, Store};
use tempfile::tempdir;

use crate::harness::sqlite::sqlite3;
use crate::harness::wait_for;

#[test]
fn the_commit_that_holds_a_flush_drops_the_rows_below_it_and_no_other() {
    for newer in [0, 3] {
        let directory = tempdir().expect("there is room");
        let (mut file, mut store) = open(directory.path());
        (1..=100).for_each(|clock| set(&mut store, &format!("k{clock}"), clock));
        save(&mut file, &store, 0);
        let before = store.last_position();
        store.flush(Stamp { clock: 101, node: 0 });
        store.sweep(1_000);
        // The new rows have the slots of old ones.
        (0..newer).for_each(|number| set(&mut store, &format!("new{number}"), 102 + number));
        file.begin().expect("it can be written");
        assert_eq!(rows(directory.path()), 100, "nothing is gone before the commit");
        save(&mut file, &store, before);
        assert_eq!(rows(directory.path()), 1 + newer as usize);
        drop(file);
        let (_file, store) = open(directory.path());
        assert_eq!((store.keys(), store.tombstones(), store.is_sweeping()), (newer as usize, 0, false));
        assert_eq!(floor(&store), Stamp { clock: 101, node: 0 });
        assert!(store.covers(Database::ZERO, Stamp { clock: 100, node: 9 }));
    }
}

#[test]
fn a_crash_before_the_commit_of_a_flush_leaves_the_keys_of_before() {
    let directory = tempdir().expect("there is room");
    let (mut file, mut store) = open(directory.path());
    (1..=100).for_each(|clock| set(&mut store, &format!("k{clock}"), clock));
    save(&mut file, &store, 0);
    let before = store.last_position();
    store.flush(Stamp { clock: 101, node: 0 });
    file.begin().and_then(|()| file.write(&changes(&store, before))).expect("it can be written");
    drop(file);
    let (_file, store) = open(directory.path());
    assert_eq!((store.keys(), floor(&store)), (100, Stamp::default()));
}

#[test]
fn rows_below_the_flush_that_somebody_put_into_the_file_are_not_there_after_a_start() {
    let directory = tempdir().expect("there is room");
    let (mut file, mut store) = open(directory.path());
    store.flush(Stamp { clock: 101, node: 0 });
    set(&mut store, "newer", 102);
    save(&mut file, &store, 0);
    drop(file);
    let path = directory.path().join("backup.db");
    sqlite3(&path, "INSERT INTO entry VALUES(77, 'older', 'v', 1, 100, 0, NULL)");
    let (_file, mut store) = open(directory.path());
    assert_eq!((store.get(b"older"), store.get(b"newer")), (None, Some(&b"v"[..])));
    store.sweep(1_000);
    assert_eq!((store.keys(), store.is_sweeping()), (1, false));
}

/// Rows of a database are below its own flush alone, whatever is beside them: `kept` keys are in the other.
#[test]
fn a_flush_of_one_database_drops_its_rows_and_those_of_no_other() {
    let [other, third] = [3, 15].map(|number| Database::new(number).expect("there are 16"));
    for kept in [0, 50] {
        let directory = tempdir().expect("there is room");
        let (mut file, mut store) = open(directory.path());
        (1..=100).for_each(|clock| set(&mut store, &format!("k{clock}"), clock));
        store.select(other);
        (1..=kept).for_each(|clock| set(&mut store, &format!("k{clock}"), 200 + clock));
        store.select(third);
        store.flush(Stamp { clock: 90, node: 2 });
        save(&mut file, &store, 0);
        let before = store.last_position();
        store.select(Database::ZERO);
        store.flush(Stamp { clock: 300, node: 1 });
        save(&mut file, &store, before);
        assert_eq!(rows(directory.path()), kept as usize + 2, "the flushes of two databases are rows themselves");
        drop(file);
        let (_file, store) = open(directory.path());
        assert_eq!((store.keys(), store.keys_in(other), store.tombstones()), (kept as usize, kept as usize, 0));
        assert_eq!(
            (floor(&store), store.floors().of(third)),
            (Stamp { clock: 300, node: 1 }, Stamp { clock: 90, node: 2 })
        );
        let shown = "SELECT count(*), min(db), max(db), min(node), max(node) FROM kvstore";
        let shown = sqlite3(&directory.path().join("backup.db"), shown);
        assert_eq!(shown.trim(), if kept == 0 { "0" } else { "50\t3\t3\t0\t0" });
    }
}

fn floor(store: &Store) -> Stamp {
    store.floors().of(Database::ZERO)
}

fn open(directory: &Path) -> (DataFile, Store) {
    // A child that another test is about to start may hold the directory for a moment.
    let mut opened = wait_for("the directory", || DataFile::open(directory, 0, Restore::new([1, 2], 0)).ok());
    let store = opened.restore(1_000).expect("positions are unique");
    (opened.file, store)
}

fn set(store: &mut Store, key: &str, clock: u64) {
    store.set(key.as_bytes(), b"v", Stamp { clock, node: 0 }).expect("there is no limit");
}

fn changes(store: &Store, after: u64) -> Batch {
    let mut batch = Batch::default();
    assert_eq!(store.copy_changes(after, u64::MAX, usize::MAX, usize::MAX, &mut batch), Copied::All);
    batch
}

fn save(file: &mut DataFile, store: &Store, after: u64) {
    let checkpoint = Checkpoint { position: store.last_position(), ..Checkpoint::default() };
    file.begin().and_then(|()| file.write(&changes(store, after))).expect("it can be written");
    file.commit(&checkpoint).expect("it can be committed");
}

fn rows(directory: &Path) -> usize {
    sqlite3(&directory.join("backup.db"), "SELECT count(*) FROM entry").trim().parse().expect("a number")
}
