//! What the node does for other nodes: their connections, and what they have of its writes.

use super::session::Waits;
use super::waiting::{Cause, Copies, Reached, Then, Until, Waiter};
use super::{Core, Node, Now, SessionId};
use crate::replication::Unready;
use crate::replication::{Here, Message, PeerStatus, Turn};
use crate::store::NodeId;

impl Node {
    /// The peer to dial now, and its address, if any. To be asked until there is none; followed by [`Node::dialing`] or
    /// [`Node::dial_failed`].
    pub fn next_dial(&mut self, now: Now) -> Option<(NodeId, String)> {
        if self.ending { None } else { self.core.replication.next_dial(now) }
    }

    /// A connection to the peer is being set up under this number.
    pub fn dialing(&mut self, id: SessionId, peer: NodeId, now: Now) {
        let Core { store, clock, replication, .. } = &mut self.core;
        replication.dialing(id, peer, &Here { store, clock, now });
    }

    /// No connection could even be tried.
    pub fn dial_failed(&mut self, peer: NodeId, why: &str, now: Now) {
        self.core.replication.dial_failed(peer, why, now);
    }

    /// A connection is gone. For a client's, [`Node::close`] is all.
    pub fn lose_peer(&mut self, id: SessionId, why: &str, now: Now) {
        self.core.replication.closed(id, why, now);
        self.sessions.forget(id);
    }

    /// Sends every peer what it lacks, a bounded part of it; and opens the gates that peers and time open.
    pub fn exchange(&mut self, now: Now) {
        let Core { store, clock, saver, replication, .. } = &mut self.core;
        let held = saver.holds_writers(store);
        replication.exchange(held, &mut Here { store, clock, now });
        self.open_gates(now);
        self.core.tell_watchers(&mut self.sessions);
    }

    /// Takes over a changed list of nodes, or says why not.
    pub fn reload(&mut self, members: Vec<String>, now: Now) -> Result<(), String> {
        self.core.replication.reload(members, now)
    }

    /// How the node stands with each peer. O(peers and segments of the change list).
    pub fn peers(&self, now: Now) -> Vec<PeerStatus> {
        self.core.replication.status(&self.core.store, now.monotonic_us)
    }

    /// Why the node is not ready; `None` where it is.
    pub fn unready(&self, now: Now) -> Option<Unready> {
        self.core.replication.unready(now.monotonic_us)
    }

    /// Memory held for peers beside the store.
    pub fn peer_bytes(&self) -> usize {
        self.core.replication.bytes()
    }

    /// A connection that began as a client's greets as a node's.
    pub(super) fn become_peer(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        let Some(session) = self.sessions.remove(id) else { return };
        self.core.replication.accepted(id, now);
        self.core.replication.receive(id, &session.inbox, now);
        self.receive_from_peer(id, bytes, now);
    }

    pub(super) fn receive_from_peer(&mut self, id: SessionId, bytes: &[u8], now: Now) {
        if self.core.replication.has(id) {
            self.core.replication.receive(id, bytes, now);
            self.peer_turn(id, now);
        }
    }

    pub(super) fn peer_turn(&mut self, id: SessionId, now: Now) {
        let Core { store, clock, saver, replication, .. } = &mut self.core;
        let held = saver.holds_writers(store);
        let position = store.last_position();
        match replication.turn(id, held, &mut Here { store, clock, now }) {
            Turn::More => self.sessions.runnable.push(id),
            Turn::Held => {
                let (until, deadline_us, then) = (Until::Writable, u64::MAX, Then::GoOn);
                self.sessions.waiting.add(Waiter { id, until, deadline_us, then });
            }
            Turn::Done => (),
        }
        self.notify_of_peers(position);
        for Message { audience, channel, message } in self.core.replication.take_messages() {
            self.core.pubsub.deliver(&mut self.sessions, None, audience, &channel, &message);
        }
    }

    pub(super) fn peer_waits(&self, id: SessionId) -> Waits {
        match self.core.replication.waits(id) {
            None => Waits::ForNothing,
            Some(Turn::More) => Waits::ForTurn,
            Some(Turn::Held) => Waits::ForGate(Cause::Snapshot),
            Some(Turn::Done) => Waits::ForInput,
        }
    }

    fn open_gates(&mut self, now: Now) {
        self.count_copies();
        if self.core.pause.is_some_and(|pause| pause.until_us <= now.monotonic_us) {
            self.core.pause = None;
        }
        self.sessions.reached(Reached::Time(now.monotonic_us));
    }

    /// This node or a peer may have more on disk.
    pub(super) fn count_copies(&mut self) {
        let Node { core, sessions, ending } = self;
        if !sessions.waiting.of(Cause::Copies).is_empty() {
            sessions.reached(Reached::Copied(&|position| core.copies(position)));
            if *ending {
                sessions.reached(Reached::End);
            }
        }
    }
}

impl Core {
    /// Who has all of this node's writes up to the position on disk.
    pub(super) fn copies(&self, position: u64) -> Copies {
        Copies { here: self.saver.durable() >= position, peers: self.replication.count_durable(position) }
    }
}
