//! Who listens to which channel.

use std::collections::BTreeMap;

use super::SessionId;
use super::glob;
use super::session::Session;
use super::sessions::Sessions;
use crate::protocol::Reply;

/// Listeners by channel and by pattern, each in the order they came.
#[derive(Default)]
pub(super) struct PubSub {
    pub(super) channels: BTreeMap<Vec<u8>, Vec<SessionId>>,
    pub(super) patterns: BTreeMap<Vec<u8>, Vec<SessionId>>,
}

impl PubSub {
    /// The session listens to the channel, or to channels that match the pattern.
    pub(super) fn add(&mut self, id: SessionId, name: &[u8], is_pattern: bool) {
        let names = if is_pattern { &mut self.patterns } else { &mut self.channels };
        names.entry(name.to_vec()).or_default().push(id);
    }

    /// It does no longer.
    pub(super) fn remove(&mut self, id: SessionId, name: &[u8], is_pattern: bool) {
        let names = if is_pattern { &mut self.patterns } else { &mut self.channels };
        let Some(listeners) = names.get_mut(name) else { return };
        listeners.retain(|&other| other != id);
        if listeners.is_empty() {
            names.remove(name);
        }
    }

    /// The session is over.
    pub(super) fn forget(&mut self, id: SessionId, session: &Session) {
        session.channels.iter().for_each(|name| self.remove(id, name, false));
        session.patterns.iter().for_each(|name| self.remove(id, name, true));
    }

    /// How many names are listened to, by how many each.
    pub(super) fn listeners(&self) -> usize {
        self.channels.values().chain(self.patterns.values()).map(Vec::len).sum()
    }

    /// Whether nobody listens to anything.
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// Delivers a message to all who listen here, `own` among them. Returns how many times.
    pub(super) fn deliver(
        &self,
        sessions: &mut Sessions,
        own: Option<(SessionId, &mut Session)>,
        channel: &[u8],
        message: &[u8],
    ) -> usize {
        let mut own = own;
        let mut count = 0;
        let mut send = |id: SessionId, replies: &[Reply<'_>]| {
            count += 1;
            match &mut own {
                Some((own, session)) if *own == id => replies.iter().for_each(|reply| session.answer(*reply)),
                Some(_) | None => sessions.tell(id, replies),
            }
        };
        for &id in self.channels.get(channel).into_iter().flatten() {
            let replies = [Reply::Push(3), Reply::Value(b"message"), Reply::Value(channel), Reply::Value(message)];
            send(id, &replies);
        }
        for (pattern, listeners) in self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel)) {
            for &id in listeners {
                send(
                    id,
                    &[
                        Reply::Push(4),
                        Reply::Value(b"pmessage"),
                        Reply::Value(pattern),
                        Reply::Value(channel),
                        Reply::Value(message),
                    ],
                );
            }
        }
        count
    }
}
