//! Patterns of Lua 5.1 (`lstrlib.c`), matched in steps that are counted: a pattern of a few characters can take longer
//! than the machine lasts.

use super::budget::Budget;
use super::raised::Raised;

/// Parts of a pattern that are captured.
const CAPTURES_MAX: usize = 32;
/// How deep matching goes within itself: beyond it Redis' C stack would be in danger, as this one.
const DEPTH_MAX: u32 = 200;
/// Steps between two looks: some 100 us at most.
const STEPS_PER_LOOK: u32 = 1 << 12;

const ESCAPE: u8 = b'%';

/// How much of the text a part captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Len {
    Bytes(usize),
    /// It is where the part stands that is captured.
    Position,
    /// Its end is not found yet.
    Open,
}

/// Why a match came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The pattern is none.
    Malformed(String),
    Raised(Raised),
}

impl From<Raised> for Fault {
    fn from(raised: Raised) -> Fault {
        Fault::Raised(raised)
    }
}

fn malformed<T>(why: &str) -> Result<T, Fault> {
    Err(Fault::Malformed(why.to_owned()))
}

/// A text, and a pattern that is looked for in it.
pub(super) struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    budget: &'a Budget,
    captures: [(usize, Len); CAPTURES_MAX],
    pub(super) level: usize,
    depth: u32,
    steps: u32,
}

type Found = Result<Option<usize>, Fault>;

impl<'a> Matcher<'a> {
    /// `pattern` without the `^` that it may begin with.
    pub(super) fn new(text: &'a [u8], pattern: &'a [u8], budget: &'a Budget) -> Matcher<'a> {
        let captures = [(0, Len::Open); CAPTURES_MAX];
        Matcher { text, pattern, budget, captures, level: 0, depth: 0, steps: 0 }
    }

    /// Where the match ends that begins there.
    pub(super) fn match_at(&mut self, start: usize) -> Found {
        (self.level, self.depth) = (0, 0);
        self.matches(start, 0)
    }

    /// Where the first match lies, from there on.
    pub(super) fn search(&mut self, start: usize, is_anchored: bool) -> Result<Option<(usize, usize)>, Fault> {
        for at in start..=self.text.len() {
            if let Some(end) = self.match_at(at)? {
                return Ok(Some((at, end)));
            }
            if is_anchored {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The part that was captured with this number.
    pub(super) fn capture(&self, number: usize) -> Result<(usize, Len), Fault> {
        match self.captures[number] {
            (_, Len::Open) => malformed("unfinished capture"),
            capture => Ok(capture),
        }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps >= STEPS_PER_LOOK {
            self.steps = 0;
            self.budget.look()?;
        }
        Ok(())
    }

    fn at(&self, pattern: usize) -> Option<u8> {
        self.pattern.get(pattern).copied()
    }

    fn matches(&mut self, text: usize, pattern: usize) -> Found {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return malformed("pattern too complex");
        }
        let found = self.matches_within(text, pattern);
        self.depth -= 1;
        found
    }

    fn matches_within(&mut self, mut text: usize, mut pattern: usize) -> Found {
        loop {
            self.step()?;
            let Some(first) = self.at(pattern) else { return Ok(Some(text)) };
            match (first, self.at(pattern + 1)) {
                (b'(', Some(b')')) => return self.open(text, pattern + 2, Len::Position),
                (b'(', _) => return self.open(text, pattern + 1, Len::Open),
                (b')', _) => return self.close(text, pattern + 1),
                (b'$', None) => return Ok((text == self.text.len()).then_some(text)),
                (ESCAPE, Some(b'b')) => match self.balance(text, pattern + 2)? {
                    Some(end) => (text, pattern) = (end, pattern + 4),
                    None => return Ok(None),
                },
                (ESCAPE, Some(b'f')) => {
                    pattern += 2;
                    if self.at(pattern) != Some(b'[') {
                        return malformed("missing '[' after '%f' in pattern");
                    }
                    let end = self.class_end(pattern)?;
                    let before = if text == 0 { 0 } else { self.text[text - 1] };
                    let after = self.text.get(text).copied().unwrap_or(0);
                    if self.in_set(before, pattern, end - 1) || !self.in_set(after, pattern, end - 1) {
                        return Ok(None);
                    }
                    pattern = end;
                }
                (ESCAPE, Some(digit @ b'0'..=b'9')) => match self.same_as_capture(text, digit)? {
                    Some(end) => (text, pattern) = (end, pattern + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(pattern)?;
                    let fits = text < self.text.len() && self.single(self.text[text], pattern, end);
                    match self.at(end) {
                        Some(b'?') => {
                            if fits && let Some(found) = self.matches(text + 1, end + 1)? {
                                return Ok(Some(found));
                            }
                            pattern = end + 1;
                        }
                        Some(b'*') => return self.expand(text, pattern, end),
                        Some(b'+') => return if fits { self.expand(text + 1, pattern, end) } else { Ok(None) },
                        Some(b'-') => return self.expand_least(text, pattern, end),
                        _ if fits => (text, pattern) = (text + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn expand(&mut self, text: usize, pattern: usize, end: usize) -> Found {
        let mut count = 0;
        while text + count < self.text.len() && self.single(self.text[text + count], pattern, end) {
            self.step()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.matches(text + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn expand_least(&mut self, mut text: usize, pattern: usize, end: usize) -> Found {
        loop {
            if let Some(found) = self.matches(text, end + 1)? {
                return Ok(Some(found));
            }
            if text >= self.text.len() || !self.single(self.text[text], pattern, end) {
                return Ok(None);
            }
            text += 1;
        }
    }

    fn open(&mut self, text: usize, pattern: usize, len: Len) -> Found {
        if self.level >= CAPTURES_MAX {
            return malformed("too many captures");
        }
        self.captures[self.level] = (text, len);
        self.level += 1;
        let found = self.matches(text, pattern)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, text: usize, pattern: usize) -> Found {
        let Some(number) = (0..self.level).rev().find(|&number| self.captures[number].1 == Len::Open) else {
            return malformed("invalid pattern capture");
        };
        let start = self.captures[number].0;
        self.captures[number].1 = Len::Bytes(text - start);
        let found = self.matches(text, pattern)?;
        if found.is_none() {
            self.captures[number].1 = Len::Open;
        }
        Ok(found)
    }

    fn balance(&mut self, text: usize, pattern: usize) -> Found {
        let (Some(begin), Some(end)) = (self.at(pattern), self.at(pattern + 1)) else {
            return malformed("unbalanced pattern");
        };
        if self.text.get(text) != Some(&begin) {
            return Ok(None);
        }
        let mut depth = 1;
        for at in text + 1..self.text.len() {
            self.step()?;
            match self.text[at] {
                byte if byte == end => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                byte if byte == begin => depth += 1,
                _ => (),
            }
        }
        Ok(None)
    }

    fn same_as_capture(&mut self, text: usize, digit: u8) -> Found {
        let number = usize::from(digit.wrapping_sub(b'1'));
        if number >= self.level || self.captures[number].1 == Len::Open {
            return malformed("invalid capture index");
        }
        let (start, Len::Bytes(len)) = self.captures[number] else { return Ok(None) };
        self.steps += (len / 64) as u32;
        let is_same = self.text[text..].starts_with(&self.text[start..start + len]);
        Ok(is_same.then_some(text + len))
    }

    /// Where the class ends that begins there.
    fn class_end(&self, pattern: usize) -> Result<usize, Fault> {
        match self.pattern[pattern] {
            ESCAPE if pattern + 1 >= self.pattern.len() => malformed("malformed pattern (ends with '%')"),
            ESCAPE => Ok(pattern + 2),
            b'[' => {
                let mut at = pattern + 1;
                if self.at(at) == Some(b'^') {
                    at += 1;
                }
                loop {
                    // A `]` that is the first is a member.
                    match self.at(at) {
                        None => return malformed("malformed pattern (missing ']')"),
                        Some(ESCAPE) if at + 1 < self.pattern.len() => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.at(at) == Some(b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(pattern + 1),
        }
    }

    fn single(&self, byte: u8, pattern: usize, end: usize) -> bool {
        match self.pattern[pattern] {
            b'.' => true,
            ESCAPE => is_in_class(byte, self.pattern[pattern + 1]),
            b'[' => self.in_set(byte, pattern, end - 1),
            other => byte == other,
        }
    }

    /// Whether the byte is in the set from a `[` to its `]`.
    fn in_set(&self, byte: u8, open: usize, close: usize) -> bool {
        let is_negated = self.pattern[open + 1] == b'^';
        let mut at = if is_negated { open + 2 } else { open + 1 };
        while at < close {
            let member = self.pattern[at];
            if member == ESCAPE {
                if is_in_class(byte, self.pattern[at + 1]) {
                    return !is_negated;
                }
                at += 2;
            } else if self.pattern[at + 1] == b'-' && at + 2 < close {
                if (member..=self.pattern[at + 2]).contains(&byte) {
                    return !is_negated;
                }
                at += 3;
            } else {
                if member == byte {
                    return !is_negated;
                }
                at += 1;
            }
        }
        is_negated
    }
}

fn is_in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return byte == class,
    };
    is_in != class.is_ascii_uppercase()
}
