//! A session's turn: the requests that are here, executed where they lie.

use bytes::{Buf, Bytes};

use super::commands::{self, Context, Executed};
use super::session::{OUTBOX_BYTES_MAX, Session, Waits};
use super::sessions::Sessions;
use super::{Core, Now, SessionId};
use crate::metrics::errors::{NO_CODE, code_of};
use crate::protocol::{Client, Decoded, Reply, Request, Scratch, http};
use crate::store::value::SHARED_BYTES_MIN;

/// Requests of one session executed in one turn, so that the longest turn stays far below a millisecond.
pub const REQUESTS_PER_TURN: usize = 512;
/// Least time between two log lines about connections that spoke HTTP.
const HTTP_LOG_US: u64 = 10_000_000;

impl Core {
    /// Executes the requests in the session's inbox, a turn's worth at most.
    pub(super) fn serve_inbox(&mut self, sessions: &mut Sessions, id: SessionId, session: &mut Session, now: Now) {
        let inbox = std::mem::take(&mut session.inbox);
        if inbox.len() < SHARED_BYTES_MIN || !session.decoder.may_be_whole(&inbox) {
            let used = self.serve(sessions, id, session, &inbox, now);
            return session.keep_inbox(inbox, used);
        }
        // A large value that is set stays where it came to.
        let whole = Bytes::from(inbox);
        self.whole = Some(whole.clone());
        let used = self.serve(sessions, id, session, &whole, now);
        self.whole = None;
        session.inbox = match whole.try_into_mut() {
            Ok(mut unshared) => {
                unshared.advance(used);
                unshared.into()
            }
            Err(shared) => shared[used..].to_vec(),
        };
    }

    /// Executes the requests in `bytes`, a turn's worth at most, and returns how many bytes they were.
    pub(super) fn serve(
        &mut self,
        sessions: &mut Sessions,
        id: SessionId,
        session: &mut Session,
        bytes: &[u8],
        now: Now,
    ) -> usize {
        let (mut ahead, mut scratch) = (std::mem::take(&mut self.ahead), std::mem::take(&mut self.scratch));
        ahead.clear();
        self.steps.begin();
        let (mut used, mut stopped) = (0, false);
        for _ in 0..REQUESTS_PER_TURN {
            let rest = &bytes[used..];
            let one = self.before_next(session, rest).unwrap_or_else(|| {
                if ahead.is_empty() {
                    self.look_ahead(session, bytes, used, &mut ahead, &mut scratch);
                }
                let context = Context { core: self, sessions, id, session, now };
                match ahead.next(bytes) {
                    Some((request, count)) => execute(context, request, count),
                    None => serve_one(context, rest, &mut scratch),
                }
            });
            match one {
                One::Used(count) => used += count,
                One::Stop(count) => {
                    (used, stopped) = (used + count, true);
                    break;
                }
            }
        }
        (self.ahead, self.scratch) = (ahead, scratch);
        if stopped {
            return used;
        }
        if session.waits == Waits::ForNothing {
            return bytes.len();
        }
        session.waits = Waits::ForTurn;
        used
    }

    /// What is to be done before the session's next request is looked at, if anything is.
    fn before_next(&mut self, session: &mut Session, rest: &[u8]) -> Option<One> {
        if session.waits == Waits::ForNothing {
            return Some(One::Stop(rest.len()));
        }
        if session.burden() >= OUTBOX_BYTES_MAX {
            session.waits = Waits::ForReader;
            return Some(One::Stop(0));
        }
        None
    }

    /// Reads the first request of `bytes`.
    fn decode<'a>(&self, session: &mut Session, bytes: &'a [u8], scratch: &'a mut Scratch) -> Decoded<'a> {
        let client = Client { is_listening: session.is_listening(), has_ended: session.ended };
        let before = session.dialect();
        let decoded = session.decoder.decode(bytes, self.options.value_bytes_max, client, scratch);
        if session.dialect() != before {
            // It is told of a prefix in the dialect that it asked in.
            session.watch = None;
        }
        decoded
    }

    fn refuse(&mut self, session: &mut Session, reply: Reply<'_>) {
        self.metrics.note_error(match &reply {
            Reply::Error(refusal) => refusal.code(),
            Reply::Fail(why) => code_of(why),
            _ => NO_CODE,
        });
        let start = session.mark();
        session.answer(reply);
        session.conclude(start);
    }

    /// All that can be executed is, but for `left` bytes. Returns how many of those are of no use.
    fn out_of_input(&mut self, session: &mut Session, left: usize) -> usize {
        session.waits = Waits::ForInput;
        if !session.ended {
            return 0;
        }
        if left > 0
            && let Some(reply) = session.decoder.unterminated()
        {
            self.refuse(session, reply);
        }
        session.waits = Waits::ForNothing;
        left
    }

    fn note_http(&mut self, now: Now) {
        self.metrics.http_closed += 1;
        if self.http_logged_us.is_none_or(|last| now.monotonic_us - last > HTTP_LOG_US) {
            self.http_logged_us = Some(now.monotonic_us);
            log::warn!(
                "closed a connection that spoke HTTP ({} so far): a web page may be trying to reach this port; \
                 bind it to an address that browsers cannot reach",
                self.metrics.http_closed
            );
        }
    }
}

/// Reads the first request of `rest`, and does what it asks for.
fn serve_one(context: Context<'_>, rest: &[u8], scratch: &mut Scratch) -> One {
    let Context { core, sessions, id, session, now } = context;
    let count = match core.decode(session, rest, scratch) {
        Decoded::Request(request, count) => {
            return execute(Context { core, sessions, id, session, now }, request, count);
        }
        Decoded::Blank(count) => count,
        Decoded::Malformed(reply, count) => {
            core.refuse(session, reply);
            count
        }
        Decoded::Failed(why, count) => {
            core.refuse(session, Reply::Fail(&why));
            count
        }
        Decoded::Oversized(reply) => {
            core.refuse(session, reply);
            rest.len()
        }
        Decoded::Fatal(why) => {
            core.refuse(session, Reply::Fail(&why));
            session.waits = Waits::ForNothing;
            return One::Stop(rest.len());
        }
        Decoded::Http => {
            core.note_http(now);
            // As Redis does, one that has spoken otherwise before is hung up on without a word.
            if !session.decoder.has_begun() {
                let mut answer = Vec::new();
                http::refuse(rest, &mut answer);
                session.answer_bytes(&answer);
            }
            session.waits = Waits::ForNothing;
            return One::Stop(rest.len());
        }
        Decoded::Incomplete(_) => return One::Stop(core.out_of_input(session, rest.len())),
    };
    One::Used(count)
}

/// Does what a request of `count` bytes asks for. Apart from what is read, so that one decoded ahead is not copied once
/// more.
fn execute(context: Context<'_>, request: Request<'_>, count: usize) -> One {
    let Context { core, sessions, id, session, now } = context;
    match commands::run(Context { core: &mut *core, sessions, id, session: &mut *session, now }, request) {
        Executed::Answered => (),
        Executed::Exhausted => {
            session.waits = Waits::ForTurn;
            core.metrics.requests += 1;
            session.decoder.note_valid();
            return One::Stop(count);
        }
        Executed::Ended => session.waits = Waits::ForNothing,
        Executed::Stopped(waits) => {
            session.waits = waits;
            return One::Stop(0);
        }
        Executed::Waiting(cause) => {
            session.waits = Waits::ForGate(cause);
            session.decoder.note_valid();
            return One::Stop(count);
        }
    }
    core.metrics.requests += 1;
    session.decoder.note_valid();
    One::Used(count)
}

/// What became of what lay there.
enum One {
    /// So many bytes are used, and the next request may come.
    Used(usize),
    /// So many bytes are used, and the turn is over.
    Stop(usize),
}
