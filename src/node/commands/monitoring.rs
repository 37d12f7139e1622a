//! `MONITOR`: clients that are told of every request that is executed, as it was sent
//! (<https://redis.io/docs/latest/commands/monitor/>).
//!
//! Where nobody monitors it costs a look at an empty list. A monitor that does not read is hung up on as any listener.

use super::context::{Data, Events};
use super::fail::Fail;
use super::subcommands::full_name;
use super::{Args, Command, Context, DONE, Kind, Outcome, Reply};
use crate::node::redacting::without_secrets;
use crate::protocol::catalog::Catalog;
use crate::protocol::quoting::quoted;

pub(super) fn monitor(cx: &mut Context<'_>) -> Outcome {
    if cx.progress.is_executing {
        return Err(Fail::said("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // As with Redis, who asks again gets no other answer.
    if std::mem::replace(&mut cx.client.is_monitor, true) {
        return DONE;
    }
    let Events { sessions, id, .. } = &mut cx.events;
    sessions.monitors.push(*id);
    if cx.events.sessions.administrative.is_empty() {
        cx.events.sessions.administrative = administrative();
    }
    cx.answer(Reply::Ok)
}

/// To Redis a monitor is a replica: it is told of keys, and does not touch them.
pub(super) fn allow_monitor(command: Command) -> Result<(), Fail> {
    if command.describe().kind == Kind::Other && !command.publishes() && !command.is_script() {
        return Ok(());
    }
    Err(Fail::said("ERR Replica can't interact with the keyspace"))
}

/// Tells all monitors of a request that was executed.
#[cold]
pub(super) fn tell(cx: &mut Context<'_>, command: Command, args: Args<'_>) {
    if cx.events.sessions.administrative.contains(&full_name(command, args)) {
        return;
    }
    let from = if cx.progress.is_scripted { "lua".to_owned() } else { cx.client.addresses.0.clone() };
    tell_all(cx, command, args, &from);
}

/// Tells all monitors of a script that is about to run: what runs in it they are told after it.
#[cold]
pub(super) fn tell_of_script(cx: &mut Context<'_>, command: Command, args: Args<'_>) {
    let from = cx.client.addresses.0.clone();
    tell_all(cx, command, args, &from);
}

fn tell_all(cx: &mut Context<'_>, command: Command, args: Args<'_>, from: &str) {
    let (s, ms) = (cx.now.unix_ms / 1000, cx.now.unix_ms % 1000);
    let mut line = format!("{s}.{ms:03}000 [{} {from}]", cx.keys.store().selected().number());
    for arg in without_secrets(command, args) {
        line.push(' ');
        line.push_str(&quoted(arg));
    }
    let Data { events: Events { sessions, id, .. }, out, .. } = &mut cx.data;
    for other in sessions.monitors.clone() {
        if other == *id {
            out.answer(Reply::Simple(&line));
        } else {
            sessions.tell(other, &[Reply::Simple(&line)]);
        }
    }
}

/// What Redis takes for too dangerous to be shown, or shows by itself: commands and parts of them.
fn administrative() -> Vec<String> {
    let catalog = Catalog::read();
    let hidden = catalog.all().filter(|entry| entry.flags().any(|flag| ["admin", "skip_monitor"].contains(&flag)));
    hidden.map(|entry| entry.name.to_owned()).collect()
}
