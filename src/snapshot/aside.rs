//! Data that is in the way of other data: it is moved aside under its names, and never overwritten.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the directories are called that it is moved to.
const PREFIX: &str = "set-aside-";

/// The names of what in the directory has the names of our data, the data file first. An error is a sentence.
pub(super) fn data_in(directory: &Path) -> Result<Vec<String>, String> {
    let cannot = |error| format!("cannot list {}: {error}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        if name == "backup.db" || name.starts_with("backup.db-") || name.starts_with("backup.db.journal-") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Moves them, in this order, together and under their names, into a new directory beside them. Returns which. An error
/// is a sentence.
pub(super) fn set_aside(directory: &Path, names: &[String]) -> Result<PathBuf, String> {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let cannot = |error| format!("cannot set {} aside: {error}", names.join(", "));
    let mut number = 0;
    let aside = loop {
        let aside = directory.join(format!("{PREFIX}{unix_s}-{number}"));
        match fs::create_dir(&aside) {
            Ok(()) => break aside,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(cannot(error)),
        }
    };
    add(directory, names, &aside)?;
    Ok(aside)
}

/// Moves them to others that were set aside there. An error is a sentence.
pub(super) fn add(directory: &Path, names: &[String], aside: &Path) -> Result<(), String> {
    let cannot = |error| format!("cannot set {} aside: {error}", names.join(", "));
    names.iter().try_for_each(|name| fs::rename(directory.join(name), aside.join(name))).map_err(cannot)
}

/// Where a data file was set aside last.
pub(super) fn latest(directory: &Path) -> Option<PathBuf> {
    let asides = fs::read_dir(directory).ok()?.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.path().join("backup.db").exists()
    });
    asides.max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok()).map(|entry| entry.path())
}
