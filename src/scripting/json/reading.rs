//! JSON as values.

use mlua::{Table, Value};

use crate::scripting::arguments::Arguments;
use crate::scripting::budget::{Budget, Pace};

/// A text that is read.
pub(super) struct Reading<'a> {
    args: &'a Arguments<'a>,
    budget: &'a Budget,
    text: &'a [u8],
    at: usize,
    depth: usize,
    depth_max: usize,
    pace: Pace,
}

/// What comes next, and where.
struct Token {
    kind: Kind,
    at: usize,
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ListBegin,
    ListEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Wrong(&'static str),
}

impl Kind {
    /// What it is called in errors.
    fn name(&self) -> &'static str {
        match self {
            Kind::ObjectBegin => "T_OBJ_BEGIN",
            Kind::ObjectEnd => "T_OBJ_END",
            Kind::ListBegin => "T_ARR_BEGIN",
            Kind::ListEnd => "T_ARR_END",
            Kind::Text(_) => "T_STRING",
            Kind::Number(_) => "T_NUMBER",
            Kind::Boolean(_) => "T_BOOLEAN",
            Kind::Null => "T_NULL",
            Kind::Colon => "T_COLON",
            Kind::Comma => "T_COMMA",
            Kind::End => "T_END",
            Kind::Wrong(why) => why,
        }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(args: &'a Arguments<'a>, budget: &'a Budget, text: &'a [u8], depth_max: usize) -> Reading<'a> {
        Reading { args, budget, text, at: 0, depth: 0, depth_max, pace: Pace::default() }
    }

    /// The one value that the text is.
    pub(super) fn whole(&mut self) -> mlua::Result<Value> {
        if self.text.len() >= 2 && (self.text[0] == 0 || self.text[1] == 0) {
            return Err(self.args.error("JSON parser does not support UTF-16 or UTF-32"));
        }
        let first = self.next()?;
        let value = self.value(first)?;
        match self.next()? {
            Token { kind: Kind::End, .. } => Ok(value),
            other => Err(self.unexpected("the end", &other)),
        }
    }

    fn unexpected(&self, expected: &str, found: &Token) -> mlua::Error {
        let why = format!("Expected {expected} but found {} at character {}", found.kind.name(), found.at + 1);
        self.args.error(&why)
    }

    fn value(&mut self, token: Token) -> mlua::Result<Value> {
        match token.kind {
            Kind::Text(text) => Ok(Value::String(self.args.lua.create_string(text)?)),
            Kind::Number(number) => Ok(Value::Number(number)),
            Kind::Boolean(is_so) => Ok(Value::Boolean(is_so)),
            Kind::Null => Ok(Value::NULL),
            Kind::ObjectBegin => self.within(Reading::object),
            Kind::ListBegin => self.within(Reading::list),
            _ => Err(self.unexpected("value", &token)),
        }
    }

    fn within(&mut self, read: fn(&mut Self) -> mlua::Result<Table>) -> mlua::Result<Value> {
        self.depth += 1;
        if self.depth > self.depth_max {
            let why = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
            return Err(self.args.error(&why));
        }
        let table = read(self)?;
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn object(&mut self) -> mlua::Result<Table> {
        let table = self.args.lua.create_table()?;
        let mut token = self.next()?;
        if let Kind::ObjectEnd = token.kind {
            return Ok(table);
        }
        loop {
            let Kind::Text(key) = token.kind else { return Err(self.unexpected("object key string", &token)) };
            let colon = self.next()?;
            let Kind::Colon = colon.kind else { return Err(self.unexpected("colon", &colon)) };
            let first = self.next()?;
            let value = self.value(first)?;
            table.raw_set(self.args.lua.create_string(key)?, value)?;
            token = self.next()?;
            match token.kind {
                Kind::ObjectEnd => return Ok(table),
                Kind::Comma => token = self.next()?,
                _ => return Err(self.unexpected("comma or object end", &token)),
            }
        }
    }

    fn list(&mut self) -> mlua::Result<Table> {
        let table = self.args.lua.create_table()?;
        let mut token = self.next()?;
        if let Kind::ListEnd = token.kind {
            return Ok(table);
        }
        for index in 1.. {
            let value = self.value(token)?;
            table.raw_set(index, value)?;
            token = self.next()?;
            match token.kind {
                Kind::ListEnd => break,
                Kind::Comma => token = self.next()?,
                _ => return Err(self.unexpected("comma or array end", &token)),
            }
        }
        Ok(table)
    }

    fn next(&mut self) -> mlua::Result<Token> {
        self.pace.step(self.budget)?;
        let spaces = self.text[self.at..].iter().take_while(|byte| b" \t\n\r".contains(byte)).count();
        self.budget.charge(spaces)?;
        self.at += spaces;
        let at = self.at;
        let rest = &self.text[at..];
        let (kind, len) = match rest.first() {
            None => (Kind::End, 0),
            Some(b'{') => (Kind::ObjectBegin, 1),
            Some(b'}') => (Kind::ObjectEnd, 1),
            Some(b'[') => (Kind::ListBegin, 1),
            Some(b']') => (Kind::ListEnd, 1),
            Some(b',') => (Kind::Comma, 1),
            Some(b':') => (Kind::Colon, 1),
            Some(b'"') => return self.text_token(),
            Some(b't') if rest.starts_with(b"true") => (Kind::Boolean(true), 4),
            Some(b'f') if rest.starts_with(b"false") => (Kind::Boolean(false), 5),
            Some(b'n') if rest.starts_with(b"null") => (Kind::Null, 4),
            Some(b'-' | b'0'..=b'9' | b'i' | b'I' | b'n' | b'N') => number(rest),
            Some(_) => (Kind::Wrong("invalid token"), 0),
        };
        self.at += len;
        Ok(Token { kind, at })
    }

    fn text_token(&mut self) -> mlua::Result<Token> {
        let start = self.at;
        let wrong = |why, at| Ok(Token { kind: Kind::Wrong(why), at });
        let mut out = Vec::new();
        let mut at = start + 1;
        loop {
            let rest = &self.text[at..];
            let plain = memchr::memchr3(b'"', b'\\', 0, rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..plain]);
            self.budget.charge(plain)?;
            at += plain;
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => (),
                _ => return wrong("unexpected end of string", at),
            }
            let escaped = match self.text.get(at + 1) {
                Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'u') => {
                    let Some((character, len)) = unicode(&self.text[at..]) else {
                        return wrong("invalid unicode escape code", at);
                    };
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    at += len;
                    continue;
                }
                _ => return wrong("invalid escape code", at),
            };
            out.push(escaped);
            at += 2;
        }
        self.at = at + 1;
        Ok(Token { kind: Kind::Text(out), at: start })
    }
}

/// A character that is written as `\uXXXX`, or as two of them, and how many bytes those are.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
}

/// What C's `strtod` makes of the text, and how much of it.
fn number(text: &[u8]) -> (Kind, usize) {
    let sign = usize::from(text.first() == Some(&b'-'));
    let rest = &text[sign..];
    let signed = |number: f64| if sign > 0 { -number } else { number };
    let begins = |word: &str| rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()));
    for (word, number) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if begins(word) {
            return (Kind::Number(signed(number)), sign + word.len());
        }
    }
    if begins("0x") {
        let digits = rest[2..].iter().take_while(|digit| digit.is_ascii_hexdigit());
        let digit = |digit: &u8| f64::from(char::from(*digit).to_digit(16).unwrap_or_default());
        let (number, count) = digits.fold((0.0, 0), |(number, count), at| (number * 16.0 + digit(at), count + 1));
        if count > 0 {
            return (Kind::Number(signed(number)), sign + 2 + count);
        }
    }
    let digits = |from: usize| rest.get(from..).unwrap_or_default().iter().take_while(|at| at.is_ascii_digit()).count();
    let mut len = digits(0);
    let mut count = len;
    if rest.get(len) == Some(&b'.') {
        count += digits(len + 1);
        len += 1 + digits(len + 1);
    }
    if count == 0 {
        return (Kind::Wrong(if sign > 0 { "invalid number" } else { "invalid token" }), 0);
    }
    if matches!(rest.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        len += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    let parsed = std::str::from_utf8(&rest[..len]).ok().and_then(|text| text.parse::<f64>().ok());
    (Kind::Number(signed(parsed.unwrap_or(f64::NAN))), sign + len)
}
