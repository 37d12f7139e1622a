//! What the requests of one turn may take, counted in steps and not by a clock.
//!
//! A step is some nanoseconds at most: a character that is compared. A request whose work grows with more than its own
//! length says how many steps it was; the turn of its session ends once they are spent, and the others have theirs.

/// Requests of one session executed in one turn, so that the longest turn stays far below a millisecond.
pub const REQUESTS_PER_TURN: usize = 512;
/// Steps of a turn: a millisecond at most, and mostly a fraction of it.
pub(super) const STEPS_PER_TURN: usize = 1 << 18;
/// What it takes to look at a key, which lies anywhere in memory.
pub(super) const STEPS_PER_LOOK: usize = 1 << 6;

/// Bytes that a step copies, where a value is made anew as a whole.
pub(super) const COPIED_PER_STEP: usize = 8;

/// Steps that a turn has left.
pub(super) struct Steps(usize);

impl Steps {
    /// Of a turn that begins.
    pub(super) fn new() -> Steps {
        Steps(STEPS_PER_TURN)
    }

    /// So many were needed, perhaps more than are left.
    pub(super) fn spend(&mut self, steps: usize) {
        self.0 = self.0.saturating_sub(steps);
    }

    pub(super) fn left(&self) -> usize {
        self.0
    }

    /// Whether the others have waited long enough.
    pub(super) fn are_spent(&self) -> bool {
        self.0 == 0
    }
}
