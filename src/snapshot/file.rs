//! `backup.db`: one SQLite file, readable by any tool while the node runs.
//!
//! Table `entry` holds one row per slot, deletions included (`value` is null), with the database in the bits of `node`
//! above the 12 of the node, so that a key of database 0 takes no byte more; view `kvstore` shows what a person looks
//! for: the keys that have a value, those included whose time has come and that are not turned into deletions yet. Keys
//! and values that are valid UTF-8 are TEXT, others BLOB. Table `meta` holds what the last transaction recorded beside
//! its rows.
//!
//! The file is in WAL mode with `synchronous=FULL`: a commit returns after its fsync. After an error the transaction is
//! rolled back, and the next one writes all of its pages anew before it syncs, so no commit rests on the second
//! answer of an fsync that failed once.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;

use super::fault::Fault;
use super::reserve::{self, Reserve};
use crate::replica::Checkpoint;
use crate::store::{Batch, Change, DATABASES_MAX, Database, Floors, Stamp};

/// Pages of the log after which they are moved into the file proper; 16 MiB.
const LOG_PAGES: usize = 4_096;
const PAGE_BYTES: usize = 4_096;
/// Memory of rows sorted at a time. Each window may touch every page of the file once, so it grows with the file: to so
/// large a part of it, 550,000 rows of 80 bytes at most.
const WINDOW_PART: usize = 8;
const WINDOW_BYTES_MIN: usize = 8 << 20;
const WINDOW_BYTES_MAX: usize = 64 << 20;
/// The memory of a window that stays for the next.
const WINDOW_BYTES_KEPT: usize = 1 << 16;

pub(super) const SCHEMA: &str = "
    CREATE TABLE entry(
        slot INTEGER PRIMARY KEY, key NOT NULL, value,
        position INTEGER NOT NULL, clock INTEGER NOT NULL, node INTEGER NOT NULL, expiry INTEGER);
    CREATE TABLE meta(name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = 0x6b767374;";

pub(super) const VIEW: &str = "
    CREATE VIEW kvstore(key, value, written_at, node, expires_at, db) AS
        SELECT key, value, datetime((clock >> 16) / 1000, 'unixepoch'), node & 4095,
            datetime(expiry / 1000, 'unixepoch'), node >> 12
        FROM entry WHERE value IS NOT NULL;";

pub(super) const FORMAT: i64 = 4;
pub(super) const SET_FORMAT: &str = "PRAGMA user_version = 4;";

/// From format 1, which knew no expiry.
pub(super) const ADD_EXPIRY: &str = "
    ALTER TABLE entry ADD COLUMN expiry INTEGER;
    DROP VIEW kvstore;
    PRAGMA user_version = 2;";

/// The open file. One connection, used by one thread.
pub struct DataFile {
    connection: Connection,
    path: PathBuf,
    /// Rows on their way into the open transaction, and how much memory they may take.
    window: Batch,
    window_bytes_max: usize,
    /// The flushes that are among the rows of the open transaction.
    floors: Floors,
    /// ... and whose rows are taken out already.
    dropped: Floors,
    /// Upper bound of the pages in the log.
    log_pages: usize,
    log_failed: bool,
    /// Whether a transaction of this start has set the format: what it records is of this format, and a start that is
    /// refused leaves the file to the version that wrote it.
    has_format: bool,
    /// All changes up to here are in the rows.
    position: u64,
    /// The directory, locked.
    lock: Option<File>,
    reserve_bytes_max: u64,
    /// What a start on a full disk gave up of it.
    reserve_given_up: u64,
}

impl DataFile {
    /// A file that is open, checked and ours.
    pub(super) fn new(connection: Connection, path: PathBuf, position: u64) -> DataFile {
        // How full the log is that was found is not known; it is moved into the file proper at the next occasion.
        DataFile {
            connection,
            path,
            window: Batch::default(),
            window_bytes_max: WINDOW_BYTES_MIN,
            floors: Floors::default(),
            dropped: Floors::default(),
            log_pages: LOG_PAGES,
            log_failed: false,
            has_format: false,
            position,
            lock: None,
            reserve_bytes_max: 0,
            reserve_given_up: 0,
        }
    }

    /// Keeps the directory's lock, for whoever takes it.
    pub(super) fn hold(&mut self, lock: File) {
        self.lock = Some(lock);
    }

    /// The directory's lock, for whoever keeps it from here on.
    pub(super) fn take_lock(&mut self) -> File {
        self.lock.take().expect("nobody has taken it")
    }

    /// So much of the disk is to be kept in reserve beside it; nothing where this is not called.
    pub fn keep_reserve(&mut self, bytes_max: u64) {
        self.reserve_bytes_max = bytes_max;
    }

    /// What the start has given up of it.
    pub(super) fn gave_up(&mut self, bytes: u64) {
        self.reserve_given_up += bytes;
    }

    /// See [`DataFile::keep_reserve`].
    pub(super) fn reserve_bytes_max(&self) -> u64 {
        self.reserve_bytes_max
    }

    /// The reserve itself.
    pub(super) fn reserve(&self) -> Reserve {
        Reserve::new(self.directory(), self.reserve_bytes_max, self.reserve_given_up)
    }

    /// The data directory.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be read.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// All changes up to here are in its rows.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The number of the last journal whose changes are in the rows; 0 where there was none.
    pub(super) fn last_merged(&self) -> rusqlite::Result<u64> {
        let query = "SELECT ifnull(max(value), 0) FROM meta WHERE name = 'journal'";
        self.connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    /// Records with the open transaction that all journals up to this one are in the rows.
    pub(super) fn set_last_merged(&self, number: u64) -> rusqlite::Result<()> {
        self.connection.execute("REPLACE INTO meta VALUES('journal', ?1)", [number.cast_signed()]).map(drop)
    }

    /// Records what must not be issued twice, before anything is.
    pub fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        let mut recorded = self.try_record(checkpoint);
        if recorded.as_ref().is_err_and(Fault::is_full) {
            let given_up = reserve::give_up(self.directory());
            if given_up > 0 {
                self.gave_up(given_up);
                recorded = self.try_record(checkpoint);
            }
        }
        recorded.map_err(|fault| fault.refusal())
    }

    /// Begins a transaction; ends the one that may be open without effect.
    pub fn begin(&mut self) -> rusqlite::Result<()> {
        self.roll_back();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let pages = self.connection.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get::<_, u32>(0))?;
        self.window_bytes_max = (pages as usize * PAGE_BYTES / WINDOW_PART).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        Ok(())
    }

    /// Takes in rows, to be taken out and put in at [`DataFile::commit`] at the latest.
    ///
    /// Rows are written in the order of their row ids, a window at a time: in the order of the changes each row would
    /// touch another page, and cost several times as much.
    pub fn write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        self.drop_below(&batch.floors());
        self.window.append(batch);
        self.write_window_if_full()
    }

    /// As [`DataFile::write`] with a single change.
    pub(super) fn put(&mut self, change: Change<'_>) -> rusqlite::Result<()> {
        self.window.push(change);
        self.write_window_if_full()
    }

    /// As [`DataFile::write`] with a single retired slot.
    pub(super) fn take_out(&mut self, slot: u32) {
        self.window.retired.push(slot);
    }

    /// Takes out all rows that were flushed, and takes in none.
    pub(super) fn drop_below(&mut self, floors: &Floors) {
        self.floors.merge(floors);
    }

    /// Ends the transaction; it is on disk when this returns.
    pub fn commit(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        self.write_window()?;
        (self.floors, self.dropped) = Default::default();
        let mut put = self.connection.prepare_cached("REPLACE INTO meta VALUES(?1, ?2)")?;
        for (name, value) in [
            ("position", checkpoint.position),
            ("position_ceiling", checkpoint.position_ceiling),
            ("clock_ceiling", checkpoint.clock_ceiling),
        ] {
            put.execute((name, value as i64))?;
        }
        put.execute(("replication", checkpoint.recorded.encode()))?;
        if !self.has_format {
            self.set_format()?;
        }
        self.log_pages += 2;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        (self.position, self.has_format) = (checkpoint.position, true);
        Ok(())
    }

    /// Ends the transaction, where one is open, without effect.
    pub fn roll_back(&mut self) {
        (self.floors, self.dropped) = Default::default();
        self.window.clear(WINDOW_BYTES_KEPT);
        if !self.connection.is_autocommit() {
            // Where even this fails, SQLite has rolled back itself or does so at the next begin.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Moves the log into the file proper once it has grown. Commits do not depend on it.
    pub fn checkpoint_if_due(&mut self) {
        if self.log_pages < LOG_PAGES {
            return;
        }
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        match self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages) {
            Ok((logged, moved)) if moved < logged => {
                // Looked at again when as much has come once more.
                self.log_pages = 0;
                if !std::mem::replace(&mut self.log_failed, true) {
                    let path = self.path.display();
                    log::warn!(
                        event = "wal_grows";
                        "{path}-wal grows: somebody was reading {path} when it was to be moved there, and as long \
                         as such a transaction does not end it goes on growing"
                    );
                }
            }
            Ok(_) => (self.log_pages, self.log_failed) = (0, false),
            Err(error) if !self.log_failed => {
                self.log_failed = true;
                let path = self.path.display();
                log::warn!(
                    event = "wal_grows", why:% = error;
                    "cannot move {path}-wal into {path}: {error}; it grows until that succeeds. Check the disk"
                );
            }
            Err(_) => (),
        }
    }

    /// Frees the page cache.
    pub(super) fn release_memory(&self) {
        if let Err(error) = self.connection.execute_batch("PRAGMA shrink_memory") {
            log::debug!("the page cache stays: {error}");
        }
    }

    /// Closes it as it is, and touches nothing that lies at its path.
    pub(super) fn abandon(self) {
        // Where even this fails, SQLite itself looks whether the file has moved.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Moves all of the log into the file proper and closes it.
    pub fn close(mut self) {
        self.roll_back();
        let Err((_, error)) = self.connection.close() else { return };
        log::warn!(
            event = "not_closed_cleanly", why:% = error;
            "{} was not closed cleanly: {error}; the next start goes on from its log", self.path.display()
        );
    }

    /// Takes out all rows below the flushes: in one go where nothing is above but flushes of other databases.
    fn drop_flushed(&self) -> rusqlite::Result<()> {
        let below = below(&self.floors);
        let query = format!(
            "SELECT slot, position, clock, node, key = '' FROM entry WHERE NOT {below} LIMIT {}",
            DATABASES_MAX + 1
        );
        let read = |row: &rusqlite::Row<'_>| {
            let number = |column| row.get::<_, i64>(column);
            Ok(([number(0)?, number(1)?, number(2)?, number(3)?], row.get::<_, bool>(4)?))
        };
        let above: Vec<_> = self.connection.prepare(&query)?.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
        if above.len() > DATABASES_MAX || !above.iter().all(|(_, is_floor)| *is_floor) {
            return self.connection.execute(&format!("DELETE FROM entry WHERE {below}"), []).map(drop);
        }
        self.connection.execute("DELETE FROM entry", [])?;
        for (floor, _) in above {
            self.connection.execute("INSERT INTO entry VALUES(?1, '', NULL, ?2, ?3, ?4, NULL)", floor)?;
        }
        Ok(())
    }

    /// Makes it one of this format: before format 4, which knew one database, nothing but the view was another.
    fn set_format(&self) -> rusqlite::Result<()> {
        if self.connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? != FORMAT {
            self.connection.execute_batch(&format!("DROP VIEW kvstore; {VIEW} {SET_FORMAT}"))?;
        }
        Ok(())
    }

    fn try_record(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        self.begin().and_then(|()| self.commit(checkpoint)).map_err(|error| Fault::of_file(&self.path, &error))
    }

    fn write_window_if_full(&mut self) -> rusqlite::Result<()> {
        if self.window.memory_bytes() >= self.window_bytes_max { self.write_window() } else { Ok(()) }
    }

    fn write_window(&mut self) -> rusqlite::Result<()> {
        if self.floors != self.dropped {
            self.drop_flushed()?;
            self.dropped = self.floors;
        }
        // A slot is retired before it is used again, so what goes out goes first.
        let mut remove = self.connection.prepare_cached("DELETE FROM entry WHERE slot = ?1")?;
        for slot in &self.window.retired {
            remove.execute([slot])?;
        }
        let mut put = self.connection.prepare_cached("REPLACE INTO entry VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        self.window.sort();
        for change in self.window.changes() {
            let Change { slot, position, stamp, database, key, value, expiry, .. } = change;
            if self.floors.covers(database, stamp) {
                continue;
            }
            put.raw_bind_parameter(1, slot)?;
            put.raw_bind_parameter(2, Text(key))?;
            put.raw_bind_parameter(3, value.map(Text))?;
            put.raw_bind_parameter(4, position as i64)?;
            put.raw_bind_parameter(5, stamp.clock as i64)?;
            put.raw_bind_parameter(6, database.join(stamp.node))?;
            put.raw_bind_parameter(7, expiry.map(|expiry| expiry.get() as i64))?;
            put.raw_execute()?;
        }
        self.log_pages += self.window.retired.len() + self.window.len() + self.window.bytes() / PAGE_BYTES;
        self.window.clear(WINDOW_BYTES_KEPT);
        Ok(())
    }
}

/// Whether a row is below the flush of its database.
fn below(floors: &Floors) -> String {
    let case = |(database, stamp): (Database, Stamp)| {
        let (number, clock, node) = (database.number(), stamp.clock.cast_signed(), database.join(stamp.node));
        format!("WHEN {number} THEN (clock, node) < ({clock}, {node})")
    };
    format!("(CASE node >> 12 {} ELSE 0 END)", floors.iter().map(case).collect::<Vec<_>>().join(" "))
}

/// Valid UTF-8 as TEXT, anything else as BLOB, without a copy of our own.
struct Text<'a>(&'a [u8]);

impl rusqlite::ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        let value = match std::str::from_utf8(self.0) {
            Ok(_) => ValueRef::Text(self.0),
            Err(_) => ValueRef::Blob(self.0),
        };
        Ok(rusqlite::types::ToSqlOutput::Borrowed(value))
    }
}
