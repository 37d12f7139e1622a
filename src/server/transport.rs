//! How bytes of a conversation become the raw bytes of a socket, and back.
//!
//! A conversation knows its own bytes, a socket raw ones; a transport alone knows both. It may hold bytes between two
//! calls: what came and did not fit, what is to go out and the socket does not take. So whether there is something to
//! read or to write is asked of the transport, and a connection is not done before its transport holds nothing.

use std::io::Result;

use super::socket::{Received, Socket};

/// See the module.
pub(super) trait Transport {
    /// Reads raw bytes at most once. `Nothing` says that no bytes for the conversation have come; raw ones may have.
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received;

    /// Whether a call of [`receive`](Transport::receive) may bring something: raw bytes may be there, or some are held.
    fn is_readable(&self, socket: &Socket) -> bool;

    /// Writes raw bytes: what it holds, then these bytes of the conversation. Returns how many of them were taken: none
    /// while the socket takes nothing, so that it never holds more than one call's. An error says that the connection is
    /// broken.
    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Result<usize>;

    /// Whether it holds raw bytes for the socket. They are owed, as are those of the conversation that were not taken.
    fn owes(&self) -> bool;

    /// Tells the other side that no more will come.
    fn shut_down(&mut self, socket: &mut Socket);
}

/// The conversation's bytes as they are. It holds none.
pub(super) struct Plain;

impl Transport for Plain {
    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> Received {
        socket.receive(buffer)
    }

    fn is_readable(&self, socket: &Socket) -> bool {
        socket.is_readable()
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> Result<usize> {
        socket.send(bytes)
    }

    fn owes(&self) -> bool {
        false
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        socket.shut_down();
    }
}
