//! `kvstoreapp watch`: a line a change, none lost with a connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::harness::{PATIENCE, Process, Server, wait_for};
use crate::using::tool;

/// Somebody who watches; lines as they come.
struct Watcher {
    _process: Process,
    lines: std::sync::mpsc::Receiver<String>,
    said: std::sync::mpsc::Receiver<String>,
}

impl Watcher {
    fn start(server: &Server, arguments: &[&str]) -> Watcher {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
        command.arg("watch").args(arguments).args(["--address", &server.address.to_string()]);
        let mut process =
            Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts"));
        let (sender, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(process.stdout.take().expect("it is a pipe"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let (sender, said) = std::sync::mpsc::channel();
        let err = BufReader::new(process.stderr.take().expect("it is a pipe"));
        std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Watcher { _process: process, lines, said }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line comes")
    }

    fn said(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("it says something")
    }

    /// Writes a key until it is seen: from then on all is.
    fn await_begin(&self, server: &Server, key: &str) {
        let mut client = server.connect();
        wait_for("the watch to begin", || {
            client.ask(&format!("SET {key} begin"));
            self.lines.try_recv().ok()
        });
    }
}

#[test]
fn changes_are_shown_a_line_each_and_go_on_after_a_lost_connection() {
    let server = Server::start(&[]);
    let watcher = Watcher::start(&server, &["user:"]);
    watcher.await_begin(&server, "user:0");
    let mut client = server.connect();
    assert_eq!(client.ask("SET user:end 0"), "OK");
    while watcher.line() != "set \"user:end\" \"0\"" {}
    assert_eq!(client.ask("SET order:1 hidden"), "OK");
    assert_eq!(client.ask("SET user:1 Ada Lovelace"), "OK");
    assert_eq!(client.ask("DELETE user:1"), "OK");
    assert_eq!(watcher.line(), "set \"user:1\" \"Ada Lovelace\"");
    assert_eq!(watcher.line(), "delete \"user:1\"");

    // All connections but this one are closed, and what changes until the watcher is back is shown, too.
    let kill = tool(&["cli", "--address", &server.address.to_string(), "CLIENT KILL TYPE normal"]);
    assert_eq!(kill.code, 0, "{kill:?}");
    let mut client = server.connect();
    let requests: Vec<String> = (0..1_000).map(|number| format!("SET user:{} {number}", number % 300)).collect();
    assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
    let mut seen = BTreeMap::new();
    while seen.len() < 300 || seen.iter().any(|(key, value): (&u64, &u64)| value + 300 < 1_000 || value % 300 != *key) {
        let line = watcher.line();
        let words: Vec<&str> = line.split('"').collect();
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        seen.insert(number(&words[1]["user:".len()..]), number(words[3]));
    }
    assert!(watcher.said().contains("closed the connection") && watcher.said().contains("connected again"));
}

#[test]
fn changes_are_json_for_programs_and_begin_where_somebody_says() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let watcher = Watcher::start(&server, &["", "--json"]);
    watcher.await_begin(&server, "a");
    let line = loop {
        client.ask("SET b 1");
        let line = watcher.line();
        if line.contains(r#""key":"b""#) {
            break line;
        }
    };
    let change: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
    assert_eq!((&change["event"], &change["value"]), (&"set".into(), &"1".into()), "{change}");
    let position = change["position"].as_str().expect("it is a text").to_owned();
    client.ask("SET c 2");
    let later = Watcher::start(&server, &["c", "--from", &position]);
    assert_eq!(later.line(), "set \"c\" \"2\"");
    let address = server.address.to_string();
    let said = tool(&["watch", "c", "--from", "18446744073709551615", "--address", &address]);
    assert!(said.code == 1 && said.err.contains("no such position on this node"), "{said:?}");
}

#[test]
fn changes_of_one_database_are_shown_where_it_is_named() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask("SELECT 2"), "OK");
    let watcher = Watcher::start(&server, &["user:", "--db", "2"]);
    wait_for("the watch to begin", || {
        client.ask("SET user:0 begin");
        watcher.lines.try_recv().ok()
    });
    for database in [0, 1, 2] {
        assert_eq!(client.ask(&format!("SELECT {database}")), "OK");
        assert_eq!(client.ask(&format!("SET user:{database} end")), "OK");
    }
    let shown: Vec<String> =
        std::iter::from_fn(|| Some(watcher.line())).take_while(|line| line.contains("user:0")).collect();
    assert!(shown.iter().all(|line| line == "set \"user:0\" \"begin\""), "{shown:?}");
    // The line that ended it was the one of database 2.
    assert_eq!(client.ask("SET user:last 1"), "OK");
    assert_eq!(watcher.line(), "set \"user:last\" \"1\"");
}
