//! Requests that are put together to be run as one, and keys that must not change until then.

use std::ops::Range;

use crate::protocol::command::Kind;
use crate::protocol::{Args, Command};
use crate::store::Stamp;

/// Keys that were looked at, and the state each had then.
pub(super) type Watched = Vec<(Vec<u8>, (bool, Option<Stamp>))>;

/// A request that waits for the others.
pub(super) struct Queued {
    pub(super) command: Command,
    text: Vec<u8>,
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
    pub(super) fn push(&mut self, command: Command, args: Args<'_>) {
        let mut queued =
            Queued { command, text: Vec::with_capacity(args.bytes()), spans: Vec::with_capacity(args.len()) };
        for arg in args.iter() {
            let start = queued.text.len();
            queued.text.extend_from_slice(arg);
            queued.spans.push(start..queued.text.len());
        }
        self.bytes += queued.text.len() + queued.spans.len() * size_of::<Range<usize>>() + size_of::<Queued>();
        self.requests.push(queued);
    }

    /// Whether any of them changes keys.
    pub(super) fn writes(&self) -> bool {
        self.requests.iter().any(|queued| queued.command.describe().kind == Kind::Write)
    }

    /// Memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
