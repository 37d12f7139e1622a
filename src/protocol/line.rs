//! The line dialect: what a person types at `nc`.
//!
//! A request is a line, ended by `\n` (a `\r` before it is dropped): a verb in any case, a space, a key, and for `SET`
//! a space and the value, which is the rest of the line, spaces and all. Every answer ends with `\n`; the answers of
//! `HELP` and `INFO` are several lines, ended by an empty one. A newline inside a value cannot be said here.

use std::io::Write;

use memchr::memchr;

use super::{Decoded, Refusal, Reply, Request};
use crate::store::KEY_BYTES_MAX;

/// What a line may be longer than the longest key and value together: verb, spaces and line end.
const SLACK_BYTES: usize = 16;

/// The answer to `HELP`.
pub const HELP: &str = "\
SET <key> <value>   give the key a value: the rest of the line, spaces and all
GET <key>           the value, or KEY NOT FOUND
DELETE <key>        forget the key: OK, or KEY NOT FOUND
WAIT <n> <ms>       how many peers have your last write on disk: once n have, or after ms milliseconds
PING                PONG
INFO                the node's state, one name and value per line
HELP                these lines
QUIT                OK, then goodbye
A key is any bytes but space and line ends. Anything else is answered INVALID COMMAND.

";

/// The longest line, its end not counted.
pub fn line_bytes_max(value_bytes_max: usize) -> usize {
    KEY_BYTES_MAX + value_bytes_max + SLACK_BYTES
}

/// Reads the first line. `scanned` bytes are known to hold no line end; `first` says that nothing valid has come on
/// this connection yet, which is when an HTTP client gives itself away.
pub fn decode(bytes: &[u8], scanned: usize, first: bool, value_bytes_max: usize) -> Decoded<'_> {
    let max = line_bytes_max(value_bytes_max);
    let found = memchr(b'\n', &bytes[scanned..]).map(|at| scanned + at);
    // Past the limit the answer depends on the bytes up to it alone, however the network has cut them.
    let too_long = found.unwrap_or(bytes.len()) > max;
    let end = match found {
        Some(end) if too_long => return Decoded::Malformed(oversized(&bytes[..=max], value_bytes_max), end + 1),
        None if too_long => return Decoded::Oversized(oversized(&bytes[..=max], value_bytes_max)),
        None => return Decoded::Incomplete,
        Some(end) => end,
    };
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match parse(line, value_bytes_max) {
        // A browser can be made to send any word as its method, `SET` too.
        Ok(_) if first && (line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")) => Decoded::Http,
        Ok(request) => Decoded::Request(request, end + 1),
        Err(_) if first && is_http(line) => Decoded::Http,
        Err(reply) => Decoded::Malformed(reply, end + 1),
    }
}

/// Writes the answer and its line end.
pub fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Ok => out.extend_from_slice(b"OK\n"),
        Reply::Value(value) => {
            out.reserve(value.len() + 1);
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        Reply::KeyNotFound => out.extend_from_slice(b"KEY NOT FOUND\n"),
        Reply::InvalidCommand => out.extend_from_slice(b"INVALID COMMAND\n"),
        Reply::Error(why) => writeln!(out, "ERROR {why}").expect("memory takes all"),
        Reply::Number(number) => writeln!(out, "{number}").expect("memory takes all"),
        Reply::Pong => out.extend_from_slice(b"PONG\n"),
        Reply::Text(text) => out.extend_from_slice(text.as_bytes()),
    }
}

fn parse(line: &[u8], value_bytes_max: usize) -> Result<Request<'_>, Reply<'static>> {
    let (verb, rest) = match memchr(b' ', line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    };
    let request = match (verb.len(), rest) {
        (3, Some(rest)) if verb.eq_ignore_ascii_case(b"GET") => Request::Get(key(rest)?),
        (3, Some(rest)) if verb.eq_ignore_ascii_case(b"SET") => {
            let at = memchr(b' ', rest).ok_or(Reply::InvalidCommand)?;
            let (key, value) = (key(&rest[..at])?, &rest[at + 1..]);
            if value.is_empty() {
                return Err(Reply::InvalidCommand);
            }
            if value.len() > value_bytes_max {
                return Err(Reply::Error(Refusal::ValueTooLong(value_bytes_max)));
            }
            Request::Set(key, value)
        }
        (6, Some(rest)) if verb.eq_ignore_ascii_case(b"DELETE") => Request::Delete(key(rest)?),
        (4, Some(rest)) if verb.eq_ignore_ascii_case(b"WAIT") => {
            let at = memchr(b' ', rest).ok_or(Reply::InvalidCommand)?;
            Request::Wait(number(&rest[..at])? as usize, number(&rest[at + 1..])?)
        }
        (4, None) if verb.eq_ignore_ascii_case(b"PING") => Request::Ping,
        (4, None) if verb.eq_ignore_ascii_case(b"INFO") => Request::Info,
        (4, None) if verb.eq_ignore_ascii_case(b"HELP") => Request::Help,
        (4, None) if verb.eq_ignore_ascii_case(b"QUIT") => Request::Quit,
        _ => return Err(Reply::InvalidCommand),
    };
    Ok(request)
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

/// A request line (`POST / HTTP/1.1`) or a `Host:` header: a page in somebody's browser may be trying to make the
/// browser a client of ours, with commands in the body that follows.
fn is_http(line: &[u8]) -> bool {
    let verb_bytes = memchr(b' ', line).unwrap_or(line.len());
    let methods: [&[u8]; 7] = [b"POST", b"PUT", b"PATCH", b"OPTIONS", b"HEAD", b"CONNECT", b"TRACE"];
    methods.iter().any(|method| line[..verb_bytes].eq_ignore_ascii_case(method) && verb_bytes < line.len())
        || line.get(..5).is_some_and(|header| header.eq_ignore_ascii_case(b"Host:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Request<'_>, Reply<'_>>) {
        let line = format!("{line}\n");
        let decoded = decode(line.as_bytes(), 0, true, 1000);
        let expected = match expected {
            Ok(request) => Decoded::Request(request, line.len()),
            Err(Reply::InvalidCommand) => Decoded::Malformed(Reply::InvalidCommand, line.len()),
            Err(reply) => panic!("no line here is answered {reply:?}"),
        };
        assert_eq!(decoded, expected, "{line:?}");
    }

    #[test]
    fn the_value_is_the_rest_of_the_line_spaces_kept() {
        check("SET a b", Ok(Request::Set(b"a", b"b")));
        check("set color dark  blue \t", Ok(Request::Set(b"color", b"dark  blue \t")));
        check("SET a  b", Ok(Request::Set(b"a", b" b")));
        check("SET a   ", Ok(Request::Set(b"a", b"  ")));
        check("SET a b\r", Ok(Request::Set(b"a", b"b")));
        check("SET a b\rc", Ok(Request::Set(b"a", b"b\rc")));
    }

    #[test]
    fn verbs_come_in_any_case() {
        check("GeT a", Ok(Request::Get(b"a")));
        check("delete a", Ok(Request::Delete(b"a")));
        check("ping\r", Ok(Request::Ping));
    }

    #[test]
    fn missing_and_extra_arguments_are_invalid() {
        for line in
            ["", " ", "SET", "SET ", "SET a", "SET a ", "SET  a b", "SET a \r", "GET", "GET ", "GET a b", "GET a "]
        {
            check(line, Err(Reply::InvalidCommand));
        }
        for line in [" GET a", "GETS a", "DELETE", "DELETE a b", "PING a", "QUIT ", "\r", "GET a\rb", "GET\ta"] {
            check(line, Err(Reply::InvalidCommand));
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
            assert_eq!(decode(line.as_bytes(), 0, true, 1000), expected);
        }
        let endless = "x".repeat(line_bytes_max(1000) + 1);
        let cases = [
            (format!("SET {endless}"), Refusal::KeyTooLong),
            (format!("SET k {endless}"), Refusal::ValueTooLong(1000)),
            (endless, Refusal::LineTooLong(line_bytes_max(1000))),
        ];
        for (line, refusal) in cases {
            assert_eq!(decode(line.as_bytes(), 0, true, 1000), Decoded::Oversized(Reply::Error(refusal)));
        }
    }

    #[test]
    fn http_is_known_by_its_request_line_or_its_host_header_but_only_at_the_beginning() {
        for line in ["POST / HTTP/1.1\r\n", "options * HTTP/1.1\r\n", "Host: localhost:5000\r\n"] {
            assert_eq!(decode(line.as_bytes(), 0, true, 1000), Decoded::Http);
            assert_eq!(decode(line.as_bytes(), 0, false, 1000), Decoded::Malformed(Reply::InvalidCommand, line.len()));
        }
    }
}
