//! What is answered: a part of an answer, and why something was not done.

use crate::store::KEY_BYTES_MAX;

/// Longest value that a line or a JSON object can bring: both are looked through byte by byte.
pub const TEXT_VALUE_BYTES_MAX: usize = 1 << 20;

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
    /// A number with a fraction, in its digits.
    Double(&'a str),
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

/// The code of [`Refusal::Denied`], as Redis has it.
const DENIED: &str = "DENIED";
/// What it says, in Redis' words as far as they are true here.
const PROTECTED: &str = "kvstoreapp is running in protected mode because no password is set for the default user. In \
    this mode connections are only accepted from the machine that the node runs on. If you want to connect from another \
    one, do one of the following: 1) set a password for the default user: start the node with --password-file FILE, or \
    send 'CONFIG SET requirepass <password>' from the machine that it runs on; 2) ask clients for certificates: \
    --tls-client-ca FILE; 3) where nobody but you can reach the node's address: start it with \
    --protected-mode no, or send 'CONFIG SET protected-mode no' from that machine.";

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
    /// The client has not said who it is.
    NotAuthenticated,
    /// As many clients as configured are connected already.
    TooManyClients(usize),
    /// Clients have to speak TLS.
    PlainText,
    /// The node is about to exit.
    ShuttingDown,
    /// The request is longer than this limit in bytes, and the client has to authenticate first.
    TooLongFromStranger(usize),
    /// The client comes from another machine, and the node is in protected mode.
    Denied,
}

impl Refusal {
    /// The code that Redis clients know it by.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::OutOfMemory => "OOM",
            Refusal::NotDurable | Refusal::MaybeDurable => "MISCONF",
            Refusal::NotAuthenticated => "NOAUTH",
            Refusal::Denied => DENIED,
            Refusal::KeyTooLong
            | Refusal::NotSaved
            | Refusal::ValueTooLong(_)
            | Refusal::LineTooLong(_)
            | Refusal::Unterminated
            | Refusal::TooManyClients(_)
            | Refusal::PlainText
            | Refusal::TooLongFromStranger(_)
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
            Refusal::NotAuthenticated => write!(out, "authentication required"),
            Refusal::TooManyClients(max) => write!(out, "too many clients: at most {max} (--max-clients)"),
            Refusal::PlainText => {
                write!(out, "this node speaks TLS alone (--tls required): redis-cli --tls, openssl s_client, rediss://")
            }
            Refusal::ShuttingDown => write!(out, "the node is shutting down"),
            Refusal::TooLongFromStranger(max) => {
                write!(out, "request too long: at most {max} bytes before authentication")
            }
            Refusal::Denied => write!(out, "{PROTECTED}"),
        }
    }
}
