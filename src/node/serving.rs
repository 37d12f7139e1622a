//! A session's turn: the requests that are here, executed where they lie.

use bytes::{Buf, Bytes};

use super::commands::context::{Context, Data, Events};
use super::commands::{self, Executed, OUT_OF_RANGE};
use super::http::{Step, is_served, serve as serve_http};
use super::lookahead::{Lookahead, is_write, key_span};
use super::replies::OUTBOX_BYTES_MAX;
use super::session::Session;
use super::steps::{REQUESTS_PER_TURN, Steps};
use super::strangers::UNPROVEN_BYTES_MAX;
use super::waits::Waits;
use super::{Node, Now, SessionId};
use crate::metrics::errors::{NO_CODE, code_of};
use crate::protocol::{Client, Decoded, Refusal, Reply, Request, Scratch, http};
use crate::store::PREFETCHED;
use crate::store::value::SHARED_BYTES_MIN;

/// Least time between two log lines about connections that spoke HTTP.
const HTTP_LOG_US: u64 = 10_000_000;

/// What a client that has not said who it is may be owed before it has to read.
const STRANGER_BYTES_MAX: usize = 16 << 10;

impl Node {
    /// Executes the requests in the session's inbox, a turn's worth at most.
    pub(super) fn serve_inbox(&mut self, id: SessionId, session: &mut Session, now: Now) {
        let inbox = std::mem::take(&mut session.client.inbox);
        if inbox.len() < SHARED_BYTES_MIN || !session.out.decoder.may_be_whole(&inbox) {
            let used = self.serve(id, session, &inbox, None, now);
            return session.keep_inbox(inbox, used);
        }
        // A large value that is set stays where it came to.
        let whole = Bytes::from(inbox);
        let used = self.serve(id, session, &whole, Some(&whole), now);
        session.client.inbox = match whole.try_into_mut() {
            Ok(mut unshared) => {
                unshared.advance(used);
                unshared.into()
            }
            Err(shared) => shared[used..].to_vec(),
        };
    }

    /// Executes the requests in `bytes`, a turn's worth at most, and returns how many bytes they were. `whole` is the
    /// memory that they lie in, where it can be shared.
    pub(super) fn serve(
        &mut self,
        id: SessionId,
        session: &mut Session,
        bytes: &[u8],
        whole: Option<&Bytes>,
        now: Now,
    ) -> usize {
        let (mut lookahead, mut scratch) = (std::mem::take(&mut self.lookahead), std::mem::take(&mut self.scratch));
        lookahead.clear();
        let mut cx = self.context(id, session, whole, now);
        let (mut used, mut stopped) = (0, false);
        for _ in 0..REQUESTS_PER_TURN {
            let rest = &bytes[used..];
            let one = before_next(&mut cx, rest).unwrap_or_else(|| {
                if !cx.client.access.is_authenticated() {
                    // How much a stranger may say is known when it is its turn.
                    lookahead.clear();
                } else if lookahead.is_empty() {
                    look_ahead(&cx.data, bytes, used, &mut lookahead, &mut scratch);
                }
                match lookahead.next(bytes) {
                    Some((request, count)) => execute(&mut cx, request, count),
                    None => serve_one(&mut cx, rest, &mut scratch),
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
        let waits = &mut cx.client.waits;
        if !stopped && *waits == Waits::ForNothing {
            used = bytes.len();
        } else if !stopped {
            *waits = Waits::ForTurn;
        }
        drop(cx);
        (self.lookahead, self.scratch) = (lookahead, scratch);
        used
    }

    /// These bytes have come from these clients, and will be received: brings what their first requests look for into
    /// the cache. [`PREFETCHED`] clients at most.
    pub fn prefetch<'a>(&mut self, group: impl Iterator<Item = (SessionId, &'a [u8])>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let (value_bytes_max, selected) = (self.keys.value_bytes_max(), self.keys.store().selected());
        let first = |(id, bytes): (SessionId, &'a [u8])| {
            let session = self.session(id).filter(|session| session.client.inbox.is_empty())?;
            if session.client.database != selected {
                return None;
            }
            let (request, _) = session.out.decoder.decode_plain(bytes, value_bytes_max, &mut scratch)?;
            let span = key_span(request.args.spans())?.clone();
            Some((&bytes[span], is_write(request.command)))
        };
        self.keys.store().prefetch(group.filter_map(first));
        self.scratch = scratch;
    }

    /// What the session's requests work on.
    fn context<'a>(
        &'a mut self,
        id: SessionId,
        session: &'a mut Session,
        whole: Option<&Bytes>,
        now: Now,
    ) -> Context<'a> {
        let Node { keys, channels, sessions, settings, users, accounts, metrics, .. } = self;
        let Node { timing, readiness, reports, scripts, backups, is_shutting_down, .. } = self;
        let Session { out, progress, client } = session;
        keys.select(client.database);
        let events = Events { channels, sessions, id };
        let (steps, whole) = (Steps::new(), whole.cloned());
        let data = Data { keys, out, progress, events, metrics, steps, whole, now };
        Context {
            data,
            client,
            users,
            accounts,
            settings,
            timing,
            readiness,
            reports,
            scripts,
            backups,
            is_shutting_down,
        }
    }
}

/// Decodes the requests from `begin` on, as far as they have come whole and are plain, and brings what they look for
/// into the cache.
fn look_ahead(data: &Data<'_>, bytes: &[u8], begin: usize, lookahead: &mut Lookahead, scratch: &mut Scratch) {
    lookahead.clear();
    let mut at = begin;
    while lookahead.len() < PREFETCHED
        && let Some((request, count)) =
            data.out.decoder.decode_plain(&bytes[at..], data.keys.value_bytes_max(), scratch)
    {
        lookahead.push(request, at..at + count);
        at += count;
    }
    data.keys.store().prefetch(lookahead.keys(bytes));
}

/// What is to be done before the session's next request is looked at, if anything is.
fn before_next(cx: &mut Context<'_>, rest: &[u8]) -> Option<One> {
    if cx.client.waits == Waits::ForNothing {
        return Some(One::Stop(rest.len()));
    }
    let burden = cx.out.burden();
    if burden >= STRANGER_BYTES_MAX && (burden >= OUTBOX_BYTES_MAX || !cx.client.access.is_authenticated()) {
        cx.client.waits = Waits::ForReader;
        return Some(One::Stop(0));
    }
    None
}

/// Reads the first request of `bytes`.
fn decode<'b>(cx: &mut Context<'_>, bytes: &'b [u8], scratch: &'b mut Scratch) -> Decoded<'b> {
    let client = Client {
        is_listening: cx.client.is_listening(),
        has_ended: cx.client.ended,
        is_stranger: !cx.client.access.is_authenticated(),
    };
    let (before, value_bytes_max) = (cx.out.dialect(), cx.keys.value_bytes_max());
    let decoded = cx.out.decoder.decode(bytes, value_bytes_max, client, scratch);
    if cx.out.dialect() != before {
        // It is told of a prefix in the dialect that it asked in.
        unwatch(cx);
    }
    decoded
}

fn unwatch(cx: &mut Context<'_>) {
    if cx.client.watch.take().is_some() {
        let Events { sessions, id, .. } = &mut cx.events;
        sessions.unwatch(*id);
    }
}

fn refuse(cx: &mut Context<'_>, reply: Reply<'_>) {
    cx.metrics.note_error(match &reply {
        Reply::Error(refusal) => refusal.code(),
        Reply::Fail(why) => code_of(why),
        _ => NO_CODE,
    });
    let start = cx.out.mark();
    cx.out.answer(reply);
    cx.out.conclude(start);
}

/// All that can be executed is, but for `left` bytes. Returns how many of those are of no use.
fn out_of_input(cx: &mut Context<'_>, left: usize) -> usize {
    cx.client.waits = Waits::ForInput;
    if !cx.client.ended {
        return 0;
    }
    if left > 0
        && let Some(reply) = cx.out.decoder.unterminated()
    {
        refuse(cx, reply);
    }
    cx.client.waits = Waits::ForNothing;
    left
}

fn note_http(cx: &mut Context<'_>) {
    cx.metrics.http_closed += 1;
    let now_us = cx.now.monotonic_us;
    let logged_us = &mut cx.events.sessions.http_logged_us;
    if logged_us.is_none_or(|last| now_us - last > HTTP_LOG_US) {
        *logged_us = Some(now_us);
        log::warn!(
            event = "http_closed", count = cx.metrics.http_closed;
            "closed a connection that spoke HTTP ({} so far): a web page may be trying to reach this port; bind it \
             to an address that browsers cannot reach",
            cx.metrics.http_closed
        );
    }
}

/// Whether a request of so many bytes is more than this client may say, in a dialect that has no such limits itself.
fn is_too_long(cx: &Context<'_>, count: usize) -> bool {
    count > UNPROVEN_BYTES_MAX && !cx.client.access.is_authenticated() && !cx.out.dialect().bounds_strangers()
}

#[cold]
fn hang_up_on_stranger(cx: &mut Context<'_>, rest: &[u8]) -> One {
    let refusal = Refusal::TooLongFromStranger(UNPROVEN_BYTES_MAX);
    cx.metrics.note_error(refusal.code());
    cx.out.turn_away(refusal);
    cx.client.waits = Waits::ForNothing;
    One::Stop(rest.len())
}

/// Reads the first request of `rest`, and does what it asks for.
fn serve_one(cx: &mut Context<'_>, rest: &[u8], scratch: &mut Scratch) -> One {
    let count = match decode(cx, rest, scratch) {
        Decoded::Request(_, count) if is_too_long(cx, count) => return hang_up_on_stranger(cx, rest),
        Decoded::Request(request, count) => return execute_apart(cx, request, count),
        Decoded::Blank(count) => count,
        Decoded::Malformed(reply, count) => {
            refuse(cx, commands::to_stranger(cx, reply));
            count
        }
        Decoded::Failed(why, count) => {
            refuse(cx, Reply::Fail(&why));
            count
        }
        Decoded::Oversized(reply) => {
            refuse(cx, commands::to_stranger(cx, reply));
            rest.len()
        }
        Decoded::Fatal(why) => {
            refuse(cx, Reply::Fail(&why));
            cx.client.waits = Waits::ForNothing;
            return One::Stop(rest.len());
        }
        Decoded::Http if cx.out.dialect().is_http() || is_served(cx, rest) => return take_step(cx, rest),
        Decoded::Http => {
            note_http(cx);
            // As Redis does, one that has spoken otherwise before is hung up on without a word.
            if !cx.out.decoder.has_begun() {
                let mut answer = Vec::new();
                http::refuse(rest, &mut answer);
                cx.out.answer_bytes(&answer);
            }
            cx.client.waits = Waits::ForNothing;
            return One::Stop(rest.len());
        }
        Decoded::Incomplete(_) if is_too_long(cx, rest.len()) => return hang_up_on_stranger(cx, rest),
        Decoded::Incomplete(_) => return One::Stop(out_of_input(cx, rest.len())),
    };
    One::Used(count)
}

/// Does what the next bytes of HTTP are for.
fn take_step(cx: &mut Context<'_>, rest: &[u8]) -> One {
    match serve_http(cx, rest) {
        Step::Used(count) => One::Used(count),
        Step::Stop(count) => One::Stop(count),
        Step::Starved(count) => One::Stop(count + out_of_input(cx, rest.len() - count)),
        Step::End => {
            cx.client.waits = Waits::ForNothing;
            One::Stop(rest.len())
        }
    }
}

/// Does what a request of `count` bytes asks for. Apart from what is read, so that one decoded ahead is not copied once
/// more.
fn execute(cx: &mut Context<'_>, request: Request<'_>, count: usize) -> One {
    let stops = match commands::run(cx, request) {
        Executed::Answered => false,
        Executed::Exhausted => {
            cx.client.waits = Waits::ForTurn;
            true
        }
        Executed::Ended => {
            cx.client.waits = Waits::ForNothing;
            false
        }
        Executed::Stopped(waits) => {
            cx.client.waits = waits;
            return One::Stop(0);
        }
        Executed::Waiting(cause) => {
            cx.client.waits = Waits::ForGate(cause);
            cx.out.decoder.note_valid();
            return One::Stop(count);
        }
    };
    cx.metrics.requests += 1;
    cx.out.decoder.note_valid();
    if stops { One::Stop(count) } else { One::Used(count) }
}

/// The same of a request that may be about another database than the session's.
fn execute_apart(cx: &mut Context<'_>, request: Request<'_>, count: usize) -> One {
    let Some(number) = cx.out.decoder.asked_database() else { return execute(cx, request, count) };
    let chosen = match (cx.settings.options.database(number), &mut cx.client.queue) {
        (Some(database), None) => Ok(database),
        // It would be run with the others, as one of the session's database.
        (_, Some(queue)) => {
            queue.is_spoilt = true;
            Err("ERR db is not for a transaction: SELECT in it")
        }
        (None, None) => Err(OUT_OF_RANGE),
    };
    let database = match chosen {
        Ok(database) => database,
        Err(why) => {
            refuse(cx, Reply::Fail(why));
            return One::Used(count);
        }
    };
    cx.keys.select(database);
    let one = execute(cx, request, count);
    let own = cx.client.database;
    cx.keys.select(own);
    one
}

/// What became of what lay there.
enum One {
    /// So many bytes are used, and the next request may come.
    Used(usize),
    /// So many bytes are used, and the turn is over.
    Stop(usize),
}
