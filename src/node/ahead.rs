//! Requests decoded before it is their turn, so that what several of them look for is brought into the cache together.

use std::ops::Range;

use super::session::Session;
use super::{Core, Node, SessionId};
use crate::protocol::command::Kind;
use crate::protocol::{Args, Command, Request, Scratch};
use crate::store::{KEY_BYTES_MAX, WARMED};

/// Requests that lie one behind the other in what a client has sent.
#[derive(Default)]
pub(super) struct Ahead {
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

impl Ahead {
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.spans.clear();
        self.spans.shrink_to(1 << 10);
        self.taken = 0;
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

    fn push(&mut self, request: Request<'_>, bytes: Range<usize>) {
        let begin = self.spans.len();
        self.spans.extend_from_slice(request.args.spans());
        self.requests.push(Seen { command: request.command, bytes, args: begin..self.spans.len() });
    }

    /// The first key of each, and whether it is to be written.
    fn keys<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], bool)> {
        self.requests.iter().filter_map(|seen| {
            let span = key_span(&self.spans[seen.args.clone()])?;
            Some((&bytes[seen.bytes.start + span.start..seen.bytes.start + span.end], is_write(seen.command)))
        })
    }
}

impl Core {
    /// Decodes the requests from `begin` on, as far as they have come whole and are plain, and brings what they look
    /// for into the cache.
    pub(super) fn look_ahead(
        &self,
        session: &Session,
        bytes: &[u8],
        begin: usize,
        ahead: &mut Ahead,
        scratch: &mut Scratch,
    ) {
        ahead.clear();
        let mut at = begin;
        while ahead.requests.len() < WARMED
            && let Some((request, count)) =
                session.decoder.decode_plain(&bytes[at..], self.options.value_bytes_max, scratch)
        {
            ahead.push(request, at..at + count);
            at += count;
        }
        self.store.warm(ahead.keys(bytes));
    }
}

impl Node {
    /// These bytes have come from these clients, and will be received: brings what their first requests look for into
    /// the cache. [`WARMED`] clients at most.
    pub fn warm<'a>(&mut self, group: impl Iterator<Item = (SessionId, &'a [u8])>) {
        let mut scratch = std::mem::take(&mut self.core.scratch);
        let value_bytes_max = self.core.options.value_bytes_max;
        let first = |(id, bytes): (SessionId, &'a [u8])| {
            let session = self.session(id).filter(|session| session.inbox.is_empty())?;
            let (request, _) = session.decoder.decode_plain(bytes, value_bytes_max, &mut scratch)?;
            let span = key_span(request.args.spans())?.clone();
            Some((&bytes[span], is_write(request.command)))
        };
        self.core.store.warm(group.filter_map(first));
        self.core.scratch = scratch;
    }
}

/// Where the first key lies, if it is one: what is too long for that would take long to hash.
fn key_span(spans: &[Range<usize>]) -> Option<&Range<usize>> {
    spans.get(1).filter(|span| span.len() <= KEY_BYTES_MAX)
}

fn is_write(command: Option<Command>) -> bool {
    command.is_some_and(|command| command.describe().kind == Kind::Write)
}
