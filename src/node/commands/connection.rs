//! One conversation: how it is led and how it ends.

use super::fail::{Fail, integer, is, wrong_arity};
use super::{Args, Command, Context, DONE, Outcome, Reply};
use crate::node::listening::Listening;
use crate::node::session::Answers;
use crate::protocol::Dialect;

/// The Redis whose commands and answers these are: clients look at it.
pub(in crate::node) const REDIS_VERSION: &str = "7.0.15";

pub(super) fn ping(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let message = args.get(1);
    if args.len() > 2 {
        return Err(wrong_arity(Command::Ping));
    }
    if cx.session.dialect == Dialect::Resp2 && cx.session.is_listening() {
        cx.session.answer(Reply::Array(2));
        cx.session.answer(Reply::Value(b"pong"));
        return cx.answer(Reply::Value(message.unwrap_or_default()));
    }
    cx.answer(message.map_or(Reply::Simple("PONG"), Reply::Value))
}

pub(super) fn select(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let index = integer(args.at(1))?;
    // Anything is in its place where there are as many as Redis has, and all but the first are empty and closed.
    if index != 0 {
        return Err(Fail::said("ERR DB index is out of range"));
    }
    cx.answer(Reply::Ok)
}

pub(super) fn hello(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut dialect = cx.session.dialect;
    if let Some(version) = args.get(1) {
        let version =
            integer(version).map_err(|_| Fail::said("ERR Protocol version is not an integer or out of range"))?;
        dialect = match version {
            2 => Dialect::Resp2,
            3 => Dialect::Resp3,
            _ => return Err(Fail::said("NOPROTO unsupported protocol version")),
        };
    }
    let (mut name, mut rest) = (None, args.from(2));
    while let Some(option) = rest.next() {
        if is(option, "AUTH") && rest.clone().count() >= 2 {
            super::users::authenticate(rest.next().unwrap_or_default())?;
            rest.next();
        } else if is(option, "SETNAME") && rest.clone().count() >= 1 {
            name = rest.next();
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
        }
    }
    if let Some(name) = name {
        super::clients::set_name(cx.session, name)?;
    }
    cx.session.dialect = dialect;
    let id = cx.session.number as i64;
    let pairs = [
        ("server", Reply::Value(b"redis")),
        ("version", Reply::Value(REDIS_VERSION.as_bytes())),
        ("proto", Reply::Int(if dialect == Dialect::Resp3 { 3 } else { 2 })),
        ("id", Reply::Int(id)),
        ("mode", Reply::Value(b"standalone")),
        ("role", Reply::Value(b"master")),
        ("modules", Reply::Array(0)),
    ];
    cx.session.answer(Reply::Map(pairs.len()));
    for (name, value) in pairs {
        cx.session.answer(Reply::Value(name.as_bytes()));
        cx.session.answer(value);
    }
    DONE
}

pub(super) fn reset(cx: &mut Context<'_>) -> Outcome {
    let Context { core, session, id, .. } = cx;
    core.pubsub.forget(*id, session);
    session.listening = Listening::default();
    session.queue = None;
    session.watched.clear();
    session.name.clear();
    if session.answers != Answers::Skip {
        session.answers = Answers::All;
    }
    session.dialect = Dialect::Resp2;
    cx.answer(Reply::Simple("RESET"))
}
