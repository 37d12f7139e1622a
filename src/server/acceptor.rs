//! The listening socket: clients come from here one at a time, until there is none or the system refuses.

use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};

/// Clients that the system keeps for us until we accept them, at most.
pub(super) const BACKLOG: usize = 4_096;
/// Pause after the system refused to give us a client, and least time between two log lines about it.
const PAUSE_US: u64 = 100_000;
const LOG_US: u64 = 10_000_000;

/// Invariant: `due_us` is `None` only where an event will say that a client waits.
pub(super) struct Acceptor {
    listener: Option<TcpListener>,
    due_us: Option<u64>,
    logged_us: Option<u64>,
}

/// Takes the first of the addresses that can be listened on.
pub fn listen(addresses: &[SocketAddr]) -> Result<TcpListener, String> {
    let mut refusal = String::new();
    for &address in addresses {
        match TcpListener::bind(address) {
            Ok(listener) => {
                // A bind comes with a backlog of 128, and clients beyond it wait a second and more.
                rustix::net::listen(&listener, BACKLOG as i32)
                    .map_err(|error| format!("cannot listen on {address}: {error}"))?;
                return Ok(listener);
            }
            Err(error) => {
                let hint = match error.kind() {
                    ErrorKind::AddrInUse => "another program listens there; stop it or choose another port",
                    ErrorKind::AddrNotAvailable => "this machine does not have that address; see --bind",
                    ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another port",
                    _ => "see --bind",
                };
                refusal = format!("cannot listen on {address}: {error}; {hint}");
            }
        }
    }
    Err(refusal)
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener) -> Acceptor {
        Acceptor { listener: Some(listener), due_us: None, logged_us: None }
    }

    /// An event says that a client waits.
    pub(super) fn look(&mut self) {
        self.due_us = Some(0);
    }

    /// When to ask for a client next, in monotonic microseconds, where no event says so before.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.due_us
    }

    /// No further clients; those that wait are turned away by the system.
    pub(super) fn close(&mut self) {
        self.listener = None;
        self.due_us = None;
    }

    /// A client that waits.
    pub(super) fn next(&mut self, now_us: u64) -> Option<TcpStream> {
        let listener = self.listener.as_ref().filter(|_| self.due_us.is_some_and(|due_us| due_us <= now_us))?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => return Some(stream),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.due_us = None;
                    return None;
                }
                Err(error) => {
                    if self.logged_us.is_none_or(|last_us| now_us - last_us > LOG_US) {
                        self.logged_us = Some(now_us);
                        log::warn!("cannot accept a client: {error}; raise the open files limit (ulimit -n). Retrying");
                    }
                    self.due_us = Some(now_us + PAUSE_US);
                    return None;
                }
            }
        }
    }
}
