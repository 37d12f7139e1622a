//! The ways to a node: TCP, TLS over it, and a unix socket.

use std::io::{Error, Read, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::secure::{self, Secure};
use super::trouble::{Trouble, unreachable};
use crate::config::TlsTrust;

/// See the module.
pub(super) enum Transport {
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
            return timed.map(|()| Transport::Unix(stream)).map_err(failed);
        }
        let stream = dial(address, patience).map_err(failed)?;
        match tls {
            None => Ok(Transport::Tcp(stream)),
            Some(trust) => secure::shake_hands(address, stream, trust).map(Box::new).map(Transport::Tls),
        }
    }

    /// How long a read may take.
    pub(super) fn set_patience(&self, patience: Option<Duration>) -> Result<()> {
        match self {
            Transport::Tcp(stream) => stream.set_read_timeout(patience),
            Transport::Unix(stream) => stream.set_read_timeout(patience),
            Transport::Tls(stream) => stream.tcp().set_read_timeout(patience),
        }
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
                return Ok(stream);
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

impl Read for Transport {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.read(bytes),
            Transport::Unix(stream) => stream.read(bytes),
            Transport::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Transport::Tcp(stream) => stream.write(bytes),
            Transport::Unix(stream) => stream.write(bytes),
            Transport::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Transport::Tcp(stream) => stream.flush(),
            Transport::Unix(stream) => stream.flush(),
            Transport::Tls(stream) => stream.flush(),
        }
    }
}
