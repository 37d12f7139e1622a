//! Certificates for a test, in a directory: an authority, and whatever it vouches for.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(86_400);

/// An authority, and the files that it has signed.
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub hosts: &'a [&'a str],
    pub purpose: ExtendedKeyUsagePurpose,
    /// Days from today on when it begins and ends; either may be negative.
    pub days: (i64, i64),
}

impl Wanted<'_> {
    /// Of a node on this machine.
    pub fn node() -> Wanted<'static> {
        let hosts = &["localhost", "127.0.0.1"];
        Wanted { name: "node-0", hosts, purpose: ExtendedKeyUsagePurpose::ServerAuth, days: (-1, 90) }
    }

    /// Of a client.
    pub fn client(name: &str) -> Wanted<'_> {
        Wanted { name, hosts: &[], purpose: ExtendedKeyUsagePurpose::ClientAuth, days: (-1, 90) }
    }
}

impl Authority {
    pub fn new() -> Authority {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let own = params.self_signed(&key).expect("it can be signed").pem();
        std::fs::write(directory.path().join("ca.crt"), own).expect("it is writable");
        Authority { directory, issuer: Issuer::new(params, key) }
    }

    /// A node's certificate beside the authority's own.
    pub fn with_node() -> Authority {
        let authority = Authority::new();
        authority.sign("node", &Wanted::node());
        authority
    }

    /// Writes `<file>.crt` and `<file>.key`, over those that are there.
    pub fn sign(&self, file: &str, wanted: &Wanted<'_>) {
        let hosts: Vec<String> = wanted.hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("they are names");
        params.distinguished_name.push(DnType::CommonName, wanted.name);
        params.extended_key_usages = vec![wanted.purpose.clone()];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        let day = |days: i64| {
            let span = DAY * u32::try_from(days.unsigned_abs()).expect("they are few");
            date_time_ymd(1970, 1, 1) + if days < 0 { now - span } else { now + span }
        };
        (params.not_before, params.not_after) = (day(wanted.days.0), day(wanted.days.1));
        let key = KeyPair::generate().expect("a key can be made");
        let text = params.signed_by(&key, &self.issuer).expect("it can be signed").pem();
        std::fs::write(self.path(&format!("{file}.crt")), text).expect("it is writable");
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).expect("it is writable");
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub fn text(&self, file: &str) -> String {
        self.path(file).to_str().expect("it is text").to_owned()
    }

    /// The flags of a node with the certificate of this name.
    pub fn flags(&self, file: &str) -> Vec<String> {
        vec![
            format!("--tls-cert={}", self.text(&format!("{file}.crt"))),
            format!("--tls-key={}", self.text(&format!("{file}.key"))),
        ]
    }

    /// ... and with others beside.
    pub fn flags_and(&self, file: &str, others: &[&str]) -> Vec<String> {
        let mut flags = self.flags(file);
        flags.extend(others.iter().map(|&flag| flag.to_owned()));
        flags
    }
}

/// What is there may be half of it.
pub fn cut_short(path: &Path) {
    let text = std::fs::read(path).expect("it is there");
    std::fs::write(path, &text[..text.len() / 2]).expect("it is writable");
}
