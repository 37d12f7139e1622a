//! Values as rows of bits, the highest of the first byte first.

use super::fail::{Fail, SYNTAX, TOO_LONG, integer, is};
use super::strings::{range, range_within};
use super::{Args, Data, Outcome, Reply};
use crate::store::Form;

pub(super) const NOT_OFFSET: Fail = Fail::said("ERR bit offset is not an integer or out of range");
/// Bits of the longest value of Redis, which may be read: those beyond a value are zeros, however long it may get here.
const BITS_READ_MAX: usize = 1 << 32;

/// How many bits there are that may be written.
pub(super) fn writable(cx: &Data<'_>) -> usize {
    cx.keys.value_bytes_max().saturating_mul(8)
}

/// How many bits there are that may be read.
pub(super) fn readable(cx: &Data<'_>) -> usize {
    writable(cx).max(BITS_READ_MAX)
}

/// The place of a bit below this one.
fn offset(text: &[u8], bits_max: usize) -> Result<usize, Fail> {
    let offset = integer(text).ok().and_then(|offset| usize::try_from(offset).ok());
    offset.filter(|&offset| offset < bits_max).ok_or(NOT_OFFSET)
}

pub(super) fn set_bit(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let offset = offset(args.at(2), writable(cx))?;
    let bit = match integer(args.at(3)) {
        Ok(bit @ (0 | 1)) => bit == 1,
        Ok(_) | Err(_) => return Err(Fail::said("ERR bit is not an integer or out of range")),
    };
    let mut value = cx.keys.get(key).unwrap_or_default().to_vec();
    let grows = value.len() <= offset / 8;
    value.resize(value.len().max(offset / 8 + 1), 0);
    let mask = 0x80 >> (offset % 8);
    let before = value[offset / 8] & mask != 0;
    let copied = value.len();
    if before == bit && !grows {
        cx.note_form(key, Form::Edited);
        cx.answer(Reply::Int(before.into()))?;
        return cx.done_after_copying(copied);
    }
    if bit {
        value[offset / 8] |= mask;
    } else {
        value[offset / 8] &= !mask;
    }
    cx.put_built(key, value, cx.keys.expiry(key))?;
    cx.note_form(key, Form::Edited);
    cx.notify('$', "setbit", key);
    cx.answer(Reply::Int(before.into()))?;
    cx.done_after_copying(copied)
}

pub(super) fn get_bit(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let offset = offset(args.at(2), readable(cx))?;
    cx.miss_absent(args.from(1).take(1));
    let byte = cx.keys.get(args.at(1)).and_then(|value| value.get(offset / 8)).copied();
    cx.answer(Reply::Int((byte.unwrap_or_default() >> (7 - offset % 8) & 1).into()))
}

/// Whether a range counts bytes or bits.
fn counts_bits(unit: Option<&[u8]>) -> Result<bool, Fail> {
    match unit {
        None => Ok(false),
        Some(unit) if is(unit, "BYTE") => Ok(false),
        Some(unit) if is(unit, "BIT") => Ok(true),
        Some(_) => Err(SYNTAX),
    }
}

fn bit(value: &[u8], at: usize) -> bool {
    value[at / 8] >> (7 - at % 8) & 1 == 1
}

fn ones(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| byte.count_ones() as usize).sum()
}

/// How many of the first bits are ones.
fn ones_before(value: &[u8], bits: usize) -> usize {
    let part = value.get(bits / 8).map_or(0, |byte| u16::from(*byte) << (bits % 8) >> 8);
    ones(&value[..bits / 8]) + part.count_ones() as usize
}

pub(super) fn bit_count(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    cx.miss_absent(args.from(1).take(1));
    let Some(value) = cx.keys.get(args.at(1)) else { return cx.answer(Reply::Int(0)) };
    let (start, end) = match (args.get(2), args.get(3)) {
        (None, _) => (0, -1),
        (Some(_), None) => return Err(SYNTAX),
        (Some(start), Some(end)) => (integer(start)?, integer(end)?),
    };
    if args.len() > 5 {
        return Err(SYNTAX);
    }
    if start < 0 && end < 0 && start > end {
        return cx.answer(Reply::Int(0));
    }
    let bits = counts_bits(args.get(4))?;
    let len = if bits { value.len() * 8 } else { value.len() };
    let count = match range(len, start, end) {
        None => 0,
        Some(range) if bits => ones_before(value, range.end) - ones_before(value, range.start),
        Some(range) => ones(&value[range]),
    };
    let looked_at = value.len();
    cx.answer(Reply::Int(count as i64))?;
    cx.done_after(looked_at)
}

pub(super) fn bit_pos(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let wanted = match integer(args.at(2))? {
        0 => false,
        1 => true,
        _ => return Err(Fail::said("ERR The bit argument must be 1 or 0.")),
    };
    cx.miss_absent(args.from(1).take(1));
    let Some(value) = cx.keys.get(args.at(1)) else {
        return cx.answer(Reply::Int(if wanted { -1 } else { 0 }));
    };
    let start = args.get(3).map(integer).transpose()?;
    let end = args.get(4).map(integer).transpose()?;
    let bits = counts_bits(args.get(5))?;
    if args.len() > 6 {
        return Err(SYNTAX);
    }
    let len = if bits { value.len() * 8 } else { value.len() };
    let Some(range) = range_within(len, start.unwrap_or(0), end.unwrap_or(-1)) else {
        return cx.answer(Reply::Int(-1));
    };
    let range = if bits { range } else { range.start * 8..range.end * 8 };
    let (past, skipped) = (range.end, if wanted { 0x00 } else { 0xff });
    let mut at = range.start;
    let mut found = None;
    while at < range.end {
        if at.is_multiple_of(8) && at + 8 <= range.end && value[at / 8] == skipped {
            at += 8;
        } else if bit(value, at) == wanted {
            found = Some(at);
            break;
        } else {
            at += 1;
        }
    }
    // Where no end is given, the value goes on with zeros.
    let none = if !wanted && end.is_none() { past as i64 } else { -1 };
    let looked_at = (at - range.start) / 8;
    cx.answer(Reply::Int(found.map_or(none, |at| at as i64)))?;
    cx.done_after(looked_at)
}

pub(super) fn bit_op(cx: &mut Data<'_>, args: Args<'_>) -> Outcome {
    let (name, target) = (args.at(1), args.at(2));
    let operation: fn(u8, u8) -> u8 = match name {
        _ if is(name, "AND") => |one, other| one & other,
        _ if is(name, "OR") => |one, other| one | other,
        _ if is(name, "XOR") => |one, other| one ^ other,
        _ if is(name, "NOT") => |one, _| !one,
        _ => return Err(SYNTAX),
    };
    if is(name, "NOT") && args.len() != 4 {
        return Err(Fail::said("ERR BITOP NOT must be called with a single source key."));
    }
    cx.miss_absent(args.from(3));
    // What is missing, or shorter than another, goes on with zeros.
    let value = |key| cx.keys.get(key).unwrap_or_default();
    let len = args.from(3).map(|key| value(key).len()).max().unwrap_or_default();
    let mut combined = value(args.at(3)).to_vec();
    combined.resize(len, 0);
    let combine = |combined: &mut [u8], other: &[u8]| {
        let (both, rest) = combined.split_at_mut(other.len());
        both.iter_mut().zip(other).for_each(|(byte, other)| *byte = operation(*byte, *other));
        rest.iter_mut().for_each(|byte| *byte = operation(*byte, 0));
    };
    match is(name, "NOT") {
        true => combine(&mut combined, &[]),
        false => args.from(4).for_each(|key| combine(&mut combined, value(key))),
    }
    if len > cx.keys.value_bytes_max() {
        return Err(TOO_LONG);
    }
    if combined.is_empty() {
        if cx.remove(target) {
            cx.notify('g', "del", target);
        }
    } else {
        cx.put_built(target, combined, None)?;
        cx.note_form(target, Form::Edited);
        cx.notify('$', "set", target);
    }
    cx.answer(Reply::Int(len as i64))?;
    cx.done_after(len * (args.len() - 3))
}
