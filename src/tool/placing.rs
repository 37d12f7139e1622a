//! Files that a tool makes: written beside their place, and put there once they are whole.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Result as IoResult, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// What is written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Refuses a place where something else than a file is: it would be gone, a device or a link as well; and one where a
/// file is, unless that is forced.
pub(super) fn check(file: &Path, force: bool) -> Result<(), Failure> {
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(Failure::unknown(format!("{} is no file, and is left as it is: name another", file.display())))
        }
        Ok(_) if !force => {
            Err(Failure::unknown(format!("{} is there already: say --force to write over it", file.display())))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A file that is not whole yet, beside the place that it is for. It goes with this, unless it got there.
pub(super) struct Part {
    out: BufWriter<File>,
    path: PathBuf,
    place: PathBuf,
    is_placed: bool,
}

impl Part {
    /// For nobody but its owner. What an earlier run has left of it goes; a link is not followed.
    pub(super) fn beside(place: &Path) -> Result<Part, Failure> {
        let mut name = place.as_os_str().to_owned();
        name.push(".part");
        let (path, place) = (PathBuf::from(name), place.to_owned());
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        let created = removed.and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path));
        match created {
            Ok(file) => Ok(Part { out: BufWriter::with_capacity(BUFFER_BYTES, file), path, place, is_placed: false }),
            Err(error) => Err(Failure::unknown(format!("cannot make {}: {error}", path.display()))),
        }
    }

    /// All that was written is on the disk when this returns.
    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(|error| self.failed(&error))
    }

    /// Gives it its name, for good, after [`sync`](Part::sync). What has that name already goes where it is forced.
    pub(super) fn put_in_place(mut self, force: bool) -> Result<(), Failure> {
        let (path, place) = (&self.path, &self.place);
        let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A link is refused where somebody has made that file meanwhile; not every file system has links.
        let placed = match fs::hard_link(path, place) {
            Err(_) if force || !place.exists() => fs::rename(path, place).map(|()| self.is_placed = true),
            linked => linked,
        };
        let synced = placed.and_then(|()| File::open(directory)?.sync_all());
        synced.map_err(|error| format!("cannot put {} in its place: {error}", self.place.display()).into())
    }

    /// Where it is until then.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is said of a write that failed.
    pub(super) fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::from(format!("cannot write {}: {error}", self.path.display()))
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> IoResult<()> {
        self.out.flush()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_placed {
            // It is of no use, and says so by its name where it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}
