//! How figures are written: headers, labels, numbers.

use std::io::Write;

use super::form::Form;
use crate::metrics::durations::Durations;
use crate::metrics::statistic::{Unit, Value};
use crate::node::statistics::Type;

/// A page under way.
pub(super) struct Text<'a> {
    pub(super) form: Form,
    pub(super) out: &'a mut Vec<u8>,
}

/// Names and values.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

impl Text<'_> {
    /// What comes before the figures of a family.
    pub(super) fn header(&mut self, family: &str, kind: Type, unit: Option<&str>, help: &str) {
        let (suffix, kind) = match (self.form, kind) {
            (Form::Prometheus, Type::Counter) => ("_total", "counter"),
            (Form::Prometheus, Type::Info) => ("_info", "gauge"),
            (Form::OpenMetrics, Type::Counter) => ("", "counter"),
            (Form::OpenMetrics, Type::Info) => ("", "info"),
            (_, Type::Gauge) => ("", "gauge"),
            (_, Type::Histogram) => ("", "histogram"),
            (_, Type::Summary) => ("", "summary"),
        };
        self.put(&["# TYPE ", family, suffix, " ", kind, "\n"]);
        if let (Form::OpenMetrics, Some(unit)) = (self.form, unit) {
            self.put(&["# UNIT ", family, " ", unit, "\n"]);
        }
        self.put(&["# HELP ", family, suffix, " "]);
        let quote = match self.form {
            Form::Prometheus => "",
            Form::OpenMetrics => "\"",
        };
        self.escape(help, quote);
        self.put(&["\n"]);
    }

    /// One figure. Nothing where it is not known: a collector notices that it is not there.
    pub(super) fn sample(&mut self, family: &str, kind: Type, labels: &Labels<'_>, value: &Value<'_>, unit: Unit) {
        let begin = self.out.len();
        let suffix = match kind {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram | Type::Summary => "",
        };
        self.name(family, suffix, labels);
        if !self.number(value, unit) {
            return self.out.truncate(begin);
        }
        self.put(&["\n"]);
    }

    /// Many durations in the buckets that are the same for ever.
    pub(super) fn histogram(&mut self, family: &str, durations: &Durations) {
        for (us, below) in durations.below_each_power() {
            let mut end = Vec::with_capacity(16);
            fraction(&mut end, us, 1_000_000);
            let end = String::from_utf8_lossy(&end);
            self.name(family, "_bucket", &[("le", &end)]);
            self.line(below, Unit::One);
        }
        self.name(family, "_bucket", &[("le", "+Inf")]);
        self.line(durations.count(), Unit::One);
        self.name(family, "_sum", &[]);
        self.line(durations.sum(), Unit::Microseconds);
        self.name(family, "_count", &[]);
        self.line(durations.count(), Unit::One);
    }

    /// The end of the page.
    pub(super) fn end(&mut self) {
        if self.form == Form::OpenMetrics {
            self.put(&["# EOF\n"]);
        }
    }

    fn name(&mut self, family: &str, suffix: &str, labels: &Labels<'_>) {
        self.put(&[family, suffix]);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.put(&[if place == 0 { "{" } else { "," }, name, "=\""]);
            self.escape(value, "\"");
            self.put(&["\""]);
        }
        self.put(&[if labels.is_empty() { " " } else { "} " }]);
    }

    fn line(&mut self, number: u64, unit: Unit) {
        self.number(&Value::Count(number), unit);
        self.put(&["\n"]);
    }

    /// Returns whether it is one.
    fn number(&mut self, value: &Value<'_>, unit: Unit) -> bool {
        let per_base = match unit {
            Unit::One | Unit::Bytes | Unit::Seconds => 1,
            Unit::Milliseconds => 1_000,
            Unit::Microseconds => 1_000_000,
        };
        match value {
            Value::Count(number) => fraction(self.out, *number, per_base),
            Value::Signed(number) => {
                self.put(&[if *number < 0 { "-" } else { "" }]);
                fraction(self.out, number.unsigned_abs(), per_base);
            }
            Value::Fraction(number) => {
                write!(self.out, "{}", number / per_base as f64).expect("memory takes all");
            }
            Value::Flag(is_so) => self.put(&[if *is_so { "1" } else { "0" }]),
            Value::Text(_) | Value::Nothing | Value::Unknown => return false,
        }
        true
    }

    /// What would end the text, or the line, is written otherwise.
    fn escape(&mut self, text: &str, quote: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(|c| c == '\\' || c == '\n' || quote.contains(c)) {
            let (plain, special) = rest.split_at(at);
            let escaped = if special.starts_with('\n') { "n" } else { &special[..1] };
            self.put(&[plain, "\\", escaped]);
            rest = &special[1..];
        }
        self.put(&[rest]);
    }

    fn put(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
    }
}

/// A number of parts, of which so many are a whole, with all its digits.
fn fraction(out: &mut Vec<u8>, parts: u64, per_whole: u64) {
    let (whole, rest) = (parts / per_whole, parts % per_whole);
    write!(out, "{whole}").expect("memory takes all");
    if rest > 0 {
        let digits = per_whole.ilog10() as usize;
        let text = format!("{rest:0digits$}");
        write!(out, ".{}", text.trim_end_matches('0')).expect("memory takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, write: impl FnOnce(&mut Text<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Text { form, out: &mut out });
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn a_label_cannot_end_its_quotes_or_its_line() {
        let hostile = "a\"} 1\nb\\";
        let found = written(Form::Prometheus, |text| {
            text.sample("x", Type::Counter, &[("code", hostile), ("n", "1")], &Value::Count(2), Unit::One);
        });
        assert_eq!(found, "x_total{code=\"a\\\"} 1\\nb\\\\\",n=\"1\"} 2\n");
    }

    #[test]
    fn numbers_are_in_base_units_and_what_is_not_known_is_not_there() {
        let number =
            |value: Value<'_>, unit| written(Form::Prometheus, |text| text.sample("x", Type::Gauge, &[], &value, unit));
        assert_eq!(number(Value::Count(12_000_813), Unit::Microseconds), "x 12.000813\n");
        assert_eq!(number(Value::Count(1_050), Unit::Milliseconds), "x 1.05\n");
        assert_eq!(number(Value::Count(7), Unit::Bytes), "x 7\n");
        assert_eq!(number(Value::Signed(-1_500), Unit::Milliseconds), "x -1.5\n");
        assert_eq!(number(Value::Fraction(2.5), Unit::Milliseconds), "x 0.0025\n");
        assert_eq!(number(Value::Flag(true), Unit::One), "x 1\n");
        assert_eq!([Value::Unknown, Value::Nothing].map(|value| number(value, Unit::One)), ["", ""]);
    }

    #[test]
    fn each_form_names_counters_and_texts_in_its_way() {
        let header = |form, kind| written(form, |text| text.header("x_bytes", kind, Some("bytes"), "A \"b\"\nc."));
        let help = "A \"b\"\\nc.\n";
        assert_eq!(
            header(Form::Prometheus, Type::Counter),
            format!("# TYPE x_bytes_total counter\n# HELP x_bytes_total {help}")
        );
        assert_eq!(
            header(Form::OpenMetrics, Type::Counter),
            "# TYPE x_bytes counter\n# UNIT x_bytes bytes\n# HELP x_bytes A \\\"b\\\"\\nc.\n"
        );
        assert!(header(Form::Prometheus, Type::Info).starts_with("# TYPE x_bytes_info gauge\n"));
        assert!(header(Form::OpenMetrics, Type::Info).starts_with("# TYPE x_bytes info\n"));
    }
}
