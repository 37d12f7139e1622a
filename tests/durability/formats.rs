//! Formats of the data file. One is kept of each, as the version that had it has written it (`formats/make.sh`): the
//! node opens it, finds all that is in it, saves in its own format, and opens that again. What differs between two
//! formats is also made from a file of today.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{assert_refused, directory_with_our_rows, file_in};
use crate::harness::sqlite::{assert_is_intact, sqlite3};
use crate::harness::{Client, Server};

/// The format that a node writes; `src/snapshot/README.md` lists all.
const LATEST: u32 = 4;

const FIRST: u32 = 1;
/// Format 1 knew no expiry.
const EXPIRIES_SINCE: u32 = 2;
/// Formats before knew one database.
const DATABASES_SINCE: u32 = 4;

#[test]
fn there_is_a_file_of_each_format_to_the_latest() {
    for format in FIRST..=LATEST {
        assert_eq!(sqlite3(&kept(format), "PRAGMA user_version").trim(), format.to_string());
    }
    let fresh = Server::start(&["--durability=commit"]);
    assert_eq!(fresh.connect().ask("SET a 1"), "OK");
    assert_eq!(
        sqlite3(&fresh.data_file(), "PRAGMA user_version").trim(),
        LATEST.to_string(),
        "a new format: keep a file of it (tests/durability/formats/make.sh), and raise LATEST"
    );
}

#[test]
fn a_file_of_each_format_opens_with_all_keys_expiries_and_stamps_and_opens_again_once_saved() {
    for format in FIRST..=LATEST {
        println!("format {format}");
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let file = directory.path().join("data/backup.db");
        fs::create_dir(directory.path().join("data")).expect("the test's directory is writable");
        fs::copy(kept(format), &file).expect("the file is in the repository");
        fs::write(directory.path().join("node_config.json"), TWO_NODES).expect("the test's directory is writable");
        let before = rows(&file);
        assert!(before.lines().count() >= 24, "{before}");

        let server = Server::start_in(directory, &[]);
        assert_has_all(&mut server.connect(), format);
        assert_eq!(server.connect().ask("SET new word"), "OK");
        let (directory, status) = server.stop();
        assert!(status.success(), "{status}");
        assert_is_intact(&file);
        assert_eq!(sqlite3(&file, "PRAGMA user_version").trim(), LATEST.to_string());
        assert_eq!(rows(&file), before);

        let server = Server::start_in(directory, &[]);
        let mut client = server.connect();
        assert_has_all(&mut client, format);
        assert_eq!(client.ask("GET new"), "word");
        let (_directory, status) = server.stop();
        assert!(status.success(), "{status}");
        assert_eq!(rows(&file), before);
    }
}

#[test]
fn a_file_of_a_newer_format_is_refused() {
    let directory = directory_with_our_rows(10);
    sqlite3(&file_in(&directory), "PRAGMA user_version = 99");
    assert_refused(&directory, &["has format 99", "start the version that wrote it"]);
}

#[test]
fn a_file_of_format_3_is_taken_over_with_all_its_rows_as_of_database_0() {
    let directory = directory_with_our_rows(10);
    let file = file_in(&directory);
    sqlite3(
        &file,
        "DROP VIEW kvstore; PRAGMA user_version = 3;
         CREATE VIEW kvstore(key, value, written_at, node, expires_at) AS
            SELECT key, value, datetime((clock >> 16) / 1000, 'unixepoch'), node, datetime(expiry / 1000, 'unixepoch')
            FROM entry WHERE value IS NOT NULL",
    );
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET k1"), "v1");
    assert_eq!(client.ask("SELECT 3"), "OK");
    assert_eq!(client.ask("GET k1"), "KEY NOT FOUND");
    assert_eq!(sqlite3(&file, "PRAGMA user_version").trim(), "4");
    assert_eq!(sqlite3(&file, "SELECT count(*) FROM kvstore WHERE db = 0").trim(), "10");
}

/// Turns what is recorded of replication into what files had before it carried a version.
const WITHOUT_VERSION: &str = "UPDATE meta SET value = substr(value, 5) WHERE name = 'replication';";

#[test]
fn a_file_of_format_2_is_taken_over_with_what_it_records_of_replication() {
    let directory = directory_with_our_rows(10);
    let file = file_in(&directory);
    let recorded = |what: &str| sqlite3(&file, &format!("SELECT {what} FROM meta WHERE name = 'replication'"));
    let bytes = || recorded("length(value)").trim().parse::<usize>().expect("a number");
    assert_eq!(recorded("hex(substr(value, 1, 4))").trim(), "FFFF0100", "version 1");
    sqlite3(&file, &format!("{WITHOUT_VERSION} PRAGMA user_version = 2"));
    let before = bytes();
    let server = Server::start_in(directory, &[]);
    assert_eq!(server.connect().ask("GET k1"), "v1");
    assert_eq!(sqlite3(&file, "PRAGMA user_version").trim(), "4");
    assert_eq!(recorded("hex(substr(value, 1, 4))").trim(), "FFFF0100");
    // The version, and one more incarnation: its number and where it began.
    assert_eq!(bytes(), before + 4 + 16);
}

#[test]
fn a_file_of_format_2_that_is_refused_stays_one_of_format_2() {
    let directory = directory_with_our_rows(10);
    let file = file_in(&directory);
    let two = "UPDATE entry SET position = (SELECT max(position) FROM entry)";
    sqlite3(&file, &format!("{WITHOUT_VERSION} PRAGMA user_version = 2; {two}"));
    assert_refused(&directory, &["two rows at position"]);
    assert_eq!(sqlite3(&file, "PRAGMA user_version").trim(), "2");
}

#[test]
fn a_file_whose_record_of_replication_is_newer_is_refused_and_not_called_damaged() {
    let directory = directory_with_our_rows(10);
    sqlite3(&file_in(&directory), "UPDATE meta SET value = X'FFFF0200' || substr(value, 5) WHERE name = 'replication'");
    assert_refused(&directory, &["backup.db records replication in version 2", "start the one that wrote it"]);
}

#[test]
fn a_file_of_format_1_is_taken_over_with_all_its_rows() {
    let directory = directory_with_our_rows(10);
    let file = file_in(&directory);
    sqlite3(&file, WITHOUT_VERSION);
    sqlite3(
        &file,
        "DROP VIEW kvstore; ALTER TABLE entry DROP COLUMN expiry; PRAGMA user_version = 1;
         CREATE VIEW kvstore(key, value, written_at, node) AS
            SELECT key, value, datetime((clock >> 16) / 1000, 'unixepoch'), node FROM entry WHERE value IS NOT NULL",
    );
    let server = Server::start_in(directory, &[]);
    assert_eq!(server.connect().ask("GET k1"), "v1");
    assert_eq!(sqlite3(&file, "PRAGMA user_version").trim(), "4");
    assert_eq!(sqlite3(&file, "SELECT count(*) FROM kvstore WHERE expires_at IS NULL").trim(), "10");
}

const TWO_NODES: &str = r#"[{ "ip": "127.0.0.1", "port": 5000 }, { "ip": "127.0.0.2", "port": 5000 }]"#;

fn kept(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/durability/formats/format-{format}.db"))
}

/// All that the release has written, deletions included: bytes, stamps and expiries.
fn rows(file: &Path) -> String {
    let has_expiries = sqlite3(file, "PRAGMA table_info(entry)").contains("expiry");
    let expiry = if has_expiries { "expiry" } else { "NULL" };
    let query = "SELECT hex(key), hex(value), clock, node, {} FROM entry WHERE key <> 'new' ORDER BY key, node";
    sqlite3(file, &query.replace("{}", expiry))
}

fn assert_has_all(client: &mut Client, format: u32) {
    for n in 1..=20 {
        assert_eq!(client.ask(&format!("GET key-{n}")), format!("value {n}"));
    }
    assert_eq!(client.ask("GET größe"), "zwölf  Zoll");
    assert_eq!(client.ask("GET long"), "x".repeat(5_000));
    assert_eq!(client.ask("GET gone"), "KEY NOT FOUND");
    assert_eq!(client.ask("GET lasts"), "long");
    assert_eq!(client.info("keys_expiring"), if format >= EXPIRIES_SINCE { "1" } else { "0" });
    if format >= DATABASES_SINCE {
        assert_eq!(client.ask("SELECT 3"), "OK");
        assert_eq!(client.ask("GET key-1"), "of database 3");
        assert_eq!(client.ask("GET key-2"), "KEY NOT FOUND");
        assert_eq!(client.ask("SELECT 0"), "OK");
    }
}
