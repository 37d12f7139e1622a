//! Bytes to requests and replies to bytes; one file a dialect.
//!
//! - [`decoder`]: the one way from a client's bytes to requests
//! - [`dialect`]: the list of dialects; `speech`: what each says of itself
//! - [`command`], [`subcommand`]: the commands there are; [`catalog`]: what clients ask about them
//! - [`mod@line`]: lines for `nc`
//! - [`resp`]: what Redis clients speak
//! - [`json`]: an object a line
//! - [`http`]: what is no dialect here is told so
//!
//! Pure: a dialect borrows the bytes it reads and writes straight into the bytes that are sent. It does not know what
//! a request does.

pub mod catalog;
pub mod command;
pub mod decoder;
pub mod dialect;
pub mod http;
pub mod json;
pub mod line;
pub mod resp;
mod speech;
pub mod subcommand;

use std::ops::{Index, Range};

pub use command::Command;
pub use decoder::{Client, Decoder};
pub use dialect::Dialect;

use crate::store::KEY_BYTES_MAX;

/// Longest value that a line or a JSON object can bring: both are looked through byte by byte.
pub const TEXT_VALUE_BYTES_MAX: usize = 1 << 20;

/// What one client asks for in one request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is to be done; `None`: nobody knows.
    pub command: Option<Command>,
    /// With what. The first is the command's name.
    pub args: Args<'a>,
}

/// The arguments of a request: parts of one text.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    text: &'a [u8],
    spans: &'a [Range<usize>],
}

/// Where a dialect puts the arguments of a request that do not lie in the bytes that came as they are, and where each
/// argument is. Used again for every request.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Unescaped arguments.
    pub text: Vec<u8>,
    /// The arguments.
    pub spans: Vec<Range<usize>>,
}

impl Scratch {
    /// Adds an argument that does not lie in the bytes that came.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(arg);
        self.spans.push(start..self.text.len());
    }

    /// Forgets the arguments. A large text is not kept.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.text.clear();
        self.text.shrink_to(1 << 14);
        self.spans.shrink_to(1 << 10);
    }

    /// The arguments, where they were pushed.
    pub fn args(&self) -> Args<'_> {
        Args { text: &self.text, spans: &self.spans }
    }
}

impl<'a> Args<'a> {
    /// Parts of a text.
    pub fn new(text: &'a [u8], spans: &'a [Range<usize>]) -> Args<'a> {
        Args { text, spans }
    }

    /// Where in the text they are.
    pub fn spans(self) -> &'a [Range<usize>] {
        self.spans
    }

    /// How many, the name counted.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Never where they come from a dialect.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// An argument, if there are so many.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.text[span.clone()])
    }

    /// An argument that is there.
    pub fn at(self, index: usize) -> &'a [u8] {
        &self.text[self.spans[index].clone()]
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.spans.iter().map(move |span| &self.text[span.clone()])
    }

    /// Those from a place on.
    pub fn from(self, index: usize) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.iter().skip(index)
    }

    /// Bytes of all of them.
    pub fn bytes(self) -> usize {
        self.spans.iter().map(Range::len).sum()
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// A part of the answer to a request. The elements of an array follow it as replies of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    /// Done.
    Ok,
    /// Done, or the key was not there.
    Done(bool),
    /// A value, or any other bytes.
    Value(&'a [u8]),
    /// Nothing: the key has no value.
    Nil,
    /// Nothing where an array was asked for.
    NilArray,
    /// A number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// A status.
    Simple(&'a str),
    /// Lines for a person, each with its end.
    Text(&'a str),
    /// So many replies follow.
    Array(usize),
    /// So many pairs of replies follow.
    Map(usize),
    /// So many different replies follow.
    Set(usize),
    /// So many replies follow that nobody has asked for.
    Push(usize),
    /// Not understood by the line dialect.
    InvalidCommand,
    /// Understood, but not done, and why.
    Error(Refusal),
    /// Not done, in Redis' words: a code, a space, why.
    Fail(&'a str),
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
    /// All was to be saved, and the disk failed.
    NotSaved,
    /// As many clients as configured are connected already.
    TooManyClients(usize),
    /// The node is about to exit.
    ShuttingDown,
}

impl Refusal {
    /// The code that Redis clients know it by.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::OutOfMemory => "OOM",
            Refusal::NotDurable | Refusal::MaybeDurable => "MISCONF",
            Refusal::KeyTooLong
            | Refusal::NotSaved
            | Refusal::ValueTooLong(_)
            | Refusal::LineTooLong(_)
            | Refusal::Unterminated
            | Refusal::TooManyClients(_)
            | Refusal::ShuttingDown => "ERR",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::KeyTooLong => write!(out, "key too long: at most {KEY_BYTES_MAX} bytes"),
            Refusal::ValueTooLong(TEXT_VALUE_BYTES_MAX) => {
                write!(out, "value too long: at most {TEXT_VALUE_BYTES_MAX} bytes in a line or in JSON; more in RESP")
            }
            Refusal::ValueTooLong(max) => write!(out, "value too long: at most {max} bytes (--max-value-bytes)"),
            Refusal::LineTooLong(max) => write!(out, "line too long: at most {max} bytes"),
            Refusal::Unterminated => write!(out, "the last line has no newline: it was not run"),
            Refusal::OutOfMemory => {
                write!(out, "out of memory: raise --max-memory, or delete keys and wait until all nodes know")
            }
            Refusal::NotDurable => write!(out, "the disk takes no commits: nothing was written"),
            Refusal::MaybeDurable => write!(out, "the disk failed: the write is in memory but not known to be on disk"),
            Refusal::NotSaved => write!(out, "the disk failed: not all is saved; the log says why"),
            Refusal::TooManyClients(max) => write!(out, "too many clients: at most {max} (--max-clients)"),
            Refusal::ShuttingDown => write!(out, "the node is shutting down"),
        }
    }
}

/// What the bytes of a client begin with.
#[derive(Clone, Debug)]
pub enum Decoded<'a> {
    /// A request in the first so many bytes.
    Request(Request<'a>, usize),
    /// Nothing to be answered in the first so many bytes.
    Blank(usize),
    /// Something else in the first so many bytes, with its answer.
    Malformed(Reply<'static>, usize),
    /// Something else in the first so many bytes, and why, in Redis' words.
    Failed(String, usize),
    /// The beginning of something too long, with its answer; whatever ends it is still to come.
    Oversized(Reply<'static>),
    /// Bytes after which nobody can say where the next request begins, and why.
    Fatal(String),
    /// A browser or another HTTP client took us for its server.
    Http,
    /// The beginning of something: so many bytes at least will it have.
    Incomplete(usize),
}

impl<'a> Decoded<'a> {
    /// The request and how many bytes it has, where it is one.
    fn request(self) -> Option<(Request<'a>, usize)> {
        match self {
            Decoded::Request(request, count) => Some((request, count)),
            _ => None,
        }
    }
}
