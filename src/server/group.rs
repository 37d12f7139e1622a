//! Connections whose turn it is at once, and what was read from each.
//!
//! What several clients have sent is read before any of it is executed, so that the loads from memory that their keys
//! cost wait together and not one after the other.

use slab::Slab;

use super::connection::Connection;
use super::socket::Received;
use crate::node::waits::Waits;
use crate::node::{Node, SessionId};
use crate::store::PREFETCHED;

/// Bytes read from one client in one tick: some 160 requests of 100 bytes.
const READ_BYTES: usize = 16 << 10;
/// Bytes of one client that end a group: it has requests enough to keep memory busy alone.
const MANY_BYTES: usize = 1 << 10;
/// From one client's buffer to the next: not a power of two, or all would fall into the same set of the cache.
const STRIDE: usize = READ_BYTES + 320;

/// Connections whose turn it is, and what they have sent.
pub(super) struct Group {
    turns: Vec<(SessionId, Turn)>,
    buffer: Box<[u8]>,
}

/// What a connection's turn is for.
pub(super) enum Turn {
    /// Requests that are here already.
    Resume,
    /// What was read, into the place with the connection's number in the group.
    Read(Received),
    /// What was read, into where it stays.
    ReadInPlace(Received),
    /// Nothing: something else comes first.
    Pass,
}

impl Group {
    pub(super) fn new() -> Group {
        Group { turns: Vec::with_capacity(PREFETCHED), buffer: vec![0; PREFETCHED * STRIDE].into_boxed_slice() }
    }

    /// Reads from the first of these connections until the group is full. Returns how many those were, one at least.
    pub(super) fn gather(&mut self, ids: &[SessionId], connections: &mut Slab<Connection>, node: &mut Node) -> usize {
        self.turns.clear();
        for (place, &id) in ids.iter().take(PREFETCHED).enumerate() {
            let Some(connection) = connections.get_mut(id) else {
                self.turns.push((id, Turn::Pass));
                continue;
            };
            let is_client = node.is_client(id);
            if !is_client && place > 0 {
                return place;
            }
            connection.queued = false;
            let turn = match node.waits(id) {
                Waits::ForTurn => Turn::Resume,
                Waits::ForInput if connection.is_readable() => match node.room(id) {
                    Some(room) => Turn::ReadInPlace(connection.receive(room)),
                    None => Turn::Read(connection.receive(&mut self.buffer[place * STRIDE..][..READ_BYTES])),
                },
                Waits::ForInput | Waits::ForReader | Waits::ForGate(_) | Waits::ForNothing => Turn::Pass,
            };
            let is_long = match &turn {
                Turn::Resume | Turn::ReadInPlace(_) => true,
                Turn::Read(Received::Bytes(count)) => *count > MANY_BYTES,
                Turn::Read(_) | Turn::Pass => false,
            };
            self.turns.push((id, turn));
            if is_long || !is_client {
                return place + 1;
            }
        }
        self.turns.len()
    }

    /// The turns, to be followed by [`Group::finish`]: their memory is used again.
    pub(super) fn begin(&mut self) -> Vec<(SessionId, Turn)> {
        std::mem::take(&mut self.turns)
    }

    /// See [`Group::begin`].
    pub(super) fn finish(&mut self, turns: Vec<(SessionId, Turn)>) {
        self.turns = turns;
    }

    /// Whether there are several.
    pub(super) fn is_several(&self) -> bool {
        self.turns.len() > 1
    }

    /// So many bytes that were read from the connection with this number in the group.
    pub(super) fn read(&self, place: usize, count: usize) -> &[u8] {
        &self.buffer[place * STRIDE..][..count]
    }

    /// What was read from those that sent something.
    pub(super) fn bytes(&self) -> impl Iterator<Item = (SessionId, &[u8])> {
        self.turns.iter().enumerate().filter_map(|(place, (id, turn))| match turn {
            Turn::Read(Received::Bytes(count)) => Some((*id, self.read(place, *count))),
            Turn::Read(_) | Turn::ReadInPlace(_) | Turn::Resume | Turn::Pass => None,
        })
    }
}
