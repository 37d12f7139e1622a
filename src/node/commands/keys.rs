//! Keys, whatever their values.

use super::fail::{Fail, NO_SUCH_KEY, SYNTAX, integer, is};
use super::help::help;
use super::{Args, Command, Context, DONE, Data, Outcome, Reply, connection, subcommands};
use crate::protocol::subcommand::Object;
use crate::store::{Form, Value};

/// Values up to so many bytes are said to be embedded, as Redis does.
const EMBEDDED_BYTES_MAX: usize = 44;

const SAME: Fail = Fail::said("ERR source and destination objects are the same");

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

#[inline(never)]
pub(super) fn copy(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (source, target) = (args.at(1), args.at(2));
    let own = cx.keys.store().selected();
    let (mut replace, mut database) = (false, own);
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        match option {
            _ if is(option, "REPLACE") => replace = true,
            _ if is(option, "DB") => {
                let index = rest.next().ok_or(SYNTAX)?;
                database = connection::database(cx, index)?;
            }
            _ => return Err(SYNTAX),
        }
    }
    if source == target && database == own {
        return Err(SAME);
    }
    let Some(value) = cx.keys.value(source).map(Value::lend) else {
        cx.miss(source);
        return cx.answer(Reply::Int(0));
    };
    let (form, expiry) = (cx.keys.form(source), cx.keys.expiry(source));
    let is_copied = cx.within(database, |cx| {
        let takes_place = cx.keys.get(target).is_some();
        if takes_place && !replace {
            return Ok(false);
        }
        cx.put(target, &value, expiry)?;
        cx.note_form(target, form);
        if takes_place {
            cx.notify('n', "new", target);
        }
        cx.notify('g', "copy_to", target);
        Ok::<bool, Fail>(true)
    })?;
    cx.answer(Reply::Int(is_copied.into()))
}

/// Takes a key into another database, where it is not there.
#[inline(never)]
pub(super) fn move_to(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let database = connection::database(cx, args.at(2))?;
    if database == cx.keys.store().selected() {
        return Err(SAME);
    }
    let Some(value) = cx.keys.value(key).map(Value::lend) else { return cx.answer(Reply::Int(0)) };
    let (form, expiry) = (cx.keys.form(key), cx.keys.expiry(key));
    let is_moved = cx.within(database, |cx| {
        if cx.keys.get(key).is_some() {
            return Ok(false);
        }
        cx.put_moved(key, &value, form, expiry)?;
        Ok::<bool, Fail>(true)
    })?;
    if is_moved {
        cx.remove(key);
        cx.notify('g', "move_from", key);
        cx.notify_of('g', "move_to", database, key);
    }
    cx.answer(Reply::Int(is_moved.into()))
}

/// Two nodes that swap at the same time would have to end with the same keys; but of a database as a whole there is no
/// stamp that says which of them came last.
#[inline(never)]
pub(super) fn swap_db(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    for (at, which) in [(1, "first"), (2, "second")] {
        if integer(args.at(at)).is_ok_and(|index| i32::try_from(index).is_ok()) {
            connection::database(cx, args.at(at))?;
        } else {
            return Err(format!("ERR invalid {which} DB index").into());
        }
    }
    Err(Fail::said(
        "ERR SWAPDB is not supported: nodes that swap or write at the same time would not end with the same keys; \
         use MOVE or COPY with DB for each key",
    ))
}

pub(super) fn random_key(cx: &mut Data<'_>) -> Outcome {
    let Data { keys, out, .. } = cx;
    out.answer(keys.random_key().map_or(Reply::Nil, Reply::Value));
    DONE
}

pub(super) fn db_size(cx: &mut Data<'_>) -> Outcome {
    cx.answer(Reply::Int(cx.keys.count() as i64))
}

/// Deletes all keys of the database, or of all.
#[inline(never)]
pub(super) fn flush(cx: &mut Data<'_>, args: Args<'_>, of_all: bool) -> Outcome {
    match args.get(1) {
        Some(option) if args.len() > 2 || !(is(option, "ASYNC") || is(option, "SYNC")) => return Err(SYNTAX),
        Some(_) | None => (),
    }
    if of_all {
        cx.remove_all_of_all()
    } else {
        cx.remove_all()
    }
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
