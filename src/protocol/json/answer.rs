//! Answers in JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memchr;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::protocol::{Refusal, Reply, resp};

/// What the answer to a request is wrapped in.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub(super) id: Option<Value>,
    pub(super) op: Op,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Op {
    Get,
    Set,
    Delete,
    MGet,
    Exists,
    Expire,
    Ttl,
    Incr,
    Scan,
    Ping,
    Info,
    Wait,
    Watch,
    Unwatch,
}

/// Writes the answer: what the request was answered with in RESP3, as an object and a line end.
pub fn encode(envelope: &Envelope, resp3: &[u8], out: &mut Vec<u8>) {
    let mut answer = Map::new();
    if let Some(id) = &envelope.id {
        answer.insert("id".to_owned(), id.clone());
    }
    let mut rest = resp3;
    match Part::read(&mut rest) {
        Part::Error(why) => {
            let (code, message) = why.split_once(' ').unwrap_or((&why, ""));
            answer.insert("ok".to_owned(), false.into());
            answer.insert("error".to_owned(), json!({ "code": code, "message": message }));
        }
        part => {
            answer.insert("ok".to_owned(), true.into());
            envelope.op.describe(part, &mut answer);
        }
    }
    serde_json::to_writer(&mut *out, &answer).expect("memory takes all");
    out.push(b'\n');
}

/// Writes a refusal in the place of an answer that was given already.
pub fn refuse(answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
    let id = serde_json::from_slice::<Value>(answer).ok().and_then(|object| object.get("id").cloned());
    let mut plain = Vec::new();
    resp::encode(Reply::Error(refusal), true, &mut plain);
    encode(&Envelope { id, op: Op::Ping }, &plain, out);
}

impl Op {
    /// The fields of the answer beside `id` and `ok`.
    fn describe(self, part: Part<'_>, answer: &mut Map<String, Value>) {
        let field = match self {
            Op::Get => {
                match part {
                    Part::Bytes(value) => put(answer, "value", "encoding", value),
                    other => drop(answer.insert("value".to_owned(), other.plain())),
                }
                return;
            }
            Op::MGet => {
                let Part::Array(parts) = part else { return };
                // Where one is no UTF-8, all are base64: an array has one encoding.
                let is_text =
                    |part: &Part<'_>| !matches!(part, Part::Bytes(value) if std::str::from_utf8(value).is_err());
                let is_plain = parts.iter().all(is_text);
                let value = |part: Part<'_>| match part {
                    Part::Bytes(value) if !is_plain => BASE64.encode(value).into(),
                    other => other.plain(),
                };
                answer.insert("values".to_owned(), parts.into_iter().map(value).collect());
                if !is_plain {
                    answer.insert("encoding".to_owned(), "base64".into());
                }
                return;
            }
            Op::Scan => {
                let Part::Array(parts) = part else { return };
                let [cursor, keys] = <[Part<'_>; 2]>::try_from(parts).unwrap_or([Part::Nil, Part::Nil]);
                answer.insert("cursor".to_owned(), cursor.plain());
                let Part::Array(keys) = keys else { return };
                let is_text = |part: &Part<'_>| !matches!(part, Part::Bytes(key) if std::str::from_utf8(key).is_err());
                let (texts, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_text);
                answer.insert("keys".to_owned(), texts.into_iter().map(Part::plain).collect());
                if !others.is_empty() {
                    answer.insert("keys_base64".to_owned(), others.into_iter().map(Part::plain).collect());
                }
                return;
            }
            Op::Ttl => {
                // -2: no such key; -1: it stays.
                let ttl = if let Part::Int(ttl) = part { ttl } else { -2 };
                answer.insert("exists".to_owned(), (ttl != -2).into());
                answer.insert("ttl_ms".to_owned(), if ttl < 0 { Value::Null } else { ttl.into() });
                return;
            }
            Op::Expire => {
                answer.insert("done".to_owned(), matches!(part, Part::Int(1)).into());
                return;
            }
            Op::Delete => "deleted",
            Op::Exists => "count",
            Op::Incr => "value",
            Op::Info => "info",
            Op::Wait => "peers",
            Op::Watch => "position",
            Op::Set | Op::Ping | Op::Unwatch => return,
        };
        answer.insert(field.to_owned(), part.plain());
    }
}

/// Bytes as text where they are, else as base64 with a field that says so.
pub(super) fn put(object: &mut Map<String, Value>, name: &str, encoding: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => drop(object.insert(name.to_owned(), text.into())),
        Err(_) => {
            object.insert(name.to_owned(), BASE64.encode(bytes).into());
            object.insert(encoding.to_owned(), "base64".into());
        }
    }
}

/// A reply as RESP3 has it: what our own encoder writes, so it is well-formed.
enum Part<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Nil,
    Error(String),
    Array(Vec<Part<'a>>),
}

impl<'a> Part<'a> {
    fn read(rest: &mut &'a [u8]) -> Part<'a> {
        let Some(end) = memchr(b'\n', rest) else { return Part::Nil };
        let line = &rest[..end.saturating_sub(1)];
        *rest = &rest[end + 1..];
        let Some((&kind, text)) = line.split_first() else { return Part::Nil };
        let number = || std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        match kind {
            b'+' | b',' => Part::Bytes(text),
            b'-' => Part::Error(String::from_utf8_lossy(text).into_owned()),
            b':' => Part::Int(number()),
            b'$' | b'=' => {
                let len = usize::try_from(number()).unwrap_or(0).min(rest.len());
                let bytes = &rest[..len];
                *rest = rest.get(len + 2..).unwrap_or_default();
                // Text says what it is in four bytes.
                Part::Bytes(if kind == b'=' { bytes.get(4..).unwrap_or_default() } else { bytes })
            }
            b'*' | b'~' | b'>' => Part::Array((0..number()).map(|_| Part::read(rest)).collect()),
            b'%' => Part::Array((0..2 * number()).map(|_| Part::read(rest)).collect()),
            _ => Part::Nil,
        }
    }

    fn plain(self) -> Value {
        match self {
            Part::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => BASE64.encode(bytes).into(),
            },
            Part::Int(number) => number.into(),
            Part::Nil => Value::Null,
            Part::Error(why) => why.into(),
            Part::Array(parts) => parts.into_iter().map(Part::plain).collect(),
        }
    }
}
