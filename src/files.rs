//! Files that people put there for a node: certificates, users, secrets.
//!
//! They are read while others wait, and `CONFIG SET` can name any. So nothing is read but a regular file, which has an
//! end and is there at once: a pipe that nobody writes to would hold its reader up forever, and a device may have no end.

use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// Permissions of whoever is not the file's owner.
const OTHERS: u32 = 0o077;

/// All of a regular file that is not longer. Its bytes do not stay in memory.
pub fn read(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Asked before it is opened, too, as to open a device can do something.
    check(&path.metadata()?, bytes_max)?;
    // Another may have its place by then: to open a pipe must not wait either.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let length = check(&file.metadata()?, bytes_max)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 1));
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_long(bytes.len() as u64, bytes_max)) } else { Ok(bytes) }
}

/// That the file, which is called so, is not for its owner alone, in a sentence. `None`: it is.
pub fn open_to_others(path: &Path, called: &str) -> Option<String> {
    let mode = path.metadata().ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let (name, mode) = (path.display(), mode & 0o7777);
        format!("{called} in {name} is open to other users of this machine (mode {mode:o}): chmod 600")
    })
}

/// How long it is, if it may be read.
fn check(metadata: &Metadata, bytes_max: u64) -> Result<u64, Error> {
    match metadata.len() {
        _ if !metadata.is_file() => Err(Error::new(ErrorKind::InvalidInput, "it is no regular file")),
        length if length > bytes_max => Err(too_long(length, bytes_max)),
        length => Ok(length),
    }
}

fn too_long(length: u64, bytes_max: u64) -> Error {
    Error::new(ErrorKind::FileTooLarge, format!("{length} bytes are more than {bytes_max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_long_as_it_may_be_and_what_is_no_file_is_not() {
        let directory = tempfile::tempdir().expect("there is room");
        let path = directory.path().join("file");
        for (length, is_read) in [(0, true), (9, true), (10, true), (11, false), (100, false)] {
            std::fs::write(&path, vec![b'x'; length]).expect("it can be written");
            let read = read(&path, 10);
            assert_eq!(read.as_ref().map_or(usize::MAX, |bytes| bytes.len()) == length, is_read, "{length}: {read:?}");
        }
        // One whose length is not told beforehand.
        let version = Path::new("/proc/version");
        assert!(read(version, 1 << 10).is_ok_and(|bytes| bytes.starts_with(b"Linux")));
        assert_eq!(read(version, 10).expect_err("it is longer").to_string(), "11 bytes are more than 10");
        for path in [directory.path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert_eq!(read(path, 10).expect_err("it is none").to_string(), "it is no regular file");
        }
    }
}
