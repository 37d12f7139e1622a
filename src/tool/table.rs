//! A table for people: columns as wide as what is in them.

/// See the module.
pub(super) struct Table {
    /// The heads first; each row as long as they are.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these heads.
    pub(super) fn new(heads: &[&str]) -> Table {
        Table { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    /// One more row, with a cell below each head.
    pub(super) fn row<T: ToString, const N: usize>(&mut self, cells: [T; N]) {
        debug_assert_eq!(N, self.rows[0].len());
        // What a node says may be anything; a line stays one.
        let cell = |cell: &T| cell.to_string().replace(char::is_control, "?");
        self.rows.push(cells.iter().map(cell).collect());
    }

    /// Whether there is no row but the heads.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// A line for each row.
    pub(super) fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        text
    }
}
