//! The line dialect: what a person types at `nc`.
//!
//! A request is a line, ended by `\n` (a `\r` before it is dropped): a verb in any case, a space, a key, and for `SET`
//! a space and the value, which is the rest of the line, spaces and all. Every answer ends with `\n`; the answers of
//! `HELP` and `INFO` are several lines, ended by an empty one. A newline inside a value cannot be said here, neither in
//! a request nor in an answer.

use std::io::Write;

use memchr::memchr;

use super::speech::{Progress, Speech, Traits};
use super::{Args, Command, Decoded, Refusal, Reply, Request, Scratch, TEXT_VALUE_BYTES_MAX, http, resp};
use crate::store::KEY_BYTES_MAX;

/// See the module.
pub(super) struct Line;

impl Speech for Line {
    const TRAITS: Traits = Traits {
        name: "lines",
        begin: None,
        resp_version: None,
        has_channels: false,
        has_pushes: false,
        follows_redis: false,
        forbids_newlines: true,
        tells_of_missing_end: true,
        is_http: false,
    };

    fn decode<'a>(
        bytes: &'a [u8],
        progress: &mut Progress,
        is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        decode(bytes, progress.scanned, is_first, value_bytes_max.min(TEXT_VALUE_BYTES_MAX), scratch)
    }

    fn decode_plain<'a>(
        bytes: &'a [u8],
        is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Option<(Request<'a>, usize)> {
        decode(bytes, 0, is_first, value_bytes_max.min(TEXT_VALUE_BYTES_MAX), scratch).request()
    }

    fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
        encode(reply, out);
    }

    fn value_frame(_value_bytes: usize) -> Option<(String, &'static str)> {
        Some((String::new(), "\n"))
    }
}

/// What a line may be longer than the longest key and value together: verb, spaces and line end.
const SLACK_BYTES: usize = 16;

/// The answer to `HELP`.
pub const HELP: &str = "\
SET <key> <value>          give the key a value: the rest of the line, spaces and all
GET <key>                  the value, or KEY NOT FOUND
DELETE <key>               forget the key: OK, or KEY NOT FOUND
SETNX <key> <value>        give the key a value if it has none: OK, or NOT SET
SETIFEQ <key> <old> <new>  give the key a value if it has that one, a word: OK, or NOT SET
DELIFEQ <key> <value>      forget the key if it has that value: OK, or NOT DELETED
EXPIRE <key> <s>           forget the key after so many seconds: OK, or KEY NOT FOUND
TTL <key>                  the seconds that are left; -1: the key stays; or KEY NOT FOUND
WAIT <n> <ms>              how many peers have your last write on disk: once n have, or after ms milliseconds
SELECT <n>                 go on with the keys of database n, 0 to 15; everybody begins with 0
PING                       PONG
AUTH [user] <pwd>          say who you are: the password is the rest of the line; without a user, the default one
INFO                       the node's state, one name and value per line
STATUS                     all nodes, as far as this one knows, and what it comes to: a line of JSON
HELP                       these lines
QUIT                       OK, then goodbye
A key is any bytes but space and line ends. Anything else is answered INVALID COMMAND.
A line that begins with * is RESP, as Redis clients speak it; one that begins with { is a JSON object.

";

/// The answer in the place of a value that would be several lines: whoever reads on would take its second line for the
/// answer to the next request.
pub const HAS_NEWLINE: &[u8] = b"ERROR value has a newline: read it with JSON or RESP\n";

/// Whether the value cannot be said in this dialect. O(length).
pub fn has_newline(value: &[u8]) -> bool {
    memchr(b'\n', value).is_some()
}

/// The longest line, its end not counted.
pub fn line_bytes_max(value_bytes_max: usize) -> usize {
    KEY_BYTES_MAX + value_bytes_max + SLACK_BYTES
}

/// Reads the first line. `scanned` bytes are known to hold no line end; `first` says that nothing valid has come on
/// this connection yet, which is when an HTTP client gives itself away.
pub fn decode<'a>(
    bytes: &'a [u8],
    scanned: usize,
    first: bool,
    value_bytes_max: usize,
    scratch: &'a mut Scratch,
) -> Decoded<'a> {
    let max = line_bytes_max(value_bytes_max);
    let found = memchr(b'\n', &bytes[scanned..]).map(|at| scanned + at);
    // Past the limit the answer depends on the bytes up to it alone, however the network has cut them.
    let too_long = found.unwrap_or(bytes.len()) > max;
    let end = match found {
        // What follows it would be run as commands.
        _ if too_long && first && http::is_long_opening(&bytes[..=max]) => return Decoded::Http,
        Some(end) if too_long => return Decoded::Malformed(oversized(&bytes[..=max], value_bytes_max), end + 1),
        None if too_long => return Decoded::Oversized(oversized(&bytes[..=max], value_bytes_max)),
        None => return Decoded::Incomplete(bytes.len() + 1),
        Some(end) => end,
    };
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match parse(line, value_bytes_max, scratch) {
        Ok(_) if first && http::names_version(line) => Decoded::Http,
        Ok(request) => Decoded::Request(request, end + 1),
        Err(_) if first && (http::is_opening(line) || http::names_version(line)) => Decoded::Http,
        Err(reply) => Decoded::Malformed(reply, end + 1),
    }
}

/// Writes the answer and its line end. Arrays are not asked for in this dialect: their elements are lines.
fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Ok | Reply::Done(true) => out.extend_from_slice(b"OK\n"),
        Reply::Value(value) if has_newline(value) => out.extend_from_slice(HAS_NEWLINE),
        Reply::Value(value) => {
            out.reserve(value.len() + 1);
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        Reply::Done(false) | Reply::Nil | Reply::NilArray => out.extend_from_slice(b"KEY NOT FOUND\n"),
        Reply::InvalidCommand => out.extend_from_slice(b"INVALID COMMAND\n"),
        Reply::Error(why @ Refusal::Denied) => writeln!(out, "ERROR {} {why}", why.code()).expect("memory takes all"),
        Reply::Error(why) => writeln!(out, "ERROR {why}").expect("memory takes all"),
        Reply::Fail(why) => {
            writeln!(out, "ERROR {}", why.strip_prefix("ERR ").unwrap_or(why)).expect("memory takes all");
        }
        Reply::Int(number) => writeln!(out, "{number}").expect("memory takes all"),
        Reply::Double(number) => writeln!(out, "{number}").expect("memory takes all"),
        Reply::Simple(text) => writeln!(out, "{text}").expect("memory takes all"),
        Reply::Text(text) => out.extend_from_slice(text.as_bytes()),
        Reply::Array(_) | Reply::Map(_) | Reply::Set(_) | Reply::Push(_) => (),
    }
}

fn parse<'a>(line: &'a [u8], value_bytes_max: usize, scratch: &'a mut Scratch) -> Result<Request<'a>, Reply<'static>> {
    let (verb, rest) = match memchr(b' ', line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    };
    let spans = &mut scratch.spans;
    spans.clear();
    spans.push(0..verb.len());
    let start = verb.len() + 1;
    // The two arguments at most, as parts of the line.
    let mut two = |rest: &[u8]| -> Result<usize, Reply<'static>> {
        let at = memchr(b' ', rest).ok_or(Reply::InvalidCommand)?;
        spans.extend([start..start + at, start + at + 1..line.len()]);
        Ok(at)
    };
    let command = match (verb.len(), rest) {
        (3, Some(rest)) if verb.eq_ignore_ascii_case(b"GET") => one(rest, Command::Get)?,
        (3, Some(rest)) if verb.eq_ignore_ascii_case(b"SET") => {
            let at = two(rest)?;
            let value = &rest[at + 1..];
            key(&rest[..at])?;
            check_value(value, value_bytes_max)?;
            Command::Set
        }
        (6, Some(rest)) if verb.eq_ignore_ascii_case(b"DELETE") => one(rest, Command::Delete)?,
        (5, Some(rest)) if verb.eq_ignore_ascii_case(b"SETNX") => {
            let at = two(rest)?;
            key(&rest[..at])?;
            check_value(&rest[at + 1..], value_bytes_max)?;
            // `SET <key> <value> NX`: both words are parts of the verb.
            spans[0] = 0..3;
            spans.push(3..5);
            Command::Set
        }
        (7, Some(rest)) if verb.eq_ignore_ascii_case(b"SETIFEQ") => {
            let at = two(rest)?;
            key(&rest[..at])?;
            let (begin, values) = (start + at + 1, &rest[at + 1..]);
            let end = memchr(b' ', values).filter(|&end| end > 0).ok_or(Reply::InvalidCommand)?;
            check_value(&values[end + 1..], value_bytes_max)?;
            // `SET <key> <new> IFEQ <old>`.
            spans[0] = 0..3;
            spans[2] = begin + end + 1..line.len();
            spans.extend([3..7, begin..begin + end]);
            Command::Set
        }
        (7, Some(rest)) if verb.eq_ignore_ascii_case(b"DELIFEQ") => {
            let at = two(rest)?;
            key(&rest[..at])?;
            check_value(&rest[at + 1..], value_bytes_max)?;
            Command::DelIfEq
        }
        (6, Some(rest)) if verb.eq_ignore_ascii_case(b"EXPIRE") => {
            let at = two(rest)?;
            key(&rest[..at])?;
            resp::integer(&rest[at + 1..]).ok_or(Reply::InvalidCommand)?;
            Command::Expire
        }
        (3, Some(rest)) if verb.eq_ignore_ascii_case(b"TTL") => one(rest, Command::Ttl)?,
        (4, Some(rest)) if verb.eq_ignore_ascii_case(b"WAIT") => {
            let at = two(rest)?;
            number(&rest[..at])?;
            number(&rest[at + 1..])?;
            Command::Wait
        }
        (6, Some(rest)) if verb.eq_ignore_ascii_case(b"SELECT") => {
            number(rest)?;
            Command::Select
        }
        (4, Some(rest)) if verb.eq_ignore_ascii_case(b"AUTH") => {
            if two(rest).is_err() && rest.is_empty() {
                return Err(Reply::InvalidCommand);
            }
            Command::Auth
        }
        (4, None) if verb.eq_ignore_ascii_case(b"PING") => Command::Ping,
        (4, None) if verb.eq_ignore_ascii_case(b"INFO") => Command::Info,
        (6, None) if verb.eq_ignore_ascii_case(b"STATUS") => Command::Status,
        (4, None) if verb.eq_ignore_ascii_case(b"HELP") => Command::Help,
        (4, None) if verb.eq_ignore_ascii_case(b"QUIT") => Command::Quit,
        _ => return Err(Reply::InvalidCommand),
    };
    if spans.len() == 1 && rest.is_some() {
        spans.push(start..line.len());
    }
    Ok(Request { command: Some(command), args: Args::new(line, spans) })
}

/// A command whose one argument is a key.
fn one(rest: &[u8], command: Command) -> Result<Command, Reply<'static>> {
    key(rest).map(|_| command)
}

/// One argument: not empty, no space, no `\r`.
fn key(bytes: &[u8]) -> Result<&[u8], Reply<'static>> {
    if bytes.is_empty() || memchr::memchr2(b' ', b'\r', bytes).is_some() {
        return Err(Reply::InvalidCommand);
    }
    if bytes.len() > KEY_BYTES_MAX {
        return Err(Reply::Error(Refusal::KeyTooLong));
    }
    Ok(bytes)
}

/// The rest of a line: not empty.
fn check_value(bytes: &[u8], value_bytes_max: usize) -> Result<(), Reply<'static>> {
    match bytes.len() {
        0 => Err(Reply::InvalidCommand),
        len if len > value_bytes_max => Err(Reply::Error(Refusal::ValueTooLong(value_bytes_max))),
        _ => Ok(()),
    }
}

/// Digits and nothing else.
fn number(bytes: &[u8]) -> Result<u64, Reply<'static>> {
    let digits = bytes.iter().all(u8::is_ascii_digit).then_some(bytes);
    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).ok_or(Reply::InvalidCommand)
}

/// Says of a line whose end has not come which limit it is past.
fn oversized(bytes: &[u8], value_bytes_max: usize) -> Reply<'static> {
    let refusal = match bytes.get(..4) {
        Some(verb) if verb.eq_ignore_ascii_case(b"SET ") => match memchr(b' ', &bytes[4..]) {
            Some(key_bytes) if key_bytes <= KEY_BYTES_MAX => Refusal::ValueTooLong(value_bytes_max),
            Some(_) | None => Refusal::KeyTooLong,
        },
        Some(_) | None => Refusal::LineTooLong(line_bytes_max(value_bytes_max)),
    };
    Reply::Error(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_alone(line: &[u8], first: bool) -> Result<(Command, Vec<Vec<u8>>, usize), String> {
        let mut scratch = Scratch::default();
        match decode(line, 0, first, 1000, &mut scratch) {
            Decoded::Request(Request { command: Some(command), args }, used) => {
                Ok((command, args.from(1).map(<[u8]>::to_vec).collect(), used))
            }
            other => Err(format!("{other:?}")),
        }
    }

    fn check(line: &str, command: Command, args: &[&str]) {
        let line = format!("{line}\n");
        let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        assert_eq!(decode_alone(line.as_bytes(), true), Ok((command, args, line.len())), "{line:?}");
    }

    fn check_invalid(line: &str) {
        let line = format!("{line}\n");
        let expected = format!("{:?}", Decoded::Malformed(Reply::InvalidCommand, line.len()));
        assert_eq!(decode_alone(line.as_bytes(), true), Err(expected), "{line:?}");
    }

    #[test]
    fn the_value_is_the_rest_of_the_line_spaces_kept() {
        check("SET a b", Command::Set, &["a", "b"]);
        check("set color dark  blue \t", Command::Set, &["color", "dark  blue \t"]);
        check("SET a  b", Command::Set, &["a", " b"]);
        check("SET a   ", Command::Set, &["a", "  "]);
        check("SET a b\r", Command::Set, &["a", "b"]);
        check("SET a b\rc", Command::Set, &["a", "b\rc"]);
    }

    #[test]
    fn verbs_come_in_any_case() {
        check("GeT a", Command::Get, &["a"]);
        check("delete a", Command::Delete, &["a"]);
        check("ping\r", Command::Ping, &[]);
        check("expire a 10", Command::Expire, &["a", "10"]);
    }

    #[test]
    fn conditions_are_those_of_set() {
        check("SETNX a b c", Command::Set, &["a", "b c", "NX"]);
        check("setnx a b", Command::Set, &["a", "b", "nx"]);
        check("SETIFEQ a old the new one", Command::Set, &["a", "the new one", "IFEQ", "old"]);
        check("SetIfEq a b  c", Command::Set, &["a", " c", "IfEq", "b"]);
        check("DELIFEQ a the old one", Command::DelIfEq, &["a", "the old one"]);
        for line in
            ["SETNX", "SETNX a", "SETNX a ", "SETNX  b", "SETIFEQ a", "SETIFEQ a b", "SETIFEQ a b ", "SETIFEQ a  b"]
        {
            check_invalid(line);
        }
        for line in ["DELIFEQ", "DELIFEQ a", "DELIFEQ a ", "SETXX a b", "SETIFNE a b c"] {
            check_invalid(line);
        }
    }

    #[test]
    fn missing_and_extra_arguments_are_invalid() {
        for line in
            ["", " ", "SET", "SET ", "SET a", "SET a ", "SET  a b", "SET a \r", "GET", "GET ", "GET a b", "GET a "]
        {
            check_invalid(line);
        }
        for line in [" GET a", "GETS a", "DELETE", "DELETE a b", "PING a", "QUIT ", "\r", "GET a\rb", "GET\ta"] {
            check_invalid(line);
        }
        for line in ["EXPIRE a", "EXPIRE a b", "EXPIRE a 1 2", "TTL", "TTL a b", "WAIT 1", "WAIT 1 x", "MGET a b"] {
            check_invalid(line);
        }
    }

    #[test]
    fn each_limit_is_named() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        let value = "v".repeat(1001);
        let cases = [
            (format!("GET {long}\n"), Refusal::KeyTooLong),
            (format!("SET {long} v\n"), Refusal::KeyTooLong),
            (format!("SET k {value}\n"), Refusal::ValueTooLong(1000)),
        ];
        for (line, refusal) in cases {
            let expected = Decoded::Malformed(Reply::Error(refusal), line.len());
            assert_eq!(decode_alone(line.as_bytes(), true), Err(format!("{expected:?}")));
        }
        let endless = "x".repeat(line_bytes_max(1000) + 1);
        let cases = [
            (format!("SET {endless}"), Refusal::KeyTooLong),
            (format!("SET k {endless}"), Refusal::ValueTooLong(1000)),
            (endless, Refusal::LineTooLong(line_bytes_max(1000))),
        ];
        for (line, refusal) in cases {
            let expected = Decoded::Oversized(Reply::Error(refusal));
            assert_eq!(decode_alone(line.as_bytes(), true), Err(format!("{expected:?}")));
        }
    }

    #[test]
    fn http_is_known_by_its_request_line_or_its_host_header_but_only_at_the_beginning() {
        for line in ["POST / HTTP/1.1\r\n", "options * HTTP/1.1\r\n", "Host: localhost:5000\r\n", "GET / HTTP/1.1\r\n"]
        {
            assert_eq!(decode_alone(line.as_bytes(), true), Err("Http".to_owned()));
            let expected = Decoded::Malformed(Reply::InvalidCommand, line.len());
            assert_eq!(decode_alone(line.as_bytes(), false), Err(format!("{expected:?}")));
        }
    }
}
