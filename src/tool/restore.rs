//! `kvstoreapp restore`: a backup put into the data directory of a node that does not run.

use std::time::Instant;

use super::clock::unix_ms;
use super::failure::Failure;
use crate::config::RestoreArguments;
use crate::server::process::fill_with_chance;
use crate::snapshot::backup_file::BackupFile;
use crate::snapshot::restoring::{Chance, Place, Restored, restore, restore_cluster};
use crate::store::Now;

/// Puts it there. What it says is what comes next.
pub(super) fn run(arguments: &RestoreArguments) -> Result<String, Failure> {
    let backup = BackupFile::verify(&arguments.file, unix_ms())?;
    if backup.about.journals > 0 {
        let (file, journals) = (arguments.file.display(), backup.about.journals);
        return Err(format!(
            "{file} has {journals} journals beside it with later changes: start its node once and stop it, and all is in \
             that file"
        )
        .into());
    }
    if arguments.file.parent().and_then(|of| of.canonicalize().ok()) == arguments.data_dir.canonicalize().ok()
        && arguments.file.file_name().is_some_and(|name| name == "backup.db")
    {
        let why =
            format!("{} is the data file of that very directory: copy it elsewhere first", arguments.file.display());
        return Err(Failure::unknown(why));
    }
    let place = Place { directory: &arguments.data_dir, node: arguments.id };
    let done = if arguments.cluster {
        let started = Instant::now();
        let now = || Now { monotonic_us: started.elapsed().as_micros() as u64, unix_ms: unix_ms() };
        restore_cluster(&backup, &place, chance(), now)?
    } else {
        restore(&backup, &place, arguments.force)?
    };
    Ok(describe(arguments, &done))
}

fn describe(arguments: &RestoreArguments, done: &Restored) -> String {
    let Restored { node, keys, expired, kept } = done;
    let directory = arguments.data_dir.display();
    let expired = match (expired, arguments.cluster) {
        (0, _) => String::new(),
        (expired, true) => format!(" {expired} more have expired since the backup, and are left out."),
        (expired, false) => format!(" {expired} more have expired since the backup, and go at the start."),
    };
    let kept = kept.as_ref().map_or_else(String::new, |kept| format!(" What was there is in {}.", kept.display()));
    let next = if arguments.cluster {
        "Start it at once: every node that it reaches, then or later, goes back to the backup. What clients write to \
         other nodes before those have heard of it may be lost; what they write after that stays. Restore one node \
         alone, and leave the others as they are"
    } else {
        "In a cluster its peers then bring what is newer: what was written or deleted since the backup stays so \
         (restore --cluster sets all of them back)"
    };
    format!("{directory} is restored: {keys} keys.{expired}{kept} Node {node} can be started on it. {next}.")
}

fn chance() -> Chance {
    let numbers = std::array::from_fn(|_| {
        let mut bytes = [0; 8];
        fill_with_chance(&mut bytes);
        u64::from_le_bytes(bytes)
    });
    Chance(numbers)
}
