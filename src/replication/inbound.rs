//! What a linked peer's frames do here: changes to the store, claims to the vector, acknowledgements to its link.

use super::conflicts::{Conflicts, Meeting};
use super::here::Here;
use super::knowledge::Knowledge;
use super::limits::Limits;
use super::over_memory::OverMemory;
use super::peers::Peers;
use super::peers::incarnations::Incarnations;
use super::repair::comparison::Agreement;
use super::repair::purge::{IncomingListing, Purges};
use super::wire::{Ack, Changes, Chunk, Listing, Progress, WireChange};
use crate::fault_injection;
use crate::store::{Applied, Clock, Database, NodeId, Now, PREFETCHED, Stamp, Store, Value};

/// The peer that speaks, and what its frames may change.
pub(super) struct Inbound<'a> {
    pub(super) from: NodeId,
    pub(super) knowledge: &'a mut Knowledge,
    pub(super) peers: &'a mut Peers,
    pub(super) purges: &'a mut Purges,
    pub(super) limits: Limits,
    pub(super) memory: &'a mut OverMemory,
    pub(super) conflicts: &'a mut Conflicts,
    pub(super) incarnations: &'a Incarnations,
}

impl Inbound<'_> {
    /// Applies changes in one step, and takes over what the peer claims. An error is what is wrong with the peer.
    pub(super) fn changes(
        &mut self,
        progress: &Progress,
        changes: Changes<'_>,
        here: &mut Here<'_>,
    ) -> Result<(), String> {
        let highest = |stamps: &mut dyn Iterator<Item = Stamp>| stamps.map(|stamp| stamp.clock).max().unwrap_or(0);
        let mut stamps = changes.iter().map(|change| change.stamp);
        let latest = highest(&mut stamps).max(progress.claims.highest_of_all());
        self.check_clock(latest, here.now)?;
        let mut own_writes = changes.iter().map(|change| change.stamp).filter(|stamp| stamp.node == self.from);
        let heard = highest(&mut own_writes);
        // Of a large value nothing but its change is in the frame.
        let chunked = changes.iter().find(|change| change.chunked > 0);
        let mut value_before = None;
        if let Some(linked) = self.peers.linked_mut(self.from) {
            linked.outbound.heard_up_to(heard);
            value_before = chunked
                .and_then(|change| linked.inbound.chunks.take(change.stamp, change.chunked))
                .map(|value| here.store.own(value));
        }
        let is_it =
            |change: WireChange<'_>| value_before.is_some() && chunked.is_some_and(|one| one.stamp == change.stamp);
        if !changes.iter().filter(|change| change.chunked > 0).all(is_it) {
            return Err(it_sent("a change without its value"));
        }
        let mut ahead = changes.iter().map(|change| (change.key, true));
        for (number, change) in changes.iter().enumerate() {
            here.store.select(database_of(change));
            if number % PREFETCHED == 0 {
                here.store.prefetch(ahead.by_ref());
            }
            let value = match change.chunked {
                0 => change.value.map(Value::from),
                _ => value_before.as_ref().map(Value::from),
            };
            let Ok(applied) = here.store.apply(change.key, value, change.expiry, change.stamp) else {
                return Err("there is room for no more keys".to_owned());
            };
            let grows = applied.position.is_some() && (change.value.is_some() || change.chunked > 0);
            if grows && here.store.is_over_limit() {
                self.memory.note_taken();
            }
            self.note_rival(change.stamp, &applied);
            self.knowledge.note_seen(change.stamp);
        }
        here.clock.observe(latest);
        let Some(peer) = self.peers.get_mut(self.from) else { return Ok(()) };
        peer.cursor.direct = peer.cursor.direct.max(progress.direct);
        peer.cursor.relay = peer.cursor.relay.max(progress.relay);
        if !progress.claims.is_empty() {
            if let Some(linked) = peer.linked_mut() {
                linked.outbound.heard(&progress.claims);
            }
            if self.purges.is_empty() {
                self.knowledge.merge(&progress.claims);
            } else {
                self.purges.claim(&progress.claims);
            }
        }
        Ok(())
    }

    /// The peer says how far it is. Returns whether everything is to be sent again.
    pub(super) fn ack(&mut self, ack: &Ack, store: &Store, now: Now) -> bool {
        let now_us = now.monotonic_us;
        let Some(peer) = self.peers.get_mut(self.from) else { return false };
        peer.note_clock(ack.unix_ms, now.unix_ms);
        peer.note_durable(&ack.durable_vector);
        let followed = peer.cursor;
        let Some(linked) = peer.linked_mut() else { return false };
        let before = linked.outbound.received();
        linked.outbound.acknowledged(ack, self.incarnations.own());
        linked.liveness.acknowledged(linked.outbound.received() != before, ack.chunked);
        linked.comparison.acknowledged(ack, now_us);
        linked.catching_up.hear(ack.position);
        peer.note_reached(Some(self.incarnations.position(ack.durable)), now_us);
        let tail = store.last_position();
        let Some(linked) = peer.linked_mut() else { return false };

        // Each has all that the other has, up to the end of its list, and both digests were taken there.
        let is_still = linked.outbound.is_acknowledged(tail)
            && followed.direct == ack.position
            && followed.relay == ack.position
            && ack.listings == linked.outbound.listings()
            && !linked.outbound.is_listing()
            && !(ack.busy || !self.purges.is_empty() || linked.inbound.listing.is_some() || store.is_sweeping());
        let content = store.content();
        let agreement = match is_still {
            true => Agreement::of(content, now.unix_ms, ack, self.limits.clock_drift_ms_max),
            false => Agreement::Unknown,
        };
        let differs = agreement == Agreement::Diverged || ack.diverged;
        let repairs = differs && linked.comparison.may_repair(now_us);
        if repairs {
            log::error!(
                event = "diverged", peer = self.from;
                "node {} and this node differ although nothing is under way ({} keys there, {} here): both send \
                 everything again",
                self.from, ack.content.keys, content.keys
            );
            linked.outbound.send_all_again();
        }
        if linked.comparison.decided(agreement) {
            self.knowledge.changed();
        }
        repairs
    }

    /// A part of a full listing has come. Returns whether it is complete, and to be compared with the store.
    pub(super) fn listing(&mut self, listing: Listing<'_>) -> bool {
        let Some(linked) = self.peers.linked_mut(self.from) else { return false };
        match listing {
            Listing::Begin(vector) => linked.inbound.listing = Some(IncomingListing::new(vector)),
            Listing::Items(items) => {
                if let Some(incoming) = &mut linked.inbound.listing {
                    incoming.add(items);
                }
            }
            Listing::End => {
                linked.inbound.listings += 1;
                self.knowledge.changed();
                if let Some(incoming) = linked.inbound.listing.take() {
                    log::info!(
                        event = "full_listing_received", peer = self.from, entries = incoming.len();
                        "node {} sent a full listing of {} keys and deletions", self.from, incoming.len()
                    );
                    self.purges.begin(self.from, incoming, linked.inbound.collected());
                    return true;
                }
            }
        }
        false
    }

    /// A piece of a large value has come.
    pub(super) fn chunk(&mut self, chunk: Chunk<'_>) -> Result<(), String> {
        let fits = self.peers.linked_mut(self.from).is_none_or(|linked| linked.inbound.chunks.add(chunk));
        if fits { Ok(()) } else { Err(it_sent("a chunk of a value that does not fit")) }
    }

    /// Whether a clock value that the peer knows is so near that it may be merged: a future stamp would beat every
    /// write until that time has come.
    pub(super) fn check_clock(&self, clock: u64, now: Now) -> Result<(), String> {
        if !self.limits.is_ahead(clock, now) {
            return Ok(());
        }
        let ahead_s = Clock::unix_ms(clock).saturating_sub(now.unix_ms) / 1000;
        let (from, own) = (self.from, self.knowledge.own());
        Err(format!("a write that node {from} knows is {ahead_s} s ahead of the clock of node {own}"))
    }

    /// A change met another of the same key: links that had to send the one that lost may have to send the other.
    fn note_rival(&mut self, stamp: Stamp, applied: &Applied) {
        let Some((rival, before)) = applied.rival else { return };
        if rival.node == stamp.node {
            return;
        }
        let own = self.knowledge.own();
        self.conflicts.note(Meeting {
            is_of_two: rival.node == own,
            is_overwritten: applied.position.is_some(),
            came_before: stamp.clock <= self.knowledge.highest_seen(stamp.node),
            was_known: self.peers.get(stamp.node).is_some_and(|peer| peer.has_said_of(rival, before)),
        });
        for linked in self.peers.links_mut() {
            match applied.position {
                Some(position) => linked.outbound.overwritten(rival, before, stamp, position, own),
                None => linked.outbound.outdated(stamp, rival, before, own),
            }
        }
    }
}

/// The database of a change, but where a mistake was injected.
fn database_of(change: WireChange<'_>) -> Database {
    let injected = fault_injection::is("change applied in another database");
    if injected && change.stamp.clock.is_multiple_of(16) { Database::ZERO } else { change.database }
}

/// Why this node hangs up on a peer that breaks the rules.
pub(super) fn it_sent(what: &str) -> String {
    format!("it sent {what}")
}
