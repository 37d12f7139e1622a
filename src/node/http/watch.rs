//! `/v1/watch`: changes of keys as they happen, as a browser's `EventSource` reads them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A stream stands for `WATCH-PREFIX`: it is a position in the change list, and what has not been read is not made. An
//! event's id is its position, so that a stream which breaks off goes on where it was.

use std::cell::Cell;

use super::asked::{Asked, Handled, Refused, select};
use crate::http::answer::{Answer, Manner, put_chunk, put_chunk_by};
use crate::node::commands::context::{Context, Events};
use crate::node::commands::{Executed, execute, perform};
use crate::protocol::{Command, Request, Scratch, json};
use crate::store::Change;

/// A longer value is not in an event, but how long it is.
const VALUE_BYTES_MAX: usize = 16 << 10;

/// Begins a stream.
pub(super) fn watch(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [prefix, from, db] = asked.target.parameters(["prefix", "from", "db"])?;
    select(cx, db.as_deref())?;
    let mut scratch = Scratch::default();
    scratch.push(Command::WatchPrefix.describe().name.as_bytes());
    scratch.push(prefix.as_deref().unwrap_or_default());
    // A browser that connects again says where it was.
    if let Some(position) = asked.head.last_event_id.map(str::as_bytes).or(from.as_deref()) {
        scratch.push(position);
    }
    let request = Request { command: Some(Command::WatchPrefix), args: scratch.args() };
    let refused = Cell::new(None);
    let executed = perform(cx, request, execute, |cx, outcome| {
        cx.out.take_parts();
        refused.set(outcome.err());
    });
    if let Executed::Stopped(waits) = executed {
        return Ok(Handled::Waits(waits));
    }
    if let Some(fail) = refused.take() {
        return Err(fail.into());
    }
    let told = cx.events.sessions.watchers.get(cx.events.id).map_or(0, |(_, _, told)| told);
    let manner = asked.manner;
    let manner = if manner.minor == 0 { manner.closing() } else { manner };
    Answer::ok("text/event-stream").write_begin(manner, cx.out.bytes());
    if manner.is_head {
        cx.client.watch = None;
        let Events { sessions, id, .. } = &mut cx.events;
        sessions.unwatch(*id);
        return Ok(Handled::Answered);
    }
    // What has no data is no event, but where the stream is.
    put_chunk(manner, format!("id: {told}\n\n").as_bytes(), cx.out.bytes());
    Ok(Handled::Streams)
}

/// Writes an event.
pub(in crate::node) fn tell(manner: Manner<'_>, change: &Change<'_>, out: &mut Vec<u8>) {
    put_chunk_by(manner, out, |out| {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(change.position.to_string().as_bytes());
        out.extend_from_slice(b"\ndata: ");
        json::tell_short(change, VALUE_BYTES_MAX, out);
        out.push(b'\n');
    });
}
