//! Where HTTP is served: on the port, at an address of its own, in part, or not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::answers::{parse, request};
use crate::harness::{PATIENCE, Server};

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
