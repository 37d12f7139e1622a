//! What carries a connection's bytes: plain text, TLS, or nobody knows before the first of them has come.

use std::io::Result;

use super::socket::{Received, Socket};
use super::tls::TlsTransport;
use super::transport::{Plain, Transport};
use crate::replication::wire::{GREETING, TLS_GREETING};

/// What the first record of a handshake begins with (RFC 8446, 5.1), and no request of a dialect.
const HANDSHAKE: u8 = 0x16;

/// See the module.
pub(super) enum Carrier {
    /// Plain text.
    Plain(Plain),
    /// The first bytes will tell.
    Stranger(Expected),
    /// Bytes have come that another part of the server decides about.
    Met(First),
    /// The handshake of this number is under way on its thread.
    Away(u64),
    /// TLS.
    Tls(Box<TlsTransport>),
}

/// What may come first from a stranger.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// TLS of clients.
    tls: bool,
    /// Nothing else of clients; other nodes have their own rules.
    plain_is_refused: bool,
    /// TLS of other nodes.
    peers: bool,
    /// The beginning of what may become a greeting of those.
    begun: Vec<u8>,
}

/// What came first from a stranger.
pub(super) enum First {
    /// A handshake that begins with these bytes.
    Hello(Vec<u8>),
    /// The greeting of another node, and these bytes of a handshake behind it.
    Peer(Vec<u8>),
    /// Plain text that may not be, beginning so.
    Refused(u8),
}

impl Expected {
    /// Plain text, and TLS of clients and of other nodes where there is any.
    pub(super) fn new(tls: bool, plain_is_refused: bool, peers: bool) -> Expected {
        Expected { tls, plain_is_refused, peers, begun: Vec::new() }
    }
}

impl Carrier {
    /// What came first, where somebody has to decide about it.
    pub(super) fn take_first(&mut self) -> Option<First> {
        match self {
            Carrier::Met(_) => match std::mem::replace(self, Carrier::Plain(Plain)) {
                Carrier::Met(first) => Some(first),
                Carrier::Plain(_) | Carrier::Stranger(_) | Carrier::Away(_) | Carrier::Tls(_) => None,
            },
            Carrier::Plain(_) | Carrier::Stranger(_) | Carrier::Away(_) | Carrier::Tls(_) => None,
        }
    }

    /// Reads as plain text is read, and looks what it is.
    #[cold]
    fn meet(&mut self, socket: &mut Socket, buffer: &mut [u8], expected: Expected) -> Received {
        let begun = expected.begun.len();
        buffer[..begun].copy_from_slice(&expected.begun);
        let received = socket.receive(&mut buffer[begun..]);
        let Received::Bytes(count) = received else {
            *self = Carrier::Stranger(expected);
            return received;
        };
        let bytes = &buffer[..begun + count];
        *self = match bytes[0] {
            _ if expected.peers && TLS_GREETING.starts_with(bytes) && bytes != TLS_GREETING => {
                Carrier::Stranger(Expected { begun: bytes.to_vec(), ..expected })
            }
            _ if expected.peers && bytes.starts_with(TLS_GREETING) => {
                Carrier::Met(First::Peer(bytes[TLS_GREETING.len()..].to_vec()))
            }
            HANDSHAKE if expected.tls => Carrier::Met(First::Hello(bytes.to_vec())),
            first if expected.plain_is_refused && !bytes.starts_with(GREETING) => Carrier::Met(First::Refused(first)),
            _ => {
                *self = Carrier::Plain(Plain);
                return Received::Bytes(begun + count);
            }
        };
        Received::Nothing
    }
}

impl Transport for Carrier {
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received {
        match self {
            Carrier::Plain(plain) => plain.receive(socket, buffer),
            Carrier::Tls(tls) => tls.receive(socket, buffer),
            Carrier::Stranger(expected) => {
                let expected = std::mem::take(expected);
                self.meet(socket, buffer, expected)
            }
            Carrier::Met(_) | Carrier::Away(_) => Received::Nothing,
        }
    }

    fn is_readable(&self, socket: &Socket) -> bool {
        match self {
            Carrier::Plain(plain) => plain.is_readable(socket),
            Carrier::Tls(tls) => tls.is_readable(socket),
            Carrier::Stranger(_) => socket.is_readable(),
            Carrier::Met(_) | Carrier::Away(_) => false,
        }
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Result<usize> {
        match self {
            Carrier::Plain(plain) => plain.send(socket, bytes),
            Carrier::Tls(tls) => tls.send(socket, bytes),
            // Who has said nothing is told in plain text why it is closed.
            Carrier::Stranger(_) => socket.send(bytes),
            // Nothing that is said waits for the end of a handshake: who says it ends the connection.
            Carrier::Met(_) | Carrier::Away(_) => Ok(bytes.len()),
        }
    }

    fn owes(&self) -> bool {
        match self {
            Carrier::Tls(tls) => tls.owes(),
            Carrier::Plain(_) | Carrier::Stranger(_) | Carrier::Met(_) | Carrier::Away(_) => false,
        }
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        match self {
            Carrier::Tls(tls) => tls.shut_down(socket),
            Carrier::Plain(_) | Carrier::Stranger(_) | Carrier::Met(_) | Carrier::Away(_) => socket.shut_down(),
        }
    }
}
