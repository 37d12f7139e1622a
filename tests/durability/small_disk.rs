//! A disk that is really full: a file system of some megabytes in memory, in a mount namespace of its own, for which it
//! takes root, `unshare` and `nsenter`; without them these tests are skipped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Client, ONE_NODE, Process, Server, wait_for};

#[test]
fn full_at_the_first_snapshot_nothing_is_called_safe_or_damaged_and_one_journal_is_used_again_and_again() {
    let Some(disk) = SmallDisk::new("2m") else { return };
    let arguments = ["--snapshot-interval-ms=60000", "--disk-reserve=0"];
    let server = disk.start(&arguments);
    let mut client = server.connect();
    set(&mut client, 60_000);
    begin_snapshot(&server);
    wait_for("several failures", || (number(&mut client, "snapshots_failed") >= 4).then_some(()));
    assert_eq!(disk.journals().len(), 1, "{:?}", disk.journals());
    server.logged("Not on disk: changes to 60000 keys");
    let said = server.later_lines("");
    assert!(!said.iter().any(|line| line.contains("damaged") || line.contains("safe")), "{said:?}");
    drop(server.kill());

    // What was never committed is no journal to be taken over, and no damage.
    let server = disk.start(&arguments);
    assert!(server.log.iter().any(|line| line.contains(" 0 keys recovered")), "{:?}", server.log);
    assert!(!server.log.iter().any(|line| line.contains("WARN") || line.contains("taking over")), "{:?}", server.log);
    let mut client = server.connect();
    set(&mut client, 60_000);
    begin_snapshot(&server);
    wait_for("a failure", || (number(&mut client, "snapshots_failed") >= 1).then_some(()));
    disk.resize("40m");
    wait_until_saved(&mut client);
    assert_eq!(client.info("snapshot_error"), "none");
    drop(server.kill());
    assert_eq!(disk.start(&[]).info("keys"), "60000");
}

#[test]
fn full_at_a_later_snapshot_the_reserve_saves_it_and_is_there_again_once_there_is_room() {
    let Some(disk) = SmallDisk::new("8m") else { return };
    let server = disk.start(&["--snapshot-interval-ms=20"]);
    let mut client = server.connect();
    let kept = number(&mut client, "disk_reserve_bytes");
    assert!((400_000..=(8 << 20) / 10).contains(&kept), "{kept}");
    assert_eq!(disk.bytes("backup.db.reserve"), kept);
    set(&mut client, 10);
    wait_until_saved(&mut client);

    disk.fill(0);
    set(&mut client, 2_000);
    wait_until_saved(&mut client);
    assert_eq!(client.info("disk_reserve_bytes"), "0");
    assert!(!disk.data().join("backup.db.reserve").exists());
    assert_eq!(server.logged("snapshots succeed again").len(), 1, "{:?}", server.later_lines(""));
    assert_eq!(server.logged("bytes that were kept in reserve").len(), 1, "{:?}", server.later_lines(""));

    disk.make_room();
    let again = wait_for("the reserve", || Some(number(&mut client, "disk_reserve_bytes")).filter(|&bytes| bytes > 0));
    assert!((400_000..=kept).contains(&again), "{again} bytes");
    assert_eq!(disk.bytes("backup.db.reserve"), again);

    // A start needs some pages, too.
    disk.fill(0);
    drop(server.kill());
    let server = disk.start(&[]);
    assert!(server.log.iter().any(|line| line.contains("in reserve, is given up")), "{:?}", server.log);
    assert_eq!(server.info("keys"), "2000");
    assert_eq!(server.info("disk_reserve_bytes"), "0");
    assert_eq!(server.stop().1.code(), Some(0));
}

#[test]
fn full_at_the_last_snapshot_room_that_is_made_meanwhile_saves_it() {
    let Some(disk) = SmallDisk::new("8m") else { return };
    let server = disk.start(&["--snapshot-interval-ms=60000", "--disk-reserve=0"]);
    let mut client = server.connect();
    set(&mut client, 2_000);
    disk.fill(0);
    server.signal(Signal::TERM);
    let said = wait_for("the log to say what can be done", || server.later_lines("the last snapshot failed").pop());
    assert!(said.contains("Not on disk: changes to 2000 keys") && said.contains("free some space"), "{said}");
    disk.make_room();
    assert_eq!(server.wait().1.code(), Some(0));
    assert_eq!(disk.start(&[]).info("keys"), "2000");
}

#[test]
fn full_at_the_last_snapshot_the_reserve_saves_it() {
    let Some(disk) = SmallDisk::new("8m") else { return };
    let server = disk.start(&["--snapshot-interval-ms=60000"]);
    set(&mut server.connect(), 2_000);
    disk.fill(0);
    assert_eq!(server.stop().1.code(), Some(0));
    assert_eq!(disk.start(&[]).info("keys"), "2000");
}

#[test]
fn full_during_a_merge_and_during_the_recovery_after_it_nothing_that_was_committed_is_lost() {
    const KEYS: usize = 20_000;
    let Some(disk) = SmallDisk::new("32m") else { return };
    let arguments = ["--snapshot-interval-ms=20", "--disk-reserve=0"];
    let server = disk.start(&arguments);
    set(&mut server.connect(), KEYS);
    assert_eq!(server.stop().1.code(), Some(0));

    // A tenth of the keys take a tenth of the room in a journal, but are on all pages of the file.
    let server = disk.start(&arguments);
    let mut client = server.connect();
    disk.fill(1 << 20);
    let requests: Vec<String> = (0..KEYS / 10).map(|n| format!("SET key-{} another value {n}", n * 10)).collect();
    assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
    wait_until_saved(&mut client);
    let said = wait_for("the merge to fail", || server.later_lines("cannot merge").pop());
    assert!(said.contains("backup.db: database or disk is full"), "{said}");
    assert!(said.contains("What was committed is in the journals beside it"), "{said}");
    assert!(!said.contains("damaged"), "{said}");
    assert_eq!(client.info("snapshot_error"), "none");
    drop(server.kill());

    disk.fill(0);
    let before = disk.journals();
    let complaint = disk.refusal(&arguments);
    assert!(complaint.contains("disk is full") && complaint.contains("free some space"), "{complaint}");
    assert_eq!(disk.journals(), before, "the start has changed them");

    disk.make_room();
    let server = disk.start(&arguments);
    assert!(server.log.iter().any(|line| line.contains("taking over")), "{:?}", server.log);
    let mut client = server.connect();
    assert_eq!(client.info("keys"), KEYS.to_string());
    assert_eq!(client.ask("GET key-10"), "another value 1");
    assert_eq!(client.ask("GET key-19990"), "another value 1999");
    assert_eq!(client.ask("GET key-11"), value(11));
    assert_eq!(disk.journals(), Vec::<String>::new());
}

/// A file system of a size, and a process that keeps it.
struct SmallDisk {
    keeper: Process,
    directory: TempDir,
}

#[test]
fn without_room_for_a_copy_a_backup_is_refused_with_a_sentence_and_the_node_goes_on() {
    let Some(disk) = SmallDisk::new("60m") else { return };
    let server = disk.start(&["--snapshot-interval-ms=20"]);
    let mut client = server.connect();
    set(&mut client, 2_000);
    wait_until_saved(&mut client);
    let begin = || {
        let mut client = server.connect();
        client.send("*2\r\n$6\r\nBACKUP\r\n$5\r\nBEGIN\r\n");
        client.line()
    };
    assert!(begin().starts_with(':'));
    disk.fill(10 << 20);
    let refused = begin();
    assert!(refused.starts_with("-ERR the backup failed: a copy may take "), "{refused}");
    assert!(refused.contains("free some space"), "{refused}");
    set(&mut client, 2_100);
    wait_until_saved(&mut client);
    assert_eq!(client.info("snapshot_error"), "none");
    disk.make_room();
    assert!(begin().starts_with(':'));
}

impl SmallDisk {
    fn new(size: &str) -> Option<SmallDisk> {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let disk = directory.path().join("disk");
        fs::create_dir(&disk).expect("it can be made");
        fs::write(directory.path().join("node_config.json"), ONE_NODE).expect("it can be written");
        let script = "mount -t tmpfs -o size=$1 tmpfs \"$0\" && echo mounted && read end";
        let keeper = Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(&disk)
            .arg(size)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut keeper = match keeper {
            Ok(keeper) => Process(keeper),
            Err(error) => {
                println!("skipped: no unshare here: {error}");
                return None;
            }
        };
        let mut line = String::new();
        let stdout = keeper.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it is text");
        if line.trim() != "mounted" {
            println!("skipped: no file system can be mounted here");
            return None;
        }
        Some(SmallDisk { keeper, directory })
    }

    /// As the others see it.
    fn disk(&self) -> PathBuf {
        let inside = self.directory.path().join("disk");
        let inside = inside.strip_prefix("/").expect("temporary directories have absolute paths");
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(inside)
    }

    fn data(&self) -> PathBuf {
        self.disk().join("data")
    }

    fn bytes(&self, name: &str) -> u64 {
        fs::metadata(self.data().join(name)).expect("it is there").len()
    }

    fn journals(&self) -> Vec<String> {
        let listed = fs::read_dir(self.data()).expect("it is there");
        let names = listed.map(|entry| entry.expect("it can be listed").file_name().into_string().expect("text"));
        let mut names: Vec<String> =
            names.filter(|name| name.contains("journal-") && !name.ends_with("-wal")).collect();
        names.sort_unstable();
        names
    }

    /// Fills it up to so many bytes.
    fn fill(&self, left: u64) {
        let mut filler = File::create(self.disk().join("filler")).expect("it can be made");
        let mut bytes = 0;
        while let Ok(count @ 1..) = filler.write(&[0; 4_096]) {
            bytes += count as u64;
        }
        filler.set_len(bytes.saturating_sub(left)).expect("it can be cut");
    }

    fn make_room(&self) {
        fs::remove_file(self.disk().join("filler")).expect("it was filled");
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mut command = self.inside("mount");
        let status = command.args(["-o", &options]).arg(self.directory.path().join("disk")).status();
        assert!(status.expect("mount is there").success());
    }

    fn start(&self, arguments: &[&str]) -> Server {
        let nothing = tempfile::tempdir().expect("there is a temporary directory");
        Server::spawn(nothing, self.node(arguments))
    }

    /// What a start says that is refused.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.node(arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).expect("text")
    }

    fn node(&self, arguments: &[&str]) -> Command {
        let mut command = self.inside(env!("CARGO_BIN_EXE_kvstoreapp"));
        let [config, data] = ["node_config.json", "disk/data"].map(|name| self.directory.path().join(name));
        command.args(["--id=0", "--bind=127.0.0.1:0", "--config"]).arg(config).arg("--data-dir").arg(data);
        command.args(arguments);
        command
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.keeper.id().to_string(), program]);
        command
    }
}

fn value(number: usize) -> String {
    format!("a value of some length, that of {number}")
}

fn set(client: &mut Client, keys: usize) {
    let requests: Vec<String> = (0..keys).map(|number| format!("SET key-{number} {}", value(number))).collect();
    assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
}

fn begin_snapshot(server: &Server) {
    let mut client = server.connect();
    client.send("*1\r\n$6\r\nBGSAVE\r\n");
    assert!(client.line().starts_with('+'));
}

fn number(client: &mut Client, name: &str) -> u64 {
    client.info(name).parse().expect("a number")
}

fn wait_until_saved(client: &mut Client) {
    let position = client.info("position");
    wait_for("all to be on disk", || (client.info("durable_position") == position).then_some(()));
}
