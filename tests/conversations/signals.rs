//! Signals, and a log that nobody takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{Client, Process, Server, command, wait_for};
use crate::wire::{connect, read_to_end};

#[test]
fn sigterm_answers_what_was_received_and_saves_it() {
    ends_well(Signal::TERM);
}

#[test]
fn sigint_answers_what_was_received_and_saves_it() {
    ends_well(Signal::INT);
}

fn ends_well(signal: Signal) {
    // What a socket holds at the least, so that all of it has arrived when the write returns.
    const WRITES: usize = 1_000;
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let mut client = accepted(&server);
    let requests: String = (0..WRITES).map(|number| format!("SET key{number} value {number}\n")).collect();
    assert!(requests.len() < 32 << 10);
    client.write_all(requests.as_bytes()).expect("the node reads");
    server.signal(signal);
    assert!(read_to_end(&mut client) == b"OK\n".repeat(WRITES));
    let (directory, status) = server.wait();
    assert_eq!(status.code(), Some(0));

    let server = Server::start_in(directory, &[]);
    assert!(server.log.iter().any(|line| line.contains(&format!("{WRITES} keys recovered"))), "{:?}", server.log);
    let mut client = server.connect();
    for number in 0..WRITES {
        assert_eq!(client.ask(&format!("GET key{number}")), format!("value {number}"));
    }
}

#[test]
fn under_commit_durability_too_what_was_received_is_answered_at_the_end() {
    let server = Server::start(&["--durability=commit"]);
    let mut client = accepted(&server);
    client.write_all(&b"SET a b\n".repeat(1_000)).expect("the node reads");
    server.signal(Signal::TERM);
    assert!(read_to_end(&mut client) == b"OK\n".repeat(1_000));
    let (directory, status) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(Server::start_in(directory, &[]).connect().ask("GET a"), "b");
}

#[test]
fn clients_that_were_not_accepted_yet_are_answered_at_the_end_too() {
    let server = Server::start(&[]);
    // While the node stands still they can only wait, and are more than it accepts at once.
    stand_still(&server);
    let mut waiting: Vec<TcpStream> = (0..100).map(|_| connect(server.address)).collect();
    for client in &mut waiting {
        client.write_all(b"SET a b\nGET a\n").expect("the kernel takes it");
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    let answered = waiting.iter_mut().filter_map(|client| (read_to_end(client) == b"OK\nb\n").then_some(())).count();
    assert_eq!(answered, 100, "so many of 100 clients were answered");
    assert_eq!(server.wait().1.code(), Some(0));
}

#[test]
fn clients_that_never_stop_and_never_read_do_not_hold_up_the_end() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    assert_eq!(other.ask(&format!("SET big {}", "v".repeat(1_000_000))), "OK");
    let mut never_reads = connect(server.address);
    never_reads.write_all(&b"GET big\n".repeat(100)).expect("the node reads");
    let mut never_stops = connect(server.address);
    let flood = std::thread::spawn(move || while never_stops.write_all(b"PING\n").is_ok() {});
    assert_eq!(other.ask("SET a b"), "OK");
    let (directory, status) = server.stop();
    assert_eq!(status.code(), Some(0));
    flood.join().expect("its end is the connection's");
    assert_eq!(Server::start_in(directory, &[]).connect().ask("GET a"), "b");
}

#[test]
fn a_second_signal_exits_at_once_and_does_not_save() {
    // Where the machine is so slow that the end comes before the second signal, it shows nothing; then again.
    let directory =
        (0..10).find_map(|_| exit_by_second_signal()).expect("the second signal comes in time once in a while");
    assert_eq!(Server::start_in(directory, &[]).connect().ask("GET a"), "KEY NOT FOUND");
}

fn exit_by_second_signal() -> Option<TempDir> {
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a b"), "OK");
    assert_eq!(client.ask(&format!("SET big {}", "v".repeat(1_000_000))), "OK");
    // A client that does not read is waited for, some time.
    client.send(b"GET big\n".repeat(100));
    server.signal(Signal::TERM);
    wait_for("the first to be taken", || {
        (server.later_lines("a second signal exits at once").len() == 1).then_some(())
    });
    server.signal(Signal::INT);
    let (directory, status) = server.wait();
    match status.code() {
        Some(0) => None,
        code => {
            assert_eq!(code, Some(1));
            Some(directory)
        }
    }
}

#[test]
fn sighup_reads_the_config_file_again() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a b"), "OK");
    server.signal(Signal::HUP);
    wait_for("the log to say so", || {
        (server.later_lines("the config file was read again: 1 nodes").len() == 1).then_some(())
    });
    assert_eq!(client.ask("GET a"), "b");
    assert_eq!(server.stop().1.code(), Some(0));
}

#[test]
fn a_connection_that_speaks_http_where_it_is_off_is_logged_with_what_can_be_done() {
    let server = Server::start(&["--http=off"]);
    for _ in 0..20 {
        let mut browser = connect(server.address);
        browser.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a b\n").expect("the node reads");
        assert!(read_to_end(&mut browser).starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    }
    let lines = wait_for("the warning", || Some(server.later_lines("spoke HTTP")).filter(|lines| !lines.is_empty()));
    assert!(lines[0].contains("WARN") && lines[0].contains("bind it to an address"), "{lines:?}");
    assert_eq!(server.info("clients_closed_http"), "20");
    assert_eq!(server.connect().ask("GET a"), "KEY NOT FOUND");
}

#[test]
fn info_is_quiet_under_load() {
    let server = Server::start(&["--snapshot-interval-ms=10"]);
    for number in 0..200 {
        let mut client = server.connect();
        assert_eq!(client.ask(&format!("SET key{number} value")), "OK");
        assert_eq!(client.ask("NONSENSE"), "INVALID COMMAND");
    }
    let later = std::sync::Arc::clone(&server.later);
    assert_eq!(server.stop().1.code(), Some(0));
    let lines = later.lock().expect("no reader panics").clone();
    assert!(lines.len() <= 3, "{lines:?}");
}

#[test]
fn a_log_whose_reader_has_gone_away_does_not_stop_the_node() {
    let mut node = Untended::start();
    drop(node.stdout.take());
    node.talk_until_lines_are_dropped();
    node.stop();
}

#[test]
fn a_log_that_nobody_reads_does_not_stop_the_node_and_says_later_what_it_dropped() {
    let mut node = Untended::start();
    node.talk_until_lines_are_dropped();
    let lines = node.stdout.take().expect("it is still ours").lines();
    let mut text = lines.map_while(Result::ok);
    assert!(text.any(|line| line.contains("log lines were dropped")), "the log ended without a word");
    // Somebody reads on.
    let reader = std::thread::spawn(move || text.for_each(drop));
    node.stop();
    reader.join().expect("the log is text");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let mut node = Untended::start();
    node.talk_until_lines_are_dropped();
    node.stop();
}

/// A connection that the node has taken.
fn accepted(server: &Server) -> TcpStream {
    let mut client = connect(server.address);
    client.write_all(b"PING\n").expect("the node reads");
    client.read_exact(&mut [0; 5]).expect("an answer comes");
    client
}

/// Stops the process until SIGCONT.
fn stand_still(server: &Server) {
    server.signal(Signal::STOP);
    wait_for("the process to stand still", || server.status("State").starts_with('T').then_some(()));
}

/// A node that logs a lot, with its standard output in our hands.
struct Untended {
    child: Process,
    stdout: Option<BufReader<ChildStdout>>,
    address: SocketAddr,
    _directory: TempDir,
}

impl Untended {
    fn start() -> Untended {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let mut command = command(directory.path(), &["--log-level=trace"]);
        let mut child = Process(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let address = loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).expect("its log is text") > 0, "it ended before it listened");
            if let Some((_, address)) = line.trim_end().split_once("listening on ") {
                break address.parse().expect("an address");
            }
        };
        Untended { child, stdout: Some(stdout), address, _directory: directory }
    }

    /// At this log level every connection is a few lines.
    fn talk_until_lines_are_dropped(&self) {
        let mut client = Client::connect(self.address);
        assert_eq!(client.ask("SET a b"), "OK");
        assert_eq!(client.info("log_lines_dropped"), "0");
        let dropped = wait_for("the log to be full", || {
            for _ in 0..200 {
                assert_eq!(Client::connect(self.address).ask("GET a"), "b");
            }
            let dropped: u64 = client.info("log_lines_dropped").parse().expect("a number");
            (dropped > 0).then_some(dropped)
        });
        assert_eq!(Client::connect(self.address).ask("GET a"), "b");
        wait_for("more to be counted", || {
            assert_eq!(Client::connect(self.address).ask("GET a"), "b");
            (client.info("log_lines_dropped").parse::<u64>().expect("a number") > dropped).then_some(())
        });
    }

    fn stop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process id");
        kill_process(pid, Signal::TERM).expect("the process is ours");
        let status = wait_for("the process to end", || self.child.try_wait().expect("it is ours"));
        assert_eq!(status.code(), Some(0));
    }
}
