//! What is sent back: a status, headers, and a body that is there as a whole or comes in chunks.
//!
//! Every answer says that it is no page, belongs to nobody else's page, and is not to be kept, unless it is one of this
//! node's own pages.

use std::fmt::Write;

use super::Wrong;
use super::head::{Head, Method};
use crate::protocol::http::{NO_CONTENT, SECURITY, reason, sentence};

/// What JSON is called.
pub const JSON: &str = "application/json";
/// What any bytes are called.
pub const BYTES: &str = "application/octet-stream";
/// What text is called.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// What a page is called.
pub const HTML: &str = "text/html; charset=utf-8";
/// What a page may do that has forms for this node, and its styles, and nothing else.
pub const FORMS: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                         frame-ancestors 'none'";

/// What a page may do whose scripts, styles and pictures are this node's, and which asks and sends forms to nobody else.
pub const OWN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What scripts are called.
pub const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// What styles are called.
pub const CSS: &str = "text/css; charset=utf-8";
/// What drawings are called.
pub const SVG: &str = "image/svg+xml";

/// How the answer to a request is sent.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// Whether only what the answer is like is wanted.
    pub is_head: bool,
    /// Of the client's HTTP/1.0 or HTTP/1.1 the last digit.
    pub minor: u8,
    /// Whether more may follow on the connection.
    pub keeps_alive: bool,
    /// The page from elsewhere that may read it.
    pub reader: Option<&'a str>,
    /// When that is, in unix milliseconds.
    pub unix_ms: u64,
}

impl<'a> Manner<'a> {
    /// As the request wants it, at this time.
    pub fn of(head: &Head<'a>, unix_ms: u64) -> Manner<'a> {
        let is_head = head.method == Method::Head;
        Manner { is_head, minor: head.minor, keeps_alive: head.keeps_alive, reader: None, unix_ms }
    }

    /// To something that is no request.
    pub fn parting(unix_ms: u64) -> Manner<'static> {
        Manner { is_head: false, minor: 1, keeps_alive: false, reader: None, unix_ms }
    }

    /// The same, and nothing after it.
    pub fn closing(self) -> Manner<'a> {
        Manner { keeps_alive: false, ..self }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// There is none, and none is meant.
    Nothing,
    /// After so many bytes.
    Known(usize),
    /// When it does.
    Unknown,
}

/// An answer without its body.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    policy: &'static str,
    /// What may be kept of it, and for how long.
    cache: &'static str,
    /// Further headers, each with its line end.
    headers: String,
}

impl Answer {
    /// With this status, and a body of this kind.
    pub fn new(status: u16, content_type: &'static str) -> Answer {
        Answer { status, content_type, policy: NO_CONTENT, cache: "no-store", headers: String::new() }
    }

    /// Done, and a body of this kind.
    pub fn ok(content_type: &'static str) -> Answer {
        Answer::new(200, content_type)
    }

    /// One header more. The value is ours, and has no line end.
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Answer {
        let start = self.headers.len();
        write!(self.headers, "{name}: {value}").expect("memory takes all");
        debug_assert!(!self.headers[start..].contains(['\r', '\n']), "a header is one line");
        self.headers.push_str("\r\n");
        self
    }

    /// It is a document that may do this (Content-Security-Policy).
    pub fn as_page(self, policy: &'static str) -> Answer {
        Answer { policy, ..self }
    }

    /// It is the same for everybody, and may be kept by who asks each time whether it still is what it was.
    pub fn kept(self) -> Answer {
        Answer { cache: "no-cache", ..self }
    }

    /// Who asks has it already. The headers are those of the document all the same: a browser puts them in the place of
    /// those that it has kept, a policy as well (RFC 9111, 4.3.4).
    pub fn unchanged(self) -> Answer {
        Answer { status: 304, ..self }
    }

    /// Writes it with its body.
    pub fn write(&self, manner: Manner<'_>, body: &[u8], out: &mut Vec<u8>) {
        self.write_head(manner, body.len(), out);
        if !manner.is_head {
            out.extend_from_slice(body);
        }
    }

    /// Writes it without a body.
    pub fn write_empty(&self, manner: Manner<'_>, out: &mut Vec<u8>) {
        self.put_head(manner, Length::Nothing, out);
    }

    /// Writes what comes before a body of so many bytes, which `HEAD` does not want.
    pub fn write_head(&self, manner: Manner<'_>, body_bytes: usize, out: &mut Vec<u8>) {
        self.put_head(manner, Length::Known(body_bytes), out);
    }

    /// Writes what comes before a body whose end is not known; it is followed by [`put_chunk`]s and [`put_end`]. A
    /// client that knows no chunks is told by the connection's end.
    pub fn write_begin(&self, manner: Manner<'_>, out: &mut Vec<u8>) {
        self.put_head(manner, Length::Unknown, out);
    }

    fn put_head(&self, manner: Manner<'_>, length: Length, out: &mut Vec<u8>) {
        let Answer { status, content_type, policy, cache, headers } = self;
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(*status));
        let mut put = |text: std::fmt::Arguments<'_>| head.write_fmt(text).expect("memory takes all");
        match length {
            // Where nothing is said of a body, 204 and 304 have none, and others one of no bytes.
            Length::Nothing if matches!(status, 204 | 304) => (),
            Length::Nothing => put(format_args!("Content-Length: 0\r\n")),
            Length::Known(bytes) => {
                put(format_args!("Content-Type: {content_type}\r\nContent-Length: {bytes}\r\n"));
            }
            Length::Unknown if manner.minor == 0 => put(format_args!("Content-Type: {content_type}\r\n")),
            Length::Unknown => {
                put(format_args!("Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n"));
            }
        }
        let date = Date(manner.unix_ms);
        // A form of a page that has no referrer is sent as from nowhere, and would be refused.
        let referrer = if *policy == NO_CONTENT { "no-referrer" } else { "same-origin" };
        put(format_args!(
            "{headers}Date: {date}\r\nContent-Security-Policy: {policy}\r\nCache-Control: {cache}\r\nReferrer-Policy: \
             {referrer}\r\n{SECURITY}"
        ));
        if let Some(origin) = manner.reader {
            put(format_args!(
                "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Expose-Headers: ETag, TTL-Ms\r\nVary: \
                 Origin\r\n"
            ));
        }
        match (manner.keeps_alive, manner.minor) {
            (false, _) => put(format_args!("Connection: close\r\n")),
            (true, 0) => put(format_args!("Connection: keep-alive\r\n")),
            (true, _) => (),
        }
        put(format_args!("\r\n"));
        out.extend_from_slice(head.as_bytes());
    }
}

/// A time in unix milliseconds, as HTTP writes it (RFC 9110, 5.6.7).
struct Date(u64);

impl std::fmt::Display for Date {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
        let s = self.0 / 1_000;
        let days = s / 86_400;
        // Years that begin in March, in eras of 400 (Hinnant, "chrono-compatible low-level date algorithms").
        let (era, day_of_era) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let year = era * 400 + year_of_era + u64::from(month >= 10);
        let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[month as usize]);
        write!(out, "{weekday}, {day:02} {month} {year} {:02}:{:02}:{:02} GMT", s / 3600 % 24, s / 60 % 60, s % 60)
    }
}

/// Writes a part of a body whose end is not known.
pub fn put_chunk(manner: Manner<'_>, bytes: &[u8], out: &mut Vec<u8>) {
    if manner.is_head || bytes.is_empty() {
        return;
    }
    if manner.minor == 0 {
        return out.extend_from_slice(bytes);
    }
    out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// The same of a part that is written where it goes: how long it is comes before it, in as many digits for each.
pub fn put_chunk_by(manner: Manner<'_>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const DIGITS: usize = 8;
    if manner.minor == 0 {
        return write(out);
    }
    let begin = out.len();
    out.extend_from_slice(b"00000000\r\n");
    write(out);
    let bytes = out.len() - begin - DIGITS - 2;
    for place in 0..DIGITS {
        out[begin + place] = b"0123456789abcdef"[bytes >> (4 * (DIGITS - 1 - place)) & 15];
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of such a body.
pub fn put_end(manner: Manner<'_>, out: &mut Vec<u8>) {
    if !manner.is_head && manner.minor != 0 {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// The answer that says why not, and its body.
pub fn refusal(wrong: &Wrong) -> (Answer, Vec<u8>) {
    (Answer::new(wrong.status, JSON), sentence(&wrong.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNER: Manner<'static> = Manner { is_head: false, minor: 1, keeps_alive: true, reader: None, unix_ms: 0 };

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn every_answer_says_that_it_is_nobodys_page() {
        let answers = [
            written(|out| Answer::ok(JSON).with("ETag", "\"1-0\"").write(MANNER, b"{}", out)),
            written(|out| Answer::new(204, BYTES).write_empty(MANNER, out)),
            written(|out| Answer::ok(TEXT).write_begin(MANNER, out)),
            written(|out| Answer::ok(HTML).as_page(FORMS).write(MANNER, b"", out)),
        ];
        for answer in &answers {
            for header in [
                "\r\nContent-Security-Policy: default-src 'none'; ",
                "frame-ancestors 'none'\r\n",
                "\r\nX-Content-Type-Options: nosniff\r\n",
                "\r\nCache-Control: no-store\r\n",
            ] {
                assert!(answer.contains(header), "{header} in {answer}");
            }
        }
        assert!(answers[0].contains("\r\nETag: \"1-0\"\r\n") && answers[0].ends_with("\r\n\r\n{}"));
        assert!(!answers[1].contains("Content-Length"));
    }

    #[test]
    fn a_date_is_written_as_it_always_was() {
        for (unix_s, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Date(unix_s * 1_000).to_string(), expected);
        }
    }

    #[test]
    fn head_gets_the_headers_of_the_answer_and_no_body() {
        let manner = Manner { is_head: true, ..MANNER };
        let answer = written(|out| Answer::ok(BYTES).write(manner, b"value", out));
        assert!(answer.contains("\r\nContent-Length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        let chunked = written(|out| {
            put_chunk(manner, b"value", out);
            put_end(manner, out);
        });
        assert_eq!(chunked, "");
    }

    #[test]
    fn a_body_without_a_known_end_comes_in_chunks_to_whom_knows_them() {
        let body = |manner| {
            written(|out| {
                put_chunk(manner, b"0123456789abcdef", out);
                put_chunk(manner, b"", out);
                put_end(manner, out);
            })
        };
        for minor in [0, 1] {
            let manner = Manner { minor, ..MANNER };
            let by = written(|out| put_chunk_by(manner, out, |out| out.extend_from_slice(&[b'x'; 300])));
            let expected = [
                ["".to_owned(), "x".repeat(300), "".to_owned()],
                ["0000012c\r\n".to_owned(), "x".repeat(300), "\r\n".to_owned()],
            ];
            assert_eq!(by, expected[usize::from(minor)].concat());
        }
        assert_eq!(body(MANNER), "10\r\n0123456789abcdef\r\n0\r\n\r\n");
        assert_eq!(body(Manner { minor: 0, ..MANNER }), "0123456789abcdef");
        let begun = |manner| written(|out| Answer::ok(TEXT).write_begin(manner, out));
        assert!(begun(MANNER).contains("\r\nTransfer-Encoding: chunked\r\n"));
        assert!(!begun(Manner { minor: 0, ..MANNER }.closing()).contains("Transfer-Encoding"));
    }

    #[test]
    fn a_page_from_elsewhere_may_read_what_is_for_it_and_never_by_a_cookie() {
        let manner = Manner { reader: Some("https://app.example"), ..MANNER };
        let answer = written(|out| Answer::ok(BYTES).write(manner, b"", out));
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"));
        assert!(!answer.contains("Allow-Credentials"));
    }
}
