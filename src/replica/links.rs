//! What a replica does for other nodes: their connections, their changes, and its own for them.

use super::Replica;
use crate::replication::wire::Status;
use crate::replication::{Audience, Channel, DueDial, HeardStatus, Here, Message, SessionId, Trust, Turn};
use crate::store::{NodeId, Now};

impl Replica {
    /// Whom to take for a node of this cluster from here on.
    pub fn trust(&mut self, trust: Trust) {
        self.replication.trust(trust);
    }

    /// The peer to dial now, if any; followed by [`Replica::dialing`], [`Replica::dial_failed`] or
    /// [`Replica::not_encrypted`].
    pub fn next_dial(&mut self, now: Now) -> Option<DueDial> {
        self.replication.next_dial(now)
    }

    /// A connection to the peer is being set up under this number, or is there where it is encrypted.
    pub fn dialing(&mut self, id: SessionId, peer: NodeId, channel: Channel, now: Now) {
        let Replica { store, clock, replication, .. } = self;
        replication.dialing(id, peer, channel, &Here { store, clock, now });
    }

    /// No connection could even be tried.
    pub fn dial_failed(&mut self, peer: NodeId, why: &str, now: Now) {
        self.replication.dial_failed(peer, why, now);
    }

    /// Who answers does not speak TLS as nodes with a secret do.
    pub fn not_encrypted(&mut self, peer: NodeId, why: &str, now: Now) {
        self.replication.not_encrypted(peer, why, now);
    }

    /// Somebody has connected from this address and greets as a node does, or is encrypted as one.
    pub fn accept(&mut self, id: SessionId, channel: Channel, from: &str, now: Now) {
        self.replication.accepted(id, channel, from, now);
    }

    /// Somebody has connected and greets as a node does, and is none to be linked to, for this reason.
    pub fn turn_away(&mut self, id: SessionId, why: &str, from: &str, now: Now) {
        self.replication.turn_away(id, why, from, now);
    }

    /// A connection is gone.
    pub fn lose(&mut self, id: SessionId, why: &str, now: Now) {
        self.replication.closed(id, why, now);
    }

    /// Bytes of a peer have come. They are taken in by [`Replica::take_turn`].
    pub fn receive(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        self.replication.receive(id, bytes, now);
    }

    /// Takes in what the peer has sent, a bounded part of it.
    pub fn take_turn(&mut self, id: SessionId, now: Now) -> Turn {
        let held = self.holds_writers();
        let Replica { store, clock, replication, .. } = self;
        replication.turn(id, held, &mut Here { store, clock, now })
    }

    /// Sends every peer what it lacks, a bounded part of it.
    pub fn exchange(&mut self, now: Now) {
        let held = self.holds_writers();
        let Replica { store, clock, replication, .. } = self;
        replication.exchange(held, &mut Here { store, clock, now });
    }

    /// So many of the bytes that may be sent to the peer are.
    pub fn sent(&mut self, id: SessionId, count: usize) {
        self.replication.sent(id, count);
    }

    /// The connections with something new to send since the last call.
    pub fn take_touched(&mut self, into: &mut Vec<SessionId>) {
        self.replication.take_touched(into);
    }

    /// Takes over a changed list of nodes, or says why not.
    pub fn reload(&mut self, members: Vec<String>, now: Now) -> Result<(), String> {
        self.replication.reload(members, now)
    }

    /// Sends a message to the listeners on other nodes.
    pub fn publish(&mut self, audience: Audience, channel: &[u8], message: &[u8]) {
        self.replication.publish(audience, channel, message);
    }

    /// Tells a linked peer how a node is.
    pub fn tell_status(&mut self, to: NodeId, status: &Status<'_>) {
        self.replication.tell_status(to, status);
    }

    /// What peers have told of nodes since the last call.
    pub fn take_statuses(&mut self) -> impl Iterator<Item = HeardStatus> {
        self.replication.take_statuses()
    }

    /// What peers have said to listeners here since the last call.
    pub fn take_messages(&mut self) -> Vec<Message> {
        self.replication.take_messages()
    }
}
