//! Whether the limit on memory allows a request, before it is executed.
//!
//! A write for which there is no room is refused when it is executed (`store`), and one that makes nothing larger is
//! not. Two more are refused here, in Redis' words: where more memory is in use than allowed, because the limit was
//! lowered or peers have written, all that can take memory; and in a transaction also what has no room when it is put
//! there, so that the transaction is dropped and not run in parts.

use super::{Args, Command, Context, Fail, Refusal};
use crate::store::Store;

#[cold]
pub(super) fn check(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    let is_over = cx.keys.store().is_over_limit();
    cx.keys.may_be_over_limit = is_over;
    let (store, queue) = (cx.keys.store(), cx.client.queue.as_ref());
    let is_refused = match command {
        Command::Discard | Command::Quit | Command::Reset => false,
        Command::Exec => is_over && queue.is_some_and(|queue| queue.has(Command::needs_memory)),
        // A transaction that is put together takes memory, whatever it does.
        _ if queue.is_some() => is_over || (command.needs_memory() && !has_room(store, command, args)),
        other => is_over && other.needs_memory(),
    };
    if is_refused { Err(Refusal::OutOfMemory.into()) } else { Ok(()) }
}

/// Whether there is room for what the request writes, as far as that is known before it runs.
fn has_room(store: &Store, command: Command, args: Args<'_>) -> bool {
    let len = |key: &[u8]| store.get(key).map_or(0, <[u8]>::len);
    let (key, value) = (args.at(1), args.get(2).unwrap_or_default());
    match command {
        Command::MSet | Command::MSetNx | Command::MSetEx => {
            let (first, step, count) = command.key_places(args);
            let mut pairs = args.from(first).step_by(step).zip(args.from(first + 1).step_by(step)).take(count);
            pairs.all(|(key, value)| store.has_room_for(key, value.len(), false))
        }
        Command::Set | Command::SetNx | Command::GetSet => store.has_room_for(key, value.len(), false),
        Command::SetEx | Command::PSetEx => store.has_room_for(key, args.at(3).len(), true),
        Command::Append => store.has_room_for(key, len(key) + value.len(), false),
        Command::Copy | Command::BitOp => store.has_room_for(value, len(value), false),
        _ => store.has_room_for(key, len(key), false),
    }
}
