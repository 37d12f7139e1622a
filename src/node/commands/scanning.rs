//! Going through all keys, a bounded part at a time.
//!
//! A turn looks at as many keys as its steps allow: 4,096 that are short, fewer where the pattern has to be compared
//! with much text. A walk that has spent them goes on in the session's next turn, also in the middle of a table, so
//! that not even one of keys of 64 KiB takes longer.

use super::fail::{Fail, NOT_INTEGER, SYNTAX, integer, is};
use super::{Args, Data, Executed, Outcome, Reply, Waits};
use crate::node::steps::Steps;
use crate::node::walk::{Walk, Wanted};
use crate::protocol::glob::{Pattern, Unusable};

/// Keys that one `SCAN` looks at, whatever `COUNT` says.
const SCAN_KEYS_MAX: usize = 1 << 12;

/// Goes on with a walk until so many keys are looked at or no more are there; `None` where it has to wait for its turn.
fn go_on(cx: &mut Data<'_>, walk: Box<Walk>, looks_max: usize) -> Option<Box<Walk>> {
    let mut walk = walk;
    loop {
        let Data { keys, out, steps, .. } = cx;
        let is_whole = walk.advance(keys.store(), |key| keys.is_as_stored(key), out.dialect(), steps);
        if is_whole && (walk.cursor == 0 || walk.looks >= looks_max) {
            if let Some(view) = keys.view().filter(|_| walk.cursor == 0) {
                walk.add(view.keys(keys.selected()), out.dialect());
            }
            return Some(walk);
        }
        // In a transaction nothing may come between.
        match (cx.steps.are_spent(), cx.progress.is_executing) {
            (true, true) if cx.progress.is_scripted && cx.progress.script_turns == 0 => return None,
            (true, true) => {
                cx.progress.script_turns = cx.progress.script_turns.saturating_sub(1);
                cx.steps = Steps::new();
            }
            (true, false) => {
                cx.progress.walk = Some(walk);
                return None;
            }
            (false, _) => (),
        }
    }
}

pub(super) fn keys(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let walk = match cx.progress.walk.take() {
        Some(walk) => walk,
        None => match Pattern::parse(args.at(1)) {
            Ok(pattern) => Box::new(Walk::new(Wanted::Matching(pattern), 0)),
            // As in Redis, which goes no deeper.
            Err(Unusable::TooDeep) => return cx.answer(Reply::Array(0)),
            Err(why @ Unusable::TooComplex) => return Err(why.into()),
        },
    };
    let Some(walk) = go_on(cx, walk, usize::MAX) else { return Ok(Executed::Stopped(Waits::ForTurn)) };
    cx.out.answer(Reply::Array(walk.count));
    cx.out.answer_parts(&walk.parts, &walk.found);
    cx.done_after(0)
}

pub(super) fn scan(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    let cursor = match args.at(1) {
        b"" => Some(0),
        // As C reads it: what is below zero is counted from the largest number down.
        [b'-', text @ ..] => number(text).map(u64::wrapping_neg),
        text => number(text),
    };
    let cursor = cursor.ok_or(Fail::said("ERR invalid cursor"))?;
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
    let walk = match cx.progress.walk.take() {
        Some(walk) => walk,
        None => {
            let pattern = pattern.map(Pattern::parse).transpose()?;
            let wanted = if wanted { pattern.map_or(Wanted::All, Wanted::Matching) } else { Wanted::None };
            Box::new(Walk::new(wanted, cursor))
        }
    };
    let Some(walk) = go_on(cx, walk, count) else { return Ok(Executed::Stopped(Waits::ForTurn)) };
    cx.out.answer(Reply::Array(2));
    cx.out.answer(Reply::Value(walk.cursor.to_string().as_bytes()));
    cx.out.answer(Reply::Array(walk.count));
    cx.out.answer_parts(&walk.parts, &walk.found);
    cx.done_after(0)
}
