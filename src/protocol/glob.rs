//! Patterns as Redis has them: `*`, `?`, `[abc]`, `[^a-c]`, `\` before a character that means itself.
//!
//! A pattern is parsed once for a command or a subscription. What lies between its stars are *runs*; the first one has
//! to be where the text begins and the last one where it ends, so each of those is compared once. A run in the middle
//! is looked for from left to right and never again: where it fits first leaves most to those after it. So that no text
//! takes longer than its length times `Pattern::steps_per_byte`, whatever the pattern, a run of plain characters is
//! searched for in linear time (memmem), a short one by trying every place, and one of up to 64 characters and classes
//! by a bit for each (Baeza-Yates & Gonnet, "A new approach to text searching", 1992). Longer ones are refused.
//!
//! Where Redis' own reading of a pattern is odd it is the same here: a class that is not closed goes on to the end,
//! `[a-]` is a range up to `]` in one of those, ranges are of signed bytes, and an empty text is matched by an empty
//! pattern alone.

use memchr::memmem::Finder;

/// Longest pattern. None that fits a key and has no class is longer.
const PATTERN_BYTES_MAX: usize = u16::MAX as usize;
/// Stars with something after them that Redis goes along with; a pattern with more matches nothing there.
const STARS_MAX: usize = 1_000;
/// A run is tried at every place where it is no longer than that.
const TRIED_MAX: usize = 4;
/// Longest run with a class or `?` in it between two stars: as many bits as a word has.
const MASKED_MAX: usize = 64;
/// Runs of that kind in one pattern: each takes 2 KiB.
const MASKED_RUNS_MAX: usize = 64;

/// Why there is no such pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// More stars than Redis goes along with: it matches nothing there.
    TooDeep,
    /// Comparing could take too long.
    TooComplex,
}

/// A pattern that texts can be compared with.
#[derive(Clone, Debug)]
pub struct Pattern {
    first: Run,
    /// What stands after each star; the last of them at the text's end.
    rest: Option<(Vec<Search>, Run)>,
    has_no_parts: bool,
    steps_per_byte: usize,
    /// Characters at the beginning and the end.
    anchored: usize,
}

/// One character of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    Byte(u8),
    Class(Box<Class>),
}

/// A bit for each character that is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Class([u64; 4]);

/// Characters one after the other.
#[derive(Clone, Debug)]
enum Run {
    Plain(Vec<u8>),
    Mixed(Vec<Part>),
}

/// A run that may be anywhere.
#[derive(Clone, Debug)]
enum Search {
    Plain(Box<Finder<'static>>),
    Tried(Run),
    /// For each character the parts that accept it, a bit each, and the last part's bit.
    Masked(Box<[u64; 256]>, usize),
}

impl Pattern {
    /// Parses a pattern. O(its length).
    pub fn parse(text: &[u8]) -> Result<Pattern, Unusable> {
        let mut runs = vec![Vec::new()];
        let mut rest = &text[..text.len().min(PATTERN_BYTES_MAX)];
        while let Some(&byte) = rest.first() {
            rest = if byte == b'*' {
                if runs.len() == 1 || runs.last().is_some_and(|run| !run.is_empty()) {
                    runs.push(Vec::new());
                }
                &rest[1..]
            } else {
                let (part, after) = Part::parse(rest);
                if runs.len() > STARS_MAX + 1 {
                    return Err(Unusable::TooDeep);
                }
                runs.last_mut().expect("there is a first").push(part);
                after
            };
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(Unusable::TooComplex);
        }
        let mut runs: Vec<Run> = runs.into_iter().map(Run::new).collect();
        let first = runs.remove(0);
        let last = runs.pop();
        let anchored = first.len() + last.as_ref().map_or(0, Run::len);
        let middle = runs.into_iter().map(Search::new).collect::<Option<Vec<Search>>>().ok_or(Unusable::TooComplex)?;
        if middle.iter().filter(|search| matches!(search, Search::Masked(..))).count() > MASKED_RUNS_MAX {
            return Err(Unusable::TooComplex);
        }
        let steps_per_byte = middle.iter().map(Search::steps_per_byte).max().unwrap_or_default();
        let rest = last.map(|last| (middle, last));
        Ok(Pattern { first, rest, has_no_parts: text.is_empty(), steps_per_byte, anchored })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.compare(text, &mut 0)
    }

    /// Most steps that comparing a text of this length can take.
    pub fn steps(&self, text_bytes: usize) -> usize {
        self.anchored.min(text_bytes) + text_bytes * self.steps_per_byte
    }

    /// The same as [`Pattern::matches`], and how many steps it took.
    fn compare(&self, text: &[u8], steps: &mut usize) -> bool {
        if text.is_empty() {
            return self.has_no_parts;
        }
        let Some((middle, last)) = &self.rest else {
            return text.len() == self.first.len() && self.first.fits(text, steps);
        };
        if text.len() < self.anchored || !self.first.fits(text, steps) {
            return false;
        }
        let (text, end) = text[self.first.len()..].split_at(text.len() - self.anchored);
        let mut rest = text;
        last.fits(end, steps)
            && middle.iter().all(|search| match search.end_in(rest, steps) {
                Some(end) => {
                    rest = &rest[end..];
                    true
                }
                None => false,
            })
    }
}

impl Part {
    /// The first part of what is not empty, and what comes after it.
    fn parse(pattern: &[u8]) -> (Part, &[u8]) {
        match pattern {
            [b'?', rest @ ..] => (Part::Any, rest),
            [b'[', b'^', rest @ ..] => {
                let (class, rest) = Class::parse(rest);
                (Part::Class(Box::new(Class(class.0.map(|bits| !bits)))), rest)
            }
            [b'[', rest @ ..] => {
                let (class, rest) = Class::parse(rest);
                (Part::Class(Box::new(class)), rest)
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => (Part::Byte(*byte), rest),
            [] => unreachable!("what is not empty"),
        }
    }

    fn accepts(&self, byte: u8) -> bool {
        match self {
            Part::Any => true,
            Part::Byte(other) => byte == *other,
            Part::Class(class) => class.has(byte),
        }
    }
}

impl Class {
    /// What stands after the bracket, and what comes after the class.
    fn parse(pattern: &[u8]) -> (Class, &[u8]) {
        let (mut class, mut rest) = (Class::default(), pattern);
        loop {
            rest = match rest {
                [] => return (class, rest),
                [b'\\', byte, after @ ..] => {
                    class.add(*byte);
                    after
                }
                [b']', after @ ..] => return (class, after),
                [from, b'-', to, after @ ..] => {
                    let (from, to) = (*from as i8, *to as i8);
                    (from.min(to)..=from.max(to)).for_each(|byte| class.add(byte as u8));
                    after
                }
                [byte, after @ ..] => {
                    class.add(*byte);
                    after
                }
            };
        }
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte) / 64] >> (byte % 64) & 1 == 1
    }
}

impl Run {
    fn new(parts: Vec<Part>) -> Run {
        let plain: Option<Vec<u8>> =
            parts.iter().map(|part| if let Part::Byte(byte) = part { Some(*byte) } else { None }).collect();
        plain.map_or(Run::Mixed(parts), Run::Plain)
    }

    fn len(&self) -> usize {
        match self {
            Run::Plain(bytes) => bytes.len(),
            Run::Mixed(parts) => parts.len(),
        }
    }

    /// Whether it is where the text, which is long enough, begins.
    fn fits(&self, text: &[u8], steps: &mut usize) -> bool {
        match self {
            Run::Plain(bytes) => {
                *steps += bytes.len();
                text.starts_with(bytes)
            }
            Run::Mixed(parts) => parts.iter().zip(text).all(|(part, &byte)| {
                *steps += 1;
                part.accepts(byte)
            }),
        }
    }
}

impl Search {
    /// `None` where it would take too long.
    fn new(run: Run) -> Option<Search> {
        match run {
            Run::Plain(bytes) => Some(Search::Plain(Box::new(Finder::new(&bytes).into_owned()))),
            Run::Mixed(parts) if parts.len() <= TRIED_MAX => Some(Search::Tried(Run::Mixed(parts))),
            Run::Mixed(parts) if parts.len() <= MASKED_MAX => {
                let mut masks = Box::new([0; 256]);
                for (at, part) in parts.iter().enumerate() {
                    (0..=255).filter(|&byte| part.accepts(byte)).for_each(|byte| masks[usize::from(byte)] |= 1 << at);
                }
                Some(Search::Masked(masks, parts.len() - 1))
            }
            Run::Mixed(_) => None,
        }
    }

    fn steps_per_byte(&self) -> usize {
        match self {
            Search::Plain(_) | Search::Masked(..) => 1,
            Search::Tried(run) => run.len(),
        }
    }

    /// Where the first part of the text that fits ends.
    fn end_in(&self, text: &[u8], steps: &mut usize) -> Option<usize> {
        match self {
            Search::Plain(finder) => {
                let end = finder.find(text).map(|at| at + finder.needle().len());
                *steps += end.unwrap_or(text.len());
                end
            }
            Search::Tried(run) => {
                let starts = 0..(text.len() + 1).saturating_sub(run.len());
                starts
                    .map(|at| (at, run.fits(&text[at..], steps)))
                    .find(|(_, fits)| *fits)
                    .map(|(at, _)| at + run.len())
            }
            Search::Masked(masks, last) => {
                // A bit for each part up to which the text before fits.
                let mut fitting = 0_u64;
                text.iter()
                    .position(|&byte| {
                        *steps += 1;
                        fitting = (fitting << 1 | 1) & masks[usize::from(byte)];
                        fitting >> last & 1 == 1
                    })
                    .map(|at| at + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        let pattern = Pattern::parse(pattern).expect("it is not too complex");
        let mut steps = 0;
        let matches = pattern.compare(text, &mut steps);
        assert!(steps <= pattern.steps(text.len()), "{steps} steps, {pattern:?}, {}", text.escape_ascii());
        matches
    }

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("*", "", false),
            ("**", "a", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h*llo", "heeeell", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a\\", "a\\", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("*ab*ba*", "aba", false),
            ("ab*ba", "aba", false),
            ("a*", "a", true),
            ("", "", true),
            ("", "a", false),
            ("[\\]]", "]", true),
            ("a[bc", "ab", true),
            ("a[", "a", false),
            ("a[", "ab", false),
            ("a[^", "ab", true),
            ("[]a]", "a]", false),
            ("[^]b", "ab", true),
            // Not closed: a range from `]` to `a`.
            ("hell[a-]", "hell^", true),
            ("hell[a-]", "hell]", true),
            ("hell[a-]", "hella", true),
            ("hell[a-]", "hell-", false),
            ("hell[a-]x", "hell_x", false),
            ("[a-\\]]", "\\]", true),
            ("[a-\\]", "]", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        // Signed: below zero lies before zero.
        assert!(matches(b"[\x80-a]", b"\xff") && matches(b"[\x80-a]", b"\0") && !matches(b"[\x80-a]", b"b"));
        assert!(!matches(b"[\0-\xff]", b"a") && matches(b"[\xc3-\xc5]", b"\xc4"));
    }

    /// As a reader of the rules would write it: every way to go on is tried.
    fn tried(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skipped| tried(rest, &text[skipped..])),
            (_, []) => false,
            (_, [byte, others @ ..]) => {
                let (part, rest) = Part::parse(pattern);
                part.accepts(*byte) && tried(rest, others)
            }
        }
    }

    #[test]
    fn a_pattern_matches_what_it_matches_where_every_way_is_tried() {
        let mut random = fastrand::Rng::with_seed(15);
        let mut matching = 0;
        for _ in 0..60_000 {
            let alphabet: &[&str] = &["a", "a", "b", "*", "*", "?", "[ab]", "[^a]", "\\a", "[b-c]"];
            let pattern: String = (0..random.usize(..12)).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            let text: Vec<u8> = (0..random.usize(1..16)).map(|_| random.u8(b'a'..=b'c')).collect();
            let expected = tried(pattern.as_bytes(), &text);
            assert_eq!(matches(pattern.as_bytes(), &text), expected, "{pattern} {}", text.escape_ascii());
            matching += u32::from(expected);
        }
        assert!((3_000..50_000).contains(&matching), "{matching} match");
    }

    #[test]
    fn no_pattern_takes_more_steps_than_the_text_has_characters_but_for_a_few() {
        let text = "a".repeat(60_000);
        let count = |pattern: &str| {
            let (pattern, mut steps) = (Pattern::parse(pattern.as_bytes()).expect("it is not too complex"), 0);
            assert!(!pattern.compare(text.as_bytes(), &mut steps));
            assert!(steps <= pattern.steps(text.len()));
            steps
        };
        let class = format!("[{}]", "b".repeat(40_000));
        assert_eq!(count(&format!("*{class}")), 1);
        assert_eq!(count(&format!("*{class}*")), 60_000);
        assert_eq!(count(&format!("*{}b*", "a".repeat(40_000))), 60_000);
        assert!(count(&format!("*{}b", "a".repeat(40_000))) <= 80_000);
        assert_eq!(count(&format!("*{}b*", "?".repeat(63))), 60_000);
        assert!(count("*???b*") <= 4 * 60_000);
        assert!(count(&("*a".repeat(999) + "*b*")) <= 60_000 + 1_000);
        assert!(count(&("a*".repeat(50) + "b")) <= 60_000);
        assert!(count(&("*[ab]?".repeat(900) + "*b?*")) <= 4 * 60_000);
    }

    #[test]
    fn what_could_take_long_is_no_pattern() {
        let parse = |pattern: &str| Pattern::parse(pattern.as_bytes()).err();
        assert_eq!(parse(&"*?".repeat(1_000)), None);
        assert_eq!(parse(&("*?".repeat(1_000) + "**")), None);
        assert_eq!(parse(&"*?".repeat(1_001)), Some(Unusable::TooDeep));
        assert_eq!(parse(&"*?".repeat(50_000)), Some(Unusable::TooDeep));
        assert_eq!(parse(&format!("*{}*", "?".repeat(64))), None);
        assert_eq!(parse(&format!("*{}*", "?".repeat(65))), Some(Unusable::TooComplex));
        assert_eq!(parse(&format!("*{}", "?".repeat(65))), None);
        assert_eq!(parse(&("*?????".repeat(65) + "*")), Some(Unusable::TooComplex));
        assert_eq!(parse(&"a".repeat(65_535)), None);
        assert_eq!(parse(&"a".repeat(65_536)), Some(Unusable::TooComplex));
    }
}
