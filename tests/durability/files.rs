//! What a start makes of the file it finds: its own, the original KVStoreApp's, or one it must not touch.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::sqlite::sqlite3;
use crate::harness::{Process, Server, command, wait_for};

// -- refused, and left as it was

#[test]
fn random_bytes_are_refused() {
    let directory =
        directory_with(&(0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
    assert_refused(&directory, &["is damaged or no SQLite file", "restore a copy", ".recover", "move it away"]);
}

#[test]
fn a_text_that_somebody_put_there_is_refused() {
    let directory = directory_with(b"please do not delete this file\n");
    assert_refused(&directory, &["is damaged or no SQLite file", "move it away"]);
}

#[test]
fn a_file_with_pages_overwritten_behind_a_valid_header_is_refused() {
    let directory = directory_with_our_rows(2_000);
    let mut bytes = fs::read(file_in(&directory)).expect("it can be read");
    assert!(bytes.len() > 20 * 4_096);
    bytes[8 * 4_096..12 * 4_096].iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(file_in(&directory), bytes).expect("it can be written");
    assert_refused(&directory, &["is damaged", "restore a copy", ".recover", "move it away"]);
}

#[test]
fn a_truncated_file_is_refused_wherever_it_was_cut() {
    let whole = fs::read(file_in(&directory_with_our_rows(2_000))).expect("it can be read");
    for bytes in [50, 100, 4_096, 10 * 4_096, whole.len() / 2 + 17, whole.len() - 4_096, whole.len() - 1] {
        println!("cut to {bytes} of {}", whole.len());
        let directory = directory_with(&whole[..bytes]);
        assert_refused(&directory, &["is damaged", "restore a copy"]);
    }
}

#[test]
fn a_database_of_another_program_is_refused_by_the_names_of_its_tables() {
    let directory = directory_with_sql("CREATE TABLE bookmarks(url, title); INSERT INTO bookmarks VALUES('a', 'b')");
    assert_refused(&directory, &["database of another program (tables: bookmarks)", "choose another --data-dir"]);
}

#[test]
fn a_table_of_the_original_s_name_with_other_columns_is_refused() {
    let directory = directory_with_sql("CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT, owner TEXT)");
    assert_refused(&directory, &["database of another program (tables: kvstore)"]);
}

#[test]
fn an_original_file_with_a_key_that_is_too_long_is_refused() {
    let directory = directory_with_sql(
        "CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT);
         INSERT INTO kvstore VALUES('short', 'v'), (printf('%.*c', 100000, 'k'), 'v')",
    );
    assert_refused(&directory, &["has 1 rows with a key above"]);
}

#[test]
fn an_original_file_with_what_no_client_can_say_is_refused() {
    for (key, value) in [("'two words'", "'v'"), ("''", "'v'"), ("'a'", "'one' || char(10) || 'OK'")] {
        let directory = directory_with_sql(&format!(
            "CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT); INSERT INTO kvstore VALUES('fine', 'v v'), ({key}, {value})"
        ));
        assert_refused(&directory, &["has 1 rows", "which no client could say or read"]);
    }
}

#[test]
fn a_restart_and_a_kill_keep_every_key_in_its_database_and_the_file_shows_which_that_is() {
    let server = Server::start(&["--durability=commit"]);
    let mut client = server.connect();
    for (number, value) in [(0, "zero"), (1, "one"), (15, "fifteen")] {
        assert_eq!(client.ask(&format!("SELECT {number}")), "OK");
        assert_eq!(client.ask(&format!("SET k {value}")), "OK");
    }
    let shown = sqlite3(&server.data_file(), "SELECT db, value, node FROM kvstore ORDER BY db");
    let server = Server::start_in(server.kill(), &[]);
    for (number, value) in [(15, "fifteen"), (1, "one"), (0, "zero")] {
        let mut client = server.connect();
        assert_eq!(client.ask(&format!("SELECT {number}")), "OK");
        assert_eq!(client.ask("GET k"), value);
    }
    assert_eq!(shown, sqlite3(&server.data_file(), "SELECT db, value, node FROM kvstore ORDER BY db"));
    assert_eq!(shown, "0\tzero\t0\n1\tone\t0\n15\tfifteen\t0\n");
}

#[test]
fn a_restart_keeps_the_expiries_that_are_in_the_file() {
    let directory = directory_with_our_rows(10);
    let file = file_in(&directory);
    sqlite3(
        &file,
        "UPDATE entry SET expiry = 1000 WHERE key = 'k1'; UPDATE entry SET expiry = 4000000000000 WHERE key = 'k2'",
    );
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET k1"), "KEY NOT FOUND");
    assert_eq!(client.ask("GET k2"), "v2");
    assert_eq!(client.ask("GET k3"), "v3");
    let shown = sqlite3(&file, "SELECT key, expires_at FROM kvstore WHERE key = 'k2'");
    assert_eq!(shown.trim(), "k2\t2096-10-02 07:06:40");
}

#[test]
fn a_file_of_another_node_is_refused() {
    let directory = directory_with_our_rows(10);
    sqlite3(&file_in(&directory), "UPDATE meta SET value = 2 WHERE name = 'node'; PRAGMA wal_checkpoint");
    assert_refused(&directory, &["belongs to node 2, not to node 0", "--id=2", "another --data-dir"]);
}

#[test]
fn a_file_locked_by_another_program_is_refused_and_served_once_that_is_gone() {
    for directory in [
        directory_with_our_rows(10),
        directory_with_sql(
            "CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT); INSERT INTO kvstore VALUES('k1', 'v1')",
        ),
    ] {
        let locker = Locker::of(&file_in(&directory));
        assert_refused(&directory, &["is locked by another program", "close it there and start again"]);
        drop(locker);
        let server = Server::start_in(directory, &[]);
        assert_eq!(server.connect().ask("GET k1"), "v1");
    }
}

#[test]
fn a_directory_in_use_by_another_node_is_refused() {
    let server = Server::start(&[]);
    let output = command(server.directory.path(), &[]).output().expect("the binary runs");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(complaint.contains("another kvstoreapp uses it"), "{complaint}");
    assert_eq!(server.connect().ask("SET a 1"), "OK");
}

// -- the original's file

#[test]
fn the_original_s_two_column_file_is_taken_over_in_place() {
    let directory = directory_with_sql(
        "CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT);
         INSERT INTO kvstore VALUES('color', 'blue'), ('größe', 'zwölf  Zoll'), ('gone', 'soon')",
    );
    let server = Server::start_in(directory, &[]);
    assert!(server.log.iter().any(|line| line.contains("took over 3 rows of the original")), "{:?}", server.log);
    let mut client = server.connect();
    assert_eq!(client.ask("GET color"), "blue");
    assert_eq!(client.ask("GET größe"), "zwölf  Zoll");
    assert_eq!(client.ask("SET color red"), "OK");
    assert_eq!(client.ask("DELETE gone"), "OK");

    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &[]);
    assert!(!server.log.iter().any(|line| line.contains("took over")), "{:?}", server.log);
    let mut client = server.connect();
    assert_eq!(client.ask("GET color"), "red");
    assert_eq!(client.ask("GET größe"), "zwölf  Zoll");
    assert_eq!(client.ask("GET gone"), "KEY NOT FOUND");
    let rows = sqlite3(&server.data_file(), "SELECT key, value FROM kvstore ORDER BY key");
    assert_eq!(rows, "color\tred\ngröße\tzwölf  Zoll\n");
}

#[test]
fn what_was_taken_over_survives_a_crash_right_after_the_start() {
    let rows = (0..500).map(|n| format!("('key-{n}', 'value {n}')")).collect::<Vec<_>>().join(", ");
    let directory = directory_with_sql(&format!(
        "CREATE TABLE kvstore(key TEXT PRIMARY KEY, value TEXT); INSERT INTO kvstore VALUES {rows}"
    ));
    let directory = Server::start_in(directory, &[]).kill();
    let server = Server::start_in(directory, &[]);
    assert_eq!(server.info("keys"), "500");
    assert_eq!(server.connect().ask("GET key-499"), "value 499");
}

#[test]
fn odd_rows_of_the_original_are_taken_over_as_the_text_they_show_and_those_without_key_or_value_left_out() {
    let directory = directory_with_sql(
        "CREATE TABLE kvstore(key PRIMARY KEY, value);
         INSERT INTO kvstore VALUES('null', NULL), (NULL, 'no key'), ('number', 42), ('real', 2.5), (7, 'seven'),
             (x'626c6f62', 'of a blob key'), ('of-a-blob-value', x'76616c7565'), ('empty', '')",
    );
    let server = Server::start_in(directory, &[]);
    assert!(server.log.iter().any(|line| line.contains("took over 6 rows")), "{:?}", server.log);
    assert!(server.log.iter().any(|line| line.contains("2 rows") && line.contains("left out")), "{:?}", server.log);
    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    for (key, value) in [
        ("null", "KEY NOT FOUND"),
        ("number", "42"),
        ("real", "2.5"),
        ("7", "seven"),
        ("blob", "of a blob key"),
        ("empty", ""),
    ] {
        assert_eq!(client.ask(&format!("GET {key}")), value, "{key}");
    }
    assert_eq!(client.ask("SET blob of a text key"), "OK");
    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &[]);
    assert_eq!(server.connect().ask("GET blob"), "of a text key");
    assert_eq!(server.info("keys"), "6");
}

#[test]
fn a_text_key_and_a_blob_key_of_the_same_bytes_become_one_key() {
    let directory = directory_with_sql(
        "CREATE TABLE kvstore(key PRIMARY KEY, value);
         INSERT INTO kvstore VALUES('same', 'as text'), (x'73616d65', 'as blob')",
    );
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(client.info("keys"), "1");
    let value = client.ask("GET same");
    assert!(value == "as text" || value == "as blob", "{value}");
    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &[]);
    assert_eq!(server.connect().ask("GET same"), value);
    assert_eq!(sqlite3(&server.data_file(), "SELECT count(*) FROM kvstore").trim(), "1");
}

// -- our own file

#[test]
fn keys_and_values_are_text_where_they_are_utf8_and_blobs_where_not() {
    let server = Server::start(&["--durability=commit"]);
    let mut client = server.connect();
    for request in
        [&b"SET caf\xc3\xa9 \xe2\x82\xac\n"[..], b"SET bytes \xff\xfe\n", b"SET \xc3( text\n", b"SET nul a\0b\n"]
    {
        client.send(request);
        assert_eq!(client.line(), "OK");
    }
    let sql = "SELECT hex(key), typeof(key), hex(value), typeof(value) FROM kvstore ORDER BY hex(key)";
    let rows = "6279746573\ttext\tFFFE\tblob\n\
                636166C3A9\ttext\tE282AC\ttext\n\
                6E756C\ttext\t610062\ttext\n\
                C328\tblob\t74657874\ttext\n";
    assert_eq!(sqlite3(&server.data_file(), sql), rows);
    let server = Server::start_in(server.kill(), &[]);
    let mut client = server.connect();
    client.send(b"GET bytes\nGET \xc3(\nGET nul\n");
    assert_eq!(client.finish(), b"\xff\xfe\ntext\na\0b\n");
}

#[test]
fn a_clean_stop_leaves_one_file_with_everything_in_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&["--snapshot-interval-ms=60000"]);
        let mut client = server.connect();
        client.send((0..1_000).map(|n| format!("SET key-{n} value {n}\n")).collect::<String>());
        (0..1_000).for_each(|_| assert_eq!(client.line(), "OK"));
        server.signal(signal);
        let status = wait_for("the process to end", || server.child.try_wait().expect("it is ours"));
        assert!(status.success(), "{status}");
        let mut names: Vec<_> = fs::read_dir(server.directory.path().join("data"))
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["backup.db", "backup.db.reserve"]);
        fs::remove_file(server.directory.path().join("data/backup.db.reserve")).expect("it holds nothing");
        let server = Server::start_in(server.directory, &[]);
        assert!(server.log.iter().any(|line| line.contains("1000 keys recovered")), "{:?}", server.log);
        assert_eq!(server.connect().ask("GET key-999"), "value 999");
    }
}

#[test]
fn what_is_answered_during_a_clean_stop_is_saved() {
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let big = "v".repeat(1_000_000);
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("SET big {big}")), "OK");
    // More than the sockets hold: the later requests wait until this side reads.
    client.send((0..40).map(|n| format!("GET big\nSET key-{n} word\n")).collect::<String>());
    wait_for("answers to back up", || (server.info("hits").parse::<u64>().expect("a number") > 1).then_some(()));
    let file = server.data_file();
    server.signal(Signal::TERM);
    // The last snapshot reserves nothing ahead.
    let ahead = "SELECT max(value) - min(value) FROM meta WHERE name IN ('position', 'position_ceiling')";
    wait_for("the last snapshot", || (sqlite3(&file, ahead).trim() == "1").then_some(()));
    let answers = client.finish();
    let (directory, status) = server.wait();
    assert!(status.success(), "{status}");
    let answered = answers.split_inclusive(|&byte| byte == b'\n').filter(|&line| line == b"OK\n").count();
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    for n in 0..answered {
        let found = client.ask(&format!("GET key-{n}"));
        assert_eq!(found, "word", "SET key-{n} was answered OK before the clean stop, as {answered} in all were");
    }
}

#[test]
fn a_deleted_key_stays_deleted_after_a_stop_and_after_a_crash() {
    for nodes in [1, 3] {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let node = r#"{ "ip": "127.0.0.1", "port": 5000 }"#;
        let config = (0..nodes).map(|id| node.replace("5000", &format!("500{id}"))).collect::<Vec<_>>().join(", ");
        fs::write(directory.path().join("node_config.json"), format!("[{config}]")).expect("it can be written");
        let server = Server::start_in(directory, &["--durability=commit"]);
        let mut client = server.connect();
        for request in ["SET a 1", "SET b 2", "DELETE a", "SET c 3", "DELETE c", "SET c 4"] {
            assert_eq!(client.ask(request), "OK");
        }
        let (directory, _) = server.stop();
        let server = Server::start_in(directory, &["--durability=commit"]);
        let mut client = server.connect();
        assert_eq!(client.ask("GET a"), "KEY NOT FOUND");
        assert_eq!(client.ask("GET c"), "4");
        assert_eq!(client.ask("DELETE b"), "OK");
        let server = Server::start_in(server.kill(), &[]);
        let mut client = server.connect();
        for (key, value) in [("a", "KEY NOT FOUND"), ("b", "KEY NOT FOUND"), ("c", "4")] {
            assert_eq!(client.ask(&format!("GET {key}")), value, "{key} of {nodes} nodes");
        }
        assert_eq!(client.info("keys"), "1");
    }
}

#[test]
fn rows_of_deleted_keys_leave_the_file_where_no_other_node_has_to_hear_of_them() {
    let server = Server::start(&["--snapshot-interval-ms=20"]);
    let mut client = server.connect();
    for request in ["SET a 1", "SET b 2", "SET c 3", "DELETE a", "DELETE c"] {
        assert_eq!(client.ask(request), "OK");
    }
    wait_for("the rows to go", || (rows_in(&server.data_file()) == "1").then_some(()));
    assert_eq!(client.info("tombstones"), "0");
}

#[test]
fn deletions_are_kept_in_the_file_where_other_nodes_may_have_to_hear_of_them() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let config = r#"[{ "ip": "127.0.0.1", "port": 5000 }, { "ip": "127.0.0.1", "port": 5001 }]"#;
    fs::write(directory.path().join("node_config.json"), config).expect("it can be written");
    let server = Server::start_in(directory, &["--durability=commit"]);
    let mut client = server.connect();
    for request in ["SET a 1", "SET b 2", "DELETE a"] {
        assert_eq!(client.ask(request), "OK");
    }
    let (directory, _) = server.stop();
    let server = Server::start_in(directory, &["--durability=commit"]);
    assert_eq!(server.info("tombstones"), "1");
    assert_eq!(rows_in(&server.data_file()), "2");
    assert_eq!(sqlite3(&server.data_file(), "SELECT key FROM kvstore").trim(), "b");
}

fn rows_in(file: &Path) -> String {
    sqlite3(file, "SELECT count(*) FROM entry").trim().to_owned()
}

pub fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("data/backup.db")
}

fn directory_with(bytes: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    fs::create_dir(directory.path().join("data")).expect("it is empty");
    fs::write(file_in(&directory), bytes).expect("it can be written");
    directory
}

fn directory_with_sql(sql: &str) -> TempDir {
    let directory = directory_with(b"");
    sqlite3(&file_in(&directory), sql);
    directory
}

/// A file of ours, cleanly closed, with the rows `k0` `v0`, `k1` `v1` ...
pub fn directory_with_our_rows(rows: usize) -> TempDir {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send((0..rows).map(|n| format!("SET k{n} v{n}\n")).collect::<String>());
    (0..rows).for_each(|_| assert_eq!(client.line(), "OK"));
    let (directory, status) = server.stop();
    assert!(status.success());
    directory
}

/// A start ends with one sentence on stderr that contains all the parts, and the file stays byte for byte as it is.
pub fn assert_refused(directory: &TempDir, parts: &[&str]) {
    let before = fs::read(file_in(directory)).expect("it can be read");
    let [log, complaints] = ["log", "complaints"].map(|name| directory.path().join(name));
    let [stdout, stderr] = [&log, &complaints].map(|path| File::create(path).expect("it can be written"));
    let node = command(directory.path(), &[]).stdout(stdout).stderr(stderr).spawn().expect("the binary runs");
    let mut node = Process(node);
    let status = wait_for("the start to be refused", || {
        let said = fs::read_to_string(&log).expect("it can be read");
        assert!(!said.contains("listening on"), "it started: {said}");
        node.try_wait().expect("it is ours")
    });
    let complaint = fs::read_to_string(&complaints).expect("it can be read");
    assert!(!status.success(), "{status}");
    assert!(complaint.starts_with("kvstoreapp: "), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    for part in parts {
        assert!(complaint.contains(part), "no \"{part}\" in: {complaint}");
    }
    assert!(fs::read(file_in(directory)).expect("it can be read") == before, "the file was changed: {complaint}");
}

/// Another program in the middle of a transaction.
struct Locker(Child);

impl Locker {
    fn of(file: &Path) -> Locker {
        let mut child = Command::new("sqlite3")
            .args(["-batch", "-cmd", "BEGIN EXCLUSIVE", "-cmd", ".print locked"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is installed");
        let mut said = [0; 6];
        let stdout = child.stdout.as_mut().expect("its output is a pipe");
        std::io::Read::read_exact(stdout, &mut said).expect("it says when it has the lock");
        assert_eq!(&said, b"locked");
        Locker(child)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it ends");
    }
}

#[test]
fn the_view_says_when_a_node_alone_was_written_to_also_after_a_stop() {
    let mut directory = tempfile::tempdir().expect("there is a temporary directory");
    for key in ["fresh", "again"] {
        let server = Server::start_in(directory, &["--snapshot-interval-ms=10"]);
        let unix_s = || std::time::UNIX_EPOCH.elapsed().expect("it is later").as_secs();
        let begun_s = unix_s();
        assert_eq!(server.connect().ask(&format!("SET {key} x")), "OK");
        let ended_s = unix_s();
        let select = format!("select strftime('%s', written_at) from kvstore where key = '{key}'");
        let written_s: u64 = wait_for("the row", || sqlite3(&server.data_file(), &select).trim().parse().ok());
        assert!((begun_s..=ended_s).contains(&written_s), "{key}: {written_s}, not {begun_s} to {ended_s}");
        let (stopped, status) = server.stop();
        assert!(status.success());
        directory = stopped;
    }
}

#[test]
#[cfg(unix)]
fn what_is_in_the_way_of_the_data_directory_is_named() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let at = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink("nowhere", at("dangling")).expect("it can be made");
    fs::write(at("file"), "").expect("it can be made");
    for (place, words) in [
        (
            "dangling",
            "dangling is a symbolic link to nowhere, which does not exist: create that directory or mend the link",
        ),
        ("dangling/below", "dangling is a symbolic link to nowhere, which does not exist"),
        ("file", "file is no directory: move it away or choose another --data-dir"),
        ("file/below", "file is no directory"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"))
            .args(["--id=0", "--bind=127.0.0.1:0", "--data-dir", place])
            .current_dir(directory.path())
            .output()
            .expect("the binary runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(complaint.contains(&format!("cannot use the data directory {place}: ")), "{complaint}");
        assert!(complaint.contains(words), "{complaint}");
    }
    assert!(!at("nowhere").exists());
}
