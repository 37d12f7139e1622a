//! Turns of connections: what has come is read and executed.
//!
//! In groups: what several clients have sent is read before any of it is executed, so that the loads from memory that
//! their keys cost wait together and not one after the other.

use super::connection::Connection;
use super::socket::Received;
use super::{Server, Stage, queue};
use crate::metrics::ticks::Phase;
use crate::node::session::Waits;
use crate::node::{Node, SessionId};
use crate::store::WARMED;

/// Bytes read from one client in one tick: some 160 requests of 100 bytes.
const READ_BYTES: usize = 16 << 10;
/// Bytes of one client that end a group: it has requests enough to keep memory busy alone.
const MANY_BYTES: usize = 1 << 10;
/// From one client's buffer to the next: not a power of two, or all would fall into the same set of the cache.
const STRIDE: usize = READ_BYTES + 320;
/// Time of a tick that goes to clients; whoever is left comes first in the next.
const SERVE_US: u64 = 500;

/// Connections whose turn it is, and what they have sent.
pub(super) struct Group {
    turns: Vec<(SessionId, Turn)>,
    buffer: Box<[u8]>,
}

/// What a connection's turn is for.
enum Turn {
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
        Group { turns: Vec::with_capacity(WARMED), buffer: vec![0; WARMED * STRIDE].into_boxed_slice() }
    }

    /// Reads from the first of these connections until the group is full. Returns how many those were, one at least.
    fn gather(&mut self, ids: &[SessionId], connections: &mut slab::Slab<Connection>, node: &mut Node) -> usize {
        self.turns.clear();
        for (place, &id) in ids.iter().take(WARMED).enumerate() {
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
                Waits::ForInput
                | Waits::ForReader
                | Waits::ForSnapshot
                | Waits::ForPeers
                | Waits::ForUnpause
                | Waits::ForNothing => Turn::Pass,
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

    /// What was read from those that sent something.
    fn bytes(&self) -> impl Iterator<Item = (SessionId, &[u8])> {
        self.turns.iter().enumerate().filter_map(|(place, (id, turn))| match turn {
            Turn::Read(Received::Bytes(count)) => Some((*id, &self.buffer[place * STRIDE..][..*count])),
            Turn::Read(_) | Turn::ReadInPlace(_) | Turn::Resume | Turn::Pass => None,
        })
    }
}

impl Server {
    /// One turn for each connection that something happened to.
    pub(super) fn serve_clients(&mut self) {
        if matches!(self.stage, Stage::Saving | Stage::Parting { .. }) {
            self.ready.clear();
            self.node.take_runnable(&mut Vec::new());
            return;
        }
        let mut turn = std::mem::replace(&mut self.ready, std::mem::take(&mut self.turn));
        self.node.take_runnable(&mut turn);
        let (mut at, mut tick_took_us) = (0, 0);
        while at < turn.len() {
            if tick_took_us > SERVE_US {
                // The others come first in the next tick.
                let served = std::mem::replace(&mut self.ready, turn.split_off(at));
                self.ready.retain(|&id| self.connections.get_mut(id).map(|one| one.queued = true).is_some());
                self.ready.extend(served);
                break;
            }
            let phase = if self.node.is_client(turn[at]) { Phase::Clients } else { Phase::Peers };
            at += self.group.gather(&turn[at..], &mut self.connections, &mut self.node);
            if self.group.turns.len() > 1 {
                self.node.warm(self.group.bytes());
            }
            self.serve_group();
            tick_took_us = self.spent(phase);
        }
        turn.clear();
        self.turn = turn;
    }

    fn serve_group(&mut self) {
        let mut turns = std::mem::take(&mut self.group.turns);
        for (place, (id, turn)) in turns.drain(..).enumerate() {
            self.serve(id, turn, place);
        }
        self.group.turns = turns;
    }

    fn serve(&mut self, id: SessionId, turn: Turn, place: usize) {
        let now = self.now;
        if let Turn::ReadInPlace(received) = &turn {
            self.node.received(id, if let Received::Bytes(count) = received { *count } else { 0 }, now);
        }
        match turn {
            Turn::Resume => self.node.resume(id, now),
            Turn::Read(Received::Bytes(count)) => {
                self.node.receive(id, &self.group.buffer[place * STRIDE..][..count], now);
            }
            Turn::Read(Received::End) | Turn::ReadInPlace(Received::End) => {
                self.node.finish(id, now);
                let owes = self.connections.get(id).is_some_and(|connection| connection.owes(&[]));
                if self.node.is_over(id) && !owes {
                    return self.drop_connection(id, "it closed the connection");
                }
            }
            Turn::Read(Received::Broken(error)) | Turn::ReadInPlace(Received::Broken(error)) => {
                return self.drop_connection(id, &error.to_string());
            }
            Turn::Read(Received::Nothing) | Turn::ReadInPlace(Received::Bytes(_) | Received::Nothing) | Turn::Pass => {}
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.has_own_bytes() {
            self.unsent.push(id);
        }
        if connection.is_readable() && self.node.waits(id) == Waits::ForInput {
            queue(&mut self.ready, connection, id);
        }
    }
}
