//! What the tools take that ask nodes.

use std::path::PathBuf;

use clap::Args;
pub use clap_complete::Shell;

use super::reach::NodeArguments;

/// A conversation: what is said, and how answers are shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
  kvstoreapp cli                           a prompt with history, completion and help\n  \
  kvstoreapp cli SET color blue\n  \
  kvstoreapp cli 'SET \"a\\x00b\" \"two words\"'  one word is a whole command, quoted as at the prompt\n  \
  kvstoreapp cli --json MGET a b | jq .    answers for programs\n  \
  kvstoreapp cli < commands.txt            a command a line\n  \
  kvstoreapp cli --db 1 DBSIZE\n  \
  KVSTOREAPP_PASSWORD=... kvstoreapp cli --user ada --tls-ca-file ca.crt --address db1:5000\n\n\
Exit code: 0, all was answered; 1, an answer was an error, or the connection was lost; 2, the command line is wrong, or \
no node could be asked.")]
pub struct CliArguments {
    /// A command and its arguments; without one they are read from stdin: typed at a prompt, or a line each
    #[arg(value_name = "command", trailing_var_arg = true)]
    pub words: Vec<String>,

    /// Show answers as they are, also on a terminal
    #[arg(long, conflicts_with_all = ["no_raw", "json"])]
    pub raw: bool,

    /// Show answers for people, also where there is no terminal
    #[arg(long, conflicts_with = "json")]
    pub no_raw: bool,

    /// Show answers in JSON, a line each; what is no UTF-8 is {"base64":"..."}, an error {"error":"..."}
    #[arg(long)]
    pub json: bool,

    /// Speak RESP3
    #[arg(short = '3', long)]
    pub resp3: bool,

    /// Begin in the database of this number, as by SELECT
    #[arg(short = 'n', long, value_name = "n", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    pub db: u8,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// What is asked of all nodes.
#[derive(Args, Debug)]
#[command(after_help = "\
Asks every node of the config file, and shows what they say together: the verdict, a row for each node, a row for each \
side of each link. A node that cannot be asked is shown as another one sees it. With --address or --id one node is asked \
for all that it knows.\n\n\
Examples:\n  \
  kvstoreapp status\n  \
  kvstoreapp status --watch\n  \
  kvstoreapp status --json | jq -r .verdict.text\n  \
  kvstoreapp status --address 10.0.0.1:5000\n\n\
Exit code: 0, all nodes agree and none is in trouble; 1, it is not so; 2, nobody can say.")]
pub struct StatusArguments {
    /// Say it in JSON: what STATUS answers, and why nodes could not be asked
    #[arg(long)]
    pub json: bool,

    /// Ask again once a second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,

    /// Count the keys of the database of this number alone [default: all keys]
    #[arg(long, value_name = "n", conflicts_with = "json", value_parser = clap::value_parser!(u8).range(..16))]
    pub db: Option<u8>,

    /// Which nodes.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// What is watched.
#[derive(Args, Debug)]
#[command(after_help = "\
A line for each change: set \"user:1\" \"Ada\", delete \"user:1\". After a lost connection it goes on where it was: each key \
that has changed meanwhile is shown with its latest value.\n\n\
Examples:\n  \
  kvstoreapp watch user:\n  \
  kvstoreapp watch ''                              all keys\n  \
  kvstoreapp watch user: --json | jq -r .key\n  \
  kvstoreapp watch user: --from 1767225600000000000\n\n\
Exit code: 0, nobody reads any more; 1, the node refuses to go on; 2, the command line is wrong, or no node could be \
asked.")]
pub struct WatchArguments {
    /// What the keys begin with
    #[arg(value_name = "prefix")]
    pub prefix: String,

    /// Show each change as the JSON that the node sends
    #[arg(long)]
    pub json: bool,

    /// Begin behind this position of the node, which an earlier watch has shown in JSON [default: with what comes]
    #[arg(long, value_name = "position")]
    pub from: Option<String>,

    /// Whose keys these are: the number of the database
    #[arg(long, value_name = "n", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    pub db: u8,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// What goes into a file.
#[derive(Args, Debug)]
#[command(after_help = "\
A line of JSON for each key: {\"key\":\"a\",\"value\":\"1\",\"expires_at_ms\":1767225600000}. What is no UTF-8 is base64, and \
\"key_encoding\" or \"encoding\" says so. A file is whole or not there: it has its name when all is in it. It is no \
snapshot of one moment: a key that changes meanwhile is in it as it was before or after.\n\n\
Examples:\n  \
  kvstoreapp export keys.jsonl\n  \
  kvstoreapp export - --prefix user: | gzip > users.jsonl.gz\n  \
  kvstoreapp export - --pattern 'user:*:name' | jq -r .value\n\n\
Exit code: 0, all is written; 1, it was begun and failed; 2, the command line is wrong, or no node could be asked.")]
pub struct ExportArguments {
    /// The file: it must not be there yet; "-": stdout
    #[arg(value_name = "file")]
    pub file: String,

    /// Write over the file where it is there
    #[arg(long)]
    pub force: bool,

    /// Only keys that begin so
    #[arg(long, value_name = "text", conflicts_with = "pattern")]
    prefix: Option<String>,

    /// Only keys like this: * any text, ? any character, [a-z] one of these
    #[arg(long, value_name = "pattern")]
    pattern: Option<String>,

    /// Whose keys these are: the number of the database
    #[arg(long, value_name = "n", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    pub db: u8,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

impl ExportArguments {
    /// What `SCAN` compares keys with; `None`: all.
    pub fn pattern(&self) -> Option<Vec<u8>> {
        let escaped = |prefix: &String| {
            let mut pattern = Vec::with_capacity(prefix.len() + 1);
            for byte in prefix.bytes() {
                if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^') {
                    pattern.push(b'\\');
                }
                pattern.push(byte);
            }
            pattern.push(b'*');
            pattern
        };
        self.prefix.as_ref().map(escaped).or_else(|| self.pattern.clone().map(String::into_bytes))
    }
}

/// What comes out of a file.
#[derive(Args, Debug)]
#[command(after_help = "\
Reads what kvstoreapp export writes. Keys that had expired by now are left out and counted. A line that is wrong, that is \
too long, or that the node refuses, is named and left out, and the exit code is 1 then.\n\n\
Examples:\n  \
  kvstoreapp import keys.jsonl\n  \
  kvstoreapp import keys.jsonl --nx --strict\n  \
  zcat users.jsonl.gz | kvstoreapp import -\n\n\
Exit code: 0, all lines are in; 1, some are not; 2, the command line is wrong, or no node could be asked.")]
pub struct ImportArguments {
    /// The file; "-": stdin
    #[arg(value_name = "file")]
    pub file: String,

    /// Leave keys alone that are there already
    #[arg(long)]
    pub nx: bool,

    /// End with the first line that is wrong
    #[arg(long)]
    pub strict: bool,

    /// Whose keys these are: the number of the database
    #[arg(long, value_name = "n", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..16))]
    pub db: u8,

    /// Which node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// Which shell.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
  kvstoreapp completions bash > ~/.local/share/bash-completion/completions/kvstoreapp\n  \
  kvstoreapp completions zsh > \"${fpath[1]}/_kvstoreapp\"\n  \
  kvstoreapp completions fish > ~/.config/fish/completions/kvstoreapp.fish")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "shell")]
    pub shell: Shell,
}

/// Which pages.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:\n  \
  kvstoreapp man | man -l -\n  \
  kvstoreapp man status | man -l -\n  \
  kvstoreapp man --out /usr/local/share/man/man1")]
pub struct ManArguments {
    /// The tool that the page is about [default: the program]
    #[arg(value_name = "tool", conflicts_with = "out")]
    pub tool: Option<String>,

    /// Write the pages of the program and of all tools into this directory
    #[arg(long, value_name = "directory")]
    pub out: Option<PathBuf>,
}
