//! RESP2 and RESP3, what Redis clients speak (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! A request is an array of bulk strings, or a line of words (*inline*), quoted where they hold spaces. Limits and
//! errors are those of Redis 7.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

use memchr::memchr;

use super::speech::{Known, Progress, Speech, Traits};
use super::words::{INVALID_COMMAND, InWords};
use super::{Args, Command, Decoded, Reply, Request, Scratch, http, quoting};
use crate::store::KEY_BYTES_MAX;

/// Most arguments of a request.
const ARGS_MAX: i64 = 1 << 20;
/// Longest inline request, and longest number.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Most arguments of a request, and longest of them, of a client that has to authenticate first.
const STRANGER_ARGS_MAX: i64 = 10;
const STRANGER_BULK_BYTES_MAX: usize = 16 << 10;
/// Most bytes of a request beside the longest value there may be.
pub const REQUEST_BYTES_MAX: usize = 64 << 20;

/// See the module.
pub(super) struct Resp<const VERSION: i64>;

impl<const VERSION: i64> Speech for Resp<VERSION> {
    const TRAITS: Traits = Traits {
        name: "RESP",
        begin: Some(b'*'),
        resp_version: Some(VERSION),
        has_channels: true,
        has_pushes: VERSION >= 3,
        follows_redis: true,
        forbids_newlines: false,
        tells_of_missing_end: false,
        is_http: false,
    };

    fn decode<'a>(
        bytes: &'a [u8],
        progress: &mut Progress,
        is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        scratch.clear();
        if bytes.first() != Some(&b'*') {
            return inline(bytes, is_first, scratch);
        }
        if progress.scanned == 0 {
            progress.known = Known::default();
        }
        array(bytes, &mut progress.known, scratch, Limits::new(value_bytes_max, progress.is_stranger))
    }

    fn decode_plain<'a>(
        bytes: &'a [u8],
        _is_first: bool,
        value_bytes_max: usize,
        scratch: &'a mut Scratch,
    ) -> Option<(Request<'a>, usize)> {
        if bytes.first() != Some(&b'*') {
            return None;
        }
        scratch.clear();
        array(bytes, &mut Known::default(), scratch, Limits::new(value_bytes_max, false)).request()
    }

    fn may_be_whole(bytes: &[u8], progress: &Progress) -> bool {
        bytes.len() >= progress.needs
    }

    fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
        encode(reply, VERSION >= 3, out);
    }

    fn value_frame(value_bytes: usize) -> Option<(String, &'static str)> {
        Some((format!("${value_bytes}\r\n"), "\r\n"))
    }
}

/// How long a request may be.
#[derive(Clone, Copy)]
struct Limits {
    args: i64,
    bulk_bytes: usize,
    /// ... of a client that has authenticated.
    bulk_bytes_of_others: usize,
}

impl Limits {
    fn new(value_bytes_max: usize, is_stranger: bool) -> Limits {
        let all = value_bytes_max.max(KEY_BYTES_MAX + 1);
        match is_stranger {
            true => Limits { args: STRANGER_ARGS_MAX, bulk_bytes: STRANGER_BULK_BYTES_MAX, bulk_bytes_of_others: all },
            false => Limits { args: ARGS_MAX, bulk_bytes: all, bulk_bytes_of_others: all },
        }
    }

    /// What is said of so many arguments, which are too many.
    #[cold]
    fn fault_of_args(self, count: i64) -> &'static str {
        let is_number = count <= i64::from(i32::MAX);
        if is_number && self.args < ARGS_MAX { "unauthenticated multibulk length" } else { "invalid multibulk length" }
    }

    /// What is said of a word of this length, which is too long or none.
    #[cold]
    fn fault_of_bulk(self, len: i64) -> &'static str {
        let is_one = len >= 0 && len as u64 <= self.bulk_bytes_of_others as u64;
        if is_one { "unauthenticated bulk length" } else { "invalid bulk length" }
    }
}

/// Writes a reply.
pub(super) fn encode(reply: Reply<'_>, resp3: bool, out: &mut Vec<u8>) {
    match reply {
        Reply::Ok => out.extend_from_slice(b"+OK\r\n"),
        Reply::Done(done) => out.extend_from_slice(if done { b":1\r\n" } else { b":0\r\n" }),
        Reply::Value(value) => bulk(value, out),
        Reply::Text(text) if resp3 => {
            header(b'=', text.len() + 4, out);
            out.extend_from_slice(b"txt:");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Reply::Text(text) => bulk(text.as_bytes(), out),
        Reply::Nil | Reply::NilArray if resp3 => out.extend_from_slice(b"_\r\n"),
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::NilArray => out.extend_from_slice(b"*-1\r\n"),
        Reply::Int(number) => {
            out.push(b':');
            decimal(number, out);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Double(number) if resp3 => write!(out, ",{number}\r\n").expect("memory takes all"),
        Reply::Double(number) => bulk(number.as_bytes(), out),
        Reply::Simple(text) => write!(out, "+{text}\r\n").expect("memory takes all"),
        Reply::Array(len) => header(b'*', len, out),
        Reply::Map(len) if resp3 => header(b'%', len, out),
        Reply::Map(len) => header(b'*', 2 * len, out),
        Reply::Set(len) => header(if resp3 { b'~' } else { b'*' }, len, out),
        Reply::Push(len) => header(if resp3 { b'>' } else { b'*' }, len, out),
        Reply::InvalidCommand => write!(out, "-{INVALID_COMMAND}\r\n").expect("memory takes all"),
        Reply::Error(refusal) => write!(out, "-{}\r\n", InWords(refusal)).expect("memory takes all"),
        Reply::Fail(why) => write!(out, "-{why}\r\n").expect("memory takes all"),
    }
}

fn bulk(value: &[u8], out: &mut Vec<u8>) {
    out.reserve(value.len() + 16);
    header(b'$', value.len(), out);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn header(kind: u8, len: usize, out: &mut Vec<u8>) {
    out.push(kind);
    decimal(len as i64, out);
    out.extend_from_slice(b"\r\n");
}

/// The number's digits, without the detour over a formatter.
fn decimal(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn array<'a>(bytes: &'a [u8], known: &mut Known, scratch: &'a mut Scratch, limits: Limits) -> Decoded<'a> {
    let (count, first) = match number(bytes, 1) {
        Number::Is(count, at) if count <= limits.args => (count, at),
        Number::Is(count, _) => return fatal(limits.fault_of_args(count)),
        Number::Not => return fatal("invalid multibulk length"),
        Number::Incomplete => return Decoded::Incomplete(bytes.len() + 1),
        Number::TooLong => return fatal("too big mbulk count string"),
    };
    if count <= 0 {
        return Decoded::Blank(first);
    }
    let Known { words, end } = *known;
    let (words, mut at) = if words > 0 { (words, end) } else { (0, first) };
    for index in words..count {
        match word(bytes, at, limits) {
            Word::Is(span) => {
                at = span.end + 2;
                scratch.spans.push(span);
            }
            Word::Incomplete(needs) => {
                *known = Known { words: index, end: at };
                return Decoded::Incomplete(needs);
            }
            Word::Fatal(why) => return fatal(&why),
        }
    }
    if words > 0 {
        // All are there: where the first of them are is found out once more.
        scratch.clear();
        return array(bytes, &mut Known::default(), scratch, limits);
    }
    let args = Args::new(bytes, &scratch.spans);
    Decoded::Request(Request { command: Command::named(args.at(0)), args }, at)
}

enum Word {
    Is(Range<usize>),
    /// So many bytes there have to be before more can be said.
    Incomplete(usize),
    Fatal(Cow<'static, str>),
}

/// The word that begins at `at`. What is wrong is said as soon as it is there.
fn word(bytes: &[u8], at: usize, limits: Limits) -> Word {
    match bytes.get(at) {
        None => return Word::Incomplete(at + 1),
        Some(b'$') => (),
        Some(&other) => return Word::Fatal(format!("expected '$', got '{}'", char::from(other)).into()),
    }
    let (len, start) = match number(bytes, at + 1) {
        Number::Is(len, start) if len >= 0 && len as u64 <= limits.bulk_bytes as u64 => (len as usize, start),
        Number::Is(len, _) => return Word::Fatal(limits.fault_of_bulk(len).into()),
        Number::Not => return Word::Fatal("invalid bulk length".into()),
        Number::Incomplete => return Word::Incomplete(bytes.len() + 1),
        Number::TooLong => return Word::Fatal("too big bulk count string".into()),
    };
    let end = start + len + 2;
    if end > REQUEST_BYTES_MAX + limits.bulk_bytes {
        return Word::Fatal("too big request".into());
    }
    if end > bytes.len() { Word::Incomplete(end) } else { Word::Is(start..start + len) }
}

enum Number {
    /// The number, and where what follows begins.
    Is(i64, usize),
    Not,
    Incomplete,
    TooLong,
}

/// The number that begins at `at` and ends with `\r\n`.
fn number(bytes: &[u8], at: usize) -> Number {
    let rest = &bytes[at..];
    // Nearly all have one to four digits.
    let (mut value, mut end) = (0_i64, 0);
    while let Some(digit) = rest.get(end).filter(|byte| byte.is_ascii_digit() && end < 4) {
        value = value * 10 + i64::from(digit - b'0');
        end += 1;
    }
    let is_plain = end == 1 || (end > 1 && rest[0] != b'0');
    if is_plain && rest.get(end..end + 2) == Some(b"\r\n") {
        return Number::Is(value, at + end + 2);
    }
    let Some(end) = memchr(b'\r', &rest[..rest.len().min(INLINE_BYTES_MAX)]) else {
        return if rest.len() >= INLINE_BYTES_MAX { Number::TooLong } else { Number::Incomplete };
    };
    if rest.len() < end + 2 {
        return Number::Incomplete;
    }
    integer(&rest[..end]).map_or(Number::Not, |value| Number::Is(value, at + end + 2))
}

/// A number as Redis reads it everywhere: no sign but `-`, no leading zero, no space.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = digits.iter().all(u8::is_ascii_digit) && !digits.is_empty();
    if !plain || (digits[0] == b'0' && text.len() > 1) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn fatal(why: &str) -> Decoded<'static> {
    Decoded::Fatal(format!("ERR Protocol error: {why}"))
}

fn inline<'a>(bytes: &'a [u8], first: bool, scratch: &'a mut Scratch) -> Decoded<'a> {
    let Some(end) = memchr(b'\n', &bytes[..bytes.len().min(INLINE_BYTES_MAX + 1)]) else {
        return if bytes.len() > INLINE_BYTES_MAX {
            fatal("too big inline request")
        } else {
            Decoded::Incomplete(bytes.len() + 1)
        };
    };
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if first && (http::is_opening(line) || http::names_version(line)) {
        return Decoded::Http;
    }
    if quoting::split(line, scratch).is_none() {
        return fatal("unbalanced quotes in request");
    }
    if scratch.spans.is_empty() {
        return Decoded::Blank(end + 1);
    }
    let args = scratch.args();
    let name = args.at(0);
    if name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:") {
        return Decoded::Http;
    }
    Decoded::Request(Request { command: Command::named(name), args }, end + 1)
}
