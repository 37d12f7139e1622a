//! What a command is called with, as one line: for `help`, and as a hint while somebody types.

use std::io::{Result, Write};

use crate::protocol::catalog::{Argument, Catalog, Entry};

/// What the node knows and clients of Redis are not told of: name, arguments, what it does.
const OWN: [(&str, &str, &str); 5] = [
    ("watch-prefix", "prefix [position]", "Shows the changes of keys with this prefix until Ctrl-C"),
    ("health", "[LIVE|READY|STRICT]", "Says how the node is"),
    ("events", "", "Shows what happened on the node lately"),
    ("status", "", "Says what the node knows of all nodes, in JSON"),
    ("help", "[command|@group]", "Explains commands, here at the prompt"),
];

/// A command that can be typed.
struct Known<'a> {
    /// In lower case; words with a space between.
    name: String,
    parameters: Vec<String>,
    summary: &'a str,
    since: Option<&'a str>,
    group: &'a str,
}

/// All that can be typed.
pub(super) struct Synopses(Vec<Known<'static>>);

impl Synopses {
    /// Reads the catalog.
    pub(super) fn read() -> Synopses {
        let catalog = Catalog::read();
        let known = catalog.all().map(|entry| Known {
            name: entry.name.replace('|', " "),
            parameters: parameters(entry),
            summary: entry.summary,
            since: Some(entry.since),
            group: entry.group,
        });
        let own = OWN.iter().map(|&(name, parameters, summary)| Known {
            name: name.to_owned(),
            parameters: parameters.split_whitespace().map(str::to_owned).collect(),
            summary,
            since: None,
            group: "node",
        });
        Synopses(known.chain(own).collect())
    }

    /// What a line may go on with where its last word is completed: whole lines, in the case that was typed.
    pub(super) fn completions(&self, line: &str) -> Vec<String> {
        let is_help = line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("help "));
        let (kept, typed) = line.split_at(if is_help { 5 } else { 0 });
        let is_small = typed.starts_with(|first: char| first.is_ascii_lowercase());
        let lower = typed.to_ascii_lowercase();
        let words = lower.matches(' ').count();
        let fits = |known: &&Known| known.name.starts_with(&lower) && known.name.matches(' ').count() == words;
        let names = self.0.iter().filter(fits).map(|known| match is_small {
            true => format!("{kept}{}", known.name),
            false => format!("{kept}{}", known.name.to_ascii_uppercase()),
        });
        names.collect()
    }

    /// What is still to be said of the command that a line begins with.
    pub(super) fn hint(&self, line: &str) -> Option<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
        let two = words.get(..2).map(|two| two.join(" "));
        let named = |name: &str| self.0.iter().find(|known| known.name == name);
        let parts = two.as_deref().and_then(named).map(|known| (known, 2));
        let (known, typed) = parts.or_else(|| named(words.first()?).map(|known| (known, 1)))?;
        let rest = known.parameters.get(words.len() - typed..)?.join(" ");
        let space = if line.ends_with(' ') { "" } else { " " };
        (!rest.is_empty()).then(|| format!("{space}{rest}"))
    }

    /// Explains a command, all of a group, or how to ask.
    pub(super) fn help(&self, asked: &str, out: &mut impl Write) -> Result<()> {
        let asked = asked.to_ascii_lowercase();
        if asked.is_empty() {
            return out.write_all(GENERAL.as_bytes());
        }
        let is_asked = |known: &&Known| match asked.strip_prefix('@') {
            Some(group) => known.group == group,
            None => known.name == asked || known.name.strip_prefix(&asked).is_some_and(|rest| rest.starts_with(' ')),
        };
        let mut is_known = false;
        for known in self.0.iter().filter(is_asked) {
            is_known = true;
            let (name, parameters) = (known.name.to_ascii_uppercase(), known.parameters.join(" "));
            writeln!(out, "\n  {}", format!("{name} {parameters}").trim_end())?;
            writeln!(out, "  summary: {}", known.summary)?;
            if let Some(since) = known.since {
                writeln!(out, "  since: {since}")?;
            }
            writeln!(out, "  group: {}", known.group)?;
        }
        if is_known {
            writeln!(out)
        } else {
            writeln!(out, "there is no command {asked}; help lists what can be asked")
        }
    }
}

/// What `help` alone says.
const GENERAL: &str = "\
help <command>   what it takes and does, as in: help set
help @<group>    all commands of a group: generic, string, bitmap, pubsub, transactions, connection, server, node
<tab>            completes a command; the grey text is what it still takes
\"a\\x00b\", 'it'  words with spaces or bytes; bare words need no quotes
quit, Ctrl-D     ends; Ctrl-C stops what streams (MONITOR, SUBSCRIBE, WATCH-PREFIX) or clears the line
";

fn parameters(entry: &Entry) -> Vec<String> {
    entry.arguments().iter().map(parameter).collect()
}

/// An argument as the documentation of Redis writes it.
fn parameter(argument: &Argument) -> String {
    let inner: Vec<String> = argument.arguments.iter().map(parameter).collect();
    let plain = match argument.kind {
        "oneof" => inner.join("|"),
        "block" => inner.join(" "),
        "pure-token" => String::new(),
        _ => argument.name.to_owned(),
    };
    let has = |flag: &str| argument.flags.contains(&flag);
    let is_choice = argument.kind == "oneof" && !has("optional");
    let plain = if is_choice && inner.len() > 1 { format!("<{plain}>") } else { plain };
    let spoken = match argument.token {
        Some(token) if plain.is_empty() => token.to_owned(),
        Some(token) => format!("{token} {plain}"),
        None => plain.clone(),
    };
    let spoken = match (has("multiple"), has("multiple_token")) {
        (true, true) => format!("{spoken} [{spoken} ...]"),
        (true, false) => format!("{spoken} [{plain} ...]"),
        (false, _) => spoken,
    };
    if has("optional") { format!("[{spoken}]") } else { spoken }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(asked: &str) -> String {
        let mut out = Vec::new();
        Synopses::read().help(asked, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn help_says_what_a_command_takes() {
        let set = "\n  SET key value [NX|XX|IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE ifdne-digest] \
                   [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]\n  \
                   summary: ";
        assert!(help("set").starts_with(set), "{}", help("set"));
        assert!(help("DEL").contains("  DEL key [key ...]\n"), "{}", help("DEL"));
        assert!(help("mset").contains("  MSET key value [key value ...]\n"), "{}", help("mset"));
        assert!(help("client").contains("  CLIENT ID\n"), "{}", help("client"));
        assert!(help("@transactions").contains("  EXEC\n") && !help("@transactions").contains("  GET "));
        assert!(help("nosuch").starts_with("there is no command nosuch"));
        for (own, ..) in OWN {
            assert!(help(own).contains(&own.to_ascii_uppercase()));
        }
    }

    #[test]
    fn what_is_typed_is_completed_and_hinted() {
        let synopses = Synopses::read();
        assert_eq!(synopses.completions("INCRBYF"), ["INCRBYFLOAT"]);
        assert_eq!(synopses.completions("config r"), ["config resetstat", "config rewrite"]);
        assert_eq!(synopses.completions("help PER"), ["help PERSIST"]);
        assert!(synopses.completions("GET a").is_empty());
        assert_eq!(synopses.hint("GETRANGE"), Some(" key start end".to_owned()));
        assert_eq!(synopses.hint("getrange k "), Some("start end".to_owned()));
        assert_eq!(synopses.hint("CONFIG GET"), Some(" parameter [parameter ...]".to_owned()));
        assert_eq!(synopses.hint("GETRANGE k 0 1"), None);
        assert_eq!(synopses.hint(""), None);
    }
}
