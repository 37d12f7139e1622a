//! `kvstoreapp cli` at a terminal: a pty, and a program that types.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::backups::resp;
use crate::harness::{Client, PATIENCE, Server, wait_for};
use crate::using::Place;

/// Waits for the one and types the other, in turn; returns all that was shown.
fn type_in(place: &Place, arguments: &[&str], steps: &[(&str, &str)]) -> String {
    type_in_with(place, arguments, steps, || ())
}

/// ... after something has happened.
fn type_in_with(place: &Place, arguments: &[&str], steps: &[(&str, &str)], before: impl FnOnce()) -> String {
    before();
    let (code, shown) = shown_to(place, arguments, steps);
    assert_eq!(code, 0, "{shown}");
    shown
}

/// The exit code, 254 for a Ctrl-C, and all that was shown.
fn shown_to(place: &Place, arguments: &[&str], steps: &[(&str, &str)]) -> (i32, String) {
    let steps: Vec<_> = steps.iter().map(|&(expected, typed)| serde_json::json!([expected, typed])).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/clients/terminal.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(serde_json::Value::from(steps).to_string()).arg(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.args(arguments).env("XDG_STATE_HOME", place.0.path()).env_remove("KVSTOREAPP_PASSWORD");
    let output = command.output().expect("python3 is there");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().expect("it ends by itself"), shown)
}

fn history(place: &Place) -> String {
    std::fs::read_to_string(place.path("kvstoreapp/history")).expect("there is a history")
}

#[test]
fn somebody_types_is_helped_and_remembered_without_secrets() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let prompt = format!("{address}> ");
    let shown = type_in(
        &place,
        &["cli", "--address", &address],
        &[
            (&prompt, "SET color \"dark blue\"\r"),
            ("\r\nOK\r\n", "get color\r"),
            ("\"dark blue\"\r\n", "incrbyf\t"),
            // Completed, and what it takes is shown in grey.
            ("incrbyfloat", " "),
            ("\x1b[90mkey increment\x1b[0m", "n 1.5\r"),
            ("\"1.5\"\r\n", "help getrange\r"),
            ("GETRANGE key start end\r\n", "MULTI\r"),
            ("(TX)> ", "INCR n2\r"),
            ("QUEUED\r\n", "EXEC\r"),
            ("1) (integer) 1\r\n", "AUTH default sesame\r"),
            ("OK\r\n", "ACL SETUSER ada on >sesame\r"),
            ("OK\r\n", "GET 'a\r"),
            ("a quote does not end", "nosuch\r"),
            ("(error) ERR unknown command 'nosuch'", "half a line"),
            ("a line", "\x03"),
            (&prompt, "exit\r"),
        ],
    );
    let kept = history(&place);
    assert!(!kept.contains("sesame") && kept.contains("SET color \"dark blue\"") && kept.contains("EXEC"), "{kept}");
    for (path, mode) in [("kvstoreapp/history", 0o600), ("kvstoreapp", 0o700)] {
        let found = place.path(path).metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}: {found:o}; {shown}");
    }
    // What was typed before comes back.
    type_in(&place, &["cli", "--address", &address], &[(&prompt, "\x12color\r"), ("\"dark blue\"\r\n", "\x04")]);
}

#[test]
fn a_status_is_drawn_anew_and_a_bar_says_how_long_it_takes() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let steps = [("\x1b[HOK: the node is alone and well", ""), ("\x1b[J", ""), ("\x1b[HOK: ", "\x03")];
    let (code, shown) = shown_to(&place, &["status", "--watch", "--address", &address], &steps);
    assert_eq!(code, 254, "{shown}");
    let rows: String = (0..20_000).map(|number| format!("{{\"key\":\"key:{number}\",\"value\":\"v\"}}\n")).collect();
    let file = place.file("keys.jsonl", rows);
    let shown = type_in(&place, &["import", &file, "--address", &address], &[]);
    assert!(shown.contains("iB/s, ") && shown.contains("20000 keys imported, 0 had expired"), "{shown}");
    let shown = type_in(&place, &["export", &place.text("out.jsonl"), "--address", &address], &[]);
    assert!(shown.contains(" of 20,000 keys, ") && shown.contains(" left"), "{shown}");
    assert!(shown.contains("20000 keys exported in "), "{shown}");
}

#[test]
fn streams_go_on_until_ctrl_c_and_the_prompt_comes_back() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let prompt = format!("{address}> ");
    let publish = |request: &'static str| {
        let mut client = server.connect();
        std::thread::spawn(move || {
            // Until somebody has heard it, or the test is over.
            let until = std::time::Instant::now() + PATIENCE;
            while std::time::Instant::now() < until {
                client.send(request);
                if client.line() == ":1\r" {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        })
    };
    type_in_with(
        &place,
        &["cli", "--address", &address],
        &[(&prompt, "SUBSCRIBE news\r"), ("3) \"hello\"\r\n", "\x03"), (&prompt, "PING\r"), ("PONG\r\n", "\x04")],
        || drop(publish("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$5\r\nhello\r\n")),
    );
    let shown = type_in(
        &place,
        &["cli", "--address", &address],
        &[
            (&prompt, "WATCH-PREFIX user:\r"),
            ("\"position\":\"", "\x03"),
            (&prompt, "MONITOR\r"),
            ("OK\r\n", "\x03"),
            (&prompt, "PING\r"),
            ("PONG\r\n", "\x04"),
        ],
    );
    assert!(!shown.contains("not connected"), "{shown}");
}

#[test]
fn a_connection_that_is_lost_comes_back_and_a_transaction_does_not() {
    let place = Place::new();
    let server = Server::start(&[]);
    let address = server.address.to_string();
    let prompt = format!("{address}> ");
    let transaction = format!("{address}(TX)> ");
    // A prompt that asks before it has heard of the end cannot know what became of that.
    let (gone, mut other) = (place.text("gone"), server.connect());
    let (file, to) = (gone.clone(), server.address);
    let kill = move || {
        std::thread::spawn(move || {
            wait_for("the prompt's first command", || (other.ask("GET a") == "1").then_some(()));
            other.send(resp(&["CLIENT", "KILL", "TYPE", "normal"]));
            assert_eq!(other.line(), ":1\r");
            // Beside this one and the one that asks.
            wait_for("its connection to be closed", || (Client::connect(to).info("clients") == "2").then_some(()));
            std::fs::write(file, "").expect("it is writable");
        });
    };
    type_in_with(
        &place,
        &["cli", "--address", &address],
        &[
            (&prompt, "SET a 1\r"),
            ("OK\r\n", ""),
            (&gone, "GET a\r"),
            ("connecting again\r\n", ""),
            ("\"1\"\r\n", "MULTI\r"),
            (&transaction, "GET a\r"),
            ("QUEUED\r\n", "DISCARD\r"),
            ("OK\r\n", "\x04"),
        ],
        kill,
    );
    // A node that is not there, and one that was there.
    type_in(
        &place,
        &["cli", "--address", "127.0.0.1:1"],
        &[("does the node run?\r\n", ""), ("not connected> ", "PING\r"), ("does the node run?\r\n", "\x04")],
    );
}

#[test]
fn the_database_is_in_the_prompt_and_is_selected_again_after_a_lost_connection() {
    let place = Place::new();
    let server = Server::start(&["--databases=3"]);
    let address = server.address.to_string();
    let prompt = format!("{address}> ");
    let [one, two] = [1, 2].map(|number| format!("{address}[{number}]> "));
    let transaction = format!("{address}[1](TX)> ");
    let kill = "CLIENT KILL TYPE normal SKIPME no\r";
    type_in(
        &place,
        &["cli", "--address", &address],
        &[
            (&prompt, "SET k zero\r"),
            ("OK\r\n", "SELECT 1\r"),
            (&one, "SET k one\r"),
            ("OK\r\n", kill),
            // Whether it hears of its end before it asks or after it: it has another connection, in the same database.
            ("(integer) ", "GET k\r"),
            (" again", ""),
            (&one, "GET k\r"),
            ("\"one\"\r\n", ""),
            // One that is refused leaves it.
            (&one, "SELECT 3\r"),
            ("out of range\r\n", ""),
            (&one, "SELECT 1\r"),
            // What a transaction selects is so once it is executed, as far as it was.
            (&one, "MULTI\r"),
            (&transaction, "SELECT 2\r"),
            ("QUEUED\r\n", ""),
            (&transaction, "DISCARD\r"),
            (&one, "MULTI\r"),
            (&transaction, "SELECT 2\r"),
            ("QUEUED\r\n", "SELECT 3\r"),
            ("QUEUED\r\n", "EXEC\r"),
            (&two, kill),
            ("(integer) ", "DBSIZE\r"),
            (" again", ""),
            (&two, "DBSIZE\r"),
            ("(integer) 0\r\n", ""),
            (&two, "RESET\r"),
            (&prompt, "GET k\r"),
            ("\"zero\"\r\n", "\x04"),
        ],
    );
    let said = type_in(&place, &["cli", "-n", "1", "--address", &address], &[(&one, "GET k\r"), ("\"one\"", "\x04")]);
    assert!(!said.contains("zero"), "{said}");
}
