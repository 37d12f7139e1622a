//! `kvstoreapp backup`: a copy of a node's data file, fetched while the node runs, or looked through.
//!
//! Pieces are asked for ahead, so that none waits for a way back and forth. They go to a file beside the one that was
//! asked for, which gets its name once all of it is on disk and was found whole.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use super::client::Client;
use super::client::reply::Reply;
use super::clock::unix_ms;
use super::failure::Failure;
use super::placing::{self, Part};
use super::progress;
use crate::config::BackupArguments;
use crate::snapshot::backup_file::{About, BackupFile};

/// Pieces that are asked for ahead.
const AHEAD: usize = 16;
/// Longest piece that is taken.
const PIECE_BYTES_MAX: usize = 64 << 20;

/// Takes one, or looks through one. What it says is for people.
pub(super) fn run(arguments: &BackupArguments) -> Result<String, Failure> {
    let file = &arguments.file;
    if arguments.verify {
        let backup = BackupFile::verify(file, unix_ms())?;
        return Ok(format!("{} is whole: {}", file.display(), describe(&backup.about)));
    }
    placing::check(file, arguments.force)?;
    let address = arguments.node.any_address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let mut client = Client::meet(&address, &access)?;
    let begun = Instant::now();
    let mut part = Part::beside(file)?;
    // The rows are brought up to date and copied first, which takes as long as it takes.
    client.set_patience(None)?;
    let bytes = match client.ask(&["BACKUP", "BEGIN"], PIECE_BYTES_MAX)? {
        Reply::Int(bytes) => u64::try_from(bytes).unwrap_or_default(),
        Reply::Error(why) => return Err(refused(&address, &why)),
        _ => return Err(strange(&address)),
    };
    client.set_patience(Some(Duration::from_secs(access.patience_s)))?;
    fetch(&mut client, &mut part, bytes)?;
    drop(client.ask(&["BACKUP", "END"], PIECE_BYTES_MAX)?);
    let about = BackupFile::verify(part.path(), unix_ms())?.about;
    part.put_in_place(arguments.force)?;
    let (seconds, mib) = (begun.elapsed().as_secs_f64(), bytes as f64 / f64::from(1 << 20));
    Ok(format!("{}: {}; {mib:.1} MiB in {seconds:.1} s", file.display(), describe(&about)))
}

/// Brings all of it into the file.
fn fetch(client: &mut Client, part: &mut Part, bytes: u64) -> Result<(), Failure> {
    let address = client.address().to_owned();
    let bar = progress::of_bytes(bytes);
    // How long pieces are is the node's affair: the first one tells.
    let (mut asked, mut got, mut piece_bytes) = (0, 0, None);
    let mut under_way = VecDeque::new();
    while got < bytes {
        let ahead = if piece_bytes.is_some() { AHEAD } else { 1 };
        while asked < bytes && under_way.len() < ahead {
            client.queue(&["BACKUP", "READ", &asked.to_string()]);
            under_way.push_back(asked);
            asked += piece_bytes.unwrap_or(bytes);
        }
        client.flush()?;
        under_way.pop_front();
        let piece = match client.answer(PIECE_BYTES_MAX)? {
            Reply::Bulk(piece) => piece,
            Reply::Error(why) => return Err(refused(&address, &why)),
            _ => return Err(strange(&address)),
        };
        let length = piece.len() as u64;
        let expected = piece_bytes.unwrap_or(length).min(bytes - got);
        if length == 0 || length != expected {
            return Err(format!("{address} sent a piece of {length} bytes where {expected} belong").into());
        }
        if piece_bytes.replace(piece_bytes.unwrap_or(length)).is_none() {
            asked = length;
        }
        part.write_all(&piece).map_err(|error| part.failed(&error))?;
        got += length;
        bar.inc(length);
    }
    bar.finish_and_clear();
    part.sync()
}

fn refused(address: &str, why: &[u8]) -> Failure {
    let why = String::from_utf8_lossy(why);
    match why.strip_prefix("ERR ") {
        Some(why) if why.starts_with("unknown command") => {
            Failure::unknown(format!("{address} is of a version that gives no backups: upgrade it"))
        }
        Some(why) => Failure::from(format!("{address} gives no backup: {why}")),
        None if why.starts_with("NOPERM ") => {
            Failure::unknown(format!("{address} gives this user no backup (+backup and %R~* are what it needs): {why}"))
        }
        None => Failure::from(format!("{address} gives no backup: {why}")),
    }
}

fn strange(address: &str) -> Failure {
    Failure::unknown(format!("{address} does not answer as a kvstoreapp: is it the right address?"))
}

/// What a backup is, for people.
pub(super) fn describe(about: &About) -> String {
    let About { format, node, keys, expired, taken, written, journals, .. } = about;
    let expired = if *expired > 0 { format!(" ({expired} more have expired since)") } else { String::new() };
    let taken = match (taken, written) {
        (Some(taken), _) => format!("taken {taken} UTC"),
        (None, Some(written)) => format!("a data file, last written {written} UTC by the clock of who wrote it"),
        (None, None) => "a data file in which nothing was ever written".to_owned(),
    };
    let later = match journals {
        0 => String::new(),
        count => format!(
            "; later changes are in {count} journals beside it: a start of its node, and a stop, brings them in"
        ),
    };
    format!("format {format}, node {node}, {taken}, {keys} keys{expired}{later}")
}
