//! `BITFIELD`: integers of any width at any bit of a value.

use super::bits::{NOT_OFFSET, readable, writable};
use super::fail::{Fail, SYNTAX, integer, is};
use super::{Args, DONE, Data, Outcome, Reply};
use crate::store::Form;

const NOT_TYPE: Fail =
    Fail::said("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Sat,
    Fail,
}

/// So many bits, with a sign or without.
#[derive(Clone, Copy)]
struct Field {
    bits: u32,
    signed: bool,
    offset: usize,
}

#[derive(Clone, Copy)]
enum Operation {
    Get(Field),
    Set(Field, i64, Overflow),
    IncrBy(Field, i64, Overflow),
}

pub(super) fn bitfield(cx: &mut Data<'_>, args: Args<'_>, only_reads: bool) -> Outcome {
    let operations = parse(cx, args, only_reads)?;
    let key = args.at(1);
    let mut value = cx.keys.get(key).unwrap_or_default().to_vec();
    // As Redis does it, the value grows also for what does not fit.
    let writes = operations.iter().any(|operation| !matches!(operation, Operation::Get(_)));
    let len_before = cx.keys.get(key).map(<[u8]>::len);
    let (mut changed, mut fitted_any) = (false, false);
    if !writes {
        cx.miss_absent(args.from(1).take(1));
    }
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        let (field, result, written) = match operation {
            Operation::Get(field) => (field, Some(field.read(&value)), None),
            Operation::Set(field, new, overflow) => {
                let before = field.read(&value);
                // As Redis has it: without a sign, what is below zero is a number past all others.
                let new = if field.signed { i128::from(new) } else { i128::from(new as u64) };
                let fitted = field.fit(new, overflow);
                (field, fitted.map(|_| before), fitted)
            }
            Operation::IncrBy(field, by, overflow) => {
                let fitted = field.fit(i128::from(field.read(&value)) + i128::from(by), overflow);
                (field, fitted, fitted)
            }
        };
        if !matches!(operation, Operation::Get(_)) {
            value.resize(value.len().max((field.offset + field.bits as usize).div_ceil(8)), 0);
        }
        if let Some(new) = written {
            changed |= field.read(&value) != new;
            fitted_any = true;
            field.write(&mut value, new);
        }
        results.push(result);
    }
    let changed = changed || (writes && len_before != Some(value.len()));
    if changed {
        cx.put_built(key, value, cx.keys.expiry(key))?;
    }
    if writes {
        cx.note_form(key, Form::Edited);
    }
    cx.out.answer(Reply::Array(results.len()));
    results.into_iter().for_each(|result| cx.out.answer(result.map_or(Reply::Nil, Reply::Int)));
    // Of a value that only grew for what did not fit nobody is told.
    if changed && fitted_any {
        cx.notify('$', "setbit", key);
    }
    DONE
}

fn parse(cx: &Data<'_>, args: Args<'_>, only_reads: bool) -> Result<Vec<Operation>, Fail> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut rest = args.from(2);
    while let Some(name) = rest.next() {
        if is(name, "OVERFLOW") {
            let kind = rest.next().ok_or(SYNTAX)?;
            overflow = match kind {
                _ if is(kind, "WRAP") => Overflow::Wrap,
                _ if is(kind, "SAT") => Overflow::Sat,
                _ if is(kind, "FAIL") => Overflow::Fail,
                _ => return Err(Fail::said("ERR Invalid OVERFLOW type specified")),
            };
            continue;
        }
        let (get, set, incr) = (is(name, "GET"), is(name, "SET"), is(name, "INCRBY"));
        if !get && !set && !incr {
            return Err(SYNTAX);
        }
        let (kind, offset) = (rest.next().ok_or(SYNTAX)?, rest.next().ok_or(SYNTAX)?);
        let amount = if get { None } else { Some(rest.next().ok_or(SYNTAX)?) };
        let field = Field::parse(kind, offset)?;
        // Of what is read the first bit has to be one that could be there, of what is written all.
        let end = field.offset.saturating_add(field.bits as usize);
        if field.offset >= readable(cx) || (!get && end > writable(cx)) {
            return Err(NOT_OFFSET);
        }
        let amount = amount.map(integer).transpose()?.unwrap_or_default();
        operations.push(match (get, set) {
            (true, _) => Operation::Get(field),
            (_, true) => Operation::Set(field, amount, overflow),
            (_, false) => Operation::IncrBy(field, amount, overflow),
        });
    }
    if only_reads && operations.iter().any(|operation| !matches!(operation, Operation::Get(_))) {
        return Err(Fail::said("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    Ok(operations)
}

impl Field {
    fn parse(kind: &[u8], offset: &[u8]) -> Result<Field, Fail> {
        let (signed, digits) = match kind {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(NOT_TYPE),
        };
        let bits_max = if signed { 64 } else { 63 };
        let bits = integer(digits).ok().filter(|bits| (1..=bits_max).contains(bits)).ok_or(NOT_TYPE)? as u32;
        let (times, digits) = match offset {
            [b'#', digits @ ..] => (bits as usize, digits),
            digits => (1, digits),
        };
        let offset = integer(digits).ok().and_then(|offset| usize::try_from(offset).ok()).ok_or(NOT_OFFSET)?;
        let offset = offset.checked_mul(times).ok_or(NOT_OFFSET)?;
        Ok(Field { bits, signed, offset })
    }

    fn read(self, value: &[u8]) -> i64 {
        let bit = |at: usize| value.get(at / 8).map_or(0, |byte| u64::from(byte >> (7 - at % 8) & 1));
        let raw = (self.offset..self.offset + self.bits as usize).fold(0, |sum, at| sum << 1 | bit(at));
        if self.signed {
            let unused = 64 - self.bits;
            (raw << unused) as i64 >> unused
        } else {
            raw as i64
        }
    }

    fn write(self, value: &mut [u8], number: i64) {
        for index in 0..self.bits as usize {
            let at = self.offset + index;
            let bit = number as u64 >> (self.bits as usize - 1 - index) & 1;
            let mask = 0x80 >> (at % 8);
            if bit == 1 {
                value[at / 8] |= mask;
            } else {
                value[at / 8] &= !mask;
            }
        }
    }

    /// The number that is stored for this one; `None` where it does not fit and is to be refused.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = match self.signed {
            true => (-(1_i128 << (self.bits - 1)), (1_i128 << (self.bits - 1)) - 1),
            false => (0, (1_i128 << self.bits) - 1),
        };
        if (least..=most).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Sat => Some(number.clamp(least, most) as i64),
            Overflow::Wrap => Some(((number - least).rem_euclid(most - least + 1) + least) as i64),
        }
    }
}
