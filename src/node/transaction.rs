//! Requests that are put together to be run as one, and keys that must not change until then.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::command::Kind;
use crate::protocol::{Args, Command};
use crate::store::{Database, Stamp};

/// Keys that were looked at, each with its database, and the state each had then.
pub(super) type Watched = Vec<(Database, Vec<u8>, (bool, Option<Stamp>))>;

/// A request that waits for the others.
pub(super) struct Queued {
    pub(super) command: Command,
    pub(super) text: Bytes,
    spans: Vec<Range<usize>>,
}

impl Queued {
    pub(super) fn args(&self) -> Args<'_> {
        Args::new(&self.text, &self.spans)
    }
}

/// The requests since `MULTI`.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) requests: Vec<Queued>,
    /// One of them could not even be taken.
    pub(super) is_spoilt: bool,
    bytes: usize,
}

impl Queue {
    /// Where the arguments are large, the memory that they came in is kept, if that is known.
    pub(super) fn push(&mut self, command: Command, args: Args<'_>, whole: Option<&Bytes>) {
        let within = |whole: &&Bytes| {
            args.bytes() >= whole.len() / 2 && args.iter().all(|arg| whole.as_ptr_range().contains(&arg.as_ptr()))
        };
        let queued = match whole.filter(within) {
            Some(whole) => {
                let spans = args.iter().map(|arg| {
                    let start = arg.as_ptr() as usize - whole.as_ptr() as usize;
                    start..start + arg.len()
                });
                Queued { command, text: whole.clone(), spans: spans.collect() }
            }
            None => {
                let (mut text, mut spans) = (Vec::with_capacity(args.bytes()), Vec::with_capacity(args.len()));
                for arg in args.iter() {
                    spans.push(text.len()..text.len() + arg.len());
                    text.extend_from_slice(arg);
                }
                Queued { command, text: text.into(), spans }
            }
        };
        self.bytes += queued.text.len() + queued.spans.len() * size_of::<Range<usize>>() + size_of::<Queued>();
        self.requests.push(queued);
    }

    /// Whether any of them changes keys.
    pub(super) fn writes(&self) -> bool {
        self.has(|command| command.describe().kind == Kind::Write)
    }

    /// Whether any of them is such a command.
    pub(super) fn has(&self, is_such: impl Fn(Command) -> bool) -> bool {
        self.requests.iter().any(|queued| is_such(queued.command))
    }

    /// Memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
