//! Copies of the data file, made while the node runs: each by a thread of its own, which then reads it for whoever wants
//! it.
//!
//! A copy is made in one read transaction, so it is of one moment, and neither commits nor merges wait for it. It holds
//! what the rows hold, `meta` included, without free pages and without a log: one file that any SQLite opens. It lies
//! beside the data file only while it is made; from there on it has no name, and is gone with its thread. What a crash
//! leaves is removed at the next start.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use super::fault;
use super::file::DataFile;
use super::journal::with_suffix;
use super::reserve::free_bytes;
use crate::replica::{COPY_PIECE_BYTES, CopyJob, CopyNews};

const PREFIX: &str = "backup.db.copy-";
/// What is to be free beside the room for a copy: less would leave none for the next snapshots.
const ROOM_BYTES: u64 = 16 << 20;
/// How long another process may hold a lock that is in the way.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// Lets the loop go first where both share a core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// See the module.
pub struct Copies {
    directory: PathBuf,
    /// Where the threads get offsets to read at, by copy.
    threads: HashMap<u64, Sender<u64>>,
    tell: Teller,
    news: Receiver<CopyNews>,
}

/// How a thread says what it has done.
#[derive(Clone)]
struct Teller {
    news: Sender<CopyNews>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Teller {
    fn tell(&self, news: CopyNews) {
        // Where nobody takes it nobody waits for it.
        let _ = self.news.send(news);
        (self.wake)();
    }
}

impl Copies {
    /// Of this file, which is open. `wake` is called whenever [`Copies::take`] has something new.
    pub fn of(file: &DataFile, wake: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Copies> {
        let (news, to_take) = channel();
        // Also where the current directory is renamed.
        let directory = absolute(file.directory())?;
        Ok(Copies { directory, threads: HashMap::new(), tell: Teller { news, wake }, news: to_take })
    }

    /// Has a job done.
    pub fn give(&mut self, job: CopyJob) {
        match job {
            CopyJob::Make(number) => self.begin(number),
            CopyJob::Read { copy, offset } => {
                let thread = self.threads.get(&copy);
                if thread.is_none_or(|thread| thread.send(offset).is_err()) {
                    self.tell.tell(CopyNews::Read(copy, Err("its copy is gone".to_owned())));
                }
            }
            // The thread ends once it has done what it was given.
            CopyJob::Drop(number) => drop(self.threads.remove(&number)),
        }
    }

    /// What is done.
    pub fn take(&mut self) -> Option<CopyNews> {
        self.news.try_recv().ok()
    }

    fn begin(&mut self, number: u64) {
        let (directory, tell) = (self.directory.clone(), self.tell.clone());
        let (offsets, to_read) = channel();
        let work = move || serve(&directory, number, &to_read, &tell);
        match thread::Builder::new().name("backup".into()).spawn(work) {
            Ok(_) => drop(self.threads.insert(number, offsets)),
            Err(error) => self.tell.tell(CopyNews::Made(number, Err(format!("cannot start a thread: {error}")))),
        }
    }
}

/// Removes what a crash has left of copies.
pub(super) fn remove_left(directory: &Path) {
    // What cannot be listed is said where it has to be.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            super::journal::remove(&entry.path());
        }
    }
}

fn serve(directory: &Path, number: u64, to_read: &Receiver<u64>, tell: &Teller) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        log::debug!("copies are made without giving way: {error}");
    }
    let path = directory.join(format!("{PREFIX}{number}"));
    let made =
        make(directory, &path).and_then(|()| open(&path).map_err(|error| format!("{}: {error}", path.display())));
    // It is open, or good for nothing.
    for suffix in ["-journal", ""] {
        let _ = fs::remove_file(with_suffix(&path, suffix));
    }
    let (file, bytes) = match made {
        Ok(made) => made,
        Err(why) => return tell.tell(CopyNews::Made(number, Err(why))),
    };
    tell.tell(CopyNews::Made(number, Ok(bytes)));
    for offset in to_read {
        let mut piece = vec![0; bytes.saturating_sub(offset).min(COPY_PIECE_BYTES) as usize];
        let read = file.read_exact_at(&mut piece, offset);
        tell.tell(CopyNews::Read(number, read.map(|()| piece).map_err(|error| format!("cannot read it: {error}"))));
    }
}

fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// Makes a copy. An error is a sentence.
fn make(directory: &Path, path: &Path) -> Result<(), String> {
    let of = directory.join("backup.db");
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let needed = bytes(&of) + bytes(&with_suffix(&of, "-wal")) + ROOM_BYTES;
    if let Some(free) = free_bytes(directory).filter(|&free| free < needed) {
        return Err(format!(
            "a copy may take {needed} bytes of the disk of {}, and {free} are free: free some space",
            directory.display()
        ));
    }
    let explain =
        |error: rusqlite::Error| format!("cannot copy {}: {}", of.display(), fault::reason(directory, &error));
    copy(&of, path).map_err(explain)
}

fn copy(of: &Path, to: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(of, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.busy_timeout(BUSY_WAIT)?;
    source.execute_batch("PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY;")?;
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    drop(source);
    let made = Connection::open_with_flags(to, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    made.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
    made.execute("REPLACE INTO meta VALUES('backed_up', ?1)", [unix_ms as i64])?;
    made.close().map_err(|(_, error)| error)
}
