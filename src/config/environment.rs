//! Flags that stand in the environment: `KVSTOREAPP_MAX_CLIENTS` is `--max-clients`, for who runs nodes in containers.
//!
//! A flag on the command line beats its variable, and those of flags that do not go with it. A variable that is empty
//! counts as missing, and one that no flag has is somebody else's: Kubernetes puts `KVSTOREAPP_PORT` and the like into
//! the environment beside a service of that name.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

/// What each variable begins with.
const PREFIX: &str = "KVSTOREAPP_";
/// What the tools take from there: which node is meant, and how it is reached. A node's own certificate is nobody
/// else's, so that of a tool is named on its command line.
const OF_TOOLS: [&str; 8] =
    ["address", "config", "data-dir", "id", "id-from-hostname", "password-file", "tls-ca-file", "user"];
/// ... and which of these name one node, which is not what status is asked for.
const OF_ONE_NODE: [&str; 3] = ["address", "id", "id-from-hostname"];
/// The tool that asks all of them.
const OF_ALL_NODES: &str = "status";

/// What was taken from the environment: a flag and its variable each.
#[derive(Debug, Default)]
pub(super) struct Taken(Vec<(String, String)>);

/// The variable of a flag, as that is written without its dashes.
pub(super) fn variable(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_ascii_uppercase().replace('-', "_"))
}

/// The command with the variables that count beside these arguments, which begin behind the program's name.
/// `has_value`: whether a variable is there, and not empty.
pub(super) fn added(
    command: Command,
    arguments: &[OsString],
    has_value: impl Fn(&str) -> bool + Copy,
) -> (Command, Taken) {
    let mut taken = Taken::default();
    let tool = arguments.first().and_then(|first| first.to_str()).filter(|first| !first.starts_with('-'));
    let command = match tool.filter(|tool| command.find_subcommand(tool).is_some()) {
        None => add(command, arguments, |flag| has_value(&variable(flag)), &mut taken),
        Some(tool) => {
            let counts = |flag: &str| {
                let is_meant = tool != OF_ALL_NODES || !OF_ONE_NODE.contains(&flag);
                OF_TOOLS.contains(&flag) && is_meant && has_value(&variable(flag))
            };
            command.mut_subcommand(tool, |command| add(command, arguments, counts, &mut taken))
        }
    };
    (command, taken)
}

fn add(command: Command, arguments: &[OsString], counts: impl Fn(&str) -> bool, taken: &mut Taken) -> Command {
    let is_said = |argument: &Arg| argument.get_long().is_some_and(|flag| stands_in(arguments, flag));
    let goes_with_what_is_said = |argument: &Arg| {
        let others = command.get_arguments().filter(|other| other.get_id() != argument.get_id() && is_said(other));
        others.into_iter().all(|other| !excludes(&command, argument, other) && !excludes(&command, other, argument))
    };
    let flags = command.get_arguments().filter(|argument| !is_said(argument) && goes_with_what_is_said(argument));
    let flags = flags.filter_map(|argument| argument.get_long().filter(|flag| counts(flag)));
    let flags: Vec<String> = flags.map(str::to_owned).collect();
    let command = command.mut_args(|argument| match argument.get_long() {
        Some(flag) if flags.iter().any(|taken| taken == flag) => {
            let variable = variable(flag);
            let argument = match argument.get_action() {
                ArgAction::SetTrue => argument.value_parser(BoolishValueParser::new()),
                ArgAction::Append => argument.value_delimiter(','),
                _ => argument,
            };
            argument.env(variable)
        }
        _ => argument,
    });
    taken.0.extend(flags.into_iter().map(|flag| (format!("--{flag}"), variable(&flag))));
    command
}

impl Taken {
    /// A sentence about flags that names the variables of those that come from there.
    pub(super) fn explain(&self, sentence: String) -> String {
        let is_named = |flag: &str| {
            let rest = sentence.match_indices(flag).map(|(at, _)| &sentence[at + flag.len()..]);
            rest.into_iter().any(|rest| !rest.starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric()))
        };
        let named = self.0.iter().filter(|(flag, _)| is_named(flag));
        let named: Vec<String> = named.map(|(flag, variable)| format!("{flag} is {variable} here")).collect();
        if named.is_empty() { sentence } else { format!("{sentence} ({})", named.join(", ")) }
    }

    /// The variables, in the order of the help.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, variable)| &**variable)
    }
}

fn stands_in(arguments: &[OsString], flag: &str) -> bool {
    arguments.iter().any(|argument| {
        let rest = argument.as_bytes().strip_prefix(b"--").and_then(|name| name.strip_prefix(flag.as_bytes()));
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'=')
    })
}

fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    command.get_arg_conflicts_with(one).iter().any(|excluded| excluded.get_id() == other.get_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str], environment: &[&str]) -> (Vec<String>, Command) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let (command, taken) = added(super::super::command(), &arguments, |name| environment.contains(&name));
        (taken.variables().map(str::to_owned).collect(), command)
    }

    #[test]
    fn every_flag_of_a_node_has_a_variable_and_none_is_one_of_kubernetes() {
        let command = super::super::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
        assert!(flags.len() > 30, "{flags:?}");
        for flag in flags {
            let name = variable(flag);
            assert_eq!(parsed(&[], &[&name]).0, [name.as_str()]);
            let of_service = ["PORT", "SERVICE_HOST", "SERVICE_PORT"];
            assert!(!of_service.iter().any(|own| name[PREFIX.len()..].starts_with(own)), "{name}");
        }
    }

    #[test]
    fn the_command_line_comes_before_the_environment() {
        let both = ["KVSTOREAPP_ID", "KVSTOREAPP_BIND"];
        assert_eq!(parsed(&["--id=1"], &both).0, ["KVSTOREAPP_BIND"]);
        assert_eq!(parsed(&["--id", "1", "--bind", "::"], &both).0, [""; 0]);
        // ... also before what does not go with it.
        assert_eq!(parsed(&["--id-from-hostname"], &both).0, ["KVSTOREAPP_BIND"]);
        assert_eq!(parsed(&["check", "--address=db1:5000"], &["KVSTOREAPP_ID", "KVSTOREAPP_CONFIG"]).0, [""; 0]);
    }

    #[test]
    fn a_tool_takes_which_node_it_asks_and_how_from_the_environment_and_nothing_else() {
        let node = ["KVSTOREAPP_TLS", "KVSTOREAPP_ID", "KVSTOREAPP_CONFIG", "KVSTOREAPP_USER", "KVSTOREAPP_BIND"];
        let taken = |tool| parsed(&[tool], &node).0;
        assert_eq!(taken("check"), ["KVSTOREAPP_ID", "KVSTOREAPP_CONFIG", "KVSTOREAPP_USER"]);
        assert_eq!(taken("status"), ["KVSTOREAPP_CONFIG", "KVSTOREAPP_USER"]);
        assert_eq!(taken("secret"), [""; 0]);
        assert_eq!(taken("nonsense"), ["KVSTOREAPP_ID", "KVSTOREAPP_CONFIG", "KVSTOREAPP_BIND", "KVSTOREAPP_TLS"]);
    }

    #[test]
    fn a_sentence_names_the_variables_of_the_flags_in_it() {
        let taken = Taken(vec![("--id".to_owned(), "KVSTOREAPP_ID".to_owned())]);
        assert_eq!(taken.explain("--id=3 is not there".to_owned()), "--id=3 is not there (--id is KVSTOREAPP_ID here)");
        assert_eq!(taken.explain("--id-from-hostname".to_owned()), "--id-from-hostname");
    }
}
