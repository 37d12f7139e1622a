//! What a node answers in RESP2 and RESP3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// Longest line and longest value that are read: what Redis calls `proto-max-bulk-len`.
const BYTES_MAX: u64 = 512 << 20;
/// Longest value whose memory is reserved before its bytes are there.
const RESERVED_BYTES_MAX: u64 = 64 << 10;
/// How deep an answer may be nested that is read whole.
const DEPTH_MAX: usize = 128;
/// What a part of an answer takes in memory beside its bytes, about.
const PART_BYTES: usize = 48;

/// Part of an answer: a value, or how many parts follow that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tool) enum Part {
    /// A word such as `OK`.
    Status(Vec<u8>),
    /// What went wrong, its code first.
    Error(Vec<u8>),
    /// A number.
    Int(i64),
    /// A number with a fraction, or one that is too long for the other kind, as it is written.
    Number(Vec<u8>),
    /// Yes or no.
    Bool(bool),
    /// Bytes.
    Bulk(Vec<u8>),
    /// A text for people.
    Text(Vec<u8>),
    /// Nothing.
    Nil,
    /// So many parts follow; of a map twice as many as it has pairs.
    Begin(Kind, u64),
}

/// What parts are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tool) enum Kind {
    /// A list.
    Array,
    /// One without an order.
    Set,
    /// Pairs.
    Map,
    /// What nobody asked for.
    Push,
}

/// An answer read whole.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tool) enum Reply {
    /// See [`Part`].
    Status(Vec<u8>),
    /// See [`Part`].
    Error(Vec<u8>),
    /// See [`Part`].
    Int(i64),
    /// Bytes, and whatever else is written as text.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// All kinds of several; of a map key and value by turns.
    Array(Vec<Reply>),
}

/// Answers as they come.
pub(in crate::tool) struct Parts<R> {
    source: R,
    line: Vec<u8>,
}

impl<R: BufRead> Parts<R> {
    /// Those that come from there.
    pub(super) fn new(source: R) -> Parts<R> {
        Parts { source, line: Vec::new() }
    }

    /// Where they come from.
    pub(super) fn source(&self) -> &R {
        &self.source
    }

    /// ... to be written to.
    pub(super) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next part.
    pub(super) fn part(&mut self) -> Result<Part> {
        loop {
            self.read_line()?;
            let (&kind, rest) = self.line.split_first().ok_or_else(|| wrong("an empty line"))?;
            return Ok(match kind {
                b'+' => Part::Status(rest.to_vec()),
                b'-' => Part::Error(rest.to_vec()),
                b':' => Part::Int(number(rest)?),
                b',' | b'(' => Part::Number(rest.to_vec()),
                b'#' => Part::Bool(rest == b"t"),
                b'_' => Part::Nil,
                b'$' | b'!' | b'=' => match number(rest)? {
                    -1 => Part::Nil,
                    length => {
                        let bytes = self.read_bulk(length)?;
                        match kind {
                            b'!' => Part::Error(bytes),
                            // `txt:` or `mkd:` says what kind of text it is.
                            b'=' => Part::Text(bytes.get(4..).unwrap_or_default().to_vec()),
                            _ => Part::Bulk(bytes),
                        }
                    }
                },
                b'*' | b'~' | b'%' | b'>' | b'|' => match (kind, number(rest)?) {
                    (_, -1) => Part::Nil,
                    (_, count) if count < 0 => return Err(wrong("a negative length")),
                    (b'*', count) => Part::Begin(Kind::Array, count as u64),
                    (b'~', count) => Part::Begin(Kind::Set, count as u64),
                    (b'>', count) => Part::Begin(Kind::Push, count as u64),
                    (b'%', count) => Part::Begin(Kind::Map, (count as u64).saturating_mul(2)),
                    // Said about an answer, and nothing that was asked for.
                    (_, count) => {
                        self.skip((count as u64).saturating_mul(2))?;
                        continue;
                    }
                },
                _ => return Err(wrong(&String::from_utf8_lossy(&self.line[..self.line.len().min(200)]))),
            });
        }
    }

    /// The next line that is no RESP, without its end.
    pub(super) fn line(&mut self) -> Result<&[u8]> {
        self.read_line()?;
        Ok(&self.line)
    }

    /// The next answer, of at most so many bytes and not nested too deep.
    pub(super) fn reply(&mut self, bytes_max: usize) -> Result<Reply> {
        let mut left = bytes_max;
        self.nested(&mut left, DEPTH_MAX)
    }

    fn nested(&mut self, left: &mut usize, depth_left: usize) -> Result<Reply> {
        let part = self.part()?;
        let bytes = match &part {
            Part::Status(bytes) | Part::Error(bytes) | Part::Number(bytes) | Part::Bulk(bytes) | Part::Text(bytes) => {
                bytes.len()
            }
            Part::Int(_) | Part::Bool(_) | Part::Nil | Part::Begin(..) => 0,
        };
        let too_long = || Error::new(ErrorKind::FileTooLarge, "the answer is longer than it can be");
        *left = left.checked_sub(bytes.saturating_add(PART_BYTES)).ok_or_else(too_long)?;
        Ok(match part {
            Part::Status(text) => Reply::Status(text),
            Part::Error(why) => Reply::Error(why),
            Part::Int(number) => Reply::Int(number),
            Part::Bool(is_so) => Reply::Int(is_so.into()),
            Part::Number(bytes) | Part::Bulk(bytes) | Part::Text(bytes) => Reply::Bulk(bytes),
            Part::Nil => Reply::Nil,
            Part::Begin(_, count) => {
                let depth_left = depth_left.checked_sub(1).ok_or_else(too_long)?;
                let mut parts = Vec::new();
                for _ in 0..count {
                    parts.push(self.nested(left, depth_left)?);
                }
                Reply::Array(parts)
            }
        })
    }

    /// Reads so many values, and what is in them, and forgets them.
    fn skip(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            count -= 1;
            if let Part::Begin(_, more) = self.part()? {
                count = count.saturating_add(more);
            }
        }
        Ok(())
    }

    /// The next line into `line`, without its end.
    fn read_line(&mut self) -> Result<()> {
        self.line.clear();
        self.line.shrink_to(RESERVED_BYTES_MAX as usize);
        (&mut self.source).take(BYTES_MAX).read_until(b'\n', &mut self.line)?;
        match &self.line[..] {
            [.., b'\r', b'\n'] => self.line.truncate(self.line.len() - 2),
            [.., b'\n'] => self.line.truncate(self.line.len() - 1),
            rest if rest.len() as u64 >= BYTES_MAX => return Err(wrong("a line without an end")),
            _ => return Err(ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn read_bulk(&mut self, length: i64) -> Result<Vec<u8>> {
        let length = u64::try_from(length).ok().filter(|&length| length <= BYTES_MAX);
        let length = length.ok_or_else(|| wrong("a length that no value has"))?;
        let mut bytes = Vec::with_capacity(length.min(RESERVED_BYTES_MAX) as usize);
        (&mut self.source).take(length).read_to_end(&mut bytes)?;
        let mut end = [0; 2];
        self.source.read_exact(&mut end)?;
        if bytes.len() as u64 != length || end != *b"\r\n" {
            return Err(wrong("a value of another length than was said"));
        }
        Ok(bytes)
    }
}

fn number(text: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| wrong("a number that is none"))
}

/// It does not speak RESP.
fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("it is no kvstoreapp, or its answer is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Reply> {
        Parts::new(bytes).reply(1 << 20)
    }

    #[test]
    fn each_kind_is_read() {
        for (bytes, expected) in [
            (&b"+OK\r\n"[..], Reply::Status(b"OK".to_vec())),
            (b"-ERR no\r\n", Reply::Error(b"ERR no".to_vec())),
            (b"!6\r\nERR no\r\n", Reply::Error(b"ERR no".to_vec())),
            (b":-7\r\n", Reply::Int(-7)),
            (b",1.5\r\n", Reply::Bulk(b"1.5".to_vec())),
            (b"(12345678901234567890\r\n", Reply::Bulk(b"12345678901234567890".to_vec())),
            (b"#t\r\n", Reply::Int(1)),
            (b"$4\r\na\r\nb\r\n", Reply::Bulk(b"a\r\nb".to_vec())),
            (b"=5\r\ntxt:a\r\n", Reply::Bulk(b"a".to_vec())),
            (b"$-1\r\n", Reply::Nil),
            (b"*-1\r\n", Reply::Nil),
            (b"_\r\n", Reply::Nil),
            (b"*2\r\n:1\r\n*0\r\n", Reply::Array(vec![Reply::Int(1), Reply::Array(vec![])])),
            (b"%1\r\n+a\r\n:1\r\n", Reply::Array(vec![Reply::Status(b"a".to_vec()), Reply::Int(1)])),
            (b"|1\r\n+ttl\r\n*1\r\n:9\r\n:5\r\n", Reply::Int(5)),
        ] {
            assert_eq!(read(bytes).expect("it is whole"), expected, "{}", bytes.escape_ascii());
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut]).is_err(), "{}", bytes[..cut].escape_ascii());
            }
        }
    }

    #[test]
    fn lengths_that_lie_cost_no_memory_and_no_stack() {
        assert!(read(b"$536870912\r\nshort").is_err());
        assert!(read(b"$536870913\r\n").is_err());
        assert!(read(b"$-7\r\n").is_err());
        assert!(read(b"*9223372036854775807\r\n").is_err());
        assert!(read(&b"*1\r\n".repeat(1 << 20)).is_err());
        assert!(read(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        let value = [b"$400000\r\n", &[b'x'; 400_000][..], b"\r\n"].concat();
        let long = [b"*3\r\n", &value[..], &value, &value].concat();
        assert_eq!(read(&long).expect_err("it is too long").kind(), ErrorKind::FileTooLarge);
    }
}
