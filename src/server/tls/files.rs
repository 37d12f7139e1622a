//! Certificates and keys in files, and what clients are answered with them.
//!
//! All is read and checked before any of it is used: a file that is cut short, or a key that belongs to another
//! certificate, changes nothing.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::files;
use crate::node::encryption::{Certificate, ClientAuth, Tls, UserFrom};

/// A certificate has some KiB, a list of authorities some hundred.
const BYTES_MAX: u64 = 1 << 20;

/// What was read, and holds.
pub(in crate::server) struct Loaded {
    pub(in crate::server) config: Arc<ServerConfig>,
    /// Which part of a client's certificate names a user.
    pub(in crate::server) user_from: Option<UserFrom>,
    /// What the node's own certificate says.
    pub(in crate::server) certificate: Certificate,
}

/// Reads the files. An error is a sentence that names the file.
pub(in crate::server) fn load(tls: &Tls) -> Result<Loaded, String> {
    let provider = Arc::new(default_provider());
    let chain = certificates(&tls.files.certificate)?;
    let cannot = |why: &dyn Display| format!("cannot read the key {}: {why}", tls.files.key);
    let key = files::read(Path::new(&tls.files.key), BYTES_MAX).map_err(|error| cannot(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| cannot(&error))?;
    let certificate = facts(&chain[0]).map_err(|why| format!("{}: {why}", tls.files.certificate))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match tls.client_auth {
        ClientAuth::No => builder.with_no_client_auth(),
        ClientAuth::Optional | ClientAuth::Required => {
            let mut roots = RootCertStore::empty();
            for root in certificates(&tls.files.client_ca)? {
                roots.add(root).map_err(|error| format!("{} is no authority: {error}", tls.files.client_ca))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match tls.client_auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional | ClientAuth::No => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| format!("{}: {error}", tls.files.client_ca))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        format!("the certificate {} and the key {} do not go together: {error}", tls.files.certificate, tls.files.key)
    })?;
    // Each connection proves all anew: one that is resumed would not show its certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Loaded { config: Arc::new(config), user_from: tls.user_from, certificate })
}

/// The certificates of a file, one at least.
fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |why: &dyn Display| format!("cannot read the certificate {file}: {why}");
    let text = files::read(Path::new(file), BYTES_MAX).map_err(|error| cannot(&error))?;
    let read = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|error| cannot(&error))?;
    if read.is_empty() { Err(format!("there is no certificate in {file}")) } else { Ok(read) }
}

/// A sentence for the log.
pub(in crate::server) fn describe(certificate: &Certificate) -> String {
    let Certificate { subject, issuer, serial, .. } = certificate;
    format!("the certificate {serial} of {subject}, by {issuer}")
}

/// The user that a client's certificate names.
pub(in crate::server) fn user(certificate: &[u8], from: UserFrom) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    match from {
        UserFrom::CommonName => certificate.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned),
        UserFrom::AlternativeName => {
            let names = certificate.subject_alternative_name().ok()??;
            names.value.general_names.iter().find_map(|name| match name {
                GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                    Some((*name).to_owned())
                }
                _ => None,
            })
        }
    }
}

fn facts(certificate: &[u8]) -> Result<Certificate, String> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: certificate.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect(),
        ends_unix_s: certificate.validity().not_after.timestamp(),
    })
}
