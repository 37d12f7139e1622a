//! The JSON dialect: an object a line in, an object a line out, in order.
//!
//! `{"op":"get","key":"a","id":7}` is answered `{"id":7,"ok":true,"value":"1"}`, a mistake
//! `{"id":7,"ok":false,"error":{"code":"ERR","message":"..."}}`. A value or key that is no UTF-8 is base64, and a field
//! says so. Positions and cursors are strings: they are larger than what JavaScript counts to.

pub mod answer;
mod telling;

use std::borrow::Cow;

use answer::{Envelope, Op, Parts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memchr;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::speech::{Progress, Speech, Traits};
use super::{Command, Decoded, Refusal, Reply, Request, Scratch, TEXT_VALUE_BYTES_MAX, line, resp};
pub use telling::{tell, tell_short};

/// See the module.
pub(super) struct Json;

impl Speech for Json {
    const TRAITS: Traits = Traits {
        name: "JSON",
        begin: Some(b'{'),
        resp_version: None,
        has_channels: false,
        has_pushes: false,
        follows_redis: true,
        forbids_newlines: false,
        tells_of_missing_end: false,
        is_http: false,
    };

    fn decode<'a>(
        bytes: &'a [u8],
        progress: &mut Progress,
        _is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        let value_bytes_max = value_bytes_max.min(TEXT_VALUE_BYTES_MAX);
        let (decoded, envelope) = decode(bytes, progress.scanned, value_bytes_max, scratch);
        progress.envelope = envelope;
        decoded
    }

    /// A client that has asked in RESP to be told of something is told in RESP.
    fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
        resp::encode(reply, true, out);
    }

    fn answer(reply: Reply<'_>, parts: &mut Parts, _out: &mut Vec<u8>) {
        parts.push(reply);
    }

    /// It escapes.
    fn value_frame(_value_bytes: usize) -> Option<(String, &'static str)> {
        None
    }

    fn refuse(answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
        answer::refuse(answer, refusal, out);
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
}

/// A request as it is written. Which fields an op takes, [`arguments`] knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    op: Op,
    #[serde(default, deserialize_with = "given")]
    id: Option<Value>,
    db: Option<u64>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    key_encoding: Option<Encoding>,
    #[serde(borrow)]
    keys: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    encoding: Option<Encoding>,
    #[serde(borrow)]
    values: Option<Vec<Cow<'a, str>>>,
    ttl_ms: Option<i64>,
    #[serde(default)]
    keep_ttl: bool,
    #[serde(default)]
    nx: bool,
    #[serde(default)]
    xx: bool,
    #[serde(borrow)]
    ifeq: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ifne: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ifdeq: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ifdne: Option<Cow<'a, str>>,
    #[serde(default)]
    get: bool,
    by: Option<i64>,
    lbound: Option<i64>,
    ubound: Option<i64>,
    #[serde(default)]
    saturate: bool,
    #[serde(default)]
    enx: bool,
    #[serde(default)]
    persist: bool,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    r#match: Option<Cow<'a, str>>,
    count: Option<u64>,
    peers: Option<u64>,
    timeout_ms: Option<u64>,
    #[serde(borrow)]
    user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    password: Option<Cow<'a, str>>,
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
fn decode<'a>(
    bytes: &'a [u8],
    scanned: usize,
    value_bytes_max: usize,
    scratch: &'a mut Scratch,
) -> (Decoded<'a>, Option<Box<Envelope>>) {
    // A character may be written as six.
    let max = 6 * line::line_bytes_max(value_bytes_max);
    let unnamed = Some(Box::new(Envelope { id: None, op: Op::Ping, database: None }));
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
    let object: Asked<'_> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(error) => {
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|object| object.get("id").cloned());
            let envelope = Some(Box::new(Envelope { id, op: Op::Ping, database: None }));
            return (Decoded::Failed(format!("ERR {error}"), end + 1), envelope);
        }
    };
    let envelope = Some(Box::new(Envelope { id: object.id.clone(), op: object.does(), database: object.db }));
    scratch.clear();
    let decoded = match arguments(&object, scratch) {
        Ok(command) => Decoded::Request(Request { command: Some(command), args: scratch.args() }, end + 1),
        Err(why) => Decoded::Failed(format!("ERR {why}"), end + 1),
    };
    (decoded, envelope)
}

/// The command that does what is asked for, and its arguments.
fn arguments(object: &Asked<'_>, scratch: &mut Scratch) -> Result<Command, &'static str> {
    let key = || bytes(object.key.as_ref().ok_or("the field key is missing")?, object.key_encoding);
    let op = object.does();
    let command = op.command();
    scratch.push(command.describe().name.as_bytes());
    match op {
        Op::Get | Op::Delete | Op::Digest | Op::Ttl => scratch.push(&key()?),
        Op::DeleteIf => {
            scratch.push(&key()?);
            object.comparisons(scratch)?;
        }
        Op::Set | Op::SetIf | Op::SetGet => {
            scratch.push(&key()?);
            scratch.push(&bytes(object.value.as_ref().ok_or("the field value is missing")?, object.encoding)?);
            words([(object.nx, "NX"), (object.xx, "XX"), (object.get, "GET"), (object.keep_ttl, "KEEPTTL")], scratch);
            object.comparisons(scratch)?;
            numbers([("PX", object.ttl_ms)], scratch);
        }
        Op::MSet => {
            let keys = object.keys.as_deref().filter(|keys| !keys.is_empty()).ok_or("the field keys is missing")?;
            let values = object.values.as_deref().ok_or("the field values is missing")?;
            if values.len() != keys.len() {
                return Err("there are not as many values as keys");
            }
            scratch.push(keys.len().to_string().as_bytes());
            for (key, value) in keys.iter().zip(values) {
                scratch.push(&bytes(key, object.key_encoding)?);
                scratch.push(&bytes(value, object.encoding)?);
            }
            words([(object.nx, "NX"), (object.xx, "XX"), (object.keep_ttl, "KEEPTTL")], scratch);
            numbers([("PX", object.ttl_ms)], scratch);
        }
        Op::Count => {
            scratch.push(&key()?);
            let said = [("BYINT", object.by), ("LBOUND", object.lbound), ("UBOUND", object.ubound)];
            numbers(said, scratch);
            numbers([("PX", object.ttl_ms)], scratch);
            words([(object.nx, "NX"), (object.xx, "XX")], scratch);
            words([(object.saturate, "SATURATE"), (object.enx, "ENX"), (object.persist, "PERSIST")], scratch);
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
        Op::Auth => {
            if let Some(user) = &object.user {
                scratch.push(user.as_bytes());
            }
            scratch.push(object.password.as_ref().ok_or("the field password is missing")?.as_bytes());
        }
        Op::Events => {
            if let Some(position) = &object.position {
                scratch.push(b"AFTER");
                scratch.push(position.as_bytes());
            }
            if let Some(count) = object.count {
                scratch.push(b"COUNT");
                scratch.push(count.to_string().as_bytes());
            }
        }
        Op::Ping | Op::Info | Op::Status | Op::Unwatch => (),
    }
    Ok(command)
}

/// A key or a value.
fn bytes(text: &str, encoding: Option<Encoding>) -> Result<Vec<u8>, &'static str> {
    match encoding {
        None => Ok(text.as_bytes().to_vec()),
        Some(Encoding::Base64) => BASE64.decode(text.as_bytes()).map_err(|_| "this is not base64"),
    }
}

/// The words whose fields are true.
fn words<const N: usize>(asked: [(bool, &str); N], scratch: &mut Scratch) {
    asked.iter().filter(|(is_asked, _)| *is_asked).for_each(|(_, word)| scratch.push(word.as_bytes()));
}

/// The words whose fields have a number, each with it.
fn numbers<const N: usize>(asked: [(&str, Option<i64>); N], scratch: &mut Scratch) {
    for (word, number) in asked.iter().filter_map(|(word, number)| Some((word, (*number)?))) {
        scratch.push(word.as_bytes());
        scratch.push(number.to_string().as_bytes());
    }
}

impl Asked<'_> {
    /// What is to be done, which fields beside the op decide too.
    fn does(&self) -> Op {
        let compares = self.ifeq.is_some() || self.ifne.is_some() || self.ifdeq.is_some() || self.ifdne.is_some();
        let has_bounds = self.lbound.is_some() || self.ubound.is_some() || self.saturate;
        let has_expiry = self.ttl_ms.is_some() || self.enx || self.persist;
        match self.op {
            Op::Set if self.get => Op::SetGet,
            Op::Set if self.nx || self.xx || compares => Op::SetIf,
            Op::Delete if compares => Op::DeleteIf,
            Op::Incr if has_bounds || has_expiry || self.nx || self.xx => Op::Count,
            op => op,
        }
    }

    /// What the value is to be compared with. A digest is text, however values are written.
    fn comparisons(&self, scratch: &mut Scratch) -> Result<(), &'static str> {
        let values = [("IFEQ", &self.ifeq, self.encoding), ("IFNE", &self.ifne, self.encoding)];
        let digests = [("IFDEQ", &self.ifdeq, None), ("IFDNE", &self.ifdne, None)];
        for (word, operand, encoding) in values.into_iter().chain(digests) {
            if let Some(operand) = operand {
                scratch.push(word.as_bytes());
                scratch.push(&bytes(operand, encoding)?);
            }
        }
        Ok(())
    }
}

impl Op {
    fn command(self) -> Command {
        match self {
            Op::Get => Command::Get,
            Op::Set | Op::SetIf | Op::SetGet => Command::Set,
            Op::Delete => Command::Del,
            Op::DeleteIf => Command::DelEx,
            Op::Digest => Command::Digest,
            Op::Count => Command::IncrEx,
            Op::MGet => Command::MGet,
            Op::MSet => Command::MSetEx,
            Op::Exists => Command::Exists,
            Op::Expire => Command::PExpire,
            Op::Ttl => Command::PTtl,
            Op::Incr => Command::IncrBy,
            Op::Scan => Command::Scan,
            Op::Ping => Command::Ping,
            Op::Auth => Command::Auth,
            Op::Events => Command::Events,
            Op::Info => Command::Info,
            Op::Status => Command::Status,
            Op::Wait => Command::Wait,
            Op::Watch => Command::WatchPrefix,
            Op::Unwatch => Command::UnwatchPrefix,
        }
    }
}
