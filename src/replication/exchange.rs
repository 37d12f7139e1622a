//! What one tick does: each peer gets what it lacks, a bounded part of it, and what it has to know.

use super::Replication;
use super::here::Here;
use super::outbound::Outbound;
use super::peers::connections::Overdue;
use super::peers::handshake::check_databases;
use super::peers::linked::Linked;
use super::peers::liveness::Pulse;
use super::peers::peer::Peer;
use super::peers::terms::Edition;
use super::repair::comparison::Agreement;
use crate::store::{NodeId, Now, Store};

impl Replication {
    /// Sends each peer what it lacks, a bounded part of it, and what it has to know. `held` says that nothing may be
    /// overwritten at present.
    pub fn exchange(&mut self, held: bool, here: &mut Here<'_>) {
        self.due_us = u64::MAX;
        let followers = self.peers.links().map(|linked| linked.outbound.sent().direct);
        here.store.forget_groups(followers.min().unwrap_or(u64::MAX));
        if self.peers.is_empty() && self.connections.end() == 0 && self.purges.is_empty() {
            return;
        }
        if !held {
            self.rollback.go_on(self.identity.node, here.clock, here.store, here.now);
            self.purges.go_on(here.store, &mut self.knowledge);
        }
        if self.knowledge.take_collected_more() {
            self.begin_links_again(here.now);
        }
        self.knowledge.keep_up(here.clock);
        let (first_hand, until_us) = self.peers.first_hand(here.now.monotonic_us);
        self.knowledge.note_first_hand(first_hand);
        self.due_us = self.due_us.min(until_us);
        self.memory.look(here.store);
        let tail = here.store.last_position();
        let ids: Vec<NodeId> = self.peers.iter().map(Peer::id).collect();
        for id in ids {
            self.part_from_older(id, here.store, here.now);
            self.tell_terms(id, here.store);
            self.exchange_with(id, here.store, here.now);
            if let Some(peer) = self.peers.get_mut(id) {
                peer.note_tick(tail, self.purges.is_under_way(id), here.now.monotonic_us);
            }
        }
        self.end_handshakes(here.now);
        let agrees = |linked: &Linked| linked.comparison.agreement() == Agreement::Agrees;
        if !self.peers.is_empty() && self.peers.links().filter(|linked| agrees(linked)).count() == self.peers.len() {
            self.knowledge.close_gaps(here.clock, |node| self.peers.contains(node));
        }
        // Where the data file has to take something first, that is what wakes the loop.
        let stamps_again = self.rollback.is_under_way() && !here.clock.is_spent();
        if !held && (stamps_again || !self.purges.is_empty()) {
            self.due_us = 0;
        }
    }

    /// Deletions were collected elsewhere that linked peers may not know of. A peer that has not all that was then known
    /// is told by a hello, and gets a full listing.
    fn begin_links_again(&mut self, now: Now) {
        let collected = self.knowledge.collected();
        let lacking = self.peers.links().filter(|linked| !linked.outbound.includes(collected));
        let sessions: Vec<_> = lacking.map(Linked::session).collect();
        for session in sessions {
            self.drop_connection(
                session,
                "deletions were collected that it may have missed: the link begins again",
                now,
            );
        }
    }

    /// Hangs up on a node that knows database 0 alone, once there is a key in another.
    fn part_from_older(&mut self, id: NodeId, store: &Store, now: Now) {
        let Some(linked) = self.peers.linked_mut(id) else { return };
        let session = linked.session();
        if let Err(why) = check_databases(id, linked.version(), self.identity.node, store) {
            self.refuse(session, &why, Some(id), now);
        }
    }

    /// Tells the peer where what it was told last is not so any more.
    fn tell_terms(&mut self, id: NodeId, store: &Store) {
        let (members, memory_bytes_max) = (self.peers.members_number(), store.bytes_max() as u64);
        let Some(linked) = self.peers.linked_mut(id) else { return };
        if !linked.terms.are_to_be_told(Edition { members, memory_bytes_max }) {
            return;
        }
        let (session, is_told) = (linked.session(), linked.knows_terms());
        let ours = self.terms(store);
        if let Some(connection) = self.connections.get_mut(session).filter(|_| is_told) {
            ours.encode(connection.stream.outbox());
            self.connections.touch(session);
        }
        if let Some(linked) = self.peers.linked_mut(id) {
            linked.terms.compare(&ours, self.identity.node, id);
        }
    }

    fn exchange_with(&mut self, id: NodeId, store: &Store, now: Now) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let followed = peer.cursor;
        let Some(linked) = peer.linked_mut() else { return };
        let session = linked.session();
        let Some(connection) = self.connections.get_mut(session) else { return };
        let mut outbound = Outbound {
            knowledge: &self.knowledge,
            store,
            whole_bytes_max: self.limits.whole_bytes_max,
            is_purging: !self.purges.is_empty(),
            now,
            scratch: &mut self.scratch,
        };
        let owed_before = connection.stream.owed();
        self.due_us = self.due_us.min(outbound.exchange(id, followed, linked, connection));
        let pulse = outbound.look_after(linked, connection);
        if connection.stream.owed() > owed_before {
            self.connections.touch(session);
        }
        match pulse {
            Pulse::Alive { until_us } => self.due_us = self.due_us.min(until_us),
            Pulse::Gone(why) => self.drop_connection(session, why, now),
        }
    }

    fn end_handshakes(&mut self, now: Now) {
        for session in 0..self.connections.end() {
            match self.connections.overdue(session, now.monotonic_us) {
                Overdue::No => (),
                Overdue::Until(until_us) => self.due_us = self.due_us.min(until_us),
                Overdue::NeverLinked => self.drop_connection(session, "no answer within 3 s", now),
                Overdue::NeverTaken => drop(self.connections.hang_up(session)),
            }
        }
    }
}
