//! `STATUS`: all nodes, as far as this one knows, and what it comes to.

use super::{Context, Outcome, Reply};

/// The answer is one line of JSON: the same bytes as `GET /v1/status` has.
pub(super) fn status(cx: &mut Context<'_>) -> Outcome {
    let status = crate::node::reporting::cluster(cx);
    cx.answer(Reply::Value(status.to_json().as_bytes()))
}
