//! What the data file keeps of replication beside the changes, in the same transaction.

use std::collections::BTreeMap;
use std::fmt;

use super::wire::Cursor;
use super::wire::codec::{Reader, put_u16, put_u64};
use super::wire::vector::VersionVector;
use crate::store::NodeId;

/// What a record begins with. One without a version, as of files of format 2, begins with the number of nodes that have
/// written, which is lower.
const VERSIONED: u16 = u16::MAX;
/// The version of the records that are written, and the latest that is read.
const VERSION: u16 = 1;

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not what [`PersistedState::encode`] has ever written.
    Damaged,
    /// A later release has written it.
    Newer {
        /// In which version.
        version: u16,
    },
}

/// What is the matter, to be said after the file's name.
impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Damaged => write!(out, "what it records of replication is no such record"),
            Unreadable::Newer { version } => write!(
                out,
                "records replication in version {version}, but this version of kvstoreapp knows version {VERSION}: start \
                 the one that wrote it"
            ),
        }
    }
}

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

    /// Its form in the data file, which begins with a version.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u16(&mut out, VERSIONED);
        put_u16(&mut out, VERSION);
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

    /// Reads what [`PersistedState::encode`] has written, in this version or one before.
    pub fn decode(bytes: &[u8]) -> Result<PersistedState, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.u16() == Some(VERSIONED) {
            match reader.u16() {
                Some(VERSION) => PersistedState::decode_fields(reader, true).ok_or(Unreadable::Damaged),
                Some(version) if version > VERSION => Err(Unreadable::Newer { version }),
                Some(_) | None => Err(Unreadable::Damaged),
            }
        } else {
            PersistedState::decode_fields(Reader::new(bytes), false).ok_or(Unreadable::Damaged)
        }
    }

    fn decode_fields(mut reader: Reader<'_>, is_versioned: bool) -> Option<PersistedState> {
        let vector = VersionVector::decode(&mut reader)?;
        let collected = VersionVector::decode(&mut reader)?;
        let count = reader.u16()?;
        let cursors = (0..count).map(|_| Some((reader.u16()?, Cursor::decode(&mut reader)?))).collect::<Option<_>>()?;
        let count = reader.u16()?;
        let mut one = || Some((reader.u16()?, Cursor { incarnation: 0, direct: reader.u64()?, relay: reader.u64()? }));
        let mut sent = (0..count).map(|_| one()).collect::<Option<Vec<_>>>()?;
        let count = reader.u16()?;
        let incarnations = (0..count).map(|_| Some((reader.u64()?, reader.u64()?))).collect::<Option<_>>()?;
        // The earliest do not say in which incarnation.
        let tells = is_versioned || !reader.is_empty();
        for (_, sent) in sent.iter_mut().filter(|_| tells) {
            sent.incarnation = reader.u64()?;
        }
        reader.is_empty().then_some(PersistedState { vector, collected, cursors, sent, incarnations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> PersistedState {
        let cursor = |incarnation| Cursor { incarnation, direct: 5, relay: 6 };
        let mut state =
            PersistedState { cursors: vec![(1, cursor(7))], sent: vec![(2, cursor(8))], ..Default::default() };
        state.begin_incarnation(9, 10);
        state
    }

    #[test]
    fn a_record_comes_back_and_nothing_cut_or_longer_is_taken_for_one() {
        let bytes = state().encode();
        assert_eq!(PersistedState::decode(&bytes), Ok(state()));
        for end in 0..bytes.len() {
            assert_eq!(PersistedState::decode(&bytes[..end]), Err(Unreadable::Damaged), "{end} bytes");
        }
        assert_eq!(PersistedState::decode(&[&bytes[..], b"x"].concat()), Err(Unreadable::Damaged));
    }

    #[test]
    fn records_without_a_version_are_read() {
        let bytes = &state().encode()[4..];
        assert_eq!(PersistedState::decode(bytes), Ok(state()));
        let mut without_incarnations = state();
        without_incarnations.sent[0].1.incarnation = 0;
        assert_eq!(PersistedState::decode(&bytes[..bytes.len() - 8]), Ok(without_incarnations));
    }

    #[test]
    fn a_record_of_a_later_version_is_told_from_a_damaged_one() {
        let mut bytes = state().encode();
        bytes[2..4].copy_from_slice(&(VERSION + 1).to_le_bytes());
        assert_eq!(PersistedState::decode(&bytes), Err(Unreadable::Newer { version: VERSION + 1 }));
        assert_eq!(PersistedState::decode(&bytes[..4]), Err(Unreadable::Newer { version: VERSION + 1 }));
        bytes[2..4].fill(0);
        assert_eq!(PersistedState::decode(&bytes), Err(Unreadable::Damaged));
    }
}
