//! Handshakes cut, changed and dripped: the node loses one connection each time, and nothing else.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::certificates::{Authority, Wanted};
use crate::harness::{PATIENCE, Server, wait_for};
use crate::talk::{Talk, Trust, start};

fn hello(trust: &Trust) -> Vec<u8> {
    let mut bytes = Vec::new();
    trust.session("localhost").write_tls(&mut bytes).expect("memory takes it");
    bytes
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    stream.set_nodelay(true).expect("it can be set");
    stream
}

/// Sends all, says that no more comes, and reads to the end.
fn end_after(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(bytes).expect("it reads");
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn is_well(server: &Server, trust: &Trust) {
    assert_eq!(server.connect().ask("GET nothing"), "KEY NOT FOUND");
    let mut client = trust.connect(server.address).expect("it is trusted");
    assert_eq!(client.ask("GET nothing").expect("it answers"), "KEY NOT FOUND");
}

#[test]
fn a_hello_cut_at_every_byte_ends_or_goes_on_there() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    let whole = hello(&trust);
    for cut in 1..whole.len() {
        // It ends there: nothing comes of it but, at most, an alert.
        let answer = end_after(server.address, &whole[..cut]);
        assert!(answer.is_empty() || answer[0] == 0x15, "{cut}: {answer:?}");
    }
    wait_for("all to be gone", || (server.info("clients") == "1").then_some(()));
    for cut in 1..whole.len() {
        // It goes on there, in another segment.
        let mut stream = connect(server.address);
        let mut session = trust.session("localhost");
        let mut bytes = Vec::new();
        session.write_tls(&mut bytes).expect("memory takes it");
        let cut = cut.min(bytes.len() - 1);
        stream.write_all(&bytes[..cut]).expect("it reads");
        stream.write_all(&bytes[cut..]).expect("it reads");
        while session.is_handshaking() {
            session.complete_io(&mut stream).expect("all is right");
        }
        let mut client = Talk(rustls::StreamOwned::new(session, stream));
        assert_eq!(client.ask("GET nothing").expect("it answers"), "KEY NOT FOUND");
    }
    is_well(&server, &trust);
}

#[test]
fn a_handshake_of_64_kib_in_several_messages_is_ended_and_each_of_them_alone_is_not() {
    const LONG: usize = 36 << 10;
    let authority = Authority::with_node();
    authority.sign("client", &Wanted::client("client"));
    let flags = [format!("--tls-client-ca={}", authority.text("ca.crt")), "--tls-client-auth=optional".to_owned()];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = start(&authority.flags_and("node", &flags));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let [short, long] =
            [0, LONG].map(|more| Trust::saying(&[version], &authority, Some((&authority, "client")), more));
        for one in [short.with_long_hello(LONG), long.clone()] {
            let mut client = one.connect(server.address).expect("it may be");
            assert_eq!(client.ask("GET nothing").expect("it answers"), "KEY NOT FOUND");
        }
        let failed = server.info("tls_handshakes_failed");
        let both = long.with_long_hello(LONG);
        // In TLS 1.3 it is done as far as the client sees it.
        let asked = both.connect(server.address).and_then(|mut client| client.ask("GET nothing"));
        assert!(asked.is_err(), "{asked:?}");
        wait_for("it to be counted", || (server.info("tls_handshakes_failed") != failed).then_some(()));
    }
    server.logged("it is longer than 64 KiB");
}

#[test]
fn a_hello_with_any_byte_changed_harms_nobody() {
    let authority = Authority::with_node();
    let server = start(&authority.flags("node"));
    let trust = Trust::in_(&authority);
    let whole = hello(&trust);
    for place in 1..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        end_after(server.address, &changed);
    }
    // What begins as a record does, and is none.
    for bytes in [&[0x16; 70_000][..], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00"] {
        end_after(server.address, bytes);
    }
    is_well(&server, &trust);
}
