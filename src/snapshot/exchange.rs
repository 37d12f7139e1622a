//! A data file put in the place of another, all or nothing.
//!
//! The new one is made beside the old one, under a name of its own, and gets another name once all of it is on disk.
//! Then the old data is moved aside, the data file first: from that moment on the new one counts. Where the process ends
//! before it has its place, the next start gives it that; where it ends earlier, the next start has the old data.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::aside;
use super::journal::with_suffix;

/// Not all of it may be there.
const BEGUN: &str = "backup.db.restoring";
/// All of it is.
const WHOLE: &str = "backup.db.restored";

/// Where the new data file is to be made, in that directory: an empty file with these permissions at most. What an earlier
/// attempt has left is gone. An error is a sentence.
pub(super) fn begin(directory: &Path, mode: u32) -> Result<PathBuf, String> {
    remove_begun(directory);
    let begun = directory.join(BEGUN);
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(&begun);
    made.map(|_| begun.clone()).map_err(|error| format!("cannot make {}: {error}", begun.display()))
}

/// Puts what was made there in the place of what is there. Returns where that is kept, if there was any. An error is a
/// sentence.
pub(super) fn finish(directory: &Path) -> Result<Option<PathBuf>, String> {
    let (begun, whole) = (directory.join(BEGUN), directory.join(WHOLE));
    let cannot = |error| format!("cannot put {} in its place: {error}", begun.display());
    File::open(&begun).and_then(|file| file.sync_all()).map_err(cannot)?;
    fs::rename(&begun, &whole).and_then(|()| sync(directory)).map_err(cannot)?;
    let old = aside::data_in(directory)?;
    let kept = if old.is_empty() { None } else { Some(aside::set_aside(directory, &old)?) };
    put_in_place(directory)?;
    Ok(kept)
}

/// What a start does where an exchange was under way. Returns whether the new data is in its place thereby. An error is
/// a sentence.
pub(super) fn complete(directory: &Path) -> Result<bool, String> {
    remove_begun(directory);
    let whole = directory.join(WHOLE);
    if !whole.exists() {
        return Ok(false);
    }
    if directory.join("backup.db").exists() {
        super::journal::remove(&whole);
        return Ok(false);
    }
    let rest = aside::data_in(directory)?;
    if !rest.is_empty() {
        match aside::latest(directory) {
            Some(kept) => aside::add(directory, &rest, &kept)?,
            None => drop(aside::set_aside(directory, &rest)?),
        }
    }
    put_in_place(directory)?;
    Ok(true)
}

fn put_in_place(directory: &Path) -> Result<(), String> {
    let (whole, place) = (directory.join(WHOLE), directory.join("backup.db"));
    let moved = fs::rename(&whole, &place).and_then(|()| sync(directory));
    moved.map_err(|error| format!("cannot rename {} to {}: {error}", whole.display(), place.display()))
}

/// What has been renamed stays so.
fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

fn remove_begun(directory: &Path) {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        super::journal::remove(&with_suffix(&directory.join(BEGUN), suffix));
    }
}
