//! HTTP as far as a client's bytes go that have not been read as requests: how a first line gives it away, what one is
//! told that is not served, and the parts of an answer that are always the same.
//!
//! A web page can make a browser send any bytes after a request line. So where HTTP is not served nothing behind one is
//! looked at, and the answer holds nothing of what came.

use memchr::{memchr, memrchr};
use serde_json::json;

use super::json::answer::Parts;
use super::speech::{Progress, Speech, Traits};
use super::{Decoded, Refusal, Reply, Scratch};

/// Longest head of a request: longer than those that browsers and libraries send, and what a stranger may say.
pub const HEAD_BYTES_MAX: usize = 16 << 10;

/// Methods that are HTTP's own.
const METHODS: [&[u8]; 9] = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"];
/// Longest word that is looked at as a method.
const METHOD_BYTES_MAX: usize = 1 << 10;
/// What a target begins with.
const TARGETS: [&[u8]; 3] = [b"/", b"http://", b"https://"];

/// What this port speaks where it speaks no HTTP.
const BODY: &str = "\
This port speaks no HTTP. It speaks lines (try: echo PING | nc -N <host> <port>), RESP as Redis does, and JSON.
";

/// What a document may do that is an answer: nothing, nowhere.
pub const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";

/// Headers of every answer: a value is nobody's page, and no script's.
pub const SECURITY: &str = "\
Cross-Origin-Resource-Policy: same-origin\r
X-Content-Type-Options: nosniff\r
";

/// Requests whose first line is on its way, as they may begin.
const OPENINGS: [&[u8]; 7] = [b"GET /", b"HEAD /", b"PUT /", b"POST /", b"DELETE /", b"OPTIONS /", b"OPTIONS *"];

/// See the module: the dialect in which nothing is decoded, as whoever serves it reads it.
pub(super) struct Http;

impl Speech for Http {
    const TRAITS: Traits = Traits {
        name: "HTTP",
        begin: None,
        resp_version: None,
        has_channels: false,
        has_pushes: false,
        follows_redis: true,
        forbids_newlines: false,
        tells_of_missing_end: false,
        is_http: true,
    };

    fn decode<'a>(
        _bytes: &'a [u8],
        _progress: &mut Progress,
        _is_first: bool,
        _value_bytes_max: usize,
        _scratch: &'a mut Scratch,
    ) -> Decoded<'a> {
        Decoded::Http
    }

    /// A body is received where it stays.
    fn may_be_whole(_bytes: &[u8], _progress: &Progress) -> bool {
        false
    }

    /// Nothing is said beside answers but why there will be none.
    fn encode(reply: Reply<'_>, out: &mut Vec<u8>) {
        if let Reply::Error(refusal) = reply {
            Self::refuse(&[], refusal, out);
        }
    }

    /// Whoever serves the request writes its answer from the parts.
    fn answer(reply: Reply<'_>, parts: &mut Parts, _out: &mut Vec<u8>) {
        parts.push(reply);
    }

    fn value_frame(_value_bytes: usize) -> Option<(String, &'static str)> {
        None
    }

    /// After one that takes the place of no answer the connection is closed.
    fn refuse(answer: &[u8], refusal: Refusal, out: &mut Vec<u8>) {
        let head = answer.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty() && *line != b"\r");
        let closes = answer.is_empty() || { head }.any(|line| line.eq_ignore_ascii_case(b"Connection: close\r"));
        let status = status_of(refusal);
        let body = sentence(&refusal.to_string());
        let connection = if closes { "Connection: close\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{connection}\
             Content-Security-Policy: {NO_CONTENT}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n{SECURITY}\r\n",
            reason(status),
            body.len()
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&body);
    }
}

/// Whether a first line that is no request is HTTP's all the same: a request line (`POST / HTTP/1.1`) or a `Host:`
/// header.
pub fn is_opening(line: &[u8]) -> bool {
    let verb = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    let is_one_of = |methods: &[&[u8]]| methods.iter().any(|method| verb.eq_ignore_ascii_case(method));
    let has_target = verb.len() < line.len();
    (has_target && is_one_of(&[b"POST", b"PUT", b"PATCH", b"OPTIONS", b"HEAD", b"CONNECT", b"TRACE"]))
        || (has_target && is_one_of(&[b"GET", b"DELETE"]) && names_version(line))
        || line.get(..5).is_some_and(|header| header.eq_ignore_ascii_case(b"Host:"))
}

/// Whether the line ends as a request line of any version does. A browser can be made to send any word as its method,
/// `SET` too.
pub fn names_version(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let last = memrchr(b' ', line).map_or(&b""[..], |space| &line[space + 1..]);
    last.strip_prefix(b"HTTP/").is_some_and(|version| version.first().is_some_and(u8::is_ascii_digit))
}

/// Whether a line of which only the beginning is looked at, as it is longer than any request's, is HTTP's: it begins
/// with one of its methods, or goes on with a path or an address as what pages make browsers send does.
pub fn is_long_opening(line: &[u8]) -> bool {
    let Some(space) = memchr(b' ', &line[..line.len().min(METHOD_BYTES_MAX)]) else { return false };
    let (verb, rest) = (&line[..space], &line[space + 1..]);
    METHODS.iter().any(|method| verb.eq_ignore_ascii_case(method))
        || TARGETS.iter().any(|target| rest.get(..target.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(target)))
}

/// Whether these bytes begin with such a line, whose end is further on than that of any head.
pub fn is_overlong_opening(bytes: &[u8]) -> bool {
    let begin = bytes.get(..HEAD_BYTES_MAX);
    begin.is_some_and(|begin| memchr(b'\n', begin).is_none() && is_long_opening(begin))
}

/// Whether these bytes begin with a line that ends as a request line does; `None`: they may yet.
pub fn begins(bytes: &[u8]) -> Option<bool> {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => Some(names_version(bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]))),
        None if OPENINGS.iter().any(|opening| bytes.starts_with(opening) || opening.starts_with(bytes)) => None,
        None => Some(false),
    }
}

/// What is answered where HTTP is not served; the connection is closed after it. One to `HEAD` has no body.
pub fn refuse(line: &[u8], out: &mut Vec<u8>) {
    let is_head = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"HEAD "));
    let body = if is_head { "" } else { BODY };
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        BODY.len()
    );
    out.extend_from_slice(head.as_bytes());
}

/// Why not, as the JSON that every error is.
pub fn sentence(why: &str) -> Vec<u8> {
    let mut body = json!({ "error": why }).to_string().into_bytes();
    body.push(b'\n');
    body
}

/// The status that says so.
pub fn status_of(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::KeyTooLong => 414,
        Refusal::ValueTooLong(_) => 413,
        Refusal::OutOfMemory => 507,
        Refusal::NotDurable
        | Refusal::MaybeDurable
        | Refusal::NotSaved
        | Refusal::TooManyClients(_)
        | Refusal::ShuttingDown => 503,
        Refusal::NotAuthenticated => 401,
        Refusal::Denied => 403,
        Refusal::LineTooLong(_) | Refusal::Unterminated | Refusal::PlainText | Refusal::TooLongFromStranger(_) => 400,
    }
}

/// What a status is called (RFC 9110, 15).
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "Error",
    }
}
