//! What goes between the node and whoever writes or copies its data file: pieces of work, and what became of them.

use crate::replication::PersistedState;
use crate::store::Batch;

/// What a transaction records beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// All changes up to here are in the file.
    pub position: u64,
    /// No incarnation before the next start uses this position or one above.
    pub position_ceiling: u64,
    /// Nor a clock value above this one.
    pub clock_ceiling: u64,
    /// How replication stood at the position.
    pub recorded: PersistedState,
}

/// One piece of work for the writer.
pub struct Save {
    /// Which snapshot it belongs to; a transaction begins with the first piece of each.
    pub snapshot: u64,
    /// Rows to take out and to put in.
    pub batch: Batch,
    /// Present on the last piece: record this and commit.
    pub commit: Option<Checkpoint>,
    /// Whether somebody waits until all of the commit is in the rows; [`Merged`] tells when it is.
    pub merge: bool,
}

/// What became of one.
pub struct Saved {
    /// As in the [`Save`].
    pub snapshot: u64,
    /// Its memory, for the next.
    pub batch: Batch,
    /// How it went.
    pub outcome: Outcome,
    /// Whether the rows hold all that is committed.
    pub is_merged: bool,
}

/// See [`Saved`].
pub enum Outcome {
    /// In the open transaction.
    Taken,
    /// On disk.
    Committed(Checkpoint),
    /// The transaction is rolled back, for this reason; what is still under way for it will be skipped.
    Failed(String),
    /// As [`Outcome::Failed`], and what earlier snapshots have committed is gone, too: the next one begins with the first
    /// change there is.
    Gone(String),
    /// Not written: its transaction had failed before.
    Skipped,
}

/// The rows hold all snapshots up to this one, or cannot be brought to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The latest one.
    pub snapshot: u64,
    /// How long that took, in microseconds; `None` where they did already.
    pub took_us: Option<u64>,
    /// Why they do not.
    pub failure: Option<String>,
}

/// A piece of work about copies of the data file, each of which has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyJob {
    /// Make one: the rows of one moment, all that are there when it begins.
    Make(u64),
    /// Read a piece of one that was made.
    Read {
        /// Which.
        copy: u64,
        /// Where the piece begins; it ends after [`COPY_PIECE_BYTES`], or with the copy.
        offset: u64,
    },
    /// Remove one, made or not.
    Drop(u64),
}

/// What became of it; of nothing that was dropped meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyNews {
    /// One was made and takes so many bytes, or was not.
    Made(u64, Result<u64, String>),
    /// A piece of one was read, or was not.
    Read(u64, Result<Vec<u8>, String>),
}

/// Bytes of a copy that are read at a time.
pub const COPY_PIECE_BYTES: u64 = 1 << 17;
