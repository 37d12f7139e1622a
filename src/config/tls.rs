//! The flags about TLS.

use clap::{Args, ValueEnum};

use crate::node::encryption::{Certificate, ClientAuth, Tls, TlsFiles, TlsPolicy, UserFrom};

/// See the module.
#[derive(Args, Debug)]
pub(super) struct TlsArguments {
    /// Certificate of this node in PEM, and those that it depends on: clients may speak TLS on the same port.
    /// kvstoreapp certs makes one
    #[arg(long, value_name = "file", requires = "tls_key")]
    tls_cert: Option<String>,

    /// The key to it, in PEM
    #[arg(long, value_name = "file", requires = "tls_cert")]
    tls_key: Option<String>,

    /// Certificates, in PEM, of those who vouch for clients
    #[arg(long, value_name = "file", requires = "tls_cert")]
    tls_client_ca: Option<String>,

    /// What clients may do without TLS: "off": there is none; "optional": what they like; "required": nothing [default:
    /// optional with --tls-cert, else off]
    #[arg(long, value_name = "mode")]
    tls: Option<PolicyArgument>,

    /// Whether clients that speak TLS show a certificate: "no", "optional" (one that does not hold is refused) or
    /// "required" [default: required with --tls-client-ca, else no]
    #[arg(long, value_name = "mode")]
    tls_client_auth: Option<AuthArgument>,

    /// A client's certificate is a user: "cn": the one that its common name names, "san": its first alternative name
    #[arg(long, value_name = "part", requires = "tls_client_ca")]
    tls_user_from: Option<UserArgument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyArgument {
    Off,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthArgument {
    No,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UserArgument {
    Cn,
    San,
}

impl TlsArguments {
    /// What they mean; nothing where there is no TLS. The files are not read.
    pub(super) fn check(self) -> Result<Option<Tls>, String> {
        let client_ca = self.tls_client_ca.unwrap_or_default();
        let client_auth = match self.tls_client_auth {
            Some(AuthArgument::No) => ClientAuth::No,
            Some(AuthArgument::Optional) => ClientAuth::Optional,
            Some(AuthArgument::Required) => ClientAuth::Required,
            None if client_ca.is_empty() => ClientAuth::No,
            None => ClientAuth::Required,
        };
        let policy = match (self.tls, &self.tls_cert) {
            (Some(PolicyArgument::Off), _) | (None, None) => None,
            (Some(PolicyArgument::Optional), Some(_)) | (None, Some(_)) => Some(TlsPolicy::Optional),
            (Some(PolicyArgument::Required), Some(_)) => Some(TlsPolicy::Required),
            (Some(PolicyArgument::Optional | PolicyArgument::Required), None) => {
                return Err(
                    "--tls needs --tls-cert=<file> and --tls-key=<file>: kvstoreapp certs makes them".to_owned()
                );
            }
        };
        if client_auth != ClientAuth::No && client_ca.is_empty() {
            return Err(format!(
                "--tls-client-auth={client_auth} needs --tls-client-ca=<file>: without it no client's certificate holds"
            ));
        }
        let user_from = self.tls_user_from.map(|part| match part {
            UserArgument::Cn => UserFrom::CommonName,
            UserArgument::San => UserFrom::AlternativeName,
        });
        if user_from.is_some() && client_auth == ClientAuth::No {
            return Err(
                "--tls-user-from needs certificates of clients: --tls-client-auth=optional or required".to_owned()
            );
        }
        let files = TlsFiles {
            certificate: self.tls_cert.unwrap_or_default(),
            key: self.tls_key.unwrap_or_default(),
            client_ca,
        };
        Ok(policy.map(|policy| Tls { policy, client_auth, user_from, files, certificate: Certificate::default() }))
    }
}
