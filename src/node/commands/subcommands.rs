//! Commands that are several: whether they have a subcommand, and with so many arguments. Asked on admission; whoever
//! executes it asks which one it is and no more.

use super::fail::{Fail, is, unknown_subcommand, wrong_arity_of};
use super::{Args, Command};
use crate::node::client::Client;
use crate::protocol::subcommand::Subcommand;

/// The command's name, with its subcommand where it has some.
pub(super) fn full_name(command: Command, args: Args<'_>) -> String {
    let subcommand = args.get(1).filter(|_| !command.subcommands().is_empty()).map(<[u8]>::to_ascii_lowercase);
    name_of(command, subcommand.map(|subcommand| String::from_utf8_lossy(&subcommand).into_owned()).as_deref())
}

/// The name of a command with this subcommand, or with none.
pub(super) fn name_of(command: Command, subcommand: Option<&str>) -> String {
    let name = command.describe().name;
    match subcommand.filter(|_| !command.subcommands().is_empty()) {
        Some(subcommand) => format!("{name}|{subcommand}"),
        None => name.to_owned(),
    }
}

/// The subcommand that an admitted request asks for.
pub(super) fn of<S: Subcommand>(args: Args<'_>) -> Result<S, Fail> {
    S::named(args.at(1)).ok_or_else(|| unknown_subcommand(S::COMMAND.describe().name, args.at(1)))
}

/// Whether the command has the subcommand that is asked for, and may have so many arguments. The client remembers
/// which it is.
pub(super) fn check(client: &mut Client, command: Command, args: Args<'_>) -> Result<(), Fail> {
    let all = command.subcommands();
    if all.is_empty() { Ok(()) } else { check_subcommand(client, command, all, args) }
}

/// Whether the command, or the subcommand that is asked for and is there, may have so many arguments.
pub(super) fn takes(command: Command, args: Args<'_>) -> bool {
    let part = args.get(1).and_then(|part| command.subcommands().iter().find(|(known, _)| is(part, known)));
    part.map_or_else(|| command.takes(args.len()), |(_, arity)| fits(*arity, args))
}

fn fits(arity: i32, args: Args<'_>) -> bool {
    if arity < 0 { args.len() >= arity.unsigned_abs() as usize } else { args.len() == arity as usize }
}

fn check_subcommand(
    client: &mut Client,
    command: Command,
    all: &'static [(&'static str, i32)],
    args: Args<'_>,
) -> Result<(), Fail> {
    let name = command.describe().name;
    client.subcommand = None;
    let Some(subcommand) = args.get(1) else { return Ok(()) };
    let Some((known, arity)) = all.iter().find(|(known, _)| is(subcommand, known)) else {
        client.command = None;
        return Err(unknown_subcommand(name, subcommand));
    };
    client.subcommand = Some(known);
    if fits(*arity, args) { Ok(()) } else { Err(wrong_arity_of(name, subcommand)) }
}
