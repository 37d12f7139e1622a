//! Errors of Lua, understood: what a script raised, what it was ended by, and how a client is told.

use mlua::{Error, Lua, Value};

use super::arguments::{PRELUDE, Place, place};
use super::budget::Budget;
use super::raised::{Cause, Raised};

/// What Lua says where memory is not enough.
const NO_MEMORY: &[u8] = b"not enough memory";
/// What is told of an error's words.
const WORDS_BYTES_MAX: usize = 4 << 10;

/// What a script failed with, for its client.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// In Redis' words, without where it was.
    pub(super) words: Vec<u8>,
    /// Where it was raised, as far as anybody knows.
    pub(super) place: Option<Place>,
}

/// The first line of what an error says; what follows is a trace of calls.
pub(super) fn first_line(error: &Error) -> String {
    let text = match innermost(error) {
        Error::RuntimeError(why) | Error::SyntaxError { message: why, .. } => why.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => innermost(cause),
        Error::BadArgument { cause, .. } => innermost(cause),
        other => other,
    }
}

/// What was raised; `None` where the script is ended by it.
fn raised(budget: &Budget, error: &Error) -> Option<Raised> {
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return (*raised != Raised::Ended).then(|| raised.clone());
    }
    match innermost(error) {
        Error::MemoryError(_) | Error::StackError => {
            let _raised = budget.end(Cause::Memory);
            None
        }
        _ => Some(Raised::Text(first_line(error))),
    }
}

/// What Lua's own `pcall` caught, as the script is to have it. What ends the script goes on.
pub(super) fn judge(lua: &Lua, budget: &Budget, caught: Value) -> mlua::Result<Value> {
    let value = tame(lua, budget, caught)?;
    let Value::Table(table) = &value else { return Ok(value) };
    // As with Redis, the error of a command is a text to who catches it.
    match table.raw_get("err")? {
        text @ Value::String(_) => Ok(text),
        _ => Ok(value),
    }
}

/// An error as a value of Lua. What ends the script goes on.
pub(super) fn tame(lua: &Lua, budget: &Budget, caught: Value) -> mlua::Result<Value> {
    let value = match caught {
        Value::Error(error) => match raised(budget, &error) {
            None => return Err(Raised::Ended.into()),
            Some(Raised::Refusal(words)) => Value::Table(refusal(lua, &words)?),
            Some(other) => Value::String(lua.create_string(other.to_string())?),
        },
        Value::String(text) if text.as_bytes() == NO_MEMORY => {
            return Err(budget.end(Cause::Memory).into());
        }
        Value::String(text) if without_prelude(&text.as_bytes()).len() < text.as_bytes().len() => {
            Value::String(lua.create_string(without_prelude(&text.as_bytes()))?)
        }
        other => other,
    };
    if budget.ended().is_some() { Err(Raised::Ended.into()) } else { Ok(value) }
}

/// A table with `err`.
pub(super) fn refusal(lua: &Lua, words: &[u8]) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(words)?)?;
    Ok(table)
}

/// What nobody caught, while it is known where it was raised.
pub(super) fn report(lua: &Lua, budget: &Budget, value: &Value) -> Report {
    let place = place(lua);
    let mut words = match value {
        Value::Error(error) => match raised(budget, error) {
            None => Vec::new(),
            Some(Raised::Refusal(words)) => words,
            Some(other) => with_code(other.to_string().as_bytes()),
        },
        Value::String(text) if text.as_bytes() == NO_MEMORY => {
            let _raised = budget.end(Cause::Memory);
            Vec::new()
        }
        Value::String(text) => with_code(without_prelude(&text.as_bytes())),
        Value::Integer(number) => with_code(number.to_string().as_bytes()),
        Value::Number(number) => with_code(super::numbers::general(*number, 14).as_bytes()),
        Value::Table(table) => match table.raw_get("err") {
            Ok(Value::String(words)) => words.as_bytes().to_vec(),
            _ => with_code(b"a table without err was raised"),
        },
        Value::Nil => with_code(b"nil"),
        other => with_code(format!("a {} was raised", other.type_name()).as_bytes()),
    };
    words.truncate(WORDS_BYTES_MAX);
    Report { words, place }
}

/// Without where in the prelude it was: that is no place that the script's author knows.
fn without_prelude(text: &[u8]) -> &[u8] {
    let rest = text.strip_prefix(PRELUDE.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    let Some(rest) = rest else { return text };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b": ").unwrap_or(text)
}

fn with_code(text: &[u8]) -> Vec<u8> {
    [b"ERR ", &text[..text.len().min(WORDS_BYTES_MAX)]].concat()
}
