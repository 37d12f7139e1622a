//! The functions of Lua's `string` that take as long as their arguments are large, or longer.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};

use super::arguments::{Arguments, add};
use super::budget::Budget;
use super::patterns::{Fault, Len, Matcher};

/// What `string.format` makes a text of: its arguments together are no longer.
const FORMAT_BYTES_MAX: usize = 256 << 10;
/// Characters that make a text a pattern.
const SPECIAL: &[u8] = b"^$*+?.([%-";

/// The functions, by name.
pub(super) fn functions(lua: &Lua, budget: &Rc<Budget>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let add_looking = |name: &'static str, run: fn(&Budget, &Arguments<'_>) -> mlua::Result<MultiValue>| {
        let budget = budget.clone();
        add(lua, &table, name, move |args| run(&budget, args))
    };
    add_looking("find", |budget, args| find(budget, args, true))?;
    add_looking("match", |budget, args| find(budget, args, false))?;
    add_looking("rep", rep)?;
    add_looking("gsub", gsub)?;
    add_looking("lower", |budget, args| changed(budget, args, |text| text.make_ascii_lowercase()))?;
    add_looking("upper", |budget, args| changed(budget, args, |text| text.make_ascii_uppercase()))?;
    add_looking("reverse", |budget, args| changed(budget, args, |text| text.reverse()))?;
    let of_matches = budget.clone();
    add(lua, &table, "gmatch", move |args| gmatch(&of_matches, args))?;
    let own: Function = lua.globals().raw_get::<Table>("string")?.raw_get("format")?;
    add(lua, &table, "format", move |args| format(&own, args))?;
    Ok(table)
}

/// What a `gsub` with a function or a table looks for next: where it is found, the whole, and what is captured.
pub(super) fn find_from(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let (text, pattern) = (args.text(1)?, args.text(2)?);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (is_anchored, pattern) = anchor(&pattern);
    let start = (args.integer(3)?.max(1) - 1) as usize;
    let mut matcher = Matcher::new(&text, pattern, budget);
    let found = matcher.search(start, is_anchored).map_err(|fault| raise(args, fault))?;
    let Some((start, end)) = found else { return Ok(MultiValue::new()) };
    let mut values = vec![Value::Integer(start as i64 + 1), Value::Integer(end as i64)];
    values.push(Value::String(args.lua.create_string(&text[start..end])?));
    push_captures(args, &matcher, &text, Some((start, end)), &mut values)?;
    Ok(values.into_iter().collect())
}

fn one(text: LuaString) -> mlua::Result<MultiValue> {
    Ok([Value::String(text)].into_iter().collect())
}

/// The first argument, changed in one piece.
fn changed(budget: &Budget, args: &Arguments<'_>, change: impl FnOnce(&mut [u8])) -> mlua::Result<MultiValue> {
    let mut text = args.text(1)?.as_bytes().to_vec();
    budget.charge(text.len())?;
    change(&mut text);
    one(args.lua.create_string(text)?)
}

fn raise(args: &Arguments<'_>, fault: Fault) -> mlua::Error {
    match fault {
        Fault::Malformed(why) => args.error(&why),
        Fault::Raised(raised) => raised.into(),
    }
}

fn anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    }
}

/// Where an index counted from 1, or from the end if it is negative, begins.
fn start_of(index: i64, len: usize) -> usize {
    let start = if index < 0 { len as i64 + index } else { index - 1 };
    start.clamp(0, len as i64) as usize
}

fn captured(args: &Arguments<'_>, matcher: &Matcher<'_>, text: &[u8], number: usize) -> mlua::Result<Value> {
    let (start, len) = matcher.capture(number).map_err(|fault| raise(args, fault))?;
    Ok(match len {
        Len::Bytes(len) => Value::String(args.lua.create_string(&text[start..start + len])?),
        Len::Position | Len::Open => Value::Integer(start as i64 + 1),
    })
}

/// What is captured; the whole where nothing is, and that is asked for.
fn push_captures(
    args: &Arguments<'_>,
    matcher: &Matcher<'_>,
    text: &[u8],
    whole: Option<(usize, usize)>,
    into: &mut Vec<Value>,
) -> mlua::Result<()> {
    if let Some((start, end)) = whole.filter(|_| matcher.level == 0) {
        into.push(Value::String(args.lua.create_string(&text[start..end])?));
    }
    for number in 0..matcher.level {
        into.push(captured(args, matcher, text, number)?);
    }
    Ok(())
}

fn find(budget: &Budget, args: &Arguments<'_>, tells_place: bool) -> mlua::Result<MultiValue> {
    let (text, pattern) = (args.text(1)?, args.text(2)?);
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let start = start_of(args.integer_or(3, 1)?, text.len());
    budget.charge(text.len())?;
    let is_plain = tells_place
        && (!matches!(args.get(4), Value::Nil | Value::Boolean(false))
            || !pattern.iter().any(|byte| SPECIAL.contains(byte)));
    let mut values = Vec::new();
    if is_plain {
        let found = memchr::memmem::find(&text[start..], &pattern);
        match found {
            Some(at) => {
                let at = start + at;
                values.extend([Value::Integer(at as i64 + 1), Value::Integer((at + pattern.len()) as i64)]);
            }
            None => values.push(Value::Nil),
        }
        return Ok(values.into_iter().collect());
    }
    let (is_anchored, pattern) = anchor(&pattern);
    let mut matcher = Matcher::new(&text, pattern, budget);
    match matcher.search(start, is_anchored).map_err(|fault| raise(args, fault))? {
        None => values.push(Value::Nil),
        Some((start, end)) if tells_place => {
            values.extend([Value::Integer(start as i64 + 1), Value::Integer(end as i64)]);
            push_captures(args, &matcher, &text, None, &mut values)?;
        }
        Some(whole) => push_captures(args, &matcher, &text, Some(whole), &mut values)?,
    }
    Ok(values.into_iter().collect())
}

fn gmatch(budget: &Rc<Budget>, args: &Arguments<'_>) -> mlua::Result<Function> {
    let (text, pattern) = (args.text(1)?, args.text(2)?);
    let (next, budget) = (Cell::new(0), budget.clone());
    args.lua.create_function(move |lua: &Lua, _: MultiValue| {
        let args = Arguments::new(lua, "gmatch", MultiValue::new());
        let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
        let mut values = Vec::new();
        let mut matcher = Matcher::new(&text, &pattern, &budget);
        let found = if next.get() > text.len() { Ok(None) } else { matcher.search(next.get(), false) };
        if let Some((start, end)) = found.map_err(|fault| raise(&args, fault))? {
            next.set(if end == start { end + 1 } else { end });
            push_captures(&args, &matcher, &text, Some((start, end)), &mut values)?;
        } else {
            next.set(text.len() + 1);
            values.push(Value::Nil);
        }
        Ok(values.into_iter().collect::<MultiValue>())
    })
}

fn rep(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let (text, times) = (args.text(1)?, args.integer(2)?.max(0) as usize);
    let text = text.as_bytes();
    budget.allow_bytes(text.len().saturating_mul(times))?;
    budget.charge(text.len().saturating_mul(times))?;
    let times = if text.is_empty() { 0 } else { times };
    one(args.lua.create_string(text.repeat(times))?)
}

/// With a text in the place of what is found.
fn gsub(budget: &Budget, args: &Arguments<'_>) -> mlua::Result<MultiValue> {
    let (text, pattern) = (args.text(1)?, args.text(2)?);
    let with = match args.get(3) {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => args.text(3)?,
        _ => return Err(args.bad(3, "string/function/table expected")),
    };
    let (text, pattern, with) = (text.as_bytes(), pattern.as_bytes(), with.as_bytes());
    let (is_anchored, pattern) = anchor(&pattern);
    let max = args.integer_or(4, text.len() as i64 + 1)?;
    let mut matcher = Matcher::new(&text, pattern, budget);
    let (mut out, mut at, mut count) = (Vec::new(), 0, 0);
    while count < max {
        let found = matcher.match_at(at).map_err(|fault| raise(args, fault))?;
        if let Some(end) = found {
            count += 1;
            replace(args, &matcher, (&text, at, end), &with, &mut out)?;
            budget.allow_bytes(out.len())?;
        }
        match found {
            Some(end) if end > at => at = end,
            _ if at < text.len() => {
                out.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if is_anchored {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
    let out = args.lua.create_string(out)?;
    Ok([Value::String(out), Value::Integer(count)].into_iter().collect())
}

/// Writes `with`, in which `%1` stands for what was captured first.
fn replace(
    args: &Arguments<'_>,
    matcher: &Matcher<'_>,
    (text, start, end): (&[u8], usize, usize),
    with: &[u8],
    out: &mut Vec<u8>,
) -> mlua::Result<()> {
    let mut rest = with.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'0') => out.extend_from_slice(&text[start..end]),
            Some(b'1') if matcher.level == 0 => out.extend_from_slice(&text[start..end]),
            Some(&digit @ b'1'..=b'9') => {
                let number = usize::from(digit - b'1');
                if number >= matcher.level {
                    return Err(args.error("invalid capture index"));
                }
                match captured(args, matcher, text, number)? {
                    Value::String(part) => out.extend_from_slice(&part.as_bytes()),
                    Value::Integer(place) => out.extend_from_slice(place.to_string().as_bytes()),
                    _ => (),
                }
            }
            Some(&other) => out.push(other),
            None => out.push(0),
        }
    }
    Ok(())
}

/// Lua's own, for texts that are not too long: it looks nowhere, and has C's rules.
fn format(own: &Function, args: &Arguments<'_>) -> mlua::Result<Value> {
    let values: Vec<Value> = (1..=args.len()).map(|number| args.get(number)).collect();
    let bytes: usize = values.iter().filter_map(|value| value.as_string().map(|text| text.as_bytes().len())).sum();
    if bytes > FORMAT_BYTES_MAX {
        return Err(args.error("string.format: at most 256 KiB"));
    }
    own.call(values.into_iter().collect::<MultiValue>()).map_err(|error| {
        let why = super::errors::first_line(&error).replace("'?'", "'format'");
        args.error(&why)
    })
}
