//! Going through all keys, a bounded part at a time.
//!
//! A turn looks at as many keys as its steps allow: 4,096 that are short, fewer where the pattern has to be compared
//! with much text. A walk that has spent them goes on in the session's next turn, also in the middle of a table, so
//! that not even one of keys of 64 KiB takes longer.

use super::fail::{Fail, NOT_INTEGER, SYNTAX, integer, is};
use super::{Args, Context, Executed, Outcome, Reply, Waits};
use crate::node::glob::{Pattern, Unusable};
use crate::node::steps::{STEPS_PER_LOOK, Steps};
use crate::protocol::Dialect;
use crate::protocol::json::answer::Parts;
use crate::store::Store;

/// Keys that one `SCAN` looks at, whatever `COUNT` says.
const SCAN_KEYS_MAX: usize = 1 << 12;
/// A cursor that is past all.
const CURSOR_END: u64 = 1 << 32;

/// `KEYS` or `SCAN` under way: where it is, and what it has found, as it will be sent.
pub(in crate::node) struct Walk {
    wanted: Wanted,
    cursor: u64,
    /// Parts that the walk is in the middle of, each within the one before it.
    partly: Vec<Partly>,
    looks: usize,
    found: Vec<u8>,
    parts: Parts,
    count: usize,
}

/// Which keys are looked for.
enum Wanted {
    All,
    None,
    Matching(Pattern),
}

/// A part of all keys, up to a cursor, in which the keys up to a slot are done. A key keeps its slot, and a table that
/// is split meanwhile stays within its part.
struct Partly {
    until: u64,
    slot: u32,
}

impl Walk {
    fn new(wanted: Wanted, cursor: u64) -> Walk {
        Walk { wanted, cursor, partly: Vec::new(), looks: 0, found: Vec::new(), parts: Parts::default(), count: 0 }
    }

    /// Looks at the keys of one table, as far as there are steps for it. Returns whether those were all of the table.
    fn advance(&mut self, store: &Store, dialect: Dialect, steps: &mut Steps) -> bool {
        let done = self.partly.last().map(|partly| partly.slot);
        let mut keys = Vec::new();
        let next = store.scan_slots(self.cursor, |slot, key| {
            if done.is_none_or(|done| slot > done) {
                keys.push((slot, key));
            }
        });
        let cost = |key: &[u8]| match &self.wanted {
            Wanted::Matching(pattern) => STEPS_PER_LOOK + pattern.steps(key.len()),
            Wanted::All | Wanted::None => STEPS_PER_LOOK,
        };
        let until = if next == 0 { CURSOR_END } else { next };
        if keys.iter().map(|(_, key)| cost(key)).sum::<usize>() > steps.left() {
            keys.sort_unstable_by_key(|(slot, _)| *slot);
        }
        let mut last = done;
        for (slot, key) in keys {
            if steps.are_spent() {
                if self.partly.last().is_some_and(|partly| partly.until == until) {
                    self.partly.pop();
                }
                self.partly.extend(last.map(|slot| Partly { until, slot }));
                return false;
            }
            steps.spend(cost(key));
            self.looks += 1;
            last = Some(slot);
            let is_wanted = match &self.wanted {
                Wanted::All => true,
                Wanted::None => false,
                Wanted::Matching(pattern) => pattern.matches(key),
            };
            if is_wanted {
                self.count += 1;
                dialect.answer(Reply::Value(key), &mut self.parts, &mut self.found);
            }
        }
        self.partly.retain(|partly| partly.until > until);
        self.cursor = next;
        true
    }
}

/// Goes on with a walk until so many keys are looked at or no more are there; `None` where it has to wait for its turn.
fn go_on(cx: &mut Context<'_>, walk: Box<Walk>, looks_max: usize) -> Option<Box<Walk>> {
    let mut walk = walk;
    loop {
        let is_whole = walk.advance(&cx.core.store, cx.session.dialect(), &mut cx.core.steps);
        if is_whole && (walk.cursor == 0 || walk.looks >= looks_max) {
            return Some(walk);
        }
        // In a transaction nothing may come between.
        match (cx.core.steps.are_spent(), cx.session.is_executing) {
            (true, true) => cx.core.steps.begin(),
            (true, false) => {
                cx.session.walk = Some(walk);
                return None;
            }
            (false, _) => (),
        }
    }
}

pub(super) fn keys(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let walk = match cx.session.walk.take() {
        Some(walk) => walk,
        None => match Pattern::parse(args.at(1)) {
            Ok(pattern) => Box::new(Walk::new(Wanted::Matching(pattern), 0)),
            // As in Redis, which goes no deeper.
            Err(Unusable::TooDeep) => return cx.answer(Reply::Array(0)),
            Err(why @ Unusable::TooComplex) => return Err(why.into()),
        },
    };
    let Some(walk) = go_on(cx, walk, usize::MAX) else { return Ok(Executed::Stopped(Waits::ForTurn)) };
    cx.session.answer(Reply::Array(walk.count));
    cx.session.answer_parts(&walk.parts, &walk.found);
    cx.done_after(0)
}

pub(super) fn scan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
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
    let walk = match cx.session.walk.take() {
        Some(walk) => walk,
        None => {
            let pattern = pattern.map(Pattern::parse).transpose()?;
            let wanted = if wanted { pattern.map_or(Wanted::All, Wanted::Matching) } else { Wanted::None };
            Box::new(Walk::new(wanted, cursor))
        }
    };
    let Some(walk) = go_on(cx, walk, count) else { return Ok(Executed::Stopped(Waits::ForTurn)) };
    cx.session.answer(Reply::Array(2));
    cx.session.answer(Reply::Value(walk.cursor.to_string().as_bytes()));
    cx.session.answer(Reply::Array(walk.count));
    cx.session.answer_parts(&walk.parts, &walk.found);
    cx.done_after(0)
}
