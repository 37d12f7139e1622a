//! The list of nodes: who is a peer, since when and no more, and how far those were followed who are none at present.

use super::frame::Cursor;
use super::peer::{Peer, Tie};
use super::{GRACE_US, Replication};
use crate::store::{NodeId, Now};

impl Replication {
    /// Takes over a changed list of nodes: appended ones are linked, removed ones hung up on. Nodes that stay must keep
    /// their place and address; else nothing is changed and the error says why.
    pub fn reload(&mut self, members: Vec<String>, now: Now) -> Result<(), String> {
        for (id, (old, new)) in self.members.iter().zip(&members).enumerate() {
            if !old.is_empty() && !new.is_empty() && old != new {
                return Err(format!("node {id} would change from {old} to {new}, but an id in use keeps its address"));
            }
        }
        if members.get(usize::from(self.identity.node)).is_none_or(String::is_empty) {
            return Err(format!("this node, {}, is not in it", self.identity.node));
        }
        self.set_members(members, now.monotonic_us);
        Ok(())
    }

    pub(super) fn set_members(&mut self, members: Vec<String>, now_us: u64) {
        self.note_forgotten_alone();
        let own = usize::from(self.identity.node);
        let is_peer = |id: usize| id != own && members.get(id).is_some_and(|member| !member.is_empty());
        let removed: Vec<NodeId> = self.peers.keys().copied().filter(|&id| !is_peer(id.into())).collect();
        for id in removed {
            let peer = self.peers.remove(&id).expect("ids come from the map");
            self.strangers.insert(id, (peer.cursor, peer.sent()));
            if let Some(linked) = peer.linked {
                self.hang_up(linked.session);
            }
            // Beside a link, too, a dial may be under way.
            if let Tie::Dialing(session) = peer.tie {
                self.hang_up(session);
            }
            log::info!("node {id} was removed from the cluster");
        }
        for id in (0..members.len()).filter(|&id| is_peer(id)) {
            let id = id as NodeId;
            let (cursor, sent) = self.strangers.remove(&id).unwrap_or_default();
            self.peers.entry(id).or_insert_with(|| Peer::new(id, cursor, sent, now_us));
        }
        self.members = members;
        self.members_number += 1;
        self.due_us = 0;
    }

    /// Whether there is no other node.
    pub(super) fn is_alone(&self) -> bool {
        self.peers.is_empty()
    }

    /// How far each node that was ever a peer is followed, and was sent our list.
    pub(super) fn follows(&self) -> impl Iterator<Item = (NodeId, Cursor, Cursor)> {
        let peers = self.peers.values().map(|peer| (peer.id, peer.cursor, peer.sent()));
        peers.chain(self.strangers.iter().map(|(&id, &(cursor, sent))| (id, cursor, sent)))
    }

    /// Whether any node was ever linked to this one, in this life or, as far as the data file knows, an earlier one.
    pub(super) fn has_met_any(&self) -> bool {
        self.follows().any(|(_, cursor, sent)| cursor.life != 0 || sent.life != 0)
    }

    /// Who was a peer once, or becomes one, may hold what was deleted and forgotten meanwhile.
    pub(super) fn note_forgotten_alone(&mut self) {
        if self.is_alone() && self.forgets_alone {
            self.collected.merge(&self.vector);
        }
    }

    /// Which nodes' writes come first-hand, or will at once.
    pub(super) fn note_linked_nodes(&mut self, now_us: u64) {
        let counts = |peer: &&Peer| peer.linked.is_some() || now_us < peer.lost_us + GRACE_US;
        let graces = self.peers.values().filter(|peer| peer.linked.is_none() && now_us < peer.lost_us + GRACE_US);
        let grace_us = graces.map(|peer| peer.lost_us + GRACE_US).min().unwrap_or(u64::MAX);
        self.due_us = self.due_us.min(grace_us);
        if !self.peers.values().filter(counts).map(|peer| peer.id).eq(self.linked_nodes.iter().copied()) {
            self.linked_nodes = self.peers.values().filter(counts).map(|peer| peer.id).collect();
            self.facts += 1;
        }
    }
}
