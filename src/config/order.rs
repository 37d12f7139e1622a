//! What the command line asks for: a node that runs, or a tool that does one thing and ends.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::cluster::{ClusterFile, NodeAddress};
use crate::store::NodeId;

/// What beside running a node this program does.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Make an authority, and from it a certificate for each node of the config file and one for a client
    Certs(CertsArguments),
    /// Ask a node how it is: exit code 0 and a sentence where it is well, 1 where it is not, 2 where nobody can say
    Check(CheckArguments),
    /// Print a secret for --cluster-secret-file: 32 random bytes as 64 hexadecimal digits
    Secret,
}

/// What certificates are asked for.
#[derive(Args, Debug)]
pub struct CertsArguments {
    /// Directory for the files; it is made where it is missing, and nothing in it is overwritten
    #[arg(long, value_name = "directory")]
    pub out: PathBuf,

    /// A further host name or address that every node is reached at; can be given several times
    #[arg(long = "name", value_name = "host")]
    pub names: Vec<String>,

    /// Cluster description; where there is none, one node on this machine [default: node_config.json]
    #[arg(long, value_name = "file")]
    config: Option<PathBuf>,

    /// Name of the client's certificate: the user that it stands for with --tls-user-from=cn
    #[arg(long, value_name = "user", default_value = "client")]
    pub client: String,

    /// Days that the certificates hold; the authority holds for ten times as many
    #[arg(long, value_name = "count", default_value = "365", value_parser = clap::value_parser!(u16).range(1..=3_650))]
    pub days: u16,
}

/// Which node is asked, and what.
#[derive(Args, Debug)]
pub struct CheckArguments {
    /// Whether clients may be sent to it: it has caught up with the nodes that it could reach, and is not ending
    #[arg(long, conflicts_with = "strict")]
    pub ready: bool,

    /// The same, and whether all nodes of the cluster are linked to it and agree with it: before the next one is
    /// restarted
    #[arg(long)]
    pub strict: bool,

    /// Where the node is: host:port, or the path of its unix socket, with a slash [default: as the config file says]
    #[arg(long, value_name = "address")]
    address: Option<String>,

    /// Which entry of the config file the node is, counted from 0
    #[arg(long, value_name = "n", conflicts_with = "address")]
    id: Option<NodeId>,

    /// Cluster description; where there is none, one node on this machine [default: node_config.json]
    #[arg(long, value_name = "file", conflicts_with = "address")]
    config: Option<PathBuf>,
}

impl CheckArguments {
    /// Where the node is. An error is a sentence.
    pub fn address(&self) -> Result<String, String> {
        if let Some(address) = &self.address {
            return Ok(address.clone());
        }
        let file = ClusterFile::named(self.config.clone());
        if self.config.is_none() && file.is_absent() {
            file.id_alone(self.id)?;
            return Ok(NodeAddress::alone().to_string());
        }
        let nodes = file.read()?;
        let id = if nodes.len() == 1 { self.id.or(Some(0)) } else { self.id };
        let id = file.own_id(id, &nodes)?;
        nodes[usize::from(id)].as_ref().map(NodeAddress::to_string).ok_or_else(|| format!("there is no node {id}"))
    }
}

impl CertsArguments {
    /// Where each node is, as the config file says; `None` where one was removed. An error is a sentence.
    pub fn nodes(&self) -> Result<Vec<Option<NodeAddress>>, String> {
        let file = ClusterFile::named(self.config.clone());
        if self.config.is_none() && file.is_absent() { Ok(vec![Some(NodeAddress::alone())]) } else { file.read() }
    }
}
