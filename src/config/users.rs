//! The file of users: read whole, and written so that there is always one that is whole.

use std::fmt::Display;
use std::fs::{File, OpenOptions, rename};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::auth::Password;
use crate::auth::default_user::overrules;
use crate::auth::file::{Loaded, parse};
use crate::files;

/// A file has a line for each user, of some hundred bytes.
const BYTES_MAX: u64 = 16 << 20;

/// See the module.
#[derive(Clone, Debug)]
pub struct UsersFile {
    path: PathBuf,
}

impl UsersFile {
    pub(super) fn new(path: PathBuf) -> UsersFile {
        UsersFile { path }
    }

    /// As it was named.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads it. An error says what is wrong with each line that is.
    pub fn read(&self) -> Result<Loaded, String> {
        let name = self.name();
        let text = files::read(&self.path, BYTES_MAX);
        let text = text.map_err(|error| format!("Error loading ACLs, opening file '{name}': {error}"))?;
        parse(&name, &text)
    }

    /// Whether a password that is given beside the file is asked for. An error is a sentence.
    pub(super) fn check_beside(&self, users: &Loaded, password: Option<&Password>) -> Result<(), String> {
        let overruled = password.and_then(|password| overrules(&self.name(), users, password));
        overruled.map_or(Ok(()), |overruled| Err(overruled.why))
    }

    /// Puts a file with this text into its place, on the disk when this returns. Nobody but its owner can read it.
    pub fn write(&self, text: &[u8]) -> Result<(), String> {
        let failed = |why: &dyn Display| format!("cannot write {}: {why}", self.name());
        if text.len() as u64 > BYTES_MAX {
            return Err(failed(&format_args!("{} bytes are more than {BYTES_MAX}", text.len())));
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".tmp-{:016x}", RandomState::new().hash_one(std::process::id())));
        let beside = PathBuf::from(beside);
        // What has this name already is not ours: a link to a file of somebody else, perhaps.
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = options.map_err(|error| failed(&error))?;
        let written = self.replace(file, &beside, text);
        if written.is_err() {
            // It has its place already where only that could not be made to last.
            let _ = std::fs::remove_file(&beside);
        }
        written.map_err(|error| failed(&error))
    }

    fn replace(&self, mut file: File, beside: &Path, text: &[u8]) -> std::io::Result<()> {
        file.write_all(text)?;
        file.sync_all()?;
        rename(beside, &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_too_long_to_be_read_again_is_not_written() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = UsersFile::new(directory.path().join("users.acl"));
        let mut text = b"user default off".to_vec();
        text.resize(BYTES_MAX as usize, b'\n');
        assert_eq!(file.write(&text), Ok(()));
        assert_eq!(file.read().map(|users| users.len()), Ok(1));
        text.push(b'\n');
        let name = file.name();
        let why = "16777217 bytes are more than 16777216";
        assert_eq!(file.write(&text), Err(format!("cannot write {name}: {why}")));
        assert_eq!(file.read().map(|users| users.len()), Ok(1), "it is the one that was there");
        std::fs::write(&file.path, &text).expect("it can be written");
        let error = file.read().expect_err("it is too long");
        assert_eq!(error, format!("Error loading ACLs, opening file '{name}': {why}"));
    }
}
