//! A client that speaks TLS, and what it trusts and shows.

use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::certificates::Authority;
use crate::harness::{PATIENCE, Server};

pub const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// What a client trusts and shows.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The authority's certificates, and none of its own.
    pub fn in_(authority: &Authority) -> Trust {
        Trust::speaking(BOTH, authority, None)
    }

    /// ... and the one in these files.
    pub fn showing(authority: &Authority, of: &Authority, file: &str) -> Trust {
        Trust::speaking(BOTH, authority, Some((of, file)))
    }

    pub fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        authority: &Authority,
        own: Option<(&Authority, &str)>,
    ) -> Trust {
        Trust::saying(versions, authority, own, 0)
    }

    /// ... with so many bytes of certificates beside the own one.
    pub fn saying(
        versions: &[&'static SupportedProtocolVersion],
        authority: &Authority,
        own: Option<(&Authority, &str)>,
        more_bytes: usize,
    ) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority.path("ca.crt")).expect("it is one")).expect("it is one");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).expect("it knows them").with_root_certificates(roots);
        Trust(Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some((of, file)) => {
                let own = CertificateDer::from_pem_file(of.path(&format!("{file}.crt"))).expect("it is one");
                let key = PrivateKeyDer::from_pem_file(of.path(&format!("{file}.key"))).expect("it is one");
                let more = CertificateDer::from_pem_file(of.path("ca.crt")).expect("it is one");
                let mut chain = vec![own];
                chain.resize(1 + more_bytes / more.len(), more);
                builder.with_client_auth_cert(chain, key).expect("they belong together")
            }
        }))
    }

    /// The same, whose first message is so many bytes longer.
    pub fn with_long_hello(&self, bytes: usize) -> Trust {
        const NAME_BYTES: usize = 255;
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![vec![b'x'; NAME_BYTES]; bytes / NAME_BYTES];
        Trust(Arc::new(config))
    }

    pub fn session(&self, name: &str) -> ClientConnection {
        let name = ServerName::try_from(name.to_owned()).expect("it is a name");
        ClientConnection::new(Arc::clone(&self.0), name).expect("it may be")
    }

    /// A client whose handshake is done, as far as it can see.
    pub fn connect(&self, address: SocketAddr) -> Result<Talk> {
        self.connect_to("localhost", address)
    }

    /// ... and which expects to find this name there.
    pub fn connect_to(&self, name: &str, address: SocketAddr) -> Result<Talk> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut talk = Talk(StreamOwned::new(self.session(name), stream));
        while talk.0.conn.is_handshaking() {
            talk.0.conn.complete_io(&mut talk.0.sock)?;
        }
        Ok(talk)
    }
}

/// A conversation.
pub struct Talk(pub StreamOwned<ClientConnection, TcpStream>);

impl Talk {
    /// Sends a line, and returns the answer's.
    pub fn ask(&mut self, request: &str) -> Result<String> {
        self.send(format!("{request}\n").as_bytes())?;
        self.line()
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    pub fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            self.0.read_exact(&mut byte)?;
            if byte[0] == b'\n' {
                return String::from_utf8(line).map_err(Error::other);
            }
            line.push(byte[0]);
        }
    }

    /// The end of it: why, where it was no clean one.
    pub fn end(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest)?;
        Ok(rest)
    }
}

/// A node with flags that are no literals.
pub fn start(flags: &[String]) -> Server {
    Server::start(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}
