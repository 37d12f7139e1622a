//! What clients ask about commands: flags, categories, where keys are, which arguments there are.
//!
//! All of it is in `catalog.txt`, whose head explains its form. Nobody asks often, so it is read anew each time and
//! nothing of it is kept.

use std::collections::BTreeMap;

use super::{Args, Command};

const TEXT: &str = include_str!("catalog.txt");

/// The ACL categories of Redis, in its order.
pub const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// All commands, and all subcommands of those that are several.
pub struct Catalog(BTreeMap<&'static str, Entry>);

/// What is said of a command (`client`), or of a subcommand (`client|id`).
pub struct Entry {
    /// In lower case; a subcommand's begins with its command's.
    pub name: &'static str,
    /// The first Redis that had it.
    pub since: &'static str,
    /// How its time grows, if that is the same for all its subcommands.
    pub complexity: Option<&'static str>,
    /// What it is for.
    pub summary: &'static str,
    /// Arguments with the name, or both names; negative: so many at least.
    pub arity: i32,
    /// The group Redis' documentation has it in.
    pub group: &'static str,
    /// All that follows the first line.
    lines: &'static str,
}

/// A rule by which keys are found among arguments.
pub struct Keys {
    /// What happens to them.
    pub flags: Vec<&'static str>,
    /// What else there is to say.
    pub note: Option<&'static str>,
    /// Where the search begins.
    pub index: i32,
    /// Which they are from there on.
    pub find: Find,
}

/// How keys are found from a place on.
#[derive(Clone, Copy)]
pub enum Find {
    /// The first is there.
    Range {
        /// How far on the last is; negative: how far from the end.
        last: i32,
        /// From one to the next.
        step: i32,
        /// Keys are in one of so many equal parts; 0: in all.
        limit: i32,
    },
    /// The request says how many.
    Counted {
        /// How far on it says so.
        number: i32,
        /// How far on the first is.
        first: i32,
        /// From one to the next.
        step: i32,
    },
}

/// An argument, or several of which some are given.
pub struct Argument {
    /// What it is called.
    pub name: &'static str,
    /// What it has to be.
    pub kind: &'static str,
    /// Whether it may be missing, or be there more than once.
    pub flags: Vec<&'static str>,
    /// Which of the rules finds it, if it is a key.
    pub spec: Option<i64>,
    /// The word before it.
    pub token: Option<&'static str>,
    /// The first Redis that had it, if that had not the command.
    pub since: Option<&'static str>,
    /// The first Redis that advised against it.
    pub deprecated: Option<&'static str>,
    /// Those that it is made of.
    pub arguments: Vec<Argument>,
}

impl Catalog {
    /// Reads the text.
    pub fn read() -> Catalog {
        let blocks = TEXT.split("\n\n").filter(|block| !block.starts_with('#'));
        Catalog(blocks.map(Entry::parse).map(|entry| (entry.name, entry)).collect())
    }

    /// Commands without subcommands, by name.
    pub fn commands(&self) -> impl Iterator<Item = &Entry> {
        self.all().filter(|entry| !entry.name.contains('|'))
    }

    /// Commands and subcommands, by name.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// The command or subcommand with this name, in any case.
    pub fn named(&self, name: &[u8]) -> Option<&Entry> {
        self.0.get(std::str::from_utf8(name).ok()?.to_ascii_lowercase().as_str())
    }

    /// The subcommands of a command.
    pub fn subcommands_of(&self, command: &Entry) -> Vec<&Entry> {
        let is_part = |name: &str| name.strip_prefix(command.name).is_some_and(|rest| rest.starts_with('|'));
        let rest = self.0.range(command.name..).map(|(_, entry)| entry).skip(1);
        rest.take_while(|entry| entry.name.starts_with(command.name)).filter(|entry| is_part(entry.name)).collect()
    }
}

impl Entry {
    /// Panics where the text is wrong, which a test would show.
    fn parse(block: &'static str) -> Entry {
        let (first, lines) = block.split_once('\n').expect("flags and categories follow");
        let (head, summary) = first.split_once(": ").expect("a summary");
        let [name, since, complexity] = head.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {head}") };
        let (command, part) = name.split_once('|').map_or((name, None), |(command, part)| (command, Some(part)));
        let command = Command::named(command.as_bytes()).expect("a command");
        let described = command.describe();
        let arity = match part {
            None => described.arity,
            Some(part) => {
                command.subcommands().iter().find(|(name, _)| *name == part).expect("a part of the command").1
            }
        };
        let complexity = Some(complexity).filter(|&complexity| complexity != "-");
        Entry { name, since, complexity, summary, arity, group: described.group, lines }
    }

    /// What Redis tells its commands apart by.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.words().filter(|word| !word.starts_with('@'))
    }

    /// The ACL categories, each with its `@`.
    pub fn categories(&self) -> impl Iterator<Item = &'static str> {
        self.words().filter(|word| word.starts_with('@'))
    }

    /// What proxies and clients of a cluster have to know.
    pub fn tips(&self) -> impl Iterator<Item = &'static str> {
        self.lines_of("tips").flat_map(str::split_whitespace)
    }

    /// Where its keys are.
    pub fn keys(&self) -> Vec<Keys> {
        let counted = self.lines_of("numkeys").map(|line| {
            Keys::parse(line, |[index, number, first, step]| (index, Find::Counted { number, first, step }))
        });
        let ranges = self
            .lines_of("keys")
            .map(|line| Keys::parse(line, |[index, last, step, limit]| (index, Find::Range { last, step, limit })));
        counted.chain(ranges).collect()
    }

    /// The places of the first and the last key, and the step between keys, as they were said before there were rules
    /// for it; zeros where there are no keys, or a request says how many.
    pub fn places(&self) -> [i32; 3] {
        let keys = self.keys();
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return [0; 3] };
        let (Find::Range { step, .. }, Find::Range { last: end, .. }) = (first.find, last.find) else { return [0; 3] };
        [first.index, if end < 0 { end } else { last.index + end }, step]
    }

    /// Whether it is for Redis itself, or its tests.
    pub fn is_of_system(&self) -> bool {
        self.lines.lines().any(|line| line.trim() == "syscmd")
    }

    /// The first Redis that advised against it, and what is to be used in its place.
    pub fn deprecated(&self) -> Option<(&'static str, &'static str)> {
        self.lines_of("deprecated").next()?.split_once(' ')
    }

    /// Its arguments.
    pub fn arguments(&self) -> Vec<Argument> {
        let mut lines = self.lines.lines().filter_map(|line| {
            let argument = line.trim_start();
            Some((line.len() - argument.len(), argument.strip_prefix("- ")?))
        });
        arguments(&mut lines.by_ref().peekable(), 0)
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.lines.lines().next().unwrap_or_default().split_whitespace()
    }

    fn lines_of(&self, word: &'static str) -> impl Iterator<Item = &'static str> {
        self.lines.lines().filter_map(move |line| line.trim_start().strip_prefix(word)?.strip_prefix(' '))
    }
}

/// Those that are further in than the one around them, up to the first that is not.
fn arguments<I>(lines: &mut std::iter::Peekable<I>, outer: usize) -> Vec<Argument>
where
    I: Iterator<Item = (usize, &'static str)>,
{
    let mut found = Vec::new();
    while let Some((depth, text)) = lines.next_if(|(depth, _)| *depth > outer) {
        found.push(Argument { arguments: arguments(lines, depth), ..Argument::parse(text) });
    }
    found
}

impl Keys {
    fn parse(line: &'static str, find: impl Fn([i32; 4]) -> (i32, Find)) -> Keys {
        let (rule, note) = line.split_once(": ").map_or((line, None), |(rule, note)| (rule, Some(note)));
        let mut words = rule.split(' ');
        let numbers = [(); 4].map(|()| words.next().and_then(|word| word.parse().ok()).expect("four numbers"));
        let (index, find) = find(numbers);
        Keys { flags: words.collect(), note, index, find }
    }

    /// The places of the keys among the arguments of a request.
    pub fn among(&self, args: Args<'_>) -> impl Iterator<Item = usize> + use<> {
        let count = args.len() as i32;
        let (first, last, step) = match self.find {
            Find::Range { last, step, .. } if last >= 0 => (self.index, self.index + last, step),
            Find::Range { last, step, limit: 0 } => (self.index, count + last, step),
            Find::Range { last, step, limit } => (self.index, self.index + (count - self.index) / limit + last, step),
            Find::Counted { number, first, step } => {
                let text = args.get((self.index + number) as usize).and_then(|text| std::str::from_utf8(text).ok());
                let keys = text.and_then(|text| text.parse::<i32>().ok()).filter(|keys| *keys > 0);
                let first = self.index + first;
                let last = keys.and_then(|keys| first.checked_add((keys - 1).checked_mul(step)?));
                // Each has something behind it, up to the next.
                (first, last.filter(|last| last + step <= count).unwrap_or(first - 1), step)
            }
        };
        (first..=last.min(count - 1)).step_by(step as usize).map(|place| place as usize)
    }
}

impl Argument {
    fn parse(text: &'static str) -> Argument {
        let mut words = text.split(' ');
        let (name, kind) = (words.next().unwrap_or_default(), words.next().expect("a name and a type"));
        let (said, flags): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        let value =
            |name: &str| said.iter().find_map(|word| word.split_once('=').filter(|pair| pair.0 == name)?.1.into());
        Argument {
            name,
            kind,
            flags,
            spec: value("spec").map(|number: &str| number.parse().expect("a number")),
            token: value("token"),
            since: value("since"),
            deprecated: value("deprecated"),
            arguments: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::command::Kind;

    #[test]
    fn every_command_and_every_part_of_one_is_there_once() {
        let catalog = Catalog::read();
        let mut names: Vec<String> = Vec::new();
        for command in Command::all_of_resp() {
            let name = command.describe().name;
            names.push(name.to_owned());
            names.extend(command.subcommands().iter().map(|(part, _)| format!("{name}|{part}")));
        }
        names.sort_unstable();
        let described: Vec<&str> = catalog.all().map(|entry| entry.name).collect();
        assert_eq!(described, names, "catalog.txt has what command.rs has");
        assert_eq!(TEXT.split("\n\n").count(), names.len() + 1, "one block each");
    }

    #[test]
    fn what_is_written_of_a_command_can_be_read() {
        for entry in Catalog::read().all() {
            let name = entry.name;
            assert!(
                !entry.summary.is_empty() && entry.since.starts_with(|digit: char| digit.is_ascii_digit()),
                "{name}"
            );
            let mut order = entry.categories().map(|category| {
                let known = CATEGORIES.iter().position(|&known| known == &category[1..]);
                known.unwrap_or_else(|| panic!("{name} is in {category}"))
            });
            assert!(order.by_ref().is_sorted(), "{name}: categories in Redis' order");
            let keys = entry.keys();
            let step = |keys: &Keys| match keys.find {
                Find::Range { step, .. } | Find::Counted { step, .. } => step,
            };
            assert!(keys.iter().all(|keys| !keys.flags.is_empty() && step(keys) > 0), "{name}");
            let read: usize = entry.arguments().iter().map(Argument::count).sum();
            let written = entry.lines.lines().filter(|line| line.trim_start().starts_with("- ")).count();
            assert_eq!(read, written, "{name}: every argument is read");
        }
    }

    #[test]
    fn what_the_table_says_of_memory_and_keys_is_what_clients_are_told() {
        let catalog = Catalog::read();
        for entry in catalog.commands() {
            let command = Command::named(entry.name.as_bytes()).expect("a command");
            assert_eq!(command.needs_memory(), entry.flags().any(|flag| flag == "denyoom"), "{}", entry.name);
            // The second word may be a number.
            let words = *b"01234567";
            let spans: Vec<_> = (0..8).map(|at| at..at + 1).collect();
            let args = Args::new(&words, &spans);
            let keys: Vec<u8> = command.keys(args).flatten().copied().collect();
            let places: Vec<u8> =
                entry.keys().iter().flat_map(|keys| keys.among(args)).map(|place| b'0' + place as u8).collect();
            if command.subcommands().is_empty() && command.describe().kind != Kind::Other {
                assert_eq!(keys, places, "{}", entry.name);
            }
        }
    }

    #[test]
    fn a_command_that_changes_keys_says_so() {
        let catalog = Catalog::read();
        for command in Command::all_of_resp() {
            let described = command.describe();
            let entry = catalog.named(described.name.as_bytes()).expect("it is there");
            // Of a script nobody knows before whether it does.
            let may_write = matches!(command, Command::Eval | Command::EvalSha);
            let is_write = may_write || entry.flags().any(|flag| flag == "write");
            assert_eq!(is_write, described.kind == Kind::Write, "{}", described.name);
            let is_refused = entry.flags().any(|flag| flag == "noscript")
                || catalog.subcommands_of(entry).iter().any(|part| part.flags().any(|flag| flag == "noscript"));
            // Of this one the part that is not for scripts is refused anyhow.
            assert_eq!(is_refused && described.name != "cluster", !command.is_for_scripts(), "{}", described.name);
        }
    }

    impl Argument {
        /// With those it is made of.
        fn count(&self) -> usize {
            1 + self.arguments.iter().map(Argument::count).sum::<usize>()
        }
    }
}
