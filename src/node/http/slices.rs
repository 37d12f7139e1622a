//! Answers that can be long, a slice in each turn, so that no turn grows with what there is.
//!
//! A route that begins one has checked who asks and what for; from there on its state is a [`Long`], and each turn makes
//! one slice of it into the outbox, as a chunk. A client that does not read holds up its own answer alone: no slice is
//! made while the outbox is full. A slice takes what [`Steps`](crate::node::steps::Steps) allow, or some 16 KiB.

use super::conversation::{Long, Slice};
use super::{history, keys, metrics};
use crate::node::commands::context::Context;

/// Writes the next slice.
pub(super) fn next(cx: &mut Context<'_>, long: &mut Long, out: &mut Vec<u8>) -> Slice {
    match long {
        Long::Keys(listing) => keys::go_on(cx, listing, out),
        Long::Page(exposing) => metrics::go_on(cx, exposing, out),
        Long::History(telling) => history::go_on(cx, telling, out),
    }
}
