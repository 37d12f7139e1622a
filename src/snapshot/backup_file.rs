//! A backup: a data file that is read, and never written.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::journal::with_suffix;
use super::opening::{Kind, Unloadable, change_of, is_cut, kind, unknown_format};
use crate::replication::{PersistedState, Unreadable};
use crate::store::{Change, Clock, NodeId, Restore};

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A backup that was looked through and is whole.
pub struct BackupFile {
    connection: Connection,
    path: PathBuf,
    /// Whether rows say when they expire.
    has_expiry: bool,
    /// What it is.
    pub about: About,
}

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The format of the file.
    pub format: i64,
    /// Whose it is.
    pub node: NodeId,
    /// Keys that have a value and had not expired at the time that it was looked at.
    pub keys: u64,
    /// Those that had.
    pub expired: u64,
    /// When it was taken, in UTC; `None`: it is no backup that a node has made, but its data file.
    pub taken: Option<String>,
    /// When the latest key in it was written, in UTC, by the clock of who wrote it.
    pub written: Option<String>,
    /// Files beside it with later changes that are not in it: those of a data file whose node has crashed.
    pub journals: usize,
    /// No clock value above this one was issued by then.
    pub clock_ceiling: u64,
}

/// Why it is none: a sentence that begins after its name.
enum Flaw {
    Sqlite(rusqlite::Error),
    Said(String),
}

impl From<rusqlite::Error> for Flaw {
    fn from(error: rusqlite::Error) -> Flaw {
        Flaw::Sqlite(error)
    }
}

impl From<String> for Flaw {
    fn from(why: String) -> Flaw {
        Flaw::Said(why)
    }
}

impl From<Unloadable> for Flaw {
    fn from(unloadable: Unloadable) -> Flaw {
        match unloadable {
            Unloadable::Sqlite(error) => Flaw::Sqlite(error),
            Unloadable::Row(why) => Flaw::Said(format!("is damaged: {why}")),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, PermissionDenied};
        match self {
            Flaw::Said(why) => out.write_str(why),
            Flaw::Sqlite(error) => match error.sqlite_error_code() {
                Some(NotADatabase) => write!(out, "is no SQLite file"),
                Some(DatabaseCorrupt) => write!(out, "is damaged or cut off: {error}"),
                Some(CannotOpen | PermissionDenied) => write!(out, "cannot be opened: {error}"),
                _ => write!(out, "cannot be read: {error}"),
            },
        }
    }
}

impl BackupFile {
    /// Opens it and looks through all of it, at this time. An error is a sentence.
    pub fn verify(path: &Path, unix_ms: u64) -> Result<BackupFile, String> {
        open(path, unix_ms).map_err(|flaw| format!("{} {flaw}", path.display()))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who may read what is made of it: its owner, and the group where that may read the backup.
    pub(super) fn private_mode(&self) -> u32 {
        let mode = std::fs::metadata(&self.path).map_or(0, |file| file.permissions().mode());
        0o600 | (mode & 0o040)
    }

    /// Makes a copy of it, in an empty file that is there. An error is a sentence.
    pub(super) fn copy_to(&self, to: &Path) -> Result<(), String> {
        let cannot = |error| format!("cannot copy {} to {}: {error}", self.path.display(), to.display());
        self.connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map(drop).map_err(cannot)
    }

    /// Its keys with their values, in no order; also those that have expired. An error of `take` ends it, and is
    /// returned, as is a sentence.
    pub(super) fn each(&self, mut take: impl FnMut(Change<'_>) -> Result<(), String>) -> Result<(), String> {
        let mut fail = Ok(());
        let walked = walk(&self.connection, self.has_expiry, |change| {
            fail = if change.key.is_empty() || change.value.is_none() { Ok(()) } else { take(change) };
            fail.is_ok()
        });
        fail.and(walked.map_err(|flaw| format!("{} {flaw}", self.path.display())))
    }
}

fn open(path: &Path, unix_ms: u64) -> Result<BackupFile, Flaw> {
    let found = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !found.is_file() {
        return Err(Flaw::Said("is no file".to_owned()));
    }
    if found.len() == 0 {
        return Err(Flaw::Said("is empty".to_owned()));
    }
    let mut begin = [0; MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    match read {
        Ok(()) if begin == *MAGIC => (),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(Flaw::Said(format!("cannot be read: {error}")));
        }
        Ok(()) | Err(_) => return Err(Flaw::Said("is no SQLite file".to_owned())),
    }
    let connection = open_connection(path)?;
    if is_cut(&connection)? {
        return Err(Flaw::Said("is cut off: its last page is incomplete".to_owned()));
    }
    let has_expiry = match kind(&connection)? {
        Kind::Ours | Kind::OursWithoutDatabases => true,
        Kind::OursWithoutExpiry => false,
        Kind::OursOfFormat(format) => {
            return Err(Flaw::Said(format!("{}: use the version that wrote it", unknown_format(format))));
        }
        Kind::Original => {
            let why = "is a file of the original KVStoreApp: a node takes it over that finds it as its backup.db";
            return Err(Flaw::Said(why.to_owned()));
        }
        Kind::OfAnotherProgram(tables) => {
            return Err(Flaw::Said(format!("is a database of another program (tables: {tables})")));
        }
        Kind::New => return Err(Flaw::Said("has nothing in it".to_owned())),
    };
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Flaw::Said(format!("is damaged: {}", verdict.trim().replace('\n', " "))));
    }
    let about = describe(&connection, path, has_expiry, unix_ms)?;
    Ok(BackupFile { connection, path: path.to_owned(), has_expiry, about })
}

/// Nothing is written beside it, and it may lie where nothing can be; unless there is a log, without which it may not be
/// whole.
fn open_connection(path: &Path) -> Result<Connection, Flaw> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let has_log = std::fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if has_log {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    let whole = std::path::absolute(path).map_err(|error| format!("cannot be found: {error}"))?;
    let whole = whole.to_str().ok_or_else(|| "has a name that is not UTF-8: rename it".to_owned())?;
    let escaped = whole.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?)
}

fn describe(connection: &Connection, path: &Path, has_expiry: bool, unix_ms: u64) -> Result<About, Flaw> {
    let meta = |name: &str| -> Result<u64, Flaw> {
        let query = "SELECT value FROM meta WHERE name = ?1";
        let number = connection.query_row(query, [name], |row| row.get::<_, i64>(0));
        number.map(i64::cast_unsigned).map_err(|_| Flaw::Said(format!("is damaged: it does not say its {name}")))
    };
    let query = "SELECT CAST(value AS BLOB) FROM meta WHERE name = 'replication'";
    let recorded: Vec<u8> = connection.query_row(query, [], |row| row.get(0))?;
    match PersistedState::decode(&recorded) {
        Ok(_) => (),
        Err(why @ Unreadable::Damaged) => return Err(Flaw::Said(format!("is damaged: {why}"))),
        Err(why @ Unreadable::Newer { .. }) => return Err(Flaw::Said(why.to_string())),
    }
    let (mut keys, mut expired, mut clock) = (0, 0, None);
    walk(connection, has_expiry, |change| {
        clock = clock.max(Some(change.stamp.clock));
        match change.value {
            None => (),
            Some(_) if change.expiry.is_some_and(|expiry| expiry.get() <= unix_ms) => expired += 1,
            Some(_) => keys += 1,
        }
        true
    })?;
    let date = |unix_ms: u64| {
        let query = "SELECT ifnull(datetime(?1, 'unixepoch'), 'at a time that cannot be')";
        connection.query_row(query, [(unix_ms / 1_000).cast_signed()], |row| row.get(0))
    };
    let node = u16::try_from(meta("node")?).map_err(|_| "is damaged: it is of no node".to_owned())?;
    Ok(About {
        format: connection.query_row("PRAGMA user_version", [], |row| row.get(0))?,
        node,
        keys,
        expired,
        taken: meta("backed_up").ok().map(date).transpose()?,
        written: clock.map(Clock::unix_ms).map(date).transpose()?,
        journals: journals_of(path),
        clock_ceiling: meta("clock_ceiling")?,
    })
}

/// How many journals lie beside it.
fn journals_of(path: &Path) -> usize {
    let Some(name) = path.file_name() else { return 0 };
    let prefix = format!("{}.journal-", name.to_string_lossy());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter(|name| name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse::<u64>().ok()).is_some())
        .count()
}

/// All rows, until `take` wants no more.
fn walk(connection: &Connection, has_expiry: bool, mut take: impl FnMut(Change<'_>) -> bool) -> Result<(), Flaw> {
    let expiry = if has_expiry { "expiry" } else { "NULL" };
    let query = format!("SELECT slot, key, value, position, clock, node, {expiry} FROM entry");
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let change = change_of(row)?;
        debug_assert!(change.slot < Restore::SLOTS_MAX);
        if !take(change) {
            break;
        }
    }
    Ok(())
}
