//! Commands that are several: their parts, and how many arguments each takes.

use super::fail::{Fail, is, unknown_part, wrong_arity_of};
use super::{Args, Command};

/// Parts and their arity: arguments with both names; negative: so many at least.
fn parts(command: Command) -> &'static [(&'static str, i32)] {
    match command {
        Command::Client => &[
            ("id", 2),
            ("getname", 2),
            ("setname", 3),
            ("setinfo", 4),
            ("list", -2),
            ("info", 2),
            ("kill", -3),
            ("no-evict", 3),
            ("no-touch", 3),
            ("reply", 3),
            ("pause", -3),
            ("unpause", 2),
            ("help", 2),
        ],
        Command::CommandInfo => &[("count", 2), ("info", -2), ("docs", -2), ("list", -2), ("getkeys", -4), ("help", 2)],
        Command::Config => &[("get", -3), ("set", -4), ("resetstat", 2), ("rewrite", 2), ("help", 2)],
        Command::Function => &[("flush", -2), ("help", 2), ("list", -2)],
        Command::Latency => {
            &[("doctor", 2), ("graph", 3), ("help", 2), ("histogram", -2), ("history", 3), ("latest", 2), ("reset", -2)]
        }
        Command::Memory => &[("doctor", 2), ("help", 2), ("purge", 2), ("stats", 2), ("usage", -3)],
        Command::Object => &[("encoding", 3), ("freq", 3), ("help", 2), ("idletime", 3), ("refcount", 3)],
        Command::PubSub => {
            &[("channels", -2), ("help", 2), ("numpat", 2), ("numsub", -2), ("shardchannels", -2), ("shardnumsub", -2)]
        }
        Command::SlowLog => &[("get", -2), ("help", 2), ("len", 2), ("reset", 2)],
        _ => &[],
    }
}

/// The command's name, with its part where it has some.
pub(super) fn full_name(command: Command, args: Args<'_>) -> String {
    let name = command.describe().name;
    let part = args.get(1).filter(|_| !parts(command).is_empty()).map(|part| part.to_ascii_lowercase());
    part.map_or_else(|| name.to_owned(), |part| format!("{name}|{}", String::from_utf8_lossy(&part)))
}

/// Whether the command has the part that is asked for, and may have so many arguments.
pub(super) fn check(command: Command, args: Args<'_>) -> Result<(), Fail> {
    let (all, name) = (parts(command), command.describe().name);
    let (Some(part), false) = (args.get(1), all.is_empty()) else { return Ok(()) };
    let (_, arity) = all.iter().find(|(known, _)| is(part, known)).ok_or_else(|| unknown_part(name, part))?;
    let fits = if *arity < 0 { args.len() >= arity.unsigned_abs() as usize } else { args.len() == *arity as usize };
    if fits { Ok(()) } else { Err(wrong_arity_of(name, part)) }
}
