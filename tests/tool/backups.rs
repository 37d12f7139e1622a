//! `kvstoreapp backup`: one moment of a node under load, and what becomes of a backup when something goes wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::harness::sqlite::{assert_is_intact, sqlite3};
use crate::harness::{Client, Over, Server, wait_for};
use crate::using::{Place, Said, flag, tool};

/// Takes a backup of the node.
pub fn back_up(server: &Server, file: &str) -> Said {
    tool(&["backup", "--address", &server.address.to_string(), file])
}

/// A request in RESP.
pub fn resp(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches("\r\n").count() / 2)
}

/// What is asked in RESP and answered in a line.
pub fn ask(client: &mut Client, words: &[&str]) -> String {
    client.send(resp(words));
    client.line().trim_end().to_owned()
}

/// How many of these transactions are answered.
struct Load {
    answered: AtomicUsize,
    is_over: AtomicBool,
}

/// Counts two keys up in one transaction, over and over, and writes others beside, so that commits go to journals.
fn under_load(server: &Server, meanwhile: impl FnOnce(&AtomicUsize)) {
    let load = Load { answered: AtomicUsize::new(0), is_over: AtomicBool::new(false) };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect();
            while !load.is_over.load(Ordering::Acquire) {
                let at = load.answered.load(Ordering::Acquire);
                let beside: String =
                    (0..200).map(|n| resp(&["SET", &format!("beside:{}", at % 7 * 200 + n), "x"])).collect();
                let count =
                    [resp(&["MULTI"]), resp(&["INCR", "one"]), resp(&["INCR", "other"]), resp(&["EXEC"])].concat();
                client.send(beside + &count);
                (0..200 + 6).for_each(|_| drop(client.line()));
                load.answered.store(at + 1, Ordering::Release);
            }
        });
        let _over = Over(&load.is_over);
        wait_for("the load to begin", || (load.answered.load(Ordering::Acquire) > 20).then_some(()));
        meanwhile(&load.answered);
    });
}

fn count(file: &Path, key: &str) -> usize {
    sqlite3(file, &format!("SELECT value FROM kvstore WHERE key = '{key}'")).trim().parse().expect("a number")
}

#[test]
fn a_backup_under_load_is_of_one_moment_and_holds_all_that_was_answered_before() {
    for durability in ["interval", "commit"] {
        let place = Place::new();
        let server = Server::start(&[&format!("--durability={durability}"), "--snapshot-interval-ms=50"]);
        under_load(&server, |answered| {
            for number in 0..3 {
                let before = answered.load(Ordering::Acquire);
                let file = place.text(&format!("{number}.db"));
                let said = back_up(&server, &file);
                assert_eq!((said.code, said.err.as_str()), (0, ""));
                let file = Path::new(&file);
                let [one, other] = ["one", "other"].map(|key| count(file, key));
                assert_eq!(one, other, "a transaction is in it or not");
                assert!(one >= before, "{one} of {before}");
                assert_is_intact(file);
            }
        });
        let found: Vec<_> =
            fs::read_dir(place.0.path()).expect("it is there").flatten().map(|one| one.file_name()).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        let mode = fs::metadata(place.path("0.db")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        wait_for("the log", || (server.later_lines("is done: ").len() == 3).then_some(()));
        assert!(left(&server).is_empty());
    }
}

/// Copies that lie in the data directory, or are open without a name.
fn left(server: &Server) -> Vec<String> {
    let data = server.directory.path().join("data");
    let named = fs::read_dir(data).expect("it is there").flatten().map(|one| one.file_name());
    let open = fs::read_dir(server.proc_path("fd")).expect("it is there").flatten();
    let open = open.filter_map(|one| fs::read_link(one.path()).ok()).map(|path| path.into_os_string());
    let all = named.chain(open).map(|name| name.to_string_lossy().into_owned());
    all.filter(|name| name.contains(".copy-")).collect()
}

#[test]
fn a_file_that_is_there_is_left_alone_unless_it_is_forced() {
    let place = Place::new();
    let server = Server::start(&[]);
    let file = place.file("it.db", "precious");
    let said = back_up(&server, &file);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("is there already: say --force"), "{}", said.err);
    assert_eq!(fs::read(&file).expect("it is there"), b"precious");
    let said = tool(&["backup", "--address", &server.address.to_string(), "--force", &file]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_is_intact(Path::new(&file));
    let said = tool(&["backup", "--address", "127.0.0.1:1", &place.text("none.db")]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("nothing listens there"), "{}", said.err);
    assert!(!place.path("none.db").exists() && !place.path("none.db.part").exists());
}

#[test]
fn a_restored_file_is_as_private_as_its_backup_and_never_everybodys() {
    let place = Place::new();
    let server = Server::start(&[]);
    let file = place.text("it.db");
    assert_eq!(back_up(&server, &file).code, 0);
    for (mode, expected) in [(0o600, 0o600), (0o640, 0o640), (0o644, 0o640), (0o400, 0o600)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is ours");
        for flags in [&[][..], &["--cluster"]] {
            let data = place.text(&format!("data-{mode:o}{}", flags.concat()));
            let said = tool(&[&["restore", &file, "--data-dir", &data], flags].concat());
            assert_eq!(said.code, 0, "{said:?}");
            let made = fs::metadata(Path::new(&data).join("backup.db")).expect("it is there").permissions().mode();
            assert_eq!(made & 0o777, expected, "of {mode:o} {flags:?}");
        }
    }
}

#[test]
fn a_client_that_goes_or_does_not_read_keeps_nothing_and_nobody_waits_for_it() {
    let server = Server::start(&["--snapshot-interval-ms=50"]);
    let mut client = server.connect();
    let value = "x".repeat(1 << 20);
    (0..24).for_each(|n| assert_eq!(ask(&mut client, &["SET", &format!("large:{n}"), &value]), "+OK"));
    assert!(ask(&mut client, &["BACKUP", "READ", "0"]).starts_with("-ERR no backup is under way here"));
    assert!(ask(&mut client, &["BACKUP", "END"]).starts_with("-ERR no backup is under way here"));
    assert!(ask(&mut client, &["BACKUP", "TAPE"]).starts_with("-ERR unknown subcommand"));

    let mut readers: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for reader in &mut readers {
        let bytes = ask(reader, &["BACKUP", "BEGIN"]);
        assert!(bytes[1..].parse::<usize>().expect("a number") > 24 << 20, "{bytes}");
    }
    let refused = ask(&mut client, &["BACKUP", "BEGIN"]);
    assert!(refused.starts_with("-ERR 4 backups are under way"), "{refused}");
    assert_eq!(left(&server).len(), 4, "each has its own, open and without a name");

    // One asks for all of it, twice, and reads nothing.
    let before_kb = server.anonymous_kb();
    let pieces = (0..2).flat_map(|_| 0..190).map(|n| resp(&["BACKUP", "READ", &(n << 17).to_string()]));
    readers[0].send(pieces.collect::<String>());
    for n in 0..200 {
        assert_eq!(ask(&mut client, &["SET", "beside", &n.to_string()]), "+OK");
    }
    let grown_kb = server.anonymous_kb().saturating_sub(before_kb);
    assert!(grown_kb < 12 << 10, "{grown_kb} KiB for 24 MiB that nobody reads");

    // Who begins anew gives up the one before.
    assert!(ask(&mut readers[1], &["BACKUP", "BEGIN"]).starts_with(':'));
    assert!(ask(&mut readers[1], &["BACKUP", "READ", "99999999999"]).starts_with("-ERR the backup has "));
    assert_eq!(ask(&mut readers[1], &["BACKUP", "END"]), "+OK");
    drop(readers);
    wait_for("the copies to go", || left(&server).is_empty().then_some(()));
    wait_for("the log", || (server.later_lines("its client is gone").len() == 4).then_some(()));
    assert!(ask(&mut client, &["BACKUP", "BEGIN"]).starts_with(':'));
}

#[test]
fn what_a_crash_leaves_of_a_copy_goes_at_the_next_start() {
    let server = Server::start(&[]);
    let directory = server.kill();
    let left = directory.path().join("data/backup.db.copy-7");
    fs::write(&left, "half of it").expect("it can be written");
    let _server = Server::start_in(directory, &[]);
    assert!(!left.exists());
}

#[test]
fn who_may_not_take_a_backup_is_told_what_it_needs_and_other_dialects_have_none() {
    let place = Place::new();
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, &["ACL", "SETUSER", "ann", "on", ">pass", "+@all", "-@dangerous", "~*"]), "+OK");
    assert_eq!(ask(&mut client, &["ACL", "SETUSER", "bob", "on", ">pass", "+ping", "+backup", "%R~*"]), "+OK");
    assert_eq!(ask(&mut client, &["ACL", "SETUSER", "eve", "on", ">pass", "+@all", "~app:*"]), "+OK");
    let password = place.file("password", "pass\n");
    let address = server.address.to_string();
    let as_user = |user: &str| {
        tool(&["backup", "--address", &address, "--user", user, "--password-file", &password, &place.text(user)])
    };
    for user in ["ann", "eve"] {
        let said = as_user(user);
        assert_eq!(said.code, 2);
        assert!(said.err.contains("+backup and %R~* are what it needs"), "{}", said.err);
    }
    assert_eq!(as_user("bob").code, 0);
    let mut line = server.connect();
    assert!(line.ask("BACKUP BEGIN").parse::<u64>().is_err());
    assert_eq!(ask(&mut client, &["MULTI"]), "+OK");
    assert!(ask(&mut client, &["BACKUP", "BEGIN"]).contains("not allowed inside a transaction"));
}

#[test]
fn a_backup_comes_by_tls_and_by_a_unix_socket_as_well() {
    let place = Place::new();
    let tls = place.certificates("tls");
    let (cert, key) = (flag("tls-cert", &tls, "node-0.crt"), flag("tls-key", &tls, "node-0.key"));
    let socket = place.text("socket");
    let server = Server::start(&[&cert, &key, "--tls=required", &format!("--unix-socket={socket}")]);
    let ca = flag("tls-ca-file", &tls, "ca.crt");
    let address = server.address.to_string();
    for (number, flags) in [&["--address", &address, &ca][..], &["--address", &socket]].into_iter().enumerate() {
        let file = place.text(&format!("{number}.db"));
        let said = tool(&[&["backup", &file][..], flags].concat());
        assert_eq!(said.code, 0, "{said:?}");
        assert_is_intact(Path::new(&file));
    }
}

#[test]
fn a_file_that_is_no_whole_backup_is_called_so_and_by_what_it_lacks() {
    let place = Place::new();
    let server = Server::start(&[]);
    let mut client = server.connect();
    (0..2_000).for_each(|n| client.send(resp(&["SET", &format!("key:{n}"), &"v".repeat(100)])));
    (0..2_000).for_each(|_| assert_eq!(client.line(), "+OK\r"));
    assert_eq!(ask(&mut client, &["SET", "passing", "v", "PX", "1"]), "+OK");
    let file = place.text("good.db");
    assert_eq!(back_up(&server, &file).code, 0);
    let verify = |file: &str| tool(&["backup", "--verify", file]);
    let said = verify(&file);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.text().contains("is whole: format 4, node 0, taken 20") && said.text().contains("2000 keys"),
        "{said:?}"
    );
    // It may lie where nothing can be written.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("it is ours");
    assert_eq!(verify(&file).code, 0);

    let good = fs::read(&file).expect("it is there");
    let other = place.path("other.db");
    sqlite3(&other, "CREATE TABLE songs(title)");
    let newer = place.path("newer.db");
    fs::write(&newer, &good)
        .and_then(|()| fs::set_permissions(&newer, fs::Permissions::from_mode(0o600)))
        .expect("ours");
    sqlite3(&newer, "PRAGMA user_version = 5");
    let mut damaged = good.clone();
    // A page in the middle is another's.
    let page = good.len() / 2 / 4_096 * 4_096;
    damaged[page..page + 4_096].copy_from_slice(&good[..4_096]);
    for (bytes, expected) in [
        (&good[..good.len() - 100], "cut off: its last page is incomplete"),
        (&good[..good.len() / 2 / 4_096 * 4_096], "is damaged or cut off"),
        (&damaged, "is damaged"),
        (b"", "is empty"),
        (&b"color=green\n".repeat(100)[..], "is no SQLite file"),
        (&fs::read(&other).expect("it is there")[..], "is a database of another program (tables: songs)"),
        (&fs::read(&newer).expect("it is there")[..], "has format 5, but this version knows format 4"),
    ] {
        let said = verify(&place.file("bad.db", bytes));
        assert_eq!(said.code, 1, "{expected}: {said:?}");
        assert!(said.err.contains(expected), "{expected}: {}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        let said = tool(&["restore", &place.text("bad.db"), "--data-dir", &place.text("nowhere")]);
        assert_eq!(said.code, 1);
        assert!(!place.path("nowhere").exists());
    }
    assert!(verify(&place.text("missing.db")).err.contains("cannot be read"));
    // What is not in it is not passed over.
    let beside = place.file("good.db.journal-7", "later");
    assert!(verify(&file).text().contains("later changes are in 1 journals beside it"));
    let said = tool(&["restore", &file, "--data-dir", &place.text("nowhere")]);
    assert!(said.code == 1 && said.err.contains("has 1 journals beside it"), "{said:?}");
    fs::remove_file(beside).expect("it is there");
    // A data file of a node that was stopped, or has crashed, is as good.
    let directory = server.kill();
    let said = verify(directory.path().join("data/backup.db").to_str().expect("it is text"));
    assert!(said.code == 0 && said.text().contains("a data file, last written 20"), "{said:?}");
}
