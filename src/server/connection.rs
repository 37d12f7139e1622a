//! One connection: a socket, the transport that the conversation's bytes go through, and what is to be done next.

use std::io::Result;
use std::os::fd::OwnedFd;

use mio::event::Event;

use super::carrier::Carrier;
use super::socket::{Received, Socket};
use super::tls::TlsTransport;
use super::transport::{Plain, Transport};

/// Read of what comes after the last answer.
const PARTING_BYTES: usize = 4 << 10;

/// See the module.
pub(super) struct Connection<T = Carrier> {
    socket: Socket,
    transport: T,
    /// Whether the server's list of connections to be served holds it.
    pub(super) queued: bool,
    /// When to look next whether the client is idle, in monotonic microseconds.
    pub(super) idle_us: u64,
}

/// What a connection needs after its turn to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another turn to write.
    Write,
    /// Nothing before something happens to it.
    Wait,
    /// Room in its socket for what it is owed, which the other side makes by reading.
    WaitForRoom,
    /// Its end: all is said, and the socket has all of it.
    End,
}

impl Connection {
    pub(super) fn new(stream: impl Into<OwnedFd>, idle_us: u64) -> Connection {
        Connection::through(Carrier::Plain(Plain), Socket::new(stream), idle_us)
    }

    /// One that is being set up.
    pub(super) fn dialing(stream: impl Into<OwnedFd>) -> Connection {
        Connection::through(Carrier::Plain(Plain), Socket::dialing(stream), 0)
    }

    /// One that is set up and encrypted.
    pub(super) fn encrypted(stream: impl Into<OwnedFd>, transport: Box<TlsTransport>) -> Connection {
        Connection::through(Carrier::Tls(transport), Socket::new(stream), 0)
    }

    /// What carries its bytes.
    pub(super) fn carrier(&mut self) -> &mut Carrier {
        &mut self.transport
    }
}

impl<T: Transport> Connection<T> {
    pub(super) fn through(transport: T, socket: Socket, idle_us: u64) -> Connection<T> {
        Connection { socket, transport, queued: false, idle_us }
    }

    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Returns whether it may be written to where it could not before.
    pub(super) fn note(&mut self, event: &Event) -> bool {
        let was_writable = self.socket.is_writable();
        self.socket.note(event);
        !was_writable && self.socket.is_writable()
    }

    /// Reads once.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        self.transport.receive(&mut self.socket, buffer)
    }

    /// Writes once: what the transport holds, then these bytes. How many of these were taken; an error says that the
    /// connection is broken.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize> {
        self.transport.send(&mut self.socket, bytes)
    }

    /// All is said. What has come meanwhile is read, as the system would take a close before that for a reset, and the
    /// other side might not get the last answer.
    pub(super) fn part(&mut self) {
        self.transport.shut_down(&mut self.socket);
        self.socket.receive(&mut [0; PARTING_BYTES]);
    }

    /// Whether a read may bring something.
    pub(super) fn is_readable(&self) -> bool {
        self.transport.is_readable(&self.socket)
    }

    /// Whether the other side is owed something: these bytes of the conversation, or what the transport holds.
    pub(super) fn owes(&self, sendable: &[u8]) -> bool {
        !sendable.is_empty() || self.transport.owes()
    }

    /// Whether the transport can write by itself: a read may have brought what it answers.
    pub(super) fn has_own_bytes(&self) -> bool {
        self.transport.owes() && self.socket.is_writable()
    }

    /// What comes after a turn to write: `sendable` is what is left of the conversation's bytes, `is_over` says that none
    /// come after them.
    pub(super) fn next(&self, sendable: &[u8], is_over: bool) -> Next {
        match (self.owes(sendable), self.socket.is_writable()) {
            (false, _) if is_over => Next::End,
            (true, true) => Next::Write,
            (true, false) => Next::WaitForRoom,
            (false, _) => Next::Wait,
        }
    }

    /// Of the other side and of this one.
    pub(super) fn addresses(&self) -> Option<(String, String)> {
        self.socket.addresses()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    /// Bytes of the conversation in one record.
    const RECORD_BYTES: usize = 200;
    /// Turns after which a test gives up.
    const TURNS_MAX: usize = 10_000;

    /// Records of a length, and so many bytes turned around; one of no length asks for an answer of its own. Raw bytes
    /// say nothing of how many of the conversation's are in them, and both lie here for a while.
    #[derive(Default)]
    struct Records {
        raw: Vec<u8>,
        read: Vec<u8>,
        unsent: Vec<u8>,
    }

    impl Records {
        fn flush(&mut self, socket: &mut Socket) -> Result<()> {
            if !self.unsent.is_empty() {
                let count = socket.send(&self.unsent)?;
                self.unsent.drain(..count);
            }
            Ok(())
        }
    }

    impl Transport for Records {
        fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received {
            if self.read.is_empty() {
                let mut raw = [0; 1_000];
                match socket.receive(&mut raw) {
                    Received::Bytes(count) => self.raw.extend_from_slice(&raw[..count]),
                    other => return other,
                }
                while let Some(&len) = self.raw.first().filter(|&&len| self.raw.len() > usize::from(len)) {
                    let record: Vec<u8> = self.raw.drain(..=usize::from(len)).collect();
                    self.read.extend(record[1..].iter().map(|byte| !byte));
                    if len == 0 {
                        self.unsent.extend(sealed(b"pong"));
                    }
                }
            }
            let count = self.read.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.read[..count]);
            self.read.drain(..count);
            if count == 0 { Received::Nothing } else { Received::Bytes(count) }
        }

        fn is_readable(&self, socket: &Socket) -> bool {
            !self.read.is_empty() || socket.is_readable()
        }

        fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Result<usize> {
            self.flush(socket)?;
            if !self.unsent.is_empty() {
                return Ok(0);
            }
            self.unsent.extend(sealed(bytes));
            self.flush(socket)?;
            Ok(bytes.len())
        }

        fn owes(&self) -> bool {
            !self.unsent.is_empty()
        }

        fn shut_down(&mut self, socket: &mut Socket) {
            socket.shut_down();
        }
    }

    fn sealed(bytes: &[u8]) -> Vec<u8> {
        let record =
            |bytes: &[u8]| [&[bytes.len() as u8][..], &bytes.iter().map(|byte| !byte).collect::<Vec<_>>()].concat();
        bytes.chunks(RECORD_BYTES).flat_map(record).collect()
    }

    /// A connection behind a poll, and the other side of it.
    struct Place {
        poll: Poll,
        connection: Connection<Records>,
        other: Connection,
    }

    impl Place {
        fn new() -> Place {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("it has one");
            let one = std::net::TcpStream::connect(address).expect("it listens");
            let (other, _) = listener.accept().expect("somebody came");
            let poll = Poll::new().expect("a poll");
            let [one, other] = [one, other].map(|stream| {
                stream.set_nonblocking(true).expect("it is ours");
                stream
            });
            let place = Place {
                poll,
                connection: Connection::through(Records::default(), Socket::new(one), 0),
                other: Connection::new(other, 0),
            };
            for (token, socket) in [(0, &place.connection.socket), (1, &place.other.socket)] {
                socket.register(place.poll.registry(), Token(token)).expect("it is ours");
            }
            place
        }

        /// Until something happens to either.
        fn wait(&mut self) {
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(Duration::from_secs(10))).expect("it can be waited for");
            assert!(!events.is_empty(), "nothing happens any more");
            for event in &events {
                match event.token() {
                    Token(0) => self.connection.note(event),
                    _ => self.other.note(event),
                };
            }
        }

        /// What the other side has been sent: some more of it, or that it was all.
        fn read_other(&mut self, read: &mut Vec<u8>) -> bool {
            let mut buffer = [0; 64 << 10];
            while self.other.is_readable() {
                match self.other.receive(&mut buffer) {
                    Received::Bytes(count) => read.extend_from_slice(&buffer[..count]),
                    Received::End => return true,
                    Received::Nothing => (),
                    Received::Broken(error) => panic!("{error}"),
                }
            }
            false
        }

        fn receive(&mut self, buffer_bytes: usize) -> Vec<u8> {
            let mut buffer = vec![0; buffer_bytes];
            match self.connection.receive(&mut buffer) {
                Received::Bytes(count) => buffer.truncate(count),
                Received::Nothing => buffer.clear(),
                Received::End => panic!("the other side is there"),
                Received::Broken(error) => panic!("{error}"),
            }
            buffer
        }
    }

    #[test]
    fn a_connection_is_not_over_while_its_transport_holds_bytes() {
        let mut place = Place::new();
        let answer = vec![b'a'; 64 << 10];
        let mut taken = 0;
        // Until the socket is full and the transport holds the rest of a write.
        for _ in 0..TURNS_MAX {
            let Place { connection, .. } = &mut place;
            taken += connection.send(&answer).expect("the other side is there");
            if connection.next(&answer, false) == Next::WaitForRoom {
                break;
            }
        }
        let held = place.connection.transport.unsent.len();
        assert!(held > 0 && held < 2 * answer.len(), "{held} bytes are held");
        assert_eq!(place.connection.send(&answer).expect("the other side is there"), 0);
        assert_eq!(place.connection.transport.unsent.len(), held);
        // The conversation has nothing left to say, but that is not the end.
        assert!(place.connection.owes(&[]));
        assert_eq!(place.connection.next(&[], true), Next::WaitForRoom);

        let mut read = Vec::new();
        for _ in 0..TURNS_MAX {
            let ended = place.read_other(&mut read);
            assert!(!ended, "all is sent before the end");
            if place.connection.has_own_bytes() {
                assert_eq!(place.connection.next(&[], true), Next::Write);
                assert_eq!(place.connection.send(&[]).expect("the other side is there"), 0);
            }
            if place.connection.next(&[], true) == Next::End {
                break;
            }
            place.wait();
        }
        assert!(!place.connection.owes(&[]));
        place.connection.part();
        while !place.read_other(&mut read) {
            place.wait();
        }
        assert_eq!(taken % answer.len(), 0);
        assert!(read == sealed(&answer).repeat(taken / answer.len()), "{} bytes came", read.len());
    }

    #[test]
    fn a_read_may_bring_something_while_raw_bytes_are_there_or_some_are_held() {
        let mut place = Place::new();
        let request = vec![b'r'; 150];
        let (first, second) = (sealed(&request), sealed(b"second"));
        place.other.send(&first[..100]).expect("the other side is there");
        // Raw bytes come, though nothing for the conversation; no more are there.
        while place.connection.transport.raw.len() < 100 {
            place.wait();
            assert_eq!(place.receive(64), b"");
        }
        assert!(!place.connection.is_readable());
        place.other.send(&[&first[100..], &second].concat()).expect("the other side is there");
        while !place.connection.is_readable() {
            place.wait();
        }
        let mut read = Vec::new();
        while place.connection.is_readable() {
            read.extend(place.receive(64));
            let left = request.len() + b"second".len() - read.len();
            assert_eq!(place.connection.is_readable(), left > 0, "{left} bytes are held");
        }
        assert_eq!(read, [&request[..], b"second"].concat());
    }

    #[test]
    fn a_transport_writes_what_it_answers_by_itself() {
        let mut place = Place::new();
        assert!(!place.connection.has_own_bytes());
        place.other.send(&[0]).expect("the other side is there");
        while !place.connection.has_own_bytes() {
            place.wait();
            assert_eq!(place.receive(64), b"");
        }
        assert_eq!(place.connection.next(&[], false), Next::Write);
        assert_eq!(place.connection.send(&[]).expect("the other side is there"), 0);
        assert_eq!(place.connection.next(&[], false), Next::Wait);
        let mut read = Vec::new();
        while read.len() < sealed(b"pong").len() {
            place.wait();
            place.read_other(&mut read);
        }
        assert_eq!(read, sealed(b"pong"));
    }
}
