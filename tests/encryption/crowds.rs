//! Crowds that begin a handshake and do not go on.

use std::io::Write;
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::certificates::Authority;
use crate::harness::{Client, Server, command, wait_for};
use crate::talk::{Trust, start};

/// As many as there are descriptors for, up to this.
const CROWD: usize = 10_000;
/// Sockets of clients that are none any more, on a node that is about to close them: of the loop, and of handshakes.
const BEHIND: usize = 8 + 8;
/// Descriptors that a test needs beside.
const OTHERS: u64 = 200;

fn crowd_possible() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(CROWD as u64 + OTHERS).max(limit.current.unwrap_or(u64::MAX));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum });
    // The node needs one for each, too, and one more for each handshake under way.
    let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    CROWD.min(current.saturating_sub(OTHERS + 400) as usize)
}

fn number(client: &mut Client, name: &str) -> usize {
    client.info(name).parse().expect("a number")
}

#[test]
fn handshakes_that_stand_still_cost_the_loop_nothing_and_lock_nobody_out() {
    let authority = Authority::with_node();
    let server = start(&authority.flags_and("node", &["--max-clients=20000", "--snapshot-interval-ms=60000"]));
    let trust = Trust::in_(&authority);
    let mut watcher = server.connect();
    let crowd = crowd_possible();
    assert!(crowd >= 500, "there are too few descriptors: {crowd}");
    let half: Vec<TcpStream> = (0..crowd)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).expect("it listens");
            stream.write_all(b"\x16\x03\x01\x02\x00\x01").expect("it reads");
            stream
        })
        .collect();
    // In the midst of them one that goes on gets in: the newest is next. It may have to come again where the machine is
    // so busy that it stands still itself.
    let mut client = wait_for("a place", || trust.connect(server.address).ok());
    assert_eq!(client.ask("SET color blue").expect("it answers"), "OK");
    wait_for("the loop to have handed over all", || {
        let [one, other] = [(); 2].map(|()| number(&mut watcher, "ticks"));
        (other - one <= 1).then_some(())
    });
    let before = (number(&mut watcher, "ticks"), number(&mut watcher, "tls_handshakes_given_up"));
    const ASKED: usize = 50;
    for _ in 0..ASKED {
        assert_eq!(watcher.ask("GET color"), "blue");
    }
    let after = (number(&mut watcher, "ticks"), number(&mut watcher, "tls_handshakes_given_up"));
    let (ticks, given_up) = (after.0 - before.0, after.1 - before.1);
    println!("{crowd} half-open handshakes: {ticks} ticks for {} requests, {given_up} given up meanwhile", ASKED + 4);
    // A tick for a request, and at most one for what ended meanwhile; some for timers.
    assert!(ticks <= ASKED + 4 + given_up + 20, "{ticks} ticks, {given_up} given up");
    wait_for("all to be given up", || (number(&mut watcher, "tls_handshakes_given_up") >= crowd).then_some(()));
    wait_for("them to be gone", || (number(&mut watcher, "clients") == 2).then_some(()));
    drop(half);
    assert_eq!(client.ask("GET color").expect("it answers"), "blue");
}

#[test]
fn strangers_that_are_pushed_out_in_a_handshake_cost_no_descriptor() {
    const LIMIT: usize = 200;
    const SAVE: &str = "*1\r\n$4\r\nSAVE\r";
    let authority = Authority::with_node();
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    std::fs::write(directory.path().join("password"), "secret").expect("it is writable");
    let flags = authority.flags_and("node", &["--password-file=password", "--snapshot-interval-ms=60000"]);
    let node = command(directory.path(), &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let mut limited = std::process::Command::new("sh");
    let script = format!("ulimit -n {LIMIT} && exec \"$0\" \"$@\"");
    limited.current_dir(directory.path()).arg("-c").arg(script).arg(node.get_program()).args(node.get_args());
    let server = Server::spawn(directory, limited);
    let [mut watcher, mut saver] = [(); 2].map(|()| server.connect());
    assert_eq!((watcher.ask("AUTH secret"), saver.ask("AUTH secret")), ("OK".to_owned(), "OK".to_owned()));
    assert_eq!(saver.ask(SAVE), "+OK\r");
    // One of ten clients may be a stranger; sixteen are more.
    const STRANGERS: usize = 16;
    let own = descriptors(&server);
    let mut crowd = Vec::new();
    for _ in 0..4 * LIMIT {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        // The node has pushed it out already where it waited for long.
        let _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01");
        crowd.push(stream);
        let there = descriptors(&server);
        assert!(there <= own + STRANGERS + BEHIND, "{there} descriptors, {own} before the crowd");
    }
    wait_for("all to have come", || (number(&mut watcher, "clients_accepted") > 4 * LIMIT).then_some(()));
    // All of them are there yet, and so is room for files and for others.
    assert_eq!((watcher.ask("SET color blue"), saver.ask(SAVE)), ("OK".to_owned(), "+OK\r".to_owned()));
    let mut others: Vec<Client> = (0..STRANGERS).map(|_| server.connect()).collect();
    for client in &mut others {
        assert_eq!((client.ask("AUTH secret"), client.ask("GET color")), ("OK".to_owned(), "blue".to_owned()));
    }
    assert!(server.later_lines("cannot accept").is_empty(), "{:?}", server.later_lines("cannot accept"));
    drop(crowd);
    wait_for("all to be closed", || (descriptors(&server) == own + STRANGERS).then_some(()));
}

/// How many the process has open.
fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(server.proc_path("fd")).expect("the process is ours").count()
}
