//! Bytes to requests and replies to bytes; one file a dialect.
//!
//! Pure: a dialect borrows the bytes it reads and writes straight into the bytes that are sent. It does not know what
//! a request does.

pub mod line;

use crate::store::KEY_BYTES_MAX;

/// What one client may ask for in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Give the key this value.
    Set(&'a [u8], &'a [u8]),
    /// The key's value.
    Get(&'a [u8]),
    /// Forget the key's value.
    Delete(&'a [u8]),
    /// Answer once so many peers hold this session's last write on disk, or after so many milliseconds.
    Wait(usize, u64),
    /// Are you there?
    Ping,
    /// The node's state for a person.
    Info,
    /// What can be said here.
    Help,
    /// Goodbye.
    Quit,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Done.
    Ok,
    /// The key's value.
    Value(&'a [u8]),
    /// The key has no value.
    KeyNotFound,
    /// Not understood.
    InvalidCommand,
    /// Understood, but not done, and why.
    Error(Refusal),
    /// A count.
    Number(usize),
    /// Here I am.
    Pong,
    /// Lines for a person, each with its end.
    Text(&'a str),
}

/// Why an understood request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is longer than [`KEY_BYTES_MAX`].
    KeyTooLong,
    /// The value is longer than this limit in bytes.
    ValueTooLong(usize),
    /// A line that is no `SET` is longer than this limit in bytes.
    LineTooLong(usize),
    /// The last line before the client's end of stream had no newline.
    Unterminated,
    /// The configured memory is full.
    OutOfMemory,
    /// Commit durability is asked for and the disk does not take commits.
    NotDurable,
    /// Commit durability is asked for and the disk failed while it took this write, which other clients may have seen.
    MaybeDurable,
    /// As many clients as configured are connected already.
    TooManyClients(usize),
    /// The node is about to exit.
    ShuttingDown,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::KeyTooLong => write!(out, "key too long: at most {KEY_BYTES_MAX} bytes"),
            Refusal::ValueTooLong(max) => write!(out, "value too long: at most {max} bytes (--max-value-bytes)"),
            Refusal::LineTooLong(max) => write!(out, "line too long: at most {max} bytes"),
            Refusal::Unterminated => write!(out, "the last line has no newline: it was not run"),
            Refusal::OutOfMemory => {
                write!(out, "out of memory: raise --max-memory, or delete keys and wait until all nodes know")
            }
            Refusal::NotDurable => write!(out, "the disk takes no commits: nothing was written"),
            Refusal::MaybeDurable => write!(out, "the disk failed: the write is in memory but not known to be on disk"),
            Refusal::TooManyClients(max) => write!(out, "too many clients: at most {max} (--max-clients)"),
            Refusal::ShuttingDown => write!(out, "the node is shutting down"),
        }
    }
}

/// What the bytes of a client begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A request in the first so many bytes.
    Request(Request<'a>, usize),
    /// Something else in the first so many bytes, with its answer.
    Malformed(Reply<'static>, usize),
    /// The beginning of something too long, with its answer; whatever ends it is still to come.
    Oversized(Reply<'static>),
    /// A browser or another HTTP client took us for its server.
    Http,
    /// The beginning of something; more must come.
    Incomplete,
}
