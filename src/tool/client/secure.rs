//! TLS as a tool speaks it: the node's certificate is checked, for the name or address that was asked for.

use std::fmt::Display;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::trouble::Trouble;
use crate::config::TlsTrust;
use crate::files;

/// A list of all authorities that a system knows has some hundred KiB.
const BYTES_MAX: u64 = 4 << 20;

/// A conversation by TLS.
pub(super) struct Secure(StreamOwned<ClientConnection, TcpStream>);

/// Comes to a conversation by TLS, or to a sentence why there is none.
pub(super) fn shake_hands(address: &str, stream: TcpStream, trust: &TlsTrust) -> std::result::Result<Secure, Trouble> {
    let config = config(trust).map_err(Trouble::Refused)?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|error| Trouble::Refused(format!("{host} is no name of a certificate: {error}")))?;
    let session = ClientConnection::new(Arc::new(config), name);
    let session = session.map_err(|error| Trouble::Refused(format!("cannot speak TLS: {error}")))?;
    let mut stream = StreamOwned::new(session, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| explain(address, trust, &error))?;
    }
    Ok(Secure(stream))
}

impl Secure {
    /// The socket below.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.0.sock
    }
}

fn config(trust: &TlsTrust) -> std::result::Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(&trust.ca)?);
    if added == 0 {
        return Err(format!("there is no certificate of an authority in {}", trust.ca.display()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(|error| error.to_string())?;
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = &trust.own else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let cannot = |why: &dyn Display| format!("cannot read the key {}: {why}", key.display());
    let text = files::read(key, BYTES_MAX).map_err(|error| cannot(&error))?;
    let own_key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| cannot(&error))?;
    builder.with_client_auth_cert(chain, own_key).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("the certificate {certificate} and the key {key} do not go together: {error}")
    })
}

/// The certificates of a file, one at least.
fn certificates(file: &Path) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let name = file.display();
    let cannot = |why: &dyn Display| format!("cannot read the certificate {name}: {why}");
    let text = files::read(file, BYTES_MAX).map_err(|error| cannot(&error))?;
    let read = CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<Vec<_>, _>>();
    let read = read.map_err(|error| cannot(&error))?;
    if read.is_empty() { Err(format!("there is no certificate in {name}")) } else { Ok(read) }
}

/// Why there is no handshake.
fn explain(address: &str, trust: &TlsTrust, error: &Error) -> Trouble {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match (cause, error.kind()) {
        (Some(cause), _) => Trouble::Refused(sentence(address, trust, cause)),
        (None, ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            Trouble::Unreachable(format!("{address} does not answer in TLS in time: --timeout=<s> gives it more"))
        }
        // Whoever speaks no TLS hangs up on what it cannot read.
        (None, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            Trouble::Unreachable(format!("{address} hangs up on TLS: it may speak none, or be full; its log says why"))
        }
        (None, _) => Trouble::Unreachable(format!("{address}: {error}")),
    }
}

fn sentence(address: &str, trust: &TlsTrust, cause: &rustls::Error) -> String {
    let ca = trust.ca.display();
    match cause {
        rustls::Error::InvalidMessage(_) => format!(
            "{address} does not speak TLS: leave out --tls and --tls-ca-file, or start the node with --tls-cert and \
             --tls-key"
        ),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            format!("nobody in {ca} vouches for the certificate of {address}: is this the right --tls-ca-file?")
        }
        rustls::Error::InvalidCertificate(why @ CertificateError::NotValidForNameContext { .. }) => format!(
            "the certificate of {address} is for another name ({why}): ask it by a name that it has, or make one with \
             kvstoreapp certs --name"
        ),
        rustls::Error::InvalidCertificate(why) => format!("the certificate of {address} does not hold: {why}"),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => format!(
            "{address} wants a certificate of who asks: --tls-cert-file and --tls-key-file, such as client.crt and \
             client.key of kvstoreapp certs"
        ),
        rustls::Error::AlertReceived(why) => format!(
            "{address} ends the handshake ({why:?}): does it take the certificate in --tls-cert-file, and this version \
             of TLS?"
        ),
        why => format!("{address}: no TLS: {why}"),
    }
}

/// With TLS 1.3 a node may refuse a client's certificate after the client's handshake is done.
fn told(error: Error) -> Error {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => Error::other(
            "the node wants a certificate of who asks: --tls-cert-file and --tls-key-file, such as client.crt and \
             client.key of kvstoreapp certs",
        ),
        Some(rustls::Error::AlertReceived(why)) => {
            Error::other(format!("the node refuses ({why:?}): does it take the certificate in --tls-cert-file?"))
        }
        _ => error,
    }
}

impl Read for Secure {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.0.read(bytes).map_err(told)
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes).map_err(told)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(told)
    }
}
