//! Values that are numbers.

use super::extended::Extended;
use super::fail::{Fail, NOT_FLOAT, OVERFLOW, integer};
use super::{Args, Data, Outcome, Reply};
use crate::store::Form;

/// Atomic here; of two nodes that add at once the later one wins.
pub(super) fn add(cx: &mut Data<'_>, args: Args<'_>, by: i64) -> Outcome {
    let key = args.at(1);
    let before = match cx.keys.get(key) {
        Some(value) => integer(value)?,
        None => 0,
    };
    let sum = before.checked_add(by).ok_or(OVERFLOW)?;
    cx.put(key, sum.to_string().as_bytes(), cx.keys.expiry(key))?;
    cx.notify('$', "incrby", key);
    cx.answer(Reply::Int(sum))
}

pub(super) fn incr_by(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    add(cx, args, integer(args.at(2))?)
}

pub(super) fn decr_by(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?;
    let by = by.checked_neg().ok_or(Fail::said("ERR decrement would overflow"))?;
    add(cx, args, by)
}

/// The sum as Redis writes it: see [`Extended`].
pub(super) fn incr_by_float(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let before = cx.keys.get(key).unwrap_or(b"0");
    let digits = before.len() + args.at(2).len();
    let before = Extended::parse(before).ok_or(NOT_FLOAT)?;
    let by = Extended::parse(args.at(2)).ok_or(NOT_FLOAT)?;
    let sum = before.plus(by);
    if !sum.is_finite() {
        return Err(Fail::said("ERR increment would produce NaN or Infinity"));
    }
    let sum = sum.to_string();
    cx.put(key, sum.as_bytes(), cx.keys.expiry(key))?;
    cx.note_form(key, Form::Sum);
    cx.notify('$', "incrbyfloat", key);
    cx.out.answer(Reply::Value(sum.as_bytes()));
    // Up to 5,000 digits, which are multiplied with each other.
    cx.done_after((digits + sum.len()).pow(2) / 64)
}
