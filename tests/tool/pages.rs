//! What is the same for all tools: help, pages, completions, exit codes.

use std::process::Command;

use crate::using::{Place, tool, tool_with};

/// All tools, by the pages that there are.
fn tools(place: &Place) -> Vec<String> {
    let said = tool(&["man", "--out", &place.text("man")]);
    assert_eq!(said.code, 0, "{said:?}");
    let entries = std::fs::read_dir(place.path("man")).expect("it was made");
    let names = entries.map(|entry| entry.expect("it is readable").file_name().into_string().expect("it is text"));
    let name = |file: String| Some(file.strip_prefix("kvstoreapp-")?.strip_suffix(".1")?.to_owned());
    let mut names: Vec<String> = names.filter_map(name).collect();
    names.sort();
    names
}

#[test]
fn every_tool_has_a_page_a_help_with_examples_and_is_completed() {
    let place = Place::new();
    let tools = tools(&place);
    for wanted in [
        "backup",
        "certs",
        "check",
        "cli",
        "completions",
        "export",
        "import",
        "man",
        "restore",
        "secret",
        "status",
        "watch",
    ] {
        assert!(tools.iter().any(|tool| tool == wanted), "{wanted} is missing: {tools:?}");
    }
    let program = std::fs::read_to_string(place.path("man/kvstoreapp.1")).expect("it was made");
    assert!(program.contains(".TH kvstoreapp 1"), "{program:.300}");
    for name in &tools {
        let help = tool(&[name, "--help"]);
        assert!(help.code == 0 && help.text().contains("Examples:\n  "), "{name}: {help:?}");
        let page = tool(&["man", name]);
        let written = std::fs::read_to_string(place.path(&format!("man/kvstoreapp-{name}.1"))).expect("it was made");
        assert!(page.code == 0 && written == page.text(), "{name}: {page:?}");
        assert!(page.text().contains(&format!(".TH kvstoreapp-{name} 1")), "{name}: {page:?}");
        assert!(program.contains(name.as_str()));
    }
    assert_eq!(tool(&["man", "nosuch"]).code, 2);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = tool(&["completions", shell]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(tools.iter().all(|name| said.text().contains(name.as_str())), "{shell}");
        if shell == "bash" {
            let script = place.file("completions", &said.out);
            let ask = format!(
                "source {script}; COMP_WORDS=(kvstoreapp sta); COMP_CWORD=1; _kvstoreapp kvstoreapp sta kvstoreapp; \
                 echo \"${{COMPREPLY[*]}}\""
            );
            let output = Command::new("bash").args(["-c", &ask]).output().expect("there is bash");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "status\n", "{output:?}");
        }
    }
    assert_eq!(tool(&["completions", "nosuch"]).code, 2);
}

#[test]
fn exit_codes_and_mistakes_are_the_same_everywhere() {
    let place = Place::new();
    let asking = [&["check"][..], &["cli", "PING"], &["status"], &["watch", "a"], &["export", "-"], &["import", "-"]];
    for words in asking {
        for (flags, said_words) in [
            (&["--address", "127.0.0.1:1"][..], "127.0.0.1:1 does not answer: nothing listens there"),
            (&["--address", "nowhere"], "host:port is wanted"),
            (&["--config", "/nosuch"], "cannot read the config file /nosuch"),
            (&["--address", "127.0.0.1:1", "--user=a"], "--user needs a password"),
            (&["--address", "127.0.0.1:1", "--tls"], "--tls needs --tls-ca-file"),
            (&["--address", "127.0.0.1:1", "--id=0"], "cannot be used with"),
            (&["--timeout=0"], "--timeout"),
        ] {
            let (name, rest) = words.split_first().expect("it has a name");
            let said = tool(&[&[*name], flags, rest].concat());
            assert_eq!((said.code, said.out.len()), (2, 0), "{words:?} {flags:?}: {said:?}");
            let is_one = said.err.starts_with("kvstoreapp: ") && said.err.lines().count() == 1;
            assert!(is_one && said.err.contains(said_words), "{words:?} {flags:?}: {said:?}");
        }
        // Where no file describes any, there is one node on this machine, and of a file the first is asked, or all.
        let config =
            place.file("two.json", r#"[null, { "ip": "127.0.0.1", "port": 1 }, { "ip": "127.0.0.1", "port": 2 }]"#);
        let said = tool(&[words, &["--config", &config]].concat());
        let asks_one = words == ["check"] || words[0] == "cli";
        assert!(
            said.code == 2 && (asks_one || said.err.contains("127.0.0.1:1 does not answer")),
            "{words:?}: {said:?}"
        );
    }
    for tool_name in tools(&place) {
        let said = tool_with(&[&tool_name, "--nosuch-flag"], b"", |command| command);
        assert_eq!(said.code, 2, "{tool_name}: {said:?}");
    }
}
