//! One established link, as the side that sends sees it: cursors on the own change list, and what goes next.
//!
//! - `lane`: one walk along the list; `follower`: what the peer has
//! - `frame_builder`: how long a frame becomes; [`chunks`]: values too large for one
//! - `listing_sender`: all keys, where deletions may have been missed
//! - [`view`]: what a link reads of its node
//!
//! Two lanes walk the list towards its end. The *direct* one sends the own writes. The *relay* sends those of nodes
//! whose writes the peer does not get first-hand; where it gets all of them, nothing is sent twice. Both skip what the
//! peer's version vector covers. A third cursor, `safe`, trails: everything up to it that is not an own write was sent,
//! or the peer's vector proves that it has it. The relay goes back to it when a node becomes unreachable for the peer,
//! and a later link resumes there.
//!
//! When both are at the end of the list, the stream *claims*: from this frame on, the peer has every write of the nodes
//! the link is responsible for that this node has, or something newer. That is true only if whatever overwrote such
//! a write before it was sent is sent, too, even if it comes from a node the peer hears first-hand: that node may die,
//! and this one, and a third node would believe the peer's vector and keep the older write to itself. So an overwriting
//! change is *piggybacked*: from its position on the relay sends everything, until it has met the end. It does so also
//! where the write that was overwritten is an own one: nothing is claimed before both lanes are at the end.

pub(in crate::replication) mod chunks;
mod follower;
mod frame_builder;
mod lane;
mod listing_sender;
pub(in crate::replication) mod view;

use chunks::ChunkSender;
use follower::Follower;
use frame_builder::{Built, FRAME_ROWS, FrameBuilder};
use lane::Lane;
use listing_sender::{ListingSender, Step};
use view::View;

use crate::fault_injection;
use crate::replication::wire::vector::VersionVector;
use crate::replication::wire::{Ack, Cursor, Hello, Progress, WireChange};
use crate::store::{Change, NodeId, Stamp};

/// Changes that each lane looks at for one frame: as many as are sent, or one would fall behind the other. All three
/// of two peers take half a millisecond where nothing is in the cache.
const LOOKS: usize = FRAME_ROWS;
/// Where an atomic group goes on.
const LOOKS_MAX: usize = 4 << 10;

/// See the module. Invariant: `safe <= relay`.
pub(in crate::replication) struct Link {
    follower: Follower,
    /// The direct lane is here.
    direct: u64,
    relay: Lane,
    safe: u64,
    /// `safe` has more to look at, and nothing that holds it.
    safe_is_behind: bool,
    /// The relay sends everything that `safe` has not passed.
    relays_withheld: bool,
    listing: ListingSender,
    /// A large value that goes in chunks.
    chunks: Option<ChunkSender>,
    claimed: VersionVector,
    /// The direct lane and `safe` as the peer was told last.
    told: Option<(u64, u64)>,
    /// How far the peer is, as it said.
    received: Cursor,
    durable: Cursor,
}

impl Link {
    /// A link to a peer that said hello and is to be sent what comes after `resumed`.
    pub(in crate::replication) fn new(
        hello: &Hello,
        resumed: Cursor,
        collected: &VersionVector,
        view: View<'_>,
    ) -> Link {
        // An empty list does not end at 0, and positions leap at each start: a lane begins right before the first change
        // that it has to look at.
        let tail = view.store.last_position();
        let before_next = |at| view.store.changes_after(at).next().map_or(tail.max(at), |change| change.position - 1);
        let (direct, relay) = (before_next(resumed.direct), before_next(resumed.relay));
        let mut link = Link {
            follower: Follower::new(hello),
            direct,
            relay: Lane::after(relay),
            safe: relay,
            safe_is_behind: false,
            relays_withheld: false,
            listing: ListingSender::idle(),
            chunks: None,
            claimed: VersionVector::default(),
            told: None,
            received: resumed,
            durable: Cursor::default(),
        };
        // Any of what it lacks may have been overwritten meanwhile, by whomever.
        let lacks = view.vector.part(|node| link.follower.relies_on(view.own, node));
        let has_all = link.follower.includes(&lacks);
        if !has_all && relay < tail && !fault_injection::is("overwriting change not piggybacked where a link begins") {
            link.relay.piggyback(relay + 1);
        }
        // Also where it has nothing yet: by the time it hears of this node, another may have sent it what was deleted.
        if !hello.vector.includes(collected) {
            link.owe_listing(true);
        }
        link
    }

    /// Everything goes again, and then a full listing: the stores differ although nothing is under way.
    pub(in crate::replication) fn send_all_again(&mut self) {
        self.direct = 0;
        self.relay = Lane::after(0);
        self.safe = 0;
        self.owe_listing(false);
    }

    /// The peer said how far it is.
    pub(in crate::replication) fn acknowledged(&mut self, ack: &Ack, own_incarnation: u64) {
        if ack.received.incarnation == own_incarnation {
            self.received = ack.received;
        }
        if ack.durable.incarnation == own_incarnation {
            self.durable = ack.durable;
        }
        if self.follower.acknowledged(ack) {
            // What was held back because another node was to send it is due from here.
            self.relay.go_back(self.safe);
            self.relay.piggyback(self.safe + 1);
        }
    }

    /// The peer claims to have this.
    pub(in crate::replication) fn heard(&mut self, claims: &VersionVector) {
        self.follower.claimed(claims);
    }

    /// The peer has sent own writes up to this clock value.
    pub(in crate::replication) fn heard_up_to(&mut self, clock: u64) {
        self.follower.heard_up_to(clock);
    }

    /// The change `newer` at `position` has overwritten `older`, which stood at `before`.
    pub(in crate::replication) fn overwritten(
        &mut self,
        older: Stamp,
        before: u64,
        newer: Stamp,
        position: u64,
        own: NodeId,
    ) {
        if self.follower.relies_on(own, newer.node) || !self.follower.relies_on(own, older.node) || self.has(older) {
            return;
        }
        let reached = if older.node == own { self.direct } else { self.relay.at() };
        if before > reached && !fault_injection::is("overwriting change not piggybacked") {
            self.relay.piggyback(position);
        }
    }

    /// The change `older` came too late: `newer` is here already, at `position`. It may be an own one that a crash had
    /// lost.
    pub(in crate::replication) fn outdated(&mut self, older: Stamp, newer: Stamp, position: u64, own: NodeId) {
        let matters = self.follower.relies_on(own, older.node) && !self.has(older);
        let is_passed_over = fault_injection::is("change that is newer than a late one not piggybacked");
        if matters && !self.follower.relies_on(own, newer.node) && position > self.safe && !is_passed_over {
            self.relay.go_back(position - 1);
            self.relay.piggyback(position);
        }
    }

    /// Sends what was held back because the node that wrote it was to send it: it does not come.
    pub(in crate::replication) fn relay_withheld(&mut self, tail: u64) {
        if self.safe < self.relay.at() && self.relay.at() == tail && !self.safe_is_behind {
            self.relay = Lane::after(self.safe);
            self.relay.piggyback(self.safe + 1);
            self.relays_withheld = true;
        }
    }

    /// Writes the next frame, if there is anything to say. Returns whether there may be more.
    pub(in crate::replication) fn next_frame(
        &mut self,
        view: View<'_>,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> bool {
        let tail = view.store.last_position();
        let mut frame = FrameBuilder::new(scratch);
        self.send_flush(view, &mut frame);
        if self.direct < tail {
            self.walk_direct(view, &mut frame);
        }
        if self.relay.at() < tail && !frame.is_full() {
            self.walk_relay(view, &mut frame);
        }
        let Built { is_empty, large, has_chunked } = frame.finish();
        self.walk_safe(view);
        let met = self.direct == tail && self.relay.at() == tail;
        let claims = self.claims(view, met);
        if !is_empty || claims.as_ref().is_some_and(|claims| *claims != self.claimed) {
            let claims = claims.unwrap_or_default();
            self.tell(&claims, scratch, out);
            if !claims.is_empty() {
                self.claimed = claims;
            }
        }
        if let Some(change) = large {
            let begun = self.chunks.take().filter(|chunks| chunks.is_of(change.stamp));
            self.chunks.insert(begun.unwrap_or_else(|| ChunkSender::new(&change))).next(view.chunk_bytes_max(), out);
        } else if met || has_chunked {
            self.chunks = None;
        }
        if !met || !self.listing.is_busy() {
            return !met;
        }
        match self.listing.next(view, scratch, out) {
            Step::More => true,
            Step::Idle => false,
            Step::Complete(claims) => {
                self.tell(&claims, &[], out);
                false
            }
        }
    }

    /// Tells the peer how far the cursors are where it does not know.
    pub(in crate::replication) fn tell_cursors(&mut self, out: &mut Vec<u8>) {
        if self.told != Some((self.direct, self.safe)) {
            self.tell(&VersionVector::default(), &[], out);
        }
    }

    /// The incarnation of the peer.
    pub(in crate::replication) fn incarnation(&self) -> u64 {
        self.follower.incarnation()
    }

    /// How far the peer has the list, as it said.
    pub(in crate::replication) fn received(&self) -> Cursor {
        self.received
    }

    /// ... has it on disk.
    pub(in crate::replication) fn durable(&self) -> Cursor {
        self.durable
    }

    /// How far the cursors are that never go back.
    pub(in crate::replication) fn sent(&self) -> Cursor {
        Cursor { incarnation: self.follower.incarnation(), direct: self.direct, relay: self.safe }
    }

    /// Whether the peer has said that it has this write, which stands at `position`, or a newer one.
    pub(in crate::replication) fn has_said_of(&self, stamp: Stamp, position: u64) -> bool {
        self.reached() >= position || self.has(stamp)
    }

    /// Whether everything up to the end of the list is sent, or had, and acknowledged.
    pub(in crate::replication) fn is_acknowledged(&self, tail: u64) -> bool {
        self.received.direct == tail && self.received.relay == tail
    }

    /// The position up to which the peer has everything.
    pub(in crate::replication) fn reached(&self) -> u64 {
        self.received.direct.min(self.received.relay)
    }

    /// Whether the peer has all of this, as it said.
    pub(in crate::replication) fn includes(&self, vector: &VersionVector) -> bool {
        self.follower.includes(vector)
    }

    /// Whether nothing is left to be looked at up to the end of the list.
    pub(in crate::replication) fn is_walked(&self, tail: u64) -> bool {
        self.direct == tail && self.relay.at() == tail && !self.safe_is_behind && !self.is_listing()
    }

    /// Whether a whole frame waits to be sent, as far as positions tell.
    pub(in crate::replication) fn has_full_frame(&self, tail: u64) -> bool {
        self.is_listing() || tail.saturating_sub(self.direct.min(self.relay.at())) >= FRAME_ROWS as u64
    }

    /// Whether a full listing is owed or under way.
    pub(in crate::replication) fn is_listing(&self) -> bool {
        self.listing.is_busy()
    }

    /// Full listings sent.
    pub(in crate::replication) fn listings(&self) -> u64 {
        self.listing.completed()
    }

    fn owe_listing(&mut self, trusting: bool) {
        if fault_injection::is("listing never sent") {
            return;
        }
        self.listing.owe(trusting);
        self.relay.piggyback(0);
    }

    /// Whether the peer has this write, or newer, and that is believed.
    fn has(&self, stamp: Stamp) -> bool {
        !self.listing.distrusts() && self.follower.has(stamp)
    }

    /// A flush goes to every peer, whoever it is by and before anything else: it stands for writes that were not sent.
    /// The vector does not say: a node that was wiped may flush with a stamp that others take for one they have.
    fn send_flush(&mut self, view: View<'_>, frame: &mut FrameBuilder<'_, '_>) {
        for (database, stamp) in view.store.floors().iter() {
            let is_kept = fault_injection::is("flush sent by its author alone") && stamp.node != view.own;
            if self.follower.lacks_flush(database, stamp) && !is_kept {
                frame.put(WireChange { stamp, database, key: b"", value: None, expiry: None, chunked: 0 });
                self.follower.sent_flush(database, stamp);
            }
        }
    }

    fn walk_direct<'a>(&mut self, view: View<'a>, frame: &mut FrameBuilder<'_, 'a>) {
        self.direct = self.walk(view, self.direct, |change| change.stamp.node == view.own, frame);
    }

    fn walk_relay<'a>(&mut self, view: View<'a>, frame: &mut FrameBuilder<'_, 'a>) {
        let wanted = |change: &Change<'_>| {
            let node = change.stamp.node;
            !fault_injection::is("relay never started")
                && node != view.own
                && (!self.follower.hears_first_hand(node) || self.relay.piggybacks(change.position))
        };
        let reached = self.walk(view, self.relay.at(), wanted, frame);
        let tail = view.store.last_position();
        self.relay.reached(reached, tail);
        if reached == tail && std::mem::take(&mut self.relays_withheld) {
            self.safe = reached;
        }
    }

    /// Returns how far it came.
    fn walk<'a>(
        &self,
        view: View<'a>,
        after: u64,
        wanted: impl Fn(&Change<'_>) -> bool,
        frame: &mut FrameBuilder<'_, 'a>,
    ) -> u64 {
        let mut reached = after;
        for (looks, change) in view.store.changes_after(after).enumerate() {
            let is_gone = view.store.is_flushed(&change) || change.is_floor();
            if !is_gone && wanted(&change) && !self.has(change.stamp) && !self.put(view, &change, frame) {
                frame.stop_before(change);
                return reached;
            }
            reached = change.position;
            let is_full = looks + 1 >= LOOKS || frame.is_full();
            let is_overfull = looks + 1 >= LOOKS_MAX || frame.is_overfull();
            if is_overfull || (is_full && !view.store.goes_on_after(change.position)) {
                return reached;
            }
        }
        view.store.last_position()
    }

    /// Puts a change into the frame. Returns whether its value went with it, or before it.
    fn put(&self, view: View<'_>, change: &Change<'_>, frame: &mut FrameBuilder<'_, '_>) -> bool {
        let &Change { stamp, database, key, value, expiry, position, .. } = change;
        let expiry = expiry.filter(|_| !fault_injection::is("expiry not sent"));
        let value_bytes = value.map_or(0, <[u8]>::len);
        let is_grouped = value_bytes <= view.group_bytes_max() && view.store.is_grouped(position);
        if value_bytes <= view.whole_bytes_max || is_grouped {
            frame.put(WireChange { stamp, database, key, value, expiry, chunked: 0 });
            return true;
        }
        let went_before = self.chunks.as_ref().is_some_and(|chunks| chunks.is_of(stamp) && chunks.is_complete());
        if went_before {
            frame.put(WireChange { stamp, database, key, value: Some(b""), expiry, chunked: value_bytes });
        }
        went_before
    }

    fn walk_safe(&mut self, view: View<'_>) {
        self.safe_is_behind = false;
        if self.safe == self.relay.at() {
            return;
        }
        for (looks, change) in view.store.changes_after(self.safe).enumerate() {
            if change.position > self.relay.at() {
                break;
            }
            if looks == LOOKS {
                self.safe_is_behind = true;
                return;
            }
            let is_gone = view.store.is_flushed(&change) || change.is_floor();
            let relies = self.follower.relies_on(view.own, change.stamp.node);
            let is_withheld = !is_gone && !relies && !self.has(change.stamp);
            if is_withheld && !fault_injection::is("held writes counted as sent") {
                return;
            }
            self.safe = change.position;
        }
        self.safe = self.relay.at();
    }

    /// What the peer has for certain once it has what is sent. `met` says that both lanes are at the end.
    fn claims(&self, view: View<'_>, met: bool) -> Option<VersionVector> {
        if fault_injection::is("vector advanced too far") {
            return Some(view.vector.part(|_| true));
        }
        // Own writes, too, may have been overwritten by what the relay has not sent yet.
        if !met || self.is_listing() {
            return None;
        }
        let relayed = view.vector.part(|node| self.follower.relies_on(view.own, node));
        let has_all = self.follower.includes(&relayed);
        if has_all { Some(view.vector.part(|node| node == view.own)) } else { Some(relayed) }
    }

    fn tell(&mut self, claims: &VersionVector, changes: &[u8], out: &mut Vec<u8>) {
        self.told = Some((self.direct, self.safe));
        Progress { direct: self.direct, relay: self.safe, claims: claims.clone() }.encode(changes, out);
    }
}
