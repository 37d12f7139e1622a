//! What is the matter with the data file or a journal: what is known, and what an operator can do before a start.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode};

use super::reserve;

/// A disk that has less is full: the least that SQLite asks for at once.
const ROOM_BYTES_MIN: u64 = 64 << 10;

/// One fault of one file.
#[derive(Debug)]
pub(super) struct Fault {
    path: PathBuf,
    is_of_journal: bool,
    kind: Kind,
    /// For [`Kind::Refused`] all that is to be said.
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No room on the disk.
    Full,
    /// The disk does not do what it should, or a limit or quota stands in the way: SQLite does not tell.
    Failing,
    /// What is in it makes no sense.
    Damaged,
    /// Another program holds it.
    Locked,
    /// The system does not let it be opened or written.
    Denied,
    /// It is not what is wanted.
    Refused,
    Other,
}

impl Fault {
    /// A call on the data file failed.
    pub(super) fn of_file(path: &Path, error: &Error) -> Fault {
        let directory = path.parent().unwrap_or(Path::new(""));
        let (kind, why) = (kind(directory, error), reason(directory, error));
        Fault { path: path.to_owned(), is_of_journal: false, kind, why }
    }

    /// A call on a journal failed.
    pub(super) fn of_journal(path: &Path, error: &Error) -> Fault {
        Fault { is_of_journal: true, ..Fault::of_file(path, error) }
    }

    /// The data file can be read, but its content makes no sense.
    pub(super) fn damaged_file(path: &Path, why: &str) -> Fault {
        Fault { path: path.to_owned(), is_of_journal: false, kind: Kind::Damaged, why: why.to_owned() }
    }

    /// The same of a journal.
    pub(super) fn damaged_journal(path: &Path, why: &str) -> Fault {
        Fault { is_of_journal: true, ..Fault::damaged_file(path, why) }
    }

    /// Something that is not taken; the sentence says why and what to do, and begins with what comes after the name.
    pub(super) fn refused(path: &Path, sentence: String) -> Fault {
        Fault { path: path.to_owned(), is_of_journal: false, kind: Kind::Refused, why: sentence }
    }

    /// Whether room on the disk could help.
    pub(super) fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }

    /// Whether it is a journal that cannot be read.
    pub(super) fn is_of_journal(&self) -> bool {
        self.is_of_journal
    }

    /// A sentence for whoever starts the program. At a start nothing is written before it is looked at.
    pub(super) fn refusal(&self) -> String {
        let Fault { path, is_of_journal, kind, why } = self;
        let path = path.display();
        match kind {
            Kind::Damaged if *is_of_journal => format!(
                "{path} is damaged ({why}) and was left as it is: restore a copy, or move it and all journals with a \
                 higher number away to lose the changes in them"
            ),
            Kind::Damaged => format!(
                "{path} is damaged or no SQLite file ({why}) and was left as it is: restore a copy, salvage it with \
                 `sqlite3 backup.db .recover`, or move it away to start empty"
            ),
            Kind::Locked => format!("{path} is locked by another program: close it there and start again"),
            Kind::Denied => {
                format!("cannot write {path}: {why}; check its permissions and those of its directory")
            }
            Kind::Full => format!(
                "cannot use {path}: {why}; free some space on its disk and start again. What was committed stays as it is"
            ),
            Kind::Failing => {
                format!("cannot use {path}: {why}; check that its disk works, its quota, and free some space")
            }
            Kind::Refused => format!("{path} {why}"),
            Kind::Other => format!("cannot use {path}: {why}"),
        }
    }
}

/// What is known, without advice.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path.display(), self.why)
    }
}

/// What SQLite says of a call on a file in this directory, and a limit that may be behind it.
pub(super) fn reason(directory: &Path, error: &Error) -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    match (kind(directory, error), limit) {
        (Kind::Failing, Some(bytes)) => format!("{error} (no file may grow beyond {bytes} bytes here: ulimit -f)"),
        _ => error.to_string(),
    }
}

/// Whether room on the disk could help.
pub(super) fn is_full(directory: &Path, error: &Error) -> bool {
    kind(directory, error) == Kind::Full
}

fn kind(directory: &Path, error: &Error) -> Kind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Kind::Full,
        // So comes what is full for the file that SQLite shares with other processes.
        Some(ErrorCode::SystemIoFailure)
            if reserve::free_bytes(directory).is_some_and(|free| free < ROOM_BYTES_MIN) =>
        {
            Kind::Full
        }
        Some(ErrorCode::SystemIoFailure) => Kind::Failing,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Kind::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Locked,
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Kind::Denied,
        _ => Kind::Other,
    }
}
