//! A backup put into a data directory whose node does not run.
//!
//! - [`restore`]: the data file as it was. Its node comes back as one whose disk was put back, and its peers bring what is
//!   newer.
//! - [`restore_cluster`]: its keys, written anew, so that all nodes go back to them: see
//!   [`recasting`](crate::replica::recasting).
//!
//! What is in the directory is moved aside and never deleted.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::backup_file::BackupFile;
use super::file::DataFile;
use super::opening::{Opened, create_anew};
use super::{aside, directory, exchange};
use crate::replica::recasting::{Recast, Row, recast};
use crate::replica::{Checkpoint, Disk, Outcome, Save, Saved};
use crate::replication::Identity;
use crate::store::{NodeId, Now, Restore, Store};

/// Where a backup goes.
pub struct Place<'a> {
    /// The data directory.
    pub directory: &'a Path,
    /// Whose it is; `None`: whose it says.
    pub node: Option<NodeId>,
}

/// What has come of it.
#[derive(Debug)]
pub struct Restored {
    /// Which node it is for.
    pub node: NodeId,
    /// Keys that are there.
    pub keys: u64,
    /// Those that have expired since the backup was taken.
    pub expired: u64,
    /// Where the data is kept that was there before.
    pub kept: Option<PathBuf>,
}

/// Random numbers, for an incarnation.
#[derive(Clone, Copy, Debug)]
pub struct Chance(pub [u64; 4]);

/// Puts the data file there as it was; where there is data, only by `force`. An error is a sentence.
pub fn restore(backup: &BackupFile, place: &Place<'_>, force: bool) -> Result<Restored, String> {
    let (about, file) = (&backup.about, backup.path().display());
    let node = about.node;
    if let Some(other) = place.node.filter(|&other| other != node) {
        return Err(format!(
            "{file} is a backup of node {node}, and as node {other} its writes would be taken for those of another: \
             restore node {node} from it (--id={node}), or with --cluster all nodes from its keys"
        ));
    }
    let lock = directory::take(place.directory)?;
    exchange::complete(place.directory)?;
    let found = aside::data_in(place.directory)?;
    if !found.is_empty() && !force {
        return Err(format!(
            "{} holds data already ({}): say --force to have it moved aside, or choose another --data-dir",
            place.directory.display(),
            found.join(", ")
        ));
    }
    let made = exchange::begin(place.directory, backup.private_mode())?;
    backup.copy_to(&made)?;
    forget_backup(&made).map_err(|error| format!("cannot write {}: {error}", made.display()))?;
    let kept = exchange::finish(place.directory)?;
    drop(lock);
    Ok(Restored { node, keys: about.keys, expired: about.expired, kept })
}

/// Puts its keys there, stamped anew, so that every node that hears of them goes back to them. What the data file that
/// is there knows of other nodes is gone on from. An error is a sentence.
pub fn restore_cluster(
    backup: &BackupFile,
    place: &Place<'_>,
    chance: Chance,
    now: impl Fn() -> Now,
) -> Result<Restored, String> {
    let Chance([incarnation, chance, seeds @ ..]) = chance;
    let restore = Restore::new(seeds, 0);
    let (mut before, node) = match owner(place.directory)? {
        Some(owner) => {
            let node = place.node.unwrap_or(owner);
            (Before::Opened(Box::new(DataFile::open(place.directory, node, restore)?)), node)
        }
        None => {
            let lock = directory::take(place.directory)?;
            exchange::complete(place.directory)?;
            let nothing = Nothing { lock, checkpoint: Checkpoint::default(), restore: Some(restore) };
            (Before::Nothing(Box::new(nothing)), place.node.unwrap_or(backup.about.node))
        }
    };
    let made = exchange::begin(place.directory, backup.private_mode())?;
    let mut file = create_anew(&made, node)?;
    let mut open = None;
    let write = |save: Save| {
        let Save { snapshot, batch, commit, .. } = save;
        let outcome = write(&mut file, open != Some(snapshot), &batch, commit);
        open = matches!(outcome, Outcome::Taken).then_some(snapshot);
        Saved { snapshot, batch, outcome, is_merged: true }
    };
    let rows = |take: &mut crate::replica::recasting::Take<'_>| {
        backup.each(|change| {
            let (value, expiry) = (change.value.unwrap_or_default(), change.expiry.map(|expiry| expiry.get()));
            take(Row { database: change.database, key: change.key, value, expiry })
        })
    };
    let identity = Identity { node, incarnation: incarnation.max(1) };
    let done = recast(&mut before, identity, backup.about.clock_ceiling, chance, now, rows, write);
    file.close();
    let Recast { keys, expired } = done?;
    let lock = before.close();
    let kept = exchange::finish(place.directory)?;
    drop(lock);
    Ok(Restored { node, keys, expired, kept })
}

/// A directory without data.
struct Nothing {
    lock: std::fs::File,
    checkpoint: Checkpoint,
    restore: Option<Restore>,
}

/// What the directory has.
enum Before {
    Opened(Box<Opened>),
    Nothing(Box<Nothing>),
}

impl Before {
    /// Leaves it as it is. Returns the directory's lock.
    fn close(self) -> std::fs::File {
        match self {
            Before::Opened(opened) => {
                let mut file = opened.file;
                let lock = file.take_lock();
                file.close();
                lock
            }
            Before::Nothing(nothing) => nothing.lock,
        }
    }
}

impl Disk for Before {
    fn checkpoint(&self) -> &Checkpoint {
        match self {
            Before::Opened(opened) => opened.checkpoint(),
            Before::Nothing(nothing) => &nothing.checkpoint,
        }
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        match self {
            Before::Opened(opened) => opened.restore(first),
            Before::Nothing(nothing) => {
                let restore = nothing.restore.take().expect("asked for once");
                restore.finish(first).map_err(|_| "two of no rows have one position".to_owned())
            }
        }
    }

    fn record(&mut self, _checkpoint: &Checkpoint) -> Result<(), String> {
        Ok(())
    }
}

/// Whose data is there, if there is any. An error is a sentence.
fn owner(path: &Path) -> Result<Option<NodeId>, String> {
    if !path.exists() {
        return Ok(None);
    }
    // An exchange that was under way is completed by who may: nothing is looked at that another process writes.
    drop(directory::take(path).and_then(|lock| exchange::complete(path).map(|_| lock))?);
    let file = path.join("backup.db");
    if !file.exists() {
        return match &aside::data_in(path)?[..] {
            [] => Ok(None),
            found => Err(format!(
                "{} has {} and no backup.db that it belongs to: move it away",
                path.display(),
                found.join(", ")
            )),
        };
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let query = "SELECT value FROM meta WHERE name = 'node'";
    let owner = Connection::open_with_flags(&file, flags)
        .and_then(|connection| connection.query_row(query, [], |row| row.get::<_, i64>(0)));
    let said = |why: &str| format!("{} does not say whose it is ({why}): move it away", file.display());
    owner
        .map_err(|error| said(&error.to_string()))
        .and_then(|owner| NodeId::try_from(owner).map(Some).map_err(|_| said("no node has such a number")))
}

fn write(file: &mut DataFile, begins: bool, batch: &crate::store::Batch, commit: Option<Checkpoint>) -> Outcome {
    let begun = if begins { file.begin() } else { Ok(()) };
    let written = begun.and_then(|()| file.write(batch)).and_then(|()| match commit {
        Some(checkpoint) => file.commit(&checkpoint).map(|()| Outcome::Committed(checkpoint)),
        None => Ok(Outcome::Taken),
    });
    written.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

/// A data file that a node goes on with is no backup.
fn forget_backup(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute("DELETE FROM meta WHERE name = 'backed_up'", [])?;
    connection.close().map_err(|(_, error)| error)
}
