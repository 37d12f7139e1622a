//! Requests decoded before it is their turn, so that what several of them look for is brought into the cache together.

use std::ops::Range;

use crate::protocol::command::Kind;
use crate::protocol::{Args, Command, Request};
use crate::store::KEY_BYTES_MAX;

/// Requests that lie one behind the other in what a client has sent.
#[derive(Default)]
pub(super) struct Lookahead {
    requests: Vec<Seen>,
    spans: Vec<Range<usize>>,
    /// So many of the requests were taken.
    taken: usize,
}

struct Seen {
    command: Option<Command>,
    /// Where it lies.
    bytes: Range<usize>,
    /// Which of the spans are its arguments, from where it begins.
    args: Range<usize>,
}

impl Lookahead {
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.spans.clear();
        self.spans.shrink_to(1 << 10);
        self.taken = 0;
    }

    /// How many there are, taken or not.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether all were taken.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.requests.len()
    }

    /// The next one, of those that lie in `bytes`, and how many bytes it has.
    pub(super) fn next<'a>(&'a mut self, bytes: &'a [u8]) -> Option<(Request<'a>, usize)> {
        let seen = self.requests.get(self.taken)?;
        self.taken += 1;
        let args = Args::new(&bytes[seen.bytes.clone()], &self.spans[seen.args.clone()]);
        Some((Request { command: seen.command, args }, seen.bytes.len()))
    }

    pub(super) fn push(&mut self, request: Request<'_>, bytes: Range<usize>) {
        let begin = self.spans.len();
        self.spans.extend_from_slice(request.args.spans());
        self.requests.push(Seen { command: request.command, bytes, args: begin..self.spans.len() });
    }

    /// The first key of each, and whether it is to be written.
    pub(super) fn keys<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], bool)> {
        self.requests.iter().filter_map(|seen| {
            let span = key_span(&self.spans[seen.args.clone()])?;
            Some((&bytes[seen.bytes.start + span.start..seen.bytes.start + span.end], is_write(seen.command)))
        })
    }
}

/// Where the first key lies, if it is one: what is too long for that would take long to hash.
pub(super) fn key_span(spans: &[Range<usize>]) -> Option<&Range<usize>> {
    spans.get(1).filter(|span| span.len() <= KEY_BYTES_MAX)
}

pub(super) fn is_write(command: Option<Command>) -> bool {
    command.is_some_and(|command| command.describe().kind == Kind::Write)
}
