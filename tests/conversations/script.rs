//! The format of the conversations in `scripts/`.
//!
//! ```text
//! # A remark. Empty lines mean nothing.
//! ! --max-value-bytes=100    a flag for the node; only at the top
//! > SET color blue           the client says these bytes and a newline
//! >- GET co                  the client says these bytes and no newline
//! < blue                     the node answers these bytes and a newline
//! <: keys                    the node answers `keys: ` and something
//! = eof                      the client ends its direction; more answers may follow
//! = closed                   the node closes the connection, before the client ends its direction
//! ```
//!
//! One space after the sign belongs to the sign; all after it counts. `\r \n \t \0 \\` and `\xFF` stand for bytes, `\s`
//! for a space where one would not be seen, `\{1000 v}` for a thousand times `v`. A conversation ends with `= eof` and
//! what is answered to it, or with `= closed`.

use std::fs;
use std::path::Path;

use crate::wire::End;

pub struct Script {
    pub name: String,
    pub flags: Vec<String>,
    pub turns: Vec<Turn>,
    pub end: End,
    /// What is answered after the end of the client's direction.
    pub parting: Vec<Answer>,
}

/// What the client says before it waits for answers.
#[derive(Default)]
pub struct Turn {
    pub said: Vec<u8>,
    pub answers: Vec<Answer>,
}

/// One line of an answer.
#[derive(Debug)]
pub enum Answer {
    Line(Vec<u8>),
    Field(String),
}

impl Script {
    /// All files, in the order of their names.
    pub fn all() -> Vec<Script> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations/scripts");
        let files = fs::read_dir(directory).expect("the scripts are there");
        let mut paths: Vec<_> = files.map(|file| file.expect("a directory can be read").path()).collect();
        paths.sort();
        let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        paths.iter().map(|path| Script::parse(name(path), &fs::read_to_string(path).expect("UTF-8"))).collect()
    }

    /// All that the client says.
    pub fn said(&self) -> Vec<u8> {
        self.turns.iter().flat_map(|turn| &turn.said).copied().collect()
    }

    /// Panics unless these are all the answers to it.
    pub fn check(&self, answers: &[u8], how: &str) {
        let expected = self.turns.iter().flat_map(|turn| &turn.answers).chain(&self.parting);
        let mut lines = answers.split_inclusive(|&byte| byte == b'\n');
        for (number, answer) in expected.enumerate() {
            let Some(line) = lines.next() else {
                panic!("{}, {how}: no answer {number}, expected {}", self.name, answer.shown());
            };
            self.check_line(line, answer, how);
        }
        let more: Vec<String> = lines.map(shown).collect();
        assert!(more.is_empty(), "{}, {how}: nobody expects {more:?}", self.name);
    }

    /// Panics unless the line, with its end, is this answer.
    pub fn check_line(&self, line: &[u8], answer: &Answer, how: &str) {
        let fits = line.strip_suffix(b"\n").is_some_and(|line| match answer {
            Answer::Line(expected) => line == expected,
            Answer::Field(name) => {
                let value = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
                value.is_some_and(|value| !value.is_empty())
            }
        });
        assert!(fits, "{}, {how}: {}, expected {}", self.name, shown(line), answer.shown());
    }

    fn parse(name: String, text: &str) -> Script {
        let mut script =
            Script { name, flags: Vec::new(), turns: vec![Turn::default()], end: End::Node, parting: vec![] };
        let mut ended = false;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let place = format!("{} line {}", script.name, number + 1);
            let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = unescaped(rest).unwrap_or_else(|| panic!("{place}: not an escape"));
            match sign {
                "" => assert!(rest.is_empty(), "{place}: begins with a space"),
                "!" => script.flags.push(text_of(rest)),
                ">" => script.turn_to_say(ended, &place).extend(rest.into_iter().chain([b'\n'])),
                ">-" => script.turn_to_say(ended, &place).extend(rest),
                "<" => script.answers(ended).push(Answer::Line(rest)),
                "<:" => script.answers(ended).push(Answer::Field(text_of(rest))),
                "=" => {
                    assert!(!ended, "{place}: it ended before");
                    ended = true;
                    script.end = match rest.as_slice() {
                        b"eof" => End::Client,
                        b"closed" => End::Node,
                        _ => panic!("{place}: neither eof nor closed"),
                    };
                }
                _ => panic!("{place}: no such sign: {sign}"),
            }
        }
        assert!(ended, "{}: it does not say how it ends", script.name);
        script
    }

    fn turn_to_say(&mut self, ended: bool, place: &str) -> &mut Vec<u8> {
        assert!(!ended, "{place}: nothing can be said after the end");
        if self.turns.last().is_none_or(|turn| !turn.answers.is_empty()) {
            self.turns.push(Turn::default());
        }
        &mut self.turns.last_mut().expect("just looked").said
    }

    fn answers(&mut self, ended: bool) -> &mut Vec<Answer> {
        if ended { &mut self.parting } else { &mut self.turns.last_mut().expect("there is one from the start").answers }
    }
}

impl Answer {
    fn shown(&self) -> String {
        match self {
            Answer::Line(line) => shown(line),
            Answer::Field(name) => format!("the field {name}"),
        }
    }
}

/// The beginning of a line, for a person.
pub fn shown(line: &[u8]) -> String {
    let more = if line.len() > 100 { format!("... ({} bytes)", line.len()) } else { String::new() };
    format!("\"{}\"{more}", line[..line.len().min(100)].escape_ascii())
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("flags and names are text")
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = &escape[1..];
        match escape.chars().next()? {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            's' => bytes.push(b' '),
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                rest = &rest[2..];
            }
            '{' => {
                let (inner, after) = rest.split_once('}')?;
                let (count, what) = inner.split_once(' ')?;
                bytes.extend(what.repeat(count.parse().ok()?).as_bytes());
                rest = after;
            }
            _ => return None,
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

#[test]
fn a_script_says_bytes_that_are_hard_to_type() {
    let bytes = unescaped(r"a\r\n\t\0\\\s\xFF\{3 xy}ü").expect("these are all the escapes");
    assert_eq!(bytes, [b"a\r\n\t\0\\ \xFFxyxyxy".as_slice(), "ü".as_bytes()].concat());
    assert_eq!(unescaped(r"\q"), None);
}

#[test]
fn a_script_accepts_its_answers_and_no_others() {
    let script = Script::parse("example".into(), "> GET a\n< b\n<: keys\n= eof\n< c\n");
    assert_eq!(script.said(), b"GET a\n");
    script.check(b"b\nkeys: 3\nc\n", "right");
    for wrong in ["", "b\nkeys: 3\n", "b\nkeys: 3\nc", "b\nkeys: 3\nc\n\n", "b\nkeys: \nc\n", "b \nkeys: 3\nc\n"] {
        let checked = std::panic::catch_unwind(|| script.check(wrong.as_bytes(), "wrong"));
        assert!(checked.is_err(), "{wrong:?} was accepted");
    }
}
