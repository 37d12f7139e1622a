//! What a request costs in system calls, counted by `strace` at the running node's loop thread.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::certificates::Authority;
use crate::harness::{Client, Process, Server, wait_for};
use crate::talk::{self, Trust};

const REQUESTS: usize = 1_000;

#[test]
fn a_request_alone_costs_a_wait_a_read_and_a_write() {
    let server = quiet_server();
    let mut client = server.connect();
    let Some(calls) = Calls::during(&server, || {
        for _ in 0..REQUESTS {
            assert_eq!(client.ask("GET a"), "dark blue");
        }
    }) else {
        return println!("skipped: strace may not look at other processes here");
    };
    println!("{REQUESTS} requests one after the other: {calls:?}");
    assert!(calls.total() <= REQUESTS * 32 / 10, "{} system calls for {REQUESTS} requests", calls.total());
    assert!(calls.of(&["read", "recvfrom"]) >= REQUESTS, "strace saw the loop");
}

#[test]
fn requests_that_come_together_share_their_system_calls() {
    const TOGETHER: usize = 16;
    let server = quiet_server();
    let mut client = server.connect();
    let Some(calls) = Calls::during(&server, || {
        for _ in 0..REQUESTS.div_ceil(TOGETHER) {
            client.send("GET a\n".repeat(TOGETHER));
            (0..TOGETHER).for_each(|_| assert_eq!(client.line(), "dark blue"));
        }
    }) else {
        return println!("skipped: strace may not look at other processes here");
    };
    println!("{REQUESTS} requests, {TOGETHER} at a time: {calls:?}");
    assert!(calls.total() <= REQUESTS * 3 / 10, "{} system calls for {REQUESTS} requests", calls.total());
    assert!(calls.of(&["read", "recvfrom"]) >= REQUESTS / TOGETHER, "strace saw the loop");
}

/// As [`quiet_server`], where clients may speak TLS.
fn quiet_server_with_tls() -> (Server, Authority) {
    let authority = Authority::with_node();
    let server = talk::start(&authority.flags_and("node", &["--snapshot-interval-ms=60000"]));
    assert_eq!(server.connect().ask("SET a dark blue"), "OK");
    (server, authority)
}

#[test]
fn a_request_by_tls_costs_a_wait_a_read_and_a_write() {
    let (server, authority) = quiet_server_with_tls();
    let mut client = Trust::in_(&authority).connect(server.address).expect("it is trusted");
    assert_eq!(client.ask("GET a").expect("it answers"), "dark blue");
    let Some(calls) = Calls::during(&server, || {
        for _ in 0..REQUESTS {
            assert_eq!(client.ask("GET a").expect("it answers"), "dark blue");
        }
    }) else {
        return println!("skipped: strace may not look at other processes here");
    };
    println!("{REQUESTS} requests by TLS: {calls:?}");
    assert!(calls.total() <= REQUESTS * 32 / 10, "{} system calls for {REQUESTS} requests", calls.total());
    assert!(calls.of(&["read", "recvfrom"]) >= REQUESTS, "strace saw the loop");
}

#[test]
fn plain_text_costs_no_further_call_where_tls_may_be_spoken() {
    let (server, _authority) = quiet_server_with_tls();
    let Some(calls) = Calls::during(&server, || {
        // The first request of a connection, too.
        let mut client = server.connect();
        for _ in 0..REQUESTS {
            assert_eq!(client.ask("GET a"), "dark blue");
        }
    }) else {
        return println!("skipped: strace may not look at other processes here");
    };
    println!("{REQUESTS} requests in plain text: {calls:?}");
    assert!(calls.total() <= REQUESTS * 32 / 10, "{} system calls for {REQUESTS} requests", calls.total());
}

/// With one key, and no snapshot while we count.
fn quiet_server() -> Server {
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    assert_eq!(server.connect().ask("SET a dark blue"), "OK");
    server
}

/// How often each system call was made.
///
/// The loop reads its thread's processor time, too: not for each request, but where the last reading is half a
/// millisecond old or a tick was longer than one.
#[derive(Debug)]
struct Calls(BTreeMap<String, usize>);

impl Calls {
    /// The calls of the server's loop thread while `work` is done; `None` where nobody may look.
    fn during(server: &Server, work: impl FnOnce()) -> Option<Calls> {
        let path = server.directory.path().join("calls");
        let mut command = Command::new("strace");
        // Without -f it looks at the first thread alone, which is the loop.
        command.args(["-qq", "-e", "signal=none", "-p", &server.child.id().to_string(), "-o"]).arg(&path);
        let mut strace = Process(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        let mut marker = server.connect();
        // The trace has begun when it shows what the loop does for somebody.
        let begun = wait_for("strace to begin", || match strace.try_wait().expect("it is ours") {
            Some(_) => Some(false),
            None => {
                marker_ping(&mut marker);
                lines(&path).iter().any(|line| line.contains("PONG")).then_some(true)
            }
        });
        if !begun {
            return None;
        }
        marker.send("GET begin\n");
        assert_eq!(marker.line(), "KEY NOT FOUND");
        let begun = Instant::now();
        work();
        marker.send("GET finish\n");
        assert_eq!(marker.line(), "KEY NOT FOUND");
        let pid = Pid::from_raw(strace.id().cast_signed()).expect("a process id");
        kill_process(pid, Signal::INT).expect("strace is ours");
        strace.wait().expect("strace is ours");
        let took = begun.elapsed();
        let calls = Calls::between("GET begin", "GET finish", &lines(&path));
        let readings = calls.of(&["clock_gettime"]);
        assert!(readings as u128 <= 3 * took.as_millis() + 3, "{readings} readings of processor time in {took:?}");
        Some(calls)
    }

    /// From the read that brings the one mark to the read that brings the other.
    fn between(begin: &str, finish: &str, lines: &[String]) -> Calls {
        let at = |mark| lines.iter().position(|line| line.contains(mark)).expect("strace saw the mark");
        let mut calls = BTreeMap::new();
        for line in &lines[at(begin)..at(finish)] {
            let name = line.split('(').next().expect("a line has a first part");
            *calls.entry(name.to_owned()).or_default() += 1;
        }
        Calls(calls)
    }

    /// Made for requests.
    fn total(&self) -> usize {
        self.0.values().sum::<usize>() - self.of(&["clock_gettime"])
    }

    fn of(&self, names: &[&str]) -> usize {
        names.iter().filter_map(|&name| self.0.get(name)).sum()
    }
}

fn marker_ping(marker: &mut Client) {
    assert_eq!(marker.ask("PING"), "PONG");
}

fn lines(path: &PathBuf) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}
