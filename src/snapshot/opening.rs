//! What is accepted as `backup.db` at the start, and how its rows get into a store.
//!
//! It looks first and touches after: a file that is refused stays as it was, and the refusal says what to do.

use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::fault::Fault;
use super::file::{ADD_EXPIRY, DataFile, FORMAT, SCHEMA, SET_FORMAT, VIEW};
use super::journal::Journal;
use super::merging;
use super::reserve;
use super::{copies, directory, exchange};
use crate::replica::{Checkpoint, Disk};
use crate::replication::{PersistedState, Unreadable};
use crate::store::{Change, Database, KEY_BYTES_MAX, NodeId, Restore, Stamp, Store, VALUE_BYTES_MAX};

/// "kvst", so that `file` and our own start know the file.
const APPLICATION_ID: i64 = 0x6b76_7374;
/// Those that are taken over: the latest knew one database, what the others record of replication has no version, and the
/// first knew no expiry.
const FORMAT_WITHOUT_DATABASES: i64 = 3;
const FORMAT_WITHOUT_VERSION: i64 = 2;
const FORMAT_WITHOUT_EXPIRY: i64 = 1;
/// Far above any position that comes from a clock, far below where numbers end.
const POSITION_MAX: u64 = 1 << 62;
/// How long another process may hold the file's write lock before that counts as a failure.
const BUSY_WAIT: Duration = Duration::from_secs(1);
/// Recovery that takes longer than this says how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// What a start finds.
pub struct Opened {
    /// The file, to be written.
    pub file: DataFile,
    /// Its rows.
    pub restore: Restore,
    /// What its last transaction recorded; all zero in a new file.
    pub checkpoint: Checkpoint,
    /// Rows taken over from a two-column file of the original KVStoreApp.
    pub adopted: Option<u64>,
}

/// What kind of file there is.
pub(super) enum Kind {
    New,
    Ours,
    OursWithoutDatabases,
    OursWithoutExpiry,
    /// Of a format that this version does not know.
    OursOfFormat(i64),
    Original,
    /// It has these tables.
    OfAnotherProgram(String),
}

impl DataFile {
    /// Opens or creates `directory/backup.db` and reads it into an empty store. An error is a sentence that says
    /// what to do; the file is then as it was.
    pub fn open(directory: &Path, node: NodeId, restore: Restore) -> Result<Opened, String> {
        let lock = directory::take(directory)?;
        copies::remove_left(directory);
        if exchange::complete(directory)? {
            log::info!(event = "restore_completed"; "a restore that was under way is completed");
        }
        let mut taken_over = take_over(directory, node);
        let mut given_up = 0;
        if taken_over.as_ref().is_err_and(Fault::is_full) {
            given_up = reserve::give_up(directory);
            if given_up > 0 {
                taken_over = take_over(directory, node);
            }
        }
        let TakenOver { mut file, checkpoint, adopted, journals } = taken_over.map_err(|fault| fault.refusal())?;
        file.hold(lock);
        file.gave_up(given_up);
        let mut restore = restore;
        load(file.connection(), &mut restore).map_err(|unloadable| match unloadable {
            Unloadable::Sqlite(error) => Fault::of_file(file.path(), &error).refusal(),
            Unloadable::Row(why) => Fault::damaged_file(file.path(), &why).refusal(),
        })?;
        journals.into_iter().for_each(Journal::remove);
        Ok(Opened { file, restore, checkpoint, adopted })
    }
}

impl Disk for Opened {
    fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn restore(&mut self, first: u64) -> Result<Store, String> {
        let restore = std::mem::replace(&mut self.restore, Restore::new([0; 2], 0));
        let damaged = |why: &str| Fault::damaged_file(self.file.path(), why).refusal();
        restore.finish(first).map_err(|taken| damaged(&format!("two rows at position {}", taken.0)))
    }

    fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        self.file.record(checkpoint)
    }
}

/// An empty file, where there is none.
pub(super) fn create_anew(path: &Path, node: NodeId) -> Result<DataFile, String> {
    open_file(path, node).map(|(file, _, _)| file).map_err(|fault| fault.refusal())
}

/// A file that is open, all its journals in its rows.
struct TakenOver {
    file: DataFile,
    checkpoint: Checkpoint,
    adopted: Option<u64>,
    /// To be removed once the rows were read.
    journals: Vec<Journal>,
}

fn take_over(directory: &Path, node: NodeId) -> Result<TakenOver, Fault> {
    let (mut file, checkpoint, adopted) = open_file(&directory.join("backup.db"), node)?;
    let (journals, merged) = merging::recover(&mut file, directory)?;
    Ok(TakenOver { file, checkpoint: merged.unwrap_or(checkpoint), adopted, journals })
}

fn open_file(path: &Path, node: NodeId) -> Result<(DataFile, Checkpoint, Option<u64>), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let (connection, adopted, found) = Connection::open_with_flags(path, flags)
        .and_then(|connection| open_connection(&connection, node).map(|(adopted, found)| (connection, adopted, found)))
        .map_err(|error| Fault::of_file(path, &error))?;
    let checkpoint = match found {
        Found::Checkpoint(checkpoint) => checkpoint,
        Found::Refused(sentence) => return Err(Fault::refused(path, sentence)),
        Found::Damaged(why) => return Err(Fault::damaged_file(path, &why)),
    };
    Ok((DataFile::new(connection, path.to_owned(), checkpoint.position), checkpoint, adopted))
}

enum Found {
    /// What the file's last transaction recorded.
    Checkpoint(Checkpoint),
    /// It is not taken: a sentence that begins after the file's name.
    Refused(String),
    /// It makes no sense, for this reason.
    Damaged(String),
}

/// Looks first and touches after: a file that is not ours stays as it was.
fn open_connection(connection: &Connection, node: NodeId) -> rusqlite::Result<(Option<u64>, Found)> {
    connection.busy_timeout(BUSY_WAIT)?;
    if is_cut(connection)? {
        return Ok((None, Found::Damaged("its last page is incomplete".to_owned())));
    }
    let kind = kind(connection)?;
    let refusal = match &kind {
        Kind::OursOfFormat(format) => Some(format!("{}: start the version that wrote it", unknown_format(*format))),
        Kind::OfAnotherProgram(tables) => Some(format!(
            "is a database of another program (tables: {tables}): choose another --data-dir or move it away"
        )),
        Kind::New | Kind::Ours | Kind::OursWithoutDatabases | Kind::OursWithoutExpiry | Kind::Original => None,
    };
    if let Some(refusal) = refusal {
        return Ok((None, Found::Refused(refusal)));
    }
    if let Some(fault) = quick_check(connection)? {
        return Ok((None, Found::Damaged(fault)));
    }
    if let Kind::Original = kind
        && let Some(refusal) = refuse_original(connection)?
    {
        return Ok((None, Found::Refused(refusal)));
    }
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -1024; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;
         BEGIN IMMEDIATE;",
    )?;
    let mut adopted = None;
    match kind {
        Kind::Ours | Kind::OursWithoutDatabases | Kind::OursWithoutExpiry => (),
        Kind::OursOfFormat(_) | Kind::OfAnotherProgram(_) => unreachable!("they were refused"),
        Kind::New => create(connection, node)?,
        Kind::Original => adopted = Some(adopt(connection, node)?),
    }
    connection.execute_batch("COMMIT")?;
    let meta = |name| {
        let query = "SELECT value FROM meta WHERE name = ?1";
        connection.query_row(query, [name], |row| row.get::<_, i64>(0)).map(|value| value as u64)
    };
    let query = "SELECT CAST(value AS BLOB) FROM meta WHERE name = 'replication'";
    let recorded: Vec<u8> = connection.query_row(query, [], |row| row.get(0))?;
    let recorded = match PersistedState::decode(&recorded) {
        Ok(recorded) => recorded,
        Err(why @ Unreadable::Damaged) => return Ok((None, Found::Damaged(why.to_string()))),
        Err(why @ Unreadable::Newer { .. }) => return Ok((None, Found::Refused(why.to_string()))),
    };
    let owner = meta("node")?;
    let checkpoint = Checkpoint {
        recorded,
        position: meta("position")?,
        position_ceiling: meta("position_ceiling")?,
        clock_ceiling: meta("clock_ceiling")?,
    };
    if owner != u64::from(node) {
        return Ok((
            adopted,
            Found::Refused(format!(
                "belongs to node {owner}, not to node {node}: start with --id={owner} or choose another --data-dir"
            )),
        ));
    }
    match kind {
        Kind::OursWithoutExpiry => {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {ADD_EXPIRY} {VIEW} COMMIT"))?;
        }
        // The record is read either way, and the format is set by the first transaction that writes it anew.
        Kind::New | Kind::Ours | Kind::OursWithoutDatabases | Kind::Original => (),
        Kind::OursOfFormat(_) | Kind::OfAnotherProgram(_) => (),
    }
    Ok((adopted, Found::Checkpoint(checkpoint)))
}

/// SQLite would read the missing end of a last page as zeros. With a log beside the file the end may lie there: a crash
/// while the log was moved into the file leaves such a file, and opening it repairs it.
pub(super) fn is_cut(connection: &Connection) -> rusqlite::Result<bool> {
    let page_bytes: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let bytes = |path: &str| std::fs::metadata(path).map_or(0, |file| file.len());
    let path = connection.path().unwrap_or_default();
    Ok(bytes(path) % page_bytes.cast_unsigned() != 0 && bytes(&format!("{path}-wal")) == 0)
}

pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, format) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application == APPLICATION_ID {
        return Ok(match format {
            FORMAT => Kind::Ours,
            FORMAT_WITHOUT_DATABASES | FORMAT_WITHOUT_VERSION => Kind::OursWithoutDatabases,
            FORMAT_WITHOUT_EXPIRY => Kind::OursWithoutExpiry,
            _ => Kind::OursOfFormat(format),
        });
    }
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if tables.is_empty() {
        return Ok(Kind::New);
    }
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info('kvstore')")?;
    let columns: Vec<String> = columns.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if application == 0 && tables == ["kvstore"] && columns == ["key", "value"] {
        return Ok(Kind::Original);
    }
    Ok(Kind::OfAnotherProgram(tables.join(", ")))
}

/// What is said of such a file, after its name.
pub(super) fn unknown_format(format: i64) -> String {
    format!("has format {format}, but this version knows format {FORMAT}")
}

fn quick_check(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then(|| verdict.trim().replace('\n', " ")))
}

fn create(connection: &Connection, node: NodeId) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch(VIEW)?;
    connection.execute_batch(SET_FORMAT)?;
    let node = i64::from(node);
    let numbers = [("node", node), ("position", 0), ("position_ceiling", 0), ("clock_ceiling", 0)];
    for (name, value) in numbers {
        connection.execute("INSERT INTO meta VALUES(?1, ?2)", (name, value))?;
    }
    let replication = PersistedState::default().encode();
    connection.execute("INSERT INTO meta VALUES('replication', ?1)", [replication])?;
    Ok(())
}

/// Why the two-column file of the original cannot be taken over.
fn refuse_original(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let query = format!(
        "SELECT count(*) FROM kvstore WHERE length(CAST(key AS BLOB)) > {KEY_BYTES_MAX}
            OR length(CAST(value AS BLOB)) > {VALUE_BYTES_MAX}"
    );
    let rows: i64 = connection.query_row(&query, [], |row| row.get(0))?;
    if rows > 0 {
        return Ok(Some(format!(
            "has {rows} rows with a key above {KEY_BYTES_MAX} or a value above {VALUE_BYTES_MAX} bytes: shorten or \
             delete them with sqlite3 and start again"
        )));
    }
    let query = "SELECT count(*) FROM kvstore WHERE key = '' OR key GLOB '*[ \r\n]*' OR value GLOB '*\n*'";
    let rows: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok((rows > 0).then(|| {
        format!(
            "has {rows} rows with a key that is empty or has a space or line end in it, or a value with a line end, which \
             no client could say or read: change or delete them with sqlite3 and start again"
        )
    }))
}

/// Takes over the two-column file of the original. Its rows get clocks below any that a wall clock gives.
fn adopt(connection: &Connection, node: NodeId) -> rusqlite::Result<u64> {
    let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
    let empty = count("SELECT count(*) FROM kvstore WHERE key IS NULL OR value IS NULL")?;
    if empty > 0 {
        log::warn!(
            event = "rows_left_out", rows = empty;
            "{empty} rows of the original file have no key or no value and are left out"
        );
    }
    connection.execute_batch("ALTER TABLE kvstore RENAME TO original")?;
    create(connection, node)?;
    connection.execute(
        "INSERT INTO entry SELECT number, key, value, number, number, ?1, NULL FROM (
            SELECT row_number() OVER (ORDER BY key) AS number,
                CASE typeof(key) WHEN 'blob' THEN key ELSE CAST(key AS TEXT) END AS key,
                CASE typeof(value) WHEN 'blob' THEN value ELSE CAST(value AS TEXT) END AS value
            FROM original WHERE key IS NOT NULL AND value IS NOT NULL)",
        [node],
    )?;
    connection.execute_batch(
        "DROP TABLE original;
         UPDATE meta SET value = (SELECT count(*) FROM entry) WHERE name IN ('position', 'clock_ceiling');",
    )?;
    Ok(count("SELECT count(*) FROM entry")? as u64)
}

pub(super) enum Unloadable {
    Sqlite(rusqlite::Error),
    Row(String),
}

impl From<rusqlite::Error> for Unloadable {
    fn from(error: rusqlite::Error) -> Unloadable {
        Unloadable::Sqlite(error)
    }
}

fn load(connection: &Connection, restore: &mut Restore) -> Result<(), Unloadable> {
    let mut statement = connection.prepare("SELECT slot, key, value, position, clock, node, expiry FROM entry")?;
    let mut rows = statement.query([])?;
    let mut said = Instant::now();
    while let Some(row) = rows.next()? {
        restore.add(change_of(row)?);
        if restore.rows().is_multiple_of(65_536) && said.elapsed() > PROGRESS {
            log::info!("recovering: {} rows so far", restore.rows());
            said = Instant::now();
        }
    }
    Ok(())
}

pub(super) fn change_of<'a>(row: &'a Row<'_>) -> Result<Change<'a>, Unloadable> {
    let bytes = |column| match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes)),
        ValueRef::Null => Ok(None),
        ValueRef::Integer(_) | ValueRef::Real(_) => Err(Unloadable::Row("a number where bytes belong".to_owned())),
    };
    let number = |column| -> Result<u64, Unloadable> {
        let number = row.get_ref(column)?.as_i64().ok().and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| Unloadable::Row("no number where one belongs".to_owned()))
    };
    let (slot, key, value) = (number(0)?, bytes(1)?.unwrap_or_default(), bytes(2)?);
    let impossible = || Unloadable::Row(format!("slot {slot} holds what never was written"));
    if key.len() > KEY_BYTES_MAX || value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(impossible());
    }
    let (database, node) = Database::split(number(5)?.try_into().map_err(|_| impossible())?);
    let slot = u32::try_from(slot).ok().filter(|&slot| slot < Restore::SLOTS_MAX).ok_or_else(impossible)?;
    let position = Some(number(3)?).filter(|position| (1..=POSITION_MAX).contains(position)).ok_or_else(impossible)?;
    let expiry = match row.get_ref(6)? {
        ValueRef::Null => None,
        _ => NonZeroU64::new(number(6)?),
    };
    let stamp = Stamp { clock: number(4)?, node };
    Ok(Change { slot, position, stamp, database, key, value, shared: None, expiry })
}
