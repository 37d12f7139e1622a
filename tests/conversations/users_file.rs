//! The file of users: read at the start, again when somebody asks for it, and written.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Client, Server, command, wait_for};

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
fn a_start_with_a_file_that_is_wrong_fails_and_names_the_line() {
    let directory = tempfile::tempdir().expect("there is room");
    fs::write(directory.path().join("users.acl"), "user ann on\n\nusr bob on\n").expect("it can be written");
    let output = command(directory.path(), &["--acl-file=users.acl"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("users.acl:3 should start with user keyword followed by the username."), "{said}");
}
