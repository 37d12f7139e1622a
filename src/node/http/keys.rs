//! `/v1/keys`: keys and their values.

use super::asked::{Asked, Handled, Refused};
use super::conversation::{Listing, Long, SLICE_BYTES, Slice};
use crate::http::answer::{Answer, JSON};
use crate::http::json::{put_bytes, put_text};
use crate::http::target::number;
use crate::node::commands::context::Context;
use crate::node::commands::fail::Fail;
use crate::node::commands::{Executed, perform};
use crate::node::walk::{Walk, Wanted};
use crate::protocol::{Command, Request, Scratch};

/// Keys of a list whose request does not say how many it wants.
const KEYS: u64 = 1_000;

/// Keys that begin with a prefix, in no order, and a cursor for the next ones.
pub(super) fn list(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [prefix, cursor, count] = asked.target.parameters(["prefix", "cursor", "count"])?;
    let cursor = cursor.as_deref().map(number).transpose()?.unwrap_or(0);
    let count = count.as_deref().map(number).transpose()?.unwrap_or(KEYS).max(1);
    let wanted = prefix.filter(|prefix| !prefix.is_empty());
    let wanted = wanted.map_or(Wanted::All, |prefix| Wanted::Beginning(prefix.into_owned()));
    let mut scratch = Scratch::default();
    scratch.push(b"SCAN");
    scratch.push(cursor.to_string().as_bytes());
    let request = Request { command: Some(Command::Scan), args: scratch.args() };
    let mut verdict = Ok(());
    // Whether it may be, and now; the walk itself is in the slices.
    let executed = perform(cx, request, |_, _, _| Ok(Executed::Answered), |_, outcome| verdict = outcome);
    if let Executed::Stopped(waits) = executed {
        return Ok(Handled::Waits(waits));
    }
    verdict.map_err(|fail: Fail| Refused::from(fail))?;
    let listing = Listing { walk: Walk::new(wanted, cursor), count, sent: 0 };
    Ok(Handled::Long(Answer::ok(JSON), Long::Keys(Box::new(listing))))
}

/// `{"keys":[...],"cursor":...}`, as far as steps and bytes of a slice go.
pub(super) fn go_on(cx: &mut Context<'_>, listing: &mut Listing, out: &mut Vec<u8>) -> Slice {
    let Listing { walk, count, sent } = listing;
    if walk.is_fresh() {
        out.extend_from_slice(b"{\"keys\":[");
    }
    loop {
        let is_whole = walk.look(cx.data.keys.store(), &mut cx.data.steps, |key| {
            if *sent > 0 {
                out.push(b',');
            }
            put_bytes(key, out);
            *sent += 1;
        });
        if is_whole && (walk.cursor == 0 || *sent >= *count) {
            break;
        }
        if cx.steps.are_spent() || out.len() >= SLICE_BYTES {
            return Slice::More;
        }
    }
    out.extend_from_slice(b"],\"cursor\":");
    match walk.cursor {
        0 => out.extend_from_slice(b"null"),
        cursor => put_text(&cursor.to_string(), out),
    }
    out.extend_from_slice(b"}\n");
    Slice::Last
}
