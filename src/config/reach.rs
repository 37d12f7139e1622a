//! How the tools that ask a node reach it, the same flags for each of them.

use std::path::PathBuf;

use clap::Args;

use super::cluster::{ClusterFile, NodeAddress};
use super::{hostname, password};
use crate::store::NodeId;

/// Longest patience of a tool: an hour.
const PATIENCE_S_MAX: u64 = 3_600;

/// One node, and how it is reached.
#[derive(Args, Clone, Debug)]
pub struct NodeArguments {
    /// Where the node is: host:port, or the path of its unix socket, with a slash [default: as the config file says]
    #[arg(long, value_name = "address", help_heading = HEADING)]
    address: Option<String>,

    /// Which entry of the config file the node is, counted from 0
    #[arg(long, value_name = "n", conflicts_with = "address", help_heading = HEADING)]
    id: Option<NodeId>,

    /// The same, by the number that this machine's name ends with: kvstoreapp-2 is node 2
    #[arg(long, conflicts_with_all = ["address", "id"], help_heading = HEADING)]
    id_from_hostname: bool,

    /// Cluster description; where there is none, one node on this machine [default: node_config.json]
    #[arg(long, value_name = "file", conflicts_with = "address", help_heading = HEADING)]
    config: Option<PathBuf>,

    #[command(flatten)]
    access: AccessArguments,
}

/// Who asks, and by which transport.
#[derive(Args, Clone, Debug)]
pub struct AccessArguments {
    /// User to authenticate as [default: the node's default user]
    #[arg(long, value_name = "name", help_heading = HEADING)]
    user: Option<String>,

    /// File whose first line is the user's password. The environment variable KVSTOREAPP_PASSWORD is the same without a
    /// file
    #[arg(long, value_name = "file", help_heading = HEADING)]
    password_file: Option<PathBuf>,

    /// Speak TLS, and check the node's certificate; needs --tls-ca-file
    #[arg(long, help_heading = HEADING)]
    tls: bool,

    /// Certificates, in PEM, of those who vouch for the node: ca.crt of kvstoreapp certs, or the system's list, such as
    /// /etc/ssl/certs/ca-certificates.crt; means --tls
    #[arg(long, value_name = "file", help_heading = HEADING)]
    tls_ca_file: Option<PathBuf>,

    /// Own certificate in PEM, for a node that asks for one
    #[arg(long, value_name = "file", requires = "tls_key_file", requires = "tls_ca_file", help_heading = HEADING)]
    tls_cert_file: Option<PathBuf>,

    /// The key to it, in PEM
    #[arg(long, value_name = "file", requires = "tls_cert_file", help_heading = HEADING)]
    tls_key_file: Option<PathBuf>,

    /// Seconds that the node may take to take the connection, and for each next part of an answer
    #[arg(long, value_name = "s", default_value = "5", help_heading = HEADING,
        value_parser = clap::value_parser!(u64).range(1..=PATIENCE_S_MAX))]
    timeout: u64,
}

/// What the help calls these flags.
const HEADING: &str = "The node";

/// How a node is spoken with, as flags say; no file is read yet but the password's.
#[derive(Clone)]
pub struct Access {
    /// Who asks; `None` where nobody has to say.
    pub login: Option<Login>,
    /// What is trusted; `None`: plain text.
    pub tls: Option<TlsTrust>,
    /// Seconds of patience.
    pub patience_s: u64,
}

/// A user and a password.
#[derive(Clone)]
pub struct Login {
    /// `None`: the default user.
    pub user: Option<String>,
    /// In clear.
    pub password: password::Secret,
}

/// Files in PEM.
#[derive(Clone, Debug)]
pub struct TlsTrust {
    /// Who vouches for the node.
    pub ca: PathBuf,
    /// The own certificate and the key to it.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl NodeArguments {
    /// Where the node is. Of several in the file one has to be named. An error is a sentence.
    pub fn address(&self) -> Result<String, String> {
        self.find(|id, nodes, file| file.own_id(id, nodes))
    }

    /// Where the node is; of several in the file the first, if none is named: each has the same data.
    pub fn any_address(&self) -> Result<String, String> {
        self.find(|id, nodes, file| match nodes.iter().position(Option::is_some) {
            Some(first) if id.is_none() => Ok(first as NodeId),
            _ => file.own_id(id, nodes),
        })
    }

    /// Where all nodes are, with their ids; one whose id nobody knows where that is what was named. An error is a sentence.
    pub fn all_addresses(&self) -> Result<Vec<(Option<NodeId>, String)>, String> {
        let file = ClusterFile::named(self.config.clone());
        let is_alone = self.config.is_none() && file.is_absent();
        if is_alone || self.address.is_some() || self.id.is_some() || self.id_from_hostname {
            return Ok(vec![(None, self.address()?)]);
        }
        let nodes = file.read()?;
        let ids = nodes.iter().enumerate();
        Ok(ids.filter_map(|(id, node)| Some((Some(id as NodeId), node.as_ref()?.to_string()))).collect())
    }

    /// How it is spoken with. An error is a sentence.
    pub fn access(&self) -> Result<Access, String> {
        self.access.check()
    }

    fn find(
        &self,
        choose: impl Fn(Option<NodeId>, &[Option<NodeAddress>], &ClusterFile) -> Result<NodeId, String>,
    ) -> Result<String, String> {
        if let Some(address) = &self.address {
            return Ok(address.clone());
        }
        let given = if self.id_from_hostname { Some(hostname::own_id()?) } else { self.id };
        let file = ClusterFile::named(self.config.clone());
        if self.config.is_none() && file.is_absent() {
            file.id_alone(given)?;
            return Ok(NodeAddress::alone().to_string());
        }
        let nodes = file.read()?;
        let id = if nodes.len() == 1 { given.or(Some(0)) } else { given };
        let id = choose(id, &nodes, &file)?;
        nodes[usize::from(id)].as_ref().map(NodeAddress::to_string).ok_or_else(|| format!("there is no node {id}"))
    }
}

impl AccessArguments {
    /// What they mean. An error is a sentence.
    pub fn check(&self) -> Result<Access, String> {
        let tls = match (&self.tls_ca_file, self.tls) {
            (Some(ca), _) => {
                Some(TlsTrust { ca: ca.clone(), own: self.tls_cert_file.clone().zip(self.tls_key_file.clone()) })
            }
            (None, false) => None,
            (None, true) => {
                return Err(
                    "--tls needs --tls-ca-file=<file>, the certificates of those who vouch for the node: ca.crt \
                            of kvstoreapp certs, or the system's list, such as /etc/ssl/certs/ca-certificates.crt"
                        .to_owned(),
                );
            }
        };
        let login = match (&self.user, &self.password_file) {
            (user, Some(file)) => Some(Login { user: user.clone(), password: password::text(file)? }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(
                    "--user needs a password: --password-file=<file>, or KVSTOREAPP_PASSWORD in the environment; \
                            on the command line all users of this machine could read it"
                        .to_owned(),
                );
            }
        };
        Ok(Access { login, tls, patience_s: self.timeout })
    }
}
