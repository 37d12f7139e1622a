//! `cjson`: JSON as the library reads and writes it that Redis has (lua-cjson 2.1.0): any bytes are text, numbers have 14
//! digits, and what is wrong is said in its words. `serde_json` knows texts of UTF-8 alone, and other words.

mod choices;
mod reading;
mod writing;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{Arguments, add};
use super::budget::Budget;
use choices::{Choices, Invalid};
use reading::Reading;
use writing::Writing;

/// What the script under way has chosen.
#[derive(Default)]
pub(super) struct Chosen(Cell<Choices>);

impl Chosen {
    /// A script begins.
    pub(super) fn reset(&self) {
        self.0.set(Choices::default());
    }
}

type Choosing = fn(&Budget, &Cell<Choices>, &Arguments<'_>) -> mlua::Result<MultiValue>;

/// What is found under `cjson`.
pub(super) fn library(lua: &Lua, budget: &Rc<Budget>, chosen: &Rc<Chosen>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let add = |name: &'static str, run: Choosing| {
        let (budget, chosen) = (budget.clone(), chosen.clone());
        add(lua, &table, name, move |args| run(&budget, &chosen.0, args))
    };
    add("encode", |budget, chosen, args| {
        if args.len() != 1 {
            return Err(args.bad(1, "expected 1 argument"));
        }
        let mut writing = Writing::new(args, budget, chosen.get());
        writing.value(&args.get(1), 0)?;
        Ok(one(Value::String(args.lua.create_string(writing.out)?)))
    })?;
    add("decode", |budget, chosen, args| {
        if args.len() != 1 {
            return Err(args.bad(1, "expected 1 argument"));
        }
        let text = args.text(1)?;
        let text = text.as_bytes();
        Ok(one(Reading::new(args, budget, &text, chosen.get().decode_depth).whole()?))
    })?;
    add("encode_max_depth", |_, chosen, args| {
        let depth = whole(args, 1, 1..=i32::MAX.into(), chosen.get().encode_depth)?;
        chosen.set(Choices { encode_depth: depth, ..chosen.get() });
        Ok(one(Value::Integer(depth as i64)))
    })?;
    add("decode_max_depth", |_, chosen, args| {
        // Deeper ones would be read within as many calls.
        let depth = whole(args, 1, 1..=1_000, chosen.get().decode_depth)?;
        chosen.set(Choices { decode_depth: depth, ..chosen.get() });
        Ok(one(Value::Integer(depth as i64)))
    })?;
    add("encode_number_precision", |_, chosen, args| {
        let digits = whole(args, 1, 1..=14, chosen.get().digits)?;
        chosen.set(Choices { digits, ..chosen.get() });
        Ok(one(Value::Integer(digits as i64)))
    })?;
    add("encode_sparse_array", |_, chosen, args| {
        let before = chosen.get();
        let sparse_is_object = match args.get(1) {
            Value::Nil => before.sparse_is_object,
            other => other != Value::Boolean(false),
        };
        let sparse_ratio = whole(args, 2, 0..=i32::MAX.into(), before.sparse_ratio)?;
        let sparse_safe = whole(args, 3, 0..=i32::MAX.into(), before.sparse_safe)?;
        chosen.set(Choices { sparse_is_object, sparse_ratio, sparse_safe, ..before });
        let values =
            [Value::Boolean(sparse_is_object), Value::Integer(sparse_ratio as i64), Value::Integer(sparse_safe as i64)];
        Ok(values.into_iter().collect())
    })?;
    add("encode_invalid_numbers", |_, chosen, args| {
        let invalid = match args.get(1) {
            Value::Nil => chosen.get().invalid,
            Value::Boolean(false) => Invalid::Refused,
            Value::Boolean(true) => Invalid::Written,
            Value::String(text) if text.as_bytes() == *b"null" => Invalid::Null,
            Value::String(text) if text.as_bytes() == *b"off" => Invalid::Refused,
            Value::String(text) if text.as_bytes() == *b"on" => Invalid::Written,
            _ => return Err(args.bad(1, "invalid option")),
        };
        chosen.set(Choices { invalid, ..chosen.get() });
        Ok(one(match invalid {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Written => Value::Boolean(true),
            Invalid::Null => Value::String(args.lua.create_string("null")?),
        }))
    })?;
    // They are always understood, and the memory of one text is not kept for the next.
    add("decode_invalid_numbers", |_, _, _| Ok(one(Value::Boolean(true))))?;
    add("encode_keep_buffer", |_, _, _| Ok(one(Value::Boolean(true))))?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn one(value: Value) -> MultiValue {
    [value].into_iter().collect()
}

/// A whole number in a range, or what there was before.
fn whole(
    args: &Arguments<'_>,
    number: usize,
    range: std::ops::RangeInclusive<i64>,
    before: usize,
) -> mlua::Result<usize> {
    if let Value::Nil = args.get(number) {
        return Ok(before);
    }
    let given = args.integer(number)?;
    if !range.contains(&given) {
        let why = format!("expected integer between {} and {}", range.start(), range.end());
        return Err(args.bad(number, &why));
    }
    Ok(given as usize)
}
