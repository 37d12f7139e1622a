//! `HEALTH`: what a machine asks that speaks no HTTP. Anybody may, as anybody may ask `/livez` and `/readyz`.

use super::fail::{Fail, SYNTAX, is};
use super::{Args, Context, Outcome, Reply};
use crate::node::health::{Question, conditions};

/// Whether the node lives, is ready, or agrees with all others, too.
pub(super) fn health(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let question = match args.get(1) {
        None => Question::Live,
        Some(_) if args.len() > 2 => return Err(SYNTAX),
        Some(part) if is(part, "LIVE") => Question::Live,
        Some(part) if is(part, "READY") => Question::Ready,
        Some(part) if is(part, "STRICT") => Question::Strict,
        Some(_) => return Err(SYNTAX),
    };
    match conditions(cx, question).iter().find(|condition| !condition.is_met) {
        None => cx.answer(Reply::Simple(question.met())),
        Some(unmet) => Err(Fail::from(format!("NOTREADY {}: {}: {}", question.unmet(), unmet.name, unmet.says))),
    }
}
