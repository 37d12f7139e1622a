//! What the data file keeps of replication beside the changes, in the same transaction.

use std::collections::BTreeMap;

use super::wire::Cursor;
use super::wire::codec::{Reader, put_u16, put_u64};
use super::wire::vector::VersionVector;
use crate::store::NodeId;

/// How far another node was followed, and sent the own list.
#[derive(Clone, Copy, Default)]
pub(super) struct Followed {
    pub(super) cursor: Cursor,
    pub(super) sent: Cursor,
}

/// What the data file keeps of replication, as of the changes beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistedState {
    /// What the file has.
    pub vector: VersionVector,
    /// What deletions were collected under.
    pub collected: VersionVector,
    /// How far each peer is followed.
    pub cursors: Vec<(NodeId, Cursor)>,
    /// How far each peer was sent the list as the file has it, in which incarnation of the peer's.
    pub sent: Vec<(NodeId, Cursor)>,
    /// The incarnations whose changes the file has, each up to a position.
    pub incarnations: Vec<(u64, u64)>,
}

impl PersistedState {
    /// An incarnation begins with the file as it is, up to the position. To be recorded before anybody hears of that
    /// incarnation: a peer that knows one that the file does not proves that the file is an old copy.
    pub fn begin_incarnation(&mut self, incarnation: u64, position: u64) {
        self.incarnations.push((incarnation, position));
    }

    /// How far each node that was ever a peer was followed, and sent the list.
    pub(super) fn follows(&self) -> BTreeMap<NodeId, Followed> {
        let mut follows: BTreeMap<NodeId, Followed> = BTreeMap::new();
        self.cursors.iter().for_each(|&(node, cursor)| follows.entry(node).or_default().cursor = cursor);
        self.sent.iter().for_each(|&(node, sent)| follows.entry(node).or_default().sent = sent);
        follows
    }

    /// Its form in the data file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.vector.encode(&mut out);
        self.collected.encode(&mut out);
        put_u16(&mut out, self.cursors.len() as u16);
        for &(node, cursor) in &self.cursors {
            put_u16(&mut out, node);
            cursor.encode(&mut out);
        }
        put_u16(&mut out, self.sent.len() as u16);
        for &(node, Cursor { direct, relay, .. }) in &self.sent {
            put_u16(&mut out, node);
            put_u64(&mut out, direct);
            put_u64(&mut out, relay);
        }
        put_u16(&mut out, self.incarnations.len() as u16);
        for &(incarnation, end) in &self.incarnations {
            put_u64(&mut out, incarnation);
            put_u64(&mut out, end);
        }
        self.sent.iter().for_each(|(_, sent)| put_u64(&mut out, sent.incarnation));
        out
    }

    /// Reads what [`PersistedState::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Option<PersistedState> {
        let mut reader = Reader::new(bytes);
        let vector = VersionVector::decode(&mut reader)?;
        let collected = VersionVector::decode(&mut reader)?;
        let count = reader.u16()?;
        let cursors = (0..count).map(|_| Some((reader.u16()?, Cursor::decode(&mut reader)?))).collect::<Option<_>>()?;
        let count = reader.u16()?;
        let mut one = || Some((reader.u16()?, Cursor { incarnation: 0, direct: reader.u64()?, relay: reader.u64()? }));
        let mut sent = (0..count).map(|_| one()).collect::<Option<Vec<_>>>()?;
        let count = reader.u16()?;
        let incarnations = (0..count).map(|_| Some((reader.u64()?, reader.u64()?))).collect::<Option<_>>()?;
        // Files of before do not say in which incarnation.
        let tells = !reader.is_empty();
        for (_, sent) in sent.iter_mut().filter(|_| tells) {
            sent.incarnation = reader.u64()?;
        }
        reader.is_empty().then_some(PersistedState { vector, collected, cursors, sent, incarnations })
    }
}
