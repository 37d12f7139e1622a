//! `/livez` and `/readyz`: for who asks whether to restart the node, and whether to send it clients.

use super::asked::{Asked, Handled, Refused};
use crate::http::answer::{Answer, TEXT};
use crate::http::target::switch;
use crate::node::commands::context::Context;
use crate::node::health::{Condition, Question, conditions};

/// The loop answers. Nothing else is looked at: a node that is restarted because of a peer or a disk is no better off.
pub(super) fn livez(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [verbose] = asked.target.parameters(["verbose"])?;
    switch(verbose.as_deref())?;
    answer(cx, asked, Question::Live, verbose.is_some())
}

/// It was found ready, and is not ending; with `strict` also that all nodes are linked and agree.
pub(super) fn readyz(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [verbose, strict] = asked.target.parameters(["verbose", "strict"])?;
    let is_strict = switch(strict.as_deref())?;
    let is_verbose = switch(verbose.as_deref())?;
    answer(cx, asked, if is_strict { Question::Strict } else { Question::Ready }, is_verbose)
}

fn answer(cx: &mut Context<'_>, asked: &Asked<'_>, question: Question, is_verbose: bool) -> Result<Handled, Refused> {
    let conditions = conditions(cx, question);
    let unmet = conditions.iter().find(|condition| !condition.is_met);
    let text = match (is_verbose, unmet) {
        (true, _) => conditions.iter().map(|condition| format!("{condition}\n")).collect(),
        (false, None) => format!("{}\n", question.met()),
        (false, Some(Condition { says, .. })) => format!("{}: {says}\n", question.unmet()),
    };
    asked.answer(cx, &Answer::new(if unmet.is_none() { 200 } else { 503 }, TEXT), text.as_bytes());
    Ok(Handled::Answered)
}
