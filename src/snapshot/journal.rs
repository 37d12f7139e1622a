//! `backup.db.journal-<n>`: whole commits one after another, as they came, until they are merged into the rows of
//! `backup.db`.
//!
//! A row of `backup.db` costs a search and the writing of a page; a change that is appended costs its own bytes. So
//! snapshots of many changes and busy `--durability commit` go here first; see [`super::storage`].
//!
//! A journal is a SQLite file whose log is never moved into the file proper: each change is written once, and read back
//! once. It is used by one process alone, and removed as a whole. Its first row says which state of `backup.db` (or end
//! of the journal before) it goes on from, so that it is never applied to another.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::fault::Fault;
use crate::replica::Checkpoint;
use crate::replication::{PersistedState, Unreadable};
use crate::store::{Batch, Database, Encoded, Floors, Stamp};

const PREFIX: &str = "backup.db.journal-";
/// What the names of its files end in, that of the journal itself last.
const FILES: [&str; 4] = ["-wal", "-shm", "-journal", ""];
/// Memory kept for the encoding of the next slice.
const ENCODED_BYTES_KEPT: usize = 1 << 20;

/// Large pages: most of a journal is long rows. The lock spares files shared with others.
const SETTINGS: &str = "
    PRAGMA page_size = 16384; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY;";

/// A row is a slice of changes (`batch`), a flush that is among them (its stamp, with the database in the bits of the node
/// above 12; as of format 3 it may stand beside the slice) or a commit (all else).
const SCHEMA: &str = "
    CREATE TABLE journal(
        number INTEGER PRIMARY KEY, floor_clock INTEGER, floor_node INTEGER,
        position INTEGER, position_ceiling INTEGER, clock_ceiling INTEGER, replication BLOB, batch BLOB);";

/// An open journal. One connection, used by one thread at a time.
pub(super) struct Journal {
    connection: Connection,
    path: PathBuf,
    number: u64,
    encoded: Vec<u8>,
    /// Bytes taken in, those of transactions that were rolled back included.
    bytes: u64,
    /// Whether there is anything in it to be merged.
    has_commit: bool,
}

impl Journal {
    /// Begins the journal of this number, which goes on from a state that is durable up to `base`.
    pub(super) fn create(directory: &Path, number: u64, base: u64) -> rusqlite::Result<Journal> {
        let path = directory.join(format!("{PREFIX}{number}"));
        // Where even this fails, the next attempt uses the same files.
        let begun = open(&path, number).and_then(|journal| journal.set_out(base).map(|()| journal));
        begun.inspect_err(|_| remove_files(&path))
    }

    /// The journals that lie in the directory, oldest first. Those without a commit hold nothing and are removed.
    pub(super) fn find(directory: &Path) -> Result<Vec<Journal>, Fault> {
        let cannot_list = |error| Fault::refused(directory, format!("cannot be listed: {error}"));
        let listed = std::fs::read_dir(directory).map_err(cannot_list)?;
        let mut numbers: Vec<u64> =
            listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(PREFIX)?.parse().ok()).collect();
        numbers.sort_unstable();
        let mut journals = Vec::new();
        for number in numbers {
            let path = directory.join(format!("{PREFIX}{number}"));
            if is_blank(&path) {
                remove_files(&path);
                continue;
            }
            let explain = |error| Fault::of_journal(&path, &error);
            let mut journal = open(&path, number).map_err(explain)?;
            journal.has_commit = journal.commits().map_err(explain)? > 1;
            if journal.has_commit {
                journals.push(journal);
            } else {
                journal.remove();
            }
        }
        Ok(journals)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All that is kept of it: itself and its log.
    pub(super) fn files(&self) -> [PathBuf; 2] {
        [self.path.clone(), with_suffix(&self.path, "-wal")]
    }

    /// They rise.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes taken in.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is anything in it to be merged. Where not, it is no more than room for the next transaction.
    pub(super) fn has_commit(&self) -> bool {
        self.has_commit
    }

    /// Takes in changes; with the first of them a transaction begins.
    pub(super) fn append(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        self.begin()?;
        batch.encode(&mut self.encoded);
        self.bytes += self.encoded.len() as u64;
        let appended = self.append_floors(&batch.floors()).and_then(|()| {
            self.connection
                .prepare_cached("INSERT INTO journal(batch) VALUES(?1)")
                .and_then(|mut statement| statement.execute([&self.encoded[..]]))
        });
        self.encoded.clear();
        self.encoded.shrink_to(ENCODED_BYTES_KEPT);
        appended.map(drop)
    }

    /// Ends the transaction; it is on disk when this returns.
    pub(super) fn commit(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        self.begin()?;
        let Checkpoint { position, position_ceiling, clock_ceiling, recorded } = checkpoint;
        let [position, position_ceiling, clock_ceiling] =
            [position, position_ceiling, clock_ceiling].map(|number| number.cast_signed());
        self.connection
            .prepare_cached(
                "INSERT INTO journal(position, position_ceiling, clock_ceiling, replication) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute((position, position_ceiling, clock_ceiling, recorded.encode()))?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.has_commit = true;
        Ok(())
    }

    /// Ends the transaction, where one is open, without effect.
    pub(super) fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            // Where even this fails, SQLite has rolled back itself or does so at the next begin.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// The positions that it can go on from: its base, and what its first commit covers beside it. A commit that was
    /// rolled back because its fsync failed may be there after a crash.
    pub(super) fn bases(&self) -> Result<RangeInclusive<u64>, Fault> {
        let query = "SELECT min(position), max(position) FROM
                     (SELECT position FROM journal WHERE position IS NOT NULL ORDER BY number LIMIT 2)";
        let read = |row: &Row<'_>| Ok(row.get::<_, i64>(0)?.cast_unsigned()..=row.get::<_, i64>(1)?.cast_unsigned());
        self.connection.query_row(query, [], read).map_err(|error| self.explain(error))
    }

    /// What its last commit recorded.
    pub(super) fn end(&self) -> Result<Checkpoint, Fault> {
        let query = "SELECT position, position_ceiling, clock_ceiling, replication FROM journal
                     WHERE position IS NOT NULL ORDER BY number DESC LIMIT 1";
        let read = |row: &Row<'_>| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok((number(0)?, number(1)?, number(2)?, row.get::<_, Vec<u8>>(3)?))
        };
        let (position, position_ceiling, clock_ceiling, recorded) =
            self.connection.query_row(query, [], read).map_err(|error| self.explain(error))?;
        let recorded = PersistedState::decode(&recorded).map_err(|why| match why {
            Unreadable::Damaged => Fault::damaged_journal(&self.path, &why.to_string()),
            Unreadable::Newer { .. } => Fault::refused(&self.path, why.to_string()),
        })?;
        Ok(Checkpoint { position, position_ceiling, clock_ceiling, recorded })
    }

    /// The latest flush of each database in it.
    pub(super) fn floors(&self) -> Result<Floors, Fault> {
        self.read_floors().map_err(|error| self.explain(error))
    }

    /// Its slices, last first, until `take` fails.
    pub(super) fn slices_back(&self, mut take: impl FnMut(Encoded<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
        let query = "SELECT batch FROM journal WHERE batch IS NOT NULL ORDER BY number DESC";
        let mut statement = self.connection.prepare(query).map_err(|error| self.explain(error))?;
        let mut rows = statement.query([]).map_err(|error| self.explain(error))?;
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            let slice = match row.get_ref(0) {
                Ok(ValueRef::Blob(bytes)) => Encoded::decode(bytes),
                _ => None,
            };
            take(slice.ok_or_else(|| Fault::damaged_journal(&self.path, "a slice of changes is none"))?)?;
        }
        Ok(())
    }

    /// Closes it and takes it away. What stays behind is known at the next start to be merged.
    pub(super) fn remove(self) {
        let Journal { connection, path, .. } = self;
        drop(connection);
        remove_files(&path);
    }

    /// Its first row.
    fn set_out(&self, base: u64) -> rusqlite::Result<()> {
        self.connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} INSERT INTO journal(position, position_ceiling, clock_ceiling, replication)
                VALUES({base}, 0, 0, x''); COMMIT"
        ))
    }

    fn append_floors(&self, floors: &Floors) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached("INSERT INTO journal(floor_clock, floor_node) VALUES(?1, ?2)")?;
        for (database, stamp) in floors.iter() {
            statement.execute((stamp.clock.cast_signed(), database.join(stamp.node)))?;
        }
        Ok(())
    }

    fn read_floors(&self) -> rusqlite::Result<Floors> {
        let query = "SELECT floor_clock, floor_node FROM journal WHERE floor_clock IS NOT NULL";
        let (mut statement, mut floors) = (self.connection.prepare(query)?, Floors::default());
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (database, node) = Database::split(row.get(1)?);
            floors.raise(database, Stamp { clock: row.get::<_, i64>(0)?.cast_unsigned(), node });
        }
        Ok(floors)
    }

    fn begin(&self) -> rusqlite::Result<()> {
        match self.connection.is_autocommit() {
            true => self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop),
            false => Ok(()),
        }
    }

    /// 0 where even the first was not completed.
    fn commits(&self) -> rusqlite::Result<u64> {
        let count = |query| self.connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
        match count("SELECT count(*) FROM sqlite_schema WHERE name = 'journal'")? {
            0 => Ok(0),
            _ => count("SELECT count(*) FROM (SELECT 1 FROM journal WHERE position IS NOT NULL LIMIT 2)"),
        }
    }

    fn explain(&self, error: rusqlite::Error) -> Fault {
        Fault::of_journal(&self.path, &error)
    }
}

/// The name of a file that SQLite keeps beside another.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

fn open(path: &Path, number: u64) -> rusqlite::Result<Journal> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(SETTINGS)?;
    Ok(Journal { connection, path: path.to_owned(), number, encoded: Vec::new(), bytes: 0, has_commit: false })
}

/// What is left of one that a full disk did not let begin. A crash while a journal begins leaves its file's own
/// journal.
fn is_blank(path: &Path) -> bool {
    let bytes = |suffix| std::fs::metadata(name(path, suffix)).map_or(0, |file| file.len());
    FILES.iter().all(|suffix| bytes(suffix) == 0)
}

fn remove_files(path: &Path) {
    for suffix in FILES {
        remove(&name(path, suffix));
    }
}

/// Removes a file that is not needed, where it is there.
pub(super) fn remove(name: &Path) {
    if let Err(error) = std::fs::remove_file(name)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!(
            event = "file_left_behind", why:% = error;
            "cannot remove {}: {error}; nothing in it is needed", name.display()
        );
    }
}

fn name(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}
