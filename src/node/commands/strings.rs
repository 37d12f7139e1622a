//! Values: reading, writing, and writing parts of them.

use bytes::Bytes;

use super::comparing::Comparison;
use super::expiring::{self, Deadline};
use super::fail::{Fail, SYNTAX, TOO_LONG, integer, is};
use super::{Args, Command, DONE, Data, Executed, Outcome, Reply, Waits};
use crate::protocol::line;
use crate::store::{Form, Value};

/// Bytes of a large value that are looked through in one turn: some 100 us.
const LOOK_BYTES: usize = 1 << 20;

pub(super) fn get(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let Data { keys, out, metrics, progress, .. } = cx;
    if let Some(looked_through) = progress.looked_through.take() {
        // It was the key's value when the request began, whatever the key has by now.
        let (lent, seen) = *looked_through;
        return answer_large_line(cx, lent, seen);
    }
    match keys.value(args.at(1)) {
        Some(value) if value.is_large() && out.dialect().forbids_newlines() => {
            metrics.hits += 1;
            let lent = value.lend();
            return answer_large_line(cx, lent, 0);
        }
        Some(value) => {
            metrics.hits += 1;
            out.answer_value(value);
        }
        None => {
            metrics.misses += 1;
            cx.miss(args.at(1));
            cx.out.answer(Reply::Nil);
        }
    }
    DONE
}

/// A large value is looked through, a part in each turn, before it is answered as one line.
fn answer_large_line(cx: &mut Data<'_>, value: Bytes, seen: usize) -> Outcome {
    let end = value.len().min(seen + LOOK_BYTES);
    if line::has_newline(&value[seen..end]) {
        cx.out.answer_bytes(line::HAS_NEWLINE);
        return DONE;
    }
    if end < value.len() {
        cx.progress.looked_through = Some(Box::new((value, end)));
        return Ok(Executed::Stopped(Waits::ForTurn));
    }
    cx.out.answer_value(Value::from(&value));
    DONE
}

/// What `SET` was asked to do beside setting.
#[derive(Default)]
struct Asked<'a> {
    condition: Condition<'a>,
    get: bool,
    keep_ttl: bool,
    expires: Option<Deadline<'a>>,
}

/// What has to be so that `SET` does anything.
#[derive(Clone, Copy, Default)]
enum Condition<'a> {
    #[default]
    Always,
    /// The key has no value.
    New,
    /// It has one.
    Old,
    Compared(Comparison<'a>),
}

impl Condition<'_> {
    fn holds(&self, value: Option<&[u8]>) -> Result<bool, Fail> {
        match self {
            Condition::Always => Ok(true),
            Condition::New => Ok(value.is_none()),
            Condition::Old => Ok(value.is_some()),
            Condition::Compared(comparison) => comparison.holds(value),
        }
    }

    /// Steps of the turn that it takes.
    fn steps(&self, value: Option<&[u8]>) -> usize {
        match self {
            Condition::Compared(comparison) => comparison.steps(value),
            Condition::Always | Condition::New | Condition::Old => 0,
        }
    }
}

pub(super) fn set(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let (key, value) = (args.at(1), args.at(2));
    if args.len() == 3 {
        cx.put_arg(key, value, None)?;
        cx.notify('$', "set", key);
        return cx.answer(Reply::Ok);
    }
    let asked = Asked::parse(args)?;
    let expiry = match &asked.expires {
        Some(expires) => Some(expires.resolve(Command::Set, cx.now)?),
        None => cx.keys.expiry(key).filter(|_| asked.keep_ttl),
    };
    let before = cx.keys.value(key);
    let (may, steps) = (asked.condition.holds(before.as_deref())?, asked.condition.steps(before.as_deref()));
    match (asked.get, before) {
        (true, Some(before)) => cx.out.answer_value(before),
        (true, None) => {
            cx.miss(key);
            cx.out.answer(Reply::Nil);
        }
        (false, _) => (),
    }
    if may {
        cx.put_arg(key, value, expiry)?;
        cx.notify('$', "set", key);
        if asked.expires.is_some() {
            cx.notify('g', "expire", key);
        }
    }
    match (asked.get, may) {
        (true, _) => (),
        (false, true) => cx.out.answer(Reply::Ok),
        (false, false) if cx.out.dialect().follows_redis() => cx.out.answer(Reply::Nil),
        (false, false) => cx.out.answer(Reply::Simple("NOT SET")),
    }
    cx.done_after(steps)
}

impl<'a> Asked<'a> {
    /// The options, each of which goes with no other of its kind.
    fn parse(args: Args<'a>) -> Result<Asked<'a>, Fail> {
        let mut asked = Asked::default();
        let mut rest = args.from(3);
        while let Some(option) = rest.next() {
            match (option, asked.condition) {
                (_, Condition::Always | Condition::New) if is(option, "NX") => asked.condition = Condition::New,
                (_, Condition::Always | Condition::Old) if is(option, "XX") => asked.condition = Condition::Old,
                _ if is(option, "GET") => asked.get = true,
                _ if is(option, "KEEPTTL") && asked.expires.is_none() => asked.keep_ttl = true,
                (_, condition) => {
                    let operand = rest.next().ok_or(SYNTAX)?;
                    match (Comparison::named(option, operand), Deadline::named(option)) {
                        (Some(comparison), _) if matches!(condition, Condition::Always) => {
                            asked.condition = Condition::Compared(comparison);
                        }
                        (_, Some(deadline)) if asked.expires.is_none() && !asked.keep_ttl => {
                            asked.expires = Some(deadline.with(operand));
                        }
                        _ => return Err(SYNTAX),
                    }
                }
            }
        }
        Ok(asked)
    }
}

pub(super) fn set_nx(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let is_new = cx.keys.get(args.at(1)).is_none();
    if is_new {
        cx.put_arg(args.at(1), args.at(2), None)?;
        cx.notify('$', "set", args.at(1));
    }
    cx.answer(Reply::Int(is_new.into()))
}

pub(super) fn set_ex(cx: &mut Data<'_>, args: Args<'_>, unit_ms: i64) -> Outcome {
    let command = if unit_ms == 1 { Command::PSetEx } else { Command::SetEx };
    let expiry = expiring::after(integer(args.at(2))?, unit_ms, command, cx.now)?;
    cx.put_arg(args.at(1), args.at(3), Some(expiry))?;
    cx.notify('$', "set", args.at(1));
    cx.notify('g', "expire", args.at(1));
    cx.answer(Reply::Ok)
}

pub(super) fn get_set(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    answer_value(cx, args.at(1));
    cx.put_arg(args.at(1), args.at(2), None)?;
    cx.notify('$', "set", args.at(1));
    DONE
}

pub(super) fn get_del(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    answer_value(cx, args.at(1));
    if cx.remove(args.at(1)) {
        cx.notify('g', "del", args.at(1));
    }
    DONE
}

pub(super) fn get_ex(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let option = args.get(2);
    let persists = option.is_some_and(|option| is(option, "PERSIST"));
    let expires = match (option, args.get(3)) {
        (None, _) => None,
        (Some(_), None) if persists => None,
        (Some(option), Some(time)) if args.len() == 4 => Some(Deadline::named(option).ok_or(SYNTAX)?.with(time)),
        (Some(_), _) => return Err(SYNTAX),
    };
    let Some(value) = cx.keys.value(key).map(Value::lend) else {
        cx.miss(key);
        return cx.answer(Reply::Nil);
    };
    let expiry = expires.as_ref().map(|expires| expires.resolve(Command::GetEx, cx.now)).transpose()?;
    cx.out.answer_value(Value::from(&value));
    match expiry {
        Some(expiry) if expiry <= cx.now.unix_ms => {
            cx.remove(key);
            cx.notify('g', "del", key);
        }
        Some(expiry) => {
            cx.put_expiry(key, &value, Some(expiry))?;
            cx.notify('g', "expire", key);
        }
        None if persists && cx.keys.expiry(key).is_some() => {
            cx.put_expiry(key, &value, None)?;
            cx.notify('g', "persist", key);
        }
        None => (),
    }
    DONE
}

pub(super) fn append(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let found = cx.keys.get(key);
    let (is_new, before) = (found.is_none(), found.unwrap_or_default());
    if before.len() + args.at(2).len() > cx.keys.value_bytes_max() {
        return Err(TOO_LONG);
    }
    let value = [before, args.at(2)].concat();
    let len = value.len() as i64;
    cx.put_built(key, value, cx.keys.expiry(key))?;
    cx.note_form(key, if is_new { Form::Whole } else { Form::Edited });
    cx.notify('$', "append", key);
    cx.answer(Reply::Int(len))?;
    cx.done_after_copying(len as usize)
}

pub(super) fn str_len(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let len = cx.look_up(args.at(1)).map_or(0, <[u8]>::len);
    cx.miss_absent(args.from(1));
    cx.answer(Reply::Int(len as i64))
}

pub(super) fn get_range(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (integer(args.at(2))?, integer(args.at(3))?);
    cx.miss_absent(args.from(1).take(1));
    let Data { keys, out, .. } = cx;
    let value = keys.value(args.at(1)).unwrap_or(Value::new(b"", None));
    out.answer_value(range(value.len(), start, end).map_or(Value::new(b"", None), |range| value.part(range)));
    DONE
}

pub(super) fn set_range(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let (key, part) = (args.at(1), args.at(3));
    let offset = integer(args.at(2))?;
    let offset = usize::try_from(offset).map_err(|_| Fail::said("ERR offset is out of range"))?;
    let before = cx.keys.get(key).unwrap_or_default();
    if part.is_empty() {
        let len = before.len() as i64;
        return cx.answer(Reply::Int(len));
    }
    if offset.saturating_add(part.len()) > cx.keys.value_bytes_max() {
        return Err(TOO_LONG);
    }
    let mut value = before.to_vec();
    value.resize(value.len().max(offset + part.len()), 0);
    value[offset..offset + part.len()].copy_from_slice(part);
    let len = value.len() as i64;
    cx.put_built(key, value, cx.keys.expiry(key))?;
    cx.note_form(key, Form::Edited);
    cx.notify('$', "setrange", key);
    cx.answer(Reply::Int(len))?;
    cx.done_after_copying(len as usize)
}

/// From `start` to `end`, both included, negative ones counted from the end.
pub(super) fn range(len: usize, start: i64, end: i64) -> Option<std::ops::Range<usize>> {
    if start < 0 && end < 0 && start > end { None } else { range_within(len, start, end) }
}

/// The same, but where both lie before the beginning that is the first, whatever their order.
pub(super) fn range_within(len: usize, start: i64, end: i64) -> Option<std::ops::Range<usize>> {
    let signed = len as i64;
    let from_end = |index: i64| if index < 0 { (signed.saturating_add(index)).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(signed - 1));
    (len > 0 && start <= end).then(|| start as usize..end as usize + 1)
}

/// The key's value, or nothing.
pub(super) fn answer_value(cx: &mut Data<'_>, key: &[u8]) {
    let Data { keys, out, .. } = cx;
    match keys.value(key) {
        Some(value) => out.answer_value(value),
        None => {
            cx.miss(key);
            cx.out.answer(Reply::Nil);
        }
    }
}
