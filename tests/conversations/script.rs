//! The format of the conversations in `scripts/`, a folder for each way to speak. What is in `redis` is RESP too, and
//! Redis is asked whether its answers are right; `resp` has what is said of this node alone.
//!
//! ```text
//! # A remark. Empty lines mean nothing.
//! ! --max-value-bytes=100    a flag for the node; only at the top
//! > SET color blue           the client says these bytes and a newline
//! >- GET co                  the client says these bytes and no newline
//! >* SET color "dark blue"   the client says an array of these words, as RESP writes it
//! < blue                     the node answers these bytes and a newline
//! <: keys                    the node answers `keys: ` and something
//! <~ :17                     the node answers a line that begins so
//! <~~ over                   the node answers any lines up to one that begins so, which is the last of them
//! <* *3 "dark blue" $-1 :7   the node answers these RESP lines; in quotes: a bulk string
//! <* -ERR no such key        an error, and a status that is first, goes on to the end of the line
//! = eof                      the client ends its direction; more answers may follow
//! = closed                   the node closes the connection, before the client ends its direction
//! ```
//!
//! One space after the sign belongs to the sign; all after it counts. `\r \n \t \0 \\` and `\xFF` stand for bytes, `\s`
//! for a space where one would not be seen, `\{1000 v}` for a thousand times `v`. A word in quotes may hold spaces, and
//! nothing. A conversation ends with `= eof` and what is answered to it, or with `= closed`.

use std::fs;
use std::path::Path;

use crate::wire::End;

pub struct Script {
    pub name: String,
    pub flags: Vec<String>,
    pub turns: Vec<Turn>,
    /// What was said as an array of words.
    pub requests: Vec<Vec<Vec<u8>>>,
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
    Beginning(Vec<u8>),
    UpTo(Vec<u8>),
}

impl Script {
    /// All files of all folders.
    pub fn all() -> Vec<Script> {
        ["line", "json", "resp", "redis"].into_iter().flat_map(Script::of).collect()
    }

    /// All files of a folder, in the order of their names.
    pub fn of(folder: &str) -> Vec<Script> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations/scripts").join(folder);
        let files = fs::read_dir(directory).expect("the scripts are there");
        let mut paths: Vec<_> = files.map(|file| file.expect("a directory can be read").path()).collect();
        paths.sort();
        let name = |path: &Path| format!("{folder}/{}", path.file_name().expect("a file has a name").display());
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
            while {
                let Some(line) = lines.next() else {
                    panic!("{}, {how}: no answer {number}, expected {}", self.name, answer.shown());
                };
                !self.check_line(line, answer, how)
            } {}
        }
        let more: Vec<String> = lines.map(shown).collect();
        assert!(more.is_empty(), "{}, {how}: nobody expects {more:?}", self.name);
    }

    /// Whether the line, with its end, is the last of this answer. Panics where it is none of it.
    pub fn check_line(&self, line: &[u8], answer: &Answer, how: &str) -> bool {
        let fits = line.strip_suffix(b"\n").is_some_and(|line| match answer {
            Answer::Line(expected) => line == expected,
            Answer::Field(name) => {
                let value = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
                value.is_some_and(|value| !value.is_empty())
            }
            Answer::Beginning(begin) | Answer::UpTo(begin) => line.starts_with(begin),
        });
        let may_follow = matches!(answer, Answer::UpTo(_)) && line.ends_with(b"\n");
        assert!(fits || may_follow, "{}, {how}: {}, expected {}", self.name, shown(line), answer.shown());
        fits
    }

    fn parse(name: String, text: &str) -> Script {
        let (turns, requests) = (vec![Turn::default()], Vec::new());
        let mut script = Script { name, flags: Vec::new(), turns, requests, end: End::Node, parting: vec![] };
        let mut ended = false;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let place = format!("{} line {}", script.name, number + 1);
            let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
            let text = rest;
            let rest = unescaped(text).unwrap_or_else(|| panic!("{place}: not an escape"));
            match sign {
                "" => assert!(rest.is_empty(), "{place}: begins with a space"),
                "!" => script.flags.push(text_of(rest)),
                ">" => script.turn_to_say(ended, &place).extend(rest.into_iter().chain([b'\n'])),
                ">-" => script.turn_to_say(ended, &place).extend(rest),
                ">*" => {
                    let mut text = text;
                    let words: Vec<_> = std::iter::from_fn(|| word(&mut text)).map(|word| word.bytes).collect();
                    script.turn_to_say(ended, &place).extend(array(&words));
                    script.requests.push(words);
                }
                "<" => script.answers(ended).push(Answer::Line(rest)),
                "<:" => script.answers(ended).push(Answer::Field(text_of(rest))),
                "<~" => script.answers(ended).push(Answer::Beginning(rest)),
                "<~~" => script.answers(ended).push(Answer::UpTo(rest)),
                "<*" => script.answers(ended).extend(resp_lines(text)),
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
            Answer::Beginning(begin) => format!("a line that begins with {}", shown(begin)),
            Answer::UpTo(begin) => format!("lines up to one that begins with {}", shown(begin)),
        }
    }
}

/// The beginning of a line, for a person.
pub fn shown(line: &[u8]) -> String {
    let more = if line.len() > 100 { format!("... ({} bytes)", line.len()) } else { String::new() };
    format!("\"{}\"{more}", line[..line.len().min(100)].escape_ascii())
}

/// A word, and whether it stood in quotes.
struct Word {
    bytes: Vec<u8>,
    quoted: bool,
}

/// Takes a word up to a space; one that begins with a quote goes on to a quote before a space or the end.
fn word(rest: &mut &str) -> Option<Word> {
    let (text, quoted) = (*rest, rest.starts_with('"'));
    let end = if quoted { text[1..].find("\" ").map(|at| at + 2) } else { text.find(' ') };
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    *rest = after.strip_prefix(' ').unwrap_or(after);
    let inner = if quoted { word[1..].strip_suffix('"').expect("a quote has an end") } else { word };
    (!text.is_empty()).then(|| Word { bytes: unescaped(inner).expect("its escapes are known"), quoted })
}

fn array(words: &[Vec<u8>]) -> Vec<u8> {
    let words = words.iter().map(|word| bulk(word));
    format!("*{}\r\n", words.len()).into_bytes().into_iter().chain(words.flatten()).collect()
}

fn bulk(word: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat()
}

/// The lines of RESP replies.
fn resp_lines(text: &str) -> Vec<Answer> {
    let line = |bytes: Vec<u8>| [bytes.as_slice(), b"\r\n"].concat();
    let (mut bytes, mut rest) = (Vec::new(), text);
    while !rest.starts_with('-')
        && !text.starts_with('+')
        && let Some(Word { bytes: word, quoted }) = word(&mut rest)
    {
        bytes.extend(if quoted { bulk(&word) } else { line(word) });
    }
    if bytes.is_empty() || !rest.is_empty() {
        bytes.extend(line(unescaped(rest).expect("its escapes are known")));
    }
    bytes.split_inclusive(|&byte| byte == b'\n').map(|line| Answer::Line(line[..line.len() - 1].to_vec())).collect()
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

#[test]
fn a_script_says_and_hears_resp() {
    let script = Script::parse(
        "example".into(),
        r#">* SET a "b c" "" \s
<* *5 "b c" "" :1 +OK -ERR no - no
<* "a\nb"
<~ $
<~~ over
= eof
<*
"#,
    );
    assert_eq!(script.said(), b"*5\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nb c\r\n$0\r\n\r\n$1\r\n \r\n");
    assert_eq!(script.requests, [[b"SET".as_slice(), b"a", b"b c", b"", b" "]]);
    let right = "*5\r\n$3\r\nb c\r\n$0\r\n\r\n:1\r\n+OK\r\n-ERR no - no\r\n$3\r\na\nb\r\n$17\r\nand\nover\n\r\n";
    script.check(right.as_bytes(), "right");
    for (from, to) in [("over", "done"), ("$17", "17"), ("a\nb", "a\nc"), ("+OK\r", "+OK")] {
        let checked = std::panic::catch_unwind(|| script.check(right.replace(from, to).as_bytes(), "wrong"));
        assert!(checked.is_err(), "{to:?} was accepted");
    }
}
