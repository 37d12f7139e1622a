//! Whether the scripts leave anything out: every command, every part of one and every error is in one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kvstoreapp::node::Origin;
use kvstoreapp::protocol::{Command, line};

use crate::pure::{NOW, node, options, say};
use crate::reply::{request, words};
use crate::script::{Answer, Script};

/// Errors that no conversation meets: of a request without end, of lines, which say it otherwise, of a node that nobody
/// gives random numbers, and of a file of users.
const UNMET: [&str; 4] = [
    "Protocol error: too big request",
    "invalid command",
    "there is no source of random numbers",
    "There was an error trying to save the ACLs. Please check the server logs for more information",
];

#[test]
fn every_command_and_every_part_of_one_is_said_with_arguments_that_it_takes() {
    let scripts = resp_scripts();
    let requests: Vec<&Vec<Vec<u8>>> = scripts.iter().flat_map(|script| &script.requests).collect();
    let is_said = |command: Command, part: Option<(&str, i32)>| {
        requests.iter().any(|words| {
            let is_command = Command::named(&words[0]) == Some(command) && command.takes(words.len());
            let takes = |arity: i32| if arity < 0 { words.len() as i32 >= -arity } else { words.len() as i32 == arity };
            is_command
                && part.is_none_or(|(part, arity)| {
                    words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(part.as_bytes())) && takes(arity)
                })
        })
    };
    let mut unsaid = Vec::new();
    for command in Command::all_of_resp() {
        let parts = command.subcommands().iter().map(|&part| Some(part)).chain([None]);
        let name = command.describe().name;
        unsaid.extend(parts.filter(|part| !is_said(command, *part)).map(|part| format!("{name} {part:?}")));
    }
    assert!(unsaid.is_empty(), "no script says {unsaid:?}");
}

/// The form is that of Redis: a line for each part, and what it does, set off, below it.
#[test]
fn the_help_of_every_command_with_parts_names_all_of_them() {
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    // What is refused as a whole has none.
    let has_help = |command: &Command| {
        *command != Command::Cluster && command.subcommands().iter().any(|(part, _)| *part == "help")
    };
    for command in Command::all_of_resp().filter(|command| has_help(command) || *command == Command::Debug) {
        let name = command.describe().name.to_uppercase();
        let help = say(&mut node, 0, &request(&words(&format!("{name} HELP"))));
        let help = String::from_utf8(help).expect("help is text");
        let lines: Vec<&str> = help.split_terminator("\r\n").collect();
        assert_eq!(lines[0], format!("*{}", lines.len() - 1), "{name}");
        let first = format!("+{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[1], first);
        assert_eq!(lines[lines.len() - 2..], ["+HELP", "+    Prints this help."]);
        let explained = |line: &usize| lines.get(line + 1).is_some_and(|below| below.starts_with("+    "));
        let heads: Vec<usize> = (2..lines.len()).filter(|&line| !lines[line].starts_with("+    ")).collect();
        assert!(heads.iter().all(explained), "{name} says of a part nothing: {help}");
        for (part, _) in command.subcommands() {
            let is_named = |line: &usize| lines[*line][1..].split(' ').next() == Some(&part.to_uppercase());
            assert!(heads.iter().any(is_named), "{name} HELP does not name {part}");
        }
    }
}

#[test]
fn every_wrong_number_of_arguments_is_answered() {
    let answers = answers(&resp_scripts());
    let mut missing = Vec::new();
    for command in Command::all_of_resp() {
        let described = command.describe();
        let whole = (described.arity != -1).then(|| described.name.to_owned());
        let parts = command.subcommands().iter().filter(|(_, arity)| *arity != -2);
        let parts = parts.map(|(part, _)| format!("{}|{part}", described.name));
        let is_answered = |name: &String| {
            let error = format!("wrong number of arguments for '{name}' command\r");
            answers.iter().any(|answer| answer.ends_with(&error))
        };
        missing.extend(whole.into_iter().chain(parts).filter(|name| !is_answered(name)));
    }
    assert!(missing.is_empty(), "no script says too little or too much to {missing:?}");
}

#[test]
fn every_verb_of_the_line_dialect_is_said() {
    let said: Vec<Vec<u8>> = Script::of("line").iter().map(Script::said).collect();
    let verbs = line::HELP.lines().take_while(|line| !line.starts_with("A key is"));
    for verb in verbs.filter_map(|line| line.split_whitespace().next()) {
        let is_said = said.iter().any(|bytes| {
            bytes
                .split(|&byte| byte == b'\n')
                .any(|line| line.split(|&byte| byte == b' ').next() == Some(verb.as_bytes()))
        });
        assert!(is_said, "no script says {verb}");
    }
}

#[test]
fn every_op_of_json_is_said() {
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    // The answer to an op that there is not names all that there are.
    let all = String::from_utf8(say(&mut node, 0, b"{\"op\":\"\"}\n")).expect("JSON is text");
    let said: String =
        Script::of("json").iter().map(|script| String::from_utf8_lossy(&script.said()).into_owned()).collect();
    let ops: Vec<&str> = all.split('`').skip(3).step_by(2).collect();
    assert!(ops.contains(&"get"), "{all}");
    for op in ops {
        assert!(said.contains(&format!("{{\"op\":\"{op}\"")), "no script says {op}");
    }
}

/// Errors are found in the source by how their text begins.
#[test]
fn every_error_is_answered() {
    let answers: String = answers(&Script::all()).into_iter().collect();
    let begins = [
        "\"ERR ",
        "\"NOPROTO ",
        "\"WRONGPASS ",
        "\"NOPERM ",
        "\"NOAUTH ",
        "\"EXECABORT ",
        "fail(\"",
        "fatal(\"",
        "Word::Fatal(\"",
    ];
    let mut missing = BTreeSet::new();
    for text in sources() {
        for begin in begins {
            for (at, _) in text.match_indices(begin) {
                let literal = &text[at + begin.find('"').expect("they have a quote") + 1..];
                let end = literal.find(['"', '{', '\\']).unwrap_or(literal.len());
                let words = if begin.to_lowercase().contains("fatal") { "Protocol error: " } else { "" };
                let error = format!("{words}{}", literal[..end].trim_start_matches("ERR "));
                if error.len() > 3 && !answers.contains(&error) && !UNMET.contains(&error.as_str()) {
                    missing.insert(error);
                }
            }
        }
    }
    assert!(missing.is_empty(), "no script is answered {missing:#?}");
}

fn resp_scripts() -> Vec<Script> {
    ["resp", "redis"].into_iter().flat_map(Script::of).collect()
}

fn answers(scripts: &[Script]) -> BTreeSet<String> {
    let turns = scripts.iter().flat_map(|script| &script.turns);
    let answers = turns.flat_map(|turn| &turn.answers).chain(scripts.iter().flat_map(|script| &script.parting));
    let text = |answer: &Answer| match answer {
        Answer::Line(line) => Some(String::from_utf8_lossy(line).into_owned()),
        Answer::Field(_) | Answer::Beginning(_) | Answer::UpTo(_) => None,
    };
    answers.filter_map(text).collect()
}

/// What requests are read and executed with, without the tests below.
fn sources() -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = ["node/commands", "protocol", "protocol/json"];
    let files = folders.map(|folder| fs::read_dir(source.join(folder)).expect("it is there"));
    let files = files.into_iter().flatten().map(|file| file.expect("a directory can be read").path());
    let texts = files.filter(|path| path.is_file()).map(|path| {
        let text = fs::read_to_string(path).expect("source is text");
        text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
    });
    texts.collect()
}
