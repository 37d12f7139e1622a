//! Whom this node takes for a node of its cluster: anybody who says hello, or those alone that prove the cluster's secret
//! over a connection that nobody else is part of.
//!
//! What is proven is a *statement*: which connection this is, which side of it speaks, and which two nodes it is between.
//! Each part is there for an attack that it ends. The connection, named by what TLS gives both ends of it alone (RFC
//! 9266): a proof from another connection, recorded or passed on by a man in the middle who has one with either side.
//! The role: the dialing side's own proof, sent back to it. Both ids: a proof for another pair of nodes.
//!
//! There is no cryptography here: whoever owns the secrets proves and verifies.

use std::fmt;

use crate::fault_injection;
use crate::replication::wire::{PROOF_BYTES, Proof};
use crate::store::NodeId;

/// What the statements of this protocol begin with: no proof made for anything else is one.
const STATEMENT: &[u8] = b"kvstoreapp peer 1";

/// Names a connection that is encrypted: both ends of it, and nobody else, derive the same bytes from its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub [u8; 32]);

/// How a connection between nodes goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// As it is, for all to read and change.
    Plain,
    /// Encrypted, with an other side that may be anybody.
    Encrypted(Binding),
}

/// How a peer is to be dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As [`Channel::Plain`].
    Plain,
    /// As [`Channel::Encrypted`].
    Encrypted,
}

/// Which links are encrypted and proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerTls {
    /// None.
    #[default]
    Off,
    /// Those with nodes that have the secret, too. All others are as without one.
    Accept,
    /// All.
    Required,
}

/// The cluster's secrets, of whoever owns them: one, or two while it is exchanged for another.
pub trait Secrets {
    /// What proves the statement, by the first of them.
    fn prove(&self, statement: &[u8]) -> [u8; PROOF_BYTES];

    /// Whether this proves the statement by any of them. In a time that tells nothing about them.
    fn verify(&self, statement: &[u8], proof: &[u8; PROOF_BYTES]) -> bool;
}

impl fmt::Display for PeerTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl PeerTls {
    /// As `--peer-tls` has it.
    pub fn name(self) -> &'static str {
        match self {
            PeerTls::Off => "off",
            PeerTls::Accept => "accept",
            PeerTls::Required => "required",
        }
    }
}

/// Which side of a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::replication) enum Side {
    Dialing,
    Accepting,
}

/// See the module. Invariant: there are secrets where links are to be proven.
#[derive(Default)]
pub struct Trust {
    tls: PeerTls,
    secrets: Option<Box<dyn Secrets>>,
}

impl Trust {
    /// In whoever says hello.
    pub fn in_anybody() -> Trust {
        Trust::default()
    }

    /// In those that prove one of the secrets, where this asks for it.
    pub fn in_proof(tls: PeerTls, secrets: Box<dyn Secrets>) -> Trust {
        Trust { tls, secrets: Some(secrets) }
    }

    /// Which links are encrypted and proven.
    pub fn tls(&self) -> PeerTls {
        self.tls
    }

    /// Whether a connection that is not encrypted may become a link.
    pub(in crate::replication) fn takes_plain(&self) -> bool {
        self.tls != PeerTls::Required
    }

    /// How to dial a peer that is to be tried like this where there is a choice.
    pub(in crate::replication) fn way(&self, tried: Way) -> Way {
        match self.tls {
            PeerTls::Off => Way::Plain,
            PeerTls::Accept => tried,
            PeerTls::Required if fault_injection::is("downgrade dialed") => tried,
            PeerTls::Required => Way::Encrypted,
        }
    }

    /// This node's proof, as this side of the connection to a node. `None`: it has no secret.
    pub(in crate::replication) fn prove(
        &self,
        side: Side,
        node: NodeId,
        to: NodeId,
        binding: Binding,
    ) -> Option<Proof> {
        let statement = statement(side, node, to, binding);
        Some(Proof { node, to, proof: self.secrets.as_ref()?.prove(&statement) })
    }

    /// Whether the side of the connection that has sent this has one of the secrets.
    pub(in crate::replication) fn is_proven(&self, side: Side, proof: &Proof, binding: Binding) -> bool {
        let statement = statement(side, proof.node, proof.to, binding);
        let Some(secrets) = &self.secrets else { return false };
        fault_injection::is("proof not checked") || secrets.verify(&statement, &proof.proof)
    }
}

/// What this side of the connection proves, of these nodes; the dialing one comes first.
fn statement(side: Side, speaker: NodeId, to: NodeId, Binding(binding): Binding) -> Vec<u8> {
    let role: &[u8] = match side {
        _ if fault_injection::is("role left out") => b" ",
        Side::Dialing => b"D",
        Side::Accepting => b"A",
    };
    let (dialing, accepting) = match side {
        Side::Dialing => (speaker, to),
        Side::Accepting => (to, speaker),
    };
    let (dialing, accepting) = if fault_injection::is("nodes left out") { (0, 0) } else { (dialing, accepting) };
    let binding = if fault_injection::is("exporter left out") { [0; 32] } else { binding };
    // Each part has one length: no two statements are the same bytes.
    [STATEMENT, role, &dialing.to_le_bytes(), &accepting.to_le_bytes(), &binding].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_connections_sides_or_pairs_of_nodes_have_one_statement() {
        let mut all = Vec::new();
        for side in [Side::Dialing, Side::Accepting] {
            for (node, to) in [(0, 1), (1, 0), (1, 2), (0, 0x101), (0x101, 0)] {
                for binding in [[0; 32], [1; 32]] {
                    all.push(statement(side, node, to, Binding(binding)));
                }
            }
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
