//! What a statistic is: of which kind, in which unit, and the ways in which its value is written.
//!
//! A value is typed, so that a form that wants numbers gets numbers. It does not know where values come from.

use std::borrow::Cow;
use std::fmt::{Display, Formatter, Result, Write};

/// How a statistic goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It rises from the start, or from `CONFIG RESETSTAT`, on.
    Counter,
    /// It rises and falls.
    Gauge,
    /// A text.
    Text,
    /// Many durations: how many there were of about which length.
    Histogram,
}

/// What is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that the name says, or none.
    One,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
}

/// What a statistic is at a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number that is never negative.
    Count(u64),
    /// A number that may be negative.
    Signed(i64),
    /// A number with a fraction.
    Fraction(f64),
    /// Whether it is so.
    Flag(bool),
    /// A text.
    Text(Cow<'a, str>),
    /// There is none of it.
    Nothing,
    /// It is not known: no number, so that no alert is silent.
    Unknown,
}

impl Value<'_> {
    /// Whether it says no more than if it were not there.
    pub fn is_zero(&self) -> bool {
        matches!(self, Value::Count(0) | Value::Nothing)
    }
}

impl Display for Value<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Value::Count(number) => write!(out, "{number}"),
            Value::Signed(number) => write!(out, "{number}"),
            Value::Fraction(number) => write!(out, "{number:.2}"),
            Value::Flag(is_so) => out.write_str(if *is_so { "yes" } else { "no" }),
            // Others may have given it, and a value is one line.
            Value::Text(text) => {
                text.chars().try_for_each(|c| out.write_char(if "\r\n".contains(c) { ' ' } else { c }))
            }
            Value::Nothing => out.write_str("none"),
            Value::Unknown => out.write_str("unknown"),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Count(number)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Value::Count(number as u64)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Signed(number)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Fraction(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        Value::Flag(is_so)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

/// How Redis writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// Bytes for a person: `1.50K`.
    Human,
    /// In a unit that is so many times as large, rounded down.
    Whole(u64),
    /// In a unit that is so many times as large, with two digits after the point.
    Hundredths(u64),
    /// Microseconds in seconds, all six digits.
    Seconds,
    /// With three digits after the point.
    Thousandths,
    /// 0 or 1.
    Bit,
    /// `ok` where there is none of it, `err` where there is.
    Verdict,
}

impl Shown {
    /// A value, so written.
    pub fn write(self, value: &Value<'_>, out: &mut String) {
        let number = match value {
            Value::Count(number) => Some(*number),
            _ => None,
        };
        let written = match (self, number) {
            (Shown::Thousandths, _) => match value {
                Value::Fraction(number) => write!(out, "{number:.3}"),
                other => write!(out, "{other}"),
            },
            (Shown::Human, Some(bytes)) => human(bytes, out),
            (Shown::Whole(times), Some(number)) => write!(out, "{}", number / times),
            (Shown::Hundredths(times), Some(number)) => write!(out, "{:.2}", number as f64 / times as f64),
            (Shown::Seconds, Some(us)) => write!(out, "{}.{:06}", us / 1_000_000, us % 1_000_000),
            (Shown::Bit, _) => write!(out, "{}", u8::from(*value == Value::Flag(true))),
            (Shown::Verdict, _) => out.write_str(if *value == Value::Nothing { "ok" } else { "err" }),
            _ => write!(out, "{value}"),
        };
        written.expect("memory takes all");
    }
}

fn human(bytes: u64, out: &mut String) -> Result {
    let Some((power, unit)) =
        [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')].into_iter().find(|(power, _)| bytes >> power > 0)
    else {
        return write!(out, "{bytes}B");
    };
    write!(out, "{:.2}{unit}", bytes as f64 / (1_u64 << power) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(shown: Shown, value: impl Into<Value<'static>>) -> String {
        let mut out = String::new();
        shown.write(&value.into(), &mut out);
        out
    }

    #[test]
    fn bytes_are_written_for_a_person_as_redis_writes_them() {
        let cases = [
            (0_u64, "0B"),
            (1_023, "1023B"),
            (1_024, "1.00K"),
            (941_136, "919.08K"),
            (12_152_832, "11.59M"),
            (25_276_063_744, "23.54G"),
            (5 << 40, "5.00T"),
        ];
        cases.into_iter().for_each(|(bytes, text)| assert_eq!(shown(Shown::Human, bytes), text));
    }

    #[test]
    fn a_number_is_written_in_a_larger_unit_with_as_many_digits_as_redis_has() {
        assert_eq!(shown(Shown::Whole(1_000), 1_999_u64), "1");
        assert_eq!(shown(Shown::Hundredths(1_024), 1_536_u64), "1.50");
        assert_eq!(shown(Shown::Seconds, 12_000_813_u64), "12.000813");
        assert_eq!([shown(Shown::Plain, 13.8749), shown(Shown::Thousandths, 0.2084)], ["13.87", "0.208"]);
        assert_eq!([shown(Shown::Bit, true), shown(Shown::Bit, false), shown(Shown::Plain, true)], ["1", "0", "yes"]);
        assert_eq!([shown(Shown::Verdict, Value::Nothing), shown(Shown::Verdict, "full")], ["ok", "err"]);
    }

    #[test]
    fn what_is_not_known_is_no_number_however_it_is_written() {
        for how in [Shown::Plain, Shown::Human, Shown::Whole(2), Shown::Hundredths(2), Shown::Seconds] {
            assert_eq!(shown(how, Value::Unknown), "unknown");
        }
    }

    #[test]
    fn a_text_of_several_lines_becomes_one() {
        assert_eq!(shown(Shown::Plain, "a\r\nb\nc".to_owned()), "a  b c");
    }
}
