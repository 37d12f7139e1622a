//! `kvstoreapp certs`: an authority, and what it vouches for: each node, and a client.
//!
//! Every file is new and nobody's but the owner's. Keys are P-256: each handshake costs a signature with one.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use super::made::{self, Made, Outcome};
use crate::config::CertsArguments;

/// What a machine is called by itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const DAY: Duration = Duration::from_secs(86_400);
/// So much longer the authority holds than what it vouches for: they are renewed, and it stays.
const AUTHORITY_TIMES: u32 = 10;

/// Makes them, all or none. What was made, for people; an error is a sentence.
pub fn make(arguments: &CertsArguments) -> Result<String, String> {
    let nodes = arguments.nodes()?;
    let days = DAY * u32::from(arguments.days);
    let said = |error: rcgen::Error| format!("cannot make a certificate: {error}");
    let authority_key = new_key()?;
    let authority = authority(days * AUTHORITY_TIMES);
    let mut files = vec![
        Made { name: "ca.crt".to_owned(), text: authority.self_signed(&authority_key).map_err(said)?.pem() },
        Made { name: "ca.key".to_owned(), text: authority_key.serialize_pem() },
    ];
    let issuer = Issuer::new(authority, authority_key);
    let mut add = |name: &str, params: CertificateParams| -> Result<(), String> {
        let key = new_key()?;
        let text = params.signed_by(&key, &issuer).map_err(said)?.pem();
        files.push(Made { name: format!("{name}.crt"), text });
        files.push(Made { name: format!("{name}.key"), text: key.serialize_pem() });
        Ok(())
    };
    for (id, node) in nodes.iter().enumerate().filter_map(|(id, node)| Some((id, node.as_ref()?))) {
        let mut names: Vec<&str> = vec![&node.ip];
        names.extend(arguments.names.iter().map(String::as_str).chain(LOOPBACK));
        let name = format!("node-{id}");
        add(&name, node_params(&name, &names, days)?)?;
    }
    add("client", client_params(&arguments.client, days))?;
    match made::write(&arguments.out, &files, arguments.if_missing)? {
        Outcome::Written => Ok(summary(&arguments.out, &files)),
        Outcome::Kept => Ok(format!("all certificates are in {} already, and stay", arguments.out.display())),
    }
}

fn authority(valid: Duration) -> CertificateParams {
    let mut params = named("kvstoreapp authority", valid);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn node_params(name: &str, names: &[&str], valid: Duration) -> Result<CertificateParams, String> {
    let mut params = named(name, valid);
    for host in names {
        // An address may be written in several ways; clients compare its bytes.
        let one = match host.parse::<IpAddr>() {
            Ok(ip) => rcgen::SanType::IpAddress(ip),
            Err(_) => rcgen::SanType::DnsName(
                Some(*host)
                    .filter(|host| is_host_name(host))
                    .and_then(|host| host.try_into().ok())
                    .ok_or_else(|| format!("{host} is neither an address nor a host name"))?,
            ),
        };
        if !params.subject_alt_names.contains(&one) {
            params.subject_alt_names.push(one);
        }
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// As far as letters go; a certificate may be for all hosts of a domain.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn client_params(user: &str, valid: Duration) -> CertificateParams {
    let mut params = named(user, valid);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// It holds from yesterday on: clocks differ.
fn named(name: &str, valid: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(DAY);
    params.not_after = date_time_ymd(1970, 1, 1) + (now + valid);
    params.use_authority_key_identifier_extension = true;
    params
}

fn new_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| format!("cannot make a key: {error}"))
}

fn summary(directory: &Path, files: &[Made]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let directory = directory.display();
    format!(
        "made in {directory}: {}\n\
         a node:   kvstoreapp --id=0 --tls-cert={directory}/node-0.crt --tls-key={directory}/node-0.key\n\
         a client: redis-cli --tls --cacert {directory}/ca.crt -p 5000\n\
         ca.key vouches for new certificates: keep it where nobody else reads it",
        names.join(" ")
    )
}
