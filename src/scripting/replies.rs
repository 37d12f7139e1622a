//! Answers of commands as values of Lua, and values of Lua as answers: Redis' table of conversions
//! (<https://redis.io/docs/latest/develop/programmability/lua-api/#data-type-conversion>).

use mlua::{Lua, Table, Value};

use super::budget::{Budget, Pace};
use super::errors::refusal;
use super::host::Host;
use super::numbers::{general, truncated};
use super::raised::Raised;
use crate::protocol::Reply;

/// How deep an answer goes.
const DEPTH_MAX: usize = 100;

/// An answer in RESP that is read.
pub(super) struct Reading<'a> {
    lua: &'a Lua,
    budget: &'a Budget,
    rest: &'a [u8],
    pace: Pace,
}

impl<'a> Reading<'a> {
    pub(super) fn new(lua: &'a Lua, budget: &'a Budget, reply: &'a [u8]) -> Reading<'a> {
        Reading { lua, budget, rest: reply, pace: Pace::default() }
    }

    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let bytes = self.rest.get(..len).unwrap_or_default();
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    fn field(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn string(&self, bytes: &[u8]) -> mlua::Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    /// The next value.
    pub(super) fn value(&mut self) -> mlua::Result<Value> {
        self.pace.step(self.budget)?;
        let line = self.line();
        let Some((&kind, text)) = line.split_first() else { return Ok(Value::Nil) };
        let number = || std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        match kind {
            b'+' => self.field("ok", self.string(text)?),
            b'-' => Ok(Value::Table(refusal(self.lua, text)?)),
            b':' => Ok(Value::Number(number() as f64)),
            b'$' | b'*' if number() < 0 => Ok(Value::Boolean(false)),
            b'$' => {
                let bytes = self.bytes(number() as usize);
                self.string(bytes)
            }
            b'*' => Ok(Value::Table(self.array(number() as usize)?)),
            b'#' => Ok(Value::Boolean(text == b"t")),
            b',' => {
                let double = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
                self.field("double", Value::Number(double.unwrap_or(f64::NAN)))
            }
            b'(' => self.field("big_number", self.string(text)?),
            b'%' => {
                let table = self.lua.create_table()?;
                for _ in 0..number() {
                    let (key, value) = (self.value()?, self.value()?);
                    table.raw_set(key, value)?;
                }
                self.field("map", Value::Table(table))
            }
            b'~' => {
                let table = self.lua.create_table()?;
                for _ in 0..number() {
                    table.raw_set(self.value()?, true)?;
                }
                self.field("set", Value::Table(table))
            }
            b'=' => {
                let bytes = self.bytes(number() as usize);
                let table = self.lua.create_table()?;
                table.raw_set("format", self.string(bytes.get(..3).unwrap_or_default())?)?;
                table.raw_set("string", self.string(bytes.get(4..).unwrap_or_default())?)?;
                self.field("verbatim_string", Value::Table(table))
            }
            _ => Ok(Value::Nil),
        }
    }

    fn array(&mut self, len: usize) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(len.min(1 << 12), 0)?;
        for index in 1..=len {
            table.raw_set(index, self.value()?)?;
        }
        Ok(table)
    }
}

/// A value that is answered with.
pub(super) struct Writing<'a> {
    pub(super) host: &'a mut dyn Host,
    pub(super) budget: &'a Budget,
    /// Whether the script has asked for RESP3.
    pub(super) resp3: bool,
    pub(super) pace: Pace,
    /// Bytes of the texts in it: the same one may be there many times.
    pub(super) bytes: usize,
}

impl Writing<'_> {
    /// Answers with the value.
    pub(super) fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        self.pace.step(self.budget)?;
        if depth > DEPTH_MAX {
            self.host.answer(Reply::Fail("ERR reached lua stack limit"));
            return Ok(());
        }
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(number) => self.say(Reply::Int(*number)),
            Value::Number(number) => self.say(Reply::Int(truncated(*number))),
            Value::Boolean(is_so) if self.resp3 => {
                if self.host.answer_in_resp3(if *is_so { b"#t\r\n" } else { b"#f\r\n" }) {
                    return Ok(());
                }
                self.say(if *is_so { Reply::Int(1) } else { Reply::Int(0) })
            }
            Value::Boolean(true) => self.say(Reply::Int(1)),
            Value::Table(table) => self.table(table, depth),
            _ => self.say(Reply::Nil),
        }
    }

    fn say(&mut self, reply: Reply<'_>) -> mlua::Result<()> {
        self.host.answer(reply);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> mlua::Result<()> {
        self.bytes += text.len();
        self.budget.charge(text.len())?;
        self.budget.allow_bytes(self.bytes)?;
        self.say(Reply::Value(text))
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if let Value::String(words) = table.raw_get("err")? {
            return self.say(Reply::Fail(&one_line(&words.as_bytes())));
        }
        if let Value::String(words) = table.raw_get("ok")? {
            return self.say(Reply::Simple(&one_line(&words.as_bytes())));
        }
        match table.raw_get("double")? {
            Value::Number(number) => return self.say(Reply::Double(&general(number, 17))),
            Value::Integer(number) => return self.say(Reply::Double(&general(number as f64, 17))),
            _ => (),
        }
        if let Value::Table(map) = table.raw_get("map")? {
            self.say(Reply::Map(map.pairs::<Value, Value>().count()))?;
            for pair in map.pairs::<Value, Value>() {
                let (key, value) = pair?;
                self.value(&key, depth + 1)?;
                self.value(&value, depth + 1)?;
            }
            return Ok(());
        }
        if let Value::Table(set) = table.raw_get("set")? {
            self.say(Reply::Set(set.pairs::<Value, Value>().count()))?;
            return set.pairs::<Value, Value>().try_for_each(|member| self.value(&member?.0, depth + 1));
        }
        if let Value::String(number) = table.raw_get("big_number")? {
            let number = one_line(&number.as_bytes());
            if self.host.answer_in_resp3(format!("({number}\r\n").as_bytes()) {
                return Ok(());
            }
            return self.text(number.as_bytes());
        }
        if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
            && let (Value::String(text), Value::String(format)) =
                (verbatim.raw_get("string")?, verbatim.raw_get("format")?)
        {
            let (text, format) = (text.as_bytes(), format.as_bytes());
            let mut bytes = format!("={}\r\n", text.len() + 4).into_bytes();
            bytes.extend(format.iter().copied().chain(*b"   ").take(3).chain(*b":"));
            bytes.extend_from_slice(&text);
            bytes.extend_from_slice(b"\r\n");
            self.budget.allow_bytes(bytes.len())?;
            return if self.host.answer_in_resp3(&bytes) { Ok(()) } else { self.text(&text) };
        }
        let mut count = 0_usize;
        while !matches!(table.raw_get(count + 1)?, Value::Nil) {
            count += 1;
            self.pace.step(self.budget)?;
        }
        self.say(Reply::Array(count))?;
        (1..=count).try_for_each(|index| self.value(&table.raw_get::<Value>(index)?, depth + 1))
    }
}

/// A status and an error are one line.
fn one_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(['\r', '\n'], " ")
}

/// The arguments of a call, one after another, and where each lies.
#[derive(Default)]
pub(super) struct Call {
    pub(super) text: Vec<u8>,
    pub(super) spans: Vec<std::ops::Range<usize>>,
}

impl Call {
    /// Takes them from Lua.
    pub(super) fn fill(&mut self, values: &mlua::MultiValue) -> Result<(), Raised> {
        self.text.clear();
        self.spans.clear();
        if values.is_empty() {
            return Err(Raised::Refusal(b"ERR Please specify at least one argument for this redis lib call".to_vec()));
        }
        for value in values {
            let start = self.text.len();
            match value {
                Value::String(text) => self.text.extend_from_slice(&text.as_bytes()),
                Value::Integer(number) => self.push(*number as f64),
                Value::Number(number) => self.push(*number),
                _ => {
                    let why = b"ERR Lua redis lib command arguments must be strings or integers";
                    return Err(Raised::Refusal(why.to_vec()));
                }
            }
            self.spans.push(start..self.text.len());
        }
        Ok(())
    }

    fn push(&mut self, number: f64) {
        self.text.extend_from_slice(general(number, 17).as_bytes());
    }
}
