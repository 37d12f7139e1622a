//! The members of a family that a page has yet to tell of.

use std::borrow::Cow;

use super::cursor::Cursor;
use crate::node::statistics::{Family, Sources};

/// The members that are still to be written, with their places. Of one that is gone nobody knows what came after
/// it.
pub(super) fn after<'a>(
    cursor: &Cursor,
    sources: &'a Sources<'_>,
    family: Option<Family>,
) -> Vec<(usize, Cow<'a, str>)> {
    let all = match family {
        Some(family) => sources.members(family),
        None => vec!["".into()],
    };
    let begin = match &cursor.after {
        None => 0,
        Some(after) => all.iter().position(|name| name == after).map_or(all.len(), |place| place + 1),
    };
    all.into_iter().enumerate().skip(begin).collect()
}
