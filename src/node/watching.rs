//! What clients that watch a prefix are told, each tick a bounded part for all of them together.

use std::rc::Rc;

use super::http::watch;
use super::replies::OUTBOX_BYTES_MAX;
use super::session::Session;
use super::sessions::Sessions;
use super::watchers::{Step, Watchers};
use super::{Node, SessionId};
use crate::protocol::json;
use crate::store::{Change, Store};

/// What one tick spends on all who watch, in looks at a change or at a prefix: some 0.2 ms. The last event may be more
/// than is left.
pub const WATCHING_LOOKS_PER_TICK: u64 = 4_096;
/// A turn of one who is behind.
const TURN_LOOKS: u64 = 512;
/// What it is to find where its turn begins.
const VISIT_LOOKS: u64 = 16;
/// What it is to make an event, and so many bytes of it.
const EVENT_LOOKS: u64 = 8;
const LOOK_BYTES: usize = 64;
/// What a stream of HTTP may be owed before events are made for it: of those who do not read there may be many.
const STREAM_BYTES_MAX: usize = 2 << 10;

impl Node {
    /// Tells clients that watch of further changes. One that does not read is a position in the change list.
    pub(super) fn tell_watchers(&mut self) {
        if !self.has_untold() {
            return;
        }
        let Node { keys, sessions, .. } = self;
        let mut watchers = std::mem::take(&mut sessions.watchers);
        let end = watchers.looks + WATCHING_LOOKS_PER_TICK;
        // Neither those behind nor the others wait for each other.
        let level_end = if watchers.has_behind() { end - WATCHING_LOOKS_PER_TICK / 2 } else { end };
        tell_level(keys.store(), sessions, &mut watchers, level_end);
        while watchers.looks + VISIT_LOOKS + TURN_LOOKS <= end
            && let Some(id) = watchers.next_behind()
        {
            tell_behind(keys.store(), sessions, &mut watchers, id);
        }
        sessions.watchers = watchers;
    }

    /// Whether any client is to be told more at once.
    pub(super) fn has_untold(&self) -> bool {
        self.sessions.watchers.has_untold(self.keys.store().last_position())
    }

    /// A client that watches has read.
    pub(super) fn wake_watcher(&mut self, id: SessionId) {
        if self.sessions.get(id).is_some_and(has_room) {
            self.sessions.watchers.wake(id);
        }
    }

    /// What was spent on all who watch since the start: see [`WATCHING_LOOKS_PER_TICK`].
    pub fn watching_looks(&self) -> u64 {
        self.sessions.watchers.looks
    }
}

/// Whether the client has read enough of what it was told.
fn has_room(session: &Session) -> bool {
    let bytes_max = if session.out.dialect().is_http() { STREAM_BYTES_MAX } else { OUTBOX_BYTES_MAX };
    session.out.owed() < bytes_max
}

/// Tells those who are level of what is new.
fn tell_level(store: &Store, sessions: &mut Sessions, watchers: &mut Watchers, end: u64) {
    let last = store.last_position();
    let mut changes = store.changes_after(watchers.begin(last));
    while watchers.looks < end {
        let Some(change) = changes.next() else { return watchers.hear(last) };
        loop {
            match watchers.step(change.position, change.database, change.key) {
                Step::To(id) => tell_next(sessions, watchers, id, &change),
                Step::Further => (),
                Step::Last => break,
            }
            if watchers.looks >= end {
                return;
            }
        }
        watchers.hear(change.position);
    }
}

/// Tells one of those of a change, or leaves it behind.
fn tell_next(sessions: &mut Sessions, watchers: &mut Watchers, id: SessionId, change: &Change<'_>) {
    match sessions.get_mut(id).filter(|session| has_room(session)) {
        Some(session) => {
            watchers.looks += tell(session, change);
            watchers.note_step(id, change.position);
            sessions.note_output(id);
        }
        None => watchers.stall(id),
    }
}

/// A turn of one who is behind.
fn tell_behind(store: &Store, sessions: &mut Sessions, watchers: &mut Watchers, id: SessionId) {
    watchers.looks += VISIT_LOOKS;
    let (end, reach) = (watchers.looks + TURN_LOOKS, watchers.reach());
    let found = watchers.get(id).map(|(database, prefix, told)| (database, Rc::clone(prefix), told));
    let (Some((database, prefix, mut told)), Some(session)) = (found, sessions.get_mut(id)) else {
        return watchers.remove(id);
    };
    let mut changes = store.changes_after(told);
    while watchers.looks < end {
        let Some(change) = changes.next().filter(|change| change.position <= reach) else {
            told = reach;
            break;
        };
        if !has_room(session) {
            watchers.stall(id);
            break;
        }
        watchers.looks += 1;
        told = change.position;
        if change.database == database && change.key.starts_with(&prefix) {
            watchers.looks += tell(session, &change);
        }
    }
    watchers.note_told(id, told);
    sessions.note_output(id);
}

/// Returns what it was to tell it.
fn tell(session: &mut Session, change: &Change<'_>) -> u64 {
    let out = session.out.bytes();
    let before = out.len();
    match session.client.http.as_ref().and_then(|http| http.stream()) {
        Some(manner) => watch::tell(manner, change, out),
        None => json::tell(change, out),
    }
    EVENT_LOOKS + ((out.len() - before) / LOOK_BYTES) as u64
}
