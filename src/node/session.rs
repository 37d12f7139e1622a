//! One conversation: bytes that came, bytes owed, and what holds either back.
//!
//! It does not know sockets; whoever owns one brings bytes and takes bytes away.

use std::ops::Range;

use bytes::Bytes;

use super::commands::Walk;
use super::listening::Listening;
use super::outbox::Outbox;
use super::transaction::{Queue, Watched};
use super::waiting::{Cause, Causes, Lost, Reached, Until};
use crate::protocol::json::answer::{self, Parts};
use crate::protocol::{Command, Decoder, Dialect, Reply};
use crate::replication::wire::GREETING;
use crate::store::Value;
use crate::store::value::SHARED_BYTES_MIN;

/// What a client that does not read may be owed before its requests are left unread. One answer may go past it. Memory
/// grows by doubling and what is sent lies before what is owed for a while, so such a client costs up to four times
/// this; 1,000 of them 1 GiB, which a small machine survives.
pub const OUTBOX_BYTES_MAX: usize = 1 << 18;
/// Memory that an empty inbox keeps: what a pipelining client needs again at once.
const KEPT_BYTES: usize = 16 << 10;

/// Bytes of a long request that are read at once.
const ROOM_BYTES: usize = 256 << 10;

/// What has to come before a session's next request can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Bytes from the client.
    ForInput,
    /// Its next turn: requests are there, and others come first.
    ForTurn,
    /// The client reads what it is owed.
    ForReader,
    /// A gate that opens.
    ForGate(Cause),
    /// Nothing: it ends once what is owed is sent.
    ForNothing,
}

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

/// Keys that begin so are watched; up to the position all changes are told.
pub(super) struct Prefix {
    pub(super) prefix: Vec<u8>,
    pub(super) told: u64,
}

/// See the module.
pub struct Session {
    /// The beginning of a request whose end has not come, or requests that wait for their turn.
    pub(super) inbox: Vec<u8>,
    /// Where the room for the next bytes begins.
    room_start: usize,
    /// How the client speaks, and what it has said so far.
    pub(super) decoder: Decoder,
    /// Its number among all clients there ever were.
    pub(super) number: u64,
    /// Its address and the one it reached, as the server knows them.
    pub(super) addresses: (String, String),
    /// What it calls itself, its library, and the library's version.
    pub(super) name: Vec<u8>,
    pub(super) library: (Vec<u8>, Vec<u8>),
    pub(super) begun_us: u64,
    /// The command that came last, and its subcommand where it has some.
    pub(super) command: Option<Command>,
    pub(super) subcommand: Option<&'static str>,
    pub(super) answers: Answers,
    /// What it was told beside an answer that it does not want.
    told: Vec<u8>,
    /// The database that it asked for and could not have; until it asks for one that there is it gets no data.
    pub(super) refused_database: Option<Box<str>>,
    /// A large value that is looked through before it is answered as a line, and how far.
    pub(super) looked_through: Option<Box<(Bytes, usize)>>,
    /// The transaction that is being put together.
    pub(super) queue: Option<Box<Queue>>,
    pub(super) watched: Watched,
    /// What it listens to.
    pub(super) listening: Listening,
    /// Whether it is told of every request.
    pub(super) is_monitor: bool,
    /// A walk through all keys that takes several turns.
    pub(super) walk: Option<Box<Walk>>,
    /// What it watches by prefix, and how far it was told of that.
    pub(super) watch: Option<Box<Prefix>>,
    /// Whether the request that is to be executed again has slept.
    pub(super) has_slept: bool,
    /// How long the request has taken so far that is to be executed again.
    pub(super) spent_us: u64,
    /// Whether a transaction is being run.
    pub(super) is_executing: bool,
    /// Whether the client has said all it will say.
    pub(super) ended: bool,
    pub(super) waits: Waits,
    /// When bytes last came, in monotonic microseconds.
    pub(super) active_us: u64,
    /// Whether the node's list of sessions with something to send holds it.
    pub(super) touched: bool,
    /// What answers of it wait for: the node's lists of waiters hold them.
    pub(super) gated: Causes,
    /// The position of its last write; 0: none.
    pub(super) written: u64,
    /// What the answer under way is to wait for.
    pub(super) held_until: Option<Until>,
    /// Where in the outbox the latest pushes lie: they stay where the answer around them is taken back.
    pushes: Vec<Range<u64>>,
    /// Of the answer under way what is written when it is whole.
    parts: Parts,
    outbox: Outbox,
}

impl Session {
    /// A conversation that begins, the `number`th.
    pub fn new(number: u64, dialect: Dialect, now_us: u64) -> Session {
        Session {
            inbox: Vec::new(),
            room_start: 0,
            decoder: Decoder::new(dialect),
            number,
            addresses: Default::default(),
            name: Vec::new(),
            library: Default::default(),
            begun_us: now_us,
            command: None,
            subcommand: None,
            answers: Answers::default(),
            told: Vec::new(),
            refused_database: None,
            looked_through: None,
            queue: None,
            watched: Watched::default(),
            listening: Listening::default(),
            is_monitor: false,
            walk: None,
            watch: None,
            has_slept: false,
            spent_us: 0,
            is_executing: false,
            ended: false,
            waits: Waits::ForInput,
            active_us: now_us,
            touched: false,
            gated: Causes::default(),
            written: 0,
            held_until: None,
            pushes: Vec::new(),
            parts: Parts::default(),
            outbox: Outbox::default(),
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

    /// Answers with a value; a large one is sent from where it lies.
    pub(super) fn answer_value(&mut self, value: Value<'_>) {
        let frame = if value.is_large() { self.dialect().value_frame(value.len()) } else { None };
        let Some((before, after)) = frame else { return self.answer(Reply::Value(value.bytes())) };
        self.outbox.bytes().extend_from_slice(before.as_bytes());
        self.outbox.share(value);
        self.outbox.bytes().extend_from_slice(after.as_bytes());
    }

    /// The end of all answers so far, as a place for [`Session::hold`] and [`Session::take_back`].
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
        self.parts = Parts::default();
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
    pub(super) fn conclude(&mut self, start: u64) {
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

    /// Whether it listens to anything.
    pub(super) fn is_listening(&self) -> bool {
        !self.listening.is_empty()
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

    /// Whether the conversation begins, these bytes included, as one between nodes does.
    pub(super) fn greets(&self, bytes: &[u8]) -> bool {
        let begun = self.inbox.first().or(bytes.first());
        if begun != GREETING.first() || !self.decoder.is_fresh() || !self.outbox.is_unused() {
            return false;
        }
        self.inbox.iter().chain(bytes).take(GREETING.len()).eq(GREETING)
    }

    /// Bytes owed, sendable or not.
    pub fn owed(&self) -> usize {
        self.outbox.owed()
    }

    /// What is owed and what waits to be durable, each with the refusal that may come in its place.
    pub fn burden(&self) -> usize {
        self.outbox.burden()
    }

    /// Memory held for this conversation.
    pub fn bytes(&self) -> usize {
        self.inbox.capacity() + self.outbox.memory_bytes()
    }

    /// Where the next bytes belong, if they are many of one request. Followed by [`Session::filled`].
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        let len = self.inbox.len();
        let missing = self.decoder.needs().checked_sub(len).filter(|&missing| missing >= SHARED_BYTES_MIN)?;
        if self.waits != Waits::ForInput || self.inbox.try_reserve_exact(missing).is_err() {
            return None;
        }
        self.room_start = len;
        self.inbox.resize(len + missing.min(ROOM_BYTES), 0);
        Some(&mut self.inbox[len..])
    }

    /// So many bytes have come there. Returns whether the request may be whole.
    pub(super) fn filled(&mut self, count: usize) -> bool {
        self.inbox.truncate(self.room_start + count);
        self.inbox.len() >= self.decoder.needs()
    }

    /// Keeps the part of `bytes` that no request has used, for later.
    pub(super) fn keep_inbox(&mut self, mut inbox: Vec<u8>, used: usize) {
        inbox.drain(..used);
        if inbox.is_empty() {
            inbox.shrink_to(KEPT_BYTES);
        }
        self.inbox = inbox;
    }
}
