//! No two files of the library import each other, not by a detour either: each can be read with those it stands on, and
//! a circle is read whole or not at all.
//!
//! A file imports those that define what its `use` lines and paths name. What a `mod.rs` passes on is looked up where it
//! is defined: declaring a module and `pub use` are no imports, unless the file uses the name itself. Unit tests count
//! as outside. Calls of methods do not show, nor does what macros expand to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::{expand, is_word, line_of, sources_of, without_comments_and_literals, word_places};

#[test]
fn no_two_files_import_each_other() {
    let sources = sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let found: String = circles(&sources).iter().map(Circle::to_string).collect();
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn a_circle_is_found_in_every_form_of_an_import() {
    check(&[("a.rs", "use crate::b::B;"), ("b.rs", "fn f() { crate::a::g() }")], &[&["a.rs", "b.rs"]]);
    check(&[("a/mod.rs", "mod b;\nuse b::{B, C};"), ("a/b.rs", "use super::A;")], &[&["a/b.rs", "a/mod.rs"]]);
    check(&[("a/mod.rs", "mod b; fn f(b: b::B) {}"), ("a/b.rs", "use crate::a;")], &[&["a/b.rs", "a/mod.rs"]]);
    let detour =
        [("a.rs", "use crate::b;"), ("b.rs", "use super::{c::C};"), ("c.rs", "use crate::{a as d};"), ("e.rs", "")];
    check(&detour, &[&["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn what_a_module_passes_on_is_looked_up_where_it_is_defined() {
    let sibling = "pub use super::C;\npub struct B;";
    check(
        &[("a/mod.rs", "mod b; mod c; pub use b::B; pub use c::*;"), ("a/b.rs", sibling), ("a/c.rs", "pub struct C;")],
        &[],
    );
    let used = "mod b; mod c; pub use b::B; pub use c::C; fn f() -> B { B }";
    check(&[("a/mod.rs", used), ("a/b.rs", sibling), ("a/c.rs", "pub struct C;")], &[]);
    let back = "pub use b::B; pub use c::C; struct A(B);";
    check(&[("a/mod.rs", back), ("a/b.rs", "use super::A;"), ("a/c.rs", "pub struct C;")], &[&["a/b.rs", "a/mod.rs"]]);
    let two = [
        ("a/mod.rs", "pub use b::B; pub use c::C;"),
        ("a/b.rs", "use super::C; struct B;"),
        ("a/c.rs", "use crate::a::B; struct C;"),
    ];
    check(&two, &[&["a/b.rs", "a/c.rs"]]);
}

#[test]
fn one_way_imports_visibilities_and_unit_tests_make_no_circle() {
    check(&[("a.rs", "use crate::b::B;"), ("b.rs", "struct B; // crate::a\nconst C: &str = \"crate::a\";")], &[]);
    check(&[("a/mod.rs", "mod b; use b::B;"), ("a/b.rs", "pub(in crate::a) struct B;")], &[]);
    check(&[("a.rs", "use crate::b::B;"), ("b.rs", "struct B;\n#[cfg(test)]\nmod tests { use crate::a::A; }")], &[]);
    check(&[("a.rs", "use std::fmt; use self::c::C; mod c { pub struct C; }"), ("main.rs", "use kvstoreapp::a;")], &[]);
}

/// The circles' files, in order.
fn check(sources: &[(&str, &str)], expected: &[&[&str]]) {
    let sources: Vec<_> = sources.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect();
    let found = circles(&sources);
    let names: Vec<Vec<&str>> = found.iter().map(|circle| circle.files.iter().map(String::as_str).collect()).collect();
    assert_eq!(names, expected, "{sources:#?}");
}

/// Files each of which imports all others, by a detour or not.
struct Circle {
    files: Vec<String>,
    /// From, to, the line and the path of an import.
    imports: Vec<(String, String, usize, String)>,
}

impl std::fmt::Display for Circle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "{} files import each other:", self.files.len())?;
        self.imports.iter().try_for_each(|(from, to, line, path)| writeln!(out, "  {from}:{line}: {path} of {to}"))
    }
}

/// What each file imports, and where it says so first.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (usize, String)>>;

fn reached<'a>(from: &'a str, edges: &Edges<'a>) -> BTreeSet<&'a str> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(next) = waiting.pop() {
        let imported = edges.get(next).into_iter().flat_map(BTreeMap::keys).copied();
        waiting.extend(imported.filter(|&target| seen.insert(target)));
    }
    seen
}

fn circles(sources: &[(String, String)]) -> Vec<Circle> {
    let library = Library::of(sources);
    let mut edges = Edges::new();
    for file in library.files.values() {
        for (line, path) in file.imports(&library) {
            if let Some(target) = library.find(file, &path).filter(|target| target.path != file.path) {
                edges.entry(&file.path).or_default().entry(&target.path).or_insert((line, path));
            }
        }
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|&from| (from, reached(from, &edges))).collect();
    let mut found: Vec<Circle> = Vec::new();
    for (&from, all) in &reach {
        let files: Vec<&str> =
            all.iter().copied().filter(|to| reach.get(to).is_some_and(|back| back.contains(from))).collect();
        if files.first() == Some(&from) && files.len() > 1 {
            let imports = files.iter().flat_map(|&from| {
                let inside = edges[from].iter().filter(|(to, _)| files.contains(to));
                inside.map(move |(&to, (line, path))| (from.to_owned(), to.to_owned(), *line, path.clone()))
            });
            let imports = imports.collect();
            found.push(Circle { files: files.into_iter().map(str::to_owned).collect(), imports });
        }
    }
    found
}

/// The library's files by the names of their modules.
struct Library {
    files: BTreeMap<Vec<String>, File>,
}

/// One file, without its unit tests.
struct File {
    path: String,
    module: Vec<String>,
    /// Its text without visibilities and `use`.
    code: String,
    uses: Vec<Use>,
    /// Names that it defines.
    defined: BTreeSet<String>,
}

/// One name of a `use`.
struct Use {
    line: usize,
    path: String,
    /// What the file knows it by; `*` for all.
    name: String,
    is_passed_on: bool,
}

impl Library {
    fn of(sources: &[(String, String)]) -> Library {
        let inside = |path: &str| path != "main.rs" && !path.starts_with("bin/") && !path.ends_with("/tests.rs");
        let files = sources.iter().filter(|(path, _)| inside(path)).map(|(path, text)| File::of(path, text));
        Library { files: files.map(|file| (file.module.clone(), file)).collect() }
    }

    /// The file that defines what the path names in this file.
    fn find(&self, file: &File, path: &str) -> Option<&File> {
        let mut names: Vec<String> = path.split("::").map(str::to_owned).collect();
        let mut module = match names[0].as_str() {
            "crate" => Vec::new(),
            "self" | "super" => file.module.clone(),
            child => {
                let is_child = self.files.contains_key(&[&file.module[..], &[child.to_owned()]].concat());
                return is_child.then(|| self.find_in(file.module.clone(), &names)).flatten();
            }
        };
        while names.first().is_some_and(|name| ["crate", "self", "super"].contains(&name.as_str())) {
            if names.remove(0) == "super" {
                module.pop()?;
            }
        }
        self.find_in(module, &names)
    }

    fn find_in(&self, mut module: Vec<String>, mut names: &[String]) -> Option<&File> {
        while let Some((name, rest)) = names.split_first() {
            module.push(name.clone());
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
            names = rest;
        }
        let file = self.files.get(&module)?;
        let Some(name) = names.first().filter(|name| !file.defined.contains(*name)) else { return Some(file) };
        let passed_on = file.uses.iter().find_map(|one| match one.name.as_str() {
            "*" => self.find(file, one.path.strip_suffix("::*")?).filter(|target| target.defined.contains(name)),
            other => (other == name).then(|| self.find(file, &one.path)).flatten(),
        });
        passed_on.or(Some(file))
    }
}

impl File {
    fn of(path: &str, text: &str) -> File {
        let mut code = without_comments_and_literals(text);
        if let Some(tests) = code.find("#[cfg(test)]\nmod ") {
            code.truncate(tests);
        }
        for at in word_places(&code, "pub(in ").collect::<Vec<_>>() {
            let end = at + code[at..].find(')').map_or(0, |end| end + 1);
            code.replace_range(at..end, &format!("pub{}", " ".repeat(end - at - 3)));
        }
        let mut uses = Vec::new();
        for at in word_places(&code, "use").collect::<Vec<_>>() {
            let end = at + code[at..].find(';').unwrap_or(code.len() - at);
            let before = code[..at].rfind([';', '{', '}', ']']).map_or(0, |end| end + 1);
            let is_passed_on = !word_places(&code[before..at], "pub").collect::<Vec<_>>().is_empty();
            let words: Vec<&str> = code[at + 3..end].split_whitespace().collect();
            let tree = words.join(" ").replace(" as ", "@").replace(' ', "");
            let line = line_of(&code, at);
            expand("", &tree, &mut |found| {
                let (path, alias) =
                    found.split_once('@').map_or((&found[..], None), |(path, alias)| (path, Some(alias)));
                let path = path.strip_suffix("::self").unwrap_or(path);
                let name = alias.or(path.rsplit("::").next()).unwrap_or_default().to_owned();
                uses.push(Use { line, path: path.to_owned(), name, is_passed_on });
            });
            code.replace_range(at..end, &code[at..end].replace(|c| c != '\n', " "));
        }
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        let defined = defined(&code);
        File { path: path.to_owned(), module, code, uses, defined }
    }

    /// Paths that it names with the lines; what it passes on without using it left out.
    fn imports(&self, library: &Library) -> Vec<(usize, String)> {
        let is_used = |one: &&Use| !one.is_passed_on || word_places(&self.code, &one.name).next().is_some();
        let mut found: Vec<_> = self.uses.iter().filter(is_used).map(|one| (one.line, one.path.clone())).collect();
        let is_child = |name: &str| library.files.contains_key(&[&self.module[..], &[name.to_owned()]].concat());
        for (at, _) in self.code.match_indices("::") {
            let start = self.code[..at].rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
            let first = &self.code[start..at];
            let is_first = !self.code[..start].ends_with("::");
            if is_first && (["crate", "self", "super"].contains(&first) || is_child(first)) {
                let end = self.code[at..].find(|c| !is_word(c) && c != ':').map_or(self.code.len(), |end| at + end);
                let path = self.code[start..end].trim_end_matches(':').to_owned();
                found.push((line_of(&self.code, at), path));
            }
        }
        found
    }
}

/// Names of items.
fn defined(code: &str) -> BTreeSet<String> {
    const KINDS: [&str; 9] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "macro_rules!"];
    let after = |kind: &str| -> Vec<String> {
        let names = word_places(code, kind).map(|at| code[at + kind.len()..].trim_start());
        names.map(|rest| rest.split(|c| !is_word(c)).next().unwrap_or_default().to_owned()).collect()
    };
    KINDS.iter().flat_map(|kind| after(kind)).collect()
}
