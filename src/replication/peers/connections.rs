//! Connections between nodes: what each is for, and what is owed over it.

use super::trust::{Binding, Channel};
use crate::replication::wire::{FrameStream, GREETING, Refusal};
use crate::store::NodeId;

/// Names a connection; a small number, chosen by whoever opens it.
pub type SessionId = usize;

/// What a peer that does not read may be owed before the walk waits for it: the socket's buffer holds more.
const OUTBOX_BYTES_MAX: usize = 64 << 10;
/// Connections, beside one of each peer, that owe a hello or do not take a refusal: each may hold 1 MiB, and counts
/// among no clients. One more is closed; whoever is kept out by that dials again, and is dialed.
const ACCEPTED_MAX: usize = 16;
/// Connections that owe a proof. Each holds some hundred bytes.
const STRANGERS_MAX: usize = 256;
/// A connection that has not become a link after so long never will.
pub(super) const HANDSHAKE_US: u64 = 3_000_000;
/// What may come before a proof: a greeting and a proof, or a refusal, and somewhat more.
const UNPROVEN_BYTES_MAX: usize = 128;

/// How many connections, on top of the few that any node takes, there are at most on one with so many peers: a link, a
/// dial, and one that is accepted of each, and strangers where links are proven.
pub fn connections_max(peers: usize, are_proven: bool) -> usize {
    3 * peers + if are_proven { STRANGERS_MAX } else { 0 }
}

/// What is left after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another turn would find something to do.
    More,
    /// Bytes have to come first.
    Done,
    /// The data file has to take what would be overwritten.
    Held,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::replication) enum Role {
    /// This node dialed the peer, and waits for its hello.
    Dialed(NodeId),
    /// Somebody dialed this node, and owes a hello.
    Accepted,
    /// The peer's link.
    Linked(NodeId),
    /// It ends once what is owed is sent.
    Over,
}

/// Who is at the other side of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::replication) enum Standing {
    /// Whoever it says it is: nobody is asked for a proof.
    Believed,
    /// Anybody: it has yet to prove the secret, and so many bytes may come before that.
    Unproven { binding: Binding, bytes_left: usize },
    /// This node, as far as whoever has the secret tells the truth.
    Proven(NodeId),
}

/// A connection between nodes.
pub(in crate::replication) struct Connection {
    pub(in crate::replication) stream: FrameStream,
    role: Role,
    standing: Standing,
    /// The address that it comes from; empty where this node dialed.
    from: String,
    /// Whether this node has greeted.
    greeted: bool,
    waits: Turn,
    opened_us: u64,
    /// Where in all that was ever owed the last frame of changes ends.
    changes_end: u64,
}

impl Connection {
    /// What is owed ends with a frame of changes.
    pub(in crate::replication) fn note_changes(&mut self) {
        self.changes_end = self.stream.end();
    }

    /// What its last turn has left.
    pub(in crate::replication) fn note_turn(&mut self, turn: Turn) {
        self.waits = turn;
    }

    /// Greets, unless this node has.
    pub(in crate::replication) fn greet(&mut self) {
        if !self.greeted {
            self.greeted = true;
            self.stream.outbox().extend_from_slice(GREETING);
        }
    }

    /// Bytes are about to come. Returns whether they may: before a proof only few are taken.
    pub(in crate::replication) fn may_receive(&mut self, count: usize) -> bool {
        let Standing::Unproven { bytes_left, .. } = &mut self.standing else { return true };
        let left = bytes_left.checked_sub(count);
        *bytes_left = left.unwrap_or(0);
        left.is_some()
    }

    /// The other side has the secret, and says that it is this node.
    pub(in crate::replication) fn is_proven_to_be(&mut self, node: NodeId) {
        self.standing = Standing::Proven(node);
    }

    /// It became the peer's link.
    pub(in crate::replication) fn become_link(&mut self, peer: NodeId) {
        self.role = Role::Linked(peer);
    }

    /// What it is for.
    pub(in crate::replication) fn role(&self) -> Role {
        self.role
    }

    /// Who is at the other side.
    pub(in crate::replication) fn standing(&self) -> Standing {
        self.standing
    }

    /// The address that it comes from; empty where this node dialed.
    pub(in crate::replication) fn from(&self) -> &str {
        &self.from
    }

    /// What its last turn has left.
    pub(in crate::replication) fn waits(&self) -> Turn {
        self.waits
    }

    /// Whether changes may be put behind what is owed. Messages do not count, or where enough of them are published no
    /// change would ever go.
    pub(in crate::replication) fn has_room(&self) -> bool {
        self.stream.owed() < OUTBOX_BYTES_MAX || self.stream.is_handed_over(self.changes_end)
    }
}

/// All of them, by their numbers.
#[derive(Default)]
pub(in crate::replication) struct Connections {
    all: Vec<Option<Box<Connection>>>,
    /// Those with something new to send, or that are over.
    touched: Vec<SessionId>,
}

impl Connections {
    /// One more. Returns when it has to have become a link.
    pub(in crate::replication) fn add(
        &mut self,
        session: SessionId,
        role: Role,
        channel: Channel,
        from: &str,
        now_us: u64,
    ) -> u64 {
        if self.all.len() <= session {
            self.all.resize_with(session + 1, || None);
        }
        self.all[session] = Some(Box::new(Connection {
            stream: FrameStream::default(),
            role,
            standing: match channel {
                Channel::Plain => Standing::Believed,
                Channel::Encrypted(binding) => Standing::Unproven { binding, bytes_left: UNPROVEN_BYTES_MAX },
            },
            from: from.to_owned(),
            greeted: false,
            waits: Turn::Done,
            opened_us: now_us,
            changes_end: 0,
        }));
        now_us + HANDSHAKE_US
    }

    /// It has something new to send.
    pub(in crate::replication) fn touch(&mut self, session: SessionId) {
        self.touched.push(session);
    }

    /// It is gone. Returns what it was for.
    pub(in crate::replication) fn remove(&mut self, session: SessionId) -> Option<Role> {
        let connection = self.all.get_mut(session).and_then(Option::take)?;
        self.touched.retain(|&other| other != session);
        Some(connection.role)
    }

    /// Closes it without a word. Returns what it was for.
    pub(in crate::replication) fn hang_up(&mut self, session: SessionId) -> Option<Role> {
        let connection = self.get_mut(session)?;
        let role = connection.role;
        connection.role = Role::Over;
        connection.stream.drop_outbox();
        self.touched.push(session);
        Some(role)
    }

    /// Closes it once a reason is sent.
    pub(in crate::replication) fn refuse(&mut self, session: SessionId, why: &str, now_us: u64) {
        let Some(connection) = self.get_mut(session) else { return };
        connection.greet();
        Refusal { why: why.into(), slowly: true }.encode(connection.stream.outbox());
        connection.role = Role::Over;
        connection.opened_us = now_us;
        self.touched.push(session);
    }

    /// So many of the bytes that may be sent are. Returns whether changes may be put behind the rest that could not
    /// before.
    pub(in crate::replication) fn sent(&mut self, session: SessionId, count: usize) -> bool {
        let Some(connection) = self.get_mut(session) else { return false };
        let was_full = !connection.has_room();
        connection.stream.sent(count);
        was_full && connection.has_room()
    }

    /// Those with something new to send since the last call.
    pub(in crate::replication) fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        into.append(&mut self.touched);
    }

    pub(in crate::replication) fn get(&self, session: SessionId) -> Option<&Connection> {
        self.all.get(session)?.as_deref()
    }

    pub(in crate::replication) fn get_mut(&mut self, session: SessionId) -> Option<&mut Connection> {
        self.all.get_mut(session)?.as_deref_mut()
    }

    /// One past the highest number that was ever used.
    pub(in crate::replication) fn end(&self) -> SessionId {
        self.all.len()
    }

    /// Whether so many are not linked that one more is too many; `peers` may have one each.
    pub(in crate::replication) fn is_crowded(&self, peers: usize) -> bool {
        let is_idle = |one: &&Connection| {
            matches!(one.role, Role::Accepted | Role::Over) && !matches!(one.standing, Standing::Unproven { .. })
        };
        self.all.iter().flatten().map(Box::as_ref).filter(is_idle).count() >= ACCEPTED_MAX + peers
    }

    /// Who has to go so that one more may come that owes a proof: who has owed one for longest, where they are many. So
    /// strangers keep no node out for long, whatever their number.
    pub(in crate::replication) fn surplus_stranger(&self) -> Option<SessionId> {
        let owes_proof = |one: &Connection| match (one.role, one.standing) {
            (Role::Accepted, Standing::Unproven { .. }) => true,
            // Who is owed nothing is as good as gone.
            (Role::Over, Standing::Unproven { .. }) => one.stream.owed() > 0,
            (Role::Dialed(_) | Role::Linked(_), _) | (_, Standing::Believed | Standing::Proven(_)) => false,
        };
        let all = self.all.iter().enumerate().filter_map(|(session, one)| Some((session, one.as_deref()?)));
        let strangers: Vec<_> = all.filter(|(_, one)| owes_proof(one)).collect();
        if strangers.len() < STRANGERS_MAX {
            return None;
        }
        strangers.into_iter().min_by_key(|(_, one)| one.opened_us).map(|(session, _)| session)
    }

    /// What is to be done about a connection that is not linked.
    pub(in crate::replication) fn overdue(&self, session: SessionId, now_us: u64) -> Overdue {
        let Some(connection) = self.get(session) else { return Overdue::No };
        let until_us = connection.opened_us + HANDSHAKE_US;
        match connection.role {
            Role::Dialed(_) | Role::Accepted if until_us <= now_us => Overdue::NeverLinked,
            Role::Dialed(_) | Role::Accepted => Overdue::Until(until_us),
            // What a refused side does not take is not waited for.
            Role::Over if until_us + HANDSHAKE_US <= now_us => Overdue::NeverTaken,
            Role::Linked(_) | Role::Over => Overdue::No,
        }
    }

    /// Memory held.
    pub(in crate::replication) fn bytes(&self) -> usize {
        self.all.iter().flatten().map(|one| one.stream.bytes()).sum()
    }
}

/// See [`Connections::overdue`].
pub(in crate::replication) enum Overdue {
    No,
    /// To be looked at again then.
    Until(u64),
    /// It has not become a link in time.
    NeverLinked,
    /// Its refusal was not taken in time.
    NeverTaken,
}
