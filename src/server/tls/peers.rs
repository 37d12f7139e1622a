//! TLS between nodes: what both ends show each other says nothing, and what counts is proven afterwards.
//!
//! Each process makes a key and a certificate when it starts, and forgets them when it ends. Any certificate is taken: a
//! stranger gets as far as the end of the handshake. What the handshake leaves both ends with is a name of their very
//! connection that nobody else can have made (RFC 9266), and over that they prove the cluster's secret.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig, SignatureScheme,
};

use super::TlsTransport;
use crate::replication::Binding;

/// What every node calls itself here: nobody looks at it.
const NAME: &str = "kvstoreapp.invalid";
/// What the name of a connection is derived by (RFC 9266, 4).
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// Both ends of a connection between nodes, as this process sets them up.
#[derive(Clone)]
pub(in crate::server) struct PeerEnds {
    dialing: Arc<ClientConfig>,
    accepting: Arc<ServerConfig>,
}

impl PeerEnds {
    /// With a key that is made for this process. An error is a sentence.
    pub(in crate::server) fn make() -> Result<PeerEnds, String> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
        let made = made.map_err(|error| format!("cannot make a key for links between nodes: {error}"))?;
        PeerEnds::of(made.cert.der(), &made.signing_key.serialize_der())
            .map_err(|error| format!("cannot set up TLS between nodes: {error}"))
    }

    fn of(certificate: &CertificateDer<'static>, key: &[u8]) -> Result<PeerEnds, Error> {
        let provider = Arc::new(default_provider());
        let any = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let own = || (vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.to_vec().into()));
        let (chain, key) = own();
        let mut accepting = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(&any) as Arc<dyn ClientCertVerifier>)
            .with_single_cert(chain, key)?;
        // Nothing of one connection is good for another.
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        accepting.send_tls13_tickets = 0;
        accepting.max_early_data_size = 0;
        let (chain, key) = own();
        let mut dialing = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(any)
            .with_client_auth_cert(chain, key)?;
        dialing.resumption = Resumption::disabled();
        dialing.enable_sni = false;
        Ok(PeerEnds { dialing: Arc::new(dialing), accepting: Arc::new(accepting) })
    }

    /// The side that dials.
    pub(in crate::server) fn dialing(&self) -> std::io::Result<TlsTransport> {
        let name = ServerName::try_from(NAME).expect("it is a name");
        TlsTransport::client(Arc::clone(&self.dialing), name)
    }

    /// The side that was dialed.
    pub(in crate::server) fn accepting(&self) -> std::io::Result<TlsTransport> {
        TlsTransport::server(Arc::clone(&self.accepting))
    }
}

/// The name of a connection whose handshake is done.
pub(in crate::server) fn binding(transport: &TlsTransport) -> std::io::Result<Binding> {
    transport.exported(EXPORTER).map(Binding)
}

/// Takes whatever certificate the other side has the key of.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
