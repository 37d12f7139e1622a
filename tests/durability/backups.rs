//! `SAVE` and `BGSAVE`: what a copy of the data file holds once they are done, whatever else goes on.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::disk_faults::Disk;
use crate::harness::sqlite::sqlite3;
use crate::harness::{Client, Over, Server, wait_for};

/// Keys of the load, which are written again and again.
const KEYS: usize = 10_000;

/// What is written by one client while another saves, and how much of that was answered.
struct Load {
    answered: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Writes 0, 1, 2 ... to the keys in turn while `meanwhile` runs. Pipelined, so that commits go to journals.
    fn during(server: &Server, meanwhile: impl FnOnce(&Load)) {
        let load = Load { answered: AtomicUsize::new(0), is_over: AtomicBool::new(false) };
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = server.connect();
                while !load.is_over.load(Ordering::Acquire) {
                    let from = load.answered.load(Ordering::Acquire);
                    write(&mut client, from..from + 500);
                    load.answered.store(from + 500, Ordering::Release);
                }
            });
            let over = Over(&load.is_over);
            wait_for("the load to begin", || (load.answered() > 2_000).then_some(()));
            meanwhile(&load);
            drop(over);
        });
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Acquire)
    }
}

fn write(client: &mut Client, numbers: Range<usize>) {
    client.send(numbers.clone().map(|n| format!("SET load-{} {n}\n", n % KEYS)).collect::<String>());
    numbers.for_each(|_| assert_eq!(client.line(), "OK"));
}

/// Whether a copy, made as the docs say, has so much of the load, or what was written later.
fn assert_copy_holds(server: &Server, answered: usize) {
    let copy = server.directory.path().join("copy.db");
    sqlite3(&server.data_file(), &format!(".backup '{}'", copy.display()));
    let rows = sqlite3(&copy, "SELECT key, value FROM kvstore WHERE key LIKE 'load-%'");
    let rows: HashMap<&str, usize> = rows
        .lines()
        .map(|row| row.split_once('\t').expect("two columns"))
        .map(|(key, value)| (key, value.parse().expect("a number")))
        .collect();
    let is_missing = |n: &usize| rows.get(format!("load-{}", n % KEYS).as_str()).is_none_or(|value| value < n);
    let missing = (answered.saturating_sub(KEYS)..answered).filter(is_missing).count();
    assert_eq!(missing, 0, "so many of {answered} writes are not in the copy");
}

#[test]
fn a_copy_made_after_save_holds_all_that_was_answered_before_it_also_under_load() {
    for durability in ["interval", "commit"] {
        let server = Server::start(&[&format!("--durability={durability}"), "--snapshot-interval-ms=50"]);
        Load::during(&server, |load| {
            for _ in 0..3 {
                let answered = load.answered();
                assert_eq!(ask(&server, "SAVE"), "+OK");
                assert_copy_holds(&server, answered);
            }
        });
    }
}

#[test]
fn a_copy_made_when_bgsave_is_done_holds_all_that_was_answered_before_it() {
    let server = Server::start(&["--snapshot-interval-ms=50"]);
    Load::during(&server, |load| {
        for _ in 0..2 {
            let answered = load.answered();
            assert_eq!(ask(&server, "BGSAVE"), "+Background saving started");
            wait_for("it to be done", || (persistence(&server, "rdb_bgsave_in_progress") == "0").then_some(()));
            assert_eq!(persistence(&server, "rdb_last_bgsave_status"), "ok");
            assert_copy_holds(&server, answered);

            // As redis-cli's users do: until LASTSAVE is another second.
            let (answered, before) = (load.answered(), ask(&server, "LASTSAVE"));
            assert_eq!(ask(&server, "BGSAVE"), "+Background saving started");
            wait_for("LASTSAVE to move", || (ask(&server, "LASTSAVE") != before).then_some(()));
            assert_copy_holds(&server, answered);
        }
    });
}

#[test]
fn save_holds_up_nobody_else_and_its_own_client_only_as_any_answer_does() {
    let disk = Disk::new();
    let server = disk.start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    write(&mut client, 0..5_000);
    let saves_meanwhile = || {
        // A reader's lock makes a merge wait, up to a second.
        let other = rusqlite::Connection::open(server.data_file()).expect("it is there");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut saver = server.connect();
        saver.send("*1\r\n$4\r\nSAVE\r\n*2\r\n$3\r\nGET\r\n$6\r\nload-1\r\n");
        let mut second = server.connect();
        for n in 0..100 {
            assert_eq!(second.ask(&format!("SET other {n}")), "OK");
        }
        let is_under_way = persistence(&server, "rdb_bgsave_in_progress") == "1";
        drop(other);
        let answers = [saver.line(), saver.line(), saver.line()];
        is_under_way && answers == ["+OK\r", "$1\r", "1\r"]
    };
    // Where the machine is so slow that a second passes it shows nothing; then again.
    assert!((0..10).any(|_| saves_meanwhile()));
    assert_eq!(sqlite3(&server.data_file(), "SELECT count(*) FROM kvstore WHERE key LIKE 'load-%'").trim(), "5000");
}

#[test]
fn save_says_so_where_the_disk_takes_no_commit_and_where_the_rows_cannot_be_written() {
    let disk = Disk::new();
    let server = disk.start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    assert_eq!(ask(&server, "SAVE"), "+OK");
    disk.fail("ENOSPC write");
    write(&mut client, 0..5_000);
    assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed: not all is saved"));
    assert_eq!(ask(&server, "BGSAVE"), "+Background saving started");
    wait_for("it to fail", || (persistence(&server, "rdb_bgsave_in_progress") == "0").then_some(()));
    assert_eq!(persistence(&server, "rdb_last_bgsave_status"), "err");
    disk.recover();
    wait_for("it to succeed again", || (ask(&server, "SAVE") == "+OK").then_some(()));
    assert_copy_holds(&server, 5_000);

    // Here the commit succeeds, in a journal.
    let other = rusqlite::Connection::open(server.data_file()).expect("it is there");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    write(&mut client, 5_000..10_000);
    assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed: not all is saved"));
    assert_eq!(client.info("snapshot_error"), "none");
    drop(other);
    assert_eq!(ask(&server, "SAVE"), "+OK");
    assert_copy_holds(&server, 10_000);
}

#[test]
fn what_a_transaction_has_written_before_it_saves_is_saved() {
    for durability in ["interval", "commit"] {
        let server = Server::start(&[&format!("--durability={durability}"), "--snapshot-interval-ms=60000"]);
        let mut client = server.connect();
        // As in Redis, SAVE itself is not taken in a transaction.
        client.send(
            "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$6\r\nload-0\r\n$1\r\n7\r\n*1\r\n$6\r\nBGSAVE\r\n*1\r\n$4\r\nEXEC\r\n",
        );
        for expected in ["+OK", "+QUEUED", "+QUEUED", "*2", "+OK", "+Background saving started"] {
            assert_eq!(client.line().trim_end(), expected);
        }
        wait_for("it to be done", || (persistence(&server, "rdb_bgsave_in_progress") == "0").then_some(()));
        assert_copy_holds(&server, 1);
    }
}

#[test]
fn a_stop_while_a_save_is_under_way_answers_it() {
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    write(&mut client, 0..20_000);
    let mut saver = server.connect();
    saver.send("*1\r\n$4\r\nSAVE\r\n");
    let mut other = server.connect();
    assert_eq!(other.ask("PING"), "PONG");
    let (_directory, status) = server.stop();
    assert!(status.success());
    assert_eq!(saver.line(), "+OK\r");
}

/// What a command without arguments answers in RESP.
pub fn ask(server: &Server, command: &str) -> String {
    let mut client = server.connect();
    client.send(format!("*1\r\n${}\r\n{command}\r\n", command.len()));
    client.line().trim_end().to_owned()
}

/// A field of `INFO persistence`.
fn persistence(server: &Server, name: &str) -> String {
    let mut client: Client = server.connect();
    client.send("*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n");
    assert!(client.line().starts_with('$'));
    loop {
        let line = client.line();
        if let Some(value) = line.trim_end().strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
            return value.to_owned();
        }
        assert!(!line.trim().is_empty(), "no {name}");
    }
}
