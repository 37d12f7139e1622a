//! What the data file keeps of replication beside the changes, in the same transaction.

use std::collections::BTreeMap;

use super::codec::{Reader, put_u16, put_u64};
use super::frame::{self, Cursor};
use super::vector::VersionVector;
use crate::store::NodeId;

/// What the data file keeps of replication, as of the changes beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// What the file has.
    pub vector: VersionVector,
    /// What deletions were collected under.
    pub collected: VersionVector,
    /// How far each peer is followed.
    pub cursors: Vec<(NodeId, Cursor)>,
    /// How far each peer was sent the list as the file has it, in which life of the peer's.
    pub sent: Vec<(NodeId, Cursor)>,
    /// The lives whose changes the file has, each up to a position.
    pub lives: Vec<(u64, u64)>,
}

impl Recorded {
    /// A life begins with the file as it is, up to the position. To be recorded before anybody hears of that life: a
    /// peer that knows one that the file does not proves that the file is an old copy.
    pub fn begin_life(&mut self, life: u64, position: u64) {
        self.lives.push((life, position));
    }

    /// How far each node that was ever a peer was followed, and sent the list.
    pub(super) fn strangers(&self) -> BTreeMap<NodeId, (Cursor, Cursor)> {
        let mut strangers: BTreeMap<NodeId, (Cursor, Cursor)> = BTreeMap::new();
        self.cursors.iter().for_each(|&(node, cursor)| strangers.entry(node).or_default().0 = cursor);
        self.sent.iter().for_each(|&(node, sent)| strangers.entry(node).or_default().1 = sent);
        strangers
    }

    /// Its form in the data file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.vector.encode(&mut out);
        self.collected.encode(&mut out);
        put_u16(&mut out, self.cursors.len() as u16);
        for &(node, cursor) in &self.cursors {
            put_u16(&mut out, node);
            frame::put_cursor(&mut out, cursor);
        }
        put_u16(&mut out, self.sent.len() as u16);
        for &(node, Cursor { direct, relay, .. }) in &self.sent {
            put_u16(&mut out, node);
            put_u64(&mut out, direct);
            put_u64(&mut out, relay);
        }
        put_u16(&mut out, self.lives.len() as u16);
        for &(life, end) in &self.lives {
            put_u64(&mut out, life);
            put_u64(&mut out, end);
        }
        self.sent.iter().for_each(|(_, sent)| put_u64(&mut out, sent.life));
        out
    }

    /// Reads what [`Recorded::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Option<Recorded> {
        let mut reader = Reader::new(bytes);
        let vector = VersionVector::decode(&mut reader)?;
        let collected = VersionVector::decode(&mut reader)?;
        let count = reader.u16()?;
        let cursors = (0..count).map(|_| Some((reader.u16()?, frame::cursor(&mut reader)?))).collect::<Option<_>>()?;
        let count = reader.u16()?;
        let mut one = || Some((reader.u16()?, Cursor { life: 0, direct: reader.u64()?, relay: reader.u64()? }));
        let mut sent = (0..count).map(|_| one()).collect::<Option<Vec<_>>>()?;
        let count = reader.u16()?;
        let lives = (0..count).map(|_| Some((reader.u64()?, reader.u64()?))).collect::<Option<_>>()?;
        // Files of before do not say in which life.
        let tells = !reader.is_empty();
        for (_, sent) in sent.iter_mut().filter(|_| tells) {
            sent.life = reader.u64()?;
        }
        reader.is_empty().then_some(Recorded { vector, collected, cursors, sent, lives })
    }
}
