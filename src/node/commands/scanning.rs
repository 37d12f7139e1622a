//! Going through all keys, a bounded part at a time.

use super::fail::{Fail, NOT_INTEGER, SYNTAX, integer, is};
use super::{Args, Context, DONE, Executed, Outcome, Reply, Waits};
use crate::node::glob;
use crate::protocol::encode;

/// Keys that `KEYS` looks at in one turn.
const KEYS_PER_TURN: usize = 1 << 12;
/// Keys that one `SCAN` looks at, whatever `COUNT` says.
const SCAN_KEYS_MAX: usize = 1 << 12;

/// `KEYS` under way: where it is, and what it has found, as it will be sent.
#[derive(Default)]
pub(in crate::node) struct Walk {
    cursor: u64,
    found: Vec<u8>,
    count: usize,
}

pub(super) fn keys(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pattern = args.at(1);
    let Context { core, session, .. } = cx;
    let mut walk = session.walk.take().unwrap_or_default();
    let mut looks = 0;
    let dialect = session.dialect;
    while looks < KEYS_PER_TURN {
        let Walk { cursor, found, count } = &mut *walk;
        *cursor = core.store.scan(*cursor, |key| {
            looks += 1;
            if glob::matches(pattern, key) {
                *count += 1;
                encode(dialect, Reply::Value(key), found);
            }
        });
        if *cursor == 0 {
            session.answer(Reply::Array(walk.count));
            session.answer_bytes(&walk.found);
            return DONE;
        }
    }
    session.walk = Some(walk);
    // In a transaction nothing may come between.
    if session.is_executing { keys(cx, args) } else { Ok(Executed::Stopped(Waits::ForTurn)) }
}

pub(super) fn scan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    let cursor = match args.at(1) {
        b"" => Some(0),
        // As C reads it: what is below zero is counted from the largest number down.
        [b'-', text @ ..] => number(text).map(u64::wrapping_neg),
        text => number(text),
    };
    let mut cursor = cursor.ok_or(Fail::said("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut wanted) = (None, 10, true);
    let mut rest = args.from(2);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(SYNTAX)?;
        match option {
            _ if is(option, "MATCH") => pattern = Some(value),
            _ if is(option, "COUNT") => {
                count = integer(value)?;
                if count < 1 {
                    return Err(SYNTAX);
                }
            }
            _ if is(option, "TYPE") => wanted = is(value, "string"),
            _ => return Err(SYNTAX),
        }
    }
    let count = usize::try_from(count).map_err(|_| NOT_INTEGER)?.min(SCAN_KEYS_MAX);
    let Context { core, session, .. } = cx;
    let (mut looks, mut found) = (0, Vec::new());
    loop {
        cursor = core.store.scan(cursor, |key| {
            looks += 1;
            if wanted && pattern.is_none_or(|pattern| glob::matches(pattern, key)) {
                found.push(key.to_vec());
            }
        });
        if cursor == 0 || looks >= count {
            break;
        }
    }
    session.answer(Reply::Array(2));
    session.answer(Reply::Value(cursor.to_string().as_bytes()));
    session.answer(Reply::Array(found.len()));
    found.iter().for_each(|key| session.answer(Reply::Value(key)));
    DONE
}
