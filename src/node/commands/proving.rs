//! Passwords that are none: the answer waits, longer each time, and after some of them the client is hung up on.
//!
//! Whoever guesses is slowed down on each connection, of which there may be few (see [`strangers`]); nobody is locked out
//! by where they come from, as that would be a way to lock others out.
//!
//! [`strangers`]: crate::node::strangers

use super::fail::Fail;
use super::{Args, Context, Executed, Outcome};

/// The code of the error that says so.
pub(super) const CODE: &str = "WRONGPASS";
/// What the first answer waits. The one after it waits twice as long, and so on ...
const DELAY_US: u64 = 100_000;
/// ... but no longer than this.
const DELAY_US_MAX: u64 = 2_000_000;
/// The answer to so many is the last one of a conversation.
const FAILURES_MAX: u8 = 10;

/// That it did not fit.
pub(super) const FAILED: Fail = Fail::said("WRONGPASS invalid username-password pair or user is disabled.");

/// Executes a request that says who the client is.
pub(super) fn slowly(
    cx: &mut Context<'_>,
    args: Args<'_>,
    prove: fn(&mut Context<'_>, Args<'_>) -> Outcome,
) -> Outcome {
    slowly_by(cx, |cx| prove(cx, args))
}

/// The same of a request that says so beside what it asks for.
pub(in crate::node) fn slowly_by(cx: &mut Context<'_>, prove: impl FnOnce(&mut Context<'_>) -> Outcome) -> Outcome {
    if std::mem::take(&mut cx.progress.has_slept) {
        return answer_failure(cx);
    }
    if cx.progress.is_executing && cx.client.failed_proofs >= FAILURES_MAX {
        return Err(FAILED);
    }
    let outcome = prove(cx);
    let has_failed = matches!(&outcome, Err(fail) if fail.code() == CODE);
    if !has_failed {
        return outcome;
    }
    let before = cx.client.failed_proofs;
    cx.client.failed_proofs = before.saturating_add(1);
    let Context { data, client, .. } = cx;
    data.events.sessions.failures.note(data.now, &client.addresses.0);
    if cx.progress.is_executing {
        // A transaction is not held up, and after so many failures nothing is tried in one.
        return outcome;
    }
    Ok(cx.sleep((DELAY_US << before.min(10)).min(DELAY_US_MAX)))
}

fn answer_failure(cx: &mut Context<'_>) -> Outcome {
    if cx.client.failed_proofs < FAILURES_MAX {
        return Err(FAILED);
    }
    cx.metrics.note_error(CODE);
    cx.out.answer(FAILED.reply());
    Ok(Executed::Ended)
}
