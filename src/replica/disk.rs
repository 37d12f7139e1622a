//! The data file as a replica finds it at its start.

use super::handover::Checkpoint;
use crate::store::Store;

/// See the module. An error is a sentence that says what to do.
pub trait Disk {
    /// What the last transaction has recorded; all zero in a new file.
    fn checkpoint(&self) -> &Checkpoint;

    /// The rows as a store whose next change gets the position `first`, or one above all rows. Asked for once.
    fn restore(&mut self, first: u64) -> Result<Store, String>;

    /// Records this beside the rows, before anybody hears of the replica.
    fn record(&mut self, checkpoint: &Checkpoint) -> Result<(), String>;
}
