//! A full listing that came in, compared with the store: what it covers and does not list was deleted.

use std::collections::{BTreeMap, HashSet};

use crate::fault_injection;
use crate::replication::knowledge::Knowledge;
use crate::replication::wire::Items;
use crate::replication::wire::vector::VersionVector;
use crate::store::digest::key_hash;
use crate::store::{NodeId, Store};

/// Entries compared with a full listing in one tick.
const PURGE_LOOKS: usize = 1 << 10;
/// Bytes of values dropped in one tick, but for the last: an open snapshot may want them first.
const PURGE_BYTES: usize = 1 << 18;
/// Of 10,000,000 keys each set holds 2,500.
const LISTED_SETS: usize = 1 << 12;

/// A listing that comes in: what it covers, and the hashes of its keys, in sets so small that none takes long to grow.
pub(in crate::replication) struct IncomingListing {
    vector: VersionVector,
    sets: Vec<HashSet<u64>>,
}

impl IncomingListing {
    /// One that covers this.
    pub(in crate::replication) fn new(vector: VersionVector) -> IncomingListing {
        IncomingListing { vector, sets: vec![HashSet::new(); LISTED_SETS] }
    }

    /// A part of it.
    pub(in crate::replication) fn add(&mut self, items: Items<'_>) {
        items.iter().for_each(|(hash, _)| {
            self.sets[hash as usize % LISTED_SETS].insert(hash);
        });
    }

    /// Number of keys.
    pub(in crate::replication) fn len(&self) -> usize {
        self.sets.iter().map(HashSet::len).sum()
    }

    fn contains(&self, hash: u64) -> bool {
        self.sets[hash as usize % LISTED_SETS].contains(&hash)
    }
}

/// One listing that is compared, up to the position `at`.
struct Purge {
    listing: IncomingListing,
    at: u64,
    buried: usize,
}

/// Full listings that are being compared, one of each peer, and what peers have claimed meanwhile. That counts once all
/// are compared: a crash before then must not leave a data file that has what was deleted, and says it lacks nothing.
#[derive(Default)]
pub(in crate::replication) struct Purges {
    under_way: BTreeMap<NodeId, Purge>,
    claims: VersionVector,
    /// What deletions the listers have forgotten: no trace of them is left here either, then.
    collected: VersionVector,
}

impl Purges {
    /// A peer's listing is complete; the peer had collected deletions under `collected`.
    pub(in crate::replication) fn begin(&mut self, peer: NodeId, listing: IncomingListing, collected: &VersionVector) {
        self.collected.merge(collected);
        self.under_way.insert(peer, Purge { listing, at: 0, buried: 0 });
    }

    /// A peer claims this meanwhile.
    pub(in crate::replication) fn claim(&mut self, claims: &VersionVector) {
        self.claims.merge(claims);
    }

    /// Of this node's writes, those above the clock value are not had.
    pub(in crate::replication) fn cut(&mut self, node: NodeId, after: u64) {
        self.claims.cut(node, after);
    }

    /// Compares a bounded part of the store with one of them.
    pub(in crate::replication) fn go_on(&mut self, store: &mut Store, knowledge: &mut Knowledge) {
        let Some(mut under_way) = self.under_way.first_entry() else { return };
        let purge = under_way.get_mut();
        let (mut gone, mut bytes) = (Vec::new(), 0);
        let mut is_done = true;
        for (looks, change) in store.changes_after(purge.at).enumerate() {
            if looks == PURGE_LOOKS || bytes >= PURGE_BYTES {
                is_done = false;
                break;
            }
            purge.at = change.position;
            let covered = purge.listing.vector.covers(change.stamp)
                || fault_injection::is("listing drops what it does not cover");
            let known = covered && change.value.is_some() && !store.is_flushed(&change);
            if known && !purge.listing.contains(key_hash(change.database, change.key)) {
                gone.push(change.slot);
                bytes += change.value.map_or(0, <[u8]>::len);
            }
        }
        purge.buried += gone.len();
        gone.into_iter().for_each(|slot| store.bury(slot));
        if is_done {
            log::info!(
                event = "keys_dropped", keys = purge.buried;
                "{} keys were dropped that the other nodes had deleted long ago", purge.buried
            );
            under_way.remove();
            if self.is_empty() {
                knowledge.purged(&std::mem::take(&mut self.claims), &std::mem::take(&mut self.collected));
            }
        }
    }

    /// Whether the peer's is compared.
    pub(in crate::replication) fn is_under_way(&self, peer: NodeId) -> bool {
        self.under_way.contains_key(&peer)
    }

    /// Whether none is compared.
    pub(in crate::replication) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}
