//! `backup.db.reserve`: room on the disk that is taken while there is some, and given up when the disk is full, so that
//! one more snapshot has a chance.
//!
//! At most a tenth of what is free is taken. After it was given up it is taken again once twice as much is free as was
//! given up then: somebody has made room, and it is not only the room that the node has just left to its data.

use std::fs::{self, File};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NAME: &str = "backup.db.reserve";
/// The part of the free space that it may take.
const PART: u64 = 10;
/// See the module.
const ROOM_FACTOR: u64 = 2;
/// File systems give room in blocks of so much, or parts of it.
const BLOCK_BYTES: u64 = 4_096;
/// How often it is looked whether there is room for all of it,
const LOOK: Duration = Duration::from_secs(10);
/// ... and how often once it was given up.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What is written at a time where the file system cannot give room by itself.
const PIECE_BYTES: usize = 64 << 10;

/// See the module.
pub(super) struct Reserve {
    path: PathBuf,
    bytes_max: u64,
    bytes: u64,
    /// So much must be free for it to be taken again; 0 unless it was given up.
    free_min: u64,
    look: Instant,
    has_failed: bool,
}

impl Reserve {
    /// Goes on with what an earlier incarnation left, and takes what there is room for, where so much was not given up
    /// just now.
    pub(super) fn new(directory: &Path, bytes_max: u64, given_up: u64) -> Reserve {
        let path = directory.join(NAME);
        let bytes_max = bytes_max / BLOCK_BYTES * BLOCK_BYTES;
        let mut bytes = fs::metadata(&path).map_or(0, |file| file.len());
        if bytes > bytes_max {
            remove(&path);
            bytes = 0;
        }
        let (free_min, look) = (given_up * ROOM_FACTOR, Instant::now());
        let mut reserve = Reserve { path, bytes_max, bytes, free_min, look, has_failed: false };
        reserve.keep();
        reserve
    }

    /// Gives it up. Returns how much that was.
    pub(super) fn give_up(&mut self) -> u64 {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes > 0 {
            remove(&self.path);
            self.free_min = bytes * ROOM_FACTOR;
            self.look = Instant::now() + LOOK_AGAIN;
        }
        bytes
    }

    /// Takes what is missing, where it is time to look and there is room.
    pub(super) fn keep(&mut self) {
        let now = Instant::now();
        if self.bytes >= self.bytes_max || self.look > now {
            return;
        }
        self.look = now + if self.free_min > 0 { LOOK_AGAIN } else { LOOK };
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let free = free_bytes(directory).unwrap_or(0);
        let part = ((free + self.bytes) / PART).min(self.bytes_max) / BLOCK_BYTES * BLOCK_BYTES;
        // It grows to its end or to twice as much: a few times only, where a disk empties slowly.
        let grows = part > self.bytes && (part >= 2 * self.bytes || part == self.bytes_max);
        if grows && free >= self.free_min {
            self.grow(part);
        }
    }

    /// When to [keep](Reserve::keep) it.
    pub(super) fn pause(&self) -> Option<Duration> {
        (self.bytes < self.bytes_max).then(|| self.look.saturating_duration_since(Instant::now()))
    }

    /// How much it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn grow(&mut self, bytes: u64) {
        match take(&self.path, self.bytes, bytes) {
            Ok(()) => {
                if self.free_min > 0 {
                    log::info!(
                        event = "reserve_kept", bytes;
                        "there is room again: {} takes {bytes} bytes", self.path.display()
                    );
                }
                (self.bytes, self.free_min, self.has_failed) = (bytes, 0, false);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    let path = self.path.display();
                    log::warn!(
                        event = "reserve_failed", bytes, why:% = error;
                        "{path} cannot take {bytes} bytes of the disk in reserve: {error}"
                    );
                }
            }
        }
    }
}

/// Gives up what an earlier incarnation left in the directory. Returns how much that was.
pub(super) fn give_up(directory: &Path) -> u64 {
    let path = directory.join(NAME);
    let bytes = fs::metadata(&path).map_or(0, |file| file.len());
    if bytes > 0 {
        log::warn!(
            event = "disk_full", bytes;
            "the disk is full: {}, {bytes} bytes kept in reserve, is given up. Free some space", path.display()
        );
        remove(&path);
    }
    bytes
}

/// What this process may still write to the directory's file system.
pub(super) fn free_bytes(directory: &Path) -> Option<u64> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let free = rustix::fs::statvfs(directory).ok()?;
    free.f_bavail.checked_mul(free.f_frsize)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        log::warn!(event = "file_left_behind", why:% = error; "cannot remove {}: {error}", path.display());
    }
}

/// Makes the file as large as `bytes`, `from` of which it is; or leaves it as it was.
fn take(path: &Path, from: u64, bytes: u64) -> Result<(), Error> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let taken = allocate(&file, bytes).or_else(|error| match error.kind() {
        std::io::ErrorKind::Unsupported => write_noise(&mut file, bytes - from),
        _ => Err(error),
    });
    taken.inspect_err(|_| match from {
        0 => remove(path),
        _ => drop(file.set_len(from)),
    })
}

/// Noise, so that a file system that compresses takes the room for it.
fn write_noise(file: &mut File, bytes: u64) -> Result<(), Error> {
    let mut noise = fastrand::Rng::with_seed(bytes);
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        noise.fill(&mut piece);
        let count = left.min(PIECE_BYTES as u64);
        file.write_all(&piece[..count as usize])?;
        left -= count;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> Result<(), Error> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &File, _bytes: u64) -> Result<(), Error> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_tenth_of_the_free_space_at_most_and_comes_again_once_there_is_room() {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let place = directory.path().join(NAME);
        let free = free_bytes(directory.path()).expect("it can be asked");
        let bytes_max = 40_000.min(free / 20);
        let mut reserve = Reserve::new(directory.path(), bytes_max, 0);
        let taken = fs::metadata(&place).expect("it is there").len();
        assert_eq!(taken, bytes_max / BLOCK_BYTES * BLOCK_BYTES);
        assert_eq!(reserve.bytes(), taken);
        assert_eq!(reserve.give_up(), taken);
        assert!(!place.exists() && reserve.bytes() == 0);
        // Whoever gave up so much waits for more room.
        (reserve.free_min, reserve.look) = (u64::MAX, Instant::now());
        reserve.keep();
        assert!(!place.exists() && reserve.pause().is_some());
        (reserve.free_min, reserve.look) = (2 * taken, Instant::now());
        reserve.keep();
        assert_eq!(fs::metadata(&place).expect("it is there again").len(), taken);

        // An earlier incarnation's is gone on with, and goes where none is wanted.
        assert_eq!(Reserve::new(directory.path(), 2 * bytes_max, 0).bytes, 2 * bytes_max / BLOCK_BYTES * BLOCK_BYTES);
        Reserve::new(directory.path(), 0, 0);
        assert!(!place.exists());
        assert_eq!(Reserve::new(directory.path(), 0, 0).pause(), None);
    }

    #[test]
    fn a_file_system_that_cannot_give_room_by_itself_gets_noise() {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let place = directory.path().join(NAME);
        let mut file = File::options().append(true).create(true).open(&place).expect("it can be made");
        write_noise(&mut file, 100_000).expect("there is room");
        let bytes = fs::read(&place).expect("it is there");
        assert_eq!(bytes.len(), 100_000);
        assert!(bytes.chunks(4_096).all(|block| block.iter().filter(|&&byte| byte == 0).count() < 100));
    }
}
