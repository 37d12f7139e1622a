//! Before a proof: what this node says to an other side that may be anybody, and what it takes from there.
//!
//! It says its own proof and, as who accepts, not even that before the other side's was right. It takes a proof or a
//! refusal. Nobody hears of members, vectors or clocks.

use super::Replication;
use super::here::Here;
use super::peers::connections::{Role, SessionId};
use super::peers::trust::{Binding, Side};
use super::wire::{Fault, Frame};
use crate::store::{NodeId, Now};

/// What who has not proven the secret is told, whatever was wrong.
const NOT_PROVEN: &str = "the cluster's secret was not proven; see --cluster-secret-file";
/// What who comes without encryption is told.
const NOT_ENCRYPTED: &str = "links go over TLS and prove the cluster's secret here; see --cluster-secret-file";

impl Replication {
    /// Greets, and proves the secret to the node.
    pub(super) fn prove(&mut self, session: SessionId, side: Side, to: NodeId, binding: Binding, now: Now) {
        let Some(proof) = self.trust.prove(side, self.identity.node, to, binding) else {
            return self.drop_connection(session, "this node has no secret to prove", now);
        };
        let Some(connection) = self.connections.get_mut(session) else { return };
        connection.greet();
        proof.encode(connection.stream.outbox());
        self.connections.touch(session);
    }

    /// A frame has come from an other side that owes a proof.
    pub(super) fn take_proof(
        &mut self,
        session: SessionId,
        role: Role,
        binding: Binding,
        frame: Result<Frame<'_>, Fault>,
        here: &Here<'_>,
    ) {
        let now = here.now;
        let side = if role == Role::Accepted { Side::Dialing } else { Side::Accepting };
        let proof = match frame {
            Ok(Frame::Proof(proof)) if self.trust.is_proven(side, &proof, binding) => proof,
            Ok(Frame::Proof(_)) => return self.refuse_stranger(session, "it does not prove the cluster's secret", now),
            Ok(Frame::Refusal(refusal)) => {
                self.connections.hang_up(session);
                return self.peers.lost(session, role, &refusal.why, refusal.slowly, now.monotonic_us);
            }
            Ok(_) => {
                return self.refuse_stranger(session, "it says something before it proves the cluster's secret", now);
            }
            Err(Fault::Garbage(_) | Fault::Version(_)) => {
                return self.refuse_stranger(session, "it sent no proof that this version knows", now);
            }
        };
        let Some(connection) = self.connections.get_mut(session) else { return };
        connection.is_proven_to_be(proof.node);
        match role {
            Role::Accepted => self.prove(session, Side::Accepting, proof.node, binding, now),
            Role::Dialed(peer) => self.greet(session, peer, here),
            Role::Linked(_) | Role::Over => (),
        }
    }

    /// Hangs up on who has not proven the secret. What was wrong is for this node's log alone.
    pub(super) fn refuse_stranger(&mut self, session: SessionId, why: &str, now: Now) {
        self.hang_up_on(session, NOT_PROVEN, why, now);
    }

    /// Hangs up on who dialed without encryption where this node takes none.
    pub(super) fn refuse_plain(&mut self, session: SessionId, now: Now) {
        self.hang_up_on(session, NOT_ENCRYPTED, "it is not encrypted; --peer-tls accept takes such, too", now);
    }

    fn hang_up_on(&mut self, session: SessionId, said: &str, why: &str, now: Now) {
        let Some(connection) = self.connections.get(session) else { return };
        let role = connection.role();
        match role {
            Role::Accepted => self.strangers.refused(connection.from(), why, now.monotonic_us),
            Role::Dialed(_) | Role::Linked(_) | Role::Over => (),
        }
        self.connections.refuse(session, said, now.monotonic_us);
        self.peers.lost(session, role, why, true, now.monotonic_us);
    }
}
