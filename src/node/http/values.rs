//! `/v1/keys/<key>`: one key, its value as raw bytes, and the tag that says which value that is.
//!
//! Each of the three stands for a command, which is admitted first: whether a key is there is not told to who may not
//! know. The conditions of the request are looked at then, in the same step as what depends on them is done.

use std::cell::Cell;

use bytes::Bytes;

use super::asked::{Asked, Handled, Refused, select};
use crate::http::Wrong;
use crate::http::answer::{Answer, BYTES};
use crate::http::conditions::{tag, unmet};
use crate::http::target::{number, switch};
use crate::node::commands::context::Context;
use crate::node::commands::fail::Fail;
use crate::node::commands::{Executed, execute, perform};
use crate::protocol::{Args, Command, Request, Scratch};
use crate::store::value::SHARED_BYTES_MIN;

const NO_KEY: Wrong = Wrong::new(400, "the empty key is reserved: /v1/keys/<key>");
const NOT_THERE: Wrong = Wrong::new(404, "there is no such key");
const UNMET: Wrong = Wrong::new(412, "the key is not as the request wants it to be");

/// What there is to answer once a command has run.
type Verdict = Result<Option<Answer>, Refused>;

/// The value of a key.
pub(super) fn get(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [db] = asked.target.parameters(["db"])?;
    select(cx, db.as_deref())?;
    let mut scratch = Scratch::default();
    scratch.push(b"GET");
    scratch.push(key_of(asked)?);
    run(cx, asked, Command::Get, scratch.args(), |cx, _, args| Ok(read(cx, asked, args.at(1))))
}

/// Gives a key a value.
pub(super) fn put(cx: &mut Context<'_>, asked: &Asked<'_>, body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let names = ["ttl_ms", "expires_unix_ms", "nx", "xx", "undo", "db"];
    let [ttl_ms, expires_unix_ms, nx, xx, undo, db] = asked.target.parameters(names)?;
    select(cx, db.as_deref())?;
    let (is_new, is_old) = (switch(nx.as_deref())?, switch(xx.as_deref())?);
    let expiry: Option<(&[u8], String)> = match (ttl_ms.as_deref(), expires_unix_ms.as_deref()) {
        (None, None) => None,
        (Some(ms), None) => Some((b"PX", number(ms)?.to_string())),
        (None, Some(ms)) => Some((b"PXAT", number(ms)?.to_string())),
        (Some(_), Some(_)) => return Err(Wrong::new(400, "a value has one expiry: ttl_ms or expires_unix_ms").into()),
    };
    let key = key_of(asked)?;
    // A large value stays where it was received: what else the command is told stands behind it.
    let value_bytes = body.len();
    let mut text = std::mem::take(body);
    let mut push = |word: &[u8]| {
        text.extend_from_slice(word);
        text.len() - word.len()..text.len()
    };
    let mut spans = vec![push(b"SET"), push(key), 0..value_bytes];
    if let Some((word, ms)) = &expiry {
        spans.extend([push(word), push(ms.as_bytes())]);
    }
    let text = Bytes::from(text);
    cx.whole = (value_bytes >= SHARED_BYTES_MIN).then(|| text.clone());
    let handled = run(cx, asked, Command::Set, Args::new(&text, &spans), |cx, command, args| {
        let before = tag_of(cx, args.at(1));
        Ok(match unmet(asked.head, before.as_deref()) {
            Err(wrong) => Err(wrong.into()),
            Ok(Some(_)) => Err(UNMET.into()),
            Ok(None) if (is_new && before.is_some()) || (is_old && before.is_none()) => Err(UNMET.into()),
            Ok(None) if undo.as_deref().is_some_and(|tag| !is_deleted_by(cx, args.at(1), tag)) => Err(UNMET.into()),
            Ok(None) => {
                execute(cx, command, args)?;
                let answer = Answer::new(if before.is_some() { 204 } else { 201 }, BYTES);
                let tag = tag_of(cx, args.at(1));
                Ok(Some(tag.into_iter().fold(answer, |answer, tag| answer.with("ETag", tag))))
            }
        })
    });
    cx.whole = None;
    if let Ok(Handled::Waits(_)) = handled {
        *body = Vec::from(text);
        body.truncate(value_bytes);
    }
    handled
}

/// Forgets a key. The tag of the answer is the deletion's; where it may be undone ([`put`] with that tag) it is remembered
/// for a minute at least.
pub(super) fn delete(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [undoable, db] = asked.target.parameters(["undoable", "db"])?;
    let is_kept = switch(undoable.as_deref())?;
    select(cx, db.as_deref())?;
    let mut scratch = Scratch::default();
    scratch.push(b"DEL");
    scratch.push(key_of(asked)?);
    run(cx, asked, Command::Del, scratch.args(), |cx, command, args| {
        let before = tag_of(cx, args.at(1));
        Ok(match unmet(asked.head, before.as_deref()) {
            Err(wrong) => Err(wrong.into()),
            Ok(Some(_)) => Err(UNMET.into()),
            Ok(None) if before.is_none() => Err(NOT_THERE.into()),
            Ok(None) => {
                execute(cx, command, args)?;
                let stamp = cx.keys.store().state(args.at(1)).map(|deletion| deletion.stamp);
                let now = cx.now;
                if let Some(stamp) = stamp.filter(|_| is_kept) {
                    cx.keys.replica_mut().keep_deletion(stamp, now);
                }
                let answer = Answer::new(204, BYTES);
                Ok(Some(stamp.into_iter().fold(answer, |answer, stamp| answer.with("ETag", tag(stamp)))))
            }
        })
    })
}

fn key_of<'a>(asked: &'a Asked<'_>) -> Result<&'a [u8], Refused> {
    if asked.rest.is_empty() { Err(NO_KEY.into()) } else { Ok(&asked.rest) }
}

fn tag_of(cx: &Context<'_>, key: &[u8]) -> Option<String> {
    cx.keys.store().state(key).filter(|state| state.value.is_some()).map(|state| tag(state.stamp))
}

/// Whether the key is as this deletion left it. Its tag may come without its quotes.
fn is_deleted_by(cx: &Context<'_>, key: &[u8], wanted: &[u8]) -> bool {
    let state = cx.keys.store().state(key).filter(|state| state.value.is_none());
    state.is_some_and(|state| {
        let tag = tag(state.stamp);
        wanted == tag.as_bytes() || wanted == tag.trim_matches('"').as_bytes()
    })
}

/// Runs a command by `execute`, and writes the answer that this leaves, if it has not written one.
fn run(
    cx: &mut Context<'_>,
    asked: &Asked<'_>,
    command: Command,
    args: Args<'_>,
    execute: impl FnOnce(&mut Context<'_>, Command, Args<'_>) -> Result<Verdict, Fail>,
) -> Result<Handled, Refused> {
    let request = Request { command: Some(command), args };
    let verdict = Cell::new(Ok(None));
    let execute = |cx: &mut Context<'_>, command, args: Args<'_>| {
        verdict.set(execute(cx, command, args)?);
        Ok(Executed::Answered)
    };
    let executed = perform(cx, request, execute, |cx, outcome| {
        cx.out.take_parts();
        match outcome.map_err(Refused::from).and_then(|()| verdict.replace(Ok(None))) {
            Ok(None) => (),
            Ok(Some(answer)) => asked.answer_empty(cx, &answer),
            Err(refused) => refused.write(asked.manner, cx.out.bytes()),
        }
    });
    Ok(match executed {
        Executed::Stopped(waits) => Handled::Waits(waits),
        Executed::Exhausted => Handled::Exhausted,
        Executed::Answered | Executed::Ended | Executed::Waiting(_) => Handled::Answered,
    })
}

/// Writes the value, or that there is nothing new.
fn read(cx: &mut Context<'_>, asked: &Asked<'_>, key: &[u8]) -> Verdict {
    let Some(state) = cx.keys.store().state(key).filter(|state| state.value.is_some()) else {
        cx.metrics.misses += 1;
        cx.miss(key);
        return match unmet(asked.head, None)? {
            Some(_) => Err(UNMET.into()),
            None => Err(NOT_THERE.into()),
        };
    };
    let (tag, expiry) = (tag(state.stamp), state.expiry);
    cx.metrics.hits += 1;
    let mut answer = Answer::ok(BYTES).with("ETag", &tag);
    if let Some(expiry) = expiry {
        answer = answer.with("TTL-Ms", expiry.get().saturating_sub(cx.now.unix_ms));
    }
    match unmet(asked.head, Some(&tag))? {
        Some(304) => return Ok(Some(Answer::new(304, BYTES).with("ETag", &tag))),
        Some(_) => return Err(UNMET.into()),
        None => (),
    }
    let data = &mut cx.data;
    let Some(value) = data.keys.store().value(key) else { return Err(NOT_THERE.into()) };
    answer.write_head(asked.manner, value.len(), data.out.bytes());
    if !asked.manner.is_head {
        data.out.answer_body(value);
    }
    Ok(None)
}
