//! What each request does: the one `match`.

use super::session::Session;
use super::{Core, Now, info};
use crate::protocol::{Refusal, Reply, Request, line};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It is answered.
    Answered,
    /// It is answered, and the conversation ends.
    Ended,
    /// It was not executed: writers wait for the snapshot.
    Wait,
    /// Its answer comes when peers have caught up, or its time is over.
    Waiting,
}

/// Executes a request and answers it.
pub(super) fn execute(core: &mut Core, session: &mut Session, request: Request<'_>, now: Now) -> Executed {
    match request {
        Request::Get(key) => match core.store.get(key) {
            Some(value) => {
                core.metrics.hits += 1;
                session.answer(Reply::Value(value));
            }
            None => {
                core.metrics.misses += 1;
                session.answer(Reply::KeyNotFound);
            }
        },
        Request::Set(..) | Request::Delete(_) => {
            if core.saver.holds_writers(&core.store) || (core.clock.is_spent() && !core.saver.is_failing()) {
                core.metrics.writer_stalls += 1;
                return Executed::Wait;
            }
            let written = write(core, request, now);
            session.written = written.ok().flatten().unwrap_or(session.written);
            match written {
                Ok(Some(position)) if core.saver.holds_answers() => session.answer_when_durable(Reply::Ok, position),
                Ok(Some(_)) => session.answer(Reply::Ok),
                Ok(None) => session.answer(Reply::KeyNotFound),
                Err(refusal) => {
                    core.metrics.requests_refused += 1;
                    session.answer(Reply::Error(refusal));
                }
            }
        }
        Request::Wait(peers, ms) => {
            let count = core.replication.count_durable(session.written);
            if count < peers && ms > 0 {
                session.wanted = (peers, now.monotonic_us.saturating_add(ms.saturating_mul(1000)));
                return Executed::Waiting;
            }
            session.answer(Reply::Number(count));
        }
        Request::Ping => session.answer(Reply::Pong),
        Request::Info => session.answer(Reply::Text(&info::text(core, now))),
        Request::Help => session.answer(Reply::Text(line::HELP)),
        Request::Quit => {
            session.answer(Reply::Ok);
            return Executed::Ended;
        }
    }
    Executed::Answered
}

/// The position of the change, or `None` where there was nothing to change.
fn write(core: &mut Core, request: Request<'_>, now: Now) -> Result<Option<u64>, Refusal> {
    if core.saver.is_failing() && (core.saver.holds_answers() || core.clock.is_spent()) {
        return Err(Refusal::NotDurable);
    }
    let stamp = core.clock.issue(now.unix_ms);
    match request {
        Request::Set(key, value) => core.store.set(key, value, stamp).map(Some).map_err(|_| Refusal::OutOfMemory),
        Request::Delete(key) => Ok(core.store.delete(key, stamp)),
        Request::Get(_) | Request::Wait(..) | Request::Ping | Request::Info | Request::Help | Request::Quit => Ok(None),
    }
}
