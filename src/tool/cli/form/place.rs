//! Where a part of an answer stands among the lists around it.

use crate::tool::client::reply::Kind;

/// Where a part stands that is about to be shown.
pub(super) struct Place<'a> {
    /// The lists around it, the outermost first.
    pub(super) around: &'a [Level],
    /// Whether it is a value of a map.
    pub(super) is_value: bool,
}

/// A list of which some parts were shown.
#[derive(Clone, Copy)]
pub(super) struct Level {
    pub(super) kind: Kind,
    /// Parts, of a map twice as many as pairs.
    pub(super) count: u64,
    pub(super) shown: u64,
}

impl Level {
    /// Digits of the last number.
    pub(super) fn width(&self) -> usize {
        let count = if self.kind == Kind::Map { self.count / 2 } else { self.count };
        count.max(1).ilog10() as usize + 1
    }
}
