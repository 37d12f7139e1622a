//! What follows a head: so many bytes, or chunks (RFC 9112, 7.1). It is taken as it comes, each byte once, into the
//! memory where it stays.

use memchr::memchr;

use super::Wrong;

/// Longest line of chunks: a size, and what nobody here understands behind it.
const LINE_BYTES_MAX: usize = 1 << 10;
/// Most bytes of trailers, which are not looked at.
const TRAILER_BYTES_MAX: usize = 8 << 10;
/// What is made room for at once where nobody says how much will come.
const CHUNKED_BYTES: usize = 4 << 10;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked,
}

/// A body on its way.
#[derive(Debug)]
pub struct Receiving {
    bytes: Vec<u8>,
    bytes_max: usize,
    state: State,
    /// Where the room for the next bytes begins.
    room_start: usize,
}

#[derive(Debug)]
enum State {
    /// So many bytes are to come.
    Data { left: usize, then: Then },
    /// A line is to come, of which there is this much.
    Line { line: Vec<u8>, of: Line },
    /// All is here.
    Whole,
}

/// What follows data.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    LineEnd,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// That says how long the next chunk is.
    Size,
    /// Behind a chunk, which is empty.
    End,
    /// Behind the last chunk, of so many bytes so far; an empty one ends it all.
    Trailer(usize),
}

fn too_long(bytes_max: usize) -> Wrong {
    Wrong::said(413, format!("a body is {bytes_max} bytes long here at most"))
}

const NO_CHUNK: Wrong = Wrong::new(400, "this is no chunk: a size in hexadecimal digits, its bytes, and a line end");

impl Receiving {
    /// A body that ends so and may have so many bytes. There is room for `room_bytes` more behind it.
    pub fn begin(framing: Framing, bytes_max: usize, room_bytes: usize) -> Result<Receiving, Wrong> {
        let (state, bytes) = match framing {
            Framing::None => (State::Whole, 0),
            Framing::Length(length) => {
                let left = usize::try_from(length).ok().filter(|&length| length <= bytes_max);
                let left = left.ok_or_else(|| too_long(bytes_max))?;
                (State::Data { left, then: Then::Nothing }, left + room_bytes)
            }
            Framing::Chunked => (State::Line { line: Vec::new(), of: Line::Size }, CHUNKED_BYTES),
        };
        let mut body = Vec::new();
        let reserved = body.try_reserve_exact(bytes);
        reserved.map_err(|_| Wrong::new(507, "there is no memory for this body"))?;
        Ok(Receiving { bytes: body, bytes_max, state, room_start: 0 })
    }

    /// Takes of these bytes what belongs to it, and returns how many those are.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Wrong> {
        let mut rest = bytes;
        while !self.is_whole() && !rest.is_empty() {
            let used = match &mut self.state {
                State::Data { left, then } => {
                    let count = rest.len().min(*left);
                    self.bytes.extend_from_slice(&rest[..count]);
                    *left -= count;
                    if *left == 0 {
                        self.state = match then {
                            Then::Nothing => State::Whole,
                            Then::LineEnd => State::Line { line: Vec::new(), of: Line::End },
                        };
                    }
                    count
                }
                State::Line { line, .. } => {
                    let end = memchr(b'\n', rest);
                    let count = end.map_or(rest.len(), |end| end + 1);
                    if line.len() + count > LINE_BYTES_MAX {
                        return Err(NO_CHUNK);
                    }
                    line.extend_from_slice(&rest[..count]);
                    if end.is_some() {
                        self.end_line()?;
                    }
                    count
                }
                State::Whole => 0,
            };
            rest = &rest[used..];
        }
        Ok(bytes.len() - rest.len())
    }

    /// Whether all of it is here.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    /// What is here.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Memory that it has.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Where its next bytes belong, if so many at least are to come in one piece: `room_bytes` of them at most. Followed
    /// by [`Receiving::filled`].
    pub fn room(&mut self, bytes_min: usize, room_bytes: usize) -> Option<&mut [u8]> {
        let State::Data { left, .. } = self.state else { return None };
        if left < bytes_min {
            return None;
        }
        self.room_start = self.bytes.len();
        self.bytes.resize(self.room_start + left.min(room_bytes), 0);
        Some(&mut self.bytes[self.room_start..])
    }

    /// So many bytes have come there. Returns whether all are here.
    pub fn filled(&mut self, count: usize) -> bool {
        self.bytes.truncate(self.room_start + count);
        if let State::Data { left, then } = &mut self.state {
            *left -= count;
            if *left == 0 {
                self.state = match then {
                    Then::Nothing => State::Whole,
                    Then::LineEnd => State::Line { line: Vec::new(), of: Line::End },
                };
            }
        }
        self.is_whole()
    }

    /// A line has come to its end.
    fn end_line(&mut self) -> Result<(), Wrong> {
        let State::Line { line, of } = &mut self.state else { return Ok(()) };
        let text = line.strip_suffix(b"\r\n").ok_or(NO_CHUNK)?;
        self.state = match *of {
            Line::Size => match size_of_chunk(text)? {
                0 => State::Line { line: Vec::new(), of: Line::Trailer(0) },
                size => {
                    let left = usize::try_from(size).ok().filter(|size| *size <= self.bytes_max - self.bytes.len());
                    let left = left.ok_or_else(|| too_long(self.bytes_max))?;
                    let reserved = self.bytes.try_reserve(left);
                    reserved.map_err(|_| Wrong::new(507, "there is no memory for this body"))?;
                    State::Data { left, then: Then::LineEnd }
                }
            },
            Line::End if text.is_empty() => State::Line { line: Vec::new(), of: Line::Size },
            Line::End => return Err(NO_CHUNK),
            Line::Trailer(_) if text.is_empty() => State::Whole,
            Line::Trailer(before) if before + text.len() <= TRAILER_BYTES_MAX => {
                State::Line { line: Vec::new(), of: Line::Trailer(before + text.len()) }
            }
            Line::Trailer(_) => return Err(Wrong::new(431, "trailers are 8192 bytes long at most")),
        };
        Ok(())
    }
}

/// How long a chunk is, as the line before it says. Extensions mean nothing here; a byte that others take for the end
/// of the line is not among them.
fn size_of_chunk(line: &[u8]) -> Result<u64, Wrong> {
    if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(NO_CHUNK);
    }
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let end = digits.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    let digits = &digits[..end];
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(NO_CHUNK);
    }
    let text = std::str::from_utf8(digits).map_err(|_| NO_CHUNK)?;
    u64::from_str_radix(text, 16).map_err(|_| NO_CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken of these bytes where they come in pieces of this size, and what is left of them.
    fn take(framing: Framing, bytes_max: usize, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Wrong> {
        let mut body = Receiving::begin(framing, bytes_max, 0)?;
        let mut used = 0;
        for piece in bytes.chunks(piece) {
            if body.is_whole() {
                break;
            }
            used += body.take(piece)?;
        }
        assert!(body.is_whole());
        Ok((body.into_bytes(), bytes.len() - used))
    }

    #[test]
    fn a_body_ends_where_its_framing_says_however_it_is_cut() {
        let chunked = b"3\r\nabc\r\n1;x=\"y\"\r\nd\r\n0004\r\nefgh\r\n0\r\nTrailer: x\r\n\r\nGET";
        for piece in 1..chunked.len() {
            let taken = take(Framing::Chunked, 8, chunked, piece).expect("it is right");
            assert_eq!(taken, (b"abcdefgh".to_vec(), 3), "{piece}");
            let taken = take(Framing::Length(5), 5, b"abcdeGET", piece).expect("it is right");
            assert_eq!(taken, (b"abcde".to_vec(), 3), "{piece}");
        }
        assert_eq!(take(Framing::None, 0, b"GET", 1), Ok((Vec::new(), 3)));
    }

    #[test]
    fn a_body_that_is_too_long_is_refused_before_it_is_here() {
        let status = |framing, bytes: &[u8]| take(framing, 4, bytes, 1).expect_err("it is too long").status;
        assert_eq!(status(Framing::Length(5), b""), 413);
        assert_eq!(status(Framing::Length(u64::MAX), b""), 413);
        assert_eq!(status(Framing::Chunked, b"5\r\n"), 413);
        assert_eq!(status(Framing::Chunked, b"3\r\nabc\r\n2\r\n"), 413);
        assert_eq!(status(Framing::Chunked, b"ffffffffffffffff\r\n"), 413);
        let trailers = [&b"0\r\n"[..], &b"Trailer: 123456789\r\n".repeat(500)].concat();
        assert_eq!(status(Framing::Chunked, &trailers), 431);
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = vec![b'0'; LINE_BYTES_MAX + 1];
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"0x1\r\n",
            b"1 1\r\n",
            b"1\r\r\n",
            b"1\x0c\r\n",
            b"1;\rx\r\n",
            b"1;\0\r\n",
            b"1\n",
            b"00000000000000001\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n",
            b"1\r\na1\r\n",
            &long,
        ] {
            let mut body = Receiving::begin(Framing::Chunked, 100, 0).expect("it begins");
            assert_eq!(body.take(bytes).expect_err(&String::from_utf8_lossy(bytes)).status, 400);
        }
    }

    #[test]
    fn what_comes_in_one_piece_is_read_into_its_place() {
        let mut body = Receiving::begin(Framing::Length(10), 10, 3).expect("it begins");
        assert!(body.room(11, 100).is_none());
        body.room(10, 4).expect("there is room").copy_from_slice(b"0123");
        assert!(!body.filled(4));
        body.room(1, 100).expect("there is room")[..2].copy_from_slice(b"45");
        assert!(!body.filled(2));
        assert_eq!(body.take(b"6789GET"), Ok(4));
        assert_eq!(body.memory_bytes(), 13);
        assert_eq!(body.into_bytes(), b"0123456789");
    }
}
