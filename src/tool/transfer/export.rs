//! Keys of a node into a file.
//!
//! A page of keys is asked for at a time, and with their values the next page. Value and expiry of a key are read in one
//! transaction, so that they belong together. A file has its name once it is whole and on the disk.

use std::io::{BufWriter, Write, stderr, stdout};
use std::path::Path;
use std::time::Instant;

use super::row::Row;
use super::selecting::select;
use crate::config::ExportArguments;
use crate::tool::client::Client;
use crate::tool::client::reply::Reply;
use crate::tool::failure::{FAILED, Failure};
use crate::tool::placing::{self, Part};
use crate::tool::progress;
use crate::tool::text::text;

/// Keys that are asked for at a time.
const PAGE_KEYS: &str = "300";
/// Longest answer with one value, and longest page of keys.
const ANSWER_BYTES_MAX: usize = 80 << 20;

/// Where lines go.
enum Target {
    Stdout(BufWriter<std::io::Stdout>),
    /// A file beside the one that is asked for, until all is in it: nobody takes a part for a whole.
    File(Part),
}

/// Writes all of it, or fails with how far it came.
pub(in crate::tool) fn run(arguments: &ExportArguments) -> Result<(), Failure> {
    let address = arguments.node.any_address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let mut client = Client::meet(&address, &access)?;
    select(&mut client, arguments.db)?;
    let mut target = Target::open(&arguments.file, arguments.force)?;
    let begun = Instant::now();
    let mut written = 0;
    let copied = copy(&mut client, arguments.pattern(), &mut target, &mut written);
    if let Err(failure) = copied.and_then(|()| target.finish(arguments.force)) {
        let Failure { code: _, why } = failure;
        return Err(Failure { code: FAILED, why: format!("{why} ({written} keys were read until then)") });
    }
    let _ = writeln!(stderr(), "{written} keys exported in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn copy(client: &mut Client, pattern: Option<Vec<u8>>, target: &mut Target, written: &mut u64) -> Result<(), Failure> {
    let total = match pattern {
        None => match client.ask(&["DBSIZE"], ANSWER_BYTES_MAX)? {
            Reply::Int(count) => Some(count as u64),
            _ => None,
        },
        Some(_) => None,
    };
    let bar = progress::of_keys(total);
    queue_page(client, b"0", pattern.as_deref());
    client.flush()?;
    loop {
        let (cursor, keys) = page(client.answer(ANSWER_BYTES_MAX)?)?;
        for key in &keys {
            client.queue(&["MULTI"]);
            client.queue(&[&b"PEXPIRETIME"[..], key]);
            client.queue(&[&b"GET"[..], key]);
            client.queue(&["EXEC"]);
        }
        let is_last = cursor == b"0";
        if !is_last {
            queue_page(client, &cursor, pattern.as_deref());
        }
        client.flush()?;
        for key in &keys {
            if let Some((value, expires_at_ms)) = read(client, key)? {
                let (key, key_encoding) = text(key);
                let (value, encoding) = text(&value);
                target.write(&Row { key, key_encoding, value, encoding, expires_at_ms })?;
                *written += 1;
                bar.inc(1);
            }
        }
        if is_last {
            bar.finish_and_clear();
            return Ok(());
        }
    }
}

fn queue_page(client: &mut Client, cursor: &[u8], pattern: Option<&[u8]>) {
    let mut words = vec![&b"SCAN"[..], cursor, b"COUNT", PAGE_KEYS.as_bytes()];
    words.extend(pattern.into_iter().flat_map(|pattern| [&b"MATCH"[..], pattern]));
    client.queue(&words);
}

/// Where the next page begins, and the keys of this one.
fn page(reply: Reply) -> Result<(Vec<u8>, Vec<Vec<u8>>), Failure> {
    let bytes = |reply| if let Reply::Bulk(bytes) = reply { Some(bytes) } else { None };
    match reply {
        Reply::Array(parts) => {
            let mut parts = parts.into_iter();
            let cursor = parts.next().and_then(bytes);
            let keys = parts.next().and_then(|keys| if let Reply::Array(keys) = keys { Some(keys) } else { None });
            let keys = keys.map(|keys| keys.into_iter().filter_map(bytes).collect());
            cursor.zip(keys).ok_or_else(|| Failure::from("the node's answer to SCAN is none".to_owned()))
        }
        Reply::Error(why) => Err(refused("SCAN", &why)),
        _ => Err(Failure::from("the node's answer to SCAN is none".to_owned())),
    }
}

/// A key's value, and when it expires in unix milliseconds.
type Held = (Vec<u8>, Option<i64>);

/// What a key holds; `None` where it is gone by now.
fn read(client: &mut Client, key: &[u8]) -> Result<Option<Held>, Failure> {
    let mut refusal = None;
    for _ in 0..3 {
        if let Reply::Error(why) = client.answer(ANSWER_BYTES_MAX)? {
            refusal.get_or_insert(why);
        }
    }
    let reply = client.answer(ANSWER_BYTES_MAX)?;
    let what = || format!("GET and PEXPIRETIME of {:.100}", key.escape_ascii());
    match (refusal, reply) {
        (Some(why), _) | (None, Reply::Error(why)) => Err(refused(&what(), &why)),
        (None, Reply::Array(parts)) => match <[Reply; 2]>::try_from(parts) {
            Ok([Reply::Int(at), Reply::Bulk(value)]) => Ok(Some((value, Some(at).filter(|&at| at >= 0)))),
            Ok([_, Reply::Nil]) => Ok(None),
            Ok([Reply::Error(why), _] | [_, Reply::Error(why)]) => Err(refused(&what(), &why)),
            _ => Err(Failure::from("the node's answer to EXEC is none".to_owned())),
        },
        (None, _) => Err(Failure::from("the node's answer to EXEC is none".to_owned())),
    }
}

fn refused(what: &str, why: &[u8]) -> Failure {
    Failure::from(format!("the node refuses {what}: {}", String::from_utf8_lossy(why)))
}

impl Target {
    fn open(name: &str, force: bool) -> Result<Target, Failure> {
        if name == "-" {
            return Ok(Target::Stdout(BufWriter::new(stdout())));
        }
        let place = Path::new(name);
        placing::check(place, force)?;
        Ok(Target::File(Part::beside(place)?))
    }

    fn write(&mut self, row: &Row<'_>) -> Result<(), Failure> {
        let written = match self {
            Target::Stdout(out) => serde_json::to_writer(&mut *out, row).map(|()| out.write_all(b"\n")),
            Target::File(part) => serde_json::to_writer(&mut *part, row).map(|()| part.write_all(b"\n")),
        };
        written.map_err(std::io::Error::from).flatten().map_err(|error| match self {
            Target::Stdout(_) => unwritten(&error),
            Target::File(part) => part.failed(&error),
        })
    }

    /// All is written: it is on the disk, under its name, when this returns.
    fn finish(self, force: bool) -> Result<(), Failure> {
        match self {
            Target::Stdout(mut out) => out.flush().map_err(|error| unwritten(&error)),
            Target::File(mut part) => part.sync().and_then(|()| part.put_in_place(force)),
        }
    }
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::from(format!("cannot write to stdout: {error}"))
}
