//! Answers in JSON, a line each. A text that is no UTF-8 is `{"base64":"..."}`, an error `{"error":"..."}`.

use std::io::{Result, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::place::Place;
use crate::tool::client::reply::{Kind, Part};

/// Shows a part.
pub(super) fn part(place: &Place<'_>, part: &Part, out: &mut impl Write) -> Result<()> {
    let level = place.around.last();
    if place.is_value {
        out.write_all(b":")?;
    } else if level.is_some_and(|level| level.shown > 0) {
        out.write_all(b",")?;
    }
    let is_key = level.is_some_and(|level| level.kind == Kind::Map) && !place.is_value;
    let value = match part {
        Part::Begin(Kind::Map, 0) => return out.write_all(b"{}"),
        Part::Begin(_, 0) => return out.write_all(b"[]"),
        Part::Begin(Kind::Map, _) => return out.write_all(b"{"),
        Part::Begin(..) => return out.write_all(b"["),
        Part::Error(why) => json!({ "error": String::from_utf8_lossy(why) }),
        Part::Int(number) => json!(number),
        Part::Bool(is_so) => json!(is_so),
        Part::Nil => Value::Null,
        // One that JSON has, or the text.
        Part::Number(text) => serde_json::from_slice(text).unwrap_or_else(|_| string(text)),
        Part::Status(text) | Part::Text(text) | Part::Bulk(text) => string(text),
    };
    // A key is a string whatever it was.
    match value {
        Value::String(_) => write!(out, "{value}"),
        value if is_key => write!(out, "{}", Value::String(value.to_string())),
        value => write!(out, "{value}"),
    }
}

/// Ends a list.
pub(super) fn end(kind: Kind, out: &mut impl Write) -> Result<()> {
    out.write_all(if kind == Kind::Map { b"}" } else { b"]" })
}

fn string(text: &[u8]) -> Value {
    match std::str::from_utf8(text) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => json!({ "base64": BASE64.encode(text) }),
    }
}
