//! Answers in JSON: the parts are kept until they are all there, and then written as one object.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Refusal, Reply, words};

/// What the answer to a request is wrapped in.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub(super) id: Option<Value>,
    pub(super) op: Op,
    /// The number of the database that is meant, where the request says so.
    pub(in crate::protocol) database: Option<u64>,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Op {
    Get,
    Set,
    Delete,
    Digest,
    MGet,
    MSet,
    Exists,
    Expire,
    Ttl,
    Incr,
    Scan,
    Ping,
    Auth,
    Info,
    Status,
    Events,
    Wait,
    Watch,
    Unwatch,
    /// `Set` with a condition: the answer says whether it was done.
    #[serde(skip)]
    SetIf,
    /// `Set` that asks for the value before.
    #[serde(skip)]
    SetGet,
    /// `Delete` with a condition.
    #[serde(skip)]
    DeleteIf,
    /// `Incr` with bounds, or a time to live.
    #[serde(skip)]
    Count,
}

/// What a request was answered so far.
#[derive(Debug, Default)]
pub struct Parts {
    parts: Vec<Part>,
    text: Vec<u8>,
}

/// A reply; a text is where it lies among all.
#[derive(Clone, Debug)]
enum Part {
    Ok,
    Bytes(Range<usize>),
    Int(i64),
    Nil,
    Error(Range<usize>),
    /// So many parts follow.
    Array(usize),
}

impl Parts {
    /// One more.
    pub fn push(&mut self, reply: Reply<'_>) {
        let part = match reply {
            Reply::Ok => Part::Ok,
            Reply::Done(done) => Part::Int(done.into()),
            Reply::Value(value) => Part::Bytes(self.keep(value)),
            Reply::Simple(text) | Reply::Text(text) | Reply::Double(text) => Part::Bytes(self.keep(text.as_bytes())),
            Reply::Int(number) => Part::Int(number),
            Reply::Nil | Reply::NilArray => Part::Nil,
            Reply::Array(len) | Reply::Set(len) | Reply::Push(len) => Part::Array(len),
            Reply::Map(len) => Part::Array(2 * len),
            Reply::InvalidCommand => Part::Error(self.keep(words::INVALID_COMMAND.as_bytes())),
            Reply::Error(refusal) => Part::Error(self.keep(words::InWords(refusal).to_string().as_bytes())),
            Reply::Fail(why) => Part::Error(self.keep(why.as_bytes())),
        };
        self.parts.push(part);
    }

    /// What was answered there follows.
    pub fn append(&mut self, others: &Parts) {
        let base = self.text.len();
        let moved = |span: &Range<usize>| base + span.start..base + span.end;
        self.parts.extend(others.parts.iter().map(|part| match part {
            Part::Bytes(span) => Part::Bytes(moved(span)),
            Part::Error(span) => Part::Error(moved(span)),
            Part::Ok | Part::Int(_) | Part::Nil | Part::Array(_) => part.clone(),
        }));
        self.text.extend_from_slice(&others.text);
    }

    /// The end of what is there, as a place for [`Parts::cut`].
    pub fn mark(&self) -> Mark {
        Mark { parts: self.parts.len(), text: self.text.len() }
    }

    /// Forgets what came since the mark.
    pub fn cut(&mut self, mark: Mark) {
        self.parts.truncate(mark.parts);
        self.text.truncate(mark.text);
    }

    /// What they say; nothing, where there are none.
    pub fn said(&self) -> Said<'_> {
        self.read(&mut self.parts.iter())
    }

    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        start..self.text.len()
    }

    /// The first of these, with what follows it where that is its own.
    fn read<'a>(&'a self, rest: &mut std::slice::Iter<'_, Part>) -> Said<'a> {
        match rest.next() {
            Some(Part::Ok) => Said::Ok,
            Some(Part::Bytes(span)) => Said::Bytes(&self.text[span.clone()]),
            Some(Part::Int(number)) => Said::Int(*number),
            Some(Part::Error(span)) => Said::Error(&self.text[span.clone()]),
            Some(Part::Array(len)) => Said::Array((0..*len).map(|_| self.read(rest)).collect()),
            Some(Part::Nil) | None => Said::Nil,
        }
    }
}

/// A place among the parts of an answer; the first one unless something else is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    parts: usize,
    text: usize,
}

/// What was answered.
#[derive(Debug)]
pub enum Said<'a> {
    /// Done.
    Ok,
    /// A text, or any other bytes.
    Bytes(&'a [u8]),
    /// A number.
    Int(i64),
    /// Nothing.
    Nil,
    /// A code, a space, why.
    Error(&'a [u8]),
    /// Several.
    Array(Vec<Said<'a>>),
}

/// The fields of an object, in the order in which they are written.
pub(super) type Object<'a> = BTreeMap<&'static str, Field<'a>>;

/// What is in one.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Field<'a> {
    Text(&'a str),
    Made(String),
    Int(i64),
    Bool(bool),
    Nil,
    Array(Vec<Field<'a>>),
    Object(serde_json::Map<String, Value>),
    Mistake { code: &'a str, message: &'a str },
    Value(&'a Value),
}

/// Writes the answer as an object and a line end.
pub fn write(envelope: &Envelope, parts: &Parts, out: &mut Vec<u8>) {
    let mut answer = Object::new();
    if let Some(id) = &envelope.id {
        answer.insert("id", Field::Value(id));
    }
    let said = parts.said();
    if let Said::Error(why) = said {
        let why = std::str::from_utf8(why).expect("replies bring errors as text");
        let (code, message) = why.split_once(' ').unwrap_or((why, ""));
        answer.insert("ok", Field::Bool(false));
        answer.insert("error", Field::Mistake { code, message });
    } else {
        answer.insert("ok", Field::Bool(true));
        envelope.op.describe(said, &mut answer);
    }
    write_line(&answer, out);
}

/// Writes a refusal in the place of an answer that was given already.
pub fn refuse(answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
    let id = serde_json::from_slice::<Value>(answer).ok().and_then(|object| object.get("id").cloned());
    let mut parts = Parts::default();
    parts.push(Reply::Error(refusal));
    write(&Envelope { id, op: Op::Ping, database: None }, &parts, out);
}

/// Writes an object and a line end.
pub(super) fn write_line(object: &Object<'_>, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, object).expect("memory takes all");
    out.push(b'\n');
}

/// Puts bytes into an object as text where they are, else as base64 with a field that says so.
pub(super) fn put<'a>(object: &mut Object<'a>, name: &'static str, encoding: &'static str, bytes: &'a [u8]) {
    let field = plain(bytes);
    if let Field::Made(_) = field {
        object.insert(encoding, Field::Text("base64"));
    }
    object.insert(name, field);
}

/// As text where they are, else as base64.
fn plain(bytes: &[u8]) -> Field<'_> {
    std::str::from_utf8(bytes).map_or_else(|_| base64(bytes), Field::Text)
}

fn base64(bytes: &[u8]) -> Field<'static> {
    Field::Made(BASE64.encode(bytes))
}

impl<'a> Said<'a> {
    fn is_text(&self) -> bool {
        !matches!(self, Said::Bytes(bytes) if std::str::from_utf8(bytes).is_err())
    }

    /// Names and values in turn, as an object.
    fn pairs(self) -> Field<'a> {
        let Said::Array(parts) = self else { return self.plain() };
        let (mut object, mut parts) = (serde_json::Map::new(), parts.into_iter());
        while let (Some(Said::Bytes(name)), Some(value)) = (parts.next(), parts.next()) {
            let value = if let Said::Array(_) = value { value.pairs() } else { value.plain() };
            let value = serde_json::to_value(value).expect("fields are JSON");
            object.insert(String::from_utf8_lossy(name).into_owned(), value);
        }
        Field::Object(object)
    }

    fn plain(self) -> Field<'a> {
        match self {
            Said::Ok => Field::Text("OK"),
            Said::Bytes(bytes) | Said::Error(bytes) => plain(bytes),
            Said::Int(number) => Field::Int(number),
            Said::Nil => Field::Nil,
            Said::Array(parts) => Field::Array(parts.into_iter().map(Said::plain).collect()),
        }
    }
}

impl Op {
    /// The fields of the answer beside `id` and `ok`.
    fn describe<'a>(self, said: Said<'a>, answer: &mut Object<'a>) {
        let field = match self {
            Op::Get | Op::SetGet => {
                match said {
                    Said::Bytes(value) => put(answer, "value", "encoding", value),
                    other => drop(answer.insert("value", other.plain())),
                }
                return;
            }
            Op::MGet => {
                let Said::Array(values) = said else { return };
                // Where one is no UTF-8, all are base64: an array has one encoding.
                let is_plain = values.iter().all(Said::is_text);
                let value = |value: Said<'a>| match value {
                    Said::Bytes(value) if !is_plain => base64(value),
                    other => other.plain(),
                };
                answer.insert("values", Field::Array(values.into_iter().map(value).collect()));
                if !is_plain {
                    answer.insert("encoding", Field::Text("base64"));
                }
                return;
            }
            Op::Scan => {
                let Said::Array(parts) = said else { return };
                let [cursor, keys] = <[Said<'_>; 2]>::try_from(parts).unwrap_or([Said::Nil, Said::Nil]);
                answer.insert("cursor", cursor.plain());
                let Said::Array(keys) = keys else { return };
                let (texts, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(Said::is_text);
                answer.insert("keys", Said::Array(texts).plain());
                if !others.is_empty() {
                    answer.insert("keys_base64", Said::Array(others).plain());
                }
                return;
            }
            Op::Events => {
                let Said::Array(events) = said else { return };
                answer.insert("events", Field::Array(events.into_iter().map(Said::pairs).collect()));
                return;
            }
            Op::Status => {
                let status = if let Said::Bytes(text) = said { serde_json::from_slice(text).ok() } else { None };
                answer.insert("status", Field::Object(status.unwrap_or_default()));
                return;
            }
            Op::Ttl => {
                // -2: no such key; -1: it stays.
                let ttl = if let Said::Int(ttl) = said { ttl } else { -2 };
                answer.insert("exists", Field::Bool(ttl != -2));
                answer.insert("ttl_ms", if ttl < 0 { Field::Nil } else { Field::Int(ttl) });
                return;
            }
            Op::Count => {
                let Said::Array(parts) = said else { return };
                let fields = ["value", "applied"].into_iter().zip(parts);
                fields.for_each(|(name, part)| drop(answer.insert(name, part.plain())));
                return;
            }
            Op::Expire | Op::MSet | Op::SetIf => {
                answer.insert("done", Field::Bool(matches!(said, Said::Int(1) | Said::Ok)));
                return;
            }
            Op::Delete | Op::DeleteIf => "deleted",
            Op::Digest => "digest",
            Op::Exists => "count",
            Op::Incr => "value",
            Op::Info => "info",
            Op::Wait => "peers",
            Op::Watch => "position",
            Op::Set | Op::Ping | Op::Auth | Op::Unwatch => return,
        };
        answer.insert(field, said.plain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(op: Op, parts: &Parts) -> String {
        let mut out = Vec::new();
        write(&Envelope { id: Some(7.into()), op, database: None }, parts, &mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn parts_that_lay_elsewhere_follow_those_that_are_there() {
        let (mut parts, mut found) = (Parts::default(), Parts::default());
        [Reply::Array(2), Reply::Value(b"12"), Reply::Array(3)].into_iter().for_each(|reply| parts.push(reply));
        [Reply::Value(b"a"), Reply::Value(b"\xFF"), Reply::Value(b"\"")]
            .into_iter()
            .for_each(|reply| found.push(reply));
        parts.append(&found);
        let expected =
            "{\"cursor\":\"12\",\"id\":7,\"keys\":[\"a\",\"\\\"\"],\"keys_base64\":[\"/w==\"],\"ok\":true}\n";
        assert_eq!(written(Op::Scan, &parts), expected);
    }

    #[test]
    fn a_refusal_in_the_place_of_an_answer_keeps_its_id_and_is_in_redis_words() {
        let mut parts = Parts::default();
        parts.push(Reply::Ok);
        let mut out = Vec::new();
        refuse(written(Op::Set, &parts).as_bytes(), Refusal::OutOfMemory, &mut out);
        let message = format!("{{\"code\":\"OOM\",\"message\":\"{}\"}}", words::OUT_OF_MEMORY);
        assert_eq!(String::from_utf8_lossy(&out), format!("{{\"error\":{message},\"id\":7,\"ok\":false}}\n"));
    }
}
