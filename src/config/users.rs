//! The file of users: read whole, and written so that there is always one that is whole.

use std::fs::{File, OpenOptions, rename};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::auth::Password;
use crate::auth::default_user::overrules;
use crate::auth::file::{Loaded, parse};

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
        let text = std::fs::read(&self.path);
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
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".tmp-{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let written = self.replace(&beside, text);
        if written.is_err() {
            // It may never have been there.
            let _ = std::fs::remove_file(&beside);
        }
        written.map_err(|error| format!("cannot write {}: {error}", self.name()))
    }

    fn replace(&self, beside: &Path, text: &[u8]) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        rename(beside, &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}
