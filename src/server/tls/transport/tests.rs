use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mio::{Events, Poll, Token};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::*;

/// Turns after which a test gives up.
const TURNS_MAX: usize = 200_000;

/// The two sides of a connection, behind a poll.
struct Pair {
    poll: Poll,
    near: Side,
    far: Side,
}

struct Side {
    transport: TlsTransport,
    socket: Socket,
}

impl Pair {
    /// Strangers.
    fn new(versions: &[&'static rustls::SupportedProtocolVersion]) -> Pair {
        let made = rcgen::generate_simple_self_signed(["here".to_owned()]).expect("it can be made");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("it is one");
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions);
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = server
            .expect("it knows them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("they belong together");
        let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let client = client.expect("it knows them").with_root_certificates(roots).with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let far = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
        let (near, _) = listener.accept().expect("somebody came");
        let poll = Poll::new().expect("a poll");
        let mut token = 0;
        let mut side = |stream: TcpStream, transport| {
            stream.set_nonblocking(true).expect("it is ours");
            let socket = Socket::new(stream);
            socket.register(poll.registry(), Token(token)).expect("it is ours");
            token += 1;
            Side { transport, socket }
        };
        let near = side(near, TlsTransport::server(Arc::new(server)).expect("it may be"));
        let name = ServerName::try_from("here").expect("it is a name");
        let far = side(far, TlsTransport::client(Arc::new(client), name).expect("it may be"));
        Pair { poll, near, far }
    }

    /// Acquainted.
    fn acquainted() -> Pair {
        Pair::speaking(&[&rustls::version::TLS13])
    }

    fn speaking(versions: &[&'static rustls::SupportedProtocolVersion]) -> Pair {
        let mut pair = Pair::new(versions);
        for _ in 0..TURNS_MAX {
            let near = pair.near.transport.shake_hands(&mut pair.near.socket).expect("all is right");
            let far = pair.far.transport.shake_hands(&mut pair.far.socket).expect("all is right");
            if near == Handshake::Done && far == Handshake::Done {
                return pair;
            }
            pair.wait();
        }
        panic!("the handshake does not end");
    }

    /// Until something happens to either.
    fn wait(&mut self) {
        let mut events = Events::with_capacity(8);
        self.poll.poll(&mut events, Some(Duration::from_secs(10))).expect("it can be waited for");
        assert!(!events.is_empty(), "nothing happens any more");
        for event in &events {
            match event.token() {
                Token(0) => self.near.socket.note(event),
                _ => self.far.socket.note(event),
            }
        }
    }

    /// Reads at the near side until so many bytes are there, in pieces of so many at most. Returns the turns it took.
    fn read_near(&mut self, bytes: usize, piece_bytes: usize) -> usize {
        let (mut buffer, mut read) = (vec![0; piece_bytes], 0);
        for turn in 0..TURNS_MAX {
            if read == bytes {
                return turn;
            }
            if !self.near.transport.is_readable(&self.near.socket) {
                self.wait();
            }
            match self.near.receive(&mut buffer) {
                Received::Bytes(count) => read += count,
                Received::Nothing => (),
                Received::End => panic!("an end after {read} bytes"),
                Received::Broken(error) => panic!("{error}"),
            }
        }
        panic!("{read} bytes of {bytes} came");
    }
}

impl Side {
    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.transport.receive(&mut self.socket, buffer)
    }

    fn send(&mut self, bytes: &[u8]) -> usize {
        self.transport.send(&mut self.socket, bytes).expect("the other side is there")
    }
}

#[test]
fn values_of_64_mib_cross_both_ways() {
    for (version, bytes) in [(&rustls::version::TLS13, 64 << 20), (&rustls::version::TLS12, 1 << 20)] {
        let mut pair = Pair::speaking(&[version]);
        let value: Vec<u8> = (0..bytes).map(|place: u32| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (mut sent, mut answered) = (0, 0);
        let (mut here, mut there) = (Vec::with_capacity(value.len()), Vec::with_capacity(value.len()));
        let mut buffer = vec![0; 256 << 10];
        for _ in 0..TURNS_MAX {
            sent += pair.far.send(&value[sent..value.len().min(sent + (256 << 10))]);
            answered += pair.near.send(&value[answered..value.len().min(answered + (256 << 10))]);
            for (side, read) in [(&mut pair.near, &mut here), (&mut pair.far, &mut there)] {
                if let Received::Bytes(count) = side.receive(&mut buffer) {
                    read.extend_from_slice(&buffer[..count]);
                }
            }
            if here.len() == value.len() && there.len() == value.len() {
                break;
            }
            let idle = |side: &Side| !side.transport.is_readable(&side.socket) && !side.socket.is_writable();
            if idle(&pair.near) && idle(&pair.far) {
                pair.wait();
            } else {
                let mut events = Events::with_capacity(8);
                pair.poll.poll(&mut events, Some(Duration::ZERO)).expect("it can be waited for");
                for event in &events {
                    if event.token() == Token(0) { &mut pair.near } else { &mut pair.far }.socket.note(event);
                }
            }
        }
        assert!(here == value && there == value, "{} and {} bytes came", here.len(), there.len());
    }
}

#[test]
fn who_does_not_read_is_held_little_for_and_nothing_is_done_for_it() {
    let mut pair = Pair::acquainted();
    let answer = vec![b'a'; 256 << 10];
    let mut taken = 0;
    for _ in 0..TURNS_MAX {
        taken += pair.near.send(&answer);
        if !pair.near.socket.is_writable() {
            break;
        }
    }
    assert!(pair.near.transport.owes(), "the socket is full");
    let held = pair.near.transport.session.process_new_packets().expect("all is right").tls_bytes_to_write();
    assert!(held <= PIECE_BYTES + 4 * 64, "{held} bytes are held");
    assert_eq!(pair.near.send(&answer), 0);
    assert!(!pair.near.transport.is_readable(&pair.near.socket) && !pair.near.socket.is_writable());

    // It reads after all, and has every byte in order.
    let (mut buffer, mut read) = (vec![0; 64 << 10], 0);
    for _ in 0..TURNS_MAX {
        pair.near.send(&[]);
        if read == taken {
            break;
        }
        match pair.far.receive(&mut buffer) {
            Received::Bytes(count) => {
                assert!(buffer[..count].iter().all(|&byte| byte == b'a'));
                read += count;
            }
            Received::Nothing => pair.wait(),
            Received::End | Received::Broken(_) => panic!("it ended after {read} bytes"),
        }
    }
    assert_eq!(read, taken);
    assert!(!pair.near.transport.owes());
}

#[test]
fn records_of_one_byte_take_turns_as_raw_bytes_do() {
    let mut pair = Pair::acquainted();
    for _ in 0..5_000 {
        assert_eq!(pair.far.send(b"x"), 1);
    }
    // 22 bytes each and 110,000 together, of which a turn takes 16 KiB and what one read more brings.
    let turns = pair.read_near(5_000, 16 << 10);
    assert!(turns >= 110_000 / (20 << 10), "{turns} turns");
}

#[test]
fn what_is_opened_and_does_not_fit_keeps_the_turn() {
    let mut pair = Pair::acquainted();
    assert_eq!(pair.far.send(&[b'r'; 1_000]), 1_000);
    pair.wait();
    let mut buffer = [0; 64];
    let mut read = 0;
    while read < 1_000 {
        assert!(pair.near.transport.is_readable(&pair.near.socket), "{read} bytes were read");
        let Received::Bytes(count) = pair.near.receive(&mut buffer) else { continue };
        read += count;
    }
    assert!(!pair.near.transport.is_readable(&pair.near.socket));
}

#[test]
fn keys_that_change_all_the_time_end_the_connection_and_beside_data_do_not() {
    let mut pair = Pair::acquainted();
    for _ in 0..100 {
        pair.far.transport.session.refresh_traffic_keys().expect("it is TLS 1.3");
        assert_eq!(pair.far.send(b"data"), 4);
    }
    pair.read_near(400, 16 << 10);
    assert!(!pair.near.transport.owes(), "what it answers goes with what it says next");
    assert_eq!(pair.near.send(b"answer"), 6);
    for _ in 0..100 {
        pair.far.transport.session.refresh_traffic_keys().expect("it is TLS 1.3");
    }
    pair.far.transport.flush(&mut pair.far.socket).expect("the other side is there");
    let mut buffer = [0; 1_024];
    for _ in 0..TURNS_MAX {
        match pair.near.receive(&mut buffer) {
            Received::Nothing => pair.wait(),
            Received::Broken(error) => {
                assert!(error.to_string().contains("KeyUpdate"), "{error}");
                return;
            }
            Received::End => panic!("it is no end"),
            Received::Bytes(count) => panic!("{count} bytes came of nothing"),
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn an_end_is_told_once_after_all_bytes_and_answers_still_go_out() {
    let mut pair = Pair::acquainted();
    assert_eq!(pair.far.send(b"last words"), 10);
    pair.far.transport.shut_down(&mut pair.far.socket);
    pair.read_near(10, 4);
    let mut buffer = [0; 64];
    while !pair.near.transport.is_readable(&pair.near.socket) {
        pair.wait();
    }
    assert!(matches!(pair.near.receive(&mut buffer), Received::End));
    assert!(!pair.near.transport.is_readable(&pair.near.socket), "there is nothing more to be told");
    assert_eq!(pair.near.send(b"answer"), 6);
    pair.near.transport.shut_down(&mut pair.near.socket);
    let mut read = Vec::new();
    loop {
        match pair.far.receive(&mut buffer) {
            Received::Bytes(count) => read.extend_from_slice(&buffer[..count]),
            Received::Nothing => pair.wait(),
            Received::End => break,
            Received::Broken(error) => panic!("{error}"),
        }
    }
    assert_eq!(read, b"answer");
    let state = pair.far.transport.session.process_new_packets().expect("all is right");
    assert!(state.peer_has_closed(), "it was said, not only shut");
}

#[test]
fn what_is_no_record_breaks_the_connection_after_what_came_before() {
    let mut pair = Pair::acquainted();
    assert_eq!(pair.far.send(b"good"), 4);
    pair.far.socket.send(b"GET color\r\n").expect("the other side is there");
    let mut buffer = [0; 64];
    let mut read = 0;
    let why = loop {
        match pair.near.receive(&mut buffer) {
            Received::Bytes(count) => read += count,
            Received::Nothing => pair.wait(),
            Received::End => panic!("it is no end"),
            Received::Broken(error) => break error,
        }
    };
    assert_eq!(read, 4);
    assert_eq!(why.kind(), ErrorKind::InvalidData, "{why}");
    // The other side is told.
    let why = loop {
        match pair.far.receive(&mut buffer) {
            Received::Bytes(_) | Received::End => panic!("it is no end"),
            Received::Nothing => pair.wait(),
            Received::Broken(error) => break error.to_string(),
        }
    };
    assert!(why.contains("alert"), "{why}");
}

#[test]
fn a_handshake_goes_on_after_each_byte_and_both_sides_share_a_secret() {
    let mut pair = Pair::new(&[&rustls::version::TLS13]);
    let mut hello = Vec::new();
    pair.far.transport.session.write_tls(&mut hello).expect("memory takes it");
    for &byte in &hello {
        assert_eq!(pair.far.socket.send(&[byte]).expect("the other side is there"), 1);
        while !pair.near.socket.is_readable() {
            pair.wait();
        }
        assert_eq!(pair.near.transport.shake_hands(&mut pair.near.socket).expect("all is right"), Handshake::UnderWay);
    }
    for _ in 0..TURNS_MAX {
        let far = pair.far.transport.shake_hands(&mut pair.far.socket).expect("all is right");
        let near = pair.near.transport.shake_hands(&mut pair.near.socket).expect("all is right");
        if (near, far) == (Handshake::Done, Handshake::Done) {
            break;
        }
        pair.wait();
    }
    let [one, other] =
        [&pair.near, &pair.far].map(|side| side.transport.exported(b"EXPORTER-test").expect("it is done"));
    assert_eq!(one, other);
    assert_eq!(pair.near.transport.certificates().len(), 0);
    assert_eq!(pair.far.transport.certificates().len(), 1);
}

#[test]
fn old_keys_are_not_used_beyond_what_they_are_good_for() {
    let mut pair = Pair::speaking(&[&rustls::version::TLS12]);
    assert_eq!(pair.near.transport.records_left, OLD_RECORDS_MAX);
    pair.near.transport.records_left = 2;
    assert_eq!(pair.near.send(b"one"), 3);
    assert_eq!(pair.near.send(b"two"), 3);
    assert!(pair.near.transport.send(&mut pair.near.socket, b"three").is_err());
}
