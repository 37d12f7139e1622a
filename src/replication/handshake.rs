//! Who may become a link: hellos, and what is wrong with them.

use super::frame::{Cursor, GREETING, Hello, Terms, VERSION, VERSION_MIN, encode_refusal};
use super::link::Link;
use super::parts::Assembly;
use super::peer::{Agreement, Linked, News, SessionId, Tie};
use super::readiness::CatchingUp;
use super::view::View;
use super::{Here, Replication, Role, highest_seen, is_ahead};
use crate::store::{Clock, NodeId, Now};

/// A link that something came over so lately is alive: another process of the same id is refused.
const ALIVE_US: u64 = 2_500_000;

/// What a refusal says because of a version: nodes of version 3 say it in words alone.
pub(super) const SPEAKS: &str = "it speaks version";

/// Why there is no link.
pub(super) enum Refused {
    /// Another link of the same two processes stays.
    Duplicate,
    /// Something has to be mended first.
    Mismatch(String),
}

impl Replication {
    /// Greets and says hello.
    pub(super) fn greet(&mut self, session: SessionId, to: NodeId, here: &Here<'_>) {
        self.keep_up(here.clock);
        let hello = Hello {
            version: self.peers.get(&to).map_or(VERSION, |peer| peer.version),
            node: self.identity.node,
            to,
            life: self.identity.life,
            unix_ms: here.now.unix_ms,
            clock: here.clock.last(),
            since: here.clock.span().0,
            seen: highest_seen(&self.seen, &self.vector, to),
            cursor: self.peers.get(&to).map(|peer| peer.cursor).unwrap_or_default(),
            floor: here.store.floor(),
            vector: self.vector.clone(),
            collected: self.collected.clone(),
            linked: self.linked_nodes.clone(),
            members: self.members.clone(),
        };
        if let Some(line) = self.lines[session].as_deref_mut() {
            let out = line.wire.outbox();
            out.extend_from_slice(GREETING);
            hello.encode(out);
            self.touched.push(session);
        }
    }

    /// A hello has come. Where it fits, there is a link from here on.
    pub(super) fn hello(&mut self, session: SessionId, role: Role, hello: &Hello, here: &mut Here<'_>) {
        let dialed = match role {
            Role::Dialed(id) => Some(id),
            Role::Accepted | Role::Linked(_) | Role::Over => None,
        };
        match self.check(hello, dialed, here.now) {
            // Before anything else: a second rewinding would forget what the first has yet to write again.
            Ok(()) if self.rewinding.is_some() => self.drop_line(session, "its links begin again", here.now),
            Ok(()) if self.knows_more(hello, here.clock) => {
                self.rewind(hello.node, hello.seen, hello.cursor.life, here);
            }
            Ok(()) => {
                if let Some(peer) = self.peers.get_mut(&hello.node) {
                    peer.version = hello.version;
                }
                if dialed.is_none() {
                    self.greet(session, hello.node, here);
                }
                self.link_up(session, dialed.is_some(), hello, here);
            }
            Err(Refused::Duplicate) => self.drop_line(session, "another link of the two is there", here.now),
            Err(Refused::Mismatch(why)) => self.refuse(session, role, &why, here.now, hello.node),
        }
    }

    /// A hello of another version of the frames has come.
    pub(super) fn other_version(&mut self, session: SessionId, role: Role, version: u16, now: Now) {
        let why = format!(
            "{SPEAKS} {version} of the replication protocol, and this node versions {VERSION_MIN} to {VERSION}"
        );
        self.refuse(session, role, &why, now, NodeId::MAX);
    }

    /// Hangs up with a reason that both sides log.
    pub(super) fn refuse(&mut self, session: SessionId, role: Role, why: &str, now: Now, from: NodeId) {
        let own = self.identity.node;
        let Some(line) = self.lines[session].as_deref_mut() else { return };
        if role == Role::Accepted {
            line.wire.outbox().extend_from_slice(GREETING);
        }
        encode_refusal(&format!("refused by node {own}: {why}"), true, line.wire.outbox());
        line.role = Role::Over;
        line.opened_us = now.monotonic_us;
        self.touched.push(session);
        match role {
            Role::Dialed(_) | Role::Linked(_) => self.lost(session, role, why, true, now),
            Role::Accepted | Role::Over => {
                let known = self.peers.get_mut(&from).filter(|peer| peer.linked.is_none());
                match known {
                    Some(peer) if peer.error.as_deref() == Some(why) => (),
                    Some(peer) => {
                        log::warn!("refused a link from node {from}: {why}");
                        peer.error = Some(why.to_owned());
                    }
                    None => log::warn!("refused a link: {why}"),
                }
            }
        }
    }

    /// Whether the peer knows a stamp or a life of this node that the data file does not.
    fn knows_more(&self, hello: &Hello, clock: &Clock) -> bool {
        let seen = hello.seen;
        let is_rewound = if self.has_linked { clock.is_rewound(seen) } else { clock.is_rewound_at_first(seen) };
        is_rewound || !self.lives.know(hello.cursor.life)
    }

    fn check(&self, hello: &Hello, dialed: Option<NodeId>, now: Now) -> Result<(), Refused> {
        let own = self.identity.node;
        let id = hello.node;
        let mismatch = |why: String| Err(Refused::Mismatch(why));
        if hello.life == self.identity.life {
            let address = dialed.or(Some(hello.to)).and_then(|id| self.members.get(usize::from(id)));
            let address = address.map_or("its address", String::as_str);
            return mismatch(format!("{address} leads to node {own} itself; check the config file"));
        }
        if let Some(meant) = dialed.filter(|&meant| meant != id) {
            let address = &self.members[usize::from(meant)];
            return mismatch(format!("node {id} answers at {address}, which is node {meant}'s address"));
        }
        if hello.to != own {
            return mismatch(format!("it looks for node {} at this address, but this is node {own}", hello.to));
        }
        if id == own {
            return mismatch(format!("two processes run as node {own}"));
        }
        for (place, (here, there)) in self.members.iter().zip(&hello.members).enumerate() {
            if !here.is_empty() && !there.is_empty() && here != there {
                return mismatch(format!(
                    "the config files differ: node {place} is {here} at node {own}, and {there} at node {id}"
                ));
            }
        }
        let Some(peer) = self.peers.get(&id) else {
            return mismatch(format!("node {id} is not in the config file of node {own}"));
        };
        // Whoever has seen a stamp has a clock past it; one who only says so would push this clock ahead for good.
        let clock = hello.clock.max(hello.seen);
        if is_ahead(clock, now, self.limits.clock_drift_ms_max) {
            let ahead_s = Clock::unix_ms(clock).saturating_sub(now.unix_ms) / 1000;
            return mismatch(format!(
                "the clock of node {id} is {ahead_s} s ahead of that of node {own} (its last write, or the time there); \
                 set both clocks right"
            ));
        }
        let Some(linked) = &peer.linked else { return Ok(()) };
        if linked.link.life != hello.life {
            let alive = now.monotonic_us - linked.heard_us < ALIVE_US;
            return if alive { mismatch(format!("another process runs as node {id}")) } else { Ok(()) };
        }
        // Of two links of the same processes the one dialed by the lower id stays; the side that accepts decides.
        if dialed.is_none() && linked.dialed && own < id { Err(Refused::Duplicate) } else { Ok(()) }
    }

    fn link_up(&mut self, session: SessionId, dialed: bool, hello: &Hello, here: &mut Here<'_>) {
        let now_us = here.now.monotonic_us;
        let own = self.identity.node;
        self.has_linked = true;
        let peer = self.peers.get_mut(&hello.node).expect("it was checked");
        if peer.cursor.life != hello.life {
            // Where in its new list that is, the peer will say.
            peer.cursor = Cursor { life: hello.life, direct: 0, relay: 0 };
        }
        // A disk that was wiped or put back holds less than was heard of it.
        peer.durable_vector = peer.durable_vector.intersection(&hello.vector);
        let resumed = self.lives.resume(hello.cursor, peer.sent, hello.life, here.store.last_position());
        let view = View { store: here.store, own, vector: &self.vector, whole_bytes_max: self.limits.whole_bytes_max };
        let link = Link::new(hello, resumed, self.overwritten, &self.collected, view);
        let relinked = peer.linked.is_some();
        let listing = link.is_listing();
        let earlier = peer.linked.replace(Linked {
            session,
            dialed,
            link,
            version: hello.version,
            terms: Terms { members: hello.members.clone(), memory_bytes_max: None },
            terms_told: None,
            difference: None,
            heard_us: now_us,
            acked_us: now_us,
            sent_us: 0,
            stuck_us: None,
            agreement: Agreement::Unknown,
            mended_us: None,
            said: News::default(),
            ack_wanted: true,
            ack_end: 0,
            listed: None,
            collected: hello.collected.clone(),
            position: 0,
            still_us: now_us,
            listings: 0,
            busy: false,
            catching_up: CatchingUp::new(!self.vector.includes(&hello.collected)),
            assembly: Assembly::default(),
            parted: 0,
        });
        peer.reached = Some(resumed.direct.min(resumed.relay));
        peer.received_lag.reach(resumed.direct, now_us);
        peer.since_us = if relinked { peer.since_us } else { now_us };
        peer.error = None;
        peer.forsaken = false;
        let pending = match peer.tie {
            Tie::Dialing(other) if other != session => Some(other),
            Tie::Dialing(_) | Tie::Waiting { .. } => None,
        };
        // A dial of the lower id goes on: its link is the one that stays.
        let pending = pending.filter(|_| hello.node < own);
        if pending.is_some() || peer.tie_is(session) {
            peer.tie = Tie::Waiting { until_us: now_us };
        }
        if let Some(line) = self.lines[session].as_deref_mut() {
            line.role = Role::Linked(hello.node);
        }
        for other in [earlier.map(|earlier| earlier.session), pending].into_iter().flatten() {
            self.hang_up(other);
        }
        if !relinked {
            log::info!("linked to node {}", hello.node);
        }
        if listing && hello.cursor.life == 0 {
            // Whoever begins here, with an empty disk or not, has no deletions of this node's to have missed.
            log::info!("node {} was never linked to this node: it gets all there is, and a full listing", hello.node);
        } else if listing {
            log::warn!("node {} may hold what was deleted while its disk was away: it gets a full listing", hello.node);
        }
        if self.vector.includes(&hello.collected) {
            self.collected.merge(&hello.collected);
        }
        self.facts += 1;
        self.due_us = 0;
    }
}
