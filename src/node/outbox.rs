//! Answers on their way to a client: bytes, large values between them that are shared with the store, and gates that
//! hold answers back until what they say is so.

use std::collections::VecDeque;

use bytes::Bytes;

use super::waiting::{Lost, Reached, Until};
use crate::store::Value;

/// Room for gates that stays.
const GATES_KEPT: usize = 1 << 7;
/// What an answer that waits to be durable may cost: its gate, and a refusal in its place.
const GATE_BYTES: usize = size_of::<Gate>() + 80;
/// Memory that an empty outbox keeps: what a pipelining client needs again at once.
const KEPT_BYTES: usize = 16 << 10;

/// An answer that waits.
struct Gate {
    start: u64,
    end: u64,
    /// `None`: for nothing but an earlier one.
    until: Option<Until>,
}

/// A value that is sent from where it lies, before the byte `at`.
struct Large {
    at: u64,
    value: Bytes,
}

/// Offsets count from the beginning of the conversation, large values left out.
///
/// Invariant: `bytes[sent..]` is owed; `bytes[0]` is byte `begin`; gates and large values are in order and lie within
/// what is owed; behind each large value comes a byte of the same answer.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    begin: u64,
    gates: VecDeque<Gate>,
    large: VecDeque<Large>,
    /// Bytes of the first large value that are on their way, and of all that are not.
    large_sent: usize,
    large_owed: usize,
}

impl Outbox {
    /// Where answers are written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// A value follows what is written so far, and something else it.
    pub(super) fn share(&mut self, value: Value<'_>) {
        let value = value.lend();
        self.large_owed += value.len();
        self.large.push_back(Large { at: self.mark(), value });
    }

    /// Whether nothing was ever written.
    pub(super) fn is_unused(&self) -> bool {
        self.begin == 0 && self.bytes.is_empty()
    }

    /// The end of all answers so far.
    pub(super) fn mark(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// What was written since the mark stays here until this is so, and with it all that comes later.
    pub(super) fn hold(&mut self, start: u64, until: Until) {
        let end = self.mark();
        self.gates.push_back(Gate { start, end, until: Some(until) });
    }

    /// Takes back what was written since the mark; large values and gates are forgotten.
    pub(super) fn take_back(&mut self, start: u64) -> Vec<u8> {
        while self.gates.pop_back_if(|gate| gate.start >= start).is_some() {}
        while let Some(last) = self.large.pop_back_if(|large| large.at >= start) {
            self.large_owed -= last.value.len();
        }
        self.bytes.split_off((start - self.begin) as usize)
    }

    /// Opens the gates that this opens. Returns what the first one waits for that stays closed, of those for which it
    /// was news.
    pub(super) fn release(&mut self, reached: Reached<'_>) -> Option<Until> {
        let mut first = None;
        // Those of one cause rise. One behind a closed one of another cause stays, but waits for that alone.
        for gate in &mut self.gates {
            match gate.until {
                Some(until) if until.is_with(reached) => gate.until = None,
                Some(until) if reached.causes().contains(&until.cause()) => {
                    first = Some(until);
                    break;
                }
                Some(_) | None => (),
            }
        }
        while self.gates.pop_front_if(|gate| gate.until.is_none()).is_some() {}
        self.gates.shrink_to(GATES_KEPT);
        first
    }

    /// Lets `refuse` write something else in the place of the answers that wait in vain. Returns what the first one
    /// waits for that does not, of those with the same cause.
    pub(super) fn refuse_gated(&mut self, lost: Lost, refuse: impl Fn(&[u8], &mut Vec<u8>)) -> Option<Until> {
        let first = self.gates.front()?;
        let tail_start = first.start;
        let behind = self.large.partition_point(|large| large.at < tail_start);
        let mut large = self.large.split_off(behind);
        self.large_owed -= large.iter().map(|large| large.value.len()).sum::<usize>();
        let tail = self.bytes.split_off((tail_start - self.begin) as usize);
        let tail_end = tail_start + tail.len() as u64;
        let part = |from: u64, to: u64| &tail[(from - tail_start) as usize..(to - tail_start) as usize];
        let (mut copied, mut kept) = (tail_start, VecDeque::new());
        for gate in std::mem::take(&mut self.gates) {
            self.copy(copied, part(copied, gate.start), &mut large);
            let start = self.mark();
            if gate.until.is_some_and(|until| lost.has(until)) {
                refuse(part(gate.start, gate.end), &mut self.bytes);
                while large.pop_front_if(|large| large.at < gate.end).is_some() {}
            } else {
                self.copy(gate.start, part(gate.start, gate.end), &mut large);
                kept.push_back(Gate { start, end: self.mark(), until: gate.until });
            }
            copied = gate.end;
        }
        self.copy(copied, part(copied, tail_end), &mut large);
        while kept.pop_front_if(|gate| gate.until.is_none()).is_some() {}
        self.gates = kept;
        self.gates.iter().filter_map(|gate| gate.until).find(|until| until.cause() == lost.cause())
    }

    /// Writes what began at `start` again, with the large values in it.
    fn copy(&mut self, start: u64, bytes: &[u8], large: &mut VecDeque<Large>) {
        let (end, moved_to) = (start + bytes.len() as u64, self.mark());
        while let Some(Large { at, value }) = large.pop_front_if(|large| large.at < end) {
            self.large_owed += value.len();
            self.large.push_back(Large { at: at - start + moved_to, value });
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that may be sent; what follows them lies elsewhere.
    pub(super) fn sendable(&self) -> &[u8] {
        let end = self.gates.front().map_or(self.mark(), |gate| gate.start);
        let at = self.begin + self.sent as u64;
        let until = |end: u64| &self.bytes[self.sent..(end - self.begin) as usize];
        match self.large.front().filter(|large| large.at < end) {
            Some(large) if large.at == at => &large.value[self.large_sent..],
            Some(large) => until(large.at),
            None => until(end),
        }
    }

    /// So many of the sendable bytes are on their way.
    pub(super) fn sent(&mut self, count: usize) {
        let at = self.begin + self.sent as u64;
        if let Some(large) = self.large.front().filter(|large| large.at == at) {
            self.large_sent += count;
            self.large_owed -= count;
            if self.large_sent == large.value.len() {
                self.large.pop_front();
                self.large_sent = 0;
            }
            return;
        }
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.begin += self.sent as u64;
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
        } else if self.sent > self.bytes.len() - self.sent {
            self.begin += self.sent as u64;
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Bytes owed, sendable or not.
    pub(super) fn owed(&self) -> usize {
        self.bytes.len() - self.sent + self.large_owed
    }

    /// What is owed and what waits to be durable, each with the refusal that may come in its place.
    pub(super) fn burden(&self) -> usize {
        self.owed() + self.gates.len() * GATE_BYTES
    }

    /// Memory held, large values not counted.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.gates.capacity() * size_of::<Gate>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::SHARED_BYTES_MIN;

    /// Takes all that may be sent, `piece` bytes at a time.
    fn drain(outbox: &mut Outbox, piece: usize) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = outbox.sendable();
            let count = bytes.len().min(piece);
            if count == 0 {
                return all;
            }
            all.extend_from_slice(&bytes[..count]);
            outbox.sent(count);
        }
    }

    fn answer(outbox: &mut Outbox, large: &Bytes) -> u64 {
        let start = outbox.mark();
        outbox.bytes().extend_from_slice(b"<");
        outbox.share(large.into());
        outbox.bytes().extend_from_slice(b">");
        start
    }

    #[test]
    fn large_values_go_out_from_where_they_lie_in_their_places() {
        for piece in [1, 7, 1000, usize::MAX] {
            let (one, two) = (Bytes::from(vec![b'1'; SHARED_BYTES_MIN]), Bytes::from(vec![b'2'; SHARED_BYTES_MIN + 1]));
            let mut outbox = Outbox::default();
            outbox.bytes().extend_from_slice(b"first");
            answer(&mut outbox, &one);
            answer(&mut outbox, &two);
            let expected = [b"first<", &one[..], b"><", &two, b">"].concat();
            assert_eq!(outbox.owed(), expected.len());
            assert_eq!(drain(&mut outbox, piece), expected);
            assert_eq!((outbox.owed(), one.is_unique()), (0, true));
        }
    }

    #[test]
    fn a_large_value_that_is_taken_back_or_refused_is_not_sent() {
        let large = Bytes::from(vec![b'x'; SHARED_BYTES_MIN]);
        let mut outbox = Outbox::default();
        answer(&mut outbox, &large);
        let start = answer(&mut outbox, &large);
        assert_eq!(outbox.take_back(start), b"<>");
        let start = answer(&mut outbox, &large);
        outbox.hold(start, Until::Durable(7));
        answer(&mut outbox, &large);
        let whole = [b"<", &large[..], b">"].concat();
        assert_eq!(drain(&mut outbox, 1000), whole);
        assert_eq!(outbox.refuse_gated(Lost::Durability, |_, out| out.extend_from_slice(b"refused")), None);
        let expected = [b"refused", &whole[..]].concat();
        assert_eq!(outbox.owed(), expected.len());
        assert_eq!(drain(&mut outbox, 1000), expected);
        assert_eq!((outbox.owed(), large.is_unique()), (0, true));
    }

    /// An answer each, which waits for that.
    fn waiting(untils: &[Until]) -> Outbox {
        let mut outbox = Outbox::default();
        for (number, &until) in untils.iter().enumerate() {
            let start = outbox.mark();
            outbox.bytes().extend_from_slice(format!("<{number}>").as_bytes());
            outbox.hold(start, until);
        }
        outbox
    }

    #[test]
    fn an_answer_that_may_go_out_waits_for_an_earlier_one_and_for_nothing_else() {
        let mut outbox = waiting(&[Until::Merged(3), Until::Durable(10), Until::Merged(4), Until::Durable(20)]);
        assert_eq!(outbox.release(Reached::Durable(10)), Some(Until::Durable(20)));
        assert_eq!(drain(&mut outbox, 100), b"");
        // That the disk fails later is not said of what it has.
        assert_eq!(outbox.refuse_gated(Lost::Durability, |_, out| out.push(b'!')), None);
        assert_eq!(drain(&mut outbox, 100), b"");
        assert_eq!(outbox.release(Reached::Merged(3)), Some(Until::Merged(4)));
        assert_eq!(drain(&mut outbox, 100), b"<0><1>");
        assert_eq!(outbox.release(Reached::Merged(5)), None);
        assert_eq!(drain(&mut outbox, 100), b"<2>!");
    }

    #[test]
    fn an_answer_that_waits_for_something_else_is_not_refused() {
        let large = Bytes::from(vec![b'x'; SHARED_BYTES_MIN]);
        let mut outbox = waiting(&[Until::Merged(3), Until::Merged(4)]);
        let start = answer(&mut outbox, &large);
        outbox.hold(start, Until::Durable(7));
        let refuse = |_: &[u8], out: &mut Vec<u8>| out.extend_from_slice(b"refused");
        assert_eq!(outbox.refuse_gated(Lost::MergesFrom(4), refuse), Some(Until::Merged(3)));
        assert_eq!(outbox.release(Reached::Merged(4)), None);
        assert_eq!(drain(&mut outbox, 1000), b"<0>refused");
        assert_eq!(outbox.release(Reached::Durable(7)), None);
        assert_eq!(drain(&mut outbox, 1000), [b"<", &large[..], b">"].concat());
        assert!(large.is_unique());
    }
}
