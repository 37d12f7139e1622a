//! Commands in a body, and what is said of each: the format of Upstash's REST API
//! (<https://upstash.com/docs/redis/features/restapi>).
//!
//! A command is an array of its words: texts, numbers, `true`, `false`, and `{"base64":"..."}` for what is no text. Its answer is `{"result":...}` or
//! `{"error":"..."}`. Several commands are an array of such arrays, and so are their answers.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::Wrong;
use super::head::Head;
use super::json::put_text;
use crate::protocol::json::answer::Said;
use crate::protocol::{Args, Scratch};

/// Longest body: a command is read at once, and that takes some milliseconds.
pub const BYTES_MAX: usize = 4 << 20;
/// Most words of a command.
const WORDS_MAX: usize = 1 << 20;

/// A command that came as an array.
#[derive(Debug)]
pub struct Call(Scratch);

impl Call {
    /// Its words; there is one at least.
    pub fn args(&self) -> Args<'_> {
        self.0.args()
    }
}

/// The command that is all there is.
pub fn one(body: &[u8]) -> Result<Call, Wrong> {
    serde_json::from_slice(body).map_err(|error| not_understood(&error, 0))
}

/// Commands that are read one by one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// Bytes that are read.
    at: usize,
}

impl Calls {
    /// The next command; `None`: there was none, and nothing follows. Each call is handed the same body.
    pub fn next(&mut self, body: &[u8]) -> Result<Option<Call>, Wrong> {
        let is_first = self.at == 0;
        match (is_first, self.take(body)) {
            (true, Some(b'[')) => {
                let begin = self.at;
                if self.take(body) == Some(b']') {
                    return self.end(body);
                }
                self.at = begin;
            }
            (false, Some(b',')) => (),
            (false, Some(b']')) => return self.end(body),
            (true | false, _) => return Err(NOT_SEVERAL),
        }
        let mut values = serde_json::Deserializer::from_slice(&body[self.at..]).into_iter();
        let call = values.next().ok_or(NOT_SEVERAL)?.map_err(|error| not_understood(&error, self.at))?;
        self.at += values.byte_offset();
        Ok(Some(call))
    }

    /// Bytes that are read.
    pub fn read_bytes(&self) -> usize {
        self.at
    }

    /// Takes the next byte that is no blank.
    fn take(&mut self, body: &[u8]) -> Option<u8> {
        let rest = &body[self.at..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at = body.len().min(self.at + blank + 1);
        rest.get(blank).copied()
    }

    /// Nothing may follow the last command.
    fn end(&mut self, body: &[u8]) -> Result<Option<Call>, Wrong> {
        if self.take(body).is_none() { Ok(None) } else { Err(NOT_SEVERAL) }
    }
}

const NOT_SEVERAL: Wrong = Wrong::new(400, "ERR several commands are an array of arrays: [[\"GET\",\"a\"],[\"PING\"]]");

/// Why a body is no command; `at` bytes of it were read before.
fn not_understood(error: &serde_json::Error, at: usize) -> Wrong {
    let line = if at == 0 { String::new() } else { format!(", counted from byte {at}") };
    match error.classify() {
        Category::Data => Wrong::said(400, format!("ERR no command: {error}{line}")),
        Category::Io | Category::Syntax | Category::Eof => Wrong::said(400, format!("ERR no JSON: {error}{line}")),
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Call, D::Error> {
        input.deserialize_seq(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Call;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an array of a command's words")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Call, A::Error> {
        let mut scratch = Scratch::default();
        while words.next_element_seed(Word(&mut scratch))?.is_some() {
            if scratch.spans.len() > WORDS_MAX {
                return Err(A::Error::custom(format_args!("a command has {WORDS_MAX} words at most")));
            }
        }
        if scratch.spans.is_empty() {
            return Err(A::Error::custom("it has no name"));
        }
        Ok(Call(scratch))
    }
}

/// Puts a word to the others.
struct Word<'a>(&'a mut Scratch);

impl<'de> DeserializeSeed<'de> for Word<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Word<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a text, a number, true, false, or {{\"base64\": a text}}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text.as_bytes());
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let one = || A::Error::custom("bytes are {\"base64\": a text}");
        let field = fields.next_entry::<String, String>()?.filter(|(name, _)| name == "base64");
        let (_, text) = field.ok_or_else(one)?;
        self.0.push(&BASE64.decode(text).map_err(A::Error::custom)?);
        if fields.next_key::<String>()?.is_some() { Err(one()) } else { Ok(()) }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }
}

/// How texts of answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are; what is no UTF-8 is lost.
    Plain,
    /// In base64, but for the `OK` of a command that is done.
    Base64,
}

impl Encoding {
    /// The one that a request wants.
    pub fn of(head: &Head<'_>) -> Result<Encoding, Wrong> {
        if head.format.is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
            return Err(Wrong::new(400, "ERR answers are in JSON here: no other Upstash-Response-Format"));
        }
        match head.encoding {
            None => Ok(Encoding::Plain),
            Some(name) if name.eq_ignore_ascii_case("base64") => Ok(Encoding::Base64),
            Some(_) => Err(Wrong::new(400, "ERR Upstash-Encoding is base64, or not there")),
        }
    }

    /// Writes what a command was answered.
    pub fn put_answer(self, said: &Said<'_>, out: &mut Vec<u8>) {
        match said {
            Said::Error(why) => {
                out.extend_from_slice(b"{\"error\":");
                put_text(&String::from_utf8_lossy(why), out);
            }
            Said::Ok => out.extend_from_slice(b"{\"result\":\"OK\""),
            Said::Bytes(_) | Said::Int(_) | Said::Nil | Said::Array(_) => {
                out.extend_from_slice(b"{\"result\":");
                self.put(said, out);
            }
        }
        out.push(b'}');
    }

    /// Writes what several commands were answered.
    pub fn put_answers(self, all: &[Said<'_>], out: &mut Vec<u8>) {
        put_list(all, out, |said, out| self.put_answer(said, out));
    }

    fn put(self, said: &Said<'_>, out: &mut Vec<u8>) {
        match said {
            Said::Ok => self.put_bytes(b"OK", out),
            Said::Bytes(bytes) | Said::Error(bytes) => self.put_bytes(bytes, out),
            Said::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Said::Nil => out.extend_from_slice(b"null"),
            Said::Array(all) => put_list(all, out, |said, out| self.put(said, out)),
        }
    }

    fn put_bytes(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Encoding::Plain => put_text(&String::from_utf8_lossy(bytes), out),
            Encoding::Base64 => {
                out.push(b'"');
                out.extend_from_slice(BASE64.encode(bytes).as_bytes());
                out.push(b'"');
            }
        }
    }
}

/// Writes a list, each part of it as `put` does.
fn put_list<T>(all: &[T], out: &mut Vec<u8>, put: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (place, part) in all.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        put(part, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Reply;
    use crate::protocol::json::answer::Parts;

    fn words(call: &Call) -> Vec<String> {
        call.args().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    fn several(body: &str) -> Result<Vec<Vec<String>>, Wrong> {
        let (mut calls, mut all) = (Calls::default(), Vec::new());
        while let Some(call) = calls.next(body.as_bytes())? {
            all.push(words(&call));
        }
        assert_eq!(calls.read_bytes(), body.len(), "{body}");
        Ok(all)
    }

    #[test]
    fn words_are_texts_numbers_and_switches() {
        let body = r#" ["SET", "a\n\u00e9", -1, 18446744073709551615, 1.5, 1e3, true, false, ""] "#;
        let expected = ["SET", "a\n\u{e9}", "-1", "18446744073709551615", "1.5", "1000", "true", "false", ""];
        assert_eq!(words(&one(body.as_bytes()).expect("it is one")), expected);
        let call = one(br#"["GET",{"base64":"/wA="}]"#).expect("it is one");
        assert_eq!(call.args().at(1), b"\xff\0");
    }

    #[test]
    fn several_commands_are_read_one_by_one() {
        for (body, expected) in [
            ("[]", &[][..]),
            (" [ ] ", &[]),
            (r#"[["PING"]]"#, &[&["PING"][..]]),
            (" [\n[\"GET\" ,\"]\"]\t, [\"PING\"]\r\n] ", &[&["GET", "]"], &["PING"]]),
        ] {
            assert_eq!(several(body).expect(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_and_said_where() {
        for body in [
            "",
            "[]",
            "{}",
            "\"PING\"",
            "[null]",
            "[[\"PING\"]]",
            "[{}]",
            "[\"a\"",
            "[\"a\"]x",
            "[\"\\ud800\"]",
            "[\"a\",{\"base64\":\"*\"}]",
            "[\"a\",{\"base65\":\"\"}]",
            "[{\"base64\":\"\",\"a\":1}]",
        ] {
            let wrong = one(body.as_bytes()).expect_err(body);
            assert!(wrong.status == 400 && wrong.why.starts_with("ERR "), "{body}: {wrong:?}");
        }
        assert_eq!(
            one(b"[\"a\",null]").expect_err("no word").why,
            "ERR no command: invalid type: null, expected a text, \
             a number, true, false, or {\"base64\": a text} at line 1 column 9"
        );
        assert_eq!(one(b"[\"\xff\"]").expect_err("no text").status, 400);
        for body in [
            "",
            "[",
            "[[",
            "[\"PING\"]",
            "[[\"PING\"]",
            "[[\"PING\"],]",
            "[[\"PING\"] [\"PING\"]]",
            "[[\"PING\"]]]",
            "[[\"PING\"],null]",
            "[[]]",
            "[,]",
            "{}",
            "[[\"PING\"]],",
            "[[\"PING\"],[null]]",
        ] {
            let wrong = several(body).expect_err(body);
            assert!(wrong.status == 400 && wrong.why.starts_with("ERR "), "{body}: {wrong:?}");
        }
        let long = format!("[{}1]", "1,".repeat(WORDS_MAX));
        assert!(one(long.as_bytes()).expect_err("too many words").why.contains("1048576 words at most"));
    }

    #[test]
    fn answers_are_results_or_errors() {
        let written = |encoding: Encoding, replies: &[Reply<'_>]| {
            let (mut parts, mut out) = (Parts::default(), Vec::new());
            replies.iter().for_each(|reply| parts.push(*reply));
            encoding.put_answer(&parts.said(), &mut out);
            String::from_utf8(out).expect("JSON is text")
        };
        let (plain, base64) = (Encoding::Plain, Encoding::Base64);
        let several = [Reply::Array(4), Reply::Int(-7), Reply::Nil, Reply::Value(b"\"a"), Reply::Array(1), Reply::Ok];
        for (encoding, replies, expected) in [
            (plain, &[Reply::Ok][..], r#"{"result":"OK"}"#),
            (base64, &[Reply::Ok], r#"{"result":"OK"}"#),
            // A value that reads so is none.
            (base64, &[Reply::Value(b"OK")], r#"{"result":"T0s="}"#),
            (base64, &[Reply::Simple("PONG")], r#"{"result":"UE9ORw=="}"#),
            (plain, &[Reply::Value(b"\xff")], "{\"result\":\"\u{fffd}\"}"),
            (base64, &[Reply::Value(b"\xff")], r#"{"result":"/w=="}"#),
            (plain, &[Reply::Int(7)], r#"{"result":7}"#),
            (plain, &[Reply::Nil], r#"{"result":null}"#),
            (plain, &[], r#"{"result":null}"#),
            (plain, &several, r#"{"result":[-7,null,"\"a",["OK"]]}"#),
            (base64, &several, r#"{"result":[-7,null,"ImE=",["T0s="]]}"#),
            (base64, &[Reply::Fail("ERR \"no\"")], r#"{"error":"ERR \"no\""}"#),
        ] {
            assert_eq!(written(encoding, replies), expected);
        }
    }
}
