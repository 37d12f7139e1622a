//! The file of users: read at the start, again when somebody asks for it, and written.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Client, Server, command, make_pipe, wait_for};
use crate::place::Place;

const BEGIN: &str = "user default on nopass ~* &* +@all\nuser ann on >secret ~a* +@read\nuser bob on nopass +ping\n";

/// A node whose users come from a file with this text.
fn start(text: &str) -> (Server, PathBuf) {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("users.acl");
    fs::write(&file, text).expect("it can be written");
    let server = Server::start_in(directory, &["--acl-file=users.acl", "--dialect=resp"]);
    (server, file)
}

/// One line of an answer in RESP.
fn ask(client: &mut Client, request: &str) -> String {
    client.ask(request).trim_end().to_owned()
}

/// A client that is this user.
fn client_of(server: &Server, user: &str) -> Client {
    let mut client = server.connect();
    assert_eq!(ask(&mut client, &format!("AUTH {user} secret")), "+OK");
    client
}

#[test]
fn a_file_is_read_at_the_start_and_again_and_who_is_gone_is_disconnected() {
    let (server, file) = start(BEGIN);
    let (mut admin, mut ann, bob) = (server.connect(), client_of(&server, "ann"), client_of(&server, "bob"));
    assert_eq!(ask(&mut ann, "GET a"), "$-1");
    assert_eq!(ask(&mut ann, "SET a 1"), "-NOPERM User ann has no permissions to run the 'set' command");

    fs::write(&file, "user ann on >secret ~a* +set\n").expect("it can be written");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
    assert_eq!(bob.finish(), b"", "bob is none of the users");
    assert_eq!(ask(&mut ann, "SET a 1"), "+OK");
    assert_eq!(ask(&mut ann, "GET a"), "-NOPERM User ann has no permissions to run the 'get' command");
    assert_eq!(ask(&mut admin, "ACL WHOAMI"), "$7");
    assert_eq!(admin.line().trim_end(), "default");

    fs::write(&file, BEGIN).expect("it can be written");
    server.signal(Signal::HUP);
    wait_for("bob to be back", || (ask(&mut server.connect(), "AUTH bob x") == "+OK").then_some(()));
    assert_eq!(ask(&mut ann, "GET a"), "$1");
}

#[test]
fn a_file_with_a_line_that_is_wrong_changes_nothing_and_the_line_is_named() {
    let (server, file) = start(BEGIN);
    let (mut admin, mut bob) = (server.connect(), client_of(&server, "bob"));
    fs::write(&file, "user ann on nopass +@all\nuser bob on +nosuch\nuser eve on #secret\n")
        .expect("it can be written");
    let why = "users.acl:2: Error in applying operation '+nosuch': Unknown command or category name in ACL. users.acl:3: \
               The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters. \
               WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    assert_eq!(ask(&mut admin, "ACL LOAD"), format!("-ERR {why}"));
    assert_eq!(ask(&mut bob, "PING"), "+PONG");
    assert_eq!(ask(&mut admin, "AUTH ann any"), "-WRONGPASS invalid username-password pair or user is disabled.");
    server.signal(Signal::HUP);
    wait_for("the log to say so", || server.later_lines("users.acl:2: Error in applying").get(1).cloned());
    fs::remove_file(&file).expect("it is there");
    let gone = "-ERR Error loading ACLs, opening file 'users.acl': No such file or directory (os error 2)";
    assert_eq!(ask(&mut admin, "ACL LOAD"), gone);
    assert_eq!(ask(&mut bob, "PING"), "+PONG");
}

#[test]
fn no_user_has_a_name_that_the_file_could_not_have() {
    let (server, _) = start(BEGIN);
    let mut admin = server.connect();
    for name in [r#""""#, r#"" ""#, r#""a b""#, r#""a\tb""#, r#""a\nb""#, r#""a\x0bb""#, r#""a\x00b""#] {
        let told = ask(&mut admin, &format!("ACL SETUSER {name} on"));
        let why = if name == r#""""# { "can't be empty" } else { "can't contain spaces or null characters" };
        assert_eq!(told, format!("-ERR Usernames {why}"), "{name}");
    }
    assert_eq!(ask(&mut admin, r#"ACL SETUSER "\xff#'(" on"#), "+OK");
    assert_eq!(ask(&mut admin, "ACL SAVE"), "+OK");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
}

#[test]
fn users_are_saved_so_that_nobody_else_can_read_them_and_come_back_after_a_restart() {
    use std::os::unix::fs::PermissionsExt;
    let (server, file) = start(BEGIN);
    let mut admin = server.connect();
    assert_eq!(ask(&mut admin, "ACL SETUSER eve on >secret ~e* resetchannels &e +@all -@dangerous (+get ~a)"), "+OK");
    assert_eq!(ask(&mut admin, "ACL SAVE"), "+OK");
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let expected = format!(
        "user ann on sanitize-payload #{hash} ~a* resetchannels -@all +@read\n\
         user bob on nopass sanitize-payload resetchannels -@all +ping\n\
         user default on nopass sanitize-payload ~* &* +@all\n\
         user eve on sanitize-payload #{hash} ~e* resetchannels &e +@all -@dangerous (~a resetchannels -@all +get)\n"
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), expected);
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let beside = fs::read_dir(file.parent().expect("a directory")).expect("it can be read");
    let beside =
        beside.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".tmp-")));
    assert_eq!(beside.count(), 0, "nothing is left beside it");
    let (directory, status): (TempDir, _) = server.stop();
    assert!(status.success());
    let server = Server::start_in(directory, &["--acl-file=users.acl", "--dialect=resp"]);
    assert_eq!(ask(&mut client_of(&server, "eve"), "GET a"), "$-1");
    fs::remove_file(&file).expect("it is there");
    fs::create_dir(&file).expect("there is room");
    let refused = "-ERR There was an error trying to save the ACLs. Please check the server logs for more information";
    assert_eq!(ask(&mut server.connect(), "ACL SAVE"), refused);
}

#[test]
fn a_link_that_lies_where_a_file_is_written_first_is_not_followed() {
    let (server, file) = start(BEGIN);
    let other = server.directory.path().join("other");
    fs::write(&other, "of somebody else").expect("it can be written");
    let beside = server.directory.path().join(format!("users.acl.tmp-{}", server.child.id()));
    std::os::unix::fs::symlink(&other, &beside).expect("there is room");
    assert_eq!(ask(&mut server.connect(), "ACL SAVE"), "+OK");
    assert_eq!(fs::read_to_string(&other).expect("it is there"), "of somebody else");
    assert!(fs::symlink_metadata(&file).expect("it is there").is_file());
    assert!(fs::symlink_metadata(&beside).expect("it is there").is_symlink(), "it is not ours");
}

#[test]
fn a_pipe_in_the_place_of_the_file_is_no_file_and_holds_nothing_up() {
    let (server, file) = start(BEGIN);
    let mut admin = server.connect();
    fs::remove_file(&file).expect("it is there");
    make_pipe(&file);
    let refused = ask(&mut admin, "ACL LOAD");
    assert_eq!(refused, "-ERR Error loading ACLs, opening file 'users.acl': it is no regular file");
    fs::remove_file(&file).expect("it is there");
    fs::write(&file, BEGIN).expect("it can be written");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
}

#[test]
fn a_start_with_a_file_that_is_wrong_fails_and_names_the_line() {
    let directory = tempfile::tempdir().expect("there is room");
    fs::write(directory.path().join("users.acl"), "user ann on\n\nusr bob on\n").expect("it can be written");
    let output = command(directory.path(), &["--acl-file=users.acl"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("users.acl:3 should start with user keyword followed by the username."), "{said}");
}

#[test]
fn a_file_that_is_read_again_does_not_open_a_node_by_not_naming_the_default_user() {
    let (server, file) = start("user default off\nuser admin on >secret +@all ~*\n");
    let mut admin = client_of(&server, "admin");
    for text in ["", "\n\n", "user admin on >secret +@all ~*\n"] {
        fs::write(&file, text).expect("it can be written");
        let refused = ask(&mut admin, "ACL LOAD");
        let why = "-ERR users.acl has no line for the user default, and without one that user needs no password";
        assert!(refused.starts_with(why) && refused.contains("'user default off'"), "{text:?}: {refused}");
        assert_eq!(ask(&mut admin, "ACL WHOAMI"), "$5");
        assert_eq!(admin.line().trim_end(), "admin");
        assert_eq!(ask(&mut server.connect(), "GET a"), "-NOAUTH Authentication required.");
    }
    server.signal(Signal::HUP);
    wait_for("the log to say so", || server.later_lines("users.acl has no line for the user default").get(3).cloned());
    assert_eq!(ask(&mut server.connect(), "GET a"), "-NOAUTH Authentication required.");
    // Who says so may have it.
    fs::write(&file, "user default on nopass ~* +@all\n").expect("it can be written");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
    assert_eq!(ask(&mut server.connect(), "GET a"), "$-1");
    // It was open before.
    fs::write(&file, "").expect("it can be written");
    assert_eq!(ask(&mut server.connect(), "ACL LOAD"), "+OK");
    assert_eq!(ask(&mut server.connect(), "GET a"), "$-1");
}

#[test]
fn a_file_that_does_not_name_the_default_user_is_warned_of_at_the_start_and_a_password_keeps_it() {
    let warned = |server: &Server| {
        let lines = server.log.iter().filter(|line| line.contains("users.acl has no line for the user default"));
        lines.count()
    };
    let (server, _) = start("user ann on >secret ~a* +@read\n");
    assert_eq!(warned(&server), 1, "{:?}", server.log);
    assert_eq!(ask(&mut server.connect(), "GET a"), "$-1");
    let (server, _) = start(BEGIN);
    assert_eq!(warned(&server), 0, "{:?}", server.log);

    let place = Place::with_config(crate::harness::ONE_NODE);
    fs::write(place.path("password"), "sesame\n").expect("it can be written");
    fs::write(place.path("users.acl"), "user ann on >secret ~a* +@read\n").expect("it can be written");
    let flags = ["--acl-file=users.acl", "--password-file=password", "--dialect=resp"];
    let server = Server::start_in(place.directory, &flags);
    assert_eq!(warned(&server), 0, "{:?}", server.log);
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "GET a"), "-NOAUTH Authentication required.");
    assert_eq!(ask(&mut client, "AUTH sesame"), "+OK");
    assert_eq!(ask(&mut client, "ACL LOAD"), "+OK", "it is protected by the password");
    assert_eq!(ask(&mut server.connect(), "GET a"), "-NOAUTH Authentication required.");
}

#[test]
fn a_password_that_the_file_does_not_ask_the_default_user_for_is_a_mistake() {
    let place = Place::with_config(crate::harness::ONE_NODE);
    fs::write(place.path("password"), "secret\n").expect("it can be written");
    let flags = ["--id=0", "--bind=127.0.0.1:0", "--acl-file=users.acl", "--password-file=password"];
    for (line, why) in [
        ("user default on nopass ~* +@all", "needs no password there (nopass)"),
        ("user default off", "is off there"),
        ("user default on >other ~* +@all", "has another password there"),
    ] {
        fs::write(place.path("users.acl"), line).expect("it can be written");
        let says = ["users.acl", why, "--password-file", "KVSTOREAPP_PASSWORD", "leave out"];
        place.refused(&flags, &says);
        place.refused(&[&flags[..], &["--check-config"]].concat(), &says);
    }
    fs::write(place.path("users.acl"), "user default on >secret ~* +@all").expect("it can be written");
    let server = Server::start_in(place.directory, &[&flags[2..], &["--dialect=resp"]].concat());
    let mut admin = client_of(&server, "default");
    let file = server.directory.path().join("users.acl");
    fs::write(&file, "user default on nopass ~* +@all").expect("it can be written");
    let refused = ask(&mut admin, "ACL LOAD");
    assert!(refused.starts_with("-ERR users.acl: the user default needs no password there (nopass)"), "{refused}");
    assert_eq!(ask(&mut server.connect(), "GET a"), "-NOAUTH Authentication required.");
    // That opens nothing, but the next start would not have it.
    fs::write(&file, "user default on >other >secret ~* +@all\nuser bob off").expect("it can be written");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
    assert!(server.later_lines("WARN  [").is_empty(), "{:?}", server.later);
    fs::write(&file, "user default on >other ~* +@all").expect("it can be written");
    assert_eq!(ask(&mut admin, "ACL LOAD"), "+OK");
    let warning = "users.acl: the user default has another password there";
    wait_for("the log to warn", || server.later_lines(warning).first().cloned());
}
