//! `bit`: whole numbers of 32 bits, as BitOp has them (<https://bitop.luajit.org/semantics.html>).

use mlua::{Lua, Table, Value};

use super::arguments::{Arguments, add};

type Operation = fn(&Arguments<'_>) -> mlua::Result<Value>;

/// What is found under `bit`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let operations: [(&'static str, Operation); 12] = [
        ("tobit", |args| Ok(number(bits(args, 1)?))),
        ("bnot", |args| Ok(number(!bits(args, 1)?))),
        ("bswap", |args| Ok(number(bits(args, 1)?.swap_bytes()))),
        ("band", |args| fold(args, |one, other| one & other)),
        ("bor", |args| fold(args, |one, other| one | other)),
        ("bxor", |args| fold(args, |one, other| one ^ other)),
        ("lshift", |args| shift(args, |bits, by| bits << by)),
        ("rshift", |args| shift(args, |bits, by| bits >> by)),
        ("arshift", |args| shift(args, |bits, by| ((bits as i32) >> by) as u32)),
        ("rol", |args| shift(args, u32::rotate_left)),
        ("ror", |args| shift(args, u32::rotate_right)),
        ("tohex", to_hex),
    ];
    for (name, run) in operations {
        add(lua, &table, name, run)?;
    }
    Ok(table)
}

/// The number's lowest 32 bits, of the nearest whole number.
fn bits(args: &Arguments<'_>, number: usize) -> mlua::Result<u32> {
    let given = args.number(number)?;
    Ok(given.round_ties_even().rem_euclid(4_294_967_296.0) as u32)
}

/// As a number with a sign.
fn number(bits: u32) -> Value {
    Value::Number(f64::from(bits as i32))
}

fn fold(args: &Arguments<'_>, operation: fn(u32, u32) -> u32) -> mlua::Result<Value> {
    let mut all = bits(args, 1)?;
    for number in 2..=args.len() {
        all = operation(all, bits(args, number)?);
    }
    Ok(number(all))
}

fn shift(args: &Arguments<'_>, operation: fn(u32, u32) -> u32) -> mlua::Result<Value> {
    Ok(number(operation(bits(args, 1)?, bits(args, 2)? & 31)))
}

fn to_hex(args: &Arguments<'_>) -> mlua::Result<Value> {
    let given = bits(args, 1)?;
    let digits = if args.len() < 2 { 8 } else { bits(args, 2)? as i32 };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{given:08X}") } else { format!("{given:08x}") };
    Ok(Value::String(args.lua.create_string(&text[8 - count..])?))
}
