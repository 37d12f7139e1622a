//! Keys of a file into a node.
//!
//! Writes are sent a batch at a time, the next one while the last is answered. A line that is wrong, or whose write the
//! node refuses, is named and left out; the others are written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write, stderr, stdin};
use std::time::Instant;

use indicatif::ProgressBar;

use super::row::Row;
use super::selecting::select;
use crate::config::ImportArguments;
use crate::store::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::tool::client::Client;
use crate::tool::client::reply::Reply;
use crate::tool::clock::unix_ms;
use crate::tool::failure::{FAILED, Failure};
use crate::tool::progress;
use crate::tool::text::bytes;

/// What is sent at once: so many bytes, unless one value is longer, and so many writes. Their answers fit into what the
/// system holds of a connection, so that neither side waits for the other to read.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_WRITES: usize = 500;
/// Longest line: the longest key and value, each byte of them escaped.
const LINE_BYTES_MAX: u64 = 400 << 20;
/// Longest answer to a write.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Lines that are wrong and named.
const NAMED_MAX: u64 = 20;

/// What became of the lines.
#[derive(Default)]
struct Counts {
    written: u64,
    /// The key was there already.
    kept: u64,
    expired: u64,
    wrong: u64,
}

/// An import under way.
struct Import<'a> {
    arguments: &'a ImportArguments,
    client: Client,
    counts: Counts,
    /// Lines whose writes are sent and not answered.
    sent: VecDeque<u64>,
    /// ... and not sent.
    unsent: VecDeque<u64>,
    /// The longest value that the node takes.
    value_bytes_max: usize,
    /// The last line of which it is known what became.
    done_line: u64,
    bar: ProgressBar,
}

/// Writes all lines, or fails with how far it came.
pub(in crate::tool) fn run(arguments: &ImportArguments) -> Result<(), Failure> {
    let address = arguments.node.any_address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let (source, bar): (Box<dyn Read>, ProgressBar) = if arguments.file == "-" {
        (Box::new(stdin()), progress::of_keys(None))
    } else {
        let cannot = |error| Failure::unknown(format!("cannot read {}: {error}", arguments.file));
        let file = File::open(&arguments.file).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        (Box::new(file), progress::of_bytes(length))
    };
    let mut client = Client::meet(&address, &access)?;
    select(&mut client, arguments.db)?;
    let value_bytes_max = value_bytes_max(&mut client)?;
    let (counts, sent, unsent) = (Counts::default(), VecDeque::new(), VecDeque::new());
    let begun = Instant::now();
    let mut import = Import { arguments, client, counts, sent, unsent, value_bytes_max, done_line: 0, bar };
    let ended = import.all(BufReader::with_capacity(1 << 20, source));
    import.bar.finish_and_clear();
    let Import { counts: Counts { written, kept, expired, wrong }, done_line, .. } = import;
    let kept = if arguments.nx { format!(", {kept} were there already") } else { String::new() };
    let said = format!("{written} keys imported{kept}, {expired} had expired, {wrong} lines were wrong");
    match ended {
        Err(failure) => {
            let why = format!("{}; up to line {done_line}, {said}", failure.why);
            Err(Failure { code: FAILED, why })
        }
        Ok(()) if wrong > 0 => Err(Failure::from(said)),
        Ok(()) => {
            let _ = writeln!(stderr(), "{said}, in {:.1} s", begun.elapsed().as_secs_f64());
            Ok(())
        }
    }
}

/// The longest value that the node takes: it hangs up on who sends one that is much longer. Who may not ask for it relies
/// on what no node passes.
fn value_bytes_max(client: &mut Client) -> Result<usize, Failure> {
    let said = match client.ask(&["CONFIG", "GET", "max-value-bytes"], ANSWER_BYTES_MAX)? {
        Reply::Array(parts) => parts.into_iter().nth(1),
        _ => None,
    };
    let Some(Reply::Bulk(bytes)) = said else { return Ok(VALUE_BYTES_MAX) };
    Ok(std::str::from_utf8(&bytes).ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(VALUE_BYTES_MAX))
}

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    /// Its length, with its end.
    bytes: u64,
    /// One that is too long is passed over, and its beginning alone is there.
    is_whole: bool,
}

/// Reads a line of so many bytes at most, with its end; `None`: there is none.
fn take_line(source: &mut impl BufRead, line: &mut Vec<u8>, bytes_max: u64) -> std::io::Result<Option<Taken>> {
    let bytes = source.by_ref().take(bytes_max).read_until(b'\n', line)? as u64;
    match bytes {
        0 => Ok(None),
        _ if bytes < bytes_max || line.last() == Some(&b'\n') => Ok(Some(Taken { bytes, is_whole: true })),
        _ => match source.skip_until(b'\n')? as u64 {
            0 => Ok(Some(Taken { bytes, is_whole: true })),
            rest => Ok(Some(Taken { bytes: bytes + rest, is_whole: false })),
        },
    }
}

impl Import<'_> {
    fn all(&mut self, mut source: impl BufRead) -> Result<(), Failure> {
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            line.shrink_to(4 * BATCH_BYTES);
            let taken = take_line(&mut source, &mut line, LINE_BYTES_MAX);
            let taken =
                taken.map_err(|error| Failure::from(format!("cannot read {}: {error}", self.arguments.file)))?;
            let Some(Taken { bytes, is_whole }) = taken else { break };
            number += 1;
            // On a terminal: bytes of a file whose length is known, else keys.
            self.bar.inc(if self.bar.length().is_some() { bytes } else { 1 });
            let text = line.trim_ascii();
            if !is_whole {
                self.complain(number, &format!("it is longer than {LINE_BYTES_MAX} bytes"))?;
            } else if !text.is_empty() {
                match self.queue(text) {
                    Ok(true) => self.unsent.push_back(number),
                    Ok(false) => self.counts.expired += 1,
                    Err(why) => self.complain(number, &why)?,
                }
            }
            if self.client.queued_bytes() >= BATCH_BYTES || self.unsent.len() >= BATCH_WRITES {
                self.exchange()?;
            }
        }
        self.exchange()?;
        self.exchange()
    }

    /// Puts the write of a line behind those that are not sent yet. Whether there is one: it may have expired.
    fn queue(&mut self, line: &[u8]) -> Result<bool, String> {
        let row: Row<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let key = bytes(&row.key, row.key_encoding).ok_or("the key is no base64")?;
        let value = bytes(&row.value, row.encoding).ok_or("the value is no base64")?;
        for (what, bytes, bytes_max) in
            [("key", key.len(), KEY_BYTES_MAX), ("value", value.len(), self.value_bytes_max)]
        {
            if bytes > bytes_max {
                return Err(format!("the {what} has {bytes} bytes, and the node takes {bytes_max} at most"));
            }
        }
        let at = row.expires_at_ms.map(|at| at.to_string());
        if row.expires_at_ms.is_some_and(|at| at <= unix_ms() as i64) {
            return Ok(false);
        }
        let mut words = vec![&b"SET"[..], &key, &value];
        words.extend(at.iter().flat_map(|at| [&b"PXAT"[..], at.as_bytes()]));
        words.extend(self.arguments.nx.then_some(&b"NX"[..]));
        self.client.queue(&words);
        Ok(true)
    }

    /// Sends what is not sent yet, and takes the answers to what was sent before.
    fn exchange(&mut self) -> Result<(), Failure> {
        self.client.flush()?;
        let before = std::mem::replace(&mut self.sent, std::mem::take(&mut self.unsent));
        for number in before {
            match self.client.answer(ANSWER_BYTES_MAX)? {
                Reply::Error(why) => self.complain(number, &String::from_utf8_lossy(&why))?,
                Reply::Nil => self.counts.kept += 1,
                _ => self.counts.written += 1,
            }
            self.done_line = number;
        }
        Ok(())
    }

    /// Names a line that is wrong.
    fn complain(&mut self, number: u64, why: &str) -> Result<(), Failure> {
        self.counts.wrong += 1;
        let why = format!("line {number}: {}", why.replace(char::is_control, "?"));
        if self.arguments.strict {
            return Err(Failure::from(why));
        }
        if self.counts.wrong <= NAMED_MAX {
            self.bar.suspend(|| {
                let _ = writeln!(stderr(), "kvstoreapp: {why}");
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_whole() {
        let mut source = BufReader::with_capacity(4, &b"12345678\nab\n1234567\n\n12345678"[..]);
        let mut take = || {
            let mut line = Vec::new();
            let taken = take_line(&mut source, &mut line, 8).expect("it can be read");
            taken.map(|Taken { bytes, is_whole }| (String::from_utf8(line).expect("text"), bytes, is_whole))
        };
        let line = |text: &str, bytes, is_whole| Some((text.to_owned(), bytes, is_whole));
        assert_eq!(take(), line("12345678", 9, false));
        assert_eq!(take(), line("ab\n", 3, true));
        assert_eq!(take(), line("1234567\n", 8, true));
        assert_eq!(take(), line("\n", 1, true));
        assert_eq!(take(), line("12345678", 8, true));
        assert_eq!(take(), None);
    }
}
