//! What scripts find under `redis`, but for what asks the node.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::{Arguments, add};
use super::cache::digest_of;
use super::errors::refusal;
use super::host::Urgency;
use super::raised::Raised;
use crate::protocol::hex;

/// Where a script's writes go, as `redis.set_repl` numbers it.
const REPL_ALL: i64 = 3;
/// Longest line that a script has logged, as with Redis.
const LINE_BYTES_MAX: usize = 1 << 10;

/// What a script sets for itself.
#[derive(Default)]
pub(super) struct Switches {
    /// Whether it wants answers in RESP3.
    pub(super) resp3: Cell<bool>,
}

fn refuse<T>(words: &str) -> mlua::Result<T> {
    Err(Raised::Refusal(words.as_bytes().to_vec()).into())
}

/// The table. `version` is the Redis that the node says it is.
pub(super) fn redis(lua: &Lua, switches: &Rc<Switches>, version: &str) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let number = numbers.fold(0, |number, part| (number << 8) | part);
    redis.raw_set("REDIS_VERSION", version)?;
    redis.raw_set("REDIS_VERSION_NUM", number)?;
    for (name, number) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", REPL_ALL),
    ] {
        redis.raw_set(name, number)?;
    }
    let set = |name, run: fn(&Arguments<'_>) -> mlua::Result<Value>| add(lua, &redis, name, run);
    set("sha1hex", |args| {
        if args.len() != 1 {
            return refuse("ERR wrong number of arguments");
        }
        let text = match args.get(1) {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => args.text(1)?,
            _ => args.lua.create_string("")?,
        };
        Ok(Value::String(args.lua.create_string(hex::written(&digest_of(&text.as_bytes())))?))
    })?;
    set("error_reply", |args| {
        let Some(words) = only_text(args) else { return wrong_type(args) };
        let words = words.trim_end_matches(['\r', '\n']);
        let words = words.strip_prefix('-').unwrap_or(words);
        let words = if words.contains(' ') { words.to_owned() } else { format!("ERR {words}") };
        Ok(Value::Table(refusal(args.lua, words.as_bytes())?))
    })?;
    set("status_reply", |args| {
        let Some(words) = only_text(args) else { return wrong_type(args) };
        let table = args.lua.create_table()?;
        table.raw_set("ok", words)?;
        Ok(Value::Table(table))
    })?;
    // Effects are what is told to others, always.
    set("replicate_commands", |_| Ok(Value::Boolean(true)))?;
    set("set_repl", |args| match (args.len(), args.get(1)) {
        (1, Value::Integer(REPL_ALL)) => Ok(Value::Nil),
        (1, Value::Integer(0..REPL_ALL)) => {
            refuse("ERR redis.set_repl: what a script writes goes to all nodes and to the data file, always")
        }
        (1, Value::Integer(_)) => {
            refuse("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
        }
        _ => refuse("ERR redis.set_repl() requires two arguments."),
    })?;
    // Nobody debugs a script here, and to who does not these are nothing in Redis either.
    set("breakpoint", |_| Ok(Value::Boolean(false)))?;
    set("debug", |_| Ok(Value::Nil))?;
    let switches = switches.clone();
    let set_resp = move |_: &Lua, values: MultiValue| {
        let resp3 = match (values.len(), values.front()) {
            (1, Some(Value::Integer(2))) => false,
            (1, Some(Value::Integer(3))) => true,
            (1, _) => return refuse("ERR RESP version must be 2 or 3."),
            _ => return refuse("ERR redis.setresp() requires one argument."),
        };
        switches.resp3.set(resp3);
        Ok(())
    };
    redis.raw_set("setresp", lua.create_function(set_resp)?)?;
    Ok(redis)
}

fn only_text(args: &Arguments<'_>) -> Option<String> {
    match args.get(1) {
        Value::String(text) if args.len() == 1 => Some(text.to_string_lossy()),
        _ => None,
    }
}

fn wrong_type(args: &Arguments<'_>) -> mlua::Result<Value> {
    Ok(Value::Table(refusal(args.lua, b"ERR wrong number or type of arguments")?))
}

/// What `redis.log` was asked to say, and how urgent it is.
pub(super) fn line_of_log(lua: &Lua, values: MultiValue) -> mlua::Result<(Urgency, String)> {
    let args = Arguments::new(lua, "log", values);
    if args.len() < 2 {
        return refuse("ERR redis.log() requires two arguments or more.");
    }
    let urgency = match args.get(1) {
        Value::Integer(0) => Urgency::Debug,
        Value::Integer(1) => Urgency::Verbose,
        Value::Integer(2) => Urgency::Notice,
        Value::Integer(3) => Urgency::Warning,
        Value::Integer(_) | Value::Number(_) => return refuse("ERR Invalid debug level."),
        _ => return refuse("ERR First argument must be a number (log level)."),
    };
    let mut line = Vec::new();
    for part in (2..=args.len()).filter_map(|number| args.text(number).ok()) {
        if !line.is_empty() {
            line.push(b' ');
        }
        let left = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend(part.as_bytes().iter().take(left));
    }
    Ok((urgency, String::from_utf8_lossy(&line).into_owned()))
}
