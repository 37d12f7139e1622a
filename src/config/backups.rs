//! What the command line says of backups.

use std::path::PathBuf;

use clap::Args;

use super::reach::NodeArguments;
use crate::store::NodeId;

/// Which node a backup is taken of, and where it goes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
kvstoreapp backup /backups/monday.db                              of the node on this machine\n  \
kvstoreapp backup --address=db1:5000 --user=backup --password-file=pw --tls-ca-file=ca.crt /backups/monday.db\n  \
kvstoreapp backup --verify /backups/monday.db\n\n\
Of a cluster one node's backup is enough: each has all keys. The user needs +backup, which @admin has, and to\n\
read all keys (%R~*).\n\
Exit code 0: it is there and whole; 1: it is not; 2: the node could not be asked.")]
pub struct BackupArguments {
    /// The file: it must not be there yet. It is SQLite: sqlite3 FILE 'select key, value from kvstore'
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write over the file where it is there
    #[arg(long, conflicts_with = "verify")]
    pub force: bool,

    /// Take none: look through all of that one, and say what is in it and whether it is whole
    #[arg(long)]
    pub verify: bool,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// Which backup goes where.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
kvstoreapp restore /backups/monday.db --data-dir=data/node-0              one node whose disk was lost\n  \
kvstoreapp restore --cluster /backups/monday.db --data-dir=data/node-0    all nodes go back to monday\n\n\
Without --cluster a node that comes back to others gets from them what is newer than the backup: what was written is\n\
written, and what was deleted is deleted. With --cluster it is the other way: start that one node, and all that it\n\
reaches, then or later, have what the backup has. Keys made since are gone, and those deleted or changed since are back.\n\
Data that is there is moved aside, into a directory that is named, and never deleted.")]
pub struct RestoreArguments {
    /// The backup, or the backup.db of a node that does not run
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Data directory of the node, which must not run
    #[arg(long, value_name = "directory")]
    pub data_dir: PathBuf,

    /// Which node that is [default: whose data is there, or whose backup it is]
    #[arg(long, value_name = "n")]
    pub id: Option<NodeId>,

    /// Go on where data is there: it is moved aside
    #[arg(long)]
    pub force: bool,

    /// Set all nodes of the cluster back, by way of this one: every key is stamped anew, above all that was issued.
    /// Data that is there is gone on from, and moved aside
    #[arg(long)]
    pub cluster: bool,
}
