//! What clients that watch a prefix are told, each tick a bounded part for all of them together.

use std::rc::Rc;

use super::http::watch;
use super::replies::OUTBOX_BYTES_MAX;
use super::session::Session;
use super::sessions::Sessions;
use super::watchers::{ROOM_BYTES, Step, Watchers};
use super::{Node, Now, SessionId};
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

impl Node {
    /// Tells clients that watch of further changes. One that does not read is a position in the change list.
    pub(super) fn tell_watchers(&mut self, now: Now) {
        if self.untold_due_us() > now.monotonic_us {
            return;
        }
        let Node { keys, sessions, .. } = self;
        let mut watchers = std::mem::take(&mut sessions.watchers);
        let end = watchers.looks + WATCHING_LOOKS_PER_TICK;
        // Neither those behind nor the others wait for each other.
        let level_end = if watchers.has_behind() { end - WATCHING_LOOKS_PER_TICK / 2 } else { end };
        if watchers.gathering.due_us() <= now.monotonic_us
            && tell_level(keys.store(), sessions, &mut watchers, level_end) == Told::All
        {
            watchers.gathering.note(now.monotonic_us);
        }
        while watchers.looks + VISIT_LOOKS + TURN_LOOKS <= end
            && let Some(id) = watchers.next_behind()
        {
            tell_behind(keys.store(), sessions, &mut watchers, id);
        }
        sessions.watchers = watchers;
    }

    /// When any client is to be told more, in monotonic microseconds; `u64::MAX` where none is.
    pub(super) fn untold_due_us(&self) -> u64 {
        self.sessions.watchers.untold_due_us(self.keys.store().last_position())
    }

    /// A client that watches has read.
    pub(super) fn wake_watcher(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let has_read_all = session.out.owed() == 0;
        if has_read_all || has_room(session, ROOM_BYTES) {
            self.sessions.watchers.wake(id, has_read_all);
        }
    }

    /// What was spent on all who watch since the start: see [`WATCHING_LOOKS_PER_TICK`].
    pub fn watching_looks(&self) -> u64 {
        self.sessions.watchers.looks
    }
}

/// Whether the client has read enough of what it was told.
fn has_room(session: &Session, room_bytes: usize) -> bool {
    let bytes_max = if session.out.dialect().is_http() { room_bytes } else { OUTBOX_BYTES_MAX };
    session.out.owed() < bytes_max
}

/// What came of telling those who are level.
#[derive(PartialEq, Eq)]
enum Told {
    /// Some were told something, and all know all.
    All,
    /// All know all, and nobody had to be told.
    Nothing,
    /// There is more to tell.
    Some,
}

/// Tells those who are level of what is new.
fn tell_level(store: &Store, sessions: &mut Sessions, watchers: &mut Watchers, end: u64) -> Told {
    let last = store.last_position();
    let mut changes = store.changes_after(watchers.begin(last));
    let mut told = Told::Nothing;
    while watchers.looks < end {
        let Some(change) = changes.next() else {
            watchers.hear(last);
            return told;
        };
        loop {
            match watchers.step(change.position, change.database, change.key) {
                Step::To(id) => {
                    tell_next(sessions, watchers, id, &change);
                    told = Told::All;
                }
                Step::Further => (),
                Step::Last => break,
            }
            if watchers.looks >= end {
                return Told::Some;
            }
        }
        watchers.hear(change.position);
    }
    Told::Some
}

/// Tells one of those of a change, or leaves it behind.
fn tell_next(sessions: &mut Sessions, watchers: &mut Watchers, id: SessionId, change: &Change<'_>) {
    let room_bytes = watchers.room_bytes(id);
    match sessions.get_mut(id).filter(|session| has_room(session, room_bytes)) {
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
    let (end, reach, room_bytes) = (watchers.looks + TURN_LOOKS, watchers.reach(), watchers.room_bytes(id));
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
        if !has_room(session, room_bytes) {
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
