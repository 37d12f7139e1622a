//! Changes of keys as messages (keyspace notifications,
//! <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/>).

use super::commands::Context;
use super::{Core, Node};
use crate::replication::Audience;

/// Which changes are told of: Redis' letters, `K` and `E` for the two kinds of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notifications {
    classes: String,
    /// Whether keys that are new are told of, and keys that a reader missed.
    tells_new: bool,
    tells_missed: bool,
}

/// Letters in the order Redis gives them back, and what `A` stands for.
const LETTERS: &str = "g$lshzxetdnKEm";
const ALL: &str = "g$lshzxetd";

impl Notifications {
    /// From a setting; `None` where it has other letters.
    pub(super) fn parse(text: &str) -> Option<Notifications> {
        let given = text.replace('A', ALL);
        if !given.chars().all(|letter| LETTERS.contains(letter)) {
            return None;
        }
        Some(Notifications {
            classes: LETTERS.chars().filter(|&letter| given.contains(letter)).collect(),
            tells_new: given.contains('n'),
            tells_missed: given.contains('m'),
        })
    }

    /// As a setting.
    pub(super) fn text(&self) -> String {
        if ALL.chars().all(|letter| self.classes.contains(letter)) {
            // Redis does not say `n` then, although it goes on telling.
            let rest = self.classes.chars().filter(|&letter| !ALL.contains(letter) && letter != 'n');
            return std::iter::once('A').chain(rest).collect();
        }
        self.classes.clone()
    }

    /// The channels that are told of an event of this class.
    fn channels(&self, class: char, event: &str, key: &[u8]) -> [Option<(Vec<u8>, Vec<u8>)>; 2] {
        let wanted = |kind: char| self.classes.contains(class) && self.classes.contains(kind);
        let by_key = || ([b"__keyspace@0__:", key].concat(), event.as_bytes().to_vec());
        let by_event = || (format!("__keyevent@0__:{event}").into_bytes(), key.to_vec());
        [wanted('K').then(by_key), wanted('E').then(by_event)]
    }
}

impl Node {
    /// Tells of what peers have changed after a position: values set and keys deleted, by whatever command.
    pub(super) fn notify_of_peers(&mut self, position: u64) {
        let Core { store, notifications, pubsub, replication, .. } = &self.core;
        if notifications.classes.is_empty() || pubsub.is_empty() || store.last_position() == position {
            return;
        }
        let theirs = store.changes_after(position).filter(|change| change.stamp.node != replication.node());
        let told: Vec<_> = theirs.map(|change| (change.key.to_vec(), change.value.is_some())).collect();
        for (key, is_set) in told {
            let (class, event) = if is_set { ('$', "set") } else { ('g', "del") };
            self.notify(class, event, &key);
        }
    }

    /// Tells of a change that no client made.
    pub(super) fn notify(&mut self, class: char, event: &str, key: &[u8]) {
        let Node { core, sessions, .. } = self;
        for (channel, message) in core.notifications.channels(class, event, key).into_iter().flatten() {
            core.pubsub.deliver(sessions, None, Audience::Channel, &channel, &message);
        }
    }
}

impl Context<'_> {
    /// Whether the key is new and somebody wants to know.
    #[inline]
    pub(super) fn is_news(&self, key: &[u8]) -> bool {
        self.core.notifications.tells_new && self.core.store.get(key).is_none()
    }

    /// Tells that a reader has missed the key.
    #[inline]
    pub(super) fn miss(&mut self, key: &[u8]) {
        if self.core.notifications.tells_missed {
            self.notify('m', "keymiss", key);
        }
    }

    /// Tells of those of the keys that a reader has missed.
    #[inline]
    pub(super) fn miss_absent<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) {
        if self.core.notifications.tells_missed {
            keys.for_each(|key| {
                if self.core.store.get(key).is_none() {
                    self.miss(key);
                }
            });
        }
    }

    /// Tells of a change of a key. Costs nothing where nobody wants to know.
    pub(super) fn notify(&mut self, class: char, event: &str, key: &[u8]) {
        if self.core.notifications.classes.is_empty() || self.core.pubsub.is_empty() {
            return;
        }
        for (channel, message) in self.core.notifications.channels(class, event, key).into_iter().flatten() {
            let own = Some((self.id, &mut *self.session));
            self.core.pubsub.deliver(self.sessions, own, Audience::Channel, &channel, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_redis_gives_them() {
        for (given, expected) in [
            ("", Some("")),
            ("KEA", Some("AKE")),
            ("Kx", Some("xK")),
            ("Ex$", Some("$xE")),
            ("KAnm", Some("AKm")),
            ("Kn", Some("nK")),
            ("y", None),
        ] {
            assert_eq!(Notifications::parse(given).map(|found| found.text()).as_deref(), expected, "{given}");
        }
    }
}
