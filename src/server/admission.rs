//! From a client that waits at the door to a connection of the loop, or to a line that says why not.

use std::cmp::Reverse;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connection::Connection;
use super::{ACCEPTS, Server, process, queue};
use crate::node::SessionId;
use crate::protocol::{Dialect, Reply};

impl Server {
    pub(super) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            let Some(stream) = self.acceptor.next(self.now.monotonic_us) else { return };
            let id = self.connections.vacant_key();
            match self.node.open(id, self.now) {
                Ok(()) => self.admit(stream, id),
                Err(refusal) => turn_away(stream, Reply::Error(refusal), self.node.options().dialect),
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, id: SessionId) {
        let registered = stream.set_nodelay(true).and_then(|()| process::keep_alive(&stream)).and_then(|()| {
            self.poll.registry().register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)
        });
        if registered.is_err() {
            return self.node.close(id);
        }
        let timeout_us = self.node.options().idle_timeout_s * 1_000_000;
        let mut connection = Connection::new(stream, self.now.monotonic_us + timeout_us);
        *connection.carrier() = self.stranger();
        queue(&mut self.ready, &mut connection, id);
        if timeout_us > 0 {
            self.idle.push(Reverse((connection.idle_us, id)));
        }
        if let Some(addresses) = connection.addresses() {
            self.node.introduce(id, addresses);
        }
        self.connections.insert(connection);
    }
}

/// Says why, in the dialect that clients are answered in whose first byte does not tell, and closes. A fresh socket has
/// room for one line.
fn turn_away(stream: TcpStream, reply: Reply<'_>, dialect: Dialect) {
    let mut answer = Vec::new();
    dialect.encode(reply, &mut answer);
    let mut connection = Connection::new(stream, 0);
    // The kernel takes one line at once, or the client is gone already.
    let _ = connection.send(&answer);
    connection.part();
}
