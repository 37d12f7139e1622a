//! The path is not the file: what becomes of the data where somebody removes, renames or replaces it under a running
//! node, or its directory. Nothing is called saved that a start would not find.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::backups::ask;
use crate::disk_faults::Disk;
use crate::harness::{Client, Server, command, wait_for};

const KEYS: usize = 3_000;

/// The node's data directory is all there is of it below the test's own.
type Fault = fn(&Path);

fn remove_directory(data: &Path) {
    fs::remove_dir_all(data).expect("it is there");
}

fn remove_files(data: &Path) {
    for entry in fs::read_dir(data).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        // SQLite may be removing one of them, too.
        let _ = fs::remove_file(path);
    }
}

fn remove_log(data: &Path) {
    fs::remove_file(data.join("backup.db-wal")).expect("it is there while the node runs");
}

fn replace_file(data: &Path) {
    fs::write(data.join("new"), "something else").expect("it can be written");
    fs::rename(data.join("new"), data.join("backup.db")).expect("it can be replaced");
}

fn rename_directory(data: &Path) {
    fs::rename(data, data.with_extension("moved")).expect("it is there");
}

fn replace_directory(data: &Path) {
    rename_directory(data);
    fs::create_dir(data).expect("it was moved away");
}

fn put_a_link_in_its_place(data: &Path) {
    rename_directory(data);
    std::os::unix::fs::symlink(data.with_extension("moved-too"), data).expect("it was moved away");
    fs::create_dir(data.with_extension("moved-too")).expect("there is none");
}

const FAULTS: [(&str, Fault); 7] = [
    ("the directory removed", remove_directory),
    ("all files removed", remove_files),
    ("the log removed", remove_log),
    ("another file in its place", replace_file),
    ("the directory renamed", rename_directory),
    ("another directory in its place", replace_directory),
    ("a link in its place", put_a_link_in_its_place),
];

/// With some data, part of it in a journal.
fn start(durability: &str) -> (Server, PathBuf, Client) {
    let server = Server::start(&[&format!("--durability={durability}"), "--snapshot-interval-ms=60000"]);
    let data = server.directory.path().join("data");
    let mut client = server.connect();
    client.send((0..KEYS).map(|n| format!("SET key-{n} {n}\n")).collect::<String>());
    (0..KEYS).for_each(|_| assert_eq!(client.line(), "OK"));
    assert_eq!(ask(&server, "SAVE"), "+OK");
    for n in 0..KEYS / 2 {
        client.send(format!("SET key-{n} {n}\n"));
    }
    (0..KEYS / 2).for_each(|_| assert_eq!(client.line(), "OK"));
    (server, data, client)
}

/// A write that is answered `OK` sooner or later, and what it was answered before.
fn write(client: &mut Client) -> Vec<String> {
    let mut refusals = Vec::new();
    wait_for("a write to succeed", || match client.ask("SET after yes").as_str() {
        "OK" => Some(()),
        refusal => {
            refusals.push(refusal.to_owned());
            None
        }
    });
    refusals
}

fn assert_holds_all(server: Server, what: &str) {
    let mut client = server.connect();
    let keys = client.info("keys");
    assert_eq!(client.ask("GET key-7"), "7", "{what}: {keys} keys");
    assert_eq!(client.ask("GET after"), "yes", "{what}: {keys} keys");
    assert_eq!(keys, (KEYS + 1).to_string(), "{what}");
}

#[test]
fn under_commit_durability_ok_means_on_disk_at_the_path_whatever_becomes_of_it() {
    for (what, fault) in FAULTS {
        let (server, data, mut client) = start("commit");
        fault(&data);
        let refusals = write(&mut client);
        let said = refusals.first().unwrap_or_else(|| panic!("{what}: the first write was answered OK"));
        assert!(said.starts_with("ERROR the disk failed"), "{what}: {said}");
        wait_for("the log to say so", || {
            let failed = server.later_lines("while the node runs");
            failed.iter().any(|line| line.contains("snapshot failed")).then_some(())
        });
        assert_ne!(client.info("snapshots_failed"), "0");
        assert_holds_all(Server::start_in(server.kill(), &[]), what);
    }
}

#[test]
fn save_is_answered_ok_once_all_is_on_disk_at_the_path_again() {
    for (what, fault) in FAULTS {
        let (server, data, mut client) = start("interval");
        fault(&data);
        assert_eq!(client.ask("SET after yes"), "OK");
        let answer = ask(&server, "SAVE");
        assert!(answer.starts_with("-ERR the disk failed: not all is saved"), "{what}: {answer}");
        assert!(client.info("snapshot_error").contains("while the node runs"), "{what}");
        wait_for("it to be saved", || (ask(&server, "SAVE") == "+OK").then_some(()));
        assert_eq!(client.info("snapshot_error"), "none", "{what}");
        assert_holds_all(Server::start_in(server.kill(), &[]), what);
    }
}

#[test]
fn a_stop_saves_all_anew_before_it_says_goodbye() {
    for (what, fault) in FAULTS {
        let (server, data, mut client) = start("interval");
        assert_eq!(client.ask("SET after yes"), "OK");
        fault(&data);
        let (directory, status) = server.stop();
        assert!(status.success(), "{what}: {status}");
        assert_holds_all(Server::start_in(directory, &[]), what);
    }
}

#[test]
fn what_is_replaced_before_the_first_write_is_noticed_as_well() {
    let (server, data, mut client) = start("commit");
    write(&mut client);
    let (directory, status) = server.stop();
    assert!(status.success());
    let server = Server::start_in(directory, &["--snapshot-interval-ms=60000", "--durability=commit"]);
    replace_file(&data);
    let mut client = server.connect();
    let refusals = write(&mut client);
    assert!(refusals.first().is_some_and(|said| said.starts_with("ERROR the disk failed")), "{refusals:?}");
    assert_holds_all(Server::start_in(server.kill(), &[]), "replaced at once");
}

#[test]
fn what_lies_in_the_way_is_set_aside_as_it_is() {
    let (server, data, mut client) = start("commit");
    replace_file(&data);
    write(&mut client);
    let aside: Vec<PathBuf> = fs::read_dir(&data)
        .expect("it is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read(aside[0].join("backup.db")).expect("it was kept"), b"something else");
    let said = server.logged("is not what this node has written last: it is kept in");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn two_processes_never_write_to_one_directory() {
    let (server, data, mut client) = start("commit");
    rename_directory(&data);
    let mut second = command(server.directory.path(), &["--durability=commit"]);
    let second = Server::spawn(tempfile::tempdir().expect("there is a temporary directory"), {
        second.stderr(Stdio::inherit());
        second
    });
    assert_eq!(second.connect().ask("SET second yes"), "OK");
    assert!(client.ask("SET after yes").starts_with("ERROR the disk failed"));
    wait_for("it to say why", || client.info("snapshot_error").contains("another kvstoreapp uses it").then_some(()));
    for _ in 0..20 {
        assert!(client.ask("SET after yes").starts_with("ERROR the disk takes no commits"));
    }
    // What the second has written is not touched either once it is gone.
    let (_elsewhere, status) = second.stop();
    assert!(status.success());
    wait_for("it to say why", || client.info("snapshot_error").contains("holds data of its own").then_some(()));
    assert!(client.ask("SET after yes").starts_with("ERROR"));
    fs::rename(&data, data.with_extension("second")).expect("it is there");
    write(&mut client);
    assert_holds_all(Server::start_in(server.kill(), &[]), "once the second was moved away");
}

#[test]
fn a_stop_that_cannot_save_says_so_and_does_not_exit_with_zero() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=interval"]);
    assert_eq!(server.connect().ask("SET a 1"), "OK");
    let data = server.directory.path().join("data");
    rename_directory(&data);
    let elsewhere = tempfile::tempdir().expect("there is a temporary directory");
    let second = Server::spawn(elsewhere, command(server.directory.path(), &[]));
    server.signal(Signal::TERM);
    let later = server.later.clone();
    let (_directory, status) = server.wait();
    assert_eq!(status.code(), Some(1));
    let complaint = fs::read_to_string(disk.complaints()).expect("stderr went there");
    assert!(
        complaint.contains("could not be saved") && complaint.contains("another kvstoreapp uses it"),
        "{complaint}"
    );
    let said = later.lock().expect("no reader panics").join("\n");
    assert!(!said.contains("goodbye"), "{said}");
    drop(second);
}

#[test]
fn a_disk_that_became_read_only_is_one_that_fails_and_all_is_saved_once_it_is_not() {
    let disk = Disk::new();
    let server = disk.start(&["--durability=commit"]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET before yes"), "OK");
    disk.fail("EROFS write sync truncate");
    assert!(client.ask("SET after yes").starts_with("ERROR the disk failed"));
    assert!(client.ask("SET after yes").starts_with("ERROR the disk takes no commits"));
    assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed"));
    disk.recover();
    write(&mut client);
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.connect().ask("GET before"), "yes");
    assert_eq!(server.connect().ask("GET after"), "yes");
}

/// A node that sees its own mounts, as root alone can make them.
struct Mounts(u32);

impl Mounts {
    fn start(arguments: &[&str]) -> Option<(Server, PathBuf, Mounts)> {
        let is_root = rustix::process::geteuid().is_root();
        let works = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
        if !is_root || !works.is_ok_and(|status| status.success()) {
            println!("skipped: it takes root and unshare");
            return None;
        }
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let node = command(directory.path(), arguments);
        let mut alone = Command::new("unshare");
        alone.args(["-m", "--propagation=private"]).arg(node.get_program()).args(node.get_args());
        alone.current_dir(directory.path());
        let server = Server::spawn(directory, alone);
        let data = server.directory.path().join("data");
        let mounts = Mounts(server.child.id());
        Some((server, data, mounts))
    }

    /// Runs a command that sees them.
    fn run(&self, program: &str, arguments: &[&str], path: &Path) {
        let pid = self.0.to_string();
        let mut nsenter = Command::new("nsenter");
        let status = nsenter.args(["-t", &pid, "-m", program]).args(arguments).arg(path).status();
        assert!(status.expect("it is there with unshare").success(), "{program} {arguments:?}");
    }
}

#[test]
fn a_directory_mounted_over_it_gets_all_and_so_does_the_one_below_once_it_is_gone() {
    for durability in ["interval", "commit"] {
        let Some((server, data, mounts)) = Mounts::start(&[&format!("--durability={durability}")]) else { return };
        let mut client = server.connect();
        assert_eq!(client.ask("SET before yes"), "OK");
        assert_eq!(ask(&server, "SAVE"), "+OK");
        mounts.run("mount", &["-t", "tmpfs", "none"], &data);
        assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed"));
        wait_for("it to be saved", || (ask(&server, "SAVE") == "+OK").then_some(()));
        mounts.run("test", &["-s"], &data.join("backup.db"));
        write(&mut client);
        mounts.run("umount", &["-l"], &data);
        assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed"));
        wait_for("it to be saved", || (ask(&server, "SAVE") == "+OK").then_some(()));
        let server = Server::start_in(server.kill(), &[]);
        let mut client = server.connect();
        assert_eq!(client.ask("GET before"), "yes");
        assert_eq!(client.ask("GET after"), "yes");
    }
}

#[test]
fn under_a_read_only_mount_nothing_is_called_saved_that_is_not() {
    let Some((server, data, mounts)) = Mounts::start(&["--snapshot-interval-ms=60000"]) else { return };
    let mut client = server.connect();
    mounts.run("mount", &["--bind", data.to_str().expect("it is text")], &data);
    mounts.run("mount", &["-o", "remount,bind,ro"], &data);
    // So many that they need a journal, which cannot be created.
    client.send((0..KEYS).map(|n| format!("SET key-{n} {n}\n")).collect::<String>());
    (0..KEYS).for_each(|_| assert_eq!(client.line(), "OK"));
    assert!(ask(&server, "SAVE").starts_with("-ERR the disk failed"));
    assert_eq!(client.ask("GET key-7"), "7");
    mounts.run("umount", &["-l"], &data);
    assert_eq!(client.ask("SET after yes"), "OK");
    wait_for("it to be saved", || (ask(&server, "SAVE") == "+OK").then_some(()));
    assert_holds_all(Server::start_in(server.kill(), &[]), "a read-only mount");
}
