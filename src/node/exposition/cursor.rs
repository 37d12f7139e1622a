//! How far a page is.

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
}
