//! A disk that is full or fails, by a library preloaded into the node (`disk_faults.c`) that fails its calls on the
//! data file while the test says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::sqlite::assert_is_intact;
use crate::harness::{Client, Server, command, wait_for};

const FAILED: &str = "snapshot failed";
const SUCCEEDS: &str = "snapshots succeed again";

#[test]
fn a_full_disk_stops_neither_reads_nor_writes_and_loses_nothing_once_it_has_room() {
    full_disk("ENOSPC write", "database or disk is full");
}

#[test]
fn a_disk_that_cannot_sync_stops_neither_reads_nor_writes_and_loses_nothing_once_it_can() {
    full_disk("EIO sync", "disk I/O error");
}

fn full_disk(fault: &str, reason: &str) {
    let disk = Disk::new();
    let server = disk.start(&["--snapshot-interval-ms=20"]);
    let mut client = server.connect();
    set(&mut client, "before", 0..100);
    wait_until_saved(&mut client);

    disk.fail(fault);
    set(&mut client, "during", 0..1_000);
    wait_for("several failures", || (number(&mut client, "snapshots_failed") >= 4).then_some(()));
    set(&mut client, "before", 50..60);
    assert_eq!(client.ask("DELETE before-1"), "OK");
    assert_eq!(client.ask("GET during-999"), "value 999");
    assert_eq!(client.ask("GET before-2"), "value 2");
    assert!(client.info("snapshot_error").contains(reason), "{}", client.info("snapshot_error"));
    let said = server.logged(FAILED);
    assert_eq!(said.len(), 1, "{said:?}");
    let said = &said[0];
    assert!(said.contains(reason) && said.contains("check free space"), "{said}");

    disk.recover();
    wait_until_saved(&mut client);
    wait_for("the log to say so", || (server.later_lines(SUCCEEDS).len() == 1).then_some(()));
    assert_eq!(client.info("snapshot_error"), "none");

    // Another time it is said again.
    disk.fail(fault);
    set(&mut client, "again", 0..10);
    wait_for("the second time to be logged", || (server.later_lines(FAILED).len() == 2).then_some(()));
    disk.recover();
    wait_until_saved(&mut client);
    wait_for("its end to be logged", || (server.later_lines(SUCCEEDS).len() == 2).then_some(()));

    let directory = server.kill();
    assert_is_intact(&directory.path().join("data/backup.db"));
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(client.info("keys"), "1109");
    for (key, value) in [
        ("before-0", "value 0"),
        ("before-1", "KEY NOT FOUND"),
        ("during-0", "value 0"),
        ("during-999", "value 999"),
        ("again-9", "value 9"),
    ] {
        assert_eq!(client.ask(&format!("GET {key}")), value, "{key}");
    }
}

#[test]
fn under_commit_durability_a_write_that_the_disk_does_not_take_is_answered_with_an_error_and_not_claimed() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=commit"]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a before"), "OK");

    disk.fail("ENOSPC write");
    let answer = client.ask("SET a during");
    assert!(answer.starts_with("ERROR the disk failed"), "{answer}");
    // From here on the node knows, and refuses before it changes anything.
    for request in ["SET b during", "SET c during", "DELETE a"] {
        let answer = client.ask(request);
        assert!(answer.starts_with("ERROR the disk takes no commits: nothing was written"), "{answer}");
    }
    assert_eq!(client.ask("GET b"), "KEY NOT FOUND");
    assert_ne!(client.ask("GET a"), "KEY NOT FOUND");
    wait_for("several failures", || (number(&mut client, "snapshots_failed") >= 3).then_some(()));
    assert_eq!(server.logged(FAILED).len(), 1, "{:?}", server.later_lines(""));

    disk.recover();
    wait_for("writes to succeed again", || (client.ask("SET b after") == "OK").then_some(()));
    assert_eq!(client.ask("SET a after"), "OK");
    wait_for("the log to say so", || (server.later_lines(SUCCEEDS).len() == 1).then_some(()));

    let server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET a"), "after");
    assert_eq!(client.ask("GET b"), "after");
    assert_eq!(client.ask("GET c"), "KEY NOT FOUND");
}

#[test]
fn a_write_is_never_answered_ok_because_a_second_fsync_says_what_the_first_did_not() {
    let disk = Disk::new();
    let mut server = disk.start(&["--durability=commit"]);
    for round in 0..5 {
        let mut client = server.connect();
        // After the first commit of an incarnation the log is moved into the file; the second comes after that.
        assert_eq!(client.ask("SET settled 0"), "OK");
        assert_eq!(client.ask(&format!("SET settled {round}")), "OK");
        disk.fail("EIO sync once");
        let answer = client.ask(&format!("SET waiting-{round} x"));
        assert!(answer.starts_with("ERROR the disk failed"), "{answer}");
        assert!(!disk.is_failing(), "it failed once");
        wait_for("writes to succeed again", || (client.ask(&format!("SET later-{round} y")) == "OK").then_some(()));

        let directory = server.kill();
        assert_is_intact(&directory.path().join("data/backup.db"));
        server = disk.start_in(directory, &["--durability=commit"]);
        let mut client = server.connect();
        assert_eq!(client.ask("GET settled"), round.to_string());
        assert_eq!(client.ask(&format!("GET later-{round}")), "y");
    }
}

#[test]
fn many_writes_that_wait_for_a_commit_that_fails_all_get_the_error_in_their_place() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=commit"]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a 1"), "OK");
    disk.fail("EIO sync");
    client.send("SET a 2\nPING\nGET a\nSET b 2\nDELETE nothing\nDELETE a\n");
    assert!(client.line().starts_with("ERROR"));
    assert_eq!(client.line(), "PONG");
    assert_eq!(client.line(), "2");
    assert!(client.line().starts_with("ERROR"));
    let answer = client.line();
    assert!(answer == "KEY NOT FOUND" || answer.starts_with("ERROR"), "{answer}");
    assert!(client.line().starts_with("ERROR"));
    disk.recover();
    wait_for("writes to succeed again", || (client.ask("SET a 3") == "OK").then_some(()));
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.connect().ask("GET a"), "3");
}

#[test]
fn a_log_that_cannot_be_moved_into_the_file_is_said_once_and_stops_no_commit() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=commit"]);
    let mut client = server.connect();
    disk.fail("EIO write main");
    for round in 0..20 {
        assert_eq!(client.ask(&format!("SET a {round}")), "OK");
    }
    wait_for("the log to say so", || (server.later_lines("cannot move").len() == 1).then_some(()));
    assert_eq!(client.ask("SET a last"), "OK");
    assert_eq!(server.later_lines("cannot move").len(), 1);
    assert_eq!(client.info("snapshots_failed"), "0");
    let server = disk.start_in(server.kill(), &["--durability=commit"]);
    assert_eq!(server.connect().ask("GET a"), "last");
}

#[test]
fn a_sync_of_the_file_proper_that_fails_once_costs_no_commit() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=commit"]);
    let mut client = server.connect();
    disk.fail("EIO sync main once");
    set(&mut client, "a", 0..200);
    wait_for("the sync to fail", || (!disk.is_failing()).then_some(()));
    set(&mut client, "b", 0..200);
    let directory = server.kill();
    assert_is_intact(&directory.path().join("data/backup.db"));
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(client.info("keys"), "400");
    assert_eq!(client.ask("GET a-199"), "value 199");
    assert_eq!(client.ask("GET b-199"), "value 199");
}

#[test]
fn a_stop_with_a_failing_disk_says_what_is_lost_and_does_not_exit_with_zero() {
    // A node tries for some seconds before it gives up; both do so at once.
    let nodes = ["interval", "commit"].map(|durability| {
        let disk = Disk::new();
        let server = disk.start(&[&format!("--durability={durability}")]);
        let mut client = server.connect();
        assert_eq!(client.ask("SET a 1"), "OK");
        disk.fail("ENOSPC write sync truncate");
        client.ask("SET a 2");
        server.signal(Signal::TERM);
        (disk, server)
    });
    for (disk, server) in nodes {
        let (_directory, status) = server.wait();
        assert!(!status.success(), "{status}");
        let complaint = fs::read_to_string(&disk.complaints).expect("stderr went there");
        assert!(
            complaint.contains("kvstoreapp: changes to 1 keys since the last snapshot could not be saved: ")
                && complaint.contains("No linked node is known to have them")
                && complaint.contains("disk is full"),
            "{complaint}"
        );
    }
}

#[test]
fn a_start_on_a_full_disk_is_refused_with_a_sentence_and_leaves_the_file_as_it_was() {
    let disk = Disk::new();
    let (directory, _) = disk.start(&[]).stop();
    let file = directory.path().join("data/backup.db");
    let before = fs::read(&file).expect("it can be read");
    disk.fail("ENOSPC write");
    let output = disk.command(directory.path(), &[]).stderr(Stdio::piped()).output().expect("the binary runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(complaint.contains("free some space"), "{complaint}");
    assert!(fs::read(&file).expect("it can be read") == before, "the file was changed");
    disk.recover();
    Server::start_in(directory, &[]);
}

/// Says when calls on the data file fail.
pub struct Disk {
    directory: TempDir,
    control: PathBuf,
    /// What nodes say on stderr.
    complaints: PathBuf,
}

impl Disk {
    pub fn new() -> Disk {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let control = directory.path().join("faults");
        let complaints = directory.path().join("complaints");
        Disk { directory, control, complaints }
    }

    /// What nodes have said on stderr.
    pub fn complaints(&self) -> &Path {
        &self.complaints
    }

    /// Fails calls from here on; the words are those of `disk_faults.c`.
    pub fn fail(&self, words: &str) {
        // The node must never see half of the words.
        let new = self.directory.path().join("faults.new");
        fs::write(&new, words).and_then(|()| fs::rename(&new, &self.control)).expect("it can be written");
    }

    pub fn recover(&self) {
        fs::remove_file(&self.control).expect("it failed until here");
    }

    fn is_failing(&self) -> bool {
        self.control.exists()
    }

    pub fn start(&self, arguments: &[&str]) -> Server {
        self.start_in(tempfile::tempdir().expect("there is a temporary directory"), arguments)
    }

    fn start_in(&self, directory: TempDir, arguments: &[&str]) -> Server {
        let command = self.command(directory.path(), arguments);
        Server::spawn(directory, command)
    }

    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let complaints = fs::File::create(&self.complaints).expect("it can be written");
        let mut command = command(directory, arguments);
        command.env("LD_PRELOAD", library()).env("DISK_FAULTS", &self.control).stderr(complaints);
        command
    }
}

/// The library to be preloaded, compiled by the first test that needs it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = directory.join("disk_faults.so");
        let new = directory.join(format!("disk_faults.{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&new)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability/disk_faults.c"))
            .status()
            .expect("there is a C compiler, which the build of SQLite needs too");
        assert!(compiled.success());
        // Another run may have the old one loaded: it keeps it.
        fs::rename(new, &library).expect("both are in one directory");
        library
    })
}

fn set(client: &mut Client, name: &str, numbers: std::ops::Range<usize>) {
    client.send(numbers.clone().map(|n| format!("SET {name}-{n} value {n}\n")).collect::<String>());
    numbers.for_each(|_| assert_eq!(client.line(), "OK"));
}

fn number(client: &mut Client, name: &str) -> u64 {
    client.info(name).parse().expect("a number")
}

fn wait_until_saved(client: &mut Client) {
    let position = client.info("position");
    wait_for("all to be on disk", || (client.info("durable_position") == position).then_some(()));
}
