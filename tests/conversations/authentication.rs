//! Strangers: what they get before they say who they are, in each way to speak, and how they say it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use kvstoreapp::node::{Node, Origin};

use crate::harness::{Server, command};
use crate::place::Place;
use crate::pure::{NOW, node, options, say};
use crate::reply::{request, words};

/// A node whose default user has the password `secret`; client 0 is known to it, client 1 is not.
fn node_with_a_stranger() -> Node {
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    assert_eq!(say(&mut node, 0, &request(&words("CONFIG SET requirepass secret"))), b"+OK\r\n");
    node.open(1, Origin::Loopback, NOW).expect("two are not too many");
    node
}

/// Lines of the stranger, each with its answer behind `=>`.
fn check(talk: &str) {
    let mut node = node_with_a_stranger();
    for line in talk.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        let (said, expected) = line.split_once(" => ").expect("an answer");
        let answer = say(&mut node, 1, format!("{said}\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&answer), format!("{expected}\n"), "{said}");
    }
}

#[test]
fn before_a_line_says_who_it_is_there_is_help_and_nothing_else() {
    check(
        "GET color => ERROR authentication required
         SET color blue => ERROR authentication required
         INFO => ERROR authentication required
         WAIT 0 0 => ERROR authentication required
         NONSENSE => ERROR authentication required
         GET => ERROR authentication required
         PING => PONG
         AUTH => ERROR authentication required
         AUTH wrong => ERROR WRONGPASS invalid username-password pair or user is disabled.
         AUTH nobody secret => ERROR WRONGPASS invalid username-password pair or user is disabled.
         AUTH default secret with more => ERROR WRONGPASS invalid username-password pair or user is disabled.
         GET color => ERROR authentication required
         auth secret => OK
         GET color => KEY NOT FOUND
         NONSENSE => INVALID COMMAND
         AUTH default secret => OK
         QUIT => OK",
    );
    let mut node = node_with_a_stranger();
    let help = say(&mut node, 1, b"HELP\n");
    assert!(help.starts_with(b"SET <key>") && help.windows(5).any(|word| word == b"AUTH "));
}

#[test]
fn an_object_says_who_it_is_by_the_op_auth() {
    let refused = r#""error":{"code":"NOAUTH","message":"Authentication required."},"#;
    let wrong = r#""error":{"code":"WRONGPASS","message":"invalid username-password pair or user is disabled."},"#;
    check(&format!(
        r#"{{"op":"get","key":"color"}} => {{{refused}"ok":false}}
           {{"op":"watch","prefix":"c","id":1}} => {{{refused}"id":1,"ok":false}}
           {{"op":"auth","password":"wrong"}} => {{{wrong}"ok":false}}
           {{"op":"auth","user":"nobody","password":"secret"}} => {{{wrong}"ok":false}}
           {{"op":"auth","id":7}} => {{"error":{{"code":"ERR","message":"the field password is missing"}},"id":7,"ok":false}}
           {{"op":"auth","user":"default","password":"secret","id":7}} => {{"id":7,"ok":true}}
           {{"op":"get","key":"color"}} => {{"ok":true,"value":null}}"#
    ));
    check(r#"{"op":"auth","password":"secret"} => {"ok":true}"#);
}

#[test]
fn who_was_here_before_the_password_stays_and_who_comes_later_says_it() {
    let mut node = node_with_a_stranger();
    let mut ask = |id, text: &str| String::from_utf8(say(&mut node, id, &request(&words(text)))).expect("text");
    assert_eq!(ask(0, "GET color"), "$-1\r\n");
    assert_eq!(ask(1, "GET color"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(ask(0, "CONFIG SET requirepass other"), "+OK\r\n");
    assert_eq!(ask(1, "AUTH secret"), "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_eq!(ask(1, "GET color"), "-NOAUTH Authentication required.\r\n");
    let none = [words("CONFIG SET requirepass"), vec![Vec::new()]].concat();
    assert_eq!(say(&mut node, 0, &request(&none)), b"+OK\r\n");
    assert_eq!(say(&mut node, 1, &request(&words("GET color"))), b"$-1\r\n");
}

#[test]
fn a_password_comes_from_a_file_or_from_the_environment_where_it_does_not_stay() {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("password");
    fs::write(&file, "from a file\r\nand a second line\n").expect("it can be written");
    let server = Server::start(&[&format!("--password-file={}", file.display())]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET color"), "ERROR authentication required");
    assert_eq!(client.ask("AUTH default from a file"), "OK");
    assert_eq!(client.ask("GET color"), "KEY NOT FOUND");

    let directory = tempfile::tempdir().expect("there is room");
    let mut command = command(directory.path(), &[]);
    command.env("KVSTOREAPP_PASSWORD", "from the environment");
    let server = Server::spawn(directory, command);
    let mut client = server.connect();
    assert_eq!(client.ask("GET color"), "ERROR authentication required");
    assert_eq!(client.ask("AUTH default from the environment"), "OK");
    assert_eq!(client.ask("GET color"), "KEY NOT FOUND");
    for name in ["environ", "cmdline"] {
        let text = fs::read(server.proc_path(name)).expect("it can be read");
        assert!(!text.windows(15).any(|part| part == b"the environment"), "{name}: {}", text.escape_ascii());
        assert!(!text.windows(19).any(|part| part == b"KVSTOREAPP_PASSWORD"), "{name}: {}", text.escape_ascii());
    }
}

#[test]
fn a_password_that_others_of_the_machine_may_read_is_warned_of_and_never_shown() {
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        let place = Place::empty();
        let path = place.path("password");
        fs::write(&path, "open sesame").expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let server = place.start(&["--bind=127.0.0.1:0", "--log-level=trace", "--password-file=password"]);
        let warning = format!("the password in password is open to other users of this machine (mode {mode:o})");
        let warned = server.log.iter().filter(|line| line.contains(&warning)).count();
        assert_eq!(warned, usize::from(is_warned), "{:?}", server.log);
        assert!(server.log.iter().all(|line| !line.contains("sesame")));
    }
    // From the environment it comes by a pipe.
    let directory = tempfile::tempdir().expect("there is room");
    let mut command = command(directory.path(), &[]);
    command.env("KVSTOREAPP_PASSWORD", "open sesame");
    let server = Server::spawn(directory, command);
    assert!(server.log.iter().all(|line| !line.contains("WARN")), "{:?}", server.log);
}

#[test]
fn of_a_password_file_no_more_is_read_than_a_password_has() {
    let place = Place::empty();
    for (line, is_taken) in [("x".repeat(512), true), ("x".repeat(513), false)] {
        for end in ["", "\n", "\r\n", "\nmore\n"] {
            fs::write(place.path("password"), format!("{line}{end}")).expect("it can be written");
            match is_taken {
                true => drop(place.answer(&["--check-config", "--password-file=password"])),
                false => place.refused(&["--password-file=password"], &["is longer than 512 bytes"]),
            }
        }
    }
    // It has no end.
    place.refused(&["--password-file=/dev/zero"], &["is longer than 512 bytes"]);
}
