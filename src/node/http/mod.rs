//! HTTP on the port that everything is spoken on: connections that begin with a request line are served here.
//!
//! A request goes the way of every other: it stands for a command, which is admitted as one that came by lines or RESP
//! is (rights, pauses, memory, the disk), and whose answer waits at the same gates. What is HTTP's own:
//!
//! - [`conversation`]: how far a connection is
//! - [`meeting`]: whether a request is let in
//! - [`routes`]: what there is; [`asked`]: what a route is given, and what may become of it
//! - [`slices`]: answers that take several turns
//! - [`calls`]: commands as they are, by Upstash's protocol; [`batch`]: how far several are
//! - [`health`], [`metrics`], [`status`], [`history`], [`ticks`], [`keys`], [`values`], [`watch`], [`me`],
//!   [`settings`], [`login`], [`description`]: the routes
//! - [`page`]: the dashboard, whose files lie in `page/`
//!
//! A turn takes the next bytes and does what they are for. Its request may have to wait: for its body, which is received
//! where it stays; for a gate, after which it is handed to its route again; for its client, who has to read. A request
//! that is refused leaves the connection as it was, where its body is short enough to be read and forgotten.

mod asked;
mod batch;
mod calls;
pub(super) mod conversation;
mod description;
mod health;
mod history;
mod keys;
mod login;
mod me;
mod meeting;
mod metrics;
mod page;
mod routes;
mod settings;
mod slices;
mod status;
mod ticks;
mod values;
pub(super) mod watch;

use asked::{Asked, Handled, Refused};
use conversation::{Conversation, Long, Slice, Stage};
use meeting::{Met, meet};
use routes::{Route, Wanted};

use super::commands::context::Context;
use super::options::HttpPolicy;
use super::waits::Waits;
use crate::auth::Proof;
use crate::http::Wrong;
use crate::http::answer::{Manner, put_chunk, put_end};
use crate::http::body::{Framing, Receiving};
use crate::http::calls::BYTES_MAX;
use crate::http::head::{self, Head, Read};
use crate::protocol::http::{begins, is_overlong_opening};
use crate::store::Database;

/// Room behind a body, for what a route puts to it.
const ROOM_BYTES: usize = 17 << 10;
/// Longest body of a refused request that is read and forgotten, so that the connection can go on.
const DISCARDED_BYTES_MAX: u64 = 1 << 20;

/// Longest form.
const FORM_BYTES_MAX: usize = 4 << 10;

/// What was done with the bytes.
pub(super) enum Step {
    /// So many are used, and the next may be looked at.
    Used(usize),
    /// So many are used, and more have to come.
    Starved(usize),
    /// So many are used, and the turn is over: the client waits for something.
    Stop(usize),
    /// The last answer is written.
    End,
}

/// Whether a connection whose first line gives HTTP away is served.
pub(super) fn is_served(cx: &Context<'_>, bytes: &[u8]) -> bool {
    cx.settings.options.http.policy != HttpPolicy::Off
        && cx.out.is_unused()
        && (begins(bytes) == Some(true) || is_overlong_opening(bytes))
}

/// Does what the next bytes are for, or goes on with what is under way.
pub(super) fn serve(cx: &mut Context<'_>, bytes: &[u8]) -> Step {
    let begun = cx.client.http.take();
    let mut conversation = begun.unwrap_or_else(|| {
        cx.out.decoder.speak_http();
        cx.out.decoder.note_valid();
        let is_vouched = cx.client.is_vouched;
        Box::new(Conversation::new(is_vouched.then(|| cx.users.name(cx.client.access.user()).to_vec())))
    });
    let step = go_on(cx, &mut conversation, bytes);
    cx.client.http = Some(conversation);
    step
}

fn go_on(cx: &mut Context<'_>, conversation: &mut Conversation, bytes: &[u8]) -> Step {
    match std::mem::take(&mut conversation.stage) {
        Stage::Head => read_head(cx, conversation, bytes),
        Stage::Body { head, body } => receive(cx, conversation, head, body, bytes),
        Stage::Held { head, body } => answer_held(cx, conversation, head, body, 0),
        Stage::Discarding(left) => discard(conversation, left, bytes),
        Stage::Sending(manner, long, proof) => send(cx, conversation, manner, long, proof, 0),
        Stage::Streaming(manner, proof) => {
            conversation.stage = Stage::Streaming(manner, proof);
            Step::Starved(bytes.len())
        }
    }
}

fn read_head(cx: &mut Context<'_>, conversation: &mut Conversation, bytes: &[u8]) -> Step {
    let (head, len) = match head::read(bytes, &mut conversation.scanned) {
        Ok(Read::Head(head, len)) => (head, len),
        Ok(Read::Blank(len)) => return Step::Used(len),
        Ok(Read::Incomplete) => return Step::Starved(0),
        Err(wrong) => return part(cx, Manner::parting(cx.now.unix_ms), wrong),
    };
    match meet(cx, conversation.vouched.as_deref(), &head) {
        Met::Waits(waits) => {
            cx.client.waits = waits;
            Step::Stop(0)
        }
        Met::Told(manner) => finish(manner, len),
        Met::Refused(manner, refused) => refuse(cx, conversation, manner, &refused, &head, len),
        Met::In(asked, route) => {
            let bytes_max = body_bytes_max(cx, route);
            let mut body = match Receiving::begin(head.framing, bytes_max, ROOM_BYTES) {
                Ok(body) => body,
                Err(wrong) => return refuse(cx, conversation, asked.manner, &wrong.into(), &head, len),
            };
            let used = match body.take(&bytes[len..]) {
                Ok(used) => len + used,
                Err(wrong) => return part(cx, asked.manner, wrong),
            };
            if body.is_whole() {
                let body = body.into_bytes();
                return answer(cx, conversation, &asked, route, &bytes[..len], body, used);
            }
            if head.awaits_word && used == len {
                cx.out.answer_bytes(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            conversation.stage = Stage::Body { head: bytes[..len].to_vec(), body };
            Step::Starved(used)
        }
    }
}

/// More of a body.
fn receive(
    cx: &mut Context<'_>,
    conversation: &mut Conversation,
    head: Vec<u8>,
    mut body: Receiving,
    bytes: &[u8],
) -> Step {
    match body.take(bytes) {
        Err(wrong) => {
            let parsed = head::parse(&head);
            let asked = parsed.as_ref().ok().and_then(|parsed| meeting::again(cx, parsed).ok());
            let manner = asked.map_or(Manner::parting(cx.now.unix_ms), |(asked, _)| asked.manner);
            part(cx, manner, wrong)
        }
        Ok(used) if body.is_whole() => answer_held(cx, conversation, head, body.into_bytes(), used),
        Ok(used) => {
            conversation.stage = Stage::Body { head, body };
            Step::Starved(used)
        }
    }
}

/// A request that was let in is all there.
fn answer_held(
    cx: &mut Context<'_>,
    conversation: &mut Conversation,
    head: Vec<u8>,
    body: Vec<u8>,
    used: usize,
) -> Step {
    let parsed = match head::parse(&head) {
        Ok(parsed) => parsed,
        Err(wrong) => return part(cx, Manner::parting(cx.now.unix_ms), wrong),
    };
    match meeting::again(cx, &parsed) {
        Ok((asked, route)) => answer(cx, conversation, &asked, route, &head, body, used),
        Err(refused) => part(cx, Manner::of(&parsed, cx.now.unix_ms), refused.wrong),
    }
}

/// Hands a request that is all there to its route.
fn answer(
    cx: &mut Context<'_>,
    conversation: &mut Conversation,
    asked: &Asked<'_>,
    route: &Route,
    head: &[u8],
    mut body: Vec<u8>,
    used: usize,
) -> Step {
    let manner = asked.manner;
    asked.batch.set(conversation.batch.take());
    // What an earlier request has named is that request's.
    cx.select(Database::ZERO);
    let handled = (route.handler)(cx, asked, &mut body);
    conversation.batch = asked.batch.take();
    match handled {
        Ok(Handled::Answered) => finish(manner, used),
        Ok(Handled::Exhausted) if manner.keeps_alive => {
            cx.client.waits = Waits::ForTurn;
            Step::Stop(used)
        }
        Ok(Handled::Exhausted | Handled::Parted) => Step::End,
        Ok(Handled::Waits(waits)) => {
            conversation.stage = Stage::Held { head: head.to_vec(), body };
            cx.client.waits = waits;
            Step::Stop(used)
        }
        Ok(Handled::Long(answer, long)) => {
            // Nothing but the end of the connection ends a body of HTTP/1.0.
            let manner = if manner.minor == 0 { manner.closing() } else { manner };
            let Some(proof) = meeting::proof(cx, conversation.vouched.as_deref(), asked.head) else {
                return Step::End;
            };
            answer.write_begin(manner, cx.out.bytes());
            send(cx, conversation, Manner { reader: None, ..manner }, long, proof, used)
        }
        Ok(Handled::Streams) => {
            let Some(proof) = meeting::proof(cx, conversation.vouched.as_deref(), asked.head) else {
                cx.client.watch = None;
                return Step::End;
            };
            conversation.stage = Stage::Streaming(Manner { reader: None, ..manner }, proof);
            Step::Starved(used)
        }
        Err(refused) if refused.closes => part(cx, manner, refused.wrong),
        Err(refused) => {
            refused.write(manner, cx.out.bytes());
            finish(manner, used)
        }
    }
}

/// One slice of a long answer.
fn send(
    cx: &mut Context<'_>,
    conversation: &mut Conversation,
    manner: Manner<'_>,
    mut long: Long,
    proof: Proof,
    used: usize,
) -> Step {
    let mut slice = Vec::new();
    let more = if manner.is_head { Slice::Last } else { slices::next(cx, &mut long, &mut slice) };
    put_chunk(manner, &slice, cx.out.bytes());
    match more {
        Slice::Last => {
            put_end(manner, cx.out.bytes());
            finish(manner, used)
        }
        Slice::More => {
            conversation.stage = Stage::Sending(Manner { reader: None, ..manner }, long, proof);
            cx.client.waits = Waits::ForTurn;
            Step::Stop(used)
        }
    }
}

/// The answer to a request is written.
fn finish(manner: Manner<'_>, used: usize) -> Step {
    if manner.keeps_alive { Step::Used(used) } else { Step::End }
}

/// Says why nothing more is understood, or wanted.
fn part(cx: &mut Context<'_>, manner: Manner<'_>, wrong: Wrong) -> Step {
    Refused::from(wrong).write(manner.closing(), cx.out.bytes());
    Step::End
}

/// Says why a request with this head is not let in. Its body is read and forgotten, where that is not too much; a client
/// that waits for a word may send it or not.
fn refuse(
    cx: &mut Context<'_>,
    conversation: &mut Conversation,
    manner: Manner<'_>,
    refused: &Refused,
    head: &Head<'_>,
    used: usize,
) -> Step {
    let left = match head.framing {
        Framing::None => Some(0),
        Framing::Length(bytes) if bytes <= DISCARDED_BYTES_MAX && !head.awaits_word => Some(bytes),
        Framing::Length(_) | Framing::Chunked => None,
    };
    let manner = if refused.closes || left.is_none() { manner.closing() } else { manner };
    refused.write(manner, cx.out.bytes());
    conversation.stage = Stage::Discarding(left.unwrap_or(0));
    finish(manner, used)
}

fn discard(conversation: &mut Conversation, left: u64, bytes: &[u8]) -> Step {
    let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    match left - count as u64 {
        0 => Step::Used(count),
        left => {
            conversation.stage = Stage::Discarding(left);
            Step::Starved(count)
        }
    }
}

fn body_bytes_max(cx: &Context<'_>, route: &Route) -> usize {
    match route.body {
        Wanted::None => 0,
        Wanted::Value(_) => cx.keys.value_bytes_max(),
        Wanted::Calls => BYTES_MAX,
        Wanted::Form => FORM_BYTES_MAX,
    }
}
