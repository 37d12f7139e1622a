//! `COMMAND`: what there is, for clients that ask.

use super::fail::{Fail, is, unknown_part, wrong_arity_of};
use super::keys::help;
use super::{Args, Command, Context, DONE, Kind, Outcome, Reply};
use crate::node::glob;

pub(super) fn command(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(part) = args.get(1) else {
        let all: Vec<Command> = Command::all_of_resp().collect();
        cx.session.answer(Reply::Array(all.len()));
        all.into_iter().for_each(|command| info(cx, command));
        return DONE;
    };
    match part {
        _ if is(part, "COUNT") && args.len() == 2 => cx.answer(Reply::Int(Command::all_of_resp().count() as i64)),
        _ if is(part, "INFO") => {
            let given: Vec<_> = match args.len() {
                2 => Command::all_of_resp().map(Some).collect(),
                _ => args.from(2).map(Command::named).collect(),
            };
            cx.session.answer(Reply::Array(given.len()));
            for command in given {
                match command {
                    Some(command) => info(cx, command),
                    None => cx.session.answer(Reply::Nil),
                }
            }
            DONE
        }
        _ if is(part, "DOCS") => docs(cx, args),
        _ if is(part, "LIST") => list(cx, args),
        _ if is(part, "GETKEYS") && args.len() > 2 => get_keys(cx, args),
        _ if is(part, "HELP") => {
            help(cx, &["COMMAND | COUNT | INFO [name ...] | DOCS [name ...] | LIST [FILTERBY ...] | GETKEYS <command>"])
        }
        _ if ["COUNT", "GETKEYS"].iter().any(|word| is(part, word)) => Err(wrong_arity_of("command", part)),
        _ => Err(unknown_part("command", part)),
    }
}

fn info(cx: &mut Context<'_>, command: Command) {
    let described = command.describe();
    let (first, last, step) = described.keys;
    let flag = match described.kind {
        Kind::Write => "write",
        Kind::Read => "readonly",
        Kind::Other => "loading",
    };
    let session = &mut *cx.session;
    session.answer(Reply::Array(10));
    session.answer(Reply::Value(described.name.as_bytes()));
    session.answer(Reply::Int(described.arity.into()));
    session.answer(Reply::Set(1));
    session.answer(Reply::Simple(flag));
    [first, last, step].into_iter().for_each(|place| session.answer(Reply::Int(place.into())));
    session.answer(Reply::Set(1));
    session.answer(Reply::Simple(&format!("@{}", described.group)));
    [Reply::Array(0), Reply::Array(0), Reply::Array(0)].into_iter().for_each(|empty| session.answer(empty));
}

fn docs(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let given: Vec<Command> = match args.len() {
        2 => Command::all_of_resp().collect(),
        _ => args.from(2).filter_map(Command::named).collect(),
    };
    let session = &mut *cx.session;
    session.answer(Reply::Map(given.len()));
    for command in given {
        let described = command.describe();
        session.answer(Reply::Value(described.name.as_bytes()));
        session.answer(Reply::Map(2));
        for (name, text) in [("summary", described.summary), ("group", described.group)] {
            session.answer(Reply::Value(name.as_bytes()));
            session.answer(Reply::Value(text.as_bytes()));
        }
    }
    DONE
}

fn list(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let names = Command::all_of_resp().map(|command| command.describe());
    let chosen: Vec<&str> = match (args.get(2), args.get(3), args.get(4)) {
        (None, ..) => names.map(|described| described.name).collect(),
        (Some(filter), Some(by), Some(value)) if is(filter, "FILTERBY") && args.len() == 5 => {
            if is(by, "PATTERN") {
                names.map(|one| one.name).filter(|name| glob::matches(value, name.as_bytes())).collect()
            } else if is(by, "ACLCAT") {
                names.filter(|one| is(value, one.group)).map(|one| one.name).collect()
            } else if is(by, "MODULE") {
                Vec::new()
            } else {
                return Err(super::fail::SYNTAX);
            }
        }
        _ => return Err(super::fail::SYNTAX),
    };
    cx.session.answer(Reply::Array(chosen.len()));
    chosen.into_iter().for_each(|name| cx.session.answer(Reply::Value(name.as_bytes())));
    DONE
}

fn get_keys(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let command = Command::named(args.at(2)).ok_or(Fail::said("ERR Invalid command specified"))?;
    let count = args.len() - 2;
    if !command.takes(count) {
        return Err(Fail::said("ERR Invalid number of arguments specified for command"));
    }
    let (first, last, step) = command.describe().keys;
    if step == 0 {
        return Err(Fail::said("ERR The command has no key arguments"));
    }
    let last = if last < 0 { count as i32 + last } else { last };
    let places: Vec<i32> = (first..=last).step_by(step as usize).collect();
    cx.session.answer(Reply::Array(places.len()));
    places.into_iter().for_each(|place| cx.session.answer(Reply::Value(args.at(2 + place as usize))));
    DONE
}
