//! How many errors of each code were answered, as Redis' `INFO errorstats` has it.

use std::collections::BTreeMap;

/// Codes that are told apart. Clients can have any code answered (`DEBUG ERROR`).
const CODES_MAX: usize = 128;
/// What the errors of all other codes are counted as.
const OTHERS: &str = "ERRORSTATS_OVERFLOW";
/// What an error is whose beginning is no code.
pub const NO_CODE: &str = "ERR";
/// A longer word is no code.
const CODE_BYTES_MAX: usize = 30;

/// Errors by their code.
#[derive(Debug, Default)]
pub struct Errors {
    counts: BTreeMap<String, u64>,
}

impl Errors {
    /// An error with this code is answered.
    pub fn note(&mut self, code: &str) {
        // These would end the name in `INFO`, or the line.
        let code = code.replace([':', '#', '\r', '\n'], "_");
        let is_known = self.counts.len() < CODES_MAX || self.counts.contains_key(&code);
        *self.counts.entry(if is_known { code } else { OTHERS.to_owned() }).or_default() += 1;
    }

    /// Each code, and how many there were.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(code, count)| (code.as_str(), *count))
    }
}

/// The code of an error: the first of several words.
pub fn code_of(said: &str) -> &str {
    let code = said.split_once(' ').map_or(NO_CODE, |(code, _)| code);
    if code.is_empty() || code.len() > CODE_BYTES_MAX { NO_CODE } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_first_word() {
        let mut errors = Errors::default();
        for said in
            ["ERR no", "OOM why", "ERR yes", "short", "a_code_that_is_far_too_long_for_a_code x", " x", "A:B#C d"]
        {
            errors.note(code_of(said));
        }
        assert_eq!(errors.counts().collect::<Vec<_>>(), [("A_B_C", 1), ("ERR", 5), ("OOM", 1)]);
    }

    #[test]
    fn the_codes_that_clients_think_of_are_not_kept_without_end() {
        let mut errors = Errors::default();
        (0..200).for_each(|number| errors.note(&format!("E{number}")));
        errors.note("E0");
        let counts: Vec<_> = errors.counts().collect();
        assert_eq!((counts.len(), counts[0]), (CODES_MAX + 1, ("E0", 2)));
        assert_eq!(counts.iter().find(|(code, _)| *code == OTHERS), Some(&(OTHERS, 72)));
    }
}
