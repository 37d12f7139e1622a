//! How a client speaks, and what it is owed: the place where commands put their replies.

use std::ops::Range;

use super::outbox::Outbox;
use super::waiting::{Lost, Reached, Until};
use crate::protocol::json::answer::{self, Mark, Parts};
use crate::protocol::{Decoder, Dialect, Refusal, Reply};
use crate::store::Value;

/// What a client that does not read may be owed before its requests are left unread. One answer may go past it. Memory
/// grows by doubling and what is sent lies before what is owed for a while, so such a client costs up to four times
/// this; 1,000 of them 1 GiB, which a small machine survives.
pub const OUTBOX_BYTES_MAX: usize = 1 << 18;
/// Places of pushes that are kept: a request answers in fewer parts before it can fail.
const PUSHES_MAX: usize = 8;

/// Which answers a client wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answers {
    #[default]
    All,
    None,
    /// All but that to the next request.
    SkipNext,
    /// All but that to this request.
    Skip,
}

/// See the module.
pub(super) struct Replies {
    /// How the client speaks, and what it has said so far.
    pub(super) decoder: Decoder,
    pub(super) answers: Answers,
    /// What it was told beside an answer that it does not want.
    told: Vec<u8>,
    /// Where in the outbox the latest pushes lie: they stay where the answer around them is taken back.
    pushes: Vec<Range<u64>>,
    /// Of the answer under way what is written when it is whole.
    parts: Parts,
    outbox: Outbox,
    /// Whether large values are copied: what is answered is read here and not sent.
    is_within: bool,
}

impl Replies {
    /// Nothing is owed to a client that begins in this dialect.
    pub(super) fn new(dialect: Dialect) -> Replies {
        Replies {
            decoder: Decoder::new(dialect),
            answers: Answers::default(),
            told: Vec::new(),
            pushes: Vec::new(),
            parts: Parts::default(),
            outbox: Outbox::default(),
            is_within: false,
        }
    }

    /// What is answered to a script.
    pub(super) fn within() -> Replies {
        let mut replies = Replies::new(Dialect::default());
        replies.speak_resp(false);
        replies.is_within = true;
        replies
    }

    /// RESP is spoken from here on, in its second or third version.
    pub(super) fn speak_resp(&mut self, resp3: bool) {
        if let Some(dialect) = Dialect::resp(if resp3 { 3 } else { 2 }) {
            self.decoder.speak(dialect);
        }
    }

    /// How the client speaks.
    pub(super) fn dialect(&self) -> Dialect {
        self.decoder.dialect()
    }

    /// Answers in the order of the requests.
    pub fn answer(&mut self, reply: Reply<'_>) {
        self.dialect().answer(reply, &mut self.parts, self.outbox.bytes());
    }

    /// Says something that is no answer.
    pub(super) fn tell(&mut self, reply: Reply<'_>) {
        self.dialect().encode(reply, self.outbox.bytes());
    }

    /// Refuses to hear any request.
    pub(super) fn turn_away(&mut self, refusal: Refusal) {
        self.dialect().refuse(&[], refusal, self.outbox.bytes());
    }

    /// Answers with a value; a large one is sent from where it lies.
    pub(super) fn answer_value(&mut self, value: Value<'_>) {
        let frame = if value.is_large() && !self.is_within { self.dialect().value_frame(value.len()) } else { None };
        let Some((before, after)) = frame else { return self.answer(Reply::Value(value.bytes())) };
        self.outbox.bytes().extend_from_slice(before.as_bytes());
        self.outbox.share(value);
        self.outbox.bytes().extend_from_slice(after.as_bytes());
    }

    /// The end of all answers so far, as a place for [`Replies::hold`] and [`Replies::take_back`].
    pub(super) fn mark(&self) -> u64 {
        self.outbox.mark()
    }

    /// What was answered since the mark stays here until this is so, and with it all later answers.
    pub(super) fn hold(&mut self, start: u64, until: Until) {
        self.outbox.hold(start, until);
    }

    /// Takes back what was answered since the mark.
    pub(super) fn take_back(&mut self, start: u64) -> Vec<u8> {
        self.outbox.take_back(start)
    }

    /// Answers with a refusal in the place of what was said of the answer since the mark.
    pub(super) fn answer_instead(&mut self, start: u64, refusal: Reply<'_>) {
        self.answer_part_instead(start, Mark::default(), refusal);
    }

    /// The same where the answer is a part of another one, whose parts so far end there.
    pub(super) fn answer_part_instead(&mut self, start: u64, parts_end: Mark, refusal: Reply<'_>) {
        self.parts.cut(parts_end);
        if self.mark() > start {
            let said = self.take_back(start);
            let pushes = std::mem::take(&mut self.pushes);
            for push in pushes.into_iter().filter(|push| push.start >= start) {
                self.answer_bytes(&said[(push.start - start) as usize..(push.end - start) as usize]);
            }
        }
        self.answer(refusal);
    }

    /// Says something that is no answer: it comes whichever answers the client wants.
    pub(super) fn push(&mut self, reply: Reply<'_>) {
        match self.answers {
            Answers::All | Answers::SkipNext => {
                let start = self.mark();
                self.tell(reply);
                self.note_push(start..self.mark());
            }
            Answers::None | Answers::Skip => self.dialect().encode(reply, &mut self.told),
        }
    }

    /// Those of one request lie together, but for what is answered between them.
    fn note_push(&mut self, push: Range<u64>) {
        match self.pushes.last_mut() {
            Some(last) if last.end == push.start => last.end = push.end,
            _ => {
                if self.pushes.len() == PUSHES_MAX {
                    self.pushes.remove(0);
                }
                self.pushes.push(push);
            }
        }
    }

    /// An answer is whole: it is written where that was put off, and dropped where the client does not want it.
    #[inline]
    pub(super) fn conclude(&mut self, start: u64) {
        if self.decoder.has_envelope() || self.answers != Answers::All {
            self.conclude_as_wanted(start);
        }
    }

    #[cold]
    fn conclude_as_wanted(&mut self, start: u64) {
        if let Some(envelope) = self.decoder.take_envelope() {
            answer::write(&envelope, &std::mem::take(&mut self.parts), self.outbox.bytes());
        }
        match self.answers {
            Answers::All => return,
            Answers::None => (),
            Answers::SkipNext => self.answers = Answers::Skip,
            Answers::Skip => self.answers = Answers::All,
        }
        self.take_back(start);
        self.outbox.bytes().append(&mut self.told);
    }

    /// All answers are wanted from here on.
    pub(super) fn want_all(&mut self) {
        self.answers = Answers::All;
        self.outbox.bytes().append(&mut self.told);
    }

    /// Answers in bytes that are ready to be sent.
    pub(super) fn answer_bytes(&mut self, bytes: &[u8]) {
        self.outbox.bytes().extend_from_slice(bytes);
    }

    /// Answers with parts of an answer that lay elsewhere, some of them written.
    pub(super) fn answer_parts(&mut self, parts: &Parts, bytes: &[u8]) {
        self.parts.append(parts);
        self.answer_bytes(bytes);
    }

    /// The end of the parts that are kept so far.
    pub(super) fn parts_end(&self) -> Mark {
        self.parts.mark()
    }

    /// The parts of an answer that are kept until it is whole.
    pub(super) fn take_parts(&mut self) -> Parts {
        std::mem::take(&mut self.parts)
    }

    /// Where an answer is written that is made elsewhere.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        self.outbox.bytes()
    }

    /// Answers with the bytes of a value; a large one is sent from where it lies, but for the byte that has to follow it.
    pub(super) fn answer_body(&mut self, value: Value<'_>) {
        let end = value.len();
        if value.is_large() {
            self.outbox.share(value.part(0..end - 1));
            self.answer_bytes(&value[end - 1..]);
        } else {
            self.answer_bytes(&value);
        }
    }

    /// Opens the gates that this opens. Returns what the first one waits for that stays closed, of those for which it
    /// was news.
    pub(super) fn release(&mut self, reached: Reached<'_>) -> Option<Until> {
        self.outbox.release(reached)
    }

    /// Puts a refusal in the place of the answers that wait in vain. Returns what the first one waits for that does
    /// not, of those with the same cause.
    pub(super) fn refuse_gated(&mut self, lost: Lost) -> Option<Until> {
        let dialect = self.dialect();
        self.outbox.refuse_gated(lost, |answer, out| dialect.refuse(answer, lost.refusal(), out))
    }

    /// The bytes that may be sent.
    pub fn sendable(&self) -> &[u8] {
        self.outbox.sendable()
    }

    /// So many of the sendable bytes are on their way.
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
    }

    /// Bytes owed, sendable or not.
    pub fn owed(&self) -> usize {
        self.outbox.owed()
    }

    /// What is owed and what waits to be durable, each with the refusal that may come in its place.
    pub fn burden(&self) -> usize {
        self.outbox.burden()
    }

    /// Whether nothing was ever owed.
    pub(super) fn is_unused(&self) -> bool {
        self.outbox.is_unused()
    }

    /// Memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.outbox.memory_bytes()
    }
}
