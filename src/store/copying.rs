//! Changes copied out of the store in bounded slices, while a `Fence` keeps those as they are that are yet to be.

use super::fence::Fence;
use super::{Batch, PREFETCHED, Store, change_of};

/// Flushed entries passed over in one call.
const SKIPS_MAX: usize = 1 << 13;

/// How far a copy of changes came.
#[derive(Debug, PartialEq, Eq)]
pub enum Copied {
    /// Everything asked for is in the batch.
    All,
    /// The batch is full; the last change in it has this position.
    UpTo(u64),
}

impl Store {
    /// Copies the changes after `after` and up to `up_to`, oldest first, until the batch holds `rows_max` of them or
    /// `bytes_max` bytes. Leaves out what is flushed, a bounded number in one call.
    pub fn copy_changes(&self, after: u64, up_to: u64, rows_max: usize, bytes_max: usize, batch: &mut Batch) -> Copied {
        // What ends before the flush is the state of before.
        let skips = |database| self.floor.position_in(database) <= up_to;
        let mut skipped = 0;
        let mut changes = self.changes.after(after).take_while(|&(position, _)| position <= up_to);
        let mut next = [(0, 0); PREFETCHED];
        loop {
            let count = next.iter_mut().zip(&mut changes).map(|(next, change)| *next = change).count();
            let next = &next[..count];
            self.slots.prefetch(next.iter().map(|&(_, slot)| slot));
            for &(position, slot) in next {
                let change = change_of(position, slot, self.entry(slot));
                if self.is_flushed(&change) && skips(change.database) {
                    skipped += 1;
                    if skipped < SKIPS_MAX {
                        continue;
                    }
                    return Copied::UpTo(position);
                }
                batch.push(change);
                if batch.len() >= rows_max || batch.bytes() >= bytes_max {
                    return Copied::UpTo(position);
                }
            }
            if count < PREFETCHED {
                return Copied::All;
            }
        }
    }

    /// Wants the changes after `after` and up to `up_to` kept as they are until [`Store::drop_fence`].
    pub fn raise_fence(&mut self, after: u64, up_to: u64) {
        self.fence = Some(Fence { after, up_to, displaced: Batch::default() });
    }

    /// Changes up to `after` are wanted no longer.
    pub fn advance_fence(&mut self, after: u64) {
        if let Some(fence) = &mut self.fence {
            fence.after = after;
        }
    }

    /// Nothing is wanted as it was; what was displaced is forgotten.
    pub fn drop_fence(&mut self) {
        self.fence = None;
    }

    /// Exchanges an empty batch for the changes that were overwritten although they are wanted.
    pub fn swap_displaced(&mut self, batch: &mut Batch) {
        debug_assert!(batch.is_empty());
        if let Some(fence) = &mut self.fence {
            std::mem::swap(&mut fence.displaced, batch);
        }
    }

    /// Changes that were overwritten although they are wanted: number and bytes.
    pub fn displaced(&self) -> (usize, usize) {
        self.fence.as_ref().map_or((0, 0), |fence| (fence.displaced.len(), fence.displaced.bytes()))
    }
}
