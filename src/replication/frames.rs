//! What a peer's bytes lead to: who says hello and becomes a link, who is refused, and what a link's frames do.

use super::heard::Message;
use super::here::Here;
use super::inbound::{Inbound, it_sent};
use super::link::Link;
use super::link::view::View;
use super::peers::connections::{Role, SessionId, Standing, Turn};
use super::peers::handshake::{self, ONE_DATABASE, Refused, SPEAKS};
use super::peers::linked::Linked;
use super::peers::peer::Peer;
use super::wire::{
    self, Cursor, Fault, Frame, Hello, Publication, Taken, VERSION, VERSION_MIN, VERSION_WITH_DATABASES,
};
use super::{Identity, Replication};
use crate::store::{NodeId, Now, Store};

/// Frames other than changes taken in one turn.
const FRAMES_PER_TURN: usize = 16;
/// Messages that peers may have said in one turn before they are told.
const MESSAGES_MAX: usize = 1 << 10;

impl Replication {
    /// Bytes have come; followed by [`Replication::turn`].
    pub fn receive(&mut self, session: SessionId, bytes: &[u8], now: Now) {
        let Some(connection) = self.connections.get_mut(session) else { return };
        match connection.role() {
            Role::Over => return,
            Role::Linked(id) => {
                if let Some(peer) = self.peers.get_mut(id) {
                    peer.note_received(bytes.len());
                    if let Some(linked) = peer.linked_mut() {
                        linked.liveness.heard(now.monotonic_us);
                    }
                }
            }
            Role::Dialed(_) | Role::Accepted if !connection.may_receive(bytes.len()) => {
                return self.refuse_stranger(session, "it says more than a proof", now);
            }
            Role::Dialed(_) | Role::Accepted => (),
        }
        connection.stream.receive(bytes);
    }

    /// Works on frames that have come: changes of one at most. `held` says that no change may be applied at present.
    pub fn turn(&mut self, session: SessionId, held: bool, here: &mut Here<'_>) -> Turn {
        let turn = self.take_frames(session, held, here);
        if let Some(connection) = self.connections.get_mut(session) {
            connection.note_turn(turn);
        }
        turn
    }

    /// The version of the frames to offer, or to agree to.
    fn version_for(&self, to: NodeId, store: &Store) -> u16 {
        let version = self.peers.get(to).map_or(VERSION, Peer::version);
        // One that knows database 0 alone would be refused.
        if store.holds_other_databases() { version.max(VERSION_WITH_DATABASES) } else { version }
    }

    /// Greets and says hello.
    pub(super) fn greet(&mut self, session: SessionId, to: NodeId, here: &Here<'_>) {
        self.knowledge.keep_up(here.clock);
        let hello = Hello {
            version: self.version_for(to, here.store),
            node: self.identity.node,
            to,
            incarnation: self.identity.incarnation,
            unix_ms: here.now.unix_ms,
            clock: here.clock.last(),
            since: here.clock.span().0,
            seen: self.knowledge.highest_seen(to),
            cursor: self.peers.get(to).map_or(Cursor::default(), |peer| peer.cursor),
            floors: *here.store.floors(),
            vector: self.knowledge.vector().clone(),
            collected: self.knowledge.collected().clone(),
            linked: self.knowledge.first_hand().to_vec(),
            members: self.peers.members().to_vec(),
        };
        if let Some(connection) = self.connections.get_mut(session) {
            connection.greet();
            hello.encode(connection.stream.outbox());
            self.connections.touch(session);
        }
    }

    fn take_frames(&mut self, session: SessionId, held: bool, here: &mut Here<'_>) -> Turn {
        for _ in 0..FRAMES_PER_TURN {
            let Some(connection) = self.connections.get_mut(session) else { return Turn::Done };
            let role = connection.role();
            if role == Role::Over {
                return Turn::Done;
            }
            let at = match connection.stream.take(matches!(role, Role::Linked(_))) {
                Taken::Body(at) => at,
                Taken::Incomplete => return Turn::Done,
                Taken::Garbage(why) => {
                    match connection.standing() {
                        Standing::Unproven { .. } => self.refuse_stranger(session, &it_sent(why), here.now),
                        Standing::Believed | Standing::Proven(_) => {
                            self.refuse(session, &it_sent(why), None, here.now);
                        }
                    }
                    return Turn::Done;
                }
            };
            let standing = connection.standing();
            let inbox = connection.stream.take_inbox();
            let frame = wire::decode(&inbox[at.clone()]);
            let is_changes = matches!(frame, Ok(Frame::Changes(_, changes)) if !changes.is_empty());
            if is_changes && held {
                connection.stream.give_inbox(inbox);
                connection.stream.put_back(&at);
                return Turn::Held;
            }
            match standing {
                Standing::Unproven { binding, .. } => self.take_proof(session, role, binding, frame, here),
                Standing::Believed | Standing::Proven(_) => self.take_frame(session, role, frame, here),
            }
            if let Some(connection) = self.connections.get_mut(session) {
                connection.stream.give_inbox(inbox);
            }
            if is_changes {
                return Turn::More;
            }
        }
        Turn::More
    }

    fn take_frame(&mut self, session: SessionId, role: Role, frame: Result<Frame<'_>, Fault>, here: &mut Here<'_>) {
        let taken = match (frame, role) {
            (Ok(Frame::Hello(hello)), Role::Dialed(_) | Role::Accepted) => {
                return self.take_hello(session, role, &hello, here);
            }
            (Ok(Frame::Refusal(refusal)), _) => {
                self.connections.hang_up(session);
                if let Role::Dialed(id) = role
                    && refusal.why.contains(SPEAKS)
                    && let Some(peer) = self.peers.get_mut(id)
                {
                    peer.offer_other_version();
                }
                if let Role::Dialed(id) = role
                    && refusal.why.contains(ONE_DATABASE)
                    && let Some(peer) = self.peers.get_mut(id)
                {
                    peer.offer_latest_version();
                }
                if role == Role::Accepted {
                    self.peers.note_refusal_there(&refusal.why, here.now.monotonic_us);
                }
                return self.peers.lost(session, role, &refusal.why, refusal.slowly, here.now.monotonic_us);
            }
            (Ok(frame), Role::Linked(id)) => self.take_from_link(id, frame, here),
            (Ok(_), _) => Err(it_sent("a frame that does not belong there")),
            (Err(Fault::Version(version)), _) => Err(format!(
                "{SPEAKS} {version} of the replication protocol, and this node versions {VERSION_MIN} to {VERSION}"
            )),
            (Err(Fault::Garbage(why)), _) => Err(it_sent(why)),
        };
        if let Err(why) = taken {
            self.refuse(session, &why, None, here.now);
        }
    }

    /// An error is why to hang up.
    fn take_from_link(&mut self, id: NodeId, frame: Frame<'_>, here: &mut Here<'_>) -> Result<(), String> {
        let mut inbound = Inbound {
            from: id,
            knowledge: &mut self.knowledge,
            peers: &mut self.peers,
            purges: &mut self.purges,
            limits: self.limits,
            memory: &mut self.memory,
            conflicts: &mut self.conflicts,
            incarnations: &self.incarnations,
        };
        match frame {
            Frame::Changes(progress, changes) => return inbound.changes(&progress, changes, here),
            Frame::Ack(ack) if here.clock.is_rewound(ack.seen) => {
                inbound.check_clock(ack.seen, here.now)?;
                self.roll_back(id, ack.seen, 0, here);
            }
            Frame::Ack(ack) => {
                if inbound.ack(&ack, here.store, here.now) {
                    self.due_us = 0;
                }
            }
            Frame::Listing(listing) => {
                if inbound.listing(listing) {
                    self.due_us = 0;
                }
            }
            Frame::Message(Publication { audience, channel, message }) => {
                if self.messages.len() < MESSAGES_MAX {
                    let (channel, message) = (channel.to_vec(), message.to_vec());
                    self.messages.push(Message { audience, channel, message });
                }
            }
            Frame::Chunk(chunk) => return inbound.chunk(chunk),
            Frame::Status(status) => self.hear_status(id, &status, here.now),
            Frame::Terms(terms) => {
                let ours = self.terms(here.store);
                if let Some(linked) = self.peers.linked_mut(id) {
                    linked.terms.hear(*terms);
                    linked.terms.compare(&ours, self.identity.node, id);
                }
            }
            Frame::Hello(_) | Frame::Refusal(_) | Frame::Proof(_) => {
                return Err(it_sent("a frame that does not belong there"));
            }
        }
        Ok(())
    }

    /// A hello has come. Where it fits, there is a link from here on.
    fn take_hello(&mut self, session: SessionId, role: Role, hello: &Hello, here: &mut Here<'_>) {
        let dialed = match role {
            Role::Dialed(id) => Some(id),
            Role::Accepted | Role::Linked(_) | Role::Over => None,
        };
        let Identity { node, incarnation } = self.identity;
        if let Some(Standing::Proven(proven)) = self.connections.get(session).map(|connection| connection.standing())
            && proven != hello.node
        {
            let why = format!("it has proven to be node {proven}, and says that it is node {}", hello.node);
            return self.refuse(session, &why, None, here.now);
        }
        let fits = handshake::check(hello, dialed, node, incarnation, &self.peers, self.limits, here.now);
        let fits = fits.and_then(|()| {
            let knows = handshake::check_databases(hello.node, hello.version, node, here.store);
            knows.map_err(Refused::Mismatch)
        });
        match fits {
            // Before anything else: a second recovery would forget what the first has yet to write again.
            Ok(()) if self.rollback.is_under_way() => self.drop_connection(session, "its links begin again", here.now),
            Ok(())
                if self.rollback.is_proven_by(hello.seen, here.clock)
                    || !self.incarnations.know(hello.cursor.incarnation) =>
            {
                self.roll_back(hello.node, hello.seen, hello.cursor.incarnation, here);
            }
            Ok(()) => {
                if let Some(peer) = self.peers.get_mut(hello.node) {
                    peer.agree_on_version(hello.version);
                }
                if dialed.is_none() {
                    self.greet(session, hello.node, here);
                }
                self.link_up(session, dialed.is_some(), hello, here);
            }
            Err(Refused::Duplicate) => self.drop_connection(session, "another link of the two is there", here.now),
            Err(Refused::Mismatch(why)) => self.refuse(session, &why, Some(hello.node), here.now),
        }
    }

    fn link_up(&mut self, session: SessionId, dialed: bool, hello: &Hello, here: &Here<'_>) {
        self.rollback.note_link();
        let peer = self.peers.get_mut(hello.node).expect("it was checked");
        peer.greeted(hello);
        let tail = here.store.last_position();
        let resumed = self.incarnations.resume(hello.cursor, peer.sent_before(), hello.incarnation, tail);
        let knowledge = &mut self.knowledge;
        let (own, whole_bytes_max) = (self.identity.node, self.limits.whole_bytes_max);
        let view = View { store: here.store, own, vector: knowledge.vector(), whole_bytes_max };
        let link = Link::new(hello, resumed, knowledge.collected(), view);
        let (was_linked, lists) = (peer.is_linked(), link.is_listing());
        let (now_us, awaits_listing) = (here.now.monotonic_us, !knowledge.vector().includes(&hello.collected));
        let linked = Linked::new(session, dialed, hello, link, awaits_listing, now_us);
        let replaced = peer.link_up(linked, own, now_us);
        if let Some(connection) = self.connections.get_mut(session) {
            connection.become_link(hello.node);
        }
        for other in replaced.into_iter().flatten() {
            self.connections.hang_up(other);
        }
        if !was_linked {
            log::info!(event = "peer_linked", peer = hello.node; "linked to node {}", hello.node);
        }
        if lists && hello.cursor.incarnation == 0 {
            // Whoever begins here, with an empty disk or not, has no deletions of this node's to have missed.
            log::info!(
                event = "full_listing_sent", peer = hello.node;
                "node {} was never linked to this node: it gets all there is, and a full listing", hello.node
            );
        } else if lists {
            log::warn!(
                event = "full_listing_sent", peer = hello.node;
                "node {} may hold what was deleted while its disk was away: it gets a full listing", hello.node
            );
        }
        knowledge.learn_collected(&hello.collected);
        knowledge.changed();
        self.due_us = 0;
    }

    /// A peer knows more of this node than its data file does.
    fn roll_back(&mut self, peer: NodeId, seen: u64, incarnation: u64, here: &mut Here<'_>) {
        log::warn!(
            event = "data_file_is_old", peer;
            "node {peer} knows writes of this node that its data file does not: it was wiped or is an old copy. \
             What was written since the start is written again, and the rest comes back from the other nodes"
        );
        self.incarnations.forget(incarnation);
        let (has_met_any, chance) = (self.peers.has_met_any(), self.identity.incarnation);
        let after = self.rollback.begin(seen, has_met_any, chance, here.clock, here.store, here.now);
        self.knowledge.cut_own(after);
        self.purges.cut(self.identity.node, after);
        for session in 0..self.connections.end() {
            let why = "the data file was wiped or is an old copy: links begin again";
            self.drop_connection(session, why, here.now);
        }
        self.due_us = 0;
    }

    /// Hangs up with a reason that both sides log; `from` is who said hello.
    pub(super) fn refuse(&mut self, session: SessionId, why: &str, from: Option<NodeId>, now: Now) {
        let Some(role) = self.connections.get(session).map(|connection| connection.role()) else { return };
        let refusal = format!("refused by node {}: {why}", self.identity.node);
        self.connections.refuse(session, &refusal, now.monotonic_us);
        match role {
            Role::Dialed(_) | Role::Linked(_) => self.peers.lost(session, role, why, true, now.monotonic_us),
            Role::Accepted | Role::Over => self.peers.note_refusal(from.unwrap_or(NodeId::MAX), why, now.monotonic_us),
        }
    }
}
