//! The map of the source as a test: who may use whom, and where each outside world may be touched.
//!
//! It reads the text of `src/` without comments and literals. It does not know what macros expand to.

use std::fmt::Write as _;
use std::path::Path;

/// The modules in the order of imports: each uses itself and those before it. `main.rs` and `bin/` use all, and the build script
/// none.
const ORDER: [&str; 19] = [
    "fault_injection",
    "store",
    "protocol",
    "auth",
    "replication",
    "metrics",
    "http",
    "status",
    "scripting",
    "replica",
    "node",
    "files",
    "secrets",
    "logging",
    "config",
    "allocator",
    "snapshot",
    "server",
    "tool",
];
/// The modules that touch an outside world.
const EDGE: &[&str] =
    &["files", "secrets", "config", "logging", "allocator", "snapshot", "server", "tool", "main", "bin", "build"];
/// Where no module may be.
const NOWHERE: &[&str] = &[];

/// What may occur where: paths and macros, the modules (or files) they belong to, and why.
const RULES: &[(&[&str], &[&str], &str)] = &[
    (
        &["mio", "signal_hook", "signal_hook_mio"],
        &["server", "tool/interrupt.rs", "main", "bin"],
        "sockets and signals belong to the server",
    ),
    (&["slab"], EDGE, "connections are numbered at the edge"),
    (&["rustls"], &["server", "tool/client/secure.rs", "bin"], "TLS is behind one door for nodes and one for tools"),
    (&["rcgen"], &["server", "tool"], "certificates are made by a tool"),
    (&["rusqlite"], &["snapshot"], "SQLite is behind one door"),
    (&["rustyline"], &["tool/cli/prompt.rs"], "who is at a terminal is asked in one place"),
    (&["indicatif"], &["tool/progress.rs", "tool/transfer/import.rs"], "bars are for who waits for a tool"),
    (&["clap_complete", "clap_mangen"], &["tool/pages.rs", "config/tools.rs"], "pages are made by a tool"),
    (&["clap"], &["config", "bin"], "what people write is understood in one place"),
    (
        &["serde", "serde_json", "base64"],
        &["config", "http", "logging", "protocol", "status", "tool", "bin"],
        "texts are understood where they come in, and made where they leave",
    ),
    (&["mlua"], &["scripting"], "Lua is behind one door"),
    (&["hmac"], &["secrets"], "whoever checks a proof is handed what it is checked with"),
    (&["simple_logger", "OffsetDateTime"], &["logging"], "the log leaves through one queue"),
    (&["rustix", "mimalloc"], EDGE, "pure modules know no operating system"),
    (&["std::net", "std::os"], EDGE, "pure modules know no sockets"),
    (&["std::fs", "std::env", "std::process"], EDGE, "pure modules know no disk and no process"),
    (&["std::thread", "std::sync"], EDGE, "pure modules know no threads"),
    (&["thread_local!"], EDGE, "what a pure module needs is handed in"),
    (&["Instant::now", "SystemTime::now"], EDGE, "time is an argument"),
    (&["RandomState"], EDGE, "chance is an argument"),
    (
        &["Dialect::Line", "Dialect::Resp2", "Dialect::Resp3", "Dialect::Json", "Dialect::Http"],
        &["protocol", "config", "bin"],
        "others ask what a dialect can do, so that one more is a file and a line in protocol/",
    ),
    (&["unsafe"], &["store/entry.rs", "allocator.rs"], "unsafe code lives in two small files"),
    (&["todo!", "unimplemented!", "dbg!"], NOWHERE, "what is here is finished"),
    (&["println!", "print!"], &["main", "bin", "build"], "a terminal nobody reads must not stop the loop; log instead"),
];

/// Where a rule does not hold, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("slab", "store/changes.rs", "the container as plain memory: segments with numbers, no connections"),
    (
        "thread_local!",
        "fault_injection.rs",
        "only with the feature, for the tests: mistakes are switched on in every place",
    ),
];

/// A longer file is asked which noun is hiding in it.
const LINES_MAX: usize = 450;

#[test]
fn the_source_keeps_to_the_map() {
    let sources = sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 20, "the sources are found");
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    for (name, file, why) in EXCEPTIONS {
        let used = sources.iter().any(|(path, text)| path == file && Code::of(text).mentions(name).next().is_some());
        assert!(used, "the exception for {name} in {file} ({why}) is not needed");
    }
}

#[test]
fn an_import_from_below_is_found_in_every_form() {
    check("store/mod.rs", "use crate::node::Node;", &["store/mod.rs:1: store uses node"]);
    check(
        "protocol/line.rs",
        "\n\nuse crate::{\n  store::Key,\n  server,\n};",
        &["protocol/line.rs:3: protocol uses server"],
    );
    check("node/mod.rs", "fn f() {\n crate::snapshot::write() }", &["node/mod.rs:2: node uses snapshot"]);
    check("metrics.rs", "use super::config::Config;", &["metrics.rs:1: metrics uses config"]);
    check("store/entry.rs", "use super::super::{node::{Node, Now}};", &["store/entry.rs:1: store uses node"]);
    check("store/entry.rs", "pub(in crate::store) fn f() {}", &[]);
    check("server/mod.rs", "use crate::{node, store::{Key, Stamp}, snapshot};", &[]);
    check("node/mod.rs", "//! See [`crate::server`].\n/* crate::server */ const A: &str = \"crate::server\";", &[]);
}

#[test]
fn an_outside_world_in_a_pure_module_is_found() {
    check("store/mod.rs", "use mio::Poll;", &["store/mod.rs:1: mio"]);
    check("config.rs", "use mio::Poll;", &["config.rs:1: mio"]);
    check("main.rs", "use mio::Poll;", &[]);
    check("node/mod.rs", "use std::{io::{self, Read}, fs};", &["node/mod.rs:1: std::fs"]);
    check("node/mod.rs", "fn f() {\n\n std::thread::sleep(x) }", &["node/mod.rs:3: std::thread"]);
    check("node/mod.rs", "let now = time::Instant::now();", &["node/mod.rs:1: Instant::now"]);
    check("node/mod.rs", "fn is_due(now: Instant) {}", &[]);
    check("store/value.rs", "\nthread_local! { static A: u8 = 0; }", &["store/value.rs:2: thread_local!"]);
    check("server/memory.rs", "std::thread_local! { static A: u8 = 0; }", &[]);
    check("server/mod.rs", "let now = Instant::now(); use rusqlite as q;", &["server/mod.rs:1: rusqlite"]);
    check("server/mod.rs", "#[derive(serde::Deserialize)]\nstruct A;", &["server/mod.rs:1: serde"]);
    check("store/changes.rs", "use slab::Slab;", &[]);
    check("store/slots.rs", "use slab::Slab;", &["store/slots.rs:1: slab"]);
    check("node/session.rs", "let a = dialect == Dialect::Json;", &["node/session.rs:1: Dialect::Json"]);
    check("node/session.rs", "use crate::protocol::Dialect; fn f() { Dialect::resp(2); }", &[]);
    check("protocol/dialect.rs", "let a = dialect == Dialect::Json;", &[]);
}

#[test]
fn unsafe_code_unfinished_code_and_prints_are_found() {
    check("store/entry.rs", "unsafe { f() }", &[]);
    check("store/slots.rs", "#![forbid(unsafe_code)]\nunsafe fn f() {}", &["store/slots.rs:2: unsafe"]);
    check("main.rs", "fn f() { todo!() }", &["main.rs:1: todo!"]);
    check("main.rs", "fn f() { println!(\"todo!\") }", &[]);
    check("node/mod.rs", "let a = '\"'; println!(\"{a}\");", &["node/mod.rs:1: println!"]);
    check("node/mod.rs", "let a = r#\"\"println!\"#; eprintln!(); fn f<'a>(a: &'a str) {}", &[]);
}

#[test]
fn a_long_file_an_unknown_module_and_a_wrong_order_are_found() {
    check("node/mod.rs", &"\n".repeat(LINES_MAX + 1), &["node/mod.rs:451: more than 450 lines"]);
    check("node/mod.rs", &"\n".repeat(LINES_MAX), &[]);
    check("helpers.rs", "", &["helpers.rs:1: helpers is no module of the map"]);
    check("lib.rs", "pub mod store;\npub mod node;\npub mod server;", &[]);
    check("lib.rs", "pub mod store;\npub mod node;\npub mod metrics;", &["lib.rs:3: metrics stands after node"]);
    check("lib.rs", "mod store;\nmod util;", &["lib.rs:2: util is no module of the map"]);
}

/// Each violation begins with file, line and rule.
fn check(path: &str, text: &str, expected: &[&str]) {
    let found = violations(&[(path.to_owned(), text.to_owned())]);
    let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(one, begin)| one.starts_with(begin));
    assert!(fits, "{path} with {text:?}\nfound    {found:#?}\nexpected {expected:#?}");
}

fn violations(sources: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let code = Code::of(text);
        let module = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let mut complain = |line: usize, what: std::fmt::Arguments| found.push(format!("{path}:{line}: {what}"));
        match (module, ORDER.iter().position(|&other| other == module)) {
            ("main" | "bin" | "build", _) => (),
            ("lib", _) => check_declarations(&code, &mut complain),
            (_, None) => complain(1, format_args!("{module} is no module of the map ({})", ORDER.join(", "))),
            (_, Some(own)) => {
                for (line, used) in code.modules_used(path) {
                    if ORDER[own + 1..].contains(&used.as_str()) {
                        complain(line, format_args!("{module} uses {used}, which stands below it on the map"));
                    }
                }
            }
        }
        for (names, places, why) in RULES {
            for name in *names {
                let excepted = EXCEPTIONS.iter().any(|(other, file, _)| other == name && file == path);
                if excepted || places.contains(&module) || places.contains(&path.as_str()) {
                    continue;
                }
                for line in code.mentions(name) {
                    let places = if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") };
                    complain(line, format_args!("{name} is allowed in: {places}; {why}"));
                }
            }
        }
        if text.lines().count() > LINES_MAX {
            complain(LINES_MAX + 1, format_args!("more than {LINES_MAX} lines: which noun is hiding in it?"));
        }
    }
    found
}

fn check_declarations(code: &Code, complain: &mut impl FnMut(usize, std::fmt::Arguments)) {
    let mut last = 0;
    for (number, line) in code.text.lines().enumerate() {
        let line = line.trim().trim_start_matches("pub ").trim_end_matches(';');
        let Some(name) = line.strip_prefix("mod ") else { continue };
        match ORDER.iter().position(|&other| other == name) {
            None => complain(number + 1, format_args!("{name} is no module of the map ({})", ORDER.join(", "))),
            Some(place) if place < last => {
                complain(number + 1, format_args!("{name} stands after {}, which comes below it", ORDER[last]));
            }
            Some(place) => last = place,
        }
    }
}

/// Rust without comments and without what is in literals; lines stay where they are.
struct Code {
    text: String,
    /// Every path that a `use` brings in, with its line.
    imports: Vec<(usize, String)>,
}

impl Code {
    fn of(source: &str) -> Code {
        let text = without_comments_and_literals(source);
        let mut imports = Vec::new();
        for at in word_places(&text, "use") {
            let statement = text[at + 3..].split(';').next().unwrap_or_default();
            let tree: String = statement.split_whitespace().fold(String::new(), |mut tree, word| {
                // `as` is the one word that has to stay apart.
                let _ = if word == "as" { write!(tree, " as ") } else { write!(tree, "{word}") };
                tree
            });
            let line = line_of(&text, at);
            expand("", &tree, &mut |path| imports.push((line, path)));
        }
        Code { text, imports }
    }

    /// Lines that name this path, macro or word, in an import or elsewhere; each once.
    fn mentions(&self, name: &str) -> impl Iterator<Item = usize> {
        let begins = |path: &str| path.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_word));
        let imported = self.imports.iter().filter(|(_, path)| begins(path)).map(|&(line, _)| line);
        let mut lines: Vec<usize> = word_places(&self.text, name).map(|at| line_of(&self.text, at)).collect();
        lines.extend(imported);
        lines.sort_unstable();
        lines.dedup();
        lines.into_iter()
    }

    /// The library's modules that are named, with the line; by `crate::`, or by as many `super::` as lead up there.
    fn modules_used(&self, path: &str) -> Vec<(usize, String)> {
        let nested = path.contains('/') && !path.ends_with("/mod.rs");
        let roots = ["crate::", if nested { "super::super::" } else { "super::" }];
        let mut used = Vec::new();
        for root in roots {
            let elsewhere = word_places(&self.text, root).map(|at| {
                let name = self.text[at + root.len()..].split(|c| !is_word(c)).next().unwrap_or_default();
                (line_of(&self.text, at), name.to_owned())
            });
            let imported = self.imports.iter().filter_map(|(line, path)| {
                let name = path.strip_prefix(root)?.split(|c| !is_word(c)).next()?;
                Some((*line, name.to_owned()))
            });
            used.extend(elsewhere.chain(imported));
        }
        used.sort_unstable();
        used.dedup();
        used
    }
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
pub fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(String)) {
    let Some(open) = tree.find('{') else {
        if !tree.is_empty() {
            found(format!("{prefix}{tree}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inner = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..at], found);
                start = at + 1;
            }
            _ => (),
        }
    }
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the name stands as whole words.
pub fn word_places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name).map(|(at, _)| at).filter(move |&at| {
        let ends = !name.ends_with(is_word) || !text[at + name.len()..].starts_with(is_word);
        ends && !text[..at].ends_with(is_word)
    })
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

pub fn without_comments_and_literals(source: &str) -> String {
    let (mut rest, mut code) = (source, String::new());
    while let Some(c) = rest.chars().next() {
        let skipped = skipped_bytes(rest, code.ends_with(is_word));
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(rest[..skipped].matches('\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

/// Length of the comment or literal that the text begins with; 0 for none.
fn skipped_bytes(text: &str, after_word: bool) -> usize {
    let up_to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return up_to("*/", 2);
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    if let Some(raw) = text[prefix..].strip_prefix('r').filter(|_| prefix <= 1 && !after_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return up_to(&format!("\"{}", "#".repeat(hashes)), prefix + 1 + hashes + 1);
        }
    }
    match text.as_bytes()[0] {
        b'"' => {
            let mut escaped = false;
            let end = text[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |at| at + 2)
        }
        // A character, not a lifetime: `'a'` or `'\n'`.
        b'\'' if text.starts_with("'\\") => up_to("'", 3),
        b'\'' => {
            let mut after = text[1..].char_indices().skip(1);
            after.next().filter(|&(_, c)| c == '\'').map_or(0, |(at, _)| at + 2)
        }
        _ => 0,
    }
}

/// All files below the directory: path from there, and text.
pub fn sources_of(directory: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for file in std::fs::read_dir(&next).expect("the source is readable") {
            let path = file.expect("the source is readable").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(directory).expect("it is below").to_string_lossy().into_owned();
                sources.push((name, std::fs::read_to_string(&path).expect("the source is text")));
            }
        }
    }
    sources.sort();
    sources
}
