//! The ways to a node: TCP, TLS over it, and a unix socket.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use super::secure::{self, Secure};
use super::trouble::{Trouble, unreachable};
use crate::config::TlsTrust;

/// How often somebody who waits looks up.
const GLANCE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Transport {
    stream: Stream,
    /// Raised by whoever does not want to wait any longer; while there is one, a read waits for as long as it takes.
    interrupt: Option<Arc<AtomicBool>>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Secure>),
}

impl Transport {
    /// Connects to `host:port`, or to a path with a slash. Each of connecting, reading and writing may take so long.
    pub(super) fn connect(
        address: &str,
        tls: Option<&TlsTrust>,
        patience: Duration,
    ) -> std::result::Result<Transport, Trouble> {
        let failed = |error: Error| unreachable(address, &error, patience.as_secs());
        if address.contains('/') {
            if tls.is_some() {
                let why = "TLS is for other machines: leave it out where a unix socket is named";
                return Err(Trouble::Refused(format!("{address}: {why}")));
            }
            let stream = UnixStream::connect(address).map_err(failed)?;
            let timed = stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience)));
            timed.map_err(failed)?;
            return Ok(Transport { stream: Stream::Unix(stream), interrupt: None });
        }
        let stream = dial(address, patience).map_err(failed)?;
        let stream = match tls {
            None => Stream::Tcp(stream),
            Some(trust) => Stream::Tls(Box::new(secure::shake_hands(address, stream, trust)?)),
        };
        Ok(Transport { stream, interrupt: None })
    }

    /// How long a read may take. `None`: as long as it takes.
    pub(super) fn set_patience(&self, patience: Option<Duration>) -> Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(patience),
            Stream::Unix(stream) => stream.set_read_timeout(patience),
            Stream::Tls(stream) => stream.tcp().set_read_timeout(patience),
        }
    }

    /// A read takes as long as it takes, until somebody raises this.
    pub(super) fn wait_until(&mut self, interrupt: Arc<AtomicBool>) -> Result<()> {
        self.interrupt = Some(interrupt);
        self.set_patience(Some(GLANCE))
    }

    /// Whether the node has neither said anything since nor hung up. With TLS what comes is not told apart, and is the end.
    pub(super) fn is_quiet(&self) -> bool {
        let stream: BorrowedFd<'_> = match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tls(stream) => stream.tcp().as_fd(),
        };
        let mut byte = [0];
        matches!(recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT), Err(Errno::AGAIN))
    }
}

/// The first of its addresses that takes a connection.
fn dial(address: &str, patience: Duration) -> Result<TcpStream> {
    let mut refusal = Error::other("host:port is wanted, or the path of a unix socket, with a slash");
    let addresses = match address.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(_) if !address.contains(':') => return Err(refusal),
        Err(error) => return Err(Error::other(format!("the name cannot be resolved: {error}"))),
    };
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                stream.set_read_timeout(Some(patience))?;
                stream.set_write_timeout(Some(patience))?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                return Ok(stream);
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// A node whose machine is gone is noticed within a minute, also by who only listens.
fn keep_alive(stream: &TcpStream) -> Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    Ok(sockopt::set_tcp_keepcnt(stream, 3)?)
}

impl Read for Transport {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        loop {
            let read = self.stream.read(bytes);
            let is_late = |error: &Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            match &self.interrupt {
                Some(interrupt) if read.as_ref().is_err_and(is_late) => {
                    if interrupt.load(Ordering::Acquire) {
                        return Err(Error::other("interrupted"));
                    }
                }
                _ => return read,
            }
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Unix(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(bytes),
            Stream::Unix(stream) => stream.read(bytes),
            Stream::Tls(stream) => stream.read(bytes),
        }
    }
}
