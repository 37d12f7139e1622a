//! Turns of connections: what has come is read and executed.

use super::group::Turn;
use super::socket::Received;
use super::{Server, Stage, queue};
use crate::metrics::ticks::Phase;
use crate::node::SessionId;
use crate::node::waits::Waits;

/// Time of a tick that goes to clients; whoever is left comes first in the next.
const SERVE_US: u64 = 500;

impl Server {
    /// One turn for each connection that something happened to.
    pub(super) fn serve_clients(&mut self) {
        if matches!(self.stage, Stage::Saving | Stage::Parting { .. }) {
            self.ready.clear();
            self.node.take_runnable(&mut Vec::new());
            return;
        }
        let mut turn = self.take_ready();
        let (mut at, mut tick_took_us) = (0, 0);
        while at < turn.len() {
            if tick_took_us > SERVE_US {
                // The others come first in the next tick.
                let served = std::mem::replace(&mut self.ready, turn.split_off(at));
                self.ready.extend(served);
                break;
            }
            let phase = if self.node.is_client(turn[at]) { Phase::Clients } else { Phase::Peers };
            at += self.group.gather(&turn[at..], &mut self.connections, &mut self.node);
            if self.group.is_several() {
                self.node.prefetch(self.group.bytes());
            }
            self.serve_group();
            tick_took_us = self.node.spent(phase);
        }
        turn.clear();
        self.turn = turn;
    }

    /// Those whose turn it is, each once: a session may be runnable while its connection is readable, and a number may
    /// stand here that another connection has by now.
    fn take_ready(&mut self) -> Vec<SessionId> {
        let mut turn = std::mem::replace(&mut self.ready, std::mem::take(&mut self.turn));
        self.node.take_runnable(&mut turn);
        let connections = &mut self.connections;
        turn.retain(|&id| connections.get_mut(id).map(|connection| connection.queued = false).is_some());
        turn.retain(|&id| !std::mem::replace(&mut connections[id].queued, true));
        turn
    }

    fn serve_group(&mut self) {
        let mut turns = self.group.begin();
        for (place, (id, turn)) in turns.drain(..).enumerate() {
            self.serve(id, turn, place);
        }
        self.group.finish(turns);
    }

    fn serve(&mut self, id: SessionId, turn: Turn, place: usize) {
        let now = self.now;
        if let Turn::ReadInPlace(received) = &turn {
            self.node.received(id, if let Received::Bytes(count) = received { *count } else { 0 }, now);
        }
        match turn {
            Turn::Resume => self.node.resume(id, now),
            Turn::Read(Received::Bytes(count)) => {
                self.node.receive(id, self.group.read(place, count), now);
            }
            Turn::Read(Received::End) | Turn::ReadInPlace(Received::End) => {
                self.node.finish(id, now);
                let owes = self.connections.get(id).is_some_and(|connection| connection.owes(&[]));
                if self.node.is_over(id) && !owes {
                    self.say_end(id);
                    return self.drop_connection(id, "it closed the connection");
                }
            }
            Turn::Read(Received::Broken(error)) | Turn::ReadInPlace(Received::Broken(error)) => {
                return self.drop_connection(id, &error.to_string());
            }
            Turn::Read(Received::Nothing) => self.meet(id),
            Turn::ReadInPlace(Received::Bytes(_) | Received::Nothing) | Turn::Pass => {}
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
