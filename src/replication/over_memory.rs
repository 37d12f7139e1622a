//! Peers' writes that are taken although this node has all the memory it may have: refused, they would be missing here
//! for ever.

use crate::store::Store;

/// See the module.
#[derive(Default)]
pub(super) struct OverMemory {
    taken: u64,
    is_over: bool,
}

impl OverMemory {
    /// A peer's write was taken above the limit.
    pub(super) fn note_taken(&mut self) {
        self.taken += 1;
    }

    /// Says so in the log where there is more than the limit allows, or no more.
    pub(super) fn look(&mut self, store: &Store) {
        let is_over = store.is_over_limit();
        if is_over == self.is_over {
            return;
        }
        self.is_over = is_over;
        let (bytes, bytes_max) = (store.bytes(), store.bytes_max());
        if is_over {
            log::warn!(
                event = "over_memory", bytes, limit = bytes_max;
                "{bytes} bytes of memory are taken, more than the {bytes_max} of --max-memory: what other nodes \
                 write is kept all the same, or the nodes would differ; clients of this node are refused. Give all \
                 nodes the same limit"
            );
        } else {
            log::info!(
                event = "within_memory", bytes, limit = bytes_max;
                "{bytes} bytes of memory are taken, within the {bytes_max} of --max-memory again"
            );
        }
    }

    /// How many were taken above the limit.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }
}
