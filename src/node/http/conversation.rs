//! How far a connection that speaks HTTP is: what has come of a request, or what is left of an answer.

use std::ops::Range;

use super::batch::Batch;
use crate::auth::logins::Logins;
use crate::auth::{Access, Proof, Users};
use crate::http::answer::Manner;
use crate::http::body::Receiving;
use crate::metrics::history::point::Column;
use crate::node::exposition::{Cursor, Form, Page};
use crate::node::walk::Walk;
use crate::protocol::Command;

/// See the module.
pub(in crate::node) struct Conversation {
    /// The user that its certificate names: a request that says nobody else is that user's.
    pub(super) vouched: Option<Vec<u8>>,
    /// Bytes of the next head that are known not to have its end.
    pub(super) scanned: usize,
    /// How far a request is that is several commands and has to wait.
    pub(super) batch: Option<Box<Batch>>,
    pub(super) stage: Stage,
}

/// What the next bytes, or the next turn, are for.
#[derive(Default)]
pub(super) enum Stage {
    /// The next request.
    #[default]
    Head,
    /// The body of a request that was let in.
    Body { head: Vec<u8>, body: Receiving },
    /// A request that is all there and has to wait: it is asked again.
    Held { head: Vec<u8>, body: Vec<u8> },
    /// So many bytes of a body that nobody wants.
    Discarding(u64),
    /// An answer that goes on as long as the proof holds that let its client in.
    Sending(Manner<'static>, Long, Proof),
    /// Events as they happen, in the same way: nothing more is asked for on this connection.
    Streaming(Manner<'static>, Proof),
}

/// Bytes of a slice after which it is better ended.
pub(super) const SLICE_BYTES: usize = 16 << 10;

/// Whether an answer goes on behind a slice of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    More,
    Last,
}

/// An answer that takes several turns, as it stands. A further kind is a variant here and an arm in
/// [`slices`](super::slices).
pub(super) enum Long {
    /// A list of keys.
    Keys(Box<Listing>),
    /// Figures.
    Page(Box<Exposing>),
    /// How figures were.
    History(Box<Telling>),
}

impl Long {
    /// What a client has to be allowed to run for it.
    fn command(&self) -> Command {
        match self {
            Long::Keys(_) => Command::Scan,
            Long::Page(_) | Long::History(_) => Command::Info,
        }
    }
}

/// A page of figures, as far as it was sent.
pub(super) struct Exposing {
    pub(super) page: Page,
    pub(super) form: Form,
    pub(super) cursor: Cursor,
}

/// Columns of history, as far as they were sent.
pub(super) struct Telling {
    pub(super) step: Step,
    /// The numbers of the points that are told.
    pub(super) numbers: Range<u64>,
    /// Their columns, and what each is called.
    pub(super) columns: Vec<(Column, String)>,
    /// The column under way, and the point that is next in it.
    pub(super) at: (usize, u64),
}

/// How far points are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Second,
    Ten,
}

/// A list of keys, as far as it was sent.
pub(super) struct Listing {
    /// Where it is.
    pub(super) walk: Walk,
    /// So many keys are wanted.
    pub(super) count: u64,
    /// So many were sent.
    pub(super) sent: u64,
    /// Whether with what is known of each.
    pub(super) has_details: bool,
}

impl Conversation {
    /// One that begins.
    pub(super) fn new(vouched: Option<Vec<u8>>) -> Conversation {
        Conversation { vouched, scanned: 0, batch: None, stage: Stage::Head }
    }

    /// Whether what is being answered may go on, as users and logins are: its client would be let in, and may have the
    /// long answer that is under way.
    pub(in crate::node) fn may_go_on(&self, access: Access, users: &Users, logins: &Logins) -> bool {
        let (proof, command) = match &self.stage {
            Stage::Sending(_, long, proof) => (proof, Some(long.command())),
            Stage::Streaming(_, proof) => (proof, None),
            Stage::Head | Stage::Body { .. } | Stage::Held { .. } | Stage::Discarding(_) => return true,
        };
        let is_allowed = |command| access.is_unlimited() || users.allows_alone(access.user(), command);
        proof.holds(users, logins, access.must_prove()) && command.is_none_or(is_allowed)
    }

    /// A body that is to be received.
    pub(in crate::node) fn body(&mut self) -> Option<&mut Receiving> {
        match &mut self.stage {
            Stage::Body { body, .. } => Some(body),
            Stage::Head | Stage::Held { .. } | Stage::Discarding(_) | Stage::Sending(..) | Stage::Streaming(..) => None,
        }
    }

    /// How events are sent, where it is told of them.
    pub(in crate::node) fn stream(&self) -> Option<Manner<'static>> {
        if let Stage::Streaming(manner, _) = &self.stage { Some(*manner) } else { None }
    }

    /// Memory that it holds of a request.
    pub(in crate::node) fn bytes(&self) -> usize {
        size_of::<Conversation>()
            + self.batch.as_ref().map_or(0, |batch| batch.bytes())
            + match &self.stage {
                Stage::Body { head, body } => head.capacity() + body.memory_bytes(),
                Stage::Held { head, body } => head.capacity() + body.capacity(),
                Stage::Head | Stage::Discarding(_) | Stage::Sending(..) | Stage::Streaming(..) => 0,
            }
    }
}
