//! What the node does for other nodes: their connections, and what they have of its writes.

use super::origin::Origin;
use super::waiting::{Cause, Reached, Then, Until, Waiter};
use super::waits::Waits;
use super::{Node, Now, SessionId};
use crate::replication::Unready;
use crate::replication::{Channel, DueDial, Message, PeerStatus, Trust, Turn};
use crate::store::NodeId;

impl Node {
    /// Whom to take for a node of this cluster from here on; without a call it is whoever says hello. Links stay.
    pub fn trust(&mut self, trust: Trust) {
        self.keys.replica_mut().trust(trust);
    }

    /// The peer to dial now, if any. To be asked until there is none; followed by [`Node::dialing`],
    /// [`Node::dial_failed`] or [`Node::not_encrypted`].
    pub fn next_dial(&mut self, now: Now) -> Option<DueDial> {
        if self.ending { None } else { self.keys.replica_mut().next_dial(now) }
    }

    /// A connection to the peer is being set up under this number, or is there where it is encrypted.
    pub fn dialing(&mut self, id: SessionId, peer: NodeId, channel: Channel, now: Now) {
        self.keys.replica_mut().dialing(id, peer, channel, now);
    }

    /// No connection could even be tried.
    pub fn dial_failed(&mut self, peer: NodeId, why: &str, now: Now) {
        self.keys.replica_mut().dial_failed(peer, why, now);
    }

    /// Who answers at the peer's address does not speak TLS as nodes with a secret do.
    pub fn not_encrypted(&mut self, peer: NodeId, why: &str, now: Now) {
        self.keys.replica_mut().not_encrypted(peer, why, now);
    }

    /// Somebody at this address has set up an encrypted connection as nodes do, and is nothing but a node there.
    pub fn accept_peer(&mut self, id: SessionId, channel: Channel, from: &str, now: Now) {
        // Until its handshake was done it counted as a client that has said nothing.
        self.close(id);
        self.keys.replica_mut().accept(id, channel, from, now);
    }

    /// A connection is gone. For a client's, [`Node::close`] is all.
    pub fn lose_peer(&mut self, id: SessionId, why: &str, now: Now) {
        self.keys.replica_mut().lose(id, why, now);
        self.sessions.forget(id);
    }

    /// Takes over a changed list of nodes, or says why not.
    pub fn reload(&mut self, members: Vec<String>, now: Now) -> Result<(), String> {
        self.keys.replica_mut().reload(members, now)
    }

    /// How the node stands with each peer. O(peers and segments of the change list).
    pub fn peers(&self, now: Now) -> Vec<PeerStatus> {
        self.keys.replica().replication().status(self.keys.replica().store(), now.monotonic_us)
    }

    /// Why the node is not ready; `None` where it is.
    pub fn unready(&self, now: Now) -> Option<Unready> {
        self.keys.replica().replication().unready(now.monotonic_us)
    }

    /// Memory held for peers beside the store.
    pub fn peer_bytes(&self) -> usize {
        self.keys.replica().replication().bytes() + self.reports.bytes()
    }

    /// A connection that began as a client's greets as a node's.
    pub(super) fn become_peer(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        let Some(session) = self.sessions.remove(id) else { return };
        let (origin, address) = (session.client.origin, &session.client.addresses.0);
        let why = match origin {
            Origin::Loopback => None,
            Origin::Local => Some("the unix socket is for clients"),
            Origin::Far => self.refuses_far_peers(),
        };
        if let Some(why) = why {
            self.note_refused_peer(address, why, now);
            return self.keys.replica_mut().turn_away(id, why, address, now);
        }
        self.keys.replica_mut().accept(id, Channel::Plain, address, now);
        self.keys.replica_mut().receive(id, &session.client.inbox, now);
        self.receive_from_peer(id, bytes, now);
    }

    pub(super) fn receive_from_peer(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        if self.keys.replica().replication().has(id) {
            self.keys.replica_mut().receive(id, bytes, now);
            self.peer_turn(id, now);
        }
    }

    pub(super) fn peer_turn(&mut self, id: SessionId, now: Now) {
        let position = self.keys.replica().store().last_position();
        match self.keys.replica_mut().take_turn(id, now) {
            Turn::More => self.sessions.runnable.push(id),
            Turn::Held => {
                let (until, deadline_us, then) = (Until::Writable, u64::MAX, Then::GoOn);
                self.sessions.waiting.add(Waiter { id, until, deadline_us, then });
            }
            Turn::Done => (),
        }
        self.notify_of_peers(position);
        for Message { audience, channel, message } in self.keys.replica_mut().take_messages() {
            self.channels.pubsub.deliver(&mut self.sessions, None, audience, &channel, &message);
        }
    }

    pub(super) fn peer_waits(&self, id: SessionId) -> Waits {
        match self.keys.replica().replication().waits(id) {
            None => Waits::ForNothing,
            Some(Turn::More) => Waits::ForTurn,
            Some(Turn::Held) => Waits::ForGate(Cause::Snapshot),
            Some(Turn::Done) => Waits::ForInput,
        }
    }

    pub(super) fn open_gates(&mut self, now: Now) {
        self.count_copies();
        if self.sessions.pause.is_some_and(|pause| pause.until_us <= now.monotonic_us) {
            self.sessions.pause = None;
        }
        self.sessions.reached(Reached::Time(now.monotonic_us));
    }

    /// This node or a peer may have more on disk.
    pub(super) fn count_copies(&mut self) {
        let Node { keys, sessions, ending, .. } = self;
        if !sessions.waiting.of(Cause::Copies).is_empty() {
            sessions.reached(Reached::Copied(&|position| keys.copies(position)));
            if *ending {
                sessions.reached(Reached::End);
            }
        }
    }
}
