//! Connections between nodes: what each is for, and what its end means.

use super::peer::Tie;
use super::wire::Wire;
use super::{HANDSHAKE_US, OUTBOX_BYTES_MAX, Replication, SessionId, Turn};
use crate::store::{NodeId, Now};

/// Connections, beside one of each peer, that owe a hello or do not take a refusal: each may hold 1 MiB, and counts
/// among no clients. One more is closed; whoever is kept out by that dials again, and is dialed.
const ACCEPTED_MAX: usize = 16;

/// A connection between nodes.
pub(super) struct Line {
    pub(super) wire: Wire,
    pub(super) role: Role,
    pub(super) waits: Turn,
    pub(super) opened_us: u64,
    /// Where in all that was ever owed the last frame of changes ends.
    pub(super) changes_end: u64,
}

impl Line {
    /// Whether changes may be put behind what is owed. Messages do not count, or where enough of them are published no
    /// change would ever go.
    pub(super) fn has_room(&self) -> bool {
        self.wire.owed() < OUTBOX_BYTES_MAX || self.wire.is_handed_over(self.changes_end)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// We dialed this peer, and wait for its hello.
    Dialed(NodeId),
    /// Somebody dialed us, and owes a hello.
    Accepted,
    /// The peer's link.
    Linked(NodeId),
    /// It ends once what is owed is sent.
    Over,
}

impl Replication {
    /// Somebody dialed us and greets as a node does.
    pub fn accepted(&mut self, session: SessionId, now: Now) {
        let is_idle = |line: &&Line| matches!(line.role, Role::Accepted | Role::Over);
        let idle = self.lines.iter().flatten().map(Box::as_ref).filter(is_idle).count();
        self.add_line(session, Role::Accepted, now.monotonic_us);
        if idle >= ACCEPTED_MAX + self.peers.len() {
            self.hang_up(session);
        }
    }

    /// Whether the connection is one between nodes.
    pub fn has(&self, session: SessionId) -> bool {
        self.line(session).is_some()
    }

    /// The connection is gone, for this reason.
    pub fn closed(&mut self, session: SessionId, why: &str, now: Now) {
        if let Some(line) = self.lines.get_mut(session).and_then(Option::take) {
            self.touched.retain(|&other| other != session);
            self.lost(session, line.role, why, false, now);
        }
    }

    /// The bytes that may be sent.
    pub fn sendable(&self, session: SessionId) -> &[u8] {
        self.line(session).map_or(&[], |line| line.wire.sendable())
    }

    /// So many of them are sent.
    pub fn sent(&mut self, session: SessionId, count: usize) {
        let Some(line) = self.lines[session].as_deref_mut() else { return };
        let was_full = !line.has_room();
        line.wire.sent(count);
        if was_full && line.has_room() {
            // The walk waited for this.
            self.due_us = 0;
        }
    }

    /// Whether the connection is to be closed.
    pub fn is_over(&self, session: SessionId) -> bool {
        self.line(session).is_none_or(|line| line.role == Role::Over && line.wire.owed() == 0)
    }

    /// The connections with something new to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.touched);
    }

    pub(super) fn end_handshakes(&mut self, now: Now) {
        let now_us = now.monotonic_us;
        for session in 0..self.lines.len() {
            let Some(line) = self.lines[session].as_deref() else { continue };
            match line.role {
                Role::Dialed(_) | Role::Accepted if line.opened_us + HANDSHAKE_US <= now_us => {
                    self.drop_line(session, "no answer within 3 s", now);
                }
                Role::Dialed(_) | Role::Accepted => self.due_us = self.due_us.min(line.opened_us + HANDSHAKE_US),
                // What a refused side does not take is not waited for.
                Role::Over if line.opened_us + 2 * HANDSHAKE_US <= now_us => self.hang_up(session),
                Role::Linked(_) | Role::Over => (),
            }
        }
    }

    pub(super) fn add_line(&mut self, session: SessionId, role: Role, now_us: u64) {
        if self.lines.len() <= session {
            self.lines.resize_with(session + 1, || None);
        }
        self.lines[session] =
            Some(Box::new(Line { wire: Wire::default(), role, waits: Turn::Done, opened_us: now_us, changes_end: 0 }));
        self.due_us = self.due_us.min(now_us + HANDSHAKE_US);
    }

    pub(super) fn line(&self, session: SessionId) -> Option<&Line> {
        self.lines.get(session)?.as_deref()
    }

    /// Closes the connection without a word.
    pub(super) fn hang_up(&mut self, session: SessionId) {
        if let Some(line) = self.lines[session].as_deref_mut() {
            line.role = Role::Over;
            line.wire.drop_outbox();
            self.touched.push(session);
        }
    }

    /// Closes the connection without a word; the peer it was for is dialed again.
    pub(super) fn drop_line(&mut self, session: SessionId, why: &str, now: Now) {
        let Some(role) = self.line(session).map(|line| line.role) else { return };
        self.hang_up(session);
        self.lost(session, role, why, false, now);
    }

    /// What the end of a connection means for its peer.
    pub(super) fn lost(&mut self, session: SessionId, role: Role, why: &str, slowly: bool, now: Now) {
        let now_us = now.monotonic_us;
        let (Role::Dialed(id) | Role::Linked(id)) = role else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match (&peer.linked, role) {
            (Some(linked), Role::Linked(_)) if linked.session == session => {
                log::warn!("link to node {id} lost: {why}");
                peer.retry(why, slowly, now_us, &mut self.random);
            }
            (None, Role::Dialed(_)) if peer.tie_is(session) => {
                peer.retries += 1;
                if peer.error.as_deref() != Some(why) {
                    log::warn!("cannot link to node {id} at {}: {why}", self.members[usize::from(id)]);
                }
                peer.retry(why, slowly, now_us, &mut self.random);
            }
            (Some(_), Role::Dialed(_)) => peer.tie = Tie::Waiting { until_us: now_us },
            (_, Role::Linked(_) | Role::Dialed(_) | Role::Accepted | Role::Over) => (),
        }
    }
}
