//! Expiration: when a key goes by itself.

use super::fail::{Fail, integer, is, printable};
use super::{Args, Command, Context, DONE, Data, Outcome, Reply};
use crate::node::Now;
use crate::store::Database;
use crate::store::Value;

/// `EX`, `PX`, `EXAT` or `PXAT`, and the time it was given.
#[derive(Clone, Copy)]
pub(super) struct Deadline<'a> {
    unit_ms: i64,
    is_relative: bool,
    time: &'a [u8],
}

impl<'a> Deadline<'a> {
    pub(super) fn named(name: &[u8]) -> Option<Deadline<'a>> {
        let kinds = [("EX", 1000, true), ("PX", 1, true), ("EXAT", 1000, false), ("PXAT", 1, false)];
        let found = kinds.into_iter().find(|(word, ..)| is(name, word));
        found.map(|(_, unit_ms, is_relative)| Deadline { unit_ms, is_relative, time: &[] })
    }

    pub(super) fn with(self, time: &'a [u8]) -> Deadline<'a> {
        Deadline { time, ..self }
    }

    /// In unix milliseconds.
    pub(super) fn resolve(self, command: Command, now: Now) -> Result<u64, Fail> {
        let time = integer(self.time)?;
        if self.is_relative {
            return after(time, self.unit_ms, command, now);
        }
        let at = time.checked_mul(self.unit_ms).filter(|&at| at > 0).ok_or_else(|| invalid(command))?;
        Ok(at as u64)
    }
}

/// The unix milliseconds after so many units.
pub(super) fn after(time: i64, unit_ms: i64, command: Command, now: Now) -> Result<u64, Fail> {
    let at = time.checked_mul(unit_ms).and_then(|ms| ms.checked_add(now.unix_ms as i64));
    at.filter(|_| time > 0).map(|at| at as u64).ok_or_else(|| invalid(command))
}

fn invalid(command: Command) -> Fail {
    format!("ERR invalid expire time in '{}' command", command.describe().name).into()
}

/// `EXPIRE` and its like.
pub(super) fn expire(cx: &mut Data<'_>, args: Args<'_>, unit_ms: i64, is_relative: bool) -> Outcome {
    let command = match (unit_ms, is_relative) {
        (1, true) => Command::PExpire,
        (1, false) => Command::PExpireAt,
        (_, true) => Command::Expire,
        (_, false) => Command::ExpireAt,
    };
    let key = args.at(1);
    let conditions = conditions(args)?;
    let time = integer(args.at(2))?;
    let base = if is_relative { cx.now.unix_ms as i64 } else { 0 };
    let at = time.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base)).ok_or_else(|| invalid(command))?;
    let Some(value) = cx.keys.value(key).map(Value::lend) else {
        return cx.answer(Reply::Done(false));
    };
    let before = cx.keys.expiry(key);
    let Conditions { nx, xx, gt, lt } = conditions;
    let later = before.is_some_and(|before| at > before as i64);
    let earlier = before.is_none_or(|before| at < before as i64);
    if (nx && before.is_some()) || (xx && before.is_none()) || (gt && !later) || (lt && !earlier) {
        return cx.answer(Reply::Done(false));
    }
    if at <= cx.now.unix_ms as i64 {
        cx.remove(key);
        cx.notify('g', "del", key);
    } else {
        cx.put_expiry(key, &value, Some(at as u64))?;
        cx.out.answer(Reply::Done(true));
        cx.notify('g', "expire", key);
        return DONE;
    }
    cx.answer(Reply::Done(true))
}

#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

fn conditions(args: Args<'_>) -> Result<Conditions, Fail> {
    let mut given = Conditions::default();
    for option in args.from(3) {
        match option {
            _ if is(option, "NX") => given.nx = true,
            _ if is(option, "XX") => given.xx = true,
            _ if is(option, "GT") => given.gt = true,
            _ if is(option, "LT") => given.lt = true,
            _ => return Err(format!("ERR Unsupported option {}", printable(option)).into()),
        }
    }
    let Conditions { nx, xx, gt, lt } = given;
    if nx && (xx || gt || lt) {
        return Err(Fail::said("ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    if gt && lt {
        return Err(Fail::said("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(given)
}

/// `TTL` and its like.
pub(super) fn ttl(cx: &mut Data<'_>, args: Args<'_>, unit_ms: u64, is_relative: bool) -> Outcome {
    let key = args.at(1);
    if cx.keys.get(key).is_none() {
        cx.miss(key);
        let none = if cx.out.dialect().follows_redis() { Reply::Int(-2) } else { Reply::Nil };
        return cx.answer(none);
    }
    let Some(expiry) = cx.keys.expiry(key) else { return cx.answer(Reply::Int(-1)) };
    let ms = if is_relative { expiry.saturating_sub(cx.now.unix_ms) } else { expiry };
    // To the nearest second.
    cx.answer(Reply::Int(((ms + unit_ms / 2) / unit_ms) as i64))
}

pub(super) fn persist(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let value = cx.keys.value(key).map(Value::lend);
    let (Some(value), Some(_)) = (value, cx.keys.expiry(key)) else { return cx.answer(Reply::Int(0)) };
    cx.put_expiry(key, &value, None)?;
    cx.notify('g', "persist", key);
    cx.answer(Reply::Int(1))
}

impl Context<'_> {
    /// Turns those keys of a request into deletions that have expired; where it goes through all keys, some of them.
    #[cold]
    pub(super) fn expire_keys(&mut self, command: Command, args: Args<'_>) {
        let mut expired: Vec<(Database, Vec<u8>)> = Vec::new();
        let is_scan = command == Command::Scan;
        self.keys.replica_mut().expire(is_scan, command.keys(args), |database, key| {
            expired.push((database, key.to_vec()));
        });
        self.metrics.keys_expired += expired.len() as u64;
        expired.iter().for_each(|(database, key)| self.notify_of('x', "expired", *database, key));
    }
}
