//! Which links between nodes are proven, and with what: `--cluster-secret-file` and `--peer-tls`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::replication::PeerTls;
use crate::secrets::{ClusterSecrets, SecretFile};

/// The flags about links.
#[derive(Args, Debug)]
pub(super) struct PeerTlsArguments {
    /// Secret of the cluster, a line that kvstoreapp secret has made: nodes prove it to each other over TLS before they
    /// say anything else. A second line is taken from others, too, while one is exchanged for the other; SIGHUP reads it
    /// again
    #[arg(long, value_name = "file")]
    cluster_secret_file: Option<PathBuf>,

    /// Links between nodes: "required": over TLS and proven; "accept": those with nodes that have the secret, too, and
    /// all others in plain text; "off": in plain text, and whoever says hello is a node [default: required with a
    /// secret, else off]
    #[arg(long, value_name = "mode")]
    peer_tls: Option<PeerTlsArgument>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PeerTlsArgument {
    Off,
    Accept,
    Required,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ProvenLinks {
    /// Which: not [`PeerTls::Off`].
    pub tls: PeerTls,
    /// Where the secrets are, to be read again.
    pub file: SecretFile,
    /// What they are.
    pub secrets: ClusterSecrets,
}

impl PeerTlsArguments {
    /// What they mean; `None` where no link is proven. An error is a sentence.
    pub(super) fn check(self) -> Result<Option<ProvenLinks>, String> {
        let Some(path) = self.cluster_secret_file else {
            return match self.peer_tls {
                None | Some(PeerTlsArgument::Off) => Ok(None),
                Some(PeerTlsArgument::Accept | PeerTlsArgument::Required) => {
                    Err("--peer-tls needs --cluster-secret-file=<file>: without a secret nobody could prove anything; \
                     kvstoreapp secret makes one"
                        .to_owned())
                }
            };
        };
        let file = SecretFile::new(path);
        let secrets = file.read()?;
        let tls = match self.peer_tls {
            Some(PeerTlsArgument::Off) => return Ok(None),
            Some(PeerTlsArgument::Accept) => PeerTls::Accept,
            None | Some(PeerTlsArgument::Required) => PeerTls::Required,
        };
        Ok(Some(ProvenLinks { tls, file, secrets }))
    }
}
