//! `/v1/status`: what `STATUS` answers.

use super::asked::{Asked, Handled, Refused};
use crate::http::answer::{Answer, JSON};
use crate::node::commands::context::Context;
use crate::node::reporting;

/// All nodes, as far as this one knows, and what it comes to.
pub(super) fn show(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    let status = reporting::cluster(cx).to_json();
    asked.answer(cx, &Answer::ok(JSON), status.as_bytes());
    Ok(Handled::Answered)
}
