//! Files that a tool makes: new ones, all or none, and nobody's but the owner's.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file that is to be made.
pub(super) struct Made {
    pub name: String,
    pub text: String,
}

/// What became of them.
pub(super) enum Outcome {
    /// They are made.
    Written,
    /// All were there before, and that is what was wished.
    Kept,
}

/// Makes them in a directory, and it where it is missing. Nothing is overwritten: files that are there are an error,
/// a sentence; with `if_missing` only where others of them are not.
pub(super) fn write(directory: &Path, files: &[Made], if_missing: bool) -> Result<Outcome, String> {
    let is_there = |file: &&Made| directory.join(&file.name).symlink_metadata().is_ok();
    if let Some(Made { name, .. }) = files.iter().find(is_there) {
        let path = directory.join(name);
        return match files.iter().find(|file| !is_there(file)) {
            None if if_missing => Ok(Outcome::Kept),
            Some(Made { name, .. }) if if_missing => Err(format!(
                "{} is there already, and {name} beside it is not: give another --out, or move it away",
                path.display()
            )),
            _ => Err(format!(
                "{} is there already, and nothing is overwritten: give another --out, or move it away",
                path.display()
            )),
        };
    }
    std::fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    for Made { name, text } in files {
        let path = directory.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(Outcome::Written)
}
