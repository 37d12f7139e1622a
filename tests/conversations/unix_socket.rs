//! The unix socket: a file beside the port, for clients of the same machine.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use kvstoreapp::replication::wire::GREETING;
use tempfile::TempDir;

use crate::harness::{ONE_NODE, PATIENCE, Server, wait_for};
use crate::place::{Place, assert_one_sentence, run};
use crate::reply::{request, words};
use crate::wire::read_to_end;

const FLAG: &str = "--unix-socket=node.sock";

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("node.sock")
}

fn start(arguments: &[&str]) -> Server {
    Server::start(&[&[FLAG], arguments].concat())
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the node serves it");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Sends this while it reads, and returns all that is answered.
fn ask(path: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut writer = connect(path);
    let mut reader = writer.try_clone().expect("a socket can be shared");
    thread::scope(|scope| {
        let answers = scope.spawn(move || read_to_end(&mut reader));
        writer.write_all(bytes).expect("the node reads");
        writer.shutdown(Shutdown::Write).expect("the connection is open");
        answers.join().expect("the reader does not panic")
    })
}

fn ask_text(path: &Path, request: &str) -> String {
    String::from_utf8(ask(path, request.as_bytes())).expect("text")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The command that would serve it in the same directory, with another data directory and port.
fn another(directory: &Path) -> std::process::Output {
    run(directory, &["--id=0", "--bind=127.0.0.1:0", "--data-dir=other", FLAG])
}

#[test]
fn every_dialect_is_spoken_at_the_unix_socket() {
    let server = start(&[]);
    let socket = path(&server.directory);
    assert!(server.log.iter().any(|line| line.ends_with("serving the unix socket node.sock")), "{:?}", server.log);
    assert_eq!(ask_text(&socket, "SET color dark blue\nGET color\n"), "OK\ndark blue\n");
    assert_eq!(ask_text(&socket, "*2\r\n$3\r\nGET\r\n$5\r\ncolor\r\n"), "$9\r\ndark blue\r\n");
    assert_eq!(ask_text(&socket, "{\"op\":\"get\",\"key\":\"color\"}\n"), "{\"ok\":true,\"value\":\"dark blue\"}\n",);
    assert_eq!(server.connect().ask("GET color"), "dark blue", "the port is there beside");
}

#[test]
fn values_of_megabytes_come_and_go_whole_however_slowly_they_are_read() {
    const BYTES: usize = 20_000_000;
    const READS: usize = 5;
    let server = start(&[]);
    let socket = path(&server.directory);
    let value: Vec<u8> = (0..BYTES).map(|at| (at * at % 251) as u8).collect();
    let header = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${BYTES}\r\n");
    assert_eq!(ask(&socket, &[header.as_bytes(), &value, b"\r\n"].concat()), b"+OK\r\n");
    let answer = [format!("${BYTES}\r\n").as_bytes(), &value, b"\r\n"].concat();
    let mut stream = connect(&socket);
    stream.write_all(&b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n".repeat(READS)).expect("the node reads");
    // The socket is full long before; another client is served meanwhile.
    assert_eq!(ask_text(&socket, "PING\n"), "PONG\n");
    let mut answers = vec![0; READS * answer.len()];
    for piece in answers.chunks_mut(10_007) {
        stream.read_exact(piece).expect("the answer comes");
    }
    assert!(answers == answer.repeat(READS));
}

#[test]
fn who_came_by_the_unix_socket_is_seen_in_client_list_as_in_redis() {
    let server = start(&["--unix-socket-mode=750"]);
    let listed = ask_text(&path(&server.directory), "*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n");
    assert!(listed.contains(" addr=node.sock:0 laddr=node.sock:0 "), "{listed}");
    assert!(listed.contains(" flags=U "), "{listed}");
    let config = ask(&path(&server.directory), &request(&words("CONFIG GET unixsocket*")));
    let expected = request(&words("unixsocket node.sock unixsocketperm 750"));
    assert_eq!(String::from_utf8_lossy(&config), String::from_utf8_lossy(&expected));
}

#[test]
fn the_file_has_the_mode_that_is_asked_for_and_goes_with_the_process() {
    for (flags, expected) in
        [(&[][..], 0o700), (&["--unix-socket-mode=777"], 0o777), (&["--unix-socket-mode=0660"], 0o660)]
    {
        let server = start(flags);
        assert_eq!(mode(&path(&server.directory)), expected);
        let data = fs::metadata(server.data_file()).expect("it is there").permissions().mode();
        assert_ne!(data & 0o777, expected, "other files are as the process' umask has it");
        let (directory, status) = server.stop();
        assert_eq!(status.code(), Some(0));
        assert!(!path(&directory).exists());
    }
}

#[test]
fn what_a_killed_process_left_behind_is_replaced() {
    let server = start(&[]);
    let requests = ["SET a b", "SAVE"].map(|text| request(&words(text))).concat();
    assert_eq!(ask(&path(&server.directory), &requests), b"+OK\r\n+OK\r\n");
    let directory = server.kill();
    assert!(fs::symlink_metadata(path(&directory)).expect("it is there").file_type().is_socket());
    let server = Server::start_in(directory, &[FLAG]);
    assert_eq!(ask_text(&path(&server.directory), "GET a\n"), "b\n");
}

#[test]
fn a_socket_that_somebody_serves_stays_theirs() {
    let server = start(&[]);
    let output = another(server.directory.path());
    assert_one_sentence(&output, &["unix socket node.sock", "another process listens there"]);
    assert_eq!(ask_text(&path(&server.directory), "PING\n"), "PONG\n");

    // Also where its queue is full.
    let place = Place::with_config(ONE_NODE);
    let theirs = UnixListener::bind(place.path("node.sock")).expect("the directory is writable");
    rustix::net::listen(&theirs, 0).expect("it is ours");
    let waiting: Vec<UnixStream> = std::iter::from_fn(|| {
        let stream = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::NONBLOCK,
            None,
        );
        let stream = stream.expect("a socket");
        let address = rustix::net::SocketAddrUnix::new(place.path("node.sock")).expect("short enough");
        rustix::net::connect(&stream, &address).is_ok().then(|| stream.into())
    })
    .take(16)
    .collect();
    assert!(!waiting.is_empty() && waiting.len() < 16, "{} wait", waiting.len());
    assert_one_sentence(&another(place.directory.path()), &["unix socket node.sock", "another process listens there"]);
}

#[test]
fn what_cannot_become_the_socket_is_refused_and_left_alone() {
    let place = Place::with_config(ONE_NODE);
    let flags = |flag: &'static str| ["--id=0", "--bind=127.0.0.1:0", "--data-dir=data", flag];
    fs::write(place.path("node.sock"), "notes").expect("the directory is writable");
    place.refused(&flags(FLAG), &["unix socket node.sock", "a file that is no socket"]);
    fs::create_dir(place.path("directory")).expect("the directory is writable");
    place.refused(&flags("--unix-socket=directory"), &["unix socket directory", "a file that is no socket"]);
    place.refused(&flags("--unix-socket=none/node.sock"), &["unix socket none/node.sock", "No such file"]);
    let long = format!("--unix-socket={}", "x".repeat(200));
    place.refused(&["--id=0", "--bind=127.0.0.1:0", &long], &["unix socket xxx", "SUN_LEN"]);
    place.refused(&["--id=0", FLAG, "--unix-socket-mode=8"], &["--unix-socket-mode", "octal digits"]);
    place.refused(&["--id=0", FLAG, "--unix-socket-mode=1777"], &["--unix-socket-mode", "octal digits"]);
    place.refused(&["--id=0", "--unix-socket-mode=700"], &["--unix-socket"]);
}

#[test]
fn a_start_that_fails_leaves_no_socket_behind() {
    let place = Place::with_config(ONE_NODE);
    fs::create_dir(place.path("data")).expect("the directory is writable");
    fs::write(place.path("data/backup.db"), "no database").expect("the directory is writable");
    place.refused(&["--id=0", "--bind=127.0.0.1:0", "--data-dir=data", FLAG], &["backup.db"]);
    // The port is taken: not even begun.
    let taken = TcpListener::bind("127.0.0.1:0").expect("the system has free ports");
    let bind = format!("--bind={}", taken.local_addr().expect("it is bound"));
    place.refused(&["--id=0", &bind, "--data-dir=other", FLAG], &["cannot listen on"]);
}

#[test]
fn another_file_that_was_put_there_is_not_removed_at_the_end() {
    let server = start(&[]);
    let socket = path(&server.directory);
    fs::remove_file(&socket).expect("it is there");
    fs::write(&socket, "notes").expect("the directory is writable");
    let (directory, status) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(fs::read(path(&directory)).expect("it is there"), b"notes");
}

#[test]
fn a_node_that_greets_at_the_unix_socket_is_told_that_it_is_for_clients() {
    let server = start(&[]);
    let said = ask(&path(&server.directory), GREETING);
    assert!(String::from_utf8_lossy(&said).contains("refused by node 0: the unix socket is for clients"), "{said:?}");
    wait_for("the log to say so", || (server.later_lines("the unix socket is for clients").len() == 1).then_some(()));
}

#[test]
fn netcat_and_redis_cli_find_the_node_at_the_unix_socket() {
    let server = start(&[]);
    let shell = |script: &str| {
        let output = Command::new("sh").args(["-c", script]).current_dir(server.directory.path()).output();
        String::from_utf8(output.expect("there is a shell").stdout).expect("text")
    };
    for (tool, script, expected) in [
        ("nc", r"printf 'SET a b\nGET a\n' | nc -N -U node.sock", "OK\nb\n"),
        ("redis-cli", "redis-cli -s node.sock set a c; redis-cli -s node.sock get a", "OK\nc\n"),
        (
            "redis-benchmark",
            "redis-benchmark -s node.sock -n 1000 -t ping_mbulk,set,get -P 16 -q -e | grep -o 'per second' | wc -l",
            "3\n",
        ),
    ] {
        let is_there =
            Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("there is a shell");
        if is_there.status.success() {
            assert_eq!(shell(script), expected, "{tool}");
        } else {
            println!("skipped: there is no {tool} on this machine");
        }
    }
}
