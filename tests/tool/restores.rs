//! `kvstoreapp restore`: into the data directory of one node.

use std::fs;
use std::path::Path;

use crate::backups::{ask, back_up, resp};
use crate::harness::{Client, Server};
use crate::using::{Place, Said, tool};

fn restore(file: &str, directory: &Path, more: &[&str]) -> Said {
    let data = directory.join("data");
    let arguments = ["restore", file, "--data-dir", data.to_str().expect("it is text")];
    tool(&[&arguments[..], more].concat())
}

/// What the node has under the key.
fn get(client: &mut Client, key: &str) -> String {
    client.send(resp(&["GET", key]));
    match client.line().trim_end() {
        "$-1" => "none".to_owned(),
        _ => client.line().trim_end().to_owned(),
    }
}

fn asides(directory: &Path) -> usize {
    let found = fs::read_dir(directory.join("data")).expect("it is there").flatten();
    found.filter(|one| one.file_name().to_string_lossy().starts_with("set-aside-")).count()
}

/// A node whose color is blue, and a backup of when it was green.
fn green_then_blue(place: &Place) -> (Server, Client, String) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, &["SET", "color", "green"]), "+OK");
    let file = place.text("it.db");
    assert_eq!(back_up(&server, &file).code, 0);
    assert_eq!(ask(&mut client, &["SET", "color", "blue"]), "+OK");
    (server, client, file)
}

#[test]
fn a_backup_in_a_new_node_gives_the_same_values_and_expiries() {
    let place = Place::new();
    let server = Server::start(&[]);
    let mut client = server.connect();
    let large = "x".repeat(64 << 20);
    assert_eq!(ask(&mut client, &["SET", "large", &large]), "+OK");
    client.send(b"*3\r\n$3\r\nSET\r\n$4\r\n\xff\x00\r\n\r\n$3\r\n\x00\xfe\n\r\n");
    assert_eq!(client.line(), "+OK\r");
    assert_eq!(ask(&mut client, &["SET", "passing", "soon", "PXAT", "99999999999999"]), "+OK");
    assert_eq!(ask(&mut client, &["SET", "gone", "x"]), "+OK");
    assert_eq!(ask(&mut client, &["DEL", "gone"]), ":1");
    let file = place.text("it.db");
    let said = back_up(&server, &file);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(ask(&mut client, &["SET", "passing", "changed"]), "+OK");

    let new = Place::new();
    let said = restore(&file, new.0.path(), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.text().contains("is restored: 3 keys. Node 0 can be started on it"), "{said:?}");
    let server = Server::start_in(new.0, &[]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, &["DBSIZE"]), ":3");
    assert_eq!(get(&mut client, "passing"), "soon");
    assert_eq!(ask(&mut client, &["PEXPIRETIME", "passing"]), ":99999999999999");
    assert_eq!(get(&mut client, "large").len(), large.len());
    client.send(b"*2\r\n$3\r\nGET\r\n$4\r\n\xff\x00\r\n\r\n");
    assert_eq!(client.line(), "$3\r");
}

#[test]
fn what_is_there_is_kept_and_a_node_that_runs_is_left_alone() {
    let place = Place::new();
    let (server, _client, file) = green_then_blue(&place);
    let itself = server.data_file();
    let said = restore(itself.to_str().expect("it is text"), server.directory.path(), &["--force"]);
    assert!(said.code == 2 && said.err.contains("is the data file of that very directory"), "{said:?}");
    for more in [&[][..], &["--force"], &["--cluster"]] {
        let said = restore(&file, server.directory.path(), more);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("another kvstoreapp uses it"), "{}", said.err);
    }
    let (directory, status) = server.stop();
    assert!(status.success());
    let said = restore(&file, directory.path(), &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("holds data already (backup.db") && said.err.contains("--force"), "{}", said.err);
    let said = restore(&file, directory.path(), &["--id=3"]);
    assert!(said.code == 1 && said.err.contains("is a backup of node 0, and as node 3"), "{said:?}");
    let said = restore(&file, directory.path(), &["--force"]);
    assert!(said.code == 0 && said.text().contains("What was there is in "), "{said:?}");
    let kept = said.text().split_once("What was there is in ").expect("it says where").1;
    let kept = kept.split_once(". Node").expect("a sentence follows").0;
    assert!(Path::new(kept).join("backup.db").exists(), "{kept}");
    let server = Server::start_in(directory, &[]);
    assert_eq!(get(&mut server.connect(), "color"), "green");
}

#[test]
fn a_restore_that_ends_in_between_leaves_the_old_data_or_the_new() {
    let place = Place::new();
    let (server, mut client, file) = green_then_blue(&place);
    assert_eq!(ask(&mut client, &["SAVE"]), "+OK");
    let mut directory = server.kill();
    let begun = |directory: &Path, name: &str| fs::copy(&file, directory.join("data").join(name)).expect("it is there");
    // While it is made, and once it is whole.
    for name in ["backup.db.restoring", "backup.db.restored"] {
        begun(directory.path(), name);
        let server = Server::start_in(directory, &[]);
        assert_eq!(get(&mut server.connect(), "color"), "blue");
        assert!(!server.directory.path().join("data").join(name).exists());
        directory = server.kill();
    }
    // Once the data file is moved aside, but not its log.
    begun(directory.path(), "backup.db.restored");
    let data = directory.path().join("data");
    fs::create_dir(data.join("set-aside-1-0")).expect("it is not there");
    fs::rename(data.join("backup.db"), data.join("set-aside-1-0/backup.db")).expect("it is there");
    assert!(data.join("backup.db-wal").exists());
    let server = Server::start_in(directory, &[]);
    assert_eq!(get(&mut server.connect(), "color"), "green");
    assert!(data.join("set-aside-1-0/backup.db-wal").exists());
    assert_eq!(asides(server.directory.path()), 1);
    assert_eq!(server.log.iter().filter(|line| line.contains("a restore that was under way is completed")).count(), 1);
}

#[test]
fn a_node_alone_goes_back_by_a_restore_for_a_cluster_too_and_what_has_expired_does_not() {
    let place = Place::new();
    let server = Server::start(&[]);
    let mut client = server.connect();
    for (key, value) in [("color", "green"), ("shape", "round")] {
        assert_eq!(ask(&mut client, &["SET", key, value]), "+OK");
    }
    // A backup that takes longer than that does not have it: then once more.
    let file = [1_500, 6_000, 24_000].iter().find_map(|ms| {
        assert_eq!(ask(&mut client, &["SET", "passing", "soon", "PX", &ms.to_string()]), "+OK");
        let file = place.text(&format!("within-{ms}.db"));
        let said = back_up(&server, &file);
        assert_eq!(said.code, 0, "{said:?}");
        said.text().contains(", 3 keys;").then_some(file)
    });
    let file = file.expect("a backup is made in time");
    crate::harness::wait_for("it to pass", || (ask(&mut client, &["EXISTS", "passing"]) == ":0").then_some(()));
    assert_eq!(ask(&mut client, &["SET", "color", "blue"]), "+OK");
    assert_eq!(ask(&mut client, &["SET", "new", "x"]), "+OK");
    assert_eq!(ask(&mut client, &["DEL", "shape"]), ":1");
    let (directory, _) = server.stop();
    let said = restore(&file, directory.path(), &["--cluster"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.text().contains("is restored: 2 keys. 1 more have expired"), "{said:?}");
    let server = Server::start_in(directory, &[]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, &["DBSIZE"]), ":2");
    let values = ["color", "shape", "new", "passing"].map(|key| get(&mut client, key));
    assert_eq!(values, ["green", "round", "none", "none"]);
    assert_eq!(asides(server.directory.path()), 1);
}
