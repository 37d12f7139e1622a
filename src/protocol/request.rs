//! What the bytes of a client say.

use super::args::Args;
use super::command::Command;
use super::reply::Reply;

/// What one client asks for in one request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is to be done; `None`: nobody knows.
    pub command: Option<Command>,
    /// With what. The first is the command's name.
    pub args: Args<'a>,
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
    /// HTTP, or what gives a browser away.
    Http,
    /// The beginning of something: so many bytes at least will it have.
    Incomplete(usize),
}

impl<'a> Decoded<'a> {
    /// The request and how many bytes it has, where it is one.
    pub(super) fn request(self) -> Option<(Request<'a>, usize)> {
        match self {
            Decoded::Request(request, count) => Some((request, count)),
            _ => None,
        }
    }
}
