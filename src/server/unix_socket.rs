//! A unix socket that is listened on: the file it is, from the start to the end.

use std::fs::{Metadata, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use rustix::fs::Mode;
use rustix::process::umask;

use crate::config::UnixSocket;

/// What a file is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// See the module. The file goes with it.
pub struct UnixDoor {
    pub(super) listener: UnixListener,
    path: PathBuf,
    identity: Identity,
}

impl UnixDoor {
    /// Listens on the path, with the mode that the file is to have; so many clients may wait. A socket that nobody listens
    /// on any more is replaced. An error is a sentence.
    pub fn open(socket: &UnixSocket, backlog: usize) -> Result<UnixDoor, String> {
        let UnixSocket { path, mode } = socket;
        let failed = |why: String| format!("cannot listen on the unix socket {}: {why}", path.display());
        clear(path).map_err(failed)?;
        // The mode holds from the first moment: nobody connects before the file is closed to them. No other thread
        // makes files yet.
        let before = umask(Mode::from_raw_mode(!mode & 0o777));
        let bound = UnixListener::bind(path);
        umask(before);
        let listener = bound.map_err(|error| failed(error.to_string()))?;
        let known = symlink_metadata(path).map_err(|error| failed(error.to_string()))?;
        let door = UnixDoor { listener, path: path.clone(), identity: Identity::of(&known) };
        rustix::net::listen(&door.listener, backlog as i32).map_err(|error| failed(error.to_string()))?;
        Ok(door)
    }

    /// As `CLIENT LIST` shows both ends, in Redis' form.
    pub(super) fn addresses(&self) -> (String, String) {
        let text = format!("{}:0", self.path.display());
        (text.clone(), text)
    }
}

impl Drop for UnixDoor {
    fn drop(&mut self) {
        // Somebody may have put another file there.
        if symlink_metadata(&self.path).is_ok_and(|found| Identity::of(&found) == self.identity) {
            // Where it stays, the next start replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Identity {
    fn of(found: &Metadata) -> Identity {
        Identity { device: found.dev(), inode: found.ino() }
    }
}

/// Makes the path free, if all that lies there is a socket of a process that is gone.
fn clear(path: &Path) -> Result<(), String> {
    let found = match symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !found.file_type().is_socket() {
        return Err("there is a file that is no socket; remove it or choose another path".to_owned());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| format!("the one of a process that is gone stays: {error}"))
        }
        // Where its queue is full, somebody is at its other end.
        Err(error) if error.kind() != ErrorKind::WouldBlock => {
            Err(format!("there is a socket, and nobody knows whose: {error}; remove it or choose another path"))
        }
        Ok(_) | Err(_) => Err("another process listens there; stop it or choose another path".to_owned()),
    }
}
