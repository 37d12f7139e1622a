//! Numbers as people read them in a sentence.

/// A duration, to one or two digits that matter: `0.8 s`, `12 s`, `3 min`, `5 h`, `2 days`.
pub fn time(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// A number with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many things: `1 change`, `2 changes`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_short() {
        let times = [0, 849, 9_999, 10_000, 119_999, 120_000, 7_199_999, 7_200_000, 172_800_000].map(time);
        assert_eq!(times, ["0.0 s", "0.8 s", "9.9 s", "10 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "change"), counted(2_000, "change")], ["1 change", "2,000 changes"]);
    }
}
