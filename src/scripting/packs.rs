//! `cmsgpack`: values as MessagePack, as the library does it that Redis has (<https://github.com/antirez/lua-cmsgpack>).

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use rmp::{Marker, encode};

use super::arguments::{Arguments, add};
use super::budget::{Budget, Pace};
use super::raised::Raised;
use super::tables::list_len;

/// Tables further within one another are nil.
const DEPTH_MAX: usize = 16;

/// What is found under `cmsgpack`.
pub(super) fn library(lua: &Lua, budget: &Rc<Budget>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let add_looking = |name: &'static str, run: fn(&Budget, &Arguments<'_>) -> mlua::Result<MultiValue>| {
        let budget = budget.clone();
        add(lua, &table, name, move |args| run(&budget, args))
    };
    add_looking("pack", pack)?;
    add_looking("unpack", |budget, args| unpack(budget, args, 0, 0))?;
    add_looking("unpack_one", |budget, args| {
        let offset = args.integer_or(2, 0)?;
        unpack(budget, args, 1, offset)
    })?;
    add_looking("unpack_limit", |budget, args| {
        let (limit, offset) = (args.integer(2)?, args.integer_or(3, 0)?);
        unpack(budget, args, limit, offset)
    })?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    Ok(table)
}

fn pack(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    if args.len() == 0 {
        return Err(args.bad(0, "MessagePack pack needs input."));
    }
    let mut writing = Writing { budget, out: Vec::new(), pace: Pace::default() };
    for number in 1..=args.len() {
        writing.value(&args.get(number), 0)?;
    }
    Ok([Value::String(args.lua.create_string(writing.out)?)].into_iter().collect())
}

struct Writing<'a> {
    budget: &'a Budget,
    out: Vec<u8>,
    pace: Pace,
}

impl Writing<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        self.pace.step(self.budget)?;
        self.budget.allow_bytes(self.out.len())?;
        match value {
            Value::Boolean(is_so) => encode::write_bool(&mut self.out, *is_so).map_err(mlua::Error::external),
            Value::Integer(number) => self.number(*number as f64),
            Value::Number(number) => self.number(*number),
            Value::String(text) => {
                let text = text.as_bytes();
                encode::write_str_len(&mut self.out, text.len() as u32).map_err(mlua::Error::external)?;
                self.out.extend_from_slice(&text);
                Ok(())
            }
            Value::Table(table) if depth < DEPTH_MAX => self.table(table, depth),
            _ => {
                self.out.push(Marker::Null.to_u8());
                Ok(())
            }
        }
    }

    fn number(&mut self, number: f64) -> mlua::Result<()> {
        let is_whole = number == number.trunc() && (-9.2e18..9.2e18).contains(&number);
        let written = if is_whole {
            encode::write_sint(&mut self.out, number as i64).map(drop)
        } else if f64::from(number as f32) == number {
            encode::write_f32(&mut self.out, number as f32)
        } else {
            encode::write_f64(&mut self.out, number)
        };
        written.map_err(mlua::Error::external)
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if let Some(len) = list_len(table, self.budget)? {
            encode::write_array_len(&mut self.out, len as u32).map_err(mlua::Error::external)?;
            return (1..=len).try_for_each(|index| self.value(&table.raw_get::<Value>(index)?, depth + 1));
        }
        let count = table.pairs::<Value, Value>().count();
        encode::write_map_len(&mut self.out, count as u32).map_err(mlua::Error::external)?;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            self.value(&key, depth + 1)?;
            self.value(&value, depth + 1)?;
        }
        Ok(())
    }
}

fn unpack(budget: &Budget, args: &Arguments<'_>, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    let data = args.text(1)?;
    let data = data.as_bytes();
    if limit < 0 || offset < 0 {
        let why = format!("Invalid request to unpack with offset of {offset} and limit of {}.", data.len());
        return Err(args.error(&why));
    }
    if offset as usize > data.len() {
        let why = format!("Start offset {offset} greater than input length {}.", data.len());
        return Err(args.error(&why));
    }
    let mut reading = Reading { lua: args.lua, budget, data: &data, at: offset as usize, pace: Pace::default() };
    let mut values = Vec::new();
    while reading.at < data.len() && (limit == 0 || (values.len() as i64) < limit) {
        values.push(reading.value(0).map_err(|fault| match fault {
            Fault::Missing => args.error("Missing bytes in input."),
            Fault::Bad => args.error("Bad data format in input."),
            Fault::Lua(error) => error,
        })?);
    }
    if limit != 0 {
        let end = if reading.at < data.len() { reading.at as i64 } else { -1 };
        values.insert(0, Value::Integer(end));
    }
    Ok(values.into_iter().collect())
}

enum Fault {
    Missing,
    Bad,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Fault {
        Fault::Lua(error)
    }
}

impl From<Raised> for Fault {
    fn from(raised: Raised) -> Fault {
        Fault::Lua(raised.into())
    }
}

struct Reading<'a> {
    lua: &'a Lua,
    budget: &'a Budget,
    data: &'a [u8],
    at: usize,
    pace: Pace,
}

impl Reading<'_> {
    fn bytes(&mut self, count: usize) -> Result<&[u8], Fault> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.data.len()).ok_or(Fault::Missing)?;
        let bytes = &self.data[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// A number of so many bytes.
    fn unsigned(&mut self, count: usize) -> Result<u64, Fault> {
        Ok(self.bytes(count)?.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    fn signed(&mut self, count: usize) -> Result<Value, Fault> {
        let unused = 64 - 8 * count as u32;
        Ok(Value::Number((((self.unsigned(count)? << unused) as i64) >> unused) as f64))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        self.pace.step(self.budget)?;
        if depth > 100 {
            return Err(Fault::Bad);
        }
        let marker = Marker::from_u8(self.unsigned(1)? as u8);
        let count = |count: u64| usize::try_from(count).map_err(|_| Fault::Bad);
        match marker {
            Marker::FixPos(number) => Ok(Value::Number(number.into())),
            Marker::FixNeg(number) => Ok(Value::Number(number.into())),
            Marker::Null => Ok(Value::Nil),
            Marker::True => Ok(Value::Boolean(true)),
            Marker::False => Ok(Value::Boolean(false)),
            Marker::U8 => Ok(Value::Number(self.unsigned(1)? as f64)),
            Marker::U16 => Ok(Value::Number(self.unsigned(2)? as f64)),
            Marker::U32 => Ok(Value::Number(self.unsigned(4)? as f64)),
            Marker::U64 => Ok(Value::Number(self.unsigned(8)? as f64)),
            Marker::I8 => self.signed(1),
            Marker::I16 => self.signed(2),
            Marker::I32 => self.signed(4),
            Marker::I64 => self.signed(8),
            Marker::F32 => Ok(Value::Number(f32::from_bits(self.unsigned(4)? as u32).into())),
            Marker::F64 => Ok(Value::Number(f64::from_bits(self.unsigned(8)?))),
            Marker::FixStr(len) => self.text(len.into()),
            Marker::Str8 => self.counted(1),
            Marker::Str16 => self.counted(2),
            Marker::Str32 => self.counted(4),
            Marker::FixArray(len) => self.array(len.into(), depth),
            Marker::Array16 => {
                let len = count(self.unsigned(2)?)?;
                self.array(len, depth)
            }
            Marker::Array32 => {
                let len = count(self.unsigned(4)?)?;
                self.array(len, depth)
            }
            Marker::FixMap(len) => self.map(len.into(), depth),
            Marker::Map16 => {
                let len = count(self.unsigned(2)?)?;
                self.map(len, depth)
            }
            Marker::Map32 => {
                let len = count(self.unsigned(4)?)?;
                self.map(len, depth)
            }
            // Bytes and extensions are later than that library.
            _ => Err(Fault::Bad),
        }
    }

    fn counted(&mut self, count: usize) -> Result<Value, Fault> {
        let len = self.unsigned(count)? as usize;
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<Value, Fault> {
        let lua = self.lua;
        let bytes = self.bytes(len)?;
        Ok(Value::String(lua.create_string(bytes)?))
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<Value, Fault> {
        let table = self.lua.create_table()?;
        for index in 1..=len {
            table.raw_set(index, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value, Fault> {
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
            if matches!(key, Value::Nil) {
                return Err(Fault::Bad);
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
