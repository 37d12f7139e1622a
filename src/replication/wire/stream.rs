//! The bytes of one connection between nodes: frames that have come, and what is owed.
//!
//! It does not know what frames mean.

use super::framing::{GREETING, HEAD_BYTES};

/// Longest frame before both sides have said hello.
pub const HELLO_BYTES_MAX: usize = 1 << 20;
/// Longest frame after that: changes that belong together, and the longest value that goes with its change.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// Memory that an empty inbox or outbox keeps: that of the longest frame with a value that goes whole by itself, and as
/// much again before it. What goes back to the system comes again page by page, half a millisecond for these.
const KEPT_BYTES: usize = 512 << 10;

/// See the module. Invariant: `outbox[sent..]` is owed; `inbox[..taken]` is understood.
#[derive(Debug, Default)]
pub struct FrameStream {
    inbox: Vec<u8>,
    taken: usize,
    greeted: bool,
    outbox: Vec<u8>,
    sent: usize,
    /// Bytes sent in all.
    gone: u64,
}

/// What the inbox begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// The body of a frame lies there.
    Body(std::ops::Range<usize>),
    /// More must come.
    Incomplete,
    /// It is no frame.
    Garbage(&'static str),
}

impl FrameStream {
    /// Bytes have come.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.taken == self.inbox.len() {
            self.inbox.clear();
            self.inbox.shrink_to(KEPT_BYTES);
            self.taken = 0;
        } else if self.taken > self.inbox.len() - self.taken {
            self.inbox.drain(..self.taken);
            self.taken = 0;
        }
        self.inbox.extend_from_slice(bytes);
    }

    /// Takes the next frame. Before there is a link only short ones are allowed.
    pub fn take(&mut self, linked: bool) -> Taken {
        let rest = &self.inbox[self.taken..];
        if !self.greeted {
            let begun = rest.len().min(GREETING.len());
            if rest[..begun] != GREETING[..begun] {
                return Taken::Garbage("something else than a node's greeting");
            }
            if rest.len() < GREETING.len() {
                return Taken::Incomplete;
            }
            self.greeted = true;
            self.taken += GREETING.len();
            return self.take(linked);
        }
        let Some((head, rest)) = rest.split_first_chunk::<HEAD_BYTES>() else { return Taken::Incomplete };
        let [a, b, c, d, checksum @ ..] = *head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > if linked { FRAME_BYTES_MAX } else { HELLO_BYTES_MAX } {
            return Taken::Garbage("a frame that is too long");
        }
        let Some(body) = rest.get(..length) else { return Taken::Incomplete };
        if crc32fast::hash(body) != u32::from_le_bytes(checksum) {
            return Taken::Garbage("a frame that does not fit its checksum");
        }
        let start = self.taken + HEAD_BYTES;
        self.taken = start + length;
        Taken::Body(start..start + length)
    }

    /// Puts back the frame taken last.
    pub fn put_back(&mut self, body: &std::ops::Range<usize>) {
        self.taken = body.start - HEAD_BYTES;
    }

    /// Takes the inbox out, so that a frame in it can be worked on; to be given back by [`FrameStream::give_inbox`].
    pub fn take_inbox(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.inbox)
    }

    /// See [`FrameStream::take_inbox`].
    pub fn give_inbox(&mut self, inbox: Vec<u8>) {
        self.inbox = inbox;
    }

    /// Where frames to be sent are put.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Bytes owed.
    pub fn sendable(&self) -> &[u8] {
        &self.outbox[self.sent..]
    }

    /// Number of bytes owed.
    pub fn owed(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// Where all that was ever owed ends.
    pub fn end(&self) -> u64 {
        self.gone + self.owed() as u64
    }

    /// Whether all up to there is sent.
    pub fn is_handed_over(&self, end: u64) -> bool {
        end <= self.gone
    }

    /// So many of them are sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        self.gone += count as u64;
        if self.sent == self.outbox.len() {
            self.sent = 0;
            self.outbox.clear();
            self.outbox.shrink_to(KEPT_BYTES);
        } else if self.sent > self.owed() {
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Nothing more is owed.
    pub fn drop_outbox(&mut self) {
        self.outbox.clear();
        self.sent = 0;
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        self.inbox.capacity() + self.outbox.capacity()
    }
}
