//! One established link, as the side that sends sees it: cursors on the own change list, and what goes next.
//!
//! Two cursors walk the list towards its end. The *direct* cursor sends the own writes. The *relay* cursor sends those
//! of nodes whose writes the peer does not get first-hand; where it gets all of them, nothing is sent twice. Both skip
//! what the peer's version vector covers. A third one, `safe`, trails: everything up to it that is not an own write was
//! sent or is had for certain. It is what the relay goes back to when a node becomes unreachable for the peer, and
//! where a later link resumes.
//!
//! When the cursors are at the end of the list, the stream *claims*: from this frame on, the peer has every write of
//! the nodes the link is responsible for that this node has, or something newer. That is true only if whatever
//! overwrote such a write before it was sent is sent, too, even if it comes from a node the peer hears first-hand: that
//! node may die, and this one, and a third node would believe the peer's vector and keep the older write to itself. So
//! an overwriting change sets a `carry` position, from which on everything goes, until the cursor has met the end.

use super::draft::{Draft, FRAME_ROWS};
use super::frame::{Ack, Cursor, Hello, ITEMS_MAX, Items, Listing, Progress, Sent};
use super::parts::Parting;
use super::vector::VersionVector;
use super::view::View;
use crate::planted;
use crate::store::digest::key_hash;
use crate::store::{Change, NodeId, Stamp};

/// Changes that each cursor looks at for one frame: as many as are sent, or one would fall behind the other. All three
/// of two peers take half a millisecond where nothing is in the cache.
const LOOKS: usize = FRAME_ROWS;
/// Where changes belong together.
const LOOKS_MAX: usize = 4 << 10;
/// No position.
const NONE: u64 = u64::MAX;

/// What goes on beside the changes.
enum Extra {
    Nothing,
    /// The peer may hold what was deleted so long ago that nobody remembers: everything is sent that its vector does
    /// not cover (or that it may not), and then a list of all that is held.
    ListingOwed {
        trusting: bool,
    },
    /// The list is on its way, up to that position.
    ListingSent {
        up_to: u64,
        vector: VersionVector,
    },
}

/// See the module. Invariant: `safe <= relay`.
pub(super) struct Link {
    pub(super) peer: NodeId,
    /// Of the peer's process.
    pub(super) life: u64,
    /// The peer has all its own stamps above the first that it has sent up to the second.
    since: u64,
    heard: u64,
    /// Full listings sent.
    pub(super) listings: u64,
    direct: u64,
    relay: u64,
    safe: u64,
    carry_direct: u64,
    carry_relay: u64,
    /// What the peer has, as it said.
    vector: VersionVector,
    /// The latest flush that the peer has, or was sent.
    floor: Stamp,
    /// Whose writes the peer gets first-hand, in rising order.
    linked: Vec<NodeId>,
    extra: Extra,
    claimed: VersionVector,
    /// The cursors as the peer was told last.
    told: (u64, u64),
    /// The relay sends everything that the trailing cursor has not passed.
    sends_held: bool,
    /// The trailing cursor has more to look at, and nothing that holds it.
    safe_is_behind: bool,
    /// A large value that goes in parts.
    parting: Option<Parting>,
    /// How far the peer is, as it said.
    pub(super) received: Cursor,
    pub(super) durable: Cursor,
}

impl Link {
    /// A link to a peer that said hello and is to be sent what comes after `resumed`. `overwritten` is the highest
    /// position at which an own write was overwritten by another node's.
    pub(super) fn new(
        hello: &Hello,
        resumed: Cursor,
        overwritten: u64,
        collected: &VersionVector,
        view: View<'_>,
    ) -> Link {
        let Cursor { direct, relay, .. } = resumed;
        let mut link = Link {
            peer: hello.node,
            life: hello.life,
            since: hello.since,
            heard: 0,
            listings: 0,
            direct,
            relay,
            safe: relay,
            carry_direct: if overwritten > direct { direct + 1 } else { NONE },
            carry_relay: NONE,
            vector: hello.vector.clone(),
            floor: hello.floor,
            linked: hello.linked.clone(),
            extra: Extra::Nothing,
            claimed: VersionVector::default(),
            told: (NONE, NONE),
            sends_held: false,
            safe_is_behind: false,
            parting: None,
            received: resumed,
            durable: Cursor::default(),
        };
        let lacks = view.vector.part(|node| link.answers_for(node, view.own));
        if !link.vector.includes(&lacks) {
            link.carry_relay = relay + 1;
        }
        // Also where it has nothing yet: by the time it hears of this node, another may have sent it what was deleted.
        if !hello.vector.includes(collected) {
            link.owe_listing(true);
        }
        link
    }

    /// Everything goes again, and then a full listing: the stores differ although nothing is under way.
    pub(super) fn mend(&mut self) {
        (self.direct, self.relay, self.safe) = (0, 0, 0);
        self.owe_listing(false);
    }

    /// Whether a full listing is owed or under way.
    pub(super) fn is_listing(&self) -> bool {
        !matches!(self.extra, Extra::Nothing)
    }

    /// The peer said how far it is.
    pub(super) fn acknowledged(&mut self, ack: &Ack, own_life: u64) {
        if ack.received.life == own_life {
            self.received = ack.received;
        }
        if ack.durable.life == own_life {
            self.durable = ack.durable;
        }
        self.vector.clone_from(&ack.vector);
        self.floor = self.floor.max(ack.floor);
        let lost = self.linked.iter().any(|node| ack.linked.binary_search(node).is_err());
        self.linked.clone_from(&ack.linked);
        if lost {
            // What was held back because another node was to send it is due from here.
            self.relay = self.safe;
            self.carry_relay = self.carry_relay.min(self.safe + 1);
        }
    }

    /// The peer has sent this itself.
    pub(super) fn heard(&mut self, claims: &VersionVector) {
        self.vector.merge(claims);
    }

    /// The peer has sent own writes up to this.
    pub(super) fn heard_up_to(&mut self, clock: u64) {
        self.heard = self.heard.max(clock);
    }

    /// The change `newer` at `position` has overwritten `older`, which stood at `before`.
    pub(super) fn overwritten(&mut self, older: Stamp, before: u64, newer: Stamp, position: u64, own: NodeId) {
        if self.answers_for(newer.node, own) || self.is_had(older) {
            return;
        }
        if older.node == own && before > self.direct {
            self.carry_direct = self.carry_direct.min(position);
        } else if older.node != own && self.answers_for(older.node, own) && before > self.relay {
            self.carry_relay = self.carry_relay.min(position);
        }
    }

    /// The change `older` came too late: `newer` is here already, at `position`. It may be an own one that a crash had
    /// lost.
    pub(super) fn outdated(&mut self, older: Stamp, newer: Stamp, position: u64, own: NodeId) {
        let matters = self.answers_for(older.node, own) && !self.is_had(older);
        if matters && !self.answers_for(newer.node, own) && position > self.safe {
            self.relay = self.relay.min(position - 1);
            self.carry_relay = self.carry_relay.min(position);
        }
    }

    /// Sends what was held back because the node that wrote it was to send it: it does not come.
    pub(super) fn relay_held(&mut self, tail: u64) {
        if self.safe < self.relay && self.relay == tail && !self.safe_is_behind {
            self.relay = self.safe;
            self.carry_relay = self.safe + 1;
            self.sends_held = true;
        }
    }

    /// Writes the next frame, if there is anything to say. Returns whether there may be more.
    pub(super) fn next_frame(&mut self, view: View<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        scratch.clear();
        let tail = view.store.last_position();
        let mut draft = Draft::new(scratch);
        self.send_floor(view, &mut draft);
        if self.direct < tail {
            self.walk_direct(view, &mut draft);
        }
        if self.relay < tail && !draft.is_full() {
            self.walk_relay(view, &mut draft);
        }
        let Draft { rows, large, has_parted, .. } = draft;
        self.walk_safe(view);
        let met = self.direct == tail && self.relay == tail;
        let claims = self.claims(view, tail);
        if rows > 0 || claims.as_ref().is_some_and(|claims| *claims != self.claimed) {
            let claims = claims.unwrap_or_default();
            self.tell(&claims, scratch, out);
            if !claims.is_empty() {
                self.claimed = claims;
            }
        }
        if let Some(change) = large {
            let begun = self.parting.take().filter(|parting| parting.stamp == change.stamp);
            self.parting.insert(begun.unwrap_or_else(|| Parting::new(&change))).next(view.part_bytes_max(), out);
        } else if met || has_parted {
            self.parting = None;
        }
        if met && self.is_listing() {
            return self.list(view, scratch, out);
        }
        !met
    }

    /// Tells the peer how far the cursors are where it does not know.
    pub(super) fn tell_cursors(&mut self, out: &mut Vec<u8>) {
        if self.told != (self.direct, self.safe) {
            self.tell(&VersionVector::default(), &[], out);
        }
    }

    /// How far the cursors are that never go back.
    pub(super) fn sent(&self) -> Cursor {
        Cursor { life: self.life, direct: self.direct, relay: self.safe }
    }

    /// Whether everything up to the end of the list is sent, or had, and acknowledged.
    pub(super) fn is_acknowledged(&self, tail: u64) -> bool {
        self.received.direct == tail && self.received.relay == tail
    }

    /// The position up to which the peer has everything.
    pub(super) fn reached(&self) -> u64 {
        self.received.direct.min(self.received.relay)
    }

    /// Whether nothing is left to be looked at up to the end of the list.
    pub(super) fn is_walked(&self, tail: u64) -> bool {
        self.direct == tail && self.relay == tail && !self.safe_is_behind && !self.is_listing()
    }

    /// Whether a whole frame waits to be sent, as far as positions tell.
    pub(super) fn has_full_frame(&self, tail: u64) -> bool {
        self.is_listing() || tail.saturating_sub(self.direct.min(self.relay)) >= FRAME_ROWS as u64
    }

    fn owe_listing(&mut self, trusting: bool) {
        if planted::is("listing never sent") {
            return;
        }
        self.extra = Extra::ListingOwed { trusting };
        (self.carry_direct, self.carry_relay) = (0, 0);
    }

    /// Whether the peer relies on this link for the node's writes.
    fn answers_for(&self, node: NodeId, own: NodeId) -> bool {
        node == own || self.linked.binary_search(&node).is_err()
    }

    /// Whether the peer has this write, or newer.
    fn is_had(&self, stamp: Stamp) -> bool {
        if let Extra::ListingOwed { trusting: false } = self.extra {
            return false;
        }
        if planted::is("author believed to have all its writes") && stamp.node == self.peer {
            return true;
        }
        self.vector.covers(stamp) || (stamp.node == self.peer && self.since < stamp.clock && stamp.clock <= self.heard)
    }

    /// A flush goes to every peer, whoever it is by and before anything else: it stands for writes that were not sent,
    /// and whoever has it may be the last to have it. The vector does not say: a node that was wiped may flush with a
    /// stamp that others take for one they have.
    fn send_floor(&mut self, view: View<'_>, draft: &mut Draft<'_, '_>) {
        let stamp = view.store.floor();
        let is_kept = planted::is("flush sent by its author alone") && stamp.node != view.own;
        if self.floor < stamp && !is_kept {
            Sent { stamp, key: b"", value: None, expiry: None, apart: 0 }.encode(draft.bytes);
            (self.floor, draft.rows) = (stamp, draft.rows + 1);
        }
    }

    fn walk_direct<'a>(&mut self, view: View<'a>, draft: &mut Draft<'_, 'a>) {
        let wanted =
            |link: &Link, change: &Change<'_>| change.stamp.node == view.own || change.position >= link.carry_direct;
        self.direct = self.walk(view, self.direct, wanted, draft);
        if self.direct == view.store.last_position() {
            self.carry_direct = NONE;
        }
    }

    fn walk_relay<'a>(&mut self, view: View<'a>, draft: &mut Draft<'_, 'a>) {
        let wanted = |link: &Link, change: &Change<'_>| {
            let node = change.stamp.node;
            !planted::is("relay never started")
                && node != view.own
                && (link.linked.binary_search(&node).is_err() || change.position >= link.carry_relay)
        };
        self.relay = self.walk(view, self.relay, wanted, draft);
        if self.relay == view.store.last_position() {
            self.carry_relay = NONE;
            if std::mem::take(&mut self.sends_held) {
                self.safe = self.relay;
            }
        }
    }

    /// Returns how far it came.
    fn walk<'a>(
        &self,
        view: View<'a>,
        after: u64,
        wanted: impl Fn(&Link, &Change<'_>) -> bool,
        draft: &mut Draft<'_, 'a>,
    ) -> u64 {
        let mut reached = after;
        for (looks, change) in view.store.changes_after(after).enumerate() {
            let is_gone = view.store.is_flushed(change.stamp) || change.stamp == view.store.floor();
            if !is_gone && wanted(self, &change) && !self.is_had(change.stamp) {
                let Change { stamp, key, value, expiry, .. } = change;
                let expiry = expiry.filter(|_| !planted::is("expiry not sent"));
                let value_bytes = value.map_or(0, <[u8]>::len);
                let is_together = value_bytes <= view.together_bytes_max() && view.store.is_together(change.position);
                if value_bytes <= view.whole_bytes_max || is_together {
                    Sent { stamp, key, value, expiry, apart: 0 }.encode(draft.bytes);
                } else if self.parting.as_ref().is_some_and(|parting| parting.stamp == stamp && parting.is_complete()) {
                    Sent { stamp, key, value: Some(b""), expiry, apart: value_bytes }.encode(draft.bytes);
                    draft.has_parted = true;
                } else {
                    draft.large = Some(change);
                    return reached;
                }
                draft.rows += 1;
            }
            reached = change.position;
            let is_full = looks + 1 >= LOOKS || draft.is_full();
            let is_overfull = looks + 1 >= LOOKS_MAX || draft.is_overfull();
            if is_overfull || (is_full && !view.store.goes_on_after(change.position)) {
                return reached;
            }
        }
        view.store.last_position()
    }

    fn walk_safe(&mut self, view: View<'_>) {
        self.safe_is_behind = false;
        if self.safe == self.relay {
            return;
        }
        for (looks, change) in view.store.changes_after(self.safe).enumerate() {
            if change.position > self.relay {
                break;
            }
            if looks == LOOKS {
                self.safe_is_behind = true;
                return;
            }
            let is_gone = view.store.is_flushed(change.stamp) || change.stamp == view.store.floor();
            let is_held = !is_gone && !self.answers_for(change.stamp.node, view.own) && !self.is_had(change.stamp);
            if is_held && !planted::is("held writes counted as sent") {
                return;
            }
            self.safe = change.position;
        }
        self.safe = self.relay;
    }

    /// What the peer has for certain once it has what is sent.
    fn claims(&self, view: View<'_>, tail: u64) -> Option<VersionVector> {
        if planted::is("vector advanced too far") {
            return Some(view.vector.part(|_| true));
        }
        // Own writes, too, may have been overwritten by what the relay has not sent yet.
        if self.direct != tail || self.relay != tail || self.is_listing() {
            return None;
        }
        let relayed = view.vector.part(|node| self.answers_for(node, view.own));
        if self.vector.includes(&relayed) { Some(view.vector.part(|node| node == view.own)) } else { Some(relayed) }
    }

    fn tell(&mut self, claims: &VersionVector, changes: &[u8], out: &mut Vec<u8>) {
        self.told = (self.direct, self.safe);
        Progress { direct: self.direct, relay: self.safe, claims: claims.clone() }.encode(changes, out);
    }

    /// The next part of the full listing. Returns whether there is more.
    fn list(&mut self, view: View<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        scratch.clear();
        match &mut self.extra {
            Extra::Nothing => false,
            Extra::ListingOwed { .. } => {
                Listing::Begin(view.vector.clone()).encode(&[], out);
                self.extra = Extra::ListingSent { up_to: 0, vector: view.vector.clone() };
                true
            }
            Extra::ListingSent { up_to, vector } => {
                let mut looks = 0;
                for change in view.store.changes_after(*up_to).take(ITEMS_MAX) {
                    if !view.store.is_flushed(change.stamp) {
                        Items::encode(key_hash(change.key), change.stamp, scratch);
                    }
                    *up_to = change.position;
                    looks += 1;
                }
                Listing::Items.encode(scratch, out);
                if looks == ITEMS_MAX {
                    return true;
                }
                Listing::End.encode(&[], out);
                let claims = std::mem::take(vector);
                self.extra = Extra::Nothing;
                self.listings += 1;
                self.tell(&claims, &[], out);
                false
            }
        }
    }
}
