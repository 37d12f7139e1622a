//! Malformed conversations: whatever comes, each line has its one right answer, and a later valid command works.
//!
//! The oracle below is written from the description of the dialect, with other means than the decoder: it looks at
//! whole lines, split at spaces, where the decoder walks bytes as they come.

use std::collections::HashMap;

use kvstoreapp::protocol::line::{HELP, line_bytes_max};
use kvstoreapp::store::KEY_BYTES_MAX;

use crate::pure::play;
use crate::random::Random;
use crate::talk::pieces;

const CONVERSATIONS: u64 = 400;
const VALUE_BYTES_MAX: usize = 1_000;

#[test]
fn every_malformed_line_has_its_one_answer_and_later_commands_work() {
    for seed in 0..CONVERSATIONS {
        let conversation = conversation(&mut Random::new(seed));
        check_answers(&conversation, &play(VALUE_BYTES_MAX, [conversation.as_slice()]));
    }
}

#[test]
fn malformed_lines_are_answered_alike_however_the_network_cuts_them() {
    for seed in 0..CONVERSATIONS {
        let mut random = Random::new(seed);
        let conversation = conversation(&mut random);
        for _ in 0..3 {
            let pieces = pieces(&conversation, &mut random);
            check_answers(&conversation, &play(VALUE_BYTES_MAX, pieces));
        }
    }
}

#[test]
fn a_line_past_the_limit_is_answered_alike_however_the_network_cuts_it() {
    let long = line_bytes_max(VALUE_BYTES_MAX) + 1;
    for (begin, answer) in [
        ("", "ERROR line too long: at most 66551 bytes\n"),
        ("PING ", "ERROR line too long: at most 66551 bytes\n"),
        ("SET ", "ERROR key too long: at most 65535 bytes\n"),
        ("SET k ", "ERROR value too long: at most 1000 bytes (--max-value-bytes)\n"),
        ("SET  ", "ERROR value too long: at most 1000 bytes (--max-value-bytes)\n"),
    ] {
        let line = format!("{begin}{}\nSET a b\nGET a\n", "x".repeat(long));
        let expected = format!("{answer}OK\nb\n");
        for cut in [1_000, long - 1, long, long + 3, line.len()] {
            let pieces: Vec<&[u8]> = line.as_bytes().chunks(cut).collect();
            let answers = String::from_utf8(play(VALUE_BYTES_MAX, pieces)).expect("text was asked for");
            assert_eq!(answers, expected, "{begin:?} and {long} bytes, in pieces of {cut}");
        }
    }
    // What may be a request line of HTTP is the last that is looked at.
    for begin in ["GET ", "DELETE ", "POST ", "SET /"] {
        let line = format!("{begin}{}\nSET a b\nGET a\n", "x".repeat(long));
        for cut in [1_000, long - 1, long, long + 3, line.len()] {
            let answers = play(VALUE_BYTES_MAX, line.as_bytes().chunks(cut));
            let answers = String::from_utf8(answers).expect("text was asked for");
            assert!(answers.starts_with("HTTP/1.1 400 ") && answers.ends_with(" and JSON.\n"), "{begin:?}: {answers}");
        }
    }
}

#[test]
fn the_generated_conversations_hold_what_they_should() {
    let all: Vec<Vec<u8>> = (0..CONVERSATIONS).map(|seed| conversation(&mut Random::new(seed))).collect();
    let with = |what: &dyn Fn(&[u8]) -> bool| all.iter().filter(|bytes| what(bytes)).count();
    let answered_with =
        |answer: &str| with(&|bytes| oracle(bytes).0.iter().any(|one| one.starts_with(answer.as_bytes())));
    assert!(with(&|bytes| std::str::from_utf8(bytes).is_err()) > 100);
    assert!(with(&|bytes| bytes.contains(&0)) > 100);
    assert!(with(&|bytes| bytes.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n')) > 100);
    assert!(with(&|bytes| bytes.len() > KEY_BYTES_MAX) > 20);
    assert!(with(&|bytes| oracle(bytes).1) > 5, "some speak HTTP");
    let answers = [
        "INVALID COMMAND",
        "KEY NOT FOUND",
        "NOT SET",
        "NOT DELETED",
        "OK",
        "ERROR key too long",
        "ERROR value too long",
        "ERROR the last",
    ];
    for answer in answers {
        assert!(answered_with(answer) > 10, "{answer}");
    }
}

/// Malformed lines of many kinds between valid ones; a valid `SET` and `GET` near the end, perhaps an unfinished line.
fn conversation(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(30) {
        if random.once_in(3) {
            bytes.extend(valid(random));
        } else {
            bytes.extend(malformed(random));
        }
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(b"SET last word\r\nGET last\nGET LAST\n");
    if random.once_in(4) {
        bytes.extend_from_slice(random.choose::<&[u8]>(&[b"GET last", b"S", b"\r", b"SET last words", b"\0", b" "]));
    }
    bytes
}

fn valid(random: &mut Random) -> Vec<u8> {
    let key = random.choose(&["a", "b", "c\t", "\u{fc}", "GET", "last"]);
    let value = random.choose(&["1", "two words", " ", "\r\r", "OK", "GET a", "\0"]);
    let verb = |verb: &str, random: &mut Random| if random.once_in(2) { verb.to_lowercase() } else { verb.to_owned() };
    let mut line = match random.below(11) {
        0..4 => format!("{} {key} {value}", verb("SET", random)),
        4 | 5 => format!("{} {key}", verb("GET", random)),
        6 => format!("{} {key}", verb("DELETE", random)),
        7 => format!("{} {key} {value}", verb("SETNX", random)),
        8 => format!("{} {key} {} {value}", verb("SETIFEQ", random), random.choose(&["1", "OK", "\r\r", "\0"])),
        9 => format!("{} {key} {value}", verb("DELIFEQ", random)),
        _ => verb(random.choose(&["PING", "HELP", "INFO"]), random),
    };
    if random.once_in(3) {
        line.push('\r');
    }
    line.into_bytes()
}

fn malformed(random: &mut Random) -> Vec<u8> {
    let mut line = match random.below(11) {
        // Any bytes at all.
        0 => {
            let count = random.below(60);
            random.bytes(count)
        }
        // A command that breaks off.
        1 => {
            let mut line = valid(random);
            line.truncate(random.below(line.len() + 1));
            line
        }
        // Wrong separators.
        2 => random
            .choose(&["GET\ta", "SET\ta\tb", " GET a", "GET  a", "SET  a b", "SET a", "SET a ", "GET a ", "G ET a"])
            .as_bytes()
            .to_vec(),
        // Too many arguments, or verbs nobody knows.
        3 => random
            .choose(&[
                "GET a b",
                "DELETE a b",
                "PING 1",
                "INFO all",
                "GETS a",
                "SETXX a b",
                "SETIFEQ a b",
                "DELIFEQ a",
                "*2",
                "$3",
            ])
            .as_bytes()
            .to_vec(),
        // A carriage return where none belongs.
        4 => random
            .choose(&["GE\rT a", "GET a\rb", "SET\r a b", "SET a\r b", "\rGET a", "GET a\r\r", "\r", "SET a \r"])
            .as_bytes()
            .to_vec(),
        // NULs.
        5 => random
            .choose(&["\0", "GET\0a", "\0GET a", "GET a\0", "SET \0 \0", "PING\0", "SET a\0b"])
            .as_bytes()
            .to_vec(),
        // Not UTF-8.
        6 => random
            .choose::<&[u8]>(&[b"\xFF\xFE", b"GET \xC3\x28", b"SET \x80 \xFF", b"\xF0GET a", b"DELETE \xED\xA0\x80 x"])
            .to_vec(),
        // A key at the limit and past it.
        7 if random.once_in(4) => {
            let verb: &str = random.choose(&["GET ", "DELETE ", "SET "]);
            let key = "k".repeat(KEY_BYTES_MAX - 2 + random.below(5));
            format!("{verb}{key}{}", random.choose(&["", " v"])).into_bytes()
        }
        // A value at the limit and past it.
        8 => format!("SET a {}", "v".repeat(VALUE_BYTES_MAX - 2 + random.below(5))).into_bytes(),
        // A value past every limit.
        9 if random.once_in(4) => format!("SET a {}", "v ".repeat(60_000 + random.below(100_000))).into_bytes(),
        // A browser, which matters only before the first valid command.
        10 if random.once_in(4) => {
            random.choose(&["POST / HTTP/1.1", "Host: a", "put x", "POST", "GET / HTTP/1.1"]).as_bytes().to_vec()
        }
        _ => Vec::new(),
    };
    line.retain(|&byte| byte != b'\n');
    // What begins so is another dialect.
    if matches!(line.first(), Some(b'*' | b'{')) {
        line[0] = b'+';
    }
    // What ends a conversation early is not what is tested here.
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"QUIT") { Vec::new() } else { line }
}

/// The right answers, one a line, and whether the connection is closed as HTTP after them.
fn oracle(conversation: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut values: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let (mut answers, mut understood) = (Vec::new(), false);
    let mut lines: Vec<&[u8]> = conversation.split(|&byte| byte == b'\n').collect();
    let unfinished = lines.pop().is_some_and(|rest| !rest.is_empty());
    for line in lines {
        let line = if let [line @ .., b'\r'] = line { line } else { line };
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let verb = words[0].to_ascii_uppercase();
        let is_key = |key: &[u8]| !key.is_empty() && !key.contains(&b'\r');
        let long = |key: &[u8]| key.len() > KEY_BYTES_MAX;
        let answer: Option<Vec<u8>> = match (verb.as_slice(), &words[1..]) {
            (b"PING", []) => Some(b"PONG".to_vec()),
            (b"HELP", []) => Some(HELP.trim_end_matches('\n').as_bytes().to_vec()),
            (b"INFO", []) => Some(b"version: ".to_vec()),
            (b"GET" | b"DELETE", [key]) if is_key(key) && long(key) => Some(too_long("key")),
            (b"GET", [key]) if is_key(key) => Some(values.get(*key).cloned().unwrap_or(b"KEY NOT FOUND".to_vec())),
            (b"DELETE", [key]) if is_key(key) => {
                Some(values.remove(*key).map_or(b"KEY NOT FOUND".to_vec(), |_| b"OK".to_vec()))
            }
            (b"SET", [key, value @ ..]) if is_key(key) && !value.join(&b' ').is_empty() => {
                let value = value.join(&b' ');
                if long(key) {
                    Some(too_long("key"))
                } else if value.len() > VALUE_BYTES_MAX {
                    Some(too_long("value"))
                } else {
                    values.insert(key.to_vec(), value);
                    Some(b"OK".to_vec())
                }
            }
            (b"SETNX" | b"DELIFEQ", [key, value @ ..]) if is_key(key) && !value.join(&b' ').is_empty() => {
                let (value, found) = (value.join(&b' '), values.get(*key));
                Some(match verb.as_slice() {
                    _ if long(key) => too_long("key"),
                    _ if value.len() > VALUE_BYTES_MAX => too_long("value"),
                    b"SETNX" if found.is_some() => b"NOT SET".to_vec(),
                    b"SETNX" => {
                        values.insert(key.to_vec(), value);
                        b"OK".to_vec()
                    }
                    _ if found != Some(&value) => b"NOT DELETED".to_vec(),
                    _ => {
                        values.remove(*key);
                        b"OK".to_vec()
                    }
                })
            }
            (b"SETIFEQ", [key, old, new @ ..]) if is_key(key) && !old.is_empty() && !new.join(&b' ').is_empty() => {
                let new = new.join(&b' ');
                Some(if long(key) {
                    too_long("key")
                } else if new.len() > VALUE_BYTES_MAX {
                    too_long("value")
                } else if values.get(*key).map(Vec::as_slice) == Some(*old) {
                    values.insert(key.to_vec(), new);
                    b"OK".to_vec()
                } else {
                    b"NOT SET".to_vec()
                })
            }
            _ => None,
        };
        let refused = answer.as_ref().is_none_or(|answer| answer.starts_with(b"ERROR "));
        let methods: [&[u8]; 7] = [b"POST", b"PUT", b"PATCH", b"OPTIONS", b"HEAD", b"CONNECT", b"TRACE"];
        let is_http = methods.contains(&verb.as_slice()) && words.len() > 1
            || verb.starts_with(b"HOST:")
            || (verb == b"GET" && words.len() > 1 && line.ends_with(b" HTTP/1.1"));
        if is_http && !understood {
            return (answers, true);
        }
        understood |= !refused;
        answers.push(answer.unwrap_or(b"INVALID COMMAND".to_vec()));
    }
    if unfinished {
        answers.push(b"ERROR the last line has no newline: it was not run".to_vec());
    }
    (answers, false)
}

fn too_long(what: &str) -> Vec<u8> {
    format!("ERROR {what} too long: at most ").into_bytes()
}

fn check_answers(conversation: &[u8], answers: &[u8]) {
    let mut rest = answers;
    let (expected, is_http) = oracle(conversation);
    for (number, answer) in expected.iter().enumerate() {
        // Texts for a person end with an empty line, refusals with the limit; all else is the whole line.
        let end: &[u8] =
            if answer.starts_with(b"version: ") || answer == HELP.trim_end().as_bytes() { b"\n\n" } else { b"\n" };
        let is_prefix = answer.ends_with(b"at most ") || answer == b"version: ";
        let length = rest.windows(end.len()).position(|bytes| bytes == end);
        let line = length.map_or(rest, |length| &rest[..length]);
        let fits = if is_prefix { line.starts_with(answer) } else { line == answer.as_slice() };
        assert!(
            fits && length.is_some(),
            "answer {number} is \"{}\", but \"{}\" is right; the conversation: \"{}\"",
            line.escape_ascii(),
            answer.escape_ascii(),
            conversation[..conversation.len().min(3_000)].escape_ascii()
        );
        rest = &rest[line.len() + end.len()..];
    }
    if is_http {
        rest = rest.strip_prefix(b"HTTP/1.1 400 Bad Request\r\n").expect("a browser is told so");
        rest = &rest[rest.len() - rest.iter().rev().take_while(|&&byte| byte != b'\n').count()..];
    }
    assert!(rest.is_empty(), "nobody asked for \"{}\"", rest.escape_ascii());
    let ends_well = b"OK\nword\nKEY NOT FOUND\n";
    let goes_on = conversation.ends_with(b"\n") && !is_http;
    assert!(!goes_on || answers.ends_with(ends_well), "the valid commands at the end work");
}
