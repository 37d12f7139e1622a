//! Where a reply ends.

use memchr::memchr;

use crate::options::Dialect;

/// What lies at the beginning of what was received.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer of so many bytes.
    Answer(usize),
    /// An error of so many bytes.
    Error(usize),
    /// Not whole yet.
    Incomplete,
}

/// The first reply.
pub fn first(dialect: Dialect, bytes: &[u8]) -> Reply {
    let Some(end) = memchr(b'\n', bytes).map(|at| at + 1) else { return Reply::Incomplete };
    let line = &bytes[..end];
    let whole = |length: usize| if bytes.len() < length { Reply::Incomplete } else { Reply::Answer(length) };
    match dialect {
        Dialect::Line if line.starts_with(b"ERROR") || line.starts_with(b"INVALID") => Reply::Error(end),
        Dialect::Line => Reply::Answer(end),
        Dialect::Resp => match line[0] {
            b'$' if line[1] != b'-' => whole(end + number(&line[1..]) + 2),
            b'-' => Reply::Error(end),
            _ => Reply::Answer(end),
        },
        Dialect::Memcached if line.starts_with(b"VALUE ") => {
            let length = line.rsplit(|&byte| byte == b' ').next().map_or(0, number);
            whole(end + length + "\r\nEND\r\n".len())
        }
        Dialect::Memcached if line.starts_with(b"STORED") || line.starts_with(b"END") => Reply::Answer(end),
        Dialect::Memcached => Reply::Error(end),
    }
}

fn number(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_or_not_yet() {
        for (dialect, text, expected) in [
            (Dialect::Line, "OK\nOK\n", Reply::Answer(3)),
            (Dialect::Line, "ERROR x\n", Reply::Error(8)),
            (Dialect::Line, "O", Reply::Incomplete),
            (Dialect::Resp, "+OK\r\n", Reply::Answer(5)),
            (Dialect::Resp, "$3\r\nabc\r\n", Reply::Answer(9)),
            (Dialect::Resp, "$3\r\nabc\r", Reply::Incomplete),
            (Dialect::Resp, "$-1\r\n", Reply::Answer(5)),
            (Dialect::Resp, "-ERR\r\n", Reply::Error(6)),
            (Dialect::Memcached, "STORED\r\n", Reply::Answer(8)),
            (Dialect::Memcached, "VALUE k 0 2\r\nab\r\nEND\r\n", Reply::Answer(22)),
            (Dialect::Memcached, "VALUE k 0 2\r\nab\r\nEN", Reply::Incomplete),
            (Dialect::Memcached, "END\r\n", Reply::Answer(5)),
            (Dialect::Memcached, "SERVER_ERROR\r\n", Reply::Error(14)),
        ] {
            assert_eq!(first(dialect, text.as_bytes()), expected, "{text:?}");
        }
    }
}
