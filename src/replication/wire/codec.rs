//! Numbers and byte strings to bytes and back: little-endian, lengths first.

/// Longest text of a peer that is logged and shown.
const TEXT_BYTES_MAX: usize = 500;

pub(crate) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Reads from the front; every call says `None` where too little is left.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the beginning of the bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A text that may stand in a line: short, and without anything that would end the line.
    pub(crate) fn text(&mut self, count: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes(count)?).ok()?;
        (count <= TEXT_BYTES_MAX && !text.contains(char::is_control)).then_some(text)
    }

    /// All that is left, made such a text.
    pub(crate) fn rest_as_text(&mut self) -> String {
        let bytes = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES_MAX)]);
        text.replace(char::is_control, " ")
    }

    pub(crate) fn numbers<const COUNT: usize>(&mut self) -> Option<[u64; COUNT]> {
        let mut numbers = [0; COUNT];
        for number in &mut numbers {
            *number = self.u64()?;
        }
        Some(numbers)
    }

    /// All that is left, without taking it.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
