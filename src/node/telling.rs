//! Changes of keys told to who listens: those of a request, and those that peers have made.

use super::Node;
use super::channels::Channels;
use super::commands::context::{Data, Events};
use super::view::Told;
use crate::replication::Audience;
use crate::store::Database;

impl Node {
    /// Tells of what peers have changed after a position: values set and keys deleted, by whatever command.
    pub(super) fn notify_of_peers(&mut self, position: u64) {
        let Channels { pubsub, notifications } = &self.channels;
        let (store, own) = (self.keys.store(), self.keys.replica().clock().node());
        if notifications.classes.is_empty() || pubsub.is_empty() || store.last_position() == position {
            return;
        }
        let theirs = store.changes_after(position).filter(|change| change.stamp.node != own);
        let told: Vec<_> =
            theirs.map(|change| (change.database, change.key.to_vec(), change.value.is_some())).collect();
        for (database, key, is_set) in told {
            let (class, event) = if is_set { ('$', "set") } else { ('g', "del") };
            self.notify(class, event, database, &key);
        }
    }

    /// Tells of a change that no client made.
    pub(super) fn notify(&mut self, class: char, event: &str, database: Database, key: &[u8]) {
        let Node { channels: Channels { pubsub, notifications }, sessions, .. } = self;
        for (channel, message) in notifications.channels(class, event, database, key).into_iter().flatten() {
            pubsub.deliver(sessions, None, Audience::Channel, &channel, &message);
        }
    }
}

impl Data<'_> {
    /// Whether the key is new and somebody wants to know.
    #[inline]
    pub(super) fn is_news(&self, key: &[u8]) -> bool {
        self.events.channels.notifications.tells_new && self.keys.get(key).is_none()
    }

    /// Tells that a reader has missed the key.
    #[inline]
    pub(super) fn miss(&mut self, key: &[u8]) {
        if self.events.channels.notifications.tells_missed {
            self.notify('m', "keymiss", key);
        }
    }

    /// Tells of those of the keys that a reader has missed.
    #[inline]
    pub(super) fn miss_absent<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) {
        if self.events.channels.notifications.tells_missed {
            keys.for_each(|key| {
                if self.keys.get(key).is_none() {
                    self.miss(key);
                }
            });
        }
    }

    /// Tells of a change of a key of the selected database. Costs nothing where nobody wants to know.
    #[inline]
    pub(super) fn notify(&mut self, class: char, event: &str, key: &[u8]) {
        let Channels { pubsub, notifications } = &*self.events.channels;
        if !notifications.classes.is_empty() && !pubsub.is_empty() {
            self.notify_of(class, event, self.keys.store().selected(), key);
        }
    }

    /// The same of a key of this database.
    pub(super) fn notify_of(&mut self, class: char, event: &str, database: Database, key: &[u8]) {
        if self.events.channels.notifications.classes.is_empty() || self.events.channels.pubsub.is_empty() {
            return;
        }
        if let Some(view) = self.keys.view_mut() {
            return view.tell(Told::Event(class, event.to_owned(), database, key.to_vec()));
        }
        let channels = self.events.channels.notifications.channels(class, event, database, key);
        for (channel, message) in channels.into_iter().flatten() {
            self.deliver(Audience::Channel, &channel, &message);
        }
    }

    /// Delivers a message to all who listen here. Returns how many times.
    pub(super) fn deliver(&mut self, audience: Audience, channel: &[u8], message: &[u8]) -> usize {
        let Data { out, events: Events { channels, sessions, id }, .. } = self;
        channels.pubsub.deliver(sessions, Some((*id, out)), audience, channel, message)
    }
}
