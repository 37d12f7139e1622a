//! Commands that are several: whether they have a part, and with so many arguments.

use super::fail::{Fail, is, unknown_part, wrong_arity_of};
use super::{Args, Command};

/// The command's name, with its part where it has some.
pub(super) fn full_name(command: Command, args: Args<'_>) -> String {
    let name = command.describe().name;
    let part = args.get(1).filter(|_| !command.parts().is_empty()).map(|part| part.to_ascii_lowercase());
    part.map_or_else(|| name.to_owned(), |part| format!("{name}|{}", String::from_utf8_lossy(&part)))
}

/// Whether the command has the part that is asked for, and may have so many arguments.
pub(super) fn check(command: Command, args: Args<'_>) -> Result<(), Fail> {
    let (all, name) = (command.parts(), command.describe().name);
    let (Some(part), false) = (args.get(1), all.is_empty()) else { return Ok(()) };
    let (_, arity) = all.iter().find(|(known, _)| is(part, known)).ok_or_else(|| unknown_part(name, part))?;
    let fits = if *arity < 0 { args.len() >= arity.unsigned_abs() as usize } else { args.len() == *arity as usize };
    if fits { Ok(()) } else { Err(wrong_arity_of(name, part)) }
}
