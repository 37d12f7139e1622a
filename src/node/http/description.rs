//! `/v1/openapi.json`: what programs can ask for, as the tools read it that make clients and try out servers.

use super::asked::{Asked, Handled, Refused};
use crate::http::answer::{Answer, JSON};
use crate::node::commands::context::Context;

const OPENAPI: &str = include_str!("openapi.json");

/// The same for everybody.
pub(super) fn openapi(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    asked.answer(cx, &Answer::ok(JSON), OPENAPI.as_bytes());
    Ok(Handled::Answered)
}
