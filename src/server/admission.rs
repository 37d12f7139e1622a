//! From a client that waits at the door to a connection of the loop, or to a line that says why not.

use std::cmp::Reverse;

use mio::Token;

use super::acceptor::{Arrival, BACKLOG};
use super::connection::Connection;
use super::tls::handshakes::Handshakes;
use super::{Server, process, queue};
use crate::node::{Origin, SessionId, Source};
use crate::protocol::{Dialect, Reply};

/// Clients accepted in one tick.
const ACCEPTS: usize = 64;
/// Clients that were hung up on and whose sockets are there yet, before no further one is accepted.
const LEAVING_MAX: usize = 8;

impl Server {
    /// When to accept next, in monotonic microseconds, where nothing happens before.
    pub(super) fn accept_due_us(&self) -> Option<u64> {
        // What it waits for wakes the loop.
        self.acceptor.due_us().filter(|_| !self.is_behind())
    }

    /// Who has connected is accepted, as it may have sent something, too; and nobody after that.
    pub(super) fn accept_the_last(&mut self) {
        self.acceptor.look();
        for _ in 0..BACKLOG / ACCEPTS {
            self.accept();
        }
        self.acceptor.close();
    }

    pub(super) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            if self.is_behind() {
                return;
            }
            let Some(arrival) = self.acceptor.next(self.now.monotonic_us) else { return };
            let id = self.connections.vacant_key();
            match self.node.open(id, arrival.source, self.now) {
                Ok(()) => self.admit(arrival, id),
                Err(refusal) => {
                    let dialect = if arrival.is_for_http { Dialect::http() } else { self.node.options().dialect };
                    turn_away(arrival, Reply::Error(refusal), dialect);
                }
            }
        }
    }

    /// Whether no further client is to be taken in before sockets are closed of those that are none any more.
    fn is_behind(&self) -> bool {
        self.handshakes.as_ref().is_some_and(Handshakes::is_behind) || self.node.clients_leaving() >= LEAVING_MAX
    }

    fn admit(&mut self, arrival: Arrival, id: SessionId) {
        let Arrival { stream, source: Source { origin, .. }, addresses, is_for_http } = arrival;
        let set_up = match origin {
            Origin::Loopback | Origin::Far => process::set_up(&stream),
            Origin::Local => Ok(()),
        };
        let timeout_us = self.node.options().idle_timeout_s * 1_000_000;
        let mut connection = Connection::new(stream, self.now.monotonic_us + timeout_us);
        let registered = set_up.and_then(|()| connection.socket().register(self.poll.registry(), Token(id)));
        if registered.is_err() {
            return self.node.close(id);
        }
        // By the unix socket nobody is on the way.
        if origin != Origin::Local {
            *connection.carrier() = self.stranger(is_for_http);
        }
        if is_for_http {
            self.node.speak_http(id);
        }
        queue(&mut self.ready, &mut connection, id);
        if timeout_us > 0 {
            self.idle.push(Reverse((connection.idle_us, id)));
        }
        if let Some(addresses) = addresses.or_else(|| connection.addresses()) {
            self.node.introduce(id, addresses);
        }
        self.connections.insert(connection);
    }
}

/// Says why, in the dialect that clients are answered in whose first byte does not tell, and closes. A fresh socket has
/// room for one line.
fn turn_away(arrival: Arrival, reply: Reply<'_>, dialect: Dialect) {
    let mut answer = Vec::new();
    dialect.encode(reply, &mut answer);
    let mut connection = Connection::new(arrival.stream, 0);
    // The kernel takes one line at once, or the client is gone already.
    let _ = connection.send(&answer);
    connection.part();
}
