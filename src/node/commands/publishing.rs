//! Messages between clients.

use std::collections::BTreeMap;

use super::context::Data;
use super::fail::{Fail, unknown_or_arity};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::node::SessionId;
use crate::node::listening::Names;
use crate::node::replies::Replies;
use crate::node::view::Told;
use crate::protocol::glob::Pattern;
use crate::protocol::subcommand::PubSub;
use crate::replication::Audience;

/// Longest channel and message: they are copied for each listener, and go to peers in one frame.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A RESP2 client that listens says nothing else: an answer could not be told from a message.
pub(super) fn allow_listener(command: Command, args: Args<'_>) -> Result<(), Fail> {
    match command {
        Command::Subscribe
        | Command::PSubscribe
        | Command::SSubscribe
        | Command::Unsubscribe
        | Command::PUnsubscribe
        | Command::SUnsubscribe
        | Command::Ping
        | Command::Quit
        | Command::Reset => Ok(()),
        other => Err(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context",
            subcommands::full_name(other, args)
        )
        .into()),
    }
}

pub(super) fn subscribe(cx: &mut Context<'_>, args: Args<'_>, names: Names) -> Outcome {
    if names == Names::Shards && cx.progress.is_executing {
        return Err(Fail::said("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    // All or none.
    let mut patterns = match names {
        Names::Patterns => args.from(1).map(Pattern::parse).collect::<Result<Vec<Pattern>, _>>()?,
        Names::Channels | Names::Shards => Vec::new(),
    }
    .into_iter();
    let id = cx.events.id;
    for name in args.from(1) {
        let pattern = patterns.next();
        if cx.client.listening.to_mut(names).insert(name.to_vec()) {
            match pattern {
                Some(pattern) => cx.data.events.channels.pubsub.add_pattern(id, name, pattern),
                None => cx.data.events.channels.pubsub.add(id, name, names),
            }
        }
        let verb = match names {
            Names::Channels => "subscribe",
            Names::Patterns => "psubscribe",
            Names::Shards => "ssubscribe",
        };
        confirm(cx, verb, names, Some(name));
    }
    DONE
}

pub(super) fn unsubscribe(cx: &mut Context<'_>, args: Args<'_>, names: Names) -> Outcome {
    let verb = match names {
        Names::Channels => "unsubscribe",
        Names::Patterns => "punsubscribe",
        Names::Shards => "sunsubscribe",
    };
    let given: Vec<Vec<u8>> = match args.len() {
        1 => cx.client.listening.to(names).iter().cloned().collect(),
        _ => args.from(1).map(<[u8]>::to_vec).collect(),
    };
    if given.is_empty() {
        confirm(cx, verb, names, None);
    }
    let id = cx.events.id;
    for name in given {
        if cx.client.listening.to_mut(names).remove(&name) {
            cx.data.events.channels.pubsub.remove(id, &name, names);
        }
        confirm(cx, verb, names, Some(&name));
    }
    DONE
}

fn confirm(cx: &mut Context<'_>, verb: &str, names: Names, name: Option<&[u8]>) {
    let count = cx.client.listening.count(names);
    cx.out.push(Reply::Push(3));
    cx.out.push(Reply::Value(verb.as_bytes()));
    cx.out.push(name.map_or(Reply::Nil, Reply::Value));
    cx.out.push(Reply::Int(count as i64));
}

/// Answers how many listen on this node; those on other nodes are told too.
pub(super) fn publish(cx: &mut Context<'_>, args: Args<'_>, audience: Audience) -> Outcome {
    let (channel, message) = (args.at(1), args.at(2));
    if channel.len() + message.len() > MESSAGE_BYTES_MAX {
        return Err(Fail::said("ERR message too long: at most 1 MiB with its channel's name"));
    }
    let steps = cx.events.channels.pubsub.steps(audience, channel);
    let count = if let Some(view) = cx.data.keys.view_mut() {
        // Nobody hears of what may come to nothing.
        view.tell(Told::Message(audience, channel.to_vec(), message.to_vec()));
        cx.events.channels.pubsub.count(audience, channel)
    } else {
        let count = cx.deliver(audience, channel, message);
        cx.keys.replica_mut().publish(audience, channel, message);
        count
    };
    cx.out.answer(Reply::Int(count as i64));
    cx.done_after(steps)
}

pub(super) fn pubsub(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let subcommand = subcommands::of(args)?;
    let Data { events, out, .. } = &mut cx.data;
    let pubsub = &events.channels.pubsub;
    match subcommand {
        PubSub::Channels | PubSub::ShardChannels if args.len() > 3 => {
            return Err(unknown_or_arity("PUBSUB", args.at(1)));
        }
        PubSub::Channels => {
            let steps = channels(out, &pubsub.channels, args.get(2))?;
            return cx.done_after(steps);
        }
        PubSub::NumSub => listeners(out, &pubsub.channels, args),
        PubSub::NumPat => out.answer(Reply::Int(pubsub.patterns.len() as i64)),
        PubSub::ShardChannels => {
            let steps = channels(out, &pubsub.shards, args.get(2))?;
            return cx.done_after(steps);
        }
        PubSub::ShardNumSub => listeners(out, &pubsub.shards, args),
        PubSub::Help => return help(cx, Command::PubSub),
    }
    DONE
}

/// The names that match, and how many steps it took at most to tell.
fn channels(out: &mut Replies, all: &BTreeMap<Vec<u8>, Vec<SessionId>>, pattern: Option<&[u8]>) -> Result<usize, Fail> {
    let pattern = pattern.map(Pattern::parse).transpose()?;
    let steps = |name: &Vec<u8>| pattern.as_ref().map_or(1, |pattern| pattern.steps(name.len()));
    let wanted = |name: &&Vec<u8>| pattern.as_ref().is_none_or(|pattern| pattern.matches(name));
    let names: Vec<&Vec<u8>> = all.keys().filter(wanted).collect();
    out.answer(Reply::Array(names.len()));
    names.into_iter().for_each(|name| out.answer(Reply::Value(name)));
    Ok(all.keys().map(steps).sum())
}

/// How many listen to each of the names that are given.
fn listeners(out: &mut Replies, all: &BTreeMap<Vec<u8>, Vec<SessionId>>, args: Args<'_>) {
    out.answer(Reply::Array(2 * (args.len() - 2)));
    for name in args.from(2) {
        out.answer(Reply::Value(name));
        out.answer(Reply::Int(all.get(name).map_or(0, Vec::len) as i64));
    }
}
