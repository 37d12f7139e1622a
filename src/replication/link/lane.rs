//! One walk along the change list towards its end: where it is, and from where on everything goes.

/// No position.
const NONE: u64 = u64::MAX;

/// See the module.
pub(super) struct Lane {
    at: u64,
    /// From this position on everything goes that the peer lacks, whoever wrote it; until the walk has met the end.
    piggyback_from: u64,
}

impl Lane {
    /// A walk that goes on after `at`.
    pub(super) fn after(at: u64) -> Lane {
        Lane { at, piggyback_from: NONE }
    }

    /// Everything goes from this position on.
    pub(super) fn piggyback(&mut self, from: u64) {
        self.piggyback_from = self.piggyback_from.min(from);
    }

    /// Goes back to this position.
    pub(super) fn go_back(&mut self, to: u64) {
        self.at = self.at.min(to);
    }

    /// Has come so far. At the end of the list nothing is left that would have to go along.
    pub(super) fn reached(&mut self, position: u64, tail: u64) {
        self.at = position;
        if position == tail {
            self.piggyback_from = NONE;
        }
    }

    /// Everything up to here was looked at.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether what stands at the position goes, whoever wrote it.
    pub(super) fn piggybacks(&self, position: u64) -> bool {
        position >= self.piggyback_from
    }
}
