//! What clients that watch a prefix are told, each tick a bounded part.

use super::Core;
use super::session::{OUTBOX_BYTES_MAX, Prefix, Session};
use super::sessions::Sessions;
use crate::protocol::json;

/// Changes looked at for one client in one tick.
const LOOKS: usize = 512;

impl Core {
    /// Tells every client that watches of further changes. One that does not read is a position in the change list.
    pub(super) fn tell_watchers(&self, sessions: &mut Sessions) {
        for id in sessions.watchers().to_vec() {
            let Some(session) = sessions.get_mut(id) else { continue };
            if self.tell_watcher(session) {
                sessions.note_output(id);
            }
        }
    }

    /// Whether any client is to be told more at once.
    pub(super) fn has_untold(&self, sessions: &Sessions) -> bool {
        let tail = self.store.last_position();
        let is_behind = |session: &Session| {
            session.owed() < OUTBOX_BYTES_MAX && session.watch.as_ref().is_some_and(|watch| watch.told < tail)
        };
        sessions.watchers().iter().any(|&id| sessions.get(id).is_some_and(is_behind))
    }

    /// Returns whether there is something to send.
    fn tell_watcher(&self, session: &mut Session) -> bool {
        let Some(mut watch) = session.watch.take() else { return false };
        let before = session.owed();
        let mut event = Vec::new();
        let Prefix { prefix, told } = &mut *watch;
        let mut looks = 0;
        let mut changes = self.store.changes_after(*told);
        while session.owed() < OUTBOX_BYTES_MAX && looks < LOOKS {
            let Some(change) = changes.next() else {
                *told = self.store.last_position();
                break;
            };
            looks += 1;
            *told = change.position;
            if change.key.starts_with(prefix) {
                event.clear();
                json::tell(&change, &mut event);
                session.answer_bytes(&event);
            }
        }
        drop(changes);
        session.watch = Some(watch);
        session.owed() > before
    }
}
