//! What clients that watch a prefix are told, each tick a bounded part.

use super::Node;
use super::client::Prefix;
use super::http::watch;
use super::replies::OUTBOX_BYTES_MAX;
use super::session::Session;
use crate::protocol::json;
use crate::store::Store;

/// Changes looked at for one client in one tick.
const LOOKS: usize = 512;
/// What a stream of HTTP may be owed before events are made for it: of those who do not read there may be many.
const STREAM_BYTES_MAX: usize = 2 << 10;

impl Node {
    /// Tells every client that watches of further changes. One that does not read is a position in the change list.
    pub(super) fn tell_watchers(&mut self) {
        for id in self.sessions.watchers().to_vec() {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if tell_watcher(self.keys.store(), session) {
                self.sessions.note_output(id);
            }
        }
    }

    /// Whether any client is to be told more at once.
    pub(super) fn has_untold(&self) -> bool {
        let tail = self.keys.store().last_position();
        let is_behind = |session: &Session| {
            has_room(session) && session.client.watch.as_ref().is_some_and(|watch| watch.told < tail)
        };
        self.sessions.watchers().iter().any(|&id| self.sessions.get(id).is_some_and(is_behind))
    }
}

/// Whether the client has read enough of what it was told.
fn has_room(session: &Session) -> bool {
    let bytes_max = if session.out.dialect().is_http() { STREAM_BYTES_MAX } else { OUTBOX_BYTES_MAX };
    session.out.owed() < bytes_max
}

/// Returns whether there is something to send.
fn tell_watcher(store: &Store, session: &mut Session) -> bool {
    if !has_room(session) {
        return false;
    }
    let Some(mut watch) = session.client.watch.take() else { return false };
    let before = session.out.owed();
    let mut event = Vec::new();
    let Prefix { prefix, told } = &mut *watch;
    let mut looks = 0;
    let mut changes = store.changes_after(*told);
    let stream = session.client.http.as_ref().and_then(|http| http.stream());
    while has_room(session) && looks < LOOKS {
        let Some(change) = changes.next() else {
            *told = store.last_position();
            break;
        };
        looks += 1;
        *told = change.position;
        if change.key.starts_with(prefix) {
            event.clear();
            match stream {
                Some(manner) => watch::tell(manner, &change, &mut event),
                None => json::tell(&change, &mut event),
            }
            session.out.answer_bytes(&event);
        }
    }
    drop(changes);
    session.client.watch = Some(watch);
    session.out.owed() > before
}
