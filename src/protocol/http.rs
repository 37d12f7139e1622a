//! What a browser or another HTTP client is told that takes this port for its server.
//!
//! A web page can make a browser send any bytes after a request line. So nothing behind one is looked at, and the answer
//! holds nothing of what came.

/// What this port speaks.
const BODY: &str = "\
This port speaks no HTTP. It speaks lines (try: echo PING | nc -N <host> <port>), RESP as Redis does, and JSON.
";

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

/// Whether the line ends as a request line does. A browser can be made to send any word as its method, `SET` too.
pub fn names_version(line: &[u8]) -> bool {
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// Writes the one answer there is; the connection is closed after it. One to `HEAD` has no body.
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
