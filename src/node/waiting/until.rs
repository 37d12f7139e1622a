//! What is waited for, and what is reported of it.

use crate::protocol::Refusal;

/// What somebody waits for, without saying how much of it: a list of waiters each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Changes are to be on disk.
    Durability,
    /// The rows of the data file are to hold a snapshot.
    Merge,
    /// Nodes are to have changes on disk.
    Copies,
    /// The data file is to take what is about to be overwritten, or to record a higher ceiling of the clock.
    Snapshot,
    /// A pause of clients is to end.
    Pause,
    /// Time is to pass.
    Time,
    /// Files are to be read again.
    Renewal,
    /// The file of users is to be read or written.
    UsersFile,
    /// A copy of the data file is to be made or read.
    Backup,
}

impl Cause {
    pub(crate) const ALL: [Cause; 9] = [
        Cause::Durability,
        Cause::Merge,
        Cause::Copies,
        Cause::Snapshot,
        Cause::Pause,
        Cause::Time,
        Cause::Renewal,
        Cause::UsersFile,
        Cause::Backup,
    ];
}

/// A set of causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes(u16);

impl Causes {
    /// Returns whether it is new.
    pub(crate) fn insert(&mut self, cause: Cause) -> bool {
        let before = *self;
        self.0 |= 1 << cause as u8;
        *self != before
    }

    pub(crate) fn remove(&mut self, cause: Cause) {
        self.0 &= !(1 << cause as u8);
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What a gate waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// All changes up to this position are on disk here.
    Durable(u64),
    /// The rows of the data file hold this snapshot.
    Merged(u64),
    /// So many peers, and this node where it says so, have all changes up to the position on disk.
    Copied { here: bool, peers: u32, position: u64 },
    /// Writes are taken: the snapshot has room for what they overwrite, and the clock is below its ceiling.
    Writable,
    /// Clients are not paused.
    Unpaused,
    /// The waiter's deadline.
    Deadline,
    /// Something has come of the renewal of this number.
    Renewed(u64),
    /// The job with this number on the file of users is done.
    UsersFile(u64),
    /// The copy of the data file with this number is made, or a piece of it read.
    Copy(u64),
}

// Many answers of a pipelining client may wait: what each waits for is kept small.
const _: () = assert!(size_of::<Option<Until>>() == 16);

/// Who has all changes up to a position on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copies {
    /// Whether this node does.
    pub(crate) here: bool,
    /// So many peers do.
    pub(crate) peers: usize,
}

/// How far something has come that is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Reached<'a> {
    /// All changes up to this position are on disk here.
    Durable(u64),
    /// The rows of the data file hold this snapshot.
    Merged(u64),
    /// Who has all changes up to a position on disk.
    Copied(&'a dyn Fn(u64) -> Copies),
    /// Writes are taken.
    Writable,
    /// Clients are not paused.
    Unpaused,
    /// Something has come of the renewal of this number.
    Renewed(u64),
    /// It is that time, in monotonic microseconds.
    Time(u64),
    /// The node ends: nobody waits for peers any more.
    End,
}

/// What is waited for and will not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nobody knows whether changes that were not on disk are.
    Durability,
    /// The rows will not hold this snapshot nor any later one that is waited for.
    MergesFrom(u64),
    /// The rows cannot be brought to this snapshot, nor to any before it.
    MergesUpTo(u64),
}

impl Until {
    pub(crate) fn cause(self) -> Cause {
        match self {
            Until::Durable(_) => Cause::Durability,
            Until::Merged(_) => Cause::Merge,
            Until::Copied { .. } => Cause::Copies,
            Until::Writable => Cause::Snapshot,
            Until::Unpaused => Cause::Pause,
            Until::Deadline => Cause::Time,
            Until::Renewed(_) => Cause::Renewal,
            Until::UsersFile(_) => Cause::UsersFile,
            Until::Copy(_) => Cause::Backup,
        }
    }

    /// So many peers, and this node where `here` says so, are to have all changes up to the position on disk.
    pub(crate) fn copied(here: bool, peers: usize, position: u64) -> Until {
        Until::Copied { here, peers: u32::try_from(peers).unwrap_or(u32::MAX), position }
    }

    /// Whether there are as many copies as this waits for, where it waits for copies.
    pub(crate) fn is_with_copies(self, copies: Copies) -> bool {
        matches!(self, Until::Copied { here, peers, .. } if copies.here >= here && copies.peers >= peers as usize)
    }

    /// Whether this is so once `reached` is.
    pub(crate) fn is_with(self, reached: Reached<'_>) -> bool {
        match (self, reached) {
            (Until::Durable(one), Reached::Durable(all)) | (Until::Merged(one), Reached::Merged(all)) => one <= all,
            (Until::Copied { position, .. }, Reached::Copied(copies)) => self.is_with_copies(copies(position)),
            (Until::Renewed(one), Reached::Renewed(other)) => one == other,
            (Until::Copied { .. }, Reached::End)
            | (Until::Writable, Reached::Writable)
            | (Until::Unpaused, Reached::Unpaused) => true,
            (
                Until::Durable(_)
                | Until::Merged(_)
                | Until::Copied { .. }
                | Until::Writable
                | Until::Unpaused
                | Until::Deadline
                | Until::Renewed(_)
                | Until::UsersFile(_)
                | Until::Copy(_),
                _,
            ) => false,
        }
    }
}

impl Reached<'_> {
    /// For whom this is news.
    pub(crate) fn causes(self) -> &'static [Cause] {
        match self {
            Reached::Durable(_) => &[Cause::Durability],
            Reached::Merged(_) => &[Cause::Merge],
            Reached::Copied(_) | Reached::End => &[Cause::Copies],
            Reached::Writable => &[Cause::Snapshot],
            Reached::Unpaused => &[Cause::Pause],
            Reached::Renewed(_) => &[Cause::Renewal],
            // Whatever it waits for, a request may have a deadline.
            Reached::Time(_) => &Cause::ALL,
        }
    }
}

impl Lost {
    pub(crate) fn cause(self) -> Cause {
        match self {
            Lost::Durability => Cause::Durability,
            Lost::MergesFrom(_) | Lost::MergesUpTo(_) => Cause::Merge,
        }
    }

    /// Whether who waits for this waits in vain.
    pub(crate) fn has(self, until: Until) -> bool {
        match (self, until) {
            (Lost::Durability, Until::Durable(_)) => true,
            (Lost::MergesFrom(first), Until::Merged(snapshot)) => first <= snapshot,
            (Lost::MergesUpTo(last), Until::Merged(snapshot)) => snapshot <= last,
            (Lost::Durability | Lost::MergesFrom(_) | Lost::MergesUpTo(_), _) => false,
        }
    }

    /// What is said in the place of an answer that waits in vain.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Lost::Durability => Refusal::MaybeDurable,
            Lost::MergesFrom(_) | Lost::MergesUpTo(_) => Refusal::NotSaved,
        }
    }
}
