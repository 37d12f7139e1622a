//! Where the data file lies, and whether what is open is what lies there.
//!
//! A file that is open stays, whatever becomes of its name: where somebody removes, renames or replaces it, or the
//! directory, or mounts another one there, each write succeeds and is lost with the process. So before anything is
//! called saved, what stands at each path is compared with what was opened: device and number, which no other file has
//! while one is open.
//!
//! Where they differ all is written anew, at the path. What lies in the way there is set aside, never overwritten; but
//! another directory that holds data of its own is left alone, and so is one that another process uses.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf, absolute};

use rusqlite::{Connection, OpenFlags};

use super::file::DataFile;
use super::opening::create_anew;
use super::{aside, directory};
use crate::replica::Checkpoint;
use crate::replication::PersistedState;
use crate::store::NodeId;

/// What a file or directory is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Identity {
        Identity { device: metadata.dev(), number: metadata.ino() }
    }
}

/// Why what is open may not be what lies there.
pub(super) enum Misplaced {
    /// It is not: what was saved is gone from there.
    Gone(String),
    /// The system does not tell.
    Unknown(String),
}

/// See the module.
pub(super) struct Place {
    directory: PathBuf,
    node: NodeId,
    /// The incarnation that this process records in its file.
    incarnation: Option<u64>,
    /// The directory, locked for as long as anything in it is open: two processes never share one.
    lock: File,
    /// The directory that holds what this process has written, or is to.
    home: Identity,
    /// What is open, by path.
    open: HashMap<PathBuf, Identity>,
    /// Not to be issued again: positions and clock values.
    ceilings: (u64, u64),
}

impl Place {
    /// Where this file lies.
    pub(super) fn of(file: &mut DataFile) -> std::io::Result<Place> {
        let meta = |name| {
            let query = "SELECT value FROM meta WHERE name = ?1";
            file.connection().query_row(query, [name], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        };
        let meta = |name| meta(name).map_err(std::io::Error::other);
        let ceilings = (meta("position_ceiling")?, meta("clock_ceiling")?);
        let node = meta("node")? as NodeId;
        let incarnation = incarnation_in(file.connection());
        // Also where the current directory is renamed.
        let (directory, lock) = (absolute(file.directory())?, file.take_lock());
        let home = Identity::of(&lock.metadata()?);
        Ok(Place { directory, node, incarnation, lock, home, open: HashMap::new(), ceilings })
    }

    /// Whether the directory and all these files, which are open, are what lies there. A file that was not among them
    /// before was opened just now.
    pub(super) fn check(&mut self, files: Vec<PathBuf>) -> Result<(), Misplaced> {
        let directory = self.lock.metadata().map_err(|error| unknown(&self.directory, &error))?;
        compare(&self.directory, Some(Identity::of(&directory)))?;
        let mut open = HashMap::with_capacity(files.len());
        for path in files {
            let identity = compare(&path, self.open.get(&path).copied())?;
            open.insert(path, identity);
        }
        self.open = open;
        Ok(())
    }

    /// Not to be issued again, whatever becomes of the file.
    pub(super) fn reserve(&mut self, checkpoint: &Checkpoint) {
        self.ceilings = (checkpoint.position_ceiling, checkpoint.clock_ceiling);
    }

    /// An empty file at the path, in a new directory if need be. Nothing of before may be open. An error is a sentence.
    pub(super) fn begin_anew(&mut self) -> Result<DataFile, String> {
        self.open.clear();
        let taken = self.take_directory()?;
        let in_the_way = aside::data_in(&self.directory)?;
        let backup = self.directory.join("backup.db");
        if !in_the_way.is_empty() {
            if taken != self.home && !self.is_ours(&backup) {
                return Err(format!(
                    "{} is another directory than before and holds data of its own, which is left as it is: move \
                     {} away and this node writes all it has there, or stop this node and start it again to serve that \
                     data",
                    self.directory.display(),
                    in_the_way.join(", ")
                ));
            }
            let kept = aside::set_aside(&self.directory, &in_the_way)?;
            log::warn!(
                event = "file_set_aside";
                "{} is not what this node has written last: it is kept in {}", in_the_way.join(", "), kept.display()
            );
        }
        self.home = taken;
        let mut file = create_anew(&backup, self.node)?;
        let (position_ceiling, clock_ceiling) = self.ceilings;
        file.record(&Checkpoint { position_ceiling, clock_ceiling, ..Checkpoint::default() })?;
        log::warn!(event = "data_written_anew"; "writing all data anew into {}", backup.display());
        Ok(file)
    }

    /// Takes the directory that stands at the path, which is created where there is none.
    fn take_directory(&mut self) -> Result<Identity, String> {
        let cannot = |error| format!("cannot use the data directory {}: {error}", self.directory.display());
        let taken = self.lock.metadata().map(|ours| Identity::of(&ours)).map_err(cannot)?;
        match fs::metadata(&self.directory) {
            Ok(there) if Identity::of(&there) == taken => return Ok(taken),
            Err(error) if !is_missing(&error) => return Err(cannot(error)),
            Ok(_) | Err(_) => (),
        }
        let lock = directory::take(&self.directory)?;
        let taken = Identity::of(&lock.metadata().map_err(cannot)?);
        self.lock = lock;
        Ok(taken)
    }

    /// Whether this process has written it.
    fn is_ours(&self, path: &Path) -> bool {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let incarnation = connection.ok().and_then(|connection| incarnation_in(&connection));
        incarnation.is_some() && incarnation == self.incarnation
    }
}

/// What stands at the path, which has to be this where it is known.
fn compare(path: &Path, known: Option<Identity>) -> Result<Identity, Misplaced> {
    let gone = |what| Misplaced::Gone(format!("{} {what}", path.display()));
    match fs::metadata(path) {
        Ok(there) if known.is_none_or(|known| known == Identity::of(&there)) => Ok(Identity::of(&there)),
        Ok(_) => Err(gone("was replaced while the node runs")),
        Err(error) if is_missing(&error) => Err(gone("was removed or renamed while the node runs")),
        Err(error) => Err(unknown(path, &error)),
    }
}

fn unknown(path: &Path, error: &std::io::Error) -> Misplaced {
    Misplaced::Unknown(format!("cannot look at {}: {error}", path.display()))
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The latest incarnation that has written it.
fn incarnation_in(connection: &Connection) -> Option<u64> {
    let query = "SELECT CAST(value AS BLOB) FROM meta WHERE name = 'replication'";
    let recorded = connection.query_row(query, [], |row| row.get::<_, Vec<u8>>(0)).ok()?;
    PersistedState::decode(&recorded).ok()?.incarnations.last().map(|&(incarnation, _)| incarnation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Restore;

    fn create(directory: &Path) -> DataFile {
        DataFile::open(directory, 0, Restore::new([1, 2], 0)).expect("it can be made").file
    }

    #[test]
    fn data_of_another_directory_is_left_alone_however_often_it_is_tried() {
        let parent = tempfile::tempdir().expect("there is a temporary directory");
        let (here, other) = (parent.path().join("here"), parent.path().join("other"));
        create(&other).close();
        let mut file = create(&here);
        let mut place = Place::of(&mut file).expect("it can be read");
        file.abandon();
        fs::rename(&here, parent.path().join("before")).expect("it is there");
        fs::rename(&other, &here).expect("it is there");
        for _ in 0..3 {
            let refusal = place.begin_anew().err().expect("it is not this node's");
            assert!(refusal.contains("holds data of its own"), "{refusal}");
        }
        assert!(here.join("backup.db").exists());
        for name in aside::data_in(&here).expect("it can be listed") {
            fs::remove_file(here.join(name)).expect("it is there");
        }
        place.begin_anew().expect("nothing is in the way").close();
        // What it has begun itself, and did not get any further with, is no reason to give up.
        place.begin_anew().expect("its own is in the way").close();
    }
}
