//! Where HTTP is served: on the port, at an address of its own, in part, or not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;

use crate::answers::{parse, request};
use crate::harness::{PATIENCE, Server, command, wait_for};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// All that is answered until the node closes the connection.
fn exchange(address: SocketAddr, said: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(said).expect("the node reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the node closes the connection");
    answer
}

fn get(address: SocketAddr, path: &str) -> u16 {
    let answer = exchange(address, &request(&format!("GET {path}"), "Connection: close\r\n", b""));
    parse(&answer, &[])[0].status
}

/// Where HTTP alone is spoken.
fn http_address(server: &Server) -> SocketAddr {
    let found = server.log.iter().find_map(|line| line.split_once("serving HTTP alone at "));
    found.expect("the log says so").1.parse().expect("an address")
}

#[test]
fn what_machines_look_at_is_all_where_it_is_said_so() {
    let server = Server::start(&["--http=metrics"]);
    assert_eq!(["/livez", "/readyz", "/v1/keys", "/login"].map(|path| get(server.address, path)), [200, 200, 404, 404]);
}

#[test]
fn an_address_of_its_own_speaks_nothing_else() {
    let server = Server::start(&["--http-bind=127.0.0.1:0"]);
    let address = http_address(&server);
    assert_eq!([address, server.address].map(|address| get(address, "/v1/keys")), [200, 200]);
    for said in
        ["PING\r\n\r\n", "SET a b\nGET a\n\n", "*1\r\n$4\r\nPING\r\n\r\n", "{\"op\":\"ping\"}\n\n", "KVSTOREAPP\n\n"]
    {
        let answer = exchange(address, said.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 "), "{said:?}: {}", String::from_utf8_lossy(&answer));
        let answers = parse(&answer, &[]);
        assert!(answers.len() == 1 && matches!(answers[0].status, 400 | 501 | 505), "{said:?}: {answers:?}");
    }
    assert_eq!(server.info("keys"), "0");
    assert_eq!(server.connect().ask("PING"), "PONG");
}

#[test]
fn flags_that_say_nothing_are_refused_with_what_was_meant() {
    for (flags, why) in [
        (&["--http=maybe"][..], "invalid value 'maybe'"),
        (&["--http=off", "--http-bind=127.0.0.1"], "--http=off says that there is none"),
        (&["--http-bind=nowhere"], "--http-bind=nowhere is neither an IP address nor IP:port"),
        (&["--http-name=kv.example:5000"], "--http-name=kv.example:5000 is no host's name"),
        (&["--http-name="], "--http-name= is no host's name"),
        (&["--http-origin=app.example"], "--http-origin=app.example is no origin"),
        (&["--http-origin=https://app.example/"], "--http-origin=https://app.example/ is no origin"),
        (&["--http-origin=*"], "--http-origin=* is no origin"),
        (&["--ready-after-s=-1"], "ready-after-s"),
    ] {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let output = command(directory.path(), flags).output().expect("the binary starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{flags:?}: {said}");
    }
}

/// What who keeps a connection sees when the node is asked to end: both come while the node is stopped. The system may
/// give the signal to another thread than the loop's, and the question be first; so it is tried again.
#[test]
fn a_node_that_ends_says_so_to_who_asks_on_a_connection_that_is_there() {
    let answers: Vec<String> = std::iter::repeat_with(answer_at_the_end).take(10).collect();
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 503 ")), "{answers:?}");
}

fn answer_at_the_end() -> String {
    let server = Server::start(&[]);
    let mut probe = connect(server.address);
    let ask = request("GET /readyz", "", b"");
    let mut answer = [0; 4096];
    probe.write_all(&ask).expect("the node reads");
    let count = probe.read(&mut answer).expect("the node answers");
    assert!(answer[..count].starts_with(b"HTTP/1.1 200 "));
    server.signal(Signal::STOP);
    wait_for("the node to stand still", || server.status("State").starts_with('T').then_some(()));
    probe.write_all(&ask).expect("the system takes it");
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    let mut rest = Vec::new();
    probe.read_to_end(&mut rest).expect("the node closes the connection");
    assert!(rest.starts_with(b"HTTP/1.1 "), "{}", rest.escape_ascii());
    assert_eq!(server.wait().1.code(), Some(0));
    String::from_utf8_lossy(&rest).into_owned()
}
