//! Commands that are several: whether they have a part, and with so many arguments.

use super::fail::{Fail, is, unknown_part, wrong_arity_of};
use super::{Args, Command};
use crate::node::session::Session;

/// The command's name, with its part where it has some.
pub(super) fn full_name(command: Command, args: Args<'_>) -> String {
    let part = args.get(1).filter(|_| !command.parts().is_empty()).map(|part| part.to_ascii_lowercase());
    name_of(command, part.map(|part| String::from_utf8_lossy(&part).into_owned()).as_deref())
}

/// The name of a command with this part, or with none.
pub(super) fn name_of(command: Command, part: Option<&str>) -> String {
    let name = command.describe().name;
    match part.filter(|_| !command.parts().is_empty()) {
        Some(part) => format!("{name}|{part}"),
        None => name.to_owned(),
    }
}

/// Whether the command has the part that is asked for, and may have so many arguments. The session remembers which.
pub(super) fn check(session: &mut Session, command: Command, args: Args<'_>) -> Result<(), Fail> {
    let all = command.parts();
    if all.is_empty() { Ok(()) } else { check_part(session, command, all, args) }
}

fn check_part(
    session: &mut Session,
    command: Command,
    all: &'static [(&'static str, i32)],
    args: Args<'_>,
) -> Result<(), Fail> {
    let name = command.describe().name;
    session.part = None;
    let Some(part) = args.get(1) else { return Ok(()) };
    let Some((known, arity)) = all.iter().find(|(known, _)| is(part, known)) else {
        session.command = None;
        return Err(unknown_part(name, part));
    };
    session.part = Some(known);
    let fits = if *arity < 0 { args.len() >= arity.unsigned_abs() as usize } else { args.len() == *arity as usize };
    if fits { Ok(()) } else { Err(wrong_arity_of(name, part)) }
}
