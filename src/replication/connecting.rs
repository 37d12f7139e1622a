//! Connections that begin: whom to dial and how, and who dials.

use super::Replication;
use super::here::Here;
use super::peers::DueDial;
use super::peers::connections::{Role, SessionId};
use super::peers::trust::{Channel, Side, Trust};
use crate::store::{NodeId, Now};

impl Replication {
    /// Whom to take for a node of this cluster from here on. Links stay.
    pub fn trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// The peer to dial now, if any; followed by [`Replication::dialing`], [`Replication::dial_failed`] or
    /// [`Replication::not_encrypted`].
    pub fn next_dial(&mut self, now: Now) -> Option<DueDial> {
        if self.rollback.is_under_way() { None } else { self.peers.next_dial(&self.trust, now.monotonic_us) }
    }

    /// A connection to the peer is being set up, or is there where it is encrypted.
    pub fn dialing(&mut self, session: SessionId, peer: NodeId, channel: Channel, here: &Here<'_>) {
        self.open(session, Role::Dialed(peer), channel, "", here.now);
        if !self.peers.dialing(session, peer) {
            self.connections.hang_up(session);
            return;
        }
        match channel {
            Channel::Plain => self.greet(session, peer, here),
            Channel::Encrypted(binding) => self.prove(session, Side::Dialing, peer, binding, here.now),
        }
    }

    /// No connection could even be tried.
    pub fn dial_failed(&mut self, peer: NodeId, why: &str, now: Now) {
        self.peers.dial_failed(peer, why, now.monotonic_us);
    }

    /// Somebody answers at the peer's address who does not speak TLS as nodes with a secret do.
    pub fn not_encrypted(&mut self, peer: NodeId, why: &str, now: Now) {
        self.peers.not_encrypted(peer, why, now.monotonic_us);
    }

    /// Somebody dialed this node from this address, and greets as a node does or has set up an encrypted connection as
    /// one.
    pub fn accepted(&mut self, session: SessionId, channel: Channel, from: &str, now: Now) {
        if channel != Channel::Plain {
            self.make_room_for_stranger(now);
            return self.open(session, Role::Accepted, channel, from, now);
        }
        let is_crowded = self.connections.is_crowded(self.peers.len());
        self.open(session, Role::Accepted, channel, from, now);
        if is_crowded {
            self.connections.hang_up(session);
        } else if !self.trust.takes_plain() {
            self.refuse_plain(session, now);
        }
    }

    /// Where too many owe a proof, who has owed one for longest has to go.
    fn make_room_for_stranger(&mut self, now: Now) {
        let Some(stranger) = self.connections.surplus_stranger() else { return };
        if let Some(connection) = self.connections.get(stranger) {
            let why = "more come than can prove the cluster's secret in time";
            self.strangers.refused(connection.from(), why, now.monotonic_us);
        }
        self.connections.hang_up(stranger);
    }

    /// Somebody dialed this node from this address, greets as a node does, and is none to be linked to: it is told why,
    /// and hung up on.
    pub fn turn_away(&mut self, session: SessionId, why: &str, from: &str, now: Now) {
        let is_crowded = self.connections.is_crowded(self.peers.len());
        self.open(session, Role::Accepted, Channel::Plain, from, now);
        if is_crowded {
            self.connections.hang_up(session);
        } else {
            let refusal = format!("refused by node {}: {why}", self.identity.node);
            self.connections.refuse(session, &refusal, now.monotonic_us);
        }
    }

    fn open(&mut self, session: SessionId, role: Role, channel: Channel, from: &str, now: Now) {
        self.due_us = self.due_us.min(self.connections.add(session, role, channel, from, now.monotonic_us));
    }
}
