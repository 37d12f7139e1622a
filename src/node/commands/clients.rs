//! `CLIENT`: who is connected, and what concerns this one.

use std::fmt::Write;

use super::fail::{Fail, SYNTAX, integer, is, printable, unknown_or_arity};
use super::help::help;
use super::subcommands;
use super::{Args, Command, Context, DONE, Executed, Outcome, Reply};
use crate::auth::Users;
use crate::node::Origin;
use crate::node::client::Client as Who;
use crate::node::replies::{Answers, Replies};
use crate::node::session::Session;
use crate::node::waiting::{Cause, Pause, Reached, Waiter};
use crate::node::waits::Waits;
use crate::protocol::subcommand::Client;

pub(super) fn client(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Client::Id => {
            let number = cx.client.number as i64;
            cx.answer(Reply::Int(number))
        }
        Client::GetName => {
            let name = std::mem::take(&mut cx.client.name);
            cx.out.answer(if name.is_empty() { Reply::Nil } else { Reply::Value(&name) });
            cx.client.name = name;
            DONE
        }
        Client::SetName => {
            set_name(cx.client, args.at(2))?;
            cx.answer(Reply::Ok)
        }
        Client::SetInfo => set_info(cx, args),
        Client::List => list(cx, args),
        Client::Info => {
            let line = describe(cx.client, cx.out, cx.users, cx.now.monotonic_us);
            cx.answer(Reply::Text(&line))
        }
        Client::Kill => kill(cx, args),
        Client::NoEvict | Client::NoTouch => {
            if !is(args.at(2), "ON") && !is(args.at(2), "OFF") {
                return Err(SYNTAX);
            }
            cx.answer(Reply::Ok)
        }
        Client::Reply => reply(cx, args),
        Client::Pause => pause(cx, args),
        Client::Unpause => {
            cx.events.sessions.pause = None;
            cx.events.sessions.reached(Reached::Unpaused);
            cx.answer(Reply::Ok)
        }
        Client::Unblock => unblock(cx, args),
        Client::GetRedir => cx.answer(Reply::Int(-1)),
        Client::TrackingInfo => tracking_info(cx),
        Client::Tracking => tracking(cx, args),
        Client::Caching => Err(Fail::said(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        )),
        Client::Help => help(cx, Command::Client),
    }
}

/// Names are part of lists for people: no spaces, nothing that is not printable.
pub(super) fn set_name(client: &mut Who, name: &[u8]) -> Result<(), Fail> {
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Err(Fail::said("ERR Client names cannot contain spaces, newlines or special characters."));
    }
    client.name = name.to_vec();
    Ok(())
}

fn set_info(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (option, value) = (args.at(2), args.at(3));
    let name = String::from_utf8_lossy(option).to_lowercase();
    let place = match name.as_str() {
        "lib-name" => &mut cx.client.library.0,
        "lib-ver" => &mut cx.client.library.1,
        _ => return Err(format!("ERR Unrecognized option '{}'", printable(option)).into()),
    };
    if value.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Err(format!("ERR {name} cannot contain spaces, newlines or special characters.").into());
    }
    *place = value.to_vec();
    cx.answer(Reply::Ok)
}

fn list(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now_us = cx.now.monotonic_us;
    let mut ids = None;
    match args.get(2) {
        None => (),
        Some(option) if is(option, "TYPE") && args.len() == 4 => {
            let kind = Kind::named(args.at(3))?;
            let others = cx.events.sessions.iter().map(|(_, session)| &session.client).chain([&*cx.client]);
            ids = Some(others.filter(|client| kind.has(client)).map(|client| client.number as i64).collect());
        }
        Some(option) if is(option, "ID") && args.len() > 3 => {
            let given: Result<Vec<i64>, Fail> = args.from(3).map(integer).collect();
            ids = Some(given.map_err(|_| Fail::said("ERR Invalid client ID"))?);
        }
        Some(_) => return Err(SYNTAX),
    }
    let others = cx.events.sessions.iter().map(|(_, session)| (&session.client, &session.out));
    let all = others.chain([(&*cx.client, &*cx.data.out)]);
    let wanted = |(client, _): &(&Who, &Replies)| ids.as_ref().is_none_or(|ids| ids.contains(&(client.number as i64)));
    let mut chosen: Vec<(&Who, &Replies)> = all.filter(wanted).collect();
    chosen.sort_by_key(|(client, _)| client.number);
    let text: String = chosen.into_iter().map(|(client, out)| describe(client, out, cx.users, now_us)).collect();
    cx.answer(Reply::Text(&text))
}

/// What Redis tells clients apart by.
enum Kind {
    Normal,
    PubSub,
    /// Nodes are no clients here.
    Node,
}

impl Kind {
    fn named(name: &[u8]) -> Result<Kind, Fail> {
        match name {
            _ if is(name, "normal") => Ok(Kind::Normal),
            _ if is(name, "pubsub") => Ok(Kind::PubSub),
            _ if ["master", "replica", "slave"].iter().any(|node| is(name, node)) => Ok(Kind::Node),
            _ => Err(format!("ERR Unknown client type '{}'", printable(name)).into()),
        }
    }

    fn has(&self, client: &Who) -> bool {
        match self {
            Kind::Normal => !client.is_listening(),
            Kind::PubSub => client.is_listening(),
            Kind::Node => false,
        }
    }
}

/// What a client is and does, in Redis' letters.
fn flags(client: &Who) -> String {
    let is_blocked = matches!(client.waits, Waits::ForGate(_));
    let all = [
        (client.is_monitor, 'O'),
        (client.is_listening(), 'P'),
        (client.queue.is_some(), 'x'),
        (is_blocked, 'b'),
        (client.waits == Waits::ForNothing, 'c'),
        (client.origin == Origin::Local, 'U'),
    ];
    let flags: String = all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, letter)| letter).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// One line of `CLIENT LIST`.
pub(super) fn describe(client: &Who, out: &Replies, users: &Users, now_us: u64) -> String {
    let mut line = String::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let age_s = |since_us: u64| (now_us - since_us) / 1_000_000;
    let flags = flags(client);
    let multi = client.queue.as_ref().map_or(-1, |queue| queue.requests.len() as i64);
    let command =
        client.command.map_or_else(|| "NULL".to_owned(), |command| subcommands::name_of(command, client.subcommand));
    let resp = out.dialect().resp_version();
    writeln!(
        line,
        "id={} addr={} laddr={} fd=0 name={} age={} idle={} flags={flags} db={} sub={} psub={} ssub={} multi={multi} \
         qbuf={} qbuf-free=0 argv-mem=0 multi-mem={} rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r cmd={command} \
         user={} redir=-1 resp={resp} lib-name={} lib-ver={}",
        client.number,
        client.addresses.0,
        client.addresses.1,
        text(&client.name),
        age_s(client.begun_us),
        age_s(client.active_us),
        client.database.number(),
        client.listening.channels.len(),
        client.listening.patterns.len(),
        client.listening.shards.len(),
        client.inbox.len(),
        client.queue.as_ref().map_or(0, |queue| queue.bytes()),
        out.owed(),
        client.inbox.capacity() + out.memory_bytes(),
        text(users.name(client.access.user())),
        text(&client.library.0),
        text(&client.library.1),
    )
    .expect("memory takes all");
    line
}

fn kill(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut number, mut address, mut local, mut skip_me, mut kind, mut user) = (None, None, None, true, None, None);
    let by_address = args.len() == 3;
    if by_address {
        (address, skip_me) = (Some(args.at(2)), false);
    }
    let mut rest = args.from(if by_address { 3 } else { 2 });
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(SYNTAX)?;
        match option {
            _ if is(option, "ID") => {
                let id = integer(value).ok().filter(|&id| id > 0);
                number = Some(id.ok_or(Fail::said("ERR client-id should be greater than 0"))? as u64);
            }
            _ if is(option, "ADDR") => address = Some(value),
            _ if is(option, "LADDR") => local = Some(value),
            _ if is(option, "SKIPME") && (is(value, "YES") || is(value, "NO")) => skip_me = is(value, "YES"),
            _ if is(option, "TYPE") => kind = Some(Kind::named(value)?),
            _ if is(option, "USER") => match cx.users.named(value) {
                Some(named) => user = Some(named),
                None => return Err(format!("ERR No such user '{}'", printable(value)).into()),
            },
            _ => return Err(SYNTAX),
        }
    }
    let is_meant = |client: &Who| {
        number.is_none_or(|number| client.number == number)
            && address.is_none_or(|address| client.addresses.0.as_bytes() == address)
            && local.is_none_or(|local| client.addresses.1.as_bytes() == local)
            && user.is_none_or(|user| client.access.user() == user)
            && kind.as_ref().is_none_or(|kind| kind.has(client))
    };
    let others: Vec<_> =
        cx.events.sessions.iter().filter(|(_, session)| is_meant(&session.client)).map(|(id, _)| id).collect();
    for &id in &others {
        cx.events.sessions.end(id);
    }
    let own = !skip_me && is_meant(cx.client);
    let count = others.len() + usize::from(own);
    match (by_address, count) {
        (true, 0) => return Err(Fail::said("ERR No such client")),
        (true, _) => cx.out.answer(Reply::Ok),
        (false, _) => cx.out.answer(Reply::Int(count as i64)),
    }
    if own { Ok(Executed::Ended) } else { DONE }
}

fn reply(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mode = args.at(2);
    // A transaction's answer is an array of all answers; Redis leaves some out, and the next ones are taken for them.
    if cx.progress.is_executing && (is(mode, "OFF") || is(mode, "SKIP")) {
        return Err(Fail::said("ERR Command not allowed inside a transaction"));
    }
    match mode {
        _ if is(mode, "ON") => {
            cx.out.want_all();
            cx.answer(Reply::Ok)
        }
        _ if is(mode, "OFF") => {
            cx.out.answers = Answers::None;
            DONE
        }
        _ if is(mode, "SKIP") => {
            if cx.out.answers != Answers::None {
                cx.out.answers = Answers::SkipNext;
            }
            DONE
        }
        _ => Err(SYNTAX),
    }
}

fn pause(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(unknown_or_arity("CLIENT", args.at(1)));
    }
    let writers_only = match args.get(3) {
        None => false,
        Some(mode) if is(mode, "WRITE") => true,
        Some(mode) if is(mode, "ALL") => false,
        Some(_) => return Err(Fail::said("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout = integer(args.at(2));
    let timeout = timeout.map_err(|_| Fail::said("ERR timeout is not an integer or out of range"))?;
    let ms = u64::try_from(timeout).map_err(|_| Fail::said("ERR timeout is negative"))?;
    let until_us = cx.now.monotonic_us.saturating_add(ms.saturating_mul(1000));
    let pause = Pause { until_us, writers_only };
    // One that is over may still stand there, as no tick has come since.
    let earlier = cx.events.sessions.pause.filter(|earlier| earlier.until_us > cx.now.monotonic_us);
    let pause = earlier.map_or(pause, |earlier| pause.with(earlier));
    cx.events.sessions.pause = Some(pause);
    cx.events.sessions.waiting.set_deadlines(Cause::Pause, pause.until_us);
    cx.answer(Reply::Ok)
}

/// Ends another client's wait for peers.
fn unblock(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_error = match args.get(3) {
        Some(_) if args.len() > 4 => return Err(unknown_or_arity("CLIENT", args.at(1))),
        Some(reason) if is(reason, "ERROR") => true,
        Some(reason) if !is(reason, "TIMEOUT") => {
            return Err(Fail::said("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
        Some(_) | None => false,
    };
    let number = integer(args.at(2))?;
    let is_meant = |session: &Session| session.client.number as i64 == number;
    let sessions = &*cx.events.sessions;
    let mut waiters = sessions.waiting.of(Cause::Copies).iter();
    let found = waiters.find(|waiter| sessions.get(waiter.id).is_some_and(is_meant)).copied();
    if let Some(Waiter { id, then, .. }) = found {
        let written = sessions.get(id).map_or(0, |session| session.client.written);
        cx.events.sessions.forget(id);
        if is_error {
            cx.metrics.note_error("UNBLOCKED");
            let unblocked = Reply::Fail("UNBLOCKED client unblocked via CLIENT UNBLOCK");
            cx.events.sessions.end_wait(id, &[unblocked]);
        } else {
            let copies = cx.keys.copies(written);
            cx.events.sessions.go_on(id, then.knowing(copies));
        }
    }
    cx.answer(Reply::Int(found.is_some().into()))
}

/// No keys are tracked for any client.
fn tracking_info(cx: &mut Context<'_>) -> Outcome {
    let out = &mut *cx.out;
    out.answer(Reply::Map(3));
    out.answer(Reply::Value(b"flags"));
    out.answer(Reply::Set(1));
    out.answer(Reply::Value(b"off"));
    out.answer(Reply::Value(b"redirect"));
    out.answer(Reply::Int(-1));
    out.answer(Reply::Value(b"prefixes"));
    cx.answer(Reply::Array(0))
}

/// A client that is told it is tracked would keep values that have changed.
fn tracking(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.at(2) {
        switch if is(switch, "OFF") && args.len() == 3 => cx.answer(Reply::Ok),
        switch if is(switch, "ON") => {
            Err(Fail::said("ERR client side caching is not supported: this node tracks no keys"))
        }
        _ => Err(SYNTAX),
    }
}
