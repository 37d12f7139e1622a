//! Several keys in one request: read one after the other, set as one.

use super::expiring::Deadline;
use super::fail::{Fail, SYNTAX, is, wrong_arity};
use super::strings::answer_value;
use super::{Args, Command, DONE, Data, Outcome, Reply};
use crate::node::keyspace::Keyspace;
use crate::protocol::Refusal;
use crate::protocol::command::number_of_keys;

/// When keys that are set go by themselves.
#[derive(Clone, Copy)]
enum Expiry {
    Never,
    /// When what they had before would have.
    Kept,
    /// In unix milliseconds.
    At(u64),
}

impl Expiry {
    fn of(self, keys: &Keyspace, key: &[u8]) -> Option<u64> {
        match self {
            Expiry::Never => None,
            Expiry::Kept => keys.expiry(key),
            Expiry::At(unix_ms) => Some(unix_ms),
        }
    }
}

pub(super) fn mget(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    cx.out.answer(Reply::Array(args.len() - 1));
    args.from(1).for_each(|key| answer_value(cx, key));
    DONE
}

pub(super) fn mset(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    put_all(cx, all_pairs(args, Command::MSet)?, Expiry::Never)?;
    cx.answer(Reply::Ok)
}

pub(super) fn mset_nx(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let pairs = all_pairs(args, Command::MSetNx)?;
    let is_done = all_are_there(cx, pairs.clone(), false);
    if is_done {
        put_all(cx, pairs, Expiry::Never)?;
    }
    cx.answer(Reply::Int(is_done.into()))
}

pub(super) fn mset_ex(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let count = number_of_keys(args).ok_or(Fail::said("ERR invalid numkeys value"))?;
    let end = 2 + 2 * count;
    if args.len() < end {
        return Err(Fail::said("ERR wrong number of key-value pairs"));
    }
    let pairs = pairs(args.rest(2)).take(count);
    let Asked { be_there, keeps_ttl, expires } = Asked::parse(args.rest(end))?;
    let expiry = match expires {
        Some(expires) => Expiry::At(expires.resolve(Command::MSetEx, cx.now)?),
        None if keeps_ttl => Expiry::Kept,
        None => Expiry::Never,
    };
    let is_done = be_there.is_none_or(|be_there| all_are_there(cx, pairs.clone(), be_there));
    if is_done {
        put_all(cx, pairs, expiry)?;
    }
    cx.answer(Reply::Int(is_done.into()))
}

/// What `MSETEX` was asked to do beside setting.
#[derive(Default)]
struct Asked<'a> {
    /// Whether all keys have to be there before, or none.
    be_there: Option<bool>,
    keeps_ttl: bool,
    expires: Option<Deadline<'a>>,
}

impl<'a> Asked<'a> {
    fn parse(options: Args<'a>) -> Result<Asked<'a>, Fail> {
        let mut asked = Asked::default();
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            match option {
                _ if is(option, "NX") && asked.be_there != Some(true) => asked.be_there = Some(false),
                _ if is(option, "XX") && asked.be_there != Some(false) => asked.be_there = Some(true),
                _ if is(option, "KEEPTTL") && asked.expires.is_none() => asked.keeps_ttl = true,
                _ => {
                    let deadline = Deadline::named(option).filter(|_| asked.expires.is_none() && !asked.keeps_ttl);
                    asked.expires = Some(deadline.ok_or(SYNTAX)?.with(rest.next().ok_or(SYNTAX)?));
                }
            }
        }
        Ok(asked)
    }
}

/// Keys and values in turn.
fn pairs<'a>(args: Args<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone + use<'a> {
    args.iter().step_by(2).zip(args.from(1).step_by(2))
}

/// All that follows the name, where each key has its value.
fn all_pairs<'a>(
    args: Args<'a>,
    command: Command,
) -> Result<impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone + use<'a>, Fail> {
    if args.len().is_multiple_of(2) { Err(wrong_arity(command)) } else { Ok(pairs(args.rest(1))) }
}

fn all_are_there<'a>(cx: &Data<'_>, mut pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>, be_there: bool) -> bool {
    pairs.all(|(key, _)| cx.keys.get(key).is_some() == be_there)
}

/// Sets all, or none where the limits do not allow all.
fn put_all<'a>(
    cx: &mut Data<'_>,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    expiry: Expiry,
) -> Result<(), Fail> {
    for (key, value) in pairs.clone() {
        cx.check(key, value)?;
    }
    let keys = &*cx.keys;
    if !keys.has_room(pairs.clone().map(|(key, value)| (key, value.len(), expiry.of(keys, key).is_some()))) {
        return Err(Refusal::OutOfMemory.into());
    }
    for (key, value) in pairs {
        let expiry_ms = expiry.of(cx.keys, key);
        cx.put_arg(key, value, expiry_ms)?;
        cx.notify('$', "set", key);
        if let Expiry::At(_) = expiry {
            cx.notify('g', "expire", key);
        }
    }
    Ok(())
}
