//! Which commands may be run.
//!
//! Beside the answer for each command the rules are kept that led to it, in their order, as a person wants to read them
//! again. A rule about a command takes the place of an earlier one about it and its subcommands.

use super::mistake::Mistake;
use super::table::{Category, RowId, Table};
use super::words::is_space;

/// Words of bits: room for all rows of the table.
const WORDS: usize = 6;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// A bit for each row of the table.
    allowed: [u64; WORDS],
    /// The first arguments with which a command may be run that otherwise may not.
    first_args: Vec<(RowId, Vec<u8>)>,
    /// Whether the rules begin with all commands.
    begins_with_all: bool,
    /// What was changed since: `+` or `-` before the name of a command or a category, in small letters.
    rules: Vec<String>,
}

impl Permissions {
    /// All commands, or none.
    pub(super) fn set_all(&mut self, allow: bool) {
        let allowed = if allow { u64::MAX } else { 0 };
        *self = Permissions { allowed: [allowed; WORDS], begins_with_all: allow, ..Permissions::default() };
    }

    /// What `+` or `-` and this behind it asks for: a command, `command|subcommand`, `command|first-argument`, or
    /// `@category`.
    pub(super) fn set(&mut self, text: &[u8], allow: bool, table: &Table) -> Result<(), Mistake> {
        let name = String::from_utf8(text.to_ascii_lowercase()).map_err(|_| Mistake::Unknown)?;
        if let Some(category) = name.strip_prefix('@') {
            self.set_category(Category::named(category.as_bytes()).ok_or(Mistake::Unknown)?, allow, table);
        } else if allow && let Some((command, part)) = name.rsplit_once('|') {
            let row = table.named(command.as_bytes()).ok_or(Mistake::Unknown)?;
            if table.is_part(row) {
                return Err(Mistake::FirstArgOfPart);
            }
            // With a space in it, it could not be read again as it is shown.
            if part.is_empty() || part.bytes().any(is_space) {
                return Err(Mistake::Syntax);
            }
            if table.parts(row).is_empty() {
                let first = (row, part.as_bytes().to_vec());
                if !self.first_args.contains(&first) {
                    self.first_args.push(first);
                }
            } else {
                self.set_row(table.part_named(row, part.as_bytes()).ok_or(Mistake::Unknown)?, true, table);
            }
        } else {
            self.set_row(table.named(name.as_bytes()).ok_or(Mistake::Unknown)?, allow, table);
        }
        let is_about = |rule: &str| {
            let rest = rule[1..].strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        };
        self.rules.retain(|rule| !is_about(rule));
        self.rules.push(format!("{}{name}", if allow { '+' } else { '-' }));
        Ok(())
    }

    /// Whether a request of this row may be run, with this argument behind the command's name.
    #[inline]
    pub(super) fn allows(&self, row: RowId, first: Option<&[u8]>) -> bool {
        self.allowed[usize::from(row / 64)] >> (row % 64) & 1 == 1 || self.allows_first(row, first)
    }

    /// Whether every command may be run.
    pub(super) fn is_all(&self) -> bool {
        self.begins_with_all && self.allowed == [u64::MAX; WORDS]
    }

    /// As rules, which lead to the same.
    pub(super) fn text(&self) -> String {
        let begin = if self.begins_with_all { "+@all" } else { "-@all" };
        let rules = self.rules.iter().map(String::as_str);
        std::iter::once(begin).chain(rules).collect::<Vec<_>>().join(" ")
    }

    #[cold]
    fn allows_first(&self, row: RowId, first: Option<&[u8]>) -> bool {
        let is_meant = |(other, arg): &(RowId, Vec<u8>)| {
            *other == row && first.is_some_and(|first| first.eq_ignore_ascii_case(arg))
        };
        self.first_args.iter().any(is_meant)
    }

    fn set_category(&mut self, category: Category, allow: bool, table: &Table) {
        table.in_category(category).for_each(|row| self.set_row(row, allow, table));
    }

    /// A command with all its subcommands, or one subcommand.
    fn set_row(&mut self, row: RowId, allow: bool, table: &Table) {
        self.first_args.retain(|(other, _)| *other != row);
        for row in std::iter::once(row).chain(table.parts(row)) {
            let (word, bit) = (usize::from(row / 64), 1 << (row % 64));
            if allow {
                self.allowed[word] |= bit;
            } else {
                self.allowed[word] &= !bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_room() {
        assert!(Table::read().len() <= WORDS * 64);
    }
}
