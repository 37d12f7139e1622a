//! What a user may do: commands, keys, channels. A user has one of them, and further ones in parentheses.

use super::mistake::Mistake;
use super::patterns::{ChannelPatterns, KeyPatterns};
use super::permissions::Permissions;
use super::table::{RowId, Table};
use super::uses::{self, Channel, Touch};
use super::words::is_space;
use crate::protocol::{Args, Command};

/// What a selector does not let through. Invariant: in the order in which Redis thinks the later ones the more telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The command.
    Command,
    /// The key that is this argument.
    Key(usize),
    /// The channel that is this argument.
    Channel(usize),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    commands: Permissions,
    keys: KeyPatterns,
    channels: ChannelPatterns,
}

impl Selector {
    /// What stands in parentheses.
    pub(super) fn parse(rules: &[u8], table: &Table) -> Result<Selector, Mistake> {
        let mut selector = Selector::default();
        let words = rules.split(|&byte| is_space(byte)).filter(|word| !word.is_empty());
        for word in words {
            // It would close the parenthesis, when it is read again as it is shown.
            if word.ends_with(b")") {
                return Err(Mistake::Syntax);
            }
            selector.apply(word, table)?;
        }
        Ok(selector)
    }

    /// Follows a rule about commands, keys or channels.
    pub(super) fn apply(&mut self, rule: &[u8], table: &Table) -> Result<(), Mistake> {
        let is = |words: &[&str]| words.iter().any(|word| rule.eq_ignore_ascii_case(word.as_bytes()));
        match rule {
            _ if is(&["allkeys", "~*"]) => self.keys.set_all(true),
            _ if is(&["resetkeys"]) => self.keys.set_all(false),
            _ if is(&["allchannels", "&*"]) => self.channels.set_all(true),
            _ if is(&["resetchannels"]) => self.channels.set_all(false),
            _ if is(&["allcommands", "+@all"]) => self.commands.set_all(true),
            _ if is(&["nocommands", "-@all"]) => self.commands.set_all(false),
            [b'~', pattern @ ..] => self.keys.add(pattern, Touch::BOTH)?,
            [b'%', rest @ ..] => self.add_keys_to_touch(rest)?,
            [b'&', pattern @ ..] => self.channels.add(pattern)?,
            [b'+', name @ ..] => self.commands.set(name, true, table)?,
            [b'-', name @ ..] => self.commands.set(name, false, table)?,
            _ => return Err(Mistake::Syntax),
        }
        Ok(())
    }

    /// Why the request is not let through.
    pub(super) fn check(&self, row: RowId, command: Command, args: Args<'_>) -> Result<(), Denied> {
        if !self.commands.allows(row, args.get(1)) && !needs_no_permission(command) {
            return Err(Denied::Command);
        }
        if !self.keys.is_all() {
            for (at, touch) in uses::keys(command, args) {
                if !self.keys.allow(args.at(at), touch) {
                    return Err(Denied::Key(at));
                }
            }
            if command == Command::WatchPrefix && !self.keys.allow_all_after(args.at(1), Touch::READS) {
                return Err(Denied::Key(1));
            }
            // It holds all keys there are.
            if command == Command::Backup && !self.keys.allow_all_after(b"", Touch::READS) {
                return Err(Denied::Key(1));
            }
        }
        if !self.channels.is_all() {
            for (at, how) in uses::channels(command, args) {
                if !self.allows_channel(args.at(at), how) {
                    return Err(Denied::Channel(at));
                }
            }
        }
        Ok(())
    }

    /// Whether a command of this row may touch this key so.
    #[inline]
    pub(super) fn allows_one_key(&self, row: RowId, key: &[u8], touch: Touch) -> bool {
        self.commands.allows(row, None) && self.keys.allow(key, touch)
    }

    /// Whether a channel may be used.
    pub(super) fn allows_channel(&self, name: &[u8], how: Channel) -> bool {
        match how {
            Channel::Name => self.channels.allow(name),
            Channel::Pattern => self.channels.allow_pattern(name),
        }
    }

    /// Whether every key that begins so may be watched.
    pub(super) fn allows_watch(&self, row: RowId, prefix: &[u8]) -> bool {
        self.commands.allows(row, None) && self.keys.allow_all_after(prefix, Touch::READS)
    }

    /// Whether it lets everything through.
    pub(super) fn is_all(&self) -> bool {
        self.commands.is_all() && self.keys.is_all() && self.channels.is_all()
    }

    /// The rules about commands.
    pub fn commands(&self) -> String {
        self.commands.text()
    }

    /// The rules about keys.
    pub fn keys(&self) -> Vec<u8> {
        self.keys.rules().join(&b' ')
    }

    /// The rules about channels.
    pub fn channels(&self) -> Vec<u8> {
        self.channels.rules().join(&b' ')
    }

    /// All rules, which lead to the same.
    pub(super) fn rules(&self) -> Vec<u8> {
        let mut rules = self.keys.rules();
        if !self.channels.is_all() {
            rules.push(b"resetchannels".to_vec());
        }
        rules.extend(self.channels.rules());
        rules.push(self.commands().into_bytes());
        rules.join(&b' ')
    }

    /// `R~pattern`, `W~pattern`, or with both letters.
    fn add_keys_to_touch(&mut self, rest: &[u8]) -> Result<(), Mistake> {
        let (mut touch, mut rest) = (Touch::NEITHER, rest);
        loop {
            rest = match rest {
                [b'R' | b'r', rest @ ..] if !touch.reads => {
                    touch.reads = true;
                    rest
                }
                [b'W' | b'w', rest @ ..] if !touch.writes => {
                    touch.writes = true;
                    rest
                }
                [b'~', pattern @ ..] if touch != Touch::NEITHER => return self.keys.add(pattern, touch),
                [] if touch != Touch::NEITHER => return self.keys.add(b"", touch),
                _ if self.keys.is_all() => return Err(Mistake::AllKeys),
                _ => return Err(Mistake::Syntax),
            }
        }
    }
}

/// What comes before anybody is known, and what a line's client and a machine can always ask for.
pub(super) fn needs_no_permission(command: Command) -> bool {
    use Command::{Auth, Health, Hello, Help, Quit, Reset};
    matches!(command, Auth | Health | Hello | Help | Quit | Reset)
}
