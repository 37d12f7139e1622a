//! What the README shows is what a shell shows: its blocks are run one after the other, as somebody would who reads it
//! from the top, and each answer is compared.
//!
//! In a clone of the test's own, with ports that the system chose in the place of 5000 and up. What differs by nature
//! (ports, process ids, times) is compared as such. A new block is run, unless it is on the list below.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::harness::PATIENCE;

/// Commands that are not run as they stand: how they begin, what is run in their place, and why.
const INSTEAD: &[(&str, &str, &str)] = &[
    ("cargo install ", ":", "the binaries under test are on the path already"),
    (
        "scripts/cluster.sh start",
        "kill %%; wait; cd - >/dev/null; scripts/cluster.sh start ",
        "the text before it says so: the one node ends, and the nodes' file lies in the clone",
    ),
    (
        "kvbench --fill ",
        "scripts/cluster.sh start >/dev/null; kvbench --keys 1000 --seconds 1 --warm-up 0 --fill ",
        "a node has to run, and all of it would take a minute",
    ),
];
/// Ports that the README speaks of.
const PORTS: [u16; 3] = [5000, 5001, 5002];
/// What ends a command's output.
const END: &str = "@@ end";
/// Lines of the shell before its first command. `nc` waits for somebody to talk to, which the reader's slow fingers do
/// otherwise; what a background job says on the terminal goes elsewhere.
const PRELUDE: &str = r#"
set -m
nc() {
    local turns=0
    until command nc -z 127.0.0.1 "${@: -1}" || ((++turns == 300)); do command sleep 0.1; done
    command nc "$@"
}
"#;

#[test]
fn the_readme_shows_what_a_shell_shows() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README is there");
    let blocks = blocks(&text);
    assert!(blocks.iter().filter(|block| block.language == "console").count() > 1, "the blocks are found");
    let mut shell = Shell::start();
    let mut replaced = vec![false; INSTEAD.len()];
    for block in &blocks {
        for command in block.commands() {
            let place = format!("README.md:{}: {}", command.line, command.text);
            let mut text = command.text.clone();
            for (number, (begin, instead, _)) in INSTEAD.iter().enumerate() {
                if let Some(rest) = text.strip_prefix(begin) {
                    replaced[number] = true;
                    text = if instead.ends_with(' ') { format!("{instead}{rest}") } else { (*instead).to_owned() };
                }
            }
            shell.check(&place, &text, command.shown.as_deref());
        }
    }
    for (used, (begin, _, why)) in replaced.iter().zip(INSTEAD) {
        assert!(used, "nothing begins with {begin:?} ({why}): take it from the list");
    }
}

/// A fenced block.
struct Block<'a> {
    language: &'a str,
    /// Number of its first line, and its lines.
    first: usize,
    lines: Vec<&'a str>,
}

/// What somebody types, and what they are shown; `None` where the README does not say.
#[derive(Debug)]
struct Typed {
    line: usize,
    text: String,
    shown: Option<String>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_inside = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_inside => is_inside = false,
            Some(language) => {
                is_inside = true;
                blocks.push(Block { language, first: number + 2, lines: Vec::new() });
            }
            None if is_inside => blocks.last_mut().expect("one has begun").lines.push(line),
            None => (),
        }
    }
    blocks
}

impl Block<'_> {
    fn commands(&self) -> Vec<Typed> {
        let numbered = || self.lines.iter().enumerate().map(|(at, line)| (self.first + at, *line));
        match self.language {
            "sh" => {
                let is_one = |line: &str| !line.is_empty() && !line.starts_with('#');
                let lines = numbered().filter(|(_, line)| is_one(line));
                lines.map(|(line, text)| Typed { line, text: text.to_owned(), shown: None }).collect()
            }
            "console" => self.conversation(),
            // What it prints stands behind it, in a comment.
            "python" => {
                let shown = numbered().filter(|(_, line)| line.starts_with("print("));
                let shown = shown.map(|(_, line)| format!("{}\n", line.rsplit_once("# ").expect("it is shown").1));
                let program = self.lines.join("\n");
                let text = format!("\"$PYTHON\" - <<'PROGRAM'\n{program}\nPROGRAM");
                vec![Typed { line: self.first, text, shown: Some(shown.collect()) }]
            }
            "json" => Vec::new(),
            other => panic!("README.md:{}: nobody knows how to run a block of {other:?}", self.first),
        }
    }

    /// Commands after `$`, each with what it prints. With `nc` alone, requests and answers take turns.
    fn conversation(&self) -> Vec<Typed> {
        let mut typed: Vec<Typed> = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                let (line, text) = (self.first + at, command.to_owned());
                typed.push(Typed { line, text, shown: Some(String::new()) });
            } else {
                let last = typed.last_mut().expect("a block begins with a command");
                last.shown.get_or_insert_default().push_str(&format!("{line}\n"));
            }
        }
        for talk in typed.iter_mut().filter(|typed| typed.text.starts_with("nc ")) {
            let lines = talk.shown.take().unwrap_or_default();
            let turns: Vec<&str> = lines.lines().collect();
            let part =
                |from: usize| turns.iter().skip(from).step_by(2).map(|line| format!("{line}\n")).collect::<String>();
            talk.text = format!("{} -N {} <<'REQUESTS'\n{}REQUESTS", "nc", talk.text[3..].trim(), part(0));
            talk.shown = Some(part(1));
        }
        typed
    }
}

/// A shell that somebody types into, in a clone without sources.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    ports: Vec<(String, String)>,
    directory: TempDir,
}

impl Shell {
    fn start() -> Shell {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listeners =
            PORTS.map(|_| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("ports are free"));
        let chosen = listeners.iter().map(|listener| listener.local_addr().expect("it is bound").port().to_string());
        let ports: Vec<_> = PORTS.iter().map(u16::to_string).zip(chosen).collect();
        drop(listeners);
        let [clone, path] = ["clone", "path"].map(|name| directory.path().join(name));
        for made in [&path, &clone.join("scripts"), &clone.join("target/release")] {
            fs::create_dir_all(made).expect("the test's directory is writable");
        }
        let node = env!("CARGO_BIN_EXE_kvstoreapp");
        symlink(node, clone.join("target/release/kvstoreapp")).expect("the test's directory is writable");
        fs::copy(root.join("scripts/cluster.sh"), clone.join("scripts/cluster.sh")).expect("it is there");
        let nodes = fs::read_to_string(root.join("node_config.json")).expect("it is there");
        fs::write(clone.join("node_config.json"), replace(&nodes, &ports)).expect("it is writable");
        let (kvbench, log, port) = (env!("CARGO_BIN_EXE_kvbench"), directory.path().join("log"), &ports[0].1);
        let log = log.display();
        let scripts = [
            (
                "kvstoreapp",
                // A tool is one that its first word names.
                format!(
                    "case \"$1\" in [a-z]*) exec '{node}' \"$@\" ;; esac\n\
                     exec '{node}' --bind=127.0.0.1:{port} --snapshot-interval-ms=100 \"$@\" >>'{log}' 2>&1"
                ),
            ),
            ("kvbench", format!("exec '{kvbench}' --address=127.0.0.1:{port} \"$@\"")),
        ];
        for (name, text) in scripts {
            let script = path.join(name);
            fs::write(&script, format!("#!/bin/sh\n{text}\n")).expect("it is writable");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let python = root.join("target/clients/bin/python");
        let said = fs::File::create(directory.path().join("errors")).expect("it is writable");
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(&clone)
            .env("TMPDIR", directory.path())
            .env("PYTHON", python);
        command.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").expect("there is a path")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().expect("there is bash");
        let lines = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        let (line, output) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|one| line.send(one)));
        let input = child.stdin.take().expect("its input is a pipe");
        let mut shell = Shell { child, input, output, ports, directory };
        shell.run(PRELUDE);
        shell
    }

    /// Types the command and compares what it prints. What only reads is asked again until the answer is there: other
    /// nodes have a write a little later.
    fn check(&mut self, place: &str, text: &str, shown: Option<&str>) {
        let text = replace(text, &self.ports);
        let only_reads = text.starts_with("printf 'GET ") || text.contains(" status");
        let expected = shown.map(|shown| alike(&replace(shown, &self.ports)));
        let begun = Instant::now();
        loop {
            let printed = alike(&self.run(&text));
            let is_so = match &expected {
                Some(expected) => printed == *expected,
                None => !printed.contains("(status "),
            };
            if is_so {
                return;
            }
            let expected = expected.as_deref().unwrap_or("(success)");
            let errors = fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default();
            let is_late = begun.elapsed() > PATIENCE;
            assert!(only_reads && !is_late, "{place}\nshows\n{expected}\nand printed\n{printed}\nerrors:\n{errors}");
        }
    }

    /// What it prints, and how it ends where that is no success.
    fn run(&mut self, text: &str) -> String {
        writeln!(self.input, "{text}\necho \"{END} $?\"").expect("the shell reads");
        let mut printed = String::new();
        loop {
            let line = self.output.recv_timeout(2 * PATIENCE).unwrap_or_else(|_| panic!("no end: {text}\n{printed}"));
            match line.split_once(END) {
                Some((rest, " 0")) => return printed + rest,
                Some((rest, status)) => return format!("{printed}{rest}(status{status})"),
                None => printed.push_str(&(line + "\n")),
            }
        }
    }
}

impl Drop for Shell {
    /// With all that it has started: its jobs are process groups of their own.
    fn drop(&mut self) {
        let _ = writeln!(self.input, "kill -9 $(jobs -p); scripts/cluster.sh stop; exit");
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
                break;
            }
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn replace(text: &str, ports: &[(String, String)]) -> String {
    ports.iter().fold(text.to_owned(), |text, (shown, chosen)| text.replace(shown, chosen))
}

/// With process ids and times as such: they differ by nature.
fn alike(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let is_number = |word: &str| word.trim().parse::<u64>().is_ok();
        let is_pid = words.last().is_some_and(|last| last == "pid ") && is_number(word);
        let digits: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let is_time = digits.contains("0000-00-00") || digits.contains("00:00:00");
        words.push(if is_pid {
            "0 ".to_owned()
        } else if is_time {
            digits
        } else {
            word.to_owned()
        });
    }
    words.concat()
}

#[test]
fn what_differs_by_nature_is_alike_and_nothing_else() {
    assert_eq!(alike("color|green|2026-11-30 10:21:40|0|\n"), alike("color|green|2027-01-02 23:59:59|0|\n"));
    assert_ne!(alike("color|green|2026-11-30 10:21:40|0|\n"), alike("color|blue|2026-11-30 10:21:40|0|\n"));
    assert_eq!(alike("node 1  pid 20168\n"), alike("node 1  pid 7\n"));
    assert_ne!(alike("keys 1  linked 2 of 2"), alike("keys 1  linked 1 of 2"));
}
