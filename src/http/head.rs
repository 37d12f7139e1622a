//! The head of a request: its first line and its headers.
//!
//! httparse reads it once, when its end has come. What it leaves to others is decided here: headers that may come once
//! alone, and where the body ends. A request that two readers could cut differently is refused (RFC 9112, 11.2).

use memchr::memchr;

use super::Wrong;
use super::body::Framing;
pub use crate::protocol::http::HEAD_BYTES_MAX;
use crate::protocol::http::names_version;

/// Most headers.
pub const HEADERS_MAX: usize = 64;

/// What is to be done with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Look at it.
    Get,
    /// Look at it, and say nothing of what it is.
    Head,
    /// Give it a value.
    Put,
    /// Do what it stands for.
    Post,
    /// Forget it.
    Delete,
    /// Say what may be done with it.
    Options,
    /// Something else, which is done with nothing here.
    Other,
}

impl Method {
    /// All of them, by their names.
    const NAMES: [(&'static str, Method); 6] = [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("PUT", Method::Put),
        ("POST", Method::Post),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
    ];

    fn named(name: &str) -> Method {
        Method::NAMES.iter().find(|(known, _)| *known == name).map_or(Method::Other, |&(_, method)| method)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        Method::NAMES.iter().find(|(_, method)| *method == self).map_or("", |&(name, _)| name)
    }

    /// Whether it changes nothing (RFC 9110, 9.2.1).
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }
}

/// The head of a request. Headers that are not here are not looked at.
#[derive(Debug)]
pub struct Head<'a> {
    /// What is to be done.
    pub method: Method,
    /// With what, as it was written.
    pub target: &'a str,
    /// Of HTTP/1.0 or HTTP/1.1 the last digit.
    pub minor: u8,
    /// Whether more requests may follow on the connection.
    pub keeps_alive: bool,
    /// How the body ends.
    pub framing: Framing,
    /// Whether the client waits for a word before it sends the body.
    pub awaits_word: bool,
    /// The server that is meant.
    pub host: Option<&'a str>,
    /// The page that asks.
    pub origin: Option<&'a str>,
    /// How far that is from here, as a browser says it.
    pub fetch_site: Option<&'a str>,
    /// What a browser asks for: `navigate` where a person goes to the address.
    pub fetch_mode: Option<&'a str>,
    /// What the body is.
    pub content_type: Option<&'a str>,
    /// Who asks.
    pub authorization: Option<&'a str>,
    /// What the browser was told to say.
    pub cookie: Option<&'a str>,
    /// What the answer may be.
    pub accept: Option<&'a str>,
    /// How the texts of an answer are to be written (`Upstash-Encoding`).
    pub encoding: Option<&'a str>,
    /// How an answer is to be written (`Upstash-Response-Format`).
    pub format: Option<&'a str>,
    /// States of which the target has to be in one.
    pub if_match: Option<&'a str>,
    /// States in none of which it may be.
    pub if_none_match: Option<&'a str>,
    /// Where a stream of events broke off.
    pub last_event_id: Option<&'a str>,
    /// What a page wants to be allowed to do.
    pub wanted_method: Option<&'a str>,
}

/// What there is of a head.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it comes, and kept nowhere")]
pub enum Read<'a> {
    /// All of it, in the first so many bytes.
    Head(Head<'a>, usize),
    /// Nothing in the first so many bytes: empty lines before a request.
    Blank(usize),
    /// Not its end.
    Incomplete,
}

/// Reads a head. `scanned` bytes are known not to have its end: it is told how many those are by now.
pub fn read<'a>(bytes: &'a [u8], scanned: &mut usize) -> Result<Read<'a>, Wrong> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 0 {
        return Ok(Read::Blank(blank));
    }
    let begin = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    check_begin(begin)?;
    let Some(end) = end_of(begin, *scanned) else {
        if bytes.len() >= HEAD_BYTES_MAX {
            return Err(match memchr(b'\n', &bytes[..HEAD_BYTES_MAX]) {
                Some(_) => Wrong::new(431, "the head of a request is 16384 bytes long at most"),
                None => Wrong::new(414, "the head of a request, its target included, is 16384 bytes long at most"),
            });
        }
        *scanned = bytes.len();
        return Ok(Read::Incomplete);
    };
    *scanned = 0;
    Ok(Read::Head(parse(&bytes[..end])?, end))
}

/// Whether the first line may be a request's, as far as it is here: who speaks something else is not waited for.
fn check_begin(bytes: &[u8]) -> Result<(), Wrong> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let line = memchr(b'\n', bytes).map(|end| &bytes[..end]);
    if bytes.first().is_none_or(is_token) && line.is_none_or(names_version) {
        return Ok(());
    }
    Err(Wrong::new(400, "this is no request of HTTP: a method, a target, HTTP/1.1, and a line end"))
}

/// Behind the empty line that ends a head.
fn end_of(bytes: &[u8], scanned: usize) -> Option<usize> {
    let mut at = scanned.saturating_sub(2);
    while let Some(newline) = memchr(b'\n', bytes.get(at..)?) {
        at += newline + 1;
        match &bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => (),
        }
    }
    None
}

/// Reads a head that is all there.
pub fn parse(bytes: &[u8]) -> Result<Head<'_>, Wrong> {
    use httparse::{EMPTY_HEADER, Error, Request, Status};
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Complete(count)) if count == bytes.len() => (),
        Ok(_) => return Err(Wrong::new(400, "this is no head of a request")),
        Err(Error::TooManyHeaders) => return Err(Wrong::new(431, "a request has 64 headers at most")),
        Err(Error::Version) => return Err(Wrong::new(505, "this node speaks HTTP/1.1 and HTTP/1.0")),
        Err(error) => return Err(Wrong::said(400, format!("this is no head of a request: {error}"))),
    }
    let minor = request.version.unwrap_or(1);
    let mut head = Head {
        method: Method::named(request.method.unwrap_or_default()),
        target: request.path.unwrap_or_default(),
        minor,
        keeps_alive: minor == 1,
        framing: Framing::None,
        awaits_word: false,
        host: None,
        origin: None,
        fetch_site: None,
        fetch_mode: None,
        content_type: None,
        authorization: None,
        cookie: None,
        accept: None,
        encoding: None,
        format: None,
        if_match: None,
        if_none_match: None,
        last_event_id: None,
        wanted_method: None,
    };
    head.note_all(request.headers)?;
    if minor == 1 && head.host.is_none() {
        return Err(Wrong::new(400, "a request of HTTP/1.1 names its Host"));
    }
    Ok(head)
}

impl<'a> Head<'a> {
    fn note_all(&mut self, headers: &[httparse::Header<'a>]) -> Result<(), Wrong> {
        let (mut length, mut is_chunked) = (None, false);
        for header in headers {
            let name = header.name;
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let once = match name.len() {
                4 if is("host") => &mut self.host,
                6 if is("origin") => &mut self.origin,
                6 if is("cookie") => &mut self.cookie,
                8 if is("if-match") => &mut self.if_match,
                12 if is("content-type") => &mut self.content_type,
                13 if is("authorization") => &mut self.authorization,
                13 if is("if-none-match") => &mut self.if_none_match,
                13 if is("last-event-id") => &mut self.last_event_id,
                14 if is("sec-fetch-site") => &mut self.fetch_site,
                14 if is("sec-fetch-mode") => &mut self.fetch_mode,
                16 if is("upstash-encoding") => &mut self.encoding,
                23 if is("upstash-response-format") => &mut self.format,
                29 if is("access-control-request-method") => &mut self.wanted_method,
                _ => {
                    let value = text_of(header.value).unwrap_or_default();
                    if is("content-length") {
                        let bytes = length_of(value)?;
                        if length.is_some_and(|before| before != bytes) {
                            return Err(Wrong::new(400, "a request has one Content-Length"));
                        }
                        length = Some(bytes);
                    } else if is("transfer-encoding") {
                        if is_chunked || self.minor == 0 {
                            return Err(Wrong::new(400, "a body is chunked once, and not in HTTP/1.0"));
                        }
                        if !value.eq_ignore_ascii_case("chunked") {
                            return Err(Wrong::new(501, "a body comes as it is, or chunked"));
                        }
                        is_chunked = true;
                    } else if is("connection") {
                        self.note_connection(value);
                    } else if is("expect") {
                        if !value.eq_ignore_ascii_case("100-continue") {
                            return Err(Wrong::new(417, "nothing can be expected but 100-continue"));
                        }
                        self.awaits_word = self.minor == 1;
                    } else if is("accept") {
                        self.accept = Some(value);
                    }
                    continue;
                }
            };
            let value = text_of(header.value).ok_or(Wrong::new(400, "headers that mean something are ASCII"))?;
            if once.replace(value).is_some() {
                return Err(Wrong::said(400, format!("a request has one {}", name.to_ascii_lowercase())));
            }
        }
        self.framing = match (length, is_chunked) {
            (Some(_), true) => {
                return Err(Wrong::new(400, "a body has a Content-Length or a Transfer-Encoding, not both"));
            }
            (Some(0) | None, false) => Framing::None,
            (Some(bytes), false) => Framing::Length(bytes),
            (None, true) => Framing::Chunked,
        };
        Ok(())
    }

    fn note_connection(&mut self, value: &str) {
        for token in value.split(',').map(str::trim) {
            if token.eq_ignore_ascii_case("close") {
                self.keeps_alive = false;
            } else if token.eq_ignore_ascii_case("keep-alive") && self.minor == 0 {
                self.keeps_alive = true;
            }
        }
    }
}

fn text_of(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| text.is_ascii()).map(str::trim)
}

/// Digits alone: what `+5`, `0x5` and `5, 5` mean, others may see differently.
fn length_of(text: &str) -> Result<u64, Wrong> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = if is_number { text.parse().ok() } else { None };
    length.ok_or(Wrong::new(400, "a Content-Length is a number of bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> u16 {
        parse(text.as_bytes()).expect_err(text).status
    }

    #[test]
    fn what_matters_of_a_head_is_read() {
        let text = "PUT /v1/keys/a?nx HTTP/1.1\r\nHOST: localhost:5000\r\nContent-Length: 3\r\nX-Other: \u{e9}\r\n\
                    Expect: 100-continue\r\nConnection: x, Close\r\nif-match: \"1-0\"\r\n\r\n";
        let head = parse(text.as_bytes()).expect("it is a head");
        assert_eq!((head.method, head.target, head.minor), (Method::Put, "/v1/keys/a?nx", 1));
        assert_eq!((head.host, head.if_match), (Some("localhost:5000"), Some("\"1-0\"")));
        assert_eq!((head.framing, head.awaits_word, head.keeps_alive), (Framing::Length(3), true, false));
    }

    #[test]
    fn a_request_is_kept_alive_as_its_version_has_it() {
        for (version, connection, keeps_alive) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: keep-alive\r\n", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
            assert_eq!(parse(text.as_bytes()).expect("it is a head").keeps_alive, keeps_alive, "{text}");
        }
    }

    #[test]
    fn what_two_readers_could_cut_differently_is_refused() {
        for (headers, status) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
            ("Content-Length: 3\r\nContent-Length: 4\r\n", 400),
            ("Content-Length: 3, 3\r\n", 400),
            ("Content-Length: +3\r\n", 400),
            ("Content-Length: -3\r\n", 400),
            ("Content-Length: 0x3\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 99999999999999999999\r\n", 400),
            ("Content-Length : 3\r\n", 400),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n", 501),
            ("Transfer-Encoding: xchunked\r\n", 501),
            ("Transfer-Encoding:\u{b}chunked\r\n", 400),
            (" folded: header\r\n", 400),
            ("X: a\r\n folded\r\n", 400),
            ("X: a\rb\r\n", 400),
            ("X: a\0b\r\n", 400),
            ("Expect: 200-ok\r\n", 417),
            ("Host: b\r\n", 400),
            ("Origin: a\r\nOrigin: b\r\n", 400),
            ("Authorization: Basic \u{e9}\r\n", 400),
        ] {
            assert_eq!(wrong(&format!("PUT / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")), status, "{headers:?}");
        }
        assert_eq!(wrong("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        assert_eq!(wrong("GET / HTTP/1.1\r\n\r\n"), 400, "without a host");
        assert_eq!(wrong("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
        for method in ["BREW", "get", "TRACE"] {
            let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(parse(text.as_bytes()).expect("it is a head").method, Method::Other, "methods have one case");
        }
        let same = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(parse(same.as_bytes()).expect("both say the same").framing, Framing::Length(3));
    }

    #[test]
    fn a_head_is_read_when_its_end_has_come_and_no_byte_is_looked_at_twice_for_it() {
        let text = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let mut scanned = 0;
        assert!(matches!(read(text, &mut scanned), Ok(Read::Blank(2))));
        let text = &text[2..];
        for len in 1..text.len() - "rest".len() {
            assert!(matches!(read(&text[..len], &mut scanned), Ok(Read::Incomplete)), "{len}");
            assert_eq!(scanned, len);
        }
        let Ok(Read::Head(head, len)) = read(text, &mut scanned) else { panic!("it is there") };
        assert_eq!((head.host, &text[len..], scanned), (Some("a"), &b"rest"[..], 0));
    }

    #[test]
    fn lines_may_end_as_a_person_types_them() {
        let text = b"GET /livez HTTP/1.1\nHost: a\n\n";
        assert!(matches!(read(text, &mut 0), Ok(Read::Head(_, len)) if len == text.len()));
    }

    #[test]
    fn a_head_that_is_too_long_is_refused_when_that_is_known_and_not_before() {
        let long = |line: &str, len: usize| [line.as_bytes(), &vec![b'x'; len - line.len()]].concat();
        for (line, status) in [("GET / HTTP/1.1\r\nX: ", 431), ("GET /", 414)] {
            assert!(matches!(read(&long(line, HEAD_BYTES_MAX - 1), &mut 0), Ok(Read::Incomplete)));
            let wrong = read(&long(line, HEAD_BYTES_MAX), &mut 0).expect_err("it is too long");
            assert_eq!(wrong.status, status);
        }
        let headers: String = (0..HEADERS_MAX).map(|number| format!("X-{number}: a\r\n")).collect();
        assert_eq!(wrong(&format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")), 431);
    }
}
