//! Values that are numbers.

use super::fail::{Fail, NOT_FLOAT, OVERFLOW, integer};
use super::{Args, Context, Outcome, Reply};

/// Digits after the point that a sum of floating point numbers is given with.
const FRACTION_DIGITS: i32 = 17;

/// Atomic here; of two nodes that add at once the later one wins.
pub(super) fn add(cx: &mut Context<'_>, args: Args<'_>, by: i64) -> Outcome {
    let key = args.at(1);
    let before = match cx.core.store.get(key) {
        Some(value) => integer(value)?,
        None => 0,
    };
    let sum = before.checked_add(by).ok_or(OVERFLOW)?;
    cx.put(key, sum.to_string().as_bytes(), cx.core.store.expiry(key))?;
    cx.notify('$', "incrby", key);
    cx.answer(Reply::Int(sum))
}

pub(super) fn incr_by(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(cx, args, integer(args.at(2))?)
}

pub(super) fn decr_by(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?;
    let by = by.checked_neg().ok_or(Fail::said("ERR decrement would overflow"))?;
    add(cx, args, by)
}

pub(super) fn incr_by_float(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let before = cx.core.store.get(key).unwrap_or(b"0");
    let sum = sum(before, args.at(2))?;
    cx.put(key, sum.as_bytes(), cx.core.store.expiry(key))?;
    cx.notify('$', "incrbyfloat", key);
    cx.answer(Reply::Value(sum.as_bytes()))
}

/// The sum of two numbers with fractions as Redis writes it: 17 digits after the point, zeros at the end dropped.
///
/// Redis adds numbers of 80 bits. Up to 38 digits are added here as decimals, and then rounded as those are; larger
/// ones as numbers of 64 bits.
fn sum(one: &[u8], other: &[u8]) -> Result<String, Fail> {
    let (one_float, other_float) = (float(one)?, float(other)?);
    if let Some(sum) = decimal(one).zip(decimal(other)).and_then(|(one, other)| one.checked_add(other)) {
        let unit = 10_i128.pow(FRACTION_DIGITS as u32);
        let sign = if sum < 0 { "-" } else { "" };
        let sum = rounded(sum.unsigned_abs(), unit as u128);
        let (whole, fraction) = (sum / unit as u128, sum % unit as u128);
        let text = format!("{sign}{whole}.{fraction:0width$}", width = FRACTION_DIGITS as usize);
        return Ok(trimmed(&text));
    }
    let sum = one_float + other_float;
    if !sum.is_finite() {
        return Err(Fail::said("ERR increment would produce NaN or Infinity"));
    }
    Ok(trimmed(&format!("{sum:.17}")))
}

/// What is left of a number of so many units where it is kept in 64 binary digits, as Redis does.
fn rounded(units: u128, unit: u128) -> u128 {
    let whole_bits = u128::BITS - (units / unit).leading_zeros();
    let fraction_bits = 64_u32.saturating_sub(whole_bits);
    // More of them than the decimal fraction has: nothing is lost.
    if fraction_bits >= 58 || whole_bits > 64 {
        return units;
    }
    let (whole, fraction) = (units / unit, units % unit);
    let kept = ((fraction << fraction_bits) + unit / 2) / unit;
    whole * unit + ((kept * unit + (1 << fraction_bits >> 1)) >> fraction_bits)
}

fn trimmed(text: &str) -> String {
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn float(text: &[u8]) -> Result<f64, Fail> {
    let text = std::str::from_utf8(text).map_err(|_| NOT_FLOAT)?;
    let number: f64 = text.parse().map_err(|_| NOT_FLOAT)?;
    if number.is_nan() { Err(NOT_FLOAT) } else { Ok(number) }
}

/// The number in units of the last digit that is given, rounded. `None` where it is too large.
fn decimal(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (digits, sign) = match number.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (number.strip_prefix('+').unwrap_or(number), 1),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let shift = exponent.saturating_add(FRACTION_DIGITS).saturating_sub(i32::try_from(fraction.len()).ok()?);
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let unit = 10_i128.checked_pow(shift.unsigned_abs());
    match unit {
        Some(unit) if shift < 0 => Some(value.checked_add(unit / 2)? / unit * sign),
        None if shift < 0 => Some(0),
        unit => value.checked_mul(unit?)?.checked_mul(sign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_redis_writes_them() {
        for (one, other, expected) in [
            ("10.50", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3", "-3", "0"),
            ("-1.5", "0.5", "-1"),
            ("9223372036854775807", "2.31", "9223372036854775809"),
        ] {
            assert_eq!(sum(one.as_bytes(), other.as_bytes()), Ok(expected.to_owned()), "{one} + {other}");
        }
        for text in ["", "x", "1x", " 1", "1 ", "nan"] {
            assert_eq!(sum(text.as_bytes(), b"1"), Err(NOT_FLOAT), "{text:?}");
        }
        assert!(sum(b"inf", b"1").is_err());
    }
}
