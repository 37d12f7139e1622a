//! What clients of Redis Cluster and of its replicas ask: this is neither, and every node takes writes.

use super::fail::Fail;
use super::{Context, Outcome, Reply};

/// `CLUSTER` and all that belongs to it.
pub(super) fn refuse() -> Outcome {
    Err(Fail::said("ERR This instance has cluster support disabled"))
}

/// A master without replicas, to which a client may write: peers are masters too.
pub(super) fn role(cx: &mut Context<'_>) -> Outcome {
    cx.out.answer(Reply::Array(3));
    cx.out.answer(Reply::Value(b"master"));
    let changes = cx.keys.changes() as i64;
    cx.out.answer(Reply::Int(changes));
    cx.answer(Reply::Array(0))
}
