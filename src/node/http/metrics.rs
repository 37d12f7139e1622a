//! `/metrics` and `/metrics/redis`: for machines that collect figures. What follows a `?` is for those that put something
//! there, and means nothing.

use super::asked::{Asked, Handled, Refused};
use super::conversation::{Exposing, Long, Slice};
use crate::http::answer::Answer;
use crate::node::commands::context::Context;
use crate::node::exposition::{self, Cursor, Form, Page};
use crate::node::statistics::Sources;

/// Bytes of a slice after which it is ended: a figure costs some microseconds, far more than a key of a list.
const FIGURES_BYTES: usize = 4 << 10;

/// What this program calls them.
pub(super) fn own(_cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    Ok(begin(asked, Page::Own))
}

/// What redis_exporter calls them.
pub(super) fn redis(_cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    Ok(begin(asked, Page::Redis))
}

fn begin(asked: &Asked<'_>, page: Page) -> Handled {
    let form = Form::accepted(asked.head.accept);
    let answer = Answer::ok(form.content_type()).with("Vary", "Accept");
    Handled::Long(answer, Long::Page(Box::new(Exposing { page, form, cursor: Cursor::default() })))
}

/// The page from where it is.
pub(super) fn go_on(cx: &Context<'_>, exposing: &mut Exposing, out: &mut Vec<u8>) -> Slice {
    let Exposing { page, form, cursor } = exposing;
    let sources = Sources::new(cx);
    match exposition::write(*page, *form, &sources, std::mem::take(cursor), FIGURES_BYTES, out) {
        Some(next) => {
            *cursor = next;
            Slice::More
        }
        None => Slice::Last,
    }
}
