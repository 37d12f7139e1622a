//! One conversation: how it is led and how it ends.

use super::context::Events;
use super::fail::{Fail, integer, is, printable, wrong_arity};
use super::{Args, Command, Context, DONE, Outcome, Reply};
use crate::fault_injection;
use crate::node::listening::Listening;
use crate::node::replies::Answers;
use crate::protocol::Dialect;
use crate::protocol::command::Kind;
use crate::store::Database;

/// The Redis whose commands and answers these are: clients look at it.
pub(in crate::node) const REDIS_VERSION: &str = "7.0.15";

/// There is no such database.
pub(in crate::node) const OUT_OF_RANGE: &str = "ERR DB index is out of range";

/// So much of what a client asked for is quoted.
const NAME_BYTES_SHOWN: usize = 20;

pub(super) fn ping(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let message = args.get(1);
    if args.len() > 2 {
        return Err(wrong_arity(Command::Ping));
    }
    if !cx.out.dialect().has_pushes() && cx.client.is_listening() {
        cx.out.answer(Reply::Array(2));
        cx.out.answer(Reply::Value(b"pong"));
        return cx.answer(Reply::Value(message.unwrap_or_default()));
    }
    cx.answer(message.map_or(Reply::Simple("PONG"), Reply::Value))
}

pub(super) fn select(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let why = match database(cx, args.at(1)) {
        Ok(database) => {
            cx.client.refused_database = None;
            cx.select(database);
            return cx.answer(Reply::Ok);
        }
        Err(why) => why,
    };
    // Many clients select in one breath with what they do then, and do not look at the answer; a script has it before it
    // goes on.
    if !cx.progress.is_scripted {
        let asked = printable(&args[1][..args[1].len().min(NAME_BYTES_SHOWN)]);
        cx.client.refused_database = Some(asked.into());
    }
    Err(why)
}

/// The database of this number, where clients may select it.
pub(super) fn database(cx: &Context<'_>, index: &[u8]) -> Result<Database, Fail> {
    let index = integer(index)?;
    if i32::try_from(index).is_err() {
        return Err(Fail::said("ERR value is out of range, value must between -2147483648 and 2147483647"));
    }
    let number = u64::try_from(index).ok();
    number.and_then(|number| cx.settings.options.database(number)).ok_or(Fail::said(OUT_OF_RANGE))
}

/// A client that could not have the database it asked for is not given another one's data in its place.
pub(super) fn allow_data(cx: &Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    let Some(asked) = &cx.client.refused_database else { return Ok(()) };
    let is_data = match command {
        Command::Watch | Command::WatchPrefix => true,
        Command::Debug => args.get(1).is_some_and(|part| is(part, "OBJECT")),
        other => other.describe().kind != Kind::Other,
    };
    if !is_data {
        return Ok(());
    }
    let last = cx.settings.options.databases - 1;
    Err(format!(
        "ERR SELECT {asked} was refused: there are databases 0 to {last}; SELECT one of these or RESET to go on"
    )
    .into())
}

pub(super) fn hello(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut dialect = cx.out.dialect();
    if let Some(version) = args.get(1) {
        let version =
            integer(version).map_err(|_| Fail::said("ERR Protocol version is not an integer or out of range"))?;
        dialect = Dialect::resp(version).ok_or(Fail::said("NOPROTO unsupported protocol version"))?;
    }
    let (mut name, mut credentials, mut rest) = (None, None, args.from(2));
    while let Some(option) = rest.next() {
        if is(option, "AUTH") && rest.clone().count() >= 2 {
            credentials = rest.next().zip(rest.next());
        } else if is(option, "SETNAME") && rest.clone().count() >= 1 {
            name = rest.next();
        } else {
            let option = printable(option);
            return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
        }
    }
    if let Some((user, password)) = credentials {
        super::users::authenticate(cx, args.at(0), user, password)?;
    }
    if !cx.client.access.is_authenticated() {
        return Err(Fail::said(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        super::clients::set_name(cx.client, name)?;
    }
    cx.out.decoder.speak(dialect);
    let id = cx.client.number as i64;
    let pairs = [
        ("server", Reply::Value(b"redis")),
        ("version", Reply::Value(REDIS_VERSION.as_bytes())),
        ("proto", Reply::Int(dialect.resp_version())),
        ("id", Reply::Int(id)),
        ("mode", Reply::Value(b"standalone")),
        ("role", Reply::Value(b"master")),
        ("modules", Reply::Array(0)),
    ];
    cx.out.answer(Reply::Map(pairs.len()));
    for (name, value) in pairs {
        cx.out.answer(Reply::Value(name.as_bytes()));
        cx.out.answer(value);
    }
    DONE
}

pub(super) fn reset(cx: &mut Context<'_>) -> Outcome {
    let Context { data, client, users, .. } = cx;
    let Events { channels, sessions, id } = &mut data.events;
    channels.pubsub.forget(*id, &client.listening);
    client.listening = Listening::default();
    sessions.monitors.retain(|other| other != id);
    client.is_monitor = false;
    client.queue = None;
    client.watched.clear();
    client.database = Database::ZERO;
    client.refused_database = None;
    data.keys.select(Database::ZERO);
    client.name.clear();
    if !fault_injection::is("RESET does not end an authentication") {
        client.access = users.welcome(client.access.must_prove());
    }
    if data.out.answers != Answers::Skip {
        data.out.answers = Answers::All;
    }
    data.out.decoder.reset();
    cx.answer(Reply::Simple("RESET"))
}
