//! What the command line asks for: a node that runs, or a tool that does one thing and ends.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::backups::{BackupArguments, RestoreArguments};
use super::cluster::{ClusterFile, NodeAddress};
use super::reach::NodeArguments;
use super::tools::{
    CliArguments, CompletionsArguments, ExportArguments, ImportArguments, ManArguments, StatusArguments, WatchArguments,
};

/// What beside running a node this program does.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Take a backup of a node while it runs: one SQLite file with all keys, of one moment; or look through one
    Backup(Box<BackupArguments>),
    /// Make an authority, and from it a certificate for each node of the config file and one for a client
    Certs(CertsArguments),
    /// Talk with a node: at a prompt with history, completion and help, or by a script
    Cli(CliArguments),
    /// Ask a node how it is: exit code 0 and a sentence where it is well, 1 where it is not, 2 where nobody can say
    Check(CheckArguments),
    /// Put a backup into the data directory of a node that does not run; or set a whole cluster back to it
    Restore(RestoreArguments),
    /// Write keys, values and expiries into a file, as lines of JSON
    Export(ExportArguments),
    /// Read keys, values and expiries from a file that export has written
    Import(ImportArguments),
    /// Say how all nodes are, together: exit code 0 only if all agree
    Status(StatusArguments),
    /// Show changes of keys as they happen, a line each
    Watch(WatchArguments),
    /// Print what a shell completes this program's command lines with
    Completions(CompletionsArguments),
    /// Print a page for man
    Man(ManArguments),
    /// Print a secret for --cluster-secret-file: 32 random bytes as 64 hexadecimal digits
    Secret(SecretArguments),
}

/// Where a secret goes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
  (umask 077 && kvstoreapp secret > cluster.secret)\n  \
  kvstoreapp secret --out cluster.secret --if-missing")]
pub struct SecretArguments {
    /// A new file that it is written to, for its owner alone, and not printed
    #[arg(long, value_name = "file")]
    pub out: Option<PathBuf>,

    /// Where the file is there already, leave it as it is and end well: for what runs before each start
    #[arg(long, requires = "out")]
    pub if_missing: bool,
}

/// What certificates are asked for.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
  kvstoreapp certs --out tls --config node_config.json\n  \
  kvstoreapp certs --out tls --name db.example --client ada --days 90\n\n\
Exit code: 0, all files are made; 1, none is; 2, the command line is wrong.")]
pub struct CertsArguments {
    /// Directory for the files; it is made where it is missing, and nothing in it is overwritten
    #[arg(long, value_name = "directory")]
    pub out: PathBuf,

    /// Where all files are there already, leave them as they are and end well: for what runs before each start
    #[arg(long)]
    pub if_missing: bool,

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
#[command(after_help = "\
Examples:\n  \
  kvstoreapp check                                 does it answer?\n  \
  kvstoreapp check --ready --id 1                  may clients be sent to it?\n  \
  kvstoreapp check --strict --address db1:5000     may the next one be restarted?\n\n\
Exit code: 0, it is so; 1, it is not; 2, nobody can say.")]
pub struct CheckArguments {
    /// Whether clients may be sent to it: it has caught up with the nodes that it could reach, and is not ending
    #[arg(long, conflicts_with = "strict")]
    pub ready: bool,

    /// The same, and whether all nodes of the cluster are linked to it and agree with it: before the next one is
    /// restarted
    #[arg(long)]
    pub strict: bool,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

impl CertsArguments {
    /// Where each node is, as the config file says; `None` where one was removed. An error is a sentence.
    pub fn nodes(&self) -> Result<Vec<Option<NodeAddress>>, String> {
        let file = ClusterFile::named(self.config.clone());
        if self.config.is_none() && file.is_absent() { Ok(vec![Some(NodeAddress::alone())]) } else { file.read() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::password;

    #[test]
    fn a_password_leaves_the_environment_of_each_tool_that_takes_one() {
        let command = Tool::augment_subcommands(clap::Command::new("kvstoreapp"));
        for tool in command.get_subcommands() {
            let takes_one = tool.get_arguments().any(|argument| argument.get_id() == "password_file");
            assert_eq!(password::ASKING.contains(&tool.get_name()), takes_one, "{}", tool.get_name());
        }
    }
}
