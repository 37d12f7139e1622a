//! Answers as `redis-cli` 7 shows them on a terminal.

use std::io::{Result, Write};

use super::place::Place;
use crate::protocol::quoting::quoted;
use crate::tool::client::reply::{Kind, Part};

/// Shows a part; the line's end comes before the next.
pub(super) fn part(place: &Place<'_>, part: &Part, out: &mut impl Write) -> Result<()> {
    lead(place, out)?;
    match part {
        Part::Status(text) | Part::Text(text) => out.write_all(text),
        Part::Error(why) => out.write_all(b"(error) ").and_then(|()| out.write_all(why)),
        Part::Int(number) => write!(out, "(integer) {number}"),
        Part::Number(text) => out.write_all(b"(double) ").and_then(|()| out.write_all(text)),
        Part::Bool(is_so) => write!(out, "({is_so})"),
        Part::Bulk(bytes) => out.write_all(quoted(bytes).as_bytes()),
        Part::Nil => out.write_all(b"(nil)"),
        Part::Begin(kind, 0) => out.write_all(match kind {
            Kind::Array => b"(empty array)",
            Kind::Map => b"(empty hash)",
            Kind::Set => b"(empty set)",
            Kind::Push => b"(empty push)",
        }),
        Part::Begin(..) => Ok(()),
    }
}

/// What stands before a part: its number, below that of the part before it.
fn lead(place: &Place<'_>, out: &mut impl Write) -> Result<()> {
    let Some((level, outer)) = place.around.split_last() else { return Ok(()) };
    if place.is_value {
        return out.write_all(b" => ");
    }
    // The first stands behind the number of its list, unless that is the value of a pair.
    let is_in_pair = outer.last().is_some_and(|outer| outer.kind == Kind::Map && outer.shown % 2 == 1);
    if level.shown > 0 || is_in_pair {
        out.write_all(b"\n")?;
        for level in outer {
            write!(out, "{:1$}", "", level.width() + 2)?;
        }
    }
    let (number, sign) = match level.kind {
        Kind::Map => (level.shown / 2 + 1, '#'),
        Kind::Set => (level.shown + 1, '~'),
        Kind::Array | Kind::Push => (level.shown + 1, ')'),
    };
    write!(out, "{number:0$}{sign} ", level.width())
}
