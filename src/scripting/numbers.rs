//! Numbers as C writes them.

/// As `%.<digits>g`.
pub(super) fn general(number: f64, digits: usize) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    if number == number.trunc() && number.abs() < 10f64.powi(digits.min(15) as i32) {
        return if number == 0.0 && number.is_sign_negative() { "-0".to_owned() } else { (number as i64).to_string() };
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs());
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// What C makes of a number where it wants an integer.
pub(super) fn truncated(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) { number as i64 } else { i64::MIN }
}

/// Redis' random numbers (`rand.c`, after `drand48`): the same on every machine.
pub(super) struct Random(u64);

/// What Redis begins with.
pub(super) const SEED: u32 = 0x1234_abcd;

/// One more than the largest.
const RANDOM_MAX: f64 = 2_147_483_647.0;

impl Random {
    pub(super) fn new(seed: u32) -> Random {
        Random((u64::from(seed) << 16) | 0x330e)
    }

    /// From 0 on, below 1.
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1);
        ((self.0 >> 17) as f64 % RANDOM_MAX) / RANDOM_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_does() {
        for (number, digits, expected) in [
            (1.0, 17, "1"),
            (-3.5, 17, "-3.5"),
            (0.1, 17, "0.10000000000000001"),
            (0.1, 14, "0.1"),
            (1e20, 17, "1e+20"),
            (1e100, 14, "1e+100"),
            (123_456_789_012_345_680.0, 17, "1.2345678901234568e+17"),
            (12_345_678_901_234_567.0, 17, "12345678901234568"),
            (0.000_01, 14, "1e-05"),
            (0.000_1, 14, "0.0001"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (f64::INFINITY, 14, "inf"),
            (9_007_199_254_740_992.0, 14, "9.007199254741e+15"),
        ] {
            assert_eq!(general(number, digits), expected);
        }
    }

    #[test]
    fn the_first_random_numbers_are_those_of_redis() {
        let mut random = Random::new(SEED);
        // What a Redis 7.0.15 that has just started answers to `return {math.random(1, 100), math.random(1, 100)}`.
        let mut of_hundred = || (random.next() * 100.0).floor() as u32 + 1;
        assert_eq!([of_hundred(), of_hundred()], [40, 85]);
    }
}
