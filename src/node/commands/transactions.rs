//! Several requests run as one: nobody sees, here or on a live peer, what only some of them did.

use super::fail::Fail;
use super::server::sleep_us;
use super::{Args, Command, Context, Executed, Outcome, Reply, connection, users};
use crate::node::client::Client;
use crate::store::{Database, Stamp, Store};

/// Whether the command runs at once although a transaction is put together.
pub(super) fn is_immediate(command: Command) -> bool {
    matches!(
        command,
        Command::Exec | Command::Discard | Command::Multi | Command::Watch | Command::Quit | Command::Reset
    )
}

/// What ends the node, or has to wait for the disk, is no part of a transaction.
pub(super) fn allow(command: Command) -> Result<(), Fail> {
    match command {
        Command::Save | Command::Backup | Command::Shutdown => {
            Err(Fail::said("ERR Command not allowed inside a transaction"))
        }
        _ => Ok(()),
    }
}

pub(super) fn multi(cx: &mut Context<'_>) -> Outcome {
    if cx.client.queue.is_some() {
        return Err(Fail::said("ERR MULTI calls can not be nested"));
    }
    cx.client.queue = Some(Box::default());
    cx.answer(Reply::Ok)
}

pub(super) fn discard(cx: &mut Context<'_>) -> Outcome {
    cx.client.queue.take().ok_or(Fail::said("ERR DISCARD without MULTI"))?;
    cx.client.watched.clear();
    cx.answer(Reply::Ok)
}

pub(super) fn watch(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if cx.client.queue.is_some() {
        return Err(Fail::said("ERR WATCH inside MULTI is not allowed"));
    }
    for key in args.from(1) {
        let database = cx.keys.store().selected();
        let state = state(cx.keys.store(), database, key);
        if !cx.client.watched.iter().any(|(of, other, _)| *of == database && other == key) {
            cx.client.watched.push((database, key.to_vec(), state));
        }
    }
    cx.answer(Reply::Ok)
}

pub(super) fn unwatch(cx: &mut Context<'_>) -> Outcome {
    cx.client.watched.clear();
    cx.answer(Reply::Ok)
}

/// `run` executes one of its requests.
pub(super) fn exec(cx: &mut Context<'_>, run: fn(&mut Context<'_>, Command, Args<'_>) -> Outcome) -> Outcome {
    if !std::mem::take(&mut cx.progress.has_slept)
        && let us @ 1.. = sleeps_us(cx.client)
    {
        return Ok(cx.sleep(us));
    }
    let queue = cx.client.queue.take().ok_or(Fail::said("ERR EXEC without MULTI"))?;
    let watched = std::mem::take(&mut cx.client.watched);
    if queue.is_spoilt {
        return Err(Fail::said("EXECABORT Transaction discarded because of previous errors."));
    }
    let now = |database: Database, key: &[u8]| state(cx.keys.store(), database, key);
    if watched.iter().any(|(database, key, before)| has_changed(*before, now(*database, key))) {
        return cx.answer(Reply::NilArray);
    }
    cx.out.answer(Reply::Array(queue.requests.len()));
    cx.progress.is_executing = true;
    cx.progress.scripts_ns = 0;
    cx.timing.had_slow_part = false;
    let spent_us = std::mem::take(&mut cx.progress.spent_us);
    let mut ended = false;
    for queued in &queue.requests {
        cx.whole = Some(queued.text.clone());
        let (start, parts_end) = (cx.out.mark(), cx.out.parts_end());
        let allowed = connection::allow_data(cx, queued.command, queued.args());
        let allowed = allowed.and_then(|()| users::allow_again(cx, queued.command, queued.args()));
        match allowed.and_then(|()| run(cx, queued.command, queued.args())) {
            Ok(Executed::Ended) => ended = true,
            Ok(Executed::Answered | Executed::Exhausted | Executed::Stopped(_) | Executed::Waiting(_)) => (),
            Err(fail) => {
                cx.metrics.note_error(fail.code());
                cx.out.answer_part_instead(start, parts_end, fail.reply());
            }
        }
    }
    cx.whole = None;
    cx.progress.is_executing = false;
    cx.progress.spent_us = spent_us;
    if ended { Ok(Executed::Ended) } else { cx.done_after(0) }
}

/// A request is refused, and with it the transaction that it belongs to.
#[cold]
pub(super) fn spoil(client: &mut Client, command: Command, fail: Fail) -> Fail {
    if command == Command::Exec {
        abandon(client);
        return fail.that_aborts();
    }
    if let Some(queue) = &mut client.queue {
        queue.is_spoilt = true;
    }
    fail
}

/// How long the transaction sleeps that is to be run, as `DEBUG SLEEP` says in it: nothing may come between its parts,
/// and the loop does not stop for it.
fn sleeps_us(client: &Client) -> u64 {
    let Some(queue) = client.queue.as_ref().filter(|queue| !queue.is_spoilt) else { return 0 };
    let sleeps = queue.requests.iter().filter(|queued| queued.command == Command::Debug);
    let sleeps = sleeps.filter(|queued| queued.args().at(1).eq_ignore_ascii_case(b"SLEEP"));
    sleeps.filter_map(|queued| sleep_us(queued.args())).sum()
}

/// Forgets the transaction that is put together.
pub(super) fn abandon(client: &mut Client) {
    client.queue = None;
    client.watched.clear();
}

/// A deletion that was remembered then and is forgotten is no change.
fn has_changed(before: (bool, Option<Stamp>), now: (bool, Option<Stamp>)) -> bool {
    before != now && (now.0 || before.0 || now.1.is_some())
}

/// What of a watched key may not change: whether it has a value, and when it was written or deleted last.
fn state(store: &Store, database: Database, key: &[u8]) -> (bool, Option<Stamp>) {
    let state = store.state_in(database, key);
    (state.is_some_and(|change| change.value.is_some()), state.map(|change| change.stamp))
}
