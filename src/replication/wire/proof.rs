//! The first frame of either side where nodes have a secret: that the speaker has it, too.

use super::codec::{Reader, put_u16};
use super::framing::{self, Kind};
use crate::store::NodeId;

/// Bytes of what proves a secret.
pub const PROOF_BYTES: usize = 32;
/// What both sides make of the secret and the connection, by this number.
const VERSION: u8 = 1;

/// Sent once by each side of a connection over TLS, directly after the greeting and before any hello: first by the one
/// that dialed, and by the other once it has found that right. Whoever cannot prove the secret hears no hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who speaks.
    pub node: NodeId,
    /// Who is meant.
    pub to: NodeId,
    /// What only a node with the secret can make of this connection, the speaker's role in it, and both ids.
    pub proof: [u8; PROOF_BYTES],
}

impl Proof {
    /// Writes the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framing::frame(Kind::Proof, out, |out| {
            out.push(VERSION);
            put_u16(out, self.node);
            put_u16(out, self.to);
            out.extend_from_slice(&self.proof);
        });
    }

    /// `None` also where it is one of another version.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Proof> {
        if reader.u8()? != VERSION {
            return None;
        }
        let (node, to) = (reader.u16()?, reader.u16()?);
        Some(Proof { node, to, proof: reader.bytes(PROOF_BYTES)?.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_gives_it_back_and_none_that_is_cut_or_of_another_version_is_one() {
        let proof = Proof { node: 3, to: 1, proof: [7; PROOF_BYTES] };
        let mut bytes = Vec::new();
        proof.encode(&mut bytes);
        let mut body = bytes.split_off(framing::HEAD_BYTES + 1);
        assert_eq!(Proof::decode(&mut Reader::new(&body)), Some(proof));
        for length in 0..body.len() {
            assert_eq!(Proof::decode(&mut Reader::new(&body[..length])), None);
        }
        body[0] += 1;
        assert_eq!(Proof::decode(&mut Reader::new(&body)), None);
    }
}
