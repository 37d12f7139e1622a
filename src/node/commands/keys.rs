//! Keys, whatever their values.

use super::fail::{Fail, NO_SUCH_KEY, SYNTAX, integer, is};
use super::help::help;
use super::{Args, Command, DONE, Data, Outcome, Reply, subcommands};
use crate::protocol::subcommand::Object;
use crate::store::{Form, Value};

/// Values up to so many bytes are said to be embedded, as Redis does.
const EMBEDDED_BYTES_MAX: usize = 44;

/// How many of the keys there were.
pub(super) fn del(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let mut count = 0;
    for key in args.from(1) {
        if cx.remove(key) {
            count += 1;
            cx.notify('g', "del", key);
        }
    }
    cx.answer(Reply::Int(count))
}

/// Whether the one key was there.
pub(super) fn delete(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let was_there = cx.remove(args.at(1));
    if was_there {
        cx.notify('g', "del", args.at(1));
    }
    cx.answer(Reply::Done(was_there))
}

pub(super) fn exists(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let count = args.from(1).filter(|key| cx.keys.get(key).is_some()).count();
    cx.miss_absent(args.from(1));
    cx.answer(Reply::Int(count as i64))
}

pub(super) fn type_of(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let there = cx.keys.get(args.at(1)).is_some();
    cx.miss_absent(args.from(1));
    cx.answer(Reply::Simple(if there { "string" } else { "none" }))
}

pub(super) fn rename(cx: &mut Data<'_>, args: Args<'_>, only_new: bool) -> Outcome {
    let (source, target) = (args.at(1), args.at(2));
    let value = cx.keys.value(source).ok_or(NO_SUCH_KEY)?.lend();
    let expiry = cx.keys.expiry(source);
    if only_new && cx.keys.get(target).is_some() {
        return cx.answer(Reply::Int(0));
    }
    if source != target {
        let (form, takes_place) = (cx.keys.form(source), cx.keys.get(target).is_some());
        cx.put_moved(target, &value, form, expiry)?;
        if takes_place {
            cx.notify('n', "new", target);
        }
        cx.remove(source);
        cx.notify('g', "rename_from", source);
        cx.notify('g', "rename_to", target);
    }
    cx.answer(if only_new { Reply::Int(1) } else { Reply::Ok })
}

pub(super) fn copy(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let (source, target) = (args.at(1), args.at(2));
    let mut replace = false;
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        match option {
            _ if is(option, "REPLACE") => replace = true,
            _ if is(option, "DB") => {
                let db = integer(rest.next().ok_or(SYNTAX)?)?;
                if db != 0 {
                    return Err(Fail::said("ERR DB index is out of range"));
                }
            }
            _ => return Err(SYNTAX),
        }
    }
    if source == target {
        return Err(Fail::said("ERR source and destination objects are the same"));
    }
    let Some(value) = cx.keys.value(source).map(Value::lend) else {
        cx.miss(source);
        return cx.answer(Reply::Int(0));
    };
    if !replace && cx.keys.get(target).is_some() {
        return cx.answer(Reply::Int(0));
    }
    let (form, takes_place) = (cx.keys.form(source), cx.keys.get(target).is_some());
    cx.put(target, &value, cx.keys.expiry(source))?;
    cx.note_form(target, form);
    if takes_place {
        cx.notify('n', "new", target);
    }
    cx.notify('g', "copy_to", target);
    cx.answer(Reply::Int(1))
}

pub(super) fn random_key(cx: &mut Data<'_>) -> Outcome {
    let Data { keys, out, .. } = cx;
    out.answer(keys.random_key().map_or(Reply::Nil, Reply::Value));
    DONE
}

pub(super) fn db_size(cx: &mut Data<'_>) -> Outcome {
    cx.answer(Reply::Int(cx.keys.count() as i64))
}

pub(super) fn flush(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    match args.get(1) {
        Some(option) if args.len() > 2 || !(is(option, "ASYNC") || is(option, "SYNC")) => return Err(SYNTAX),
        Some(_) | None => (),
    }
    cx.remove_all();
    cx.answer(Reply::Ok)
}

pub(super) fn object(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let subcommand = subcommands::of(args)?;
    if subcommand == Object::Help {
        return help(cx, Command::Object);
    }
    let key = args.at(2);
    let Some(value) = cx.keys.get(key) else { return cx.answer(Reply::Nil) };
    match subcommand {
        Object::RefCount => cx.answer(Reply::Int(1)),
        Object::IdleTime => Err(Fail::said(
            "ERR No maxmemory policy is selected, idle time not tracked: there is no eviction that would need it.",
        )),
        Object::Freq => Err(Fail::said(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )),
        Object::Encoding | Object::Help => {
            let encoding = encoding(value, cx.keys.form(key));
            cx.answer(Reply::Value(encoding.as_bytes()))
        }
    }
}

/// What Redis calls the way in which it would store the value.
pub(super) fn encoding(value: &[u8], form: Form) -> &'static str {
    match form {
        Form::Whole if integer(value).is_ok() => "int",
        Form::Whole | Form::Sum if value.len() <= EMBEDDED_BYTES_MAX => "embstr",
        Form::Whole | Form::Sum | Form::Edited => "raw",
    }
}
