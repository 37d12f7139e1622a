//! Answers as they are: the bytes, each part on a line of its own.

use std::io::{Result, Write};

use super::place::Place;
use crate::tool::client::reply::Part;

/// Shows a part; the line's end comes before the next.
pub(super) fn part(place: &Place<'_>, part: &Part, out: &mut impl Write) -> Result<()> {
    // What is not the first of all stands behind something.
    if place.around.last().is_some_and(|level| level.shown > 0) {
        out.write_all(if place.is_value { b" " } else { b"\n" })?;
    }
    match part {
        Part::Status(text) | Part::Error(text) | Part::Number(text) | Part::Bulk(text) | Part::Text(text) => {
            out.write_all(text)
        }
        Part::Int(number) => write!(out, "{number}"),
        Part::Bool(is_so) => write!(out, "({is_so})"),
        Part::Nil | Part::Begin(..) => Ok(()),
    }
}
