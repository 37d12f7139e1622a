//! `/v1/keys`: keys, and what is known of each.

use super::asked::{Asked, Handled, Refused, select};
use super::conversation::{Listing, Long, SLICE_BYTES, Slice};
use crate::auth::{Access, Users};
use crate::http::Wrong;
use crate::http::answer::{Answer, JSON};
use crate::http::conditions::tag;
use crate::http::json::{put_bytes, put_text};
use crate::http::target::{number, switch};
use crate::node::commands::context::Context;
use crate::node::commands::fail::Fail;
use crate::node::commands::{Executed, perform};
use crate::node::walk::{Walk, Wanted};
use crate::protocol::glob::Pattern;
use crate::protocol::{Command, Request, Scratch};
use crate::store::{Clock, Store};

/// Keys of a list whose request does not say how many it wants.
const KEYS: u64 = 1_000;

/// Keys that begin with a prefix, or match a pattern, in no order, and a cursor for the next ones; or one key, where it is
/// there.
pub(super) fn list(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let names = ["prefix", "pattern", "key", "cursor", "count", "details", "db"];
    let [prefix, pattern, key, cursor, count, details, db] = asked.target.parameters(names)?;
    select(cx, db.as_deref())?;
    let cursor = cursor.as_deref().map(number).transpose()?.unwrap_or(0);
    let count = count.as_deref().map(number).transpose()?.unwrap_or(KEYS).max(1);
    let has_details = switch(details.as_deref())?;
    let [prefix, pattern, key] = [prefix, pattern, key].map(|text| text.filter(|text| !text.is_empty()));
    let wanted = match (prefix, pattern, &key) {
        (None, None, _) => Wanted::All,
        (Some(prefix), None, None) => Wanted::Beginning(prefix.into_owned()),
        (None, Some(pattern), None) => Wanted::Matching(Pattern::parse(&pattern).map_err(Fail::from)?),
        _ => return Err(Wrong::new(400, "prefix, pattern or key: one of them says which keys are wanted").into()),
    };
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
    if let Some(key) = key {
        let mut list = b"{\"keys\":[".to_vec();
        if cx.keys.store().get(&key).is_some() {
            let reader = Reader { users: cx.users, access: cx.client.access, now_ms: cx.now.unix_ms };
            put_key(cx.data.keys.store(), &reader, has_details, &key, &mut list);
        }
        list.extend_from_slice(b"],\"cursor\":null}\n");
        asked.answer(cx, &Answer::ok(JSON), &list);
        return Ok(Handled::Answered);
    }
    let listing = Listing { walk: Walk::new(wanted, cursor), count, sent: 0, has_details };
    Ok(Handled::Long(Answer::ok(JSON), Long::Keys(Box::new(listing))))
}

/// `{"keys":[...],"cursor":...}`, as far as steps and bytes of a slice go.
pub(super) fn go_on(cx: &mut Context<'_>, listing: &mut Listing, out: &mut Vec<u8>) -> Slice {
    let Listing { walk, count, sent, has_details } = listing;
    if walk.is_fresh() {
        out.extend_from_slice(b"{\"keys\":[");
    }
    loop {
        let Context { data, client, users, .. } = cx;
        let reader = Reader { users, access: client.access, now_ms: data.now.unix_ms };
        let store = data.keys.store();
        let is_whole = walk.look(store, &mut data.steps, |key| {
            if *sent > 0 {
                out.push(b',');
            }
            put_key(store, &reader, *has_details, key, out);
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

/// Who reads a list: what is known of a key is for whoever may read it.
struct Reader<'a> {
    users: &'a Users,
    access: Access,
    /// When.
    now_ms: u64,
}

impl Reader<'_> {
    fn may_read(&self, key: &[u8]) -> bool {
        if self.access.is_unlimited() {
            return true;
        }
        let mut scratch = Scratch::default();
        scratch.push(b"GET");
        scratch.push(key);
        self.users.check(self.access.user(), Command::Get, scratch.args()).is_ok()
    }
}

/// Writes a key, or an object of it and what is known of it.
fn put_key(store: &Store, reader: &Reader<'_>, has_details: bool, key: &[u8], out: &mut Vec<u8>) {
    if !has_details {
        return put_bytes(key, out);
    }
    out.extend_from_slice(b"{\"key\":");
    put_bytes(key, out);
    if let Some(state) = store.state(key)
        && let Some(value) = state.value
        && reader.may_read(key)
    {
        let (bytes, tag) = (value.len(), tag(state.stamp));
        let (written, node) = (Clock::unix_ms(state.stamp.clock), state.stamp.node);
        out.extend_from_slice(format!(",\"bytes\":{bytes},\"written_unix_ms\":{written},\"node\":{node}").as_bytes());
        let (expires_ms, ttl_ms) = match state.expiry {
            Some(expiry) => (expiry.to_string(), expiry.get().saturating_sub(reader.now_ms).to_string()),
            None => ("null".to_owned(), "null".to_owned()),
        };
        out.extend_from_slice(format!(",\"expires_unix_ms\":{expires_ms},\"ttl_ms\":{ttl_ms},\"etag\":").as_bytes());
        put_text(&tag, out);
    }
    out.push(b'}');
}
