//! The data directory: created where it is missing, and held by one process.

use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// Creates the directory where it is missing, and locks it for as long as what is returned is open. An error is a
/// sentence.
pub(super) fn take(directory: &Path) -> Result<File, String> {
    let cannot = |why: &str| format!("cannot use the data directory {}: {why}", directory.display());
    create(directory).map_err(|error| cannot(&explain(directory, &error)))?;
    let lock = File::open(directory).map_err(|error| cannot(&error.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(cannot("another kvstoreapp uses it; stop that one or choose another --data-dir"))
        }
        Err(TryLockError::Error(error)) => Err(cannot(&error.to_string())),
    }
}

/// With all its parents, or none of them.
fn create(directory: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        directory.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
    fs::create_dir_all(directory).inspect_err(|_| {
        for parent in missing {
            // What was not created cannot be removed.
            let _ = fs::remove_dir(parent);
        }
    })
}

/// Why it cannot be created. Where something is in the way the system says no more than that it exists.
fn explain(directory: &Path, error: &Error) -> String {
    if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) {
        return error.to_string();
    }
    let in_the_way = directory.ancestors().find(|one| fs::symlink_metadata(one).is_ok());
    let Some(in_the_way) = in_the_way else { return error.to_string() };
    let name = in_the_way.display();
    match (fs::read_link(in_the_way), fs::metadata(in_the_way)) {
        (Ok(target), Err(error)) if error.kind() == ErrorKind::NotFound => format!(
            "{name} is a symbolic link to {}, which does not exist: create that directory or mend the link",
            target.display()
        ),
        (_, Ok(found)) if !found.is_dir() => {
            format!("{name} is no directory: move it away or choose another --data-dir")
        }
        (_, _) => error.to_string(),
    }
}
