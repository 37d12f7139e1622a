//! How far a page is.

use std::borrow::Cow;

use crate::node::statistics::{Family, Sources};

/// Where a page goes on: at which row of its table, and after which member of the row's family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The first row of the family of figures that is being written.
    pub(super) family: usize,
    /// Whether its header is written.
    pub(super) is_begun: bool,
    /// The row among those of the family.
    pub(super) row: usize,
    /// The last member that was written.
    pub(super) after: Option<String>,
}

impl Cursor {
    pub(super) fn next_row(&mut self) {
        (self.row, self.after) = (self.row + 1, None);
    }

    pub(super) fn next_family(&mut self) {
        *self = Cursor { family: self.family + 1, ..Cursor::default() };
    }

    /// The members that are still to be written, with their places. Of one that is gone nobody knows what came after
    /// it.
    pub(super) fn members<'a>(&self, sources: &'a Sources<'_>, family: Option<Family>) -> Vec<(usize, Cow<'a, str>)> {
        let all = match family {
            Some(family) => sources.members(family),
            None => vec!["".into()],
        };
        let begin = match &self.after {
            None => 0,
            Some(after) => all.iter().position(|name| name == after).map_or(all.len(), |place| place + 1),
        };
        all.into_iter().enumerate().skip(begin).collect()
    }
}
