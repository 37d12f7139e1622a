//! The listening sockets: clients come from here one at a time, until there is none or the system refuses.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use super::unix_socket::UnixDoor;

use crate::config::UnixSocket;
use crate::node::{Crowd, Origin, Source};

/// Clients that the system keeps for us until we accept them, at most.
pub(super) const BACKLOG: usize = 4_096;
/// Pause after the system refused to give us a client, and least time between two log lines about it.
const PAUSE_US: u64 = 100_000;
const LOG_US: u64 = 10_000_000;

/// A way in.
enum Entrance {
    Tcp(TcpListener),
    /// For HTTP alone.
    Http(TcpListener),
    Unix(UnixDoor),
}

/// A client that was let in.
pub(super) struct Arrival {
    pub(super) stream: OwnedFd,
    pub(super) source: Source,
    /// Of the other side and of this one, where its entrance knows them and the socket does not.
    pub(super) addresses: Option<(String, String)>,
    /// Whether it came in where nothing but HTTP is spoken.
    pub(super) is_for_http: bool,
}

/// Invariant: `due_us` is `None` only where an event will say that a client waits.
pub(super) struct Acceptor {
    entrances: Vec<Entrance>,
    /// Which of them is asked first, so that a crowd at one does not close the others.
    turn: usize,
    due_us: Option<u64>,
    logged_us: Option<u64>,
}

/// Takes the first of the addresses that can be listened on. The flag says others.
fn listen(addresses: &[SocketAddr], flag: &str) -> Result<TcpListener, String> {
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
                let see = format!("see {flag}");
                let hint = match error.kind() {
                    ErrorKind::AddrInUse => "another program listens there; stop it or choose another port",
                    ErrorKind::AddrNotAvailable => &format!("this machine does not have that address; {see}"),
                    ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another port",
                    _ => &see,
                };
                refusal = format!("cannot listen on {address}: {error}; {hint}");
            }
        }
    }
    Err(refusal)
}

impl Acceptor {
    /// Listens on the first of the addresses that can be listened on, on the unix socket, and on the address for HTTP
    /// alone. An error is a sentence.
    pub(super) fn open(
        addresses: &[SocketAddr],
        unix: Option<&UnixSocket>,
        http: Option<SocketAddr>,
    ) -> Result<Acceptor, String> {
        let mut entrances = vec![Entrance::Tcp(listen(addresses, "--bind")?)];
        if let Some(address) = http {
            entrances.push(Entrance::Http(listen(&[address], "--http-bind")?));
        }
        if let Some(socket) = unix {
            entrances.push(Entrance::Unix(UnixDoor::open(socket, BACKLOG)?));
        }
        Ok(Acceptor { entrances, turn: 0, due_us: None, logged_us: None })
    }

    /// From here on the poll tells by this token that a client waits.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.entrances.iter_mut().try_for_each(|entrance| match entrance {
            Entrance::Tcp(listener) | Entrance::Http(listener) => {
                registry.register(listener, token, Interest::READABLE)
            }
            Entrance::Unix(door) => registry.register(&mut door.listener, token, Interest::READABLE),
        })
    }

    /// An event says that a client waits.
    pub(super) fn look(&mut self) {
        self.due_us = Some(0);
    }

    /// The address that is listened on.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        let of = |entrance: &Entrance| match entrance {
            Entrance::Tcp(listener) => Some(listener.local_addr()),
            Entrance::Http(_) | Entrance::Unix(_) => None,
        };
        self.entrances.iter().find_map(of).unwrap_or_else(|| Err(ErrorKind::NotConnected.into()))
    }

    /// The address that is listened on for HTTP alone.
    pub(super) fn http_address(&self) -> Option<SocketAddr> {
        let of = |entrance: &Entrance| match entrance {
            Entrance::Http(listener) => listener.local_addr().ok(),
            Entrance::Tcp(_) | Entrance::Unix(_) => None,
        };
        self.entrances.iter().find_map(of)
    }

    /// When to ask for a client next, in monotonic microseconds, where no event says so before.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.due_us
    }

    /// No further clients; those that wait are turned away by the system.
    pub(super) fn close(&mut self) {
        self.entrances.clear();
        self.due_us = None;
    }

    /// A client that waits.
    pub(super) fn next(&mut self, now_us: u64) -> Option<Arrival> {
        if self.due_us.is_none_or(|due_us| due_us > now_us) {
            return None;
        }
        for _ in 0..self.entrances.len() {
            let entrance = &self.entrances[self.turn];
            self.turn = (self.turn + 1) % self.entrances.len();
            match entrance.accept() {
                Ok(arrival) => return Some(arrival),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) => {
                    if self.logged_us.is_none_or(|last_us| now_us - last_us > LOG_US) {
                        self.logged_us = Some(now_us);
                        log::warn!(
                            event = "accept_failed", why:% = error;
                            "cannot accept a client: {error}; raise the open files limit (ulimit -n). Retrying"
                        );
                    }
                    self.due_us = Some(now_us + PAUSE_US);
                    return None;
                }
            }
        }
        self.due_us = None;
        None
    }
}

impl Entrance {
    /// The first that waits.
    fn accept(&self) -> io::Result<Arrival> {
        loop {
            let accepted = match self {
                Entrance::Tcp(listener) | Entrance::Http(listener) => {
                    listener.accept().map(|(stream, address)| Arrival {
                        stream: stream.into(),
                        source: Source { origin: origin_of(address), crowd: crowd_of(address) },
                        addresses: None,
                        is_for_http: matches!(self, Entrance::Http(_)),
                    })
                }
                Entrance::Unix(door) => door.listener.accept().map(|(stream, _)| Arrival {
                    stream: stream.into(),
                    source: Origin::Local.into(),
                    addresses: Some(door.addresses()),
                    is_for_http: false,
                }),
            };
            match accepted {
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => (),
                other => return other,
            }
        }
    }
}

/// Of one that came by TCP from this address, in plain text.
pub(super) fn origin_of(address: SocketAddr) -> Origin {
    if address.ip().to_canonical().is_loopback() { Origin::Loopback } else { Origin::Far }
}

/// Of all that have this address, or an IPv6 address of the same /64.
fn crowd_of(address: SocketAddr) -> Crowd {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Crowd::V4(ip.octets()),
        IpAddr::V6(ip) => {
            let [net @ .., _, _, _, _, _, _, _, _] = ip.octets();
            Crowd::V6(net)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_loopback_addresses_are_near_and_no_other_is() {
        let is_far = |ip: &str| origin_of(SocketAddr::new(ip.parse().expect("an address"), 1)).is_far();
        for near in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(!is_far(near), "{near}");
        }
        for far in ["0.0.0.0", "10.0.0.1", "128.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1", "::127.0.0.1"] {
            assert!(is_far(far), "{far}");
        }
        assert!(!Origin::Local.is_far());
    }

    #[test]
    fn a_crowd_is_of_one_ipv4_address_or_of_one_ipv6_network() {
        let crowd = |ip: &str| crowd_of(SocketAddr::new(ip.parse().expect("an address"), 1));
        assert_eq!(crowd("10.0.0.1"), crowd("::ffff:10.0.0.1"));
        assert_eq!(crowd("2001:db8::1"), crowd("2001:db8::ffff:0:0:2"));
        assert_ne!(crowd("10.0.0.1"), crowd("10.0.0.2"));
        assert_ne!(crowd("2001:db8::1"), crowd("2001:db8:0:1::1"));
        assert_ne!(crowd("10.0.0.1"), Crowd::Unnamed);
    }
}
