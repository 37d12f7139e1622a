//! Requests as they are shown to others, in `MONITOR` and `SLOWLOG`: whom a client logs in as, and with which password,
//! is nobody else's business.
//!
//! A request with a slip in it is shown, too: `HELLO AUTH ann secret`, whose version was forgotten. So what may be a
//! password is covered wherever it stands, and here and there a word that is none.

use crate::protocol::{Args, Command};

/// Settings that are secrets.
const SECRET_SETTINGS: [&str; 4] = ["masterauth", "masteruser", "requirepass", "tls-key-file-pass"];
/// What is shown in their place.
const REDACTED: &[u8] = b"(redacted)";

/// The arguments without what is secret of them.
pub(super) fn without_secrets<'a>(command: Command, args: Args<'a>) -> Vec<&'a [u8]> {
    let mut shown: Vec<&[u8]> = args.iter().collect();
    let (mut command, mut begin) = (command, 0);
    // A request may name another, and that one another.
    while let Some(inner) = inner_request(command, &shown[begin..]) {
        begin += inner;
        let Some(named) = Command::named(shown[begin]) else {
            shown[begin + 1..].fill(REDACTED);
            return shown;
        };
        command = named;
    }
    cover(command, args.rest(begin), &mut shown[begin..]);
    shown
}

/// Where the request begins that this one asks about.
fn inner_request(command: Command, args: &[&[u8]]) -> Option<usize> {
    let part = args.get(1)?;
    let is = |name: &str| part.eq_ignore_ascii_case(name.as_bytes());
    let begin = match command {
        Command::Acl if is("DRYRUN") => 3,
        Command::CommandInfo if is("GETKEYS") || is("GETKEYSANDFLAGS") => 2,
        _ => return None,
    };
    (begin < args.len()).then_some(begin)
}

/// Covers what may be secret of these arguments as they are shown.
fn cover(command: Command, args: Args<'_>, shown: &mut [&[u8]]) {
    let len = args.len();
    let is = |at: usize, word: &str| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    match command {
        Command::Auth => shown[1..].fill(REDACTED),
        Command::Hello => {
            let names = (1..len).filter(|&at| is(at, "AUTH"));
            names.for_each(|at| shown[at + 1..len.min(at + 3)].fill(REDACTED));
        }
        Command::Acl if ["SETUSER", "DELUSER", "GETUSER"].iter().any(|part| is(1, part)) => shown[2..].fill(REDACTED),
        Command::Config if is(1, "SET") => {
            let mut names = (2..len).filter(|&at| SECRET_SETTINGS.iter().any(|name| is(at, name)));
            if len.is_multiple_of(2) {
                names.for_each(|at| shown[at + 1..len.min(at + 2)].fill(REDACTED));
            } else if let Some(first) = names.next() {
                // Names and values do not come in pairs: a value may have been meant to have spaces.
                shown[first + 1..].fill(REDACTED);
            }
        }
        _ => (),
    }
}
