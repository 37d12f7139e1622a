//! A service manager, as a node that it starts knows it: a socket that datagrams come to.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{PATIENCE, Server, command, wait_for};

/// What was said, until somebody says that.
fn heard(manager: &UnixDatagram, until: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        heard.push(next(manager));
        if heard.last().is_some_and(|last| last.lines().any(|line| line.starts_with(until))) {
            return heard;
        }
        assert!(heard.len() < 10_000, "nobody says {until}: {heard:?}");
    }
}

fn next(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 4_096];
    let length = manager.recv(&mut buffer).expect("a message comes");
    String::from_utf8(buffer[..length].to_vec()).expect("it is text")
}

/// ... beside how the node is, which it says once in a while.
fn news(manager: &UnixDatagram) -> String {
    let mut messages = std::iter::repeat_with(|| next(manager)).take(1_000);
    messages.find(|message| !message.starts_with("STATUS=node ")).expect("there is something new")
}

/// Binds a socket at a path in the directory.
fn manager_in(directory: &TempDir) -> UnixDatagram {
    let manager = UnixDatagram::bind(directory.path().join("notify")).expect("it can be bound");
    manager.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    manager
}

/// Starts a node that is told where the socket of [`manager_in`] is, and more.
fn start(directory: TempDir, flags: &[&str], environment: &[(&str, &OsStr)]) -> Server {
    let mut command = command(directory.path(), flags);
    command.env("NOTIFY_SOCKET", directory.path().join("notify")).envs(environment.iter().copied());
    Server::spawn(directory, command)
}

#[test]
fn the_manager_is_told_of_the_start_of_reloads_and_of_the_end() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let manager = manager_in(&directory);
    let server = start(directory, &[], &[]);
    let address = server.address;
    let well = |clients: u32| {
        format!("STATUS=node 0 at {address}: ready; 0 of 0 other nodes linked, 0 keys, {clients} clients")
    };
    assert_eq!(news(&manager), "STATUS=reading the data file");
    assert_eq!(news(&manager), "EXTEND_TIMEOUT_USEC=30000000");
    assert_eq!(news(&manager), format!("READY=1\n{}", well(0)));

    server.signal(Signal::HUP);
    let began = news(&manager);
    let lines: Vec<&str> = began.lines().collect();
    let at = lines[1].strip_prefix("MONOTONIC_USEC=").and_then(|at| at.parse::<u64>().ok());
    assert!(lines[0] == "RELOADING=1" && at.is_some_and(|at| at > 0), "{began}");
    assert_eq!(news(&manager), format!("READY=1\n{}", well(0)));
    wait_for("the log to say so", || (server.later_lines("the config file was read again").len() == 1).then_some(()));
    // What is wrong with a file is no reason to be taken for one that reloads for ever.
    std::fs::write(server.directory.path().join("node_config.json"), "[").expect("it is writable");
    server.signal(Signal::HUP);
    assert!(news(&manager).starts_with("RELOADING=1\n"));
    assert_eq!(news(&manager), format!("READY=1\n{}", well(0)));

    let (directory, status) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(news(&manager), "STOPPING=1\nSTATUS=SIGTERM: answering what was received, then saving");
    assert_eq!(news(&manager), "EXTEND_TIMEOUT_USEC=30000000");
    manager.set_nonblocking(true).expect("it can be set");
    assert!(manager.recv(&mut [0; 16]).is_err(), "that was the last");
    drop(directory);
}

#[test]
fn a_socket_may_have_a_name_that_is_no_path_and_the_watchdog_is_that_of_the_process_it_names() {
    let name = format!("kvstoreapp-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("it is short");
    let manager = UnixDatagram::bind_addr(&address).expect("nobody else has it");
    manager.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    for (pid, is_watched) in [("$$", true), ("1", false)] {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let node = command(directory.path(), &[]);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!(r#"WATCHDOG_PID={pid} exec "$@""#)).arg("sh").arg(node.get_program());
        shell.args(node.get_args()).current_dir(directory.path());
        // With a password there the program begins anew: it is the same process.
        shell
            .env("KVSTOREAPP_PASSWORD", "sesame")
            .env("NOTIFY_SOCKET", format!("@{name}"))
            .env("WATCHDOG_USEC", "2000");
        let server = Server::spawn(directory, shell);
        heard(&manager, "READY=1");
        if is_watched {
            assert!(next(&manager).starts_with("WATCHDOG=1\nSTATUS=node 0 at "));
        }
        assert_eq!(server.stop().1.code(), Some(0));
        let end = heard(&manager, "STOPPING=1");
        assert!(is_watched || end.len() == 1, "{end:?}");
        manager.set_nonblocking(true).expect("it can be set");
        while manager.recv(&mut [0; 4_096]).is_ok() {}
        manager.set_nonblocking(false).expect("it can be set");
    }
}

#[test]
fn a_loop_that_stands_still_says_nothing_to_the_watchdog() {
    const STANDS_MS: u64 = 300;
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let manager = manager_in(&directory);
    let server =
        start(directory, &[&format!("--script-time-ms={STANDS_MS}")], &[("WATCHDOG_USEC", OsStr::new("4000"))]);
    heard(&manager, "READY=1");
    let mut client = server.connect();
    // Who looks may be kept from looking, and then sees less than there was: then again.
    let longest = (0..20).map(|_| longest_silence(&manager, &mut client)).find(|longest| longest.as_millis() >= 150);
    assert!(longest.is_some(), "somebody else than the loop says that it lives");
    assert!(next(&manager).starts_with("WATCHDOG=1\n"), "it goes on");
}

/// The longest time between two messages while the loop runs a script that never ends by itself.
fn longest_silence(manager: &UnixDatagram, client: &mut crate::harness::Client) -> Duration {
    assert!(next(manager).starts_with("WATCHDOG=1\n"));
    client.send("*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n");
    let answered = std::thread::scope(|scope| {
        let answer = scope.spawn(|| client.line());
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while !answer.is_finished() {
            next(manager);
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        (longest, answer.join().expect("it is answered"))
    });
    assert!(answered.1.contains("script"), "{}", answered.1);
    answered.0
}

#[test]
fn a_manager_that_is_not_there_is_said_once_and_is_no_reason_not_to_run() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(directory, &[], &[("WATCHDOG_USEC", OsStr::new("4000"))]);
    let said = server.log.iter().filter(|line| line.contains("notify_failed")).count();
    assert_eq!(said, 1, "{:?}", server.log);
    assert_eq!(server.connect().ask("SET a b"), "OK");
    assert_eq!(server.stop().1.code(), Some(0));
}
