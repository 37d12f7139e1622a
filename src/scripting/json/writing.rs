//! Values as JSON.

use mlua::{Table, Value};

use super::choices::{Choices, Invalid};
use crate::scripting::arguments::{Arguments, type_name};
use crate::scripting::budget::{Budget, Pace};
use crate::scripting::numbers::general;
use crate::scripting::tables::index_of;

/// Bytes of a text that are written between two.
const BYTES_PER_LOOK: usize = 4 << 10;

/// A text that is written.
pub(super) struct Writing<'a> {
    args: &'a Arguments<'a>,
    budget: &'a Budget,
    choices: Choices,
    pub(super) out: Vec<u8>,
    pace: Pace,
}

impl<'a> Writing<'a> {
    pub(super) fn new(args: &'a Arguments<'a>, budget: &'a Budget, choices: Choices) -> Writing<'a> {
        Writing { args, budget, choices, out: Vec::new(), pace: Pace::default() }
    }

    fn refuse<T>(&self, kind: &str, why: &str) -> mlua::Result<T> {
        Err(self.args.error(&format!("Cannot serialise {kind}: {why}")))
    }

    /// A value that lies so deep.
    pub(super) fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        self.note()?;
        match value {
            Value::String(text) => self.text(&text.as_bytes())?,
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if null.is_null() => self.out.extend_from_slice(b"null"),
            Value::Table(table) => return self.table(table, depth + 1),
            other => return self.refuse(other.type_name(), "type not supported"),
        }
        Ok(())
    }

    fn note(&mut self) -> mlua::Result<()> {
        self.pace.step(self.budget)?;
        self.budget.allow_bytes(self.out.len())?;
        Ok(())
    }

    fn number(&mut self, number: f64) -> mlua::Result<()> {
        if !number.is_finite() {
            match self.choices.invalid {
                Invalid::Refused => return self.refuse("number", "must not be NaN or Inf"),
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Written => (),
            }
        }
        self.out.extend_from_slice(general(number, self.choices.digits).as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> mlua::Result<()> {
        self.out.push(b'"');
        for (index, &byte) in text.iter().enumerate() {
            if index > 0 && index.is_multiple_of(BYTES_PER_LOOK) {
                self.budget.look()?;
                self.budget.allow_bytes(self.out.len())?;
            }
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'/' => self.out.extend_from_slice(b"\\/"),
                8 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..=31 | 127 => {
                    let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
                    self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                }
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if depth > self.choices.encode_depth {
            return Err(self.args.error(&format!("Cannot serialise, excessive nesting ({depth})")));
        }
        match self.list_len(table)? {
            Some(len) => self.list(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// How long the table is as a list, if it is to be one: it has nothing but whole numbers from 1 on as keys.
    fn list_len(&mut self, table: &Table) -> mlua::Result<Option<usize>> {
        let (mut count, mut most) = (0_usize, 0);
        for pair in table.pairs::<Value, Value>() {
            let Some(index) = index_of(&pair?.0) else { return Ok(None) };
            (count, most) = (count + 1, index.max(most));
            self.pace.step(self.budget)?;
        }
        let Choices { sparse_ratio, sparse_safe, sparse_is_object, .. } = self.choices;
        if sparse_ratio > 0 && most > count.saturating_mul(sparse_ratio) && most > sparse_safe {
            return if sparse_is_object { Ok(None) } else { self.refuse("table", "excessively sparse array") };
        }
        Ok((most > 0).then_some(most))
    }

    fn list(&mut self, table: &Table, len: usize, depth: usize) -> mlua::Result<()> {
        self.out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',');
            }
            self.value(&table.raw_get::<Value>(index)?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.text(&text.as_bytes())?,
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&key, depth)?;
                    self.out.push(b'"');
                }
                other => return self.refuse(type_name(other), "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
