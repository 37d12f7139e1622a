//! Every command and subcommand of Redis 7.2, with its ACL categories: rules may name those, too, that this server does
//! not run, so that a file written for Redis can be read.

use std::ops::Range;

use crate::protocol::Command;
use crate::protocol::catalog::CATEGORIES;
use crate::protocol::command::COMMANDS;

const TEXT: &str = include_str!("commands.txt");

/// A category by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Category(u8);

/// A row by its number: a command (`client`), or a subcommand (`client|list`).
pub type RowId = u16;

struct Row {
    name: &'static str,
    /// A bit for each category.
    categories: u32,
    /// Its subcommands.
    parts: Range<RowId>,
    /// Whether it is a subcommand.
    is_part: bool,
}

/// See the module. Invariant: rows are in the order of their names; a command's subcommands follow it.
pub struct Table {
    rows: Vec<Row>,
    /// The row of each [`Command`], by its number.
    of_commands: Vec<RowId>,
}

impl Category {
    /// The category with this name, in any case.
    pub fn named(name: &[u8]) -> Option<Category> {
        let at = CATEGORIES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        Some(Category(at as u8))
    }
}

impl Table {
    /// Reads the text.
    pub fn read() -> Table {
        let lines = TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut rows: Vec<Row> = lines.map(Row::parse).collect();
        for at in 0..rows.len() {
            let part = format!("{}|", rows[at].name);
            let count = rows[at + 1..].iter().take_while(|row| row.name.starts_with(&part)).count();
            rows[at].parts = at as RowId + 1..(at + 1 + count) as RowId;
        }
        let mut table = Table { rows, of_commands: Vec::new() };
        table.of_commands = COMMANDS
            .iter()
            .map(|command| {
                // What a line calls so deletes one key.
                let name = if command.name == "delete" { "del" } else { command.name };
                table.named(name.as_bytes()).expect("the table has every command")
            })
            .collect();
        table
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The command (`client`) or subcommand (`client|list`) with this name, in any case.
    pub fn named(&self, name: &[u8]) -> Option<RowId> {
        let lower = name.to_ascii_lowercase();
        let found = self.rows.binary_search_by(|row| row.name.as_bytes().cmp(&lower));
        found.ok().map(|at| at as RowId)
    }

    /// The row of a command.
    pub fn of(&self, command: Command) -> RowId {
        self.of_commands[command as usize]
    }

    /// The row of a command with this argument behind it: its subcommand's, where it is one.
    pub fn of_request(&self, command: Command, first: Option<&[u8]>) -> RowId {
        let row = self.of(command);
        match first {
            Some(first) if !self.rows[usize::from(row)].parts.is_empty() => self.part_named(row, first).unwrap_or(row),
            _ => row,
        }
    }

    /// The subcommand of a command with this name, in any case.
    pub fn part_named(&self, row: RowId, part: &[u8]) -> Option<RowId> {
        let before = self.name(row).len() + 1;
        let name = |id: RowId| &self.rows[usize::from(id)].name.as_bytes()[before..];
        self.parts(row).find(|&id| part.eq_ignore_ascii_case(name(id)))
    }

    /// Its name, in small letters.
    pub fn name(&self, row: RowId) -> &'static str {
        self.rows[usize::from(row)].name
    }

    /// Its subcommands.
    pub fn parts(&self, row: RowId) -> Range<RowId> {
        self.rows[usize::from(row)].parts.clone()
    }

    /// Whether it is a subcommand.
    pub fn is_part(&self, row: RowId) -> bool {
        self.rows[usize::from(row)].is_part
    }

    /// All rows of a category.
    pub fn in_category(&self, Category(number): Category) -> impl Iterator<Item = RowId> {
        let is_in = move |(_, row): &(usize, &Row)| row.categories >> number & 1 == 1;
        self.rows.iter().enumerate().filter(is_in).map(|(at, _)| at as RowId)
    }
}

impl Row {
    /// Panics where the text is wrong, which a test would show.
    fn parse(line: &'static str) -> Row {
        let (name, words) = line.split_once(": ").expect("categories follow");
        let bit = |word: &str| 1 << Category::named(word.as_bytes()).expect("a category").0;
        Row { name, categories: words.split(' ').map(bit).sum(), parts: 0..0, is_part: name.contains('|') }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::catalog::Catalog;

    #[test]
    fn the_table_is_in_order_and_has_what_this_server_runs_with_the_categories_of_the_catalog() {
        let table = Table::read();
        assert!(table.rows.is_sorted_by(|before, after| before.name < after.name));
        let catalog = Catalog::read();
        for entry in catalog.all() {
            let row = table.named(entry.name.as_bytes()).expect("the table has it");
            let categories = entry.categories().map(|name| Category::named(&name.as_bytes()[1..]).expect("known").0);
            let expected: u32 = categories.map(|number| 1 << number).sum();
            assert_eq!(table.rows[usize::from(row)].categories, expected, "{}", entry.name);
        }
    }

    #[test]
    fn subcommands_follow_their_command() {
        let table = Table::read();
        let client = table.named(b"CLIENT").expect("there is");
        assert_eq!(table.parts(client).len(), 18);
        assert_eq!(table.part_named(client, b"List"), table.named(b"client|list"));
        assert_eq!(table.of_request(Command::Client, Some(b"KILL")), table.named(b"client|kill").expect("there is"));
        assert_eq!(table.of_request(Command::Get, Some(b"KILL")), table.named(b"get").expect("there is"));
        assert_eq!(table.of(Command::Delete), table.of(Command::Del));
    }
}
