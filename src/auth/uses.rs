//! What a request uses: keys, and what happens to each; channels.
//!
//! As Redis' key specifications have it: to be told that a key is there, or how long its value is, is neither reading
//! nor writing, so that a pattern of either kind allows it.

use crate::protocol::command::Kind;
use crate::protocol::{Args, Command};

/// Whether a value is read, and whether it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// The value comes out.
    pub reads: bool,
    /// The value changes.
    pub writes: bool,
}

/// How a channel is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By its name.
    Name,
    /// By a pattern.
    Pattern,
}

impl Touch {
    /// Neither.
    pub const NEITHER: Touch = Touch { reads: false, writes: false };
    /// The value comes out.
    pub const READS: Touch = Touch { reads: true, writes: false };
    /// The value changes.
    pub const WRITES: Touch = Touch { reads: false, writes: true };
    /// Both.
    pub const BOTH: Touch = Touch { reads: true, writes: true };

    /// Whether who may do this may do the other.
    #[inline]
    pub(super) fn has(self, other: Touch) -> bool {
        self.reads >= other.reads && self.writes >= other.writes
    }

    pub(super) fn and(self, other: Touch) -> Touch {
        Touch { reads: self.reads || other.reads, writes: self.writes || other.writes }
    }

    /// What stands before a pattern in a rule.
    pub(super) fn prefix(self) -> &'static str {
        match (self.reads, self.writes) {
            (true, false) => "%R~",
            (false, true) => "%W~",
            _ => "~",
        }
    }
}

/// The keys that a request names: where among the arguments each is, and what happens to it.
pub fn keys(command: Command, args: Args<'_>) -> impl Iterator<Item = (usize, Touch)> {
    let (first, step, count) = match command {
        Command::Watch => (1, 1, usize::MAX),
        other => other.key_places(args),
    };
    let count = count.min(args.len().saturating_sub(first).div_ceil(step));
    (0..count).map(move |number| (first + number * step, touch(command, args, number)))
}

/// What happens to the one key of a command that always has one, as its first argument, and no options that decide.
pub(super) fn of_one_key(command: Command) -> Option<Touch> {
    let is_plain = command.subcommands().is_empty() && !command.is_script() && command.describe().kind != Kind::Other;
    let is_fixed = !matches!(command, Command::Set | Command::DelEx | Command::BitField);
    let has_one = is_plain && is_fixed && command.key_places(Args::new(b"", &[])) == (1, 1, 1);
    has_one.then(|| touch(command, Args::new(b"", &[]), 0))
}

/// Options of `SET` by which the value before comes out.
pub const READING_OPTIONS: [&str; 5] = ["GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"];

/// What happens to the key with this number.
fn touch(command: Command, args: Args<'_>, number: usize) -> Touch {
    if command.is_script() {
        return if command.describe().kind == Kind::Write { Touch::BOTH } else { Touch::READS };
    }
    use Command::{
        Append, BitCount, BitField, BitFieldRo, BitOp, BitPos, Copy, Decr, DecrBy, Del, DelEx, DelIfEq, Delete, Digest,
        Expire, ExpireAt, ExpireTime, Get, GetBit, GetDel, GetEx, GetRange, GetSet, Incr, IncrBy, IncrByFloat, IncrEx,
        Lcs, MGet, MSet, MSetEx, MSetNx, Move, PExpire, PExpireAt, PExpireTime, PSetEx, PTtl, Persist, Rename,
        RenameNx, Set, SetBit, SetEx, SetNx, SetRange, SubStr, Ttl, Unlink,
    };
    match command {
        Get | Digest | MGet | GetRange | SubStr | Lcs | BitCount | BitPos | BitFieldRo | GetBit | Ttl | PTtl
        | ExpireTime | PExpireTime => Touch::READS,
        // Whether a comparison holds says what the value is.
        Set if args.from(3).any(reads) => Touch::BOTH,
        DelEx if args.len() > 2 => Touch::BOTH,
        DelIfEq => Touch::BOTH,
        Set | SetNx | SetEx | PSetEx | MSet | MSetEx | MSetNx | Append | SetRange | Del | DelEx | Delete | Unlink
        | Expire | ExpireAt | PExpire | PExpireAt | Persist => Touch::WRITES,
        GetSet | GetDel | GetEx | Incr | Decr | IncrBy | DecrBy | IncrByFloat | IncrEx | SetBit => Touch::BOTH,
        BitField if only_reads(args) => Touch::READS,
        BitField => Touch::BOTH,
        Move => Touch::BOTH,
        Rename | RenameNx if number == 0 => Touch::BOTH,
        Rename | RenameNx => Touch::WRITES,
        Copy if number == 0 => Touch::READS,
        Copy => Touch::WRITES,
        BitOp if number == 0 => Touch::WRITES,
        BitOp => Touch::READS,
        _ => Touch::NEITHER,
    }
}

/// Whether the option is one by which the value before comes out.
fn reads(option: &[u8]) -> bool {
    READING_OPTIONS.iter().any(|word| option.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether all that is asked of a bit field is `GET`.
fn only_reads(args: Args<'_>) -> bool {
    let mut rest = args.from(2);
    while let Some(word) = rest.next() {
        let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
        let operands = match word {
            _ if is(b"GET") => 2,
            _ if is(b"OVERFLOW") => 1,
            _ => return false,
        };
        rest.by_ref().take(operands).for_each(drop);
    }
    true
}

/// The channels that a request publishes in or listens to: where among the arguments they are, and how each is named.
pub fn channels(command: Command, args: Args<'_>) -> impl Iterator<Item = (usize, Channel)> {
    use Command::{PSubscribe, Publish, SPublish, SSubscribe, Subscribe};
    let (end, how) = match command {
        Publish | SPublish => (2, Channel::Name),
        Subscribe | SSubscribe => (usize::MAX, Channel::Name),
        PSubscribe => (usize::MAX, Channel::Pattern),
        _ => (0, Channel::Name),
    };
    (1..end.min(args.len())).map(move |at| (at, how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Scratch;
    use crate::protocol::catalog::Catalog;

    /// Those whose options decide.
    const VARIABLE: [&str; 3] = ["set", "delex", "bitfield"];

    #[test]
    fn what_happens_to_keys_is_what_the_catalog_says() {
        let catalog = Catalog::read();
        for entry in catalog.all() {
            let (name, part) = entry.name.split_once('|').map_or((entry.name, None), |(name, part)| (name, Some(part)));
            let command = Command::named(name.as_bytes()).expect("a command");
            let count = if entry.arity > 0 { entry.arity as usize } else { 7 };
            let words = std::iter::once(name).chain(part).chain(["1"; 8]).take(count);
            let mut scratch = Scratch::default();
            words.for_each(|word| scratch.push(word.as_bytes()));
            let args = scratch.args();
            let found: Vec<(usize, Touch)> = keys(command, args).collect();
            let mut expected = Vec::new();
            for rule in entry.keys().into_iter().filter(|rule| !rule.flags.contains(&"not_key")) {
                let has = |flags: &[&str]| flags.iter().any(|flag| rule.flags.contains(flag));
                let touch = Touch { reads: has(&["access"]), writes: has(&["insert", "update", "delete"]) };
                expected.extend(rule.among(args).map(|at| (at, touch)));
            }
            if part.is_none() && !command.subcommands().is_empty() {
                continue;
            }
            if VARIABLE.contains(&name) {
                assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1], "{name}");
            } else {
                assert_eq!(found, expected, "{}", entry.name);
            }
        }
    }

    #[test]
    fn options_decide_whether_a_value_is_read_or_written() {
        let check = |command: Command, text: &str, expected: Touch| {
            let mut scratch = Scratch::default();
            text.split(' ').for_each(|word| scratch.push(word.as_bytes()));
            let found: Vec<_> = keys(command, scratch.args()).collect();
            assert_eq!(found, [(1, expected)], "{text}");
        };
        check(Command::Set, "SET a 1", Touch::WRITES);
        check(Command::Set, "SET a get", Touch::WRITES);
        check(Command::Set, "SET a 1 EX 5 get", Touch::BOTH);
        check(Command::Set, "SET a 1 ifne 2", Touch::BOTH);
        check(Command::Set, "SET a 1 PX 5 IFDEQ 2", Touch::BOTH);
        check(Command::DelEx, "DELEX a", Touch::WRITES);
        check(Command::DelEx, "DELEX a IFNE 1", Touch::BOTH);
        check(Command::BitField, "BITFIELD a GET u8 0 OVERFLOW sat get u8 1", Touch::READS);
        check(Command::BitField, "BITFIELD a GET u8 0 SET u8 0 1", Touch::BOTH);
        check(Command::BitField, "BITFIELD a", Touch::READS);
    }
}
