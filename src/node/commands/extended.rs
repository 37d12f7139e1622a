//! The 80-bit numbers of x86, C's `long double` there: what Redis adds numbers with fractions in.
//!
//! 64 binary digits and an exponent of 15 bits. Both operands are rounded to those before they are added, and the sum
//! is rounded once more, which shows in the 17 digits after the point that an answer has. `f64` has 53 digits and
//! ends at 1e308, and decimals do not round where these do: so it is these numbers, exactly, to the last digit.

use std::fmt;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round, Status};

/// Longest text that Redis takes for a number.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// Digits after the point of a number that is written.
const FRACTION_DIGITS: usize = 17;
/// The exponent of a number below which nothing but smaller ones are, and by how much they are moved.
const EXPONENT_BIAS: i32 = 16_383;

/// A number, or one past all of them.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Extended(X87DoubleExtended);

impl Extended {
    /// Reads a number as C's `strtold` does, to the nearest one: decimal or hexadecimal, `inf` and `infinity`. `None`
    /// where it is none, has anything before or after it, or is too large or too small to be told from zero.
    pub(super) fn parse(text: &[u8]) -> Option<Extended> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        let number = text.strip_prefix(['-', '+']).unwrap_or(text);
        let signed = |number: X87DoubleExtended| Extended(if text.starts_with('-') { -number } else { number });
        let hexadecimal = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"));
        let read = if ["inf", "infinity"].iter().any(|word| number.eq_ignore_ascii_case(word)) {
            return Some(signed(X87DoubleExtended::INFINITY));
        } else if let Some(digits) = hexadecimal {
            let exponent = if digits.contains(['p', 'P']) { "" } else { "p0" };
            X87DoubleExtended::from_str_r(&format!("0x{digits}{exponent}"), Round::NearestTiesToEven)
        } else if number.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && number.ends_with(|last: char| last.is_ascii_digit() || last == '.')
        {
            X87DoubleExtended::from_str_r(number, Round::NearestTiesToEven)
        } else {
            return None;
        };
        let read = read.ok()?;
        let is_lost = read.value.is_zero() && read.status.intersects(Status::UNDERFLOW | Status::INEXACT);
        (!read.value.is_infinite() && !is_lost).then(|| signed(read.value))
    }

    /// The largest number. The least is as far below zero.
    pub(super) fn largest() -> Extended {
        Extended(X87DoubleExtended::largest())
    }

    /// The sum, to the nearest number, or past all of them.
    pub(super) fn plus(self, other: Extended) -> Extended {
        Extended((self.0 + other.0).value)
    }

    /// The difference, to the nearest number, or past all of them.
    pub(super) fn minus(self, other: Extended) -> Extended {
        Extended((self.0 - other.0).value)
    }

    /// Whether it is a number, and not past all of them.
    pub(super) fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// As `digits * 2^exponent`, and whether it is below zero.
    fn parts(self) -> (bool, u64, i32) {
        let bits = self.0.to_bits();
        let exponent = (bits >> 64 & 0x7fff) as i32;
        // Where it is 0, the digits are those of the least exponent, without a first 1.
        (bits >> 79 & 1 == 1, bits as u64, exponent.max(1) - EXPONENT_BIAS - 63)
    }
}

impl From<i8> for Extended {
    fn from(number: i8) -> Extended {
        Extended(X87DoubleExtended::from_i128(number.into()).value)
    }
}

/// As Redis writes it for a person: 17 digits after the point, zeros at the end dropped, never an exponent.
impl fmt::Display for Extended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_negative, digits, exponent) = self.parts();
        let text = if exponent > 0 { whole(digits, exponent as u32) } else { fraction(digits, -exponent as u32) };
        let sign = if is_negative && text != "0" { "-" } else { "" };
        write!(out, "{sign}{text}")
    }
}

/// `digits / 2^shift`, to the nearest number of 17 digits after the point, of two the even one.
fn fraction(digits: u64, shift: u32) -> String {
    let unit = 10_u128.pow(FRACTION_DIGITS as u32);
    // Below 2^121, so that nothing of it is left after a shift by more.
    let units = u128::from(digits) * unit;
    let kept = units.checked_shr(shift).unwrap_or_default();
    let lost = units - kept.checked_shl(shift).unwrap_or_default();
    let half = 1_u128.checked_shl(shift).unwrap_or_default() / 2;
    let is_up = half > 0 && (lost > half || lost == half && kept % 2 == 1);
    let rounded = kept + u128::from(is_up);
    let text = format!("{}.{:0width$}", rounded / unit, rounded % unit, width = FRACTION_DIGITS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `digits * 2^shift`: up to 4,933 digits.
fn whole(digits: u64, shift: u32) -> String {
    const PART: u64 = 1_000_000_000;
    // Nine digits each, the lowest first.
    let mut parts = vec![digits % PART, digits / PART % PART, digits / PART / PART];
    let mut left = shift;
    while left > 0 {
        let step = left.min(32);
        let mut carry = 0;
        for part in &mut parts {
            let shifted = (*part << step) + carry;
            (*part, carry) = (shifted % PART, shifted / PART);
        }
        while carry > 0 {
            parts.push(carry % PART);
            carry /= PART;
        }
        left -= step;
    }
    let text: String = parts.iter().rev().map(|part| format!("{part:09}")).collect();
    let text = text.trim_start_matches('0');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(one: &str, other: &str) -> Option<String> {
        let (one, other) = (Extended::parse(one.as_bytes())?, Extended::parse(other.as_bytes())?);
        let sum = one.plus(other);
        Some(if sum.is_finite() { sum.to_string() } else { "none".to_owned() })
    }

    #[test]
    fn sums_are_those_of_redis_to_the_last_digit() {
        for (one, other, expected) in [
            ("10.50", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3", "-3", "0"),
            ("-1.5", "0.5", "-1"),
            ("-0", "-0.0", "0"),
            ("+.5", "5.", "5.5"),
            ("878334.0379", "0.01", "878334.04789999999997008"),
            ("9223372036854775807", "2.31", "9223372036854775809"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("0x10", "0X1.8P-1", "16.75"),
            // The 18th digit after the point is the last one, and a five.
            ("0x1p-18", "0", "0.00000381469726562"),
            ("0x3p-18", "0", "0.00001144409179688"),
            ("-0x3p-18", "0", "-0.00001144409179688"),
            ("1e-4940", "0", "0"),
            ("-1e-4940", "0", "0"),
            ("1e-4950", "1", "1"),
            ("0e99999999999", "-0", "0"),
            ("inf", "1", "none"),
            ("-Infinity", "INF", "none"),
            ("1e4932", "1e4932", "none"),
        ] {
            assert_eq!(sum(one, other).as_deref(), Some(expected), "{one} + {other}");
        }
        let large = sum("1e400", "1").expect("both are numbers");
        assert!(large.starts_with("1000000000000000000") && large.len() == 401, "{large}");
        let largest = sum("1.18973149535723176502e4932", "0").expect("both are numbers");
        assert!(largest.starts_with("118973149535723176502126385") && largest.len() == 4_933, "{largest}");
    }

    #[test]
    fn what_is_no_number_or_none_that_can_be_held_is_refused() {
        let (longest, longer) = ("1".repeat(TEXT_BYTES_MAX), "0".repeat(TEXT_BYTES_MAX + 1));
        assert!(Extended::parse(longest.as_bytes()).is_none(), "too large");
        assert!(Extended::parse(&longer.as_bytes()[1..]).is_some() && Extended::parse(longer.as_bytes()).is_none());
        for text in [
            "",
            "x",
            "1x",
            " 1",
            "1 ",
            "nan",
            "NaN",
            "nan(1)",
            "-nan",
            "snan",
            "+-1",
            "--1",
            "1e",
            "1e+",
            "e5",
            ".",
            "+",
            "1.2.3",
            "0x",
            "0x.",
            "0x1p",
            "0x1p+",
            "0xg",
            "1e1.5",
            "infin",
            "infinity1",
            "+ 1",
            "1\0",
            "1_000",
            "1,5",
            "1e5000",
            "-1e5000",
            "1e99999999999999999999",
            "1e-5000",
            "-1e-99999999999999999999",
            "0x1p16384",
            "0x1p-20000",
            "\u{661}",
        ] {
            assert!(Extended::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(Extended::parse(b"\xff").is_none());
    }
}
