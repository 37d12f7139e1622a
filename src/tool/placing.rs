//! Files that a tool makes: written beside their place, and put there once they are whole.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// Refuses a place where something else than a file is: it would be gone, a device or a link as well.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(Failure::unknown(format!("{} is no file, and is left as it is: name another", file.display())))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The file beside that one, for nobody but its owner. What an earlier run has left of it goes; a link is not followed.
pub(super) fn create_beside(file: &Path) -> Result<(PathBuf, File), Failure> {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    let path = PathBuf::from(name);
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    let created = removed.and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path));
    match created {
        Ok(created) => Ok((path, created)),
        Err(error) => Err(Failure::unknown(format!("cannot make {}: {error}", path.display()))),
    }
}
