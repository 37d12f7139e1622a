//! `/v1/settings`: all settings, what each is by default, and which can be changed while the node runs.

use super::asked::{Asked, Handled, Refused};
use crate::http::answer::{Answer, JSON};
use crate::http::json::put_text;
use crate::node::commands::allow;
use crate::node::commands::context::Context;
use crate::node::{defaults, settings};
use crate::protocol::{Command, Scratch};

/// For whom `CONFIG GET` is.
pub(super) fn list(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    let mut scratch = Scratch::default();
    ["CONFIG", "GET", "*"].iter().for_each(|word| scratch.push(word.as_bytes()));
    allow(cx, Command::Config, scratch.args())?;
    let mut said = b"{\"settings\":[".to_vec();
    for (place, (name, value)) in cx.present_settings().enumerate() {
        said.extend_from_slice(if place == 0 { b"{\"name\":" } else { b",{\"name\":" });
        put_text(name, &mut said);
        said.extend_from_slice(b",\"value\":");
        put_text(&value, &mut said);
        said.extend_from_slice(b",\"default\":");
        match defaults::of(name) {
            Some(default) => put_text(&default, &mut said),
            None => said.extend_from_slice(b"null"),
        }
        let can_set = settings::locked(name).is_none();
        said.extend_from_slice(format!(",\"can_set\":{can_set}}}").as_bytes());
    }
    said.extend_from_slice(b"]}\n");
    asked.answer(cx, &Answer::ok(JSON), &said);
    Ok(Handled::Answered)
}
