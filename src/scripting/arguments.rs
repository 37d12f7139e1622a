//! What a function was called with by a script, and what Lua says where that is wrong.

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

use super::numbers::general;
use super::raised::Raised;

/// What chunks are called that are no script's.
pub(super) const PRELUDE: &str = "prelude";

/// See the module.
pub(super) struct Arguments<'a> {
    pub(super) lua: &'a Lua,
    name: &'static str,
    values: MultiValue,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(lua: &'a Lua, name: &'static str, values: MultiValue) -> Arguments<'a> {
        Arguments { lua, name, values }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument with this number, from 1 on; nil where there is none.
    pub(super) fn get(&self, number: usize) -> Value {
        self.values.get(number - 1).cloned().unwrap_or(Value::Nil)
    }

    /// A text, or a number as one.
    pub(super) fn text(&self, number: usize) -> mlua::Result<LuaString> {
        match self.values.get(number - 1) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Integer(integer)) => self.lua.create_string(general(*integer as f64, 14)),
            Some(Value::Number(number)) => self.lua.create_string(general(*number, 14)),
            _ => Err(self.unexpected(number, "string")),
        }
    }

    /// A number, or a text that is one.
    pub(super) fn number(&self, number: usize) -> mlua::Result<f64> {
        let found = match self.values.get(number - 1) {
            Some(Value::Integer(integer)) => Some(*integer as f64),
            Some(Value::Number(found)) => Some(*found),
            Some(text @ Value::String(_)) => self.lua.coerce_number(text.clone())?,
            _ => None,
        };
        found.ok_or_else(|| self.unexpected(number, "number"))
    }

    /// A whole number; what is beyond the point is dropped.
    pub(super) fn integer(&self, number: usize) -> mlua::Result<i64> {
        Ok(super::numbers::truncated(self.number(number)?))
    }

    /// The same, where it may be missing.
    pub(super) fn integer_or(&self, number: usize, other: i64) -> mlua::Result<i64> {
        match self.get(number) {
            Value::Nil => Ok(other),
            _ => self.integer(number),
        }
    }

    /// A table.
    pub(super) fn table(&self, number: usize) -> mlua::Result<Table> {
        match self.values.get(number - 1) {
            Some(Value::Table(table)) => Ok(table.clone()),
            _ => Err(self.unexpected(number, "table")),
        }
    }

    /// The argument is of another type.
    pub(super) fn unexpected(&self, number: usize, expected: &str) -> mlua::Error {
        let got = self.values.get(number - 1).map_or("no value", type_name);
        self.bad(number, &format!("{expected} expected, got {got}"))
    }

    /// The argument is wrong, and why.
    pub(super) fn bad(&self, number: usize, why: &str) -> mlua::Error {
        self.error(&format!("bad argument #{number} to '{}' ({why})", self.name))
    }

    /// Something is wrong.
    pub(super) fn error(&self, why: &str) -> mlua::Error {
        Raised::Text(format!("{}{why}", position(self.lua))).into()
    }
}

/// Gives the table a function with this name, which is run with what a script calls it with.
pub(super) fn add<R: IntoLuaMulti>(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    run: impl Fn(&Arguments<'_>) -> mlua::Result<R> + 'static,
) -> mlua::Result<()> {
    let run = move |lua: &Lua, values: MultiValue| run(&Arguments::new(lua, name, values));
    table.raw_set(name, lua.create_function(run)?)
}

/// What Lua calls a value's type.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        other => other.type_name(),
    }
}

/// Where the script is, as an error begins; empty where nobody knows.
pub(super) fn position(lua: &Lua) -> String {
    // Who was called by C, as by `pcall`, stands nowhere.
    match find_place(lua, false) {
        Some(place) => format!("{}:{}: ", place.chunk, place.line),
        None => String::new(),
    }
}

/// A chunk and a line of it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The chunk as errors begin with it.
    chunk: String,
    /// ... and as Lua was given it.
    pub(super) source: String,
    pub(super) line: usize,
}

/// Where the script is.
pub(super) fn place(lua: &Lua) -> Option<Place> {
    find_place(lua, true)
}

fn find_place(lua: &Lua, passes_c: bool) -> Option<Place> {
    let mut level = 1;
    loop {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let chunk = source.short_src.map(|chunk| chunk.into_owned()).unwrap_or_default();
            if source.what == "C" {
                return if passes_c { Err(()) } else { Ok(None) };
            }
            if chunk == PRELUDE {
                return Err(());
            }
            let source = source.source.map(|source| source.into_owned()).unwrap_or_default();
            Ok(debug.current_line().map(|line| Place { chunk, source, line }))
        })?;
        match found {
            Ok(place) => return place,
            Err(()) => level += 1,
        }
    }
}
