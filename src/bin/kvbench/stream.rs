//! What a connection's bytes go through: the socket alone, or TLS.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::options::Options;

/// See the module.
pub enum Stream {
    Plain(OwnedFd),
    Tls(TcpStream, Box<ClientConnection>),
}

/// What is trusted, and what is shown.
pub struct Trust<'a> {
    pub authority: &'a Path,
    /// A certificate and its key.
    pub own: Option<(&'a Path, &'a Path)>,
}

impl Trust<'_> {
    /// An error is a sentence.
    pub fn load(&self) -> std::result::Result<Arc<ClientConfig>, String> {
        let said = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let certificates = |path: &Path| {
            let read =
                CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
            read.map_err(|error| said(path, &error))
        };
        let mut roots = RootCertStore::empty();
        for root in certificates(self.authority)? {
            roots.add(root).map_err(|error| said(self.authority, &error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(roots);
        let config = match self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let read = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, &error))?;
                let own = builder.with_client_auth_cert(certificates(certificate)?, read);
                own.map_err(|error| said(certificate, &error))?
            }
        };
        Ok(Arc::new(config))
    }
}

impl Stream {
    /// Connects; with TLS, where it is to be trusted, the handshake is done, too.
    pub fn connect(options: &Options, tls: Option<&Arc<ClientConfig>>) -> Result<Stream> {
        if let Some(path) = &options.unix_socket {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            return Ok(Stream::Plain(stream.into()));
        }
        let address = options.address;
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let session = tls.map(|config| {
            let name = ServerName::IpAddress(address.ip().into());
            let mut session = ClientConnection::new(Arc::clone(config), name).map_err(Error::other)?;
            session.set_buffer_limit(None);
            while session.is_handshaking() {
                session.complete_io(&mut stream)?;
            }
            Ok::<_, Error>(Box::new(session))
        });
        let session = session.transpose()?;
        stream.set_nonblocking(true)?;
        Ok(match session {
            None => Stream::Plain(stream.into()),
            Some(session) => Stream::Tls(stream, session),
        })
    }

    /// What the poll knows it by.
    pub fn descriptor(&self) -> RawFd {
        match self {
            Stream::Plain(stream) => stream.as_raw_fd(),
            Stream::Tls(stream, _) => stream.as_raw_fd(),
        }
    }

    /// Sends some of it; `WouldBlock` where nothing is taken.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Stream::Plain(_) if bytes.is_empty() => Ok(0),
            Stream::Plain(stream) => Ok(send(&*stream, bytes, SendFlags::empty())?),
            Stream::Tls(stream, session) => {
                let count = session.writer().write(bytes)?;
                while session.wants_write() {
                    match session.write_tls(stream) {
                        Ok(_) => (),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
                Ok(count)
            }
        }
    }

    /// Receives some; none at the end.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let (stream, session) = match self {
            Stream::Plain(stream) => return Ok(recv(&*stream, buffer, RecvFlags::empty())?.1),
            Stream::Tls(stream, session) => (stream, session),
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                read => return read,
            }
            if session.read_tls(stream)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(Error::other)?;
        }
    }
}
