//! The JSON dialect: an object a line in, an object a line out, in order.
//!
//! `{"op":"get","key":"a","id":7}` is answered `{"id":7,"ok":true,"value":"1"}`, a mistake
//! `{"id":7,"ok":false,"error":{"code":"ERR","message":"..."}}`. A value or key that is no UTF-8 is base64, and a field
//! says so. Positions and cursors are strings: they are larger than what JavaScript counts to.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memchr;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Command, Decoded, Refusal, Reply, Request, Scratch, line};
use crate::store::Change;

/// What the answer to a request is wrapped in.
#[derive(Clone, Debug)]
pub struct Envelope {
    id: Option<Value>,
    op: Op,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Op {
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

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
}

/// A request as it is written. Which fields an op takes, [`arguments`] knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    op: Op,
    #[serde(default, deserialize_with = "given")]
    id: Option<Value>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    key_encoding: Option<Encoding>,
    #[serde(borrow)]
    keys: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    encoding: Option<Encoding>,
    ttl_ms: Option<i64>,
    by: Option<i64>,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    r#match: Option<Cow<'a, str>>,
    count: Option<u64>,
    peers: Option<u64>,
    timeout_ms: Option<u64>,
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    position: Option<Cow<'a, str>>,
}

/// Anything that is there, `null` too.
fn given<'de, D: Deserializer<'de>>(id: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(id).map(Some)
}

/// Reads the first line, and what its answer is to be wrapped in. `scanned` bytes are known to hold no line end.
pub fn decode<'a>(
    bytes: &'a [u8],
    scanned: usize,
    value_bytes_max: usize,
    scratch: &'a mut Scratch,
) -> (Decoded<'a>, Option<Box<Envelope>>) {
    // A character may be written as six.
    let max = 6 * line::line_bytes_max(value_bytes_max);
    let unnamed = Some(Box::new(Envelope { id: None, op: Op::Ping }));
    let Some(end) = memchr(b'\n', &bytes[scanned..]).map(|at| scanned + at).filter(|&end| end <= max) else {
        if bytes.len() > max {
            let reply = Reply::Error(Refusal::LineTooLong(max));
            return match memchr(b'\n', bytes) {
                Some(end) => (Decoded::Malformed(reply, end + 1), unnamed),
                None => (Decoded::Oversized(reply), unnamed),
            };
        }
        return (Decoded::Incomplete(bytes.len() + 1), None);
    };
    if bytes[..end].iter().all(u8::is_ascii_whitespace) {
        return (Decoded::Blank(end + 1), None);
    }
    let line = &bytes[..end];
    if !line.trim_ascii_start().starts_with(b"{") {
        return (Decoded::Failed("ERR a request is an object".to_owned(), end + 1), unnamed);
    }
    let object: Object<'_> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(error) => {
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|object| object.get("id").cloned());
            let envelope = Some(Box::new(Envelope { id, op: Op::Ping }));
            return (Decoded::Failed(format!("ERR {error}"), end + 1), envelope);
        }
    };
    let envelope = Some(Box::new(Envelope { id: object.id.clone(), op: object.op }));
    scratch.clear();
    let decoded = match arguments(&object, scratch) {
        Ok(command) => Decoded::Request(Request { command: Some(command), args: scratch.args() }, end + 1),
        Err(why) => Decoded::Failed(format!("ERR {why}"), end + 1),
    };
    (decoded, envelope)
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
    super::resp::encode(Reply::Error(refusal), true, &mut plain);
    encode(&Envelope { id, op: Op::Ping }, &plain, out);
}

/// Writes a change for who watches a prefix.
pub fn tell(change: &Change<'_>, out: &mut Vec<u8>) {
    let mut event = Map::new();
    event.insert("event".to_owned(), if change.value.is_some() { "set" } else { "delete" }.into());
    put(&mut event, "key", "key_encoding", change.key);
    if let Some(value) = change.value {
        put(&mut event, "value", "encoding", value);
    }
    event.insert("stamp".to_owned(), json!({ "clock": change.stamp.clock.to_string(), "node": change.stamp.node }));
    event.insert("position".to_owned(), change.position.to_string().into());
    serde_json::to_writer(&mut *out, &event).expect("memory takes all");
    out.push(b'\n');
}

/// The command that does what is asked for, and its arguments.
fn arguments(object: &Object<'_>, scratch: &mut Scratch) -> Result<Command, &'static str> {
    let bytes = |text: &Cow<'_, str>, encoding: Option<Encoding>| match encoding {
        None => Ok(text.as_bytes().to_vec()),
        Some(Encoding::Base64) => BASE64.decode(text.as_bytes()).map_err(|_| "this is not base64"),
    };
    let key = || bytes(object.key.as_ref().ok_or("the field key is missing")?, object.key_encoding);
    let command = object.op.command();
    scratch.push(command.describe().name.as_bytes());
    match object.op {
        Op::Get | Op::Delete | Op::Ttl => scratch.push(&key()?),
        Op::Set => {
            scratch.push(&key()?);
            scratch.push(&bytes(object.value.as_ref().ok_or("the field value is missing")?, object.encoding)?);
            if let Some(ttl_ms) = object.ttl_ms {
                scratch.push(b"PX");
                scratch.push(ttl_ms.to_string().as_bytes());
            }
        }
        Op::MGet | Op::Exists => {
            let keys = object.keys.as_deref().or(object.key.as_ref().map(std::slice::from_ref));
            let keys = keys.filter(|keys| !keys.is_empty()).ok_or("the field keys is missing")?;
            for key in keys {
                scratch.push(&bytes(key, object.key_encoding)?);
            }
        }
        Op::Expire => {
            scratch.push(&key()?);
            scratch.push(object.ttl_ms.ok_or("the field ttl_ms is missing")?.to_string().as_bytes());
        }
        Op::Incr => {
            scratch.push(&key()?);
            scratch.push(object.by.unwrap_or(1).to_string().as_bytes());
        }
        Op::Scan => {
            scratch.push(object.cursor.as_ref().map_or(b"0", |cursor| cursor.as_bytes()));
            if let Some(pattern) = &object.r#match {
                scratch.push(b"MATCH");
                scratch.push(pattern.as_bytes());
            }
            if let Some(count) = object.count {
                scratch.push(b"COUNT");
                scratch.push(count.to_string().as_bytes());
            }
        }
        Op::Wait => {
            scratch.push(object.peers.ok_or("the field peers is missing")?.to_string().as_bytes());
            scratch.push(object.timeout_ms.unwrap_or(0).to_string().as_bytes());
        }
        Op::Watch => {
            let prefix = object.prefix.as_ref().ok_or("the field prefix is missing")?;
            scratch.push(&bytes(prefix, object.key_encoding)?);
            if let Some(position) = &object.position {
                scratch.push(position.as_bytes());
            }
        }
        Op::Ping | Op::Info | Op::Unwatch => (),
    }
    Ok(command)
}

impl Op {
    fn command(self) -> Command {
        match self {
            Op::Get => Command::Get,
            Op::Set => Command::Set,
            Op::Delete => Command::Del,
            Op::MGet => Command::MGet,
            Op::Exists => Command::Exists,
            Op::Expire => Command::PExpire,
            Op::Ttl => Command::PTtl,
            Op::Incr => Command::IncrBy,
            Op::Scan => Command::Scan,
            Op::Ping => Command::Ping,
            Op::Info => Command::Info,
            Op::Wait => Command::Wait,
            Op::Watch => Command::WatchPrefix,
            Op::Unwatch => Command::UnwatchPrefix,
        }
    }

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
fn put(object: &mut Map<String, Value>, name: &str, encoding: &str, bytes: &[u8]) {
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
