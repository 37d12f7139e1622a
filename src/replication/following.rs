//! What a peer's frames do here: changes to the store, claims to the vector, acknowledgements to its link.

use std::collections::{BTreeMap, HashSet};

use super::frame::{self, Ack, Changes, Fault, Frame, Items, Listing, Progress, Sent};
use super::handshake::SPEAKS;
use super::peer::{Agreement, SessionId};
use super::wire::Taken;
use super::{Here, MEND_US, Replication, Role, VersionVector, highest, is_ahead};
use crate::planted;
use crate::store::digest::key_hash;
use crate::store::{Applied, Clock, Content, NodeId, Now, OutOfMemory, Stamp, Store, Value, WARMED};

/// Frames other than changes taken in one turn.
const FRAMES_PER_TURN: usize = 16;
/// Entries compared with a full listing in one tick.
const PURGE_LOOKS: usize = 1 << 10;
/// Bytes of values dropped in one tick, but for the last: an open snapshot may want them first.
const PURGE_BYTES: usize = 1 << 18;
/// Of 10,000,000 keys each set holds 2,500.
const LISTED_SETS: usize = 1 << 12;

/// What is left after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another turn would find something to do.
    More,
    /// Bytes have to come first.
    Done,
    /// The data file has to take what would be overwritten.
    Held,
}

/// Hashes of the keys of a full listing, in sets so small that none takes long to grow.
pub(super) struct Listed(Vec<HashSet<u64>>);

impl Listed {
    fn new() -> Listed {
        Listed(vec![HashSet::new(); LISTED_SETS])
    }

    fn insert(&mut self, hash: u64) {
        self.0[hash as usize % LISTED_SETS].insert(hash);
    }

    fn contains(&self, hash: u64) -> bool {
        self.0[hash as usize % LISTED_SETS].contains(&hash)
    }

    fn len(&self) -> usize {
        self.0.iter().map(HashSet::len).sum()
    }
}

/// A full listing that is being compared with the store: what it covers and does not list was deleted.
pub(super) struct Purge {
    vector: VersionVector,
    listed: Listed,
    at: u64,
    buried: usize,
}

/// Full listings that are being compared, one of each peer, and what peers have claimed meanwhile. That counts once all
/// are compared: a crash before then must not leave a data file that has what was deleted, and says it lacks nothing.
#[derive(Default)]
pub(super) struct Purges {
    under_way: BTreeMap<NodeId, Purge>,
    pub(super) claims: VersionVector,
    /// What deletions the listers have forgotten: no trace of them is left here either, then.
    collected: VersionVector,
}

impl Purges {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(super) fn is_under_way(&self, peer: NodeId) -> bool {
        self.under_way.contains_key(&peer)
    }
}

impl Replication {
    /// Bytes have come; followed by [`Replication::turn`].
    pub fn receive(&mut self, session: SessionId, bytes: &[u8], now: Now) {
        let Some(line) = self.lines[session].as_deref_mut() else { return };
        if line.role == Role::Over {
            return;
        }
        line.wire.receive(bytes);
        if let Role::Linked(id) = line.role
            && let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut())
        {
            linked.heard_us = now.monotonic_us;
        }
    }

    /// What the connection waits for; `None` where it is not one between nodes, or over.
    pub fn waits(&self, session: SessionId) -> Option<Turn> {
        self.line(session).filter(|line| line.role != Role::Over).map(|line| line.waits)
    }

    /// Works on frames that have come: changes of one at most. `held` says that no change may be applied at present.
    pub fn turn(&mut self, session: SessionId, held: bool, here: &mut Here<'_>) -> Turn {
        let turn = self.take_frames(session, held, here);
        if let Some(line) = self.lines.get_mut(session).and_then(Option::as_deref_mut) {
            line.waits = turn;
        }
        turn
    }

    fn take_frames(&mut self, session: SessionId, held: bool, here: &mut Here<'_>) -> Turn {
        for _ in 0..FRAMES_PER_TURN {
            let Some(line) = self.lines.get_mut(session).and_then(Option::as_deref_mut) else { return Turn::Done };
            let role = line.role;
            if role == Role::Over {
                return Turn::Done;
            }
            let at = match line.wire.take(matches!(role, Role::Linked(_))) {
                Taken::Body(at) => at,
                Taken::Incomplete => return Turn::Done,
                Taken::Garbage(why) => {
                    self.garbage(session, role, why, here.now);
                    return Turn::Done;
                }
            };
            let inbox = line.wire.take_inbox();
            let frame = frame::decode(&inbox[at.clone()]);
            let is_changes = matches!(frame, Ok(Frame::Changes(_, changes)) if !changes.is_empty());
            if is_changes && held {
                line.wire.give_inbox(inbox);
                line.wire.put_back(&at);
                return Turn::Held;
            }
            self.take_frame(session, role, frame, here);
            if let Some(line) = self.lines[session].as_deref_mut() {
                line.wire.give_inbox(inbox);
            }
            if is_changes {
                return Turn::More;
            }
        }
        Turn::More
    }

    fn take_frame(&mut self, session: SessionId, role: Role, frame: Result<Frame<'_>, Fault>, here: &mut Here<'_>) {
        match (frame, role) {
            (Ok(Frame::Hello(hello)), Role::Dialed(_) | Role::Accepted) => {
                self.hello(session, role, &hello, here);
            }
            (Ok(Frame::Refusal(why, slowly)), _) => {
                self.hang_up(session);
                if let Role::Dialed(id) = role
                    && why.contains(SPEAKS)
                    && let Some(peer) = self.peers.get_mut(&id)
                {
                    peer.offer_other_version();
                }
                if role == Role::Accepted {
                    log::warn!("a node hung up: {why}");
                }
                self.lost(session, role, &why, slowly, here.now);
            }
            (Ok(Frame::Changes(progress, changes)), Role::Linked(id)) => {
                self.changes(session, id, progress, changes, here);
            }
            (Ok(Frame::Ack(ack)), Role::Linked(id)) if here.clock.is_rewound(ack.seen) => {
                if !self.refuse_ahead(session, id, ack.seen, here.now) {
                    self.rewind(id, ack.seen, 0, here);
                }
            }
            (Ok(Frame::Ack(ack)), Role::Linked(id)) => self.ack(id, &ack, here.store, here.now),
            (Ok(Frame::Listing(listing, items)), Role::Linked(id)) => self.listing(id, listing, items),
            (Ok(Frame::Message(audience, channel, message)), Role::Linked(_)) => {
                self.message(audience, channel, message)
            }
            (Ok(Frame::Terms(terms)), Role::Linked(id)) => self.take_terms(id, *terms, here.store),
            (Ok(Frame::Part(part)), Role::Linked(id)) => {
                let linked = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut());
                if linked.is_some_and(|linked| !linked.assembly.add(part)) {
                    self.garbage(session, role, "a part of a value that does not fit", here.now);
                }
            }
            (Ok(_), _) => self.garbage(session, role, "a frame that does not belong there", here.now),
            (Err(Fault::Version(version)), _) => self.other_version(session, role, version, here.now),
            (Err(Fault::Garbage(why)), _) => self.garbage(session, role, why, here.now),
        }
    }

    fn garbage(&mut self, session: SessionId, role: Role, why: &str, now: Now) {
        self.refuse(session, role, &format!("it sent {why}"), now, NodeId::MAX);
    }

    fn changes(
        &mut self,
        session: SessionId,
        id: NodeId,
        progress: Progress,
        changes: Changes<'_>,
        here: &mut Here<'_>,
    ) {
        let latest = highest(changes.iter().map(|change| change.stamp)).max(progress.claims.highest_of_all());
        if self.refuse_ahead(session, id, latest, here.now) {
            return;
        }
        let own_writes = changes.iter().map(|change| change.stamp).filter(|stamp| stamp.node == id);
        let heard = highest(own_writes);
        // Of a large value nothing but its change is in the frame.
        let apart = changes.iter().find(|change| change.apart > 0);
        let mut value_apart = None;
        if let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) {
            linked.link.heard_up_to(heard);
            value_apart = apart.and_then(|change| linked.assembly.take(change.stamp, change.apart));
        }
        let is_it = |change: Sent<'_>| value_apart.is_some() && apart.is_some_and(|apart| apart.stamp == change.stamp);
        if !changes.iter().filter(|change| change.apart > 0).all(is_it) {
            return self.garbage(session, Role::Linked(id), "a change without its value", here.now);
        }
        let mut ahead = changes.iter().map(|change| (change.key, true));
        for (number, change) in changes.iter().enumerate() {
            if number % WARMED == 0 {
                here.store.warm(ahead.by_ref());
            }
            let value =
                if change.apart > 0 { value_apart.as_ref().map(Value::from) } else { change.value.map(Value::from) };
            let applied = here.store.apply(change.key, value, change.expiry, change.stamp);
            let Ok(applied) = applied else {
                let Err(OutOfMemory) = applied else { return };
                return self.refuse(session, Role::Linked(id), "there is room for no more keys", here.now, id);
            };
            let grows = applied.position.is_some() && (change.value.is_some() || change.apart > 0);
            self.over_memory += u64::from(grows && here.store.is_over_limit());
            self.note_rival(change.stamp, applied);
            self.note_seen(change.stamp);
        }
        here.clock.observe(latest);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.cursor.direct = peer.cursor.direct.max(progress.direct);
        peer.cursor.relay = peer.cursor.relay.max(progress.relay);
        if !progress.claims.is_empty() {
            if let Some(linked) = &mut peer.linked {
                linked.link.heard(&progress.claims);
            }
            if !self.purges.is_empty() {
                self.purges.claims.merge(&progress.claims);
            } else if !self.vector.includes(&progress.claims) {
                self.vector.merge(&progress.claims);
                self.facts += 1;
            }
        }
    }

    /// Hangs up on a peer that knows stamps too far ahead, before any is merged: a future stamp would beat every write
    /// until that time has come. Returns whether it did.
    fn refuse_ahead(&mut self, session: SessionId, id: NodeId, clock: u64, now: Now) -> bool {
        let is_ahead = is_ahead(clock, now, self.limits.clock_drift_ms_max);
        if is_ahead {
            let ahead_s = Clock::unix_ms(clock).saturating_sub(now.unix_ms) / 1000;
            let own = self.identity.node;
            let why = format!("a write that node {id} knows is {ahead_s} s ahead of the clock of node {own}");
            self.refuse(session, Role::Linked(id), &why, now, id);
        }
        is_ahead
    }

    pub(super) fn note_seen(&mut self, stamp: Stamp) {
        let seen = self.seen.entry(stamp.node).or_default();
        *seen = (*seen).max(stamp.clock);
    }

    /// A change met another of the same key: links that had to send the one that lost may have to send the other.
    fn note_rival(&mut self, stamp: Stamp, applied: Applied) {
        let Some((rival, before)) = applied.rival else { return };
        if rival.node == stamp.node {
            return;
        }
        let own = self.identity.node;
        if let (Some(_), true) = (applied.position, rival.node == own) {
            self.overwritten = self.overwritten.max(before);
        }
        for linked in self.peers.values_mut().filter_map(|peer| peer.linked.as_mut()) {
            match applied.position {
                Some(position) => linked.link.overwritten(rival, before, stamp, position, own),
                None => linked.link.outdated(stamp, rival, before, own),
            }
        }
    }

    fn ack(&mut self, id: NodeId, ack: &Ack, store: &Store, now: Now) {
        let now_us = now.monotonic_us;
        let own_life = self.identity.life;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(linked) = &mut peer.linked else { return };
        let before = linked.link.received;
        linked.link.acknowledged(ack, own_life);
        if linked.link.received != before || linked.parted != ack.parted {
            linked.stuck_us = None;
        }
        linked.parted = ack.parted;
        linked.busy = ack.busy || ack.diverged;
        if linked.position != ack.position {
            (linked.position, linked.still_us) = (ack.position, now_us);
        }
        linked.catching_up.hear(ack.position);
        peer.durable_vector.clone_from(&ack.durable_vector);
        let tail = store.last_position();
        peer.received_lag.reach(linked.link.received.direct, now_us);
        peer.reached = Some(linked.link.reached());
        peer.durable_lag.reach(self.lives.position(ack.durable), now_us);

        // Each has all that the other has, up to the end of its list, and both digests were taken there.
        let still = linked.link.is_acknowledged(tail)
            && peer.cursor.direct == ack.position
            && peer.cursor.relay == ack.position
            && ack.listings == linked.link.listings
            && !linked.link.is_listing()
            && !(ack.busy || !self.purges.is_empty() || linked.listed.is_some() || store.is_sweeping());
        let content = store.content();
        let verdict = if !still {
            Agreement::Unknown
        } else if ack.content.is_same(&content) {
            Agreement::Agrees
        } else if ack.content.is_same_but_expiring(&content)
            && may_have_expired([content, ack.content], [now.unix_ms, ack.unix_ms], self.limits.clock_drift_ms_max)
        {
            Agreement::Unknown
        } else {
            Agreement::Diverged
        };
        let mend = (verdict == Agreement::Diverged || ack.diverged)
            && linked.mended_us.is_none_or(|last_us| now_us - last_us >= MEND_US);
        if mend {
            log::error!(
                "node {id} and this node differ although nothing is under way ({} keys there, {} here): \
                 both send everything again",
                ack.content.keys,
                content.keys
            );
            linked.mended_us = Some(now_us);
            linked.link.mend();
            self.due_us = 0;
        }
        if linked.agreement != verdict {
            linked.agreement = verdict;
            self.facts += 1;
        }
    }

    fn listing(&mut self, id: NodeId, listing: Listing, items: Items<'_>) {
        let Some(linked) = self.peers.get_mut(&id).and_then(|peer| peer.linked.as_mut()) else { return };
        match listing {
            Listing::Begin(vector) => linked.listed = Some((vector, Listed::new())),
            Listing::Items => {
                let Some((_, listed)) = &mut linked.listed else { return };
                items.iter().for_each(|(hash, _)| listed.insert(hash));
            }
            Listing::End => {
                linked.listings += 1;
                self.facts += 1;
                if let Some((vector, listed)) = linked.listed.take() {
                    log::info!("node {id} sent a full listing of {} keys and deletions", listed.len());
                    self.purges.collected.merge(&linked.collected);
                    self.purges.under_way.insert(id, Purge { vector, listed, at: 0, buried: 0 });
                    self.due_us = 0;
                }
            }
        }
    }

    /// Compares a bounded part of the store with a full listing.
    pub(super) fn purge(&mut self, store: &mut Store) {
        let Some(mut under_way) = self.purges.under_way.first_entry() else { return };
        let purge = under_way.get_mut();
        let (mut gone, mut bytes) = (Vec::new(), 0);
        let mut is_done = true;
        for (looks, change) in store.changes_after(purge.at).enumerate() {
            if looks == PURGE_LOOKS || bytes >= PURGE_BYTES {
                is_done = false;
                break;
            }
            purge.at = change.position;
            let covered = purge.vector.covers(change.stamp) || planted::is("listing drops what it does not cover");
            let known = covered && change.value.is_some() && !store.is_flushed(change.stamp);
            if known && !purge.listed.contains(key_hash(change.key)) {
                gone.push(change.slot);
                bytes += change.value.map_or(0, <[u8]>::len);
            }
        }
        purge.buried += gone.len();
        gone.into_iter().for_each(|slot| store.bury(slot));
        if is_done {
            log::info!("{} keys were dropped that the other nodes had deleted long ago", purge.buried);
            under_way.remove();
            if self.purges.is_empty() {
                self.vector.merge(&std::mem::take(&mut self.purges.claims));
                self.collected.merge(&std::mem::take(&mut self.purges.collected));
                self.facts += 1;
            }
        }
    }
}

/// Whether one of two clocks that differ by no more than is allowed may have passed what the other has not.
fn may_have_expired(contents: [Content; 2], unix_ms: [u64; 2], drift_ms_max: u64) -> bool {
    let latest_ms = unix_ms[0].max(unix_ms[1]).saturating_add(drift_ms_max);
    contents.iter().any(|content| content.next_expiry <= latest_ms)
}
