//! Who listens to which channel.

use std::collections::BTreeMap;

use super::SessionId;
use super::listening::{Listening, Names};
use super::replies::Replies;
use super::sessions::Sessions;
use crate::protocol::Reply;
use crate::protocol::glob::Pattern;
use crate::replication::Audience;

/// Listeners by channel, pattern and shard channel, each in the order they came.
#[derive(Default)]
pub(super) struct PubSub {
    pub(super) channels: BTreeMap<Vec<u8>, Vec<SessionId>>,
    pub(super) patterns: BTreeMap<Vec<u8>, Vec<SessionId>>,
    pub(super) shards: BTreeMap<Vec<u8>, Vec<SessionId>>,
    /// The same patterns as in `patterns`, parsed.
    parsed: BTreeMap<Vec<u8>, Pattern>,
}

impl PubSub {
    /// The session listens to one more name.
    pub(super) fn add(&mut self, id: SessionId, name: &[u8], names: Names) {
        self.to_mut(names).entry(name.to_vec()).or_default().push(id);
    }

    /// The session listens to channels that match the pattern, which is written so.
    pub(super) fn add_pattern(&mut self, id: SessionId, text: &[u8], pattern: Pattern) {
        self.parsed.entry(text.to_vec()).or_insert(pattern);
        self.add(id, text, Names::Patterns);
    }

    /// It does no longer.
    pub(super) fn remove(&mut self, id: SessionId, name: &[u8], names: Names) {
        let all = self.to_mut(names);
        let Some(listeners) = all.get_mut(name) else { return };
        listeners.retain(|&other| other != id);
        if listeners.is_empty() {
            all.remove(name);
            if names == Names::Patterns {
                self.parsed.remove(name);
            }
        }
    }

    /// The session is over.
    pub(super) fn forget(&mut self, id: SessionId, listening: &Listening) {
        for names in [Names::Channels, Names::Patterns, Names::Shards] {
            listening.to(names).iter().for_each(|name| self.remove(id, name, names));
        }
    }

    /// How many names are listened to, by how many each.
    pub(super) fn listeners(&self) -> usize {
        self.channels.values().chain(self.patterns.values()).chain(self.shards.values()).map(Vec::len).sum()
    }

    fn to_mut(&mut self, names: Names) -> &mut BTreeMap<Vec<u8>, Vec<SessionId>> {
        match names {
            Names::Channels => &mut self.channels,
            Names::Patterns => &mut self.patterns,
            Names::Shards => &mut self.shards,
        }
    }

    /// Whether nobody listens to any channel that keys are told of in.
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// Most steps that comparing a channel's name with all patterns takes.
    pub(super) fn steps(&self, audience: Audience, channel: &[u8]) -> usize {
        match audience {
            Audience::Channel => self.parsed.values().map(|pattern| pattern.steps(channel.len())).sum(),
            Audience::Shard => 0,
        }
    }

    /// How many times a message to the channel is delivered here.
    pub(super) fn count(&self, audience: Audience, channel: &[u8]) -> usize {
        if audience == Audience::Shard {
            return self.shards.get(channel).map_or(0, Vec::len);
        }
        let patterns = self.patterns.values().zip(self.parsed.values());
        let matching = patterns.filter(|(_, pattern)| pattern.matches(channel));
        self.channels.get(channel).map_or(0, Vec::len) + matching.map(|(listeners, _)| listeners.len()).sum::<usize>()
    }

    /// Delivers a message to all who listen here, `own` among them. Returns how many times.
    pub(super) fn deliver(
        &self,
        sessions: &mut Sessions,
        own: Option<(SessionId, &mut Replies)>,
        audience: Audience,
        channel: &[u8],
        message: &[u8],
    ) -> usize {
        let mut own = own;
        let mut count = 0;
        let mut send = |id: SessionId, replies: &[Reply<'_>]| {
            count += 1;
            match &mut own {
                Some((own, out)) if *own == id => replies.iter().for_each(|reply| out.push(*reply)),
                Some(_) | None => sessions.tell(id, replies),
            }
        };
        let (verb, names) = match audience {
            Audience::Channel => (&b"message"[..], &self.channels),
            Audience::Shard => (&b"smessage"[..], &self.shards),
        };
        for &id in names.get(channel).into_iter().flatten() {
            let replies = [Reply::Push(3), Reply::Value(verb), Reply::Value(channel), Reply::Value(message)];
            send(id, &replies);
        }
        if audience == Audience::Shard {
            return count;
        }
        let parsed = self.patterns.iter().zip(self.parsed.values());
        let matching = parsed.filter(|(_, pattern)| pattern.matches(channel)).map(|(listened, _)| listened);
        for (pattern, listeners) in matching {
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
