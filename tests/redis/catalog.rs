//! What `COMMAND` and `ACL CAT` say of commands is what Redis says, for all that both have.
//!
//! Not of Redis are the texts of `COMMAND DOCS` (`summary`, `complexity`; there is no `history`), and which parts a
//! command has: `ACL` has fewer, `CLIENT` has some of later releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use kvstoreapp::protocol::Command;

use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, words};

/// What a later Redis brought, or Valkey.
const LATER: [&str; 8] =
    ["client|no-touch", "client|setinfo", "delex", "delifeq", "digest", "increx", "msetex", "waitaof"];
/// Fields of `COMMAND DOCS` that are texts of Redis' own.
const TEXTS: [&str; 3] = ["summary", "complexity", "history"];

/// A reply, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    /// A reply of one line, or a string, as it came.
    Leaf(String),
    /// What kind, and the elements; of a map names and values in turn.
    List(char, Vec<Tree>),
}

impl Tree {
    fn of(bytes: &[u8]) -> Tree {
        let mut rest = std::str::from_utf8(bytes).expect("it is all text");
        let tree = Tree::take(&mut rest);
        assert_eq!(rest, "", "one reply");
        tree
    }

    fn take(rest: &mut &str) -> Tree {
        let (line, after) = rest.split_once("\r\n").expect("a line");
        *rest = after;
        let kind = line.chars().next().expect("a kind");
        let count = || line[1..].parse::<usize>().expect("a number");
        match kind {
            '*' | '~' | '>' => Tree::List(kind, (0..count()).map(|_| Tree::take(rest)).collect()),
            '%' => Tree::List(kind, (0..2 * count()).map(|_| Tree::take(rest)).collect()),
            '$' if line != "$-1" => {
                let (text, after) = rest.split_at(count());
                *rest = &after[2..];
                Tree::Leaf(format!("{line} {text}"))
            }
            _ => Tree::Leaf(line.to_owned()),
        }
    }

    fn elements(&self) -> &[Tree] {
        match self {
            Tree::List(_, elements) => elements,
            Tree::Leaf(leaf) => panic!("{leaf} is no list"),
        }
    }

    fn kind(&self) -> Option<char> {
        match self {
            Tree::List(kind, _) => Some(*kind),
            Tree::Leaf(_) => None,
        }
    }

    /// A string's characters.
    fn text(&self) -> &str {
        match self {
            Tree::Leaf(leaf) => leaf.split_once(' ').expect("a string").1,
            Tree::List(..) => panic!("a list is no string"),
        }
    }

    /// What belongs to a name, or to a field's place after it.
    fn field(&self, name: &str) -> Option<&Tree> {
        self.elements().chunks_exact(2).find(|pair| pair[0].text() == name).map(|pair| &pair[1])
    }

    /// Without the arguments, at any depth, of which it says that a Redis after 7 brought them.
    fn without_later_options(self) -> Tree {
        let Tree::List(kind, elements) = self else { return self };
        let is_later = |tree: &Tree| {
            let is_argument = matches!(tree, Tree::List(_, fields) if fields.len() % 2 == 0)
                && tree.elements().chunks_exact(2).all(|pair| pair[0].kind().is_none());
            let since = || tree.elements().chunks_exact(2).find(|pair| pair[0] == Tree::Leaf("$5 since".to_owned()));
            is_argument && since().is_some_and(|pair| pair[1].text().starts_with('8'))
        };
        let kept = elements.into_iter().filter(|tree| !is_later(tree));
        Tree::List(kind, kept.map(Tree::without_later_options).collect())
    }

    /// A line for each leaf, further in for each list around it.
    fn shown(&self) -> String {
        match self {
            Tree::Leaf(leaf) => leaf.clone(),
            Tree::List(kind, elements) => {
                let elements = elements.iter().map(|element| element.shown().replace('\n', "\n  "));
                elements.fold(kind.to_string(), |mut all, element| {
                    write!(all, "\n  {element}").expect("memory takes all");
                    all
                })
            }
        }
    }
}

/// A Redis and a node, both asked in one protocol.
struct Both {
    redis: Resp,
    node: Resp,
}

impl Both {
    fn connect(redis: &Redis, server: &Server, protocol: u8) -> Both {
        let mut both = Both { redis: Resp::connect(redis.address), node: Resp::connect(server.address) };
        both.ask(&format!("HELLO {protocol}"));
        both
    }

    fn ask(&mut self, request: &str) -> [Tree; 2] {
        [&mut self.redis, &mut self.node].map(|end| Tree::of(&end.ask(&words(request))))
    }
}

/// Names of all commands and parts here.
fn names() -> Vec<String> {
    let all = Command::all_of_resp().flat_map(|command| {
        let name = command.describe().name;
        let parts = command.subcommands().iter().map(move |(part, _)| format!("{name}|{part}"));
        parts.chain([name.to_owned()])
    });
    all.collect()
}

/// The names of those that both have.
fn shared() -> Vec<String> {
    let shared: Vec<String> = names().into_iter().filter(|name| !LATER.contains(&name.as_str())).collect();
    assert!(shared.len() > 150, "most are there: {shared:?}");
    shared
}

fn differences(name: &str, [expected, found]: [&Tree; 2], into: &mut Vec<String>) {
    if expected != found {
        into.push(format!("{name}\nRedis: {}\nhere:  {}", expected.shown(), found.shown()));
    }
}

#[test]
fn command_info_is_that_of_redis_byte_for_byte() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let mut found = Vec::new();
    for protocol in [2, 3] {
        let mut both = Both::connect(&redis, &server, protocol);
        for name in shared() {
            let [theirs, ours] = both.ask(&format!("COMMAND INFO {name}"));
            let [theirs, ours] = [&theirs.elements()[0], &ours.elements()[0]].map(Tree::elements);
            // Parts are asked for by their names. What they are listed in is the same.
            let [their_kind, our_kind] = [theirs, ours].map(|all| all[9].kind());
            assert_eq!(our_kind, their_kind, "{name}");
            let [theirs, ours] = [theirs, ours].map(|all| Tree::List('*', all[..9].to_vec()));
            differences(&name, [&theirs, &ours], &mut found);
        }
    }
    assert!(found.is_empty(), "{} commands differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn command_info_holds_what_is_said_of_each_command_and_part() {
    let server = Server::start(&[]);
    let mut node = Resp::connect(server.address);
    let all = Tree::of(&node.ask(&words("COMMAND")));
    assert_eq!(all, Tree::of(&node.ask(&words("COMMAND INFO"))));
    let mut described = BTreeMap::new();
    for command in all.elements() {
        described.insert(command.elements()[0].text(), command);
        described.extend(command.elements()[9].elements().iter().map(|part| (part.elements()[0].text(), part)));
    }
    let names = names();
    assert_eq!(described.len(), names.len());
    for name in names {
        let one = Tree::of(&node.ask(&words(&format!("COMMAND INFO {}", name.to_uppercase()))));
        assert_eq!(&one.elements()[0], described[name.as_str()], "{name}");
    }
    assert_eq!(node.ask(&words("COMMAND COUNT")), format!(":{}\r\n", all.elements().len()).as_bytes());
}

#[test]
fn command_docs_has_the_structure_and_the_arguments_of_redis() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let mut found = Vec::new();
    for protocol in [2, 3] {
        let mut both = Both::connect(&redis, &server, protocol);
        for name in shared() {
            let [theirs, ours] = both.ask(&format!("COMMAND DOCS {name}"));
            let [theirs, ours] = [&theirs, &ours].map(|docs| docs.field(&name).expect("it is explained"));
            let summary = ours.field("summary").expect("there is one").text();
            assert!(!summary.is_empty() && summary.len() <= 80, "{name}: {summary}");
            let comparable = |docs: &Tree| {
                let pairs = docs.elements().chunks_exact(2);
                let kept = pairs.filter(|pair| ![&TEXTS[..], &["subcommands"]].concat().contains(&pair[0].text()));
                Tree::List('%', kept.flatten().cloned().collect()).without_later_options()
            };
            differences(&name, [&comparable(theirs), &comparable(ours)], &mut found);
            // Each part is explained within its command as it is by itself.
            let parts = ours.field("subcommands").map_or(&[][..], Tree::elements);
            for part in parts.chunks_exact(2) {
                let alone = both.node.ask(&words(&format!("COMMAND DOCS {}", part[0].text())));
                assert_eq!(Tree::of(&alone).elements(), part);
            }
            assert_eq!(parts.is_empty(), theirs.field("subcommands").is_none(), "{name}");
        }
    }
    assert!(found.is_empty(), "{} commands differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn lists_of_commands_by_name_and_category_are_those_of_redis() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let mut both = Both::connect(&redis, &server, 3);
    let [categories, ours] = both.ask("ACL CAT");
    assert_eq!(categories, ours);
    let all: BTreeSet<String> = shared().into_iter().collect();
    let requests = categories.elements().iter().map(Tree::text);
    let requests =
        requests.flat_map(|name| [format!("ACL CAT {name}"), format!("COMMAND LIST FILTERBY ACLCAT {name}")]);
    let others = ["COMMAND LIST", "COMMAND LIST FILTERBY PATTERN *", "COMMAND LIST FILTERBY PATTERN CL*t?[a-m]*"];
    for request in requests.chain(others.map(str::to_owned)) {
        let [theirs, ours] = both.ask(&request).map(|names| {
            let names = names.elements().iter().map(|name| name.text().to_owned());
            names.filter(|name| all.contains(name)).collect::<BTreeSet<String>>()
        });
        assert_eq!(theirs, ours, "{request}");
    }
}

#[test]
fn the_keys_of_requests_are_found_as_redis_finds_them() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let mut both = Both::connect(&redis, &server, 3);
    let requests = shared().into_iter().flat_map(|name| {
        // Words that mean something to one command or another.
        [
            vec![],
            vec!["a"],
            vec!["a", "b"],
            vec!["a", "b", "c"],
            vec!["a", "b", "c", "d"],
            vec!["a", "b", "c", "d", "e"],
            vec!["a", "b", "GET"],
            vec!["a", "GET", "u8", "0"],
            vec!["a", "get", "u8", "0", "overflow", "sat", "GET", "u8", "8"],
            vec!["a", "GET", "u8", "0", "SET", "u8", "0", "1"],
            vec!["a", "INCRBY", "u8", "0", "1"],
            vec!["a", "GET"],
        ]
        .map(|args| format!("{} {}", name.replace('|', " "), args.join(" ")))
    });
    for request in requests.chain(["CLIENT|ID a".to_owned(), "OBJECT NOSUCH a".to_owned(), "NOSUCH a b".to_owned()]) {
        for verb in ["GETKEYS", "GETKEYSANDFLAGS"] {
            let [theirs, ours] = both.ask(&format!("COMMAND {verb} {request}"));
            assert_eq!(ours.shown(), theirs.shown(), "COMMAND {verb} {request}");
        }
    }
}
