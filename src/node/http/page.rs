//! `/` and `/page/<file>`: the dashboard. Its files lie in `page/` and are in the program as they are.
//!
//! They are the same for everybody and hold nothing of this node: what they show they ask for as any program does, and
//! are refused what their user may not. A browser keeps them and asks each time whether they still are what they were.

use super::asked::{Asked, Handled, Refused};
use crate::http::Wrong;
use crate::http::answer::{Answer, CSS, HTML, JAVASCRIPT, OWN, SVG};
use crate::http::conditions::unmet;
use crate::node::commands::context::Context;
use crate::store::Database;
use crate::store::digest::key_hash;

/// A file's name, what it is called, and what is in it.
type File = (&'static str, &'static str, &'static str);

macro_rules! files {
    ($($name:literal $kind:ident),+ $(,)?) => {
        &[$(($name, $kind, include_str!(concat!("page/", $name)))),+]
    };
}

const INDEX: &str = include_str!("page/index.html");

static FILES: &[File] = files![
    "style.css" CSS,
    "icon.svg" SVG,
    "app.js" JAVASCRIPT,
    "api.js" JAVASCRIPT,
    "charts.js" JAVASCRIPT,
    "clients.js" JAVASCRIPT,
    "dom.js" JAVASCRIPT,
    "events.js" JAVASCRIPT,
    "format.js" JAVASCRIPT,
    "history.js" JAVASCRIPT,
    "keys.js" JAVASCRIPT,
    "matrix.js" JAVASCRIPT,
    "settings.js" JAVASCRIPT,
    "slow.js" JAVASCRIPT,
    "tail.js" JAVASCRIPT,
    "ticks.js" JAVASCRIPT,
    "undo.js" JAVASCRIPT,
    "value.js" JAVASCRIPT,
    "verdict.js" JAVASCRIPT,
];

/// The page.
pub(super) fn index(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    answer(cx, asked, Answer::ok(HTML).as_page(OWN), INDEX)
}

/// What it is made of.
pub(super) fn file(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    let found = FILES.iter().find(|(name, ..)| name.as_bytes() == &*asked.rest);
    let (_, kind, text) = found.ok_or(Wrong::new(404, "there is no such path"))?;
    answer(cx, asked, Answer::ok(kind), text)
}

fn answer(cx: &mut Context<'_>, asked: &Asked<'_>, answer: Answer, text: &str) -> Result<Handled, Refused> {
    let tag = format!("\"{:016x}\"", key_hash(Database::ZERO, text.as_bytes()));
    match unmet(asked.head, Some(&tag))? {
        Some(304) => asked.answer_empty(cx, &answer.unchanged().with("ETag", tag).kept()),
        Some(_) => return Err(Wrong::new(412, "the file is not as the request wants it to be").into()),
        None => asked.answer(cx, &answer.with("ETag", tag).kept(), text.as_bytes()),
    }
    Ok(Handled::Answered)
}
