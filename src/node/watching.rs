//! What clients that watch a prefix are told, each tick a bounded part.

use super::Node;
use super::client::Prefix;
use super::replies::OUTBOX_BYTES_MAX;
use super::session::Session;
use crate::protocol::json;
use crate::store::Store;

/// Changes looked at for one client in one tick.
const LOOKS: usize = 512;

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
            session.out.owed() < OUTBOX_BYTES_MAX
                && session.client.watch.as_ref().is_some_and(|watch| watch.told < tail)
        };
        self.sessions.watchers().iter().any(|&id| self.sessions.get(id).is_some_and(is_behind))
    }
}

/// Returns whether there is something to send.
fn tell_watcher(store: &Store, session: &mut Session) -> bool {
    let Some(mut watch) = session.client.watch.take() else { return false };
    let before = session.out.owed();
    let mut event = Vec::new();
    let Prefix { prefix, told } = &mut *watch;
    let mut looks = 0;
    let mut changes = store.changes_after(*told);
    while session.out.owed() < OUTBOX_BYTES_MAX && looks < LOOKS {
        let Some(change) = changes.next() else {
            *told = store.last_position();
            break;
        };
        looks += 1;
        *told = change.position;
        if change.key.starts_with(prefix) {
            event.clear();
            json::tell(&change, &mut event);
            session.out.answer_bytes(&event);
        }
    }
    drop(changes);
    session.client.watch = Some(watch);
    session.out.owed() > before
}
