//! The functions of Lua's `table` that take as long as the table is large, and those of `math` that are Redis' own.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::arguments::{Arguments, add, type_name};
use super::budget::{Budget, Pace};
use super::numbers::{Random, general};
use super::raised::Raised;

type Looking = fn(&Budget, &Arguments<'_>) -> mlua::Result<Value>;

/// The functions of `table`, by name.
pub(super) fn functions(lua: &Lua, budget: &Rc<Budget>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let functions: [(&'static str, Looking); 3] = [("concat", concat), ("insert", insert), ("remove", remove)];
    for (name, run) in functions {
        let budget = budget.clone();
        add(lua, &table, name, move |args| run(&budget, args))?;
    }
    Ok(table)
}

/// The functions of `math`, by name.
pub(super) fn random_functions(lua: &Lua, random: &Rc<RefCell<Random>>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let shared = random.clone();
    add(lua, &table, "random", move |args| {
        let number = shared.borrow_mut().next();
        let (low, high) = match args.len() {
            0 => return Ok(number),
            1 => (1, args.integer(1)?),
            2 => (args.integer(1)?, args.integer(2)?),
            _ => return Err(args.error("wrong number of arguments")),
        };
        if low > high {
            return Err(args.bad(args.len(), "interval is empty"));
        }
        Ok((number * (high as f64 - low as f64 + 1.0)).floor() + low as f64)
    })?;
    let shared = random.clone();
    add(lua, &table, "randomseed", move |args| {
        *shared.borrow_mut() = Random::new(args.integer(1)? as u32);
        Ok(())
    })?;
    Ok(table)
}

/// A table that scripts must not change is not changed.
pub(super) fn refuse_frozen(lua: &Lua, table: &Table) -> mlua::Result<()> {
    let is_frozen =
        table.metatable().is_some_and(|meta| matches!(meta.raw_get::<Value>("__metatable"), Ok(Value::Boolean(false))));
    if !is_frozen {
        return Ok(());
    }
    let why = format!("{}Attempt to modify a readonly table", super::arguments::position(lua));
    Err(Raised::Text(why).into())
}

fn concat(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<Value> {
    let table = args.table(1)?;
    let between = match args.get(2) {
        Value::Nil => args.lua.create_string("")?,
        _ => args.text(2)?,
    };
    let between = between.as_bytes();
    let (first, last) = (args.integer_or(3, 1)?, args.integer_or(4, table.raw_len() as i64)?);
    let (mut out, mut pace) = (Vec::new(), Pace::default());
    for index in first..=last {
        match table.raw_get(index)? {
            Value::String(part) => out.extend_from_slice(&part.as_bytes()),
            Value::Integer(number) => out.extend_from_slice(general(number as f64, 14).as_bytes()),
            Value::Number(number) => out.extend_from_slice(general(number, 14).as_bytes()),
            other => {
                let kind = type_name(&other);
                return Err(args.error(&format!("invalid value ({kind}) at index {index} in table for 'concat'")));
            }
        }
        if index < last {
            out.extend_from_slice(&between);
        }
        pace.step(budget)?;
        budget.allow_bytes(out.len())?;
    }
    budget.charge(out.len())?;
    Ok(Value::String(args.lua.create_string(out)?))
}

fn insert(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<Value> {
    let table = args.table(1)?;
    refuse_frozen(args.lua, &table)?;
    let end = table.raw_len() as i64 + 1;
    match args.len() {
        2 => table.raw_set(end, args.get(2))?,
        3 => {
            let at = args.integer(2)?;
            let (mut index, mut pace) = (end.max(at), Pace::default());
            while index > at {
                pace.step(budget)?;
                table.raw_set(index, table.raw_get::<Value>(index - 1)?)?;
                index -= 1;
            }
            table.raw_set(at, args.get(3))?;
        }
        _ => return Err(args.error("wrong number of arguments to 'insert'")),
    }
    Ok(Value::Nil)
}

fn remove(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<Value> {
    let table = args.table(1)?;
    refuse_frozen(args.lua, &table)?;
    let end = table.raw_len() as i64;
    let at = args.integer_or(2, end)?;
    if !(1..=end).contains(&at) {
        return Ok(Value::Nil);
    }
    let removed = table.raw_get(at)?;
    let mut pace = Pace::default();
    for index in at..end {
        pace.step(budget)?;
        table.raw_set(index, table.raw_get::<Value>(index + 1)?)?;
    }
    table.raw_set(end, Value::Nil)?;
    Ok(removed)
}

/// How long the table is as a list, where it is one: its keys are the whole numbers from 1 on. An empty one is.
pub(super) fn list_len(table: &Table, budget: &Budget) -> mlua::Result<Option<usize>> {
    let (mut count, mut most, mut pace) = (0_usize, 0, Pace::default());
    for pair in table.pairs::<Value, Value>() {
        let Some(index) = index_of(&pair?.0) else { return Ok(None) };
        (count, most) = (count + 1, index.max(most));
        pace.step(budget)?;
    }
    Ok((count == most).then_some(count))
}

/// The whole number from 1 on that a key is.
pub(super) fn index_of(key: &Value) -> Option<usize> {
    match key {
        Value::Integer(index @ 1..) => Some(*index as usize),
        _ => None,
    }
}
