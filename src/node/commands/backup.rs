//! `BACKUP`: a copy of the data file, made and read while the node runs. RESP alone has a word for it.
//!
//! `BEGIN` answers with the number of its bytes, `READ offset` with a piece of it, and `END` lets it go, as does the end
//! of the connection. Who reads asks for several pieces ahead, so that none waits for a way back and forth.

use super::fail::{Fail, NOT_INTEGER, integer, is, unknown_or_arity};
use super::{Args, Context, Events, Outcome, Reply};
use crate::node::waiting::Then;

pub(super) fn backup(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if cx.progress.is_executing {
        return Err(Fail::said("ERR Command not allowed inside a transaction"));
    }
    let Context { data, backups, .. } = cx;
    let Events { id, .. } = data.events;
    let part = args.at(1);
    let until = match args.len() {
        2 if is(part, "BEGIN") => {
            let snapshot = data.keys.replica_mut().back_up();
            backups.begin(id, snapshot, data.now)?
        }
        3 if is(part, "READ") => {
            let offset = u64::try_from(integer(args.at(2))?).map_err(|_| NOT_INTEGER)?;
            backups.read(id, offset, data.now)?
        }
        2 if is(part, "END") => {
            backups.end(id, data.now)?;
            return cx.answer(Reply::Ok);
        }
        _ => return Err(unknown_or_arity("BACKUP", part)),
    };
    Ok(cx.wait(until, u64::MAX, Then::Execute))
}
