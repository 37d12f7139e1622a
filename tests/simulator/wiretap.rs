//! Reads what goes over a connection between nodes, to count it.

use kvstoreapp::replication::wire::{self, Frame, GREETING, Proof};
use kvstoreapp::store::{NodeId, Stamp};

/// One direction of a connection, as far as its last frame has come.
#[derive(Default)]
pub struct Wiretap {
    bytes: Vec<u8>,
    greeted: bool,
}

/// What a frame was.
pub enum Heard {
    /// Changes: key and stamp of each.
    Changes(Vec<(Vec<u8>, Stamp)>),
    Listing,
    Refusal(String),
    /// Stores differ although nothing is under way.
    Diverged,
    /// A piece of a value.
    Chunk,
    Proof(Proof),
    Other,
}

impl Wiretap {
    pub fn listen(&mut self, bytes: &[u8], mut heard: impl FnMut(Heard)) {
        self.bytes.extend_from_slice(bytes);
        if !self.greeted {
            if self.bytes.len() < GREETING.len() {
                return;
            }
            self.bytes.drain(..GREETING.len());
            self.greeted = true;
        }
        let mut taken = 0;
        while let Some(head) = self.bytes[taken..].first_chunk::<8>() {
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let Some(body) = self.bytes.get(taken + 8..taken + 8 + length) else { break };
            heard(match wire::decode(body).expect("a node sends what it understands") {
                Frame::Changes(_, changes) => {
                    Heard::Changes(changes.iter().map(|change| (change.key.to_vec(), change.stamp)).collect())
                }
                Frame::Listing(..) => Heard::Listing,
                Frame::Refusal(refusal) => Heard::Refusal(refusal.why.into_owned()),
                Frame::Ack(ack) if ack.diverged => Heard::Diverged,
                Frame::Chunk(_) => Heard::Chunk,
                Frame::Proof(proof) => Heard::Proof(proof),
                Frame::Hello(_) | Frame::Terms(_) | Frame::Ack(_) | Frame::Message(..) | Frame::Status(_) => {
                    Heard::Other
                }
            });
            taken += 8 + length;
        }
        self.bytes.drain(..taken);
    }
}

/// Changes by others than the one that sends them.
pub fn relayed(changes: &[(Vec<u8>, Stamp)], sender: NodeId) -> usize {
    changes.iter().filter(|(_, stamp)| stamp.node != sender).count()
}
