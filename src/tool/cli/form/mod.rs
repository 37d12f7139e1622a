//! Answers as they are shown, part by part as they come: a list of ten million keys needs no memory.
//!
//! - `people`: as `redis-cli` shows them on a terminal
//! - `raw`: the bytes, a line each
//! - `json`: for programs
//! - `place`: where a part stands among lists

mod json;
mod people;
mod place;
mod raw;

use std::io::Write;

use place::{Level, Place};

use crate::tool::client::Client;
use crate::tool::client::reply::{Kind, Part};
use crate::tool::client::trouble::Trouble;

/// How answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With quotes, kinds and numbers.
    People,
    /// As they are.
    Raw,
    /// An object, list or value a line.
    Json,
}

/// Why an answer was not shown to its end.
pub(super) enum Stopped {
    /// It did not come.
    Node(Trouble),
    /// Nobody reads what is shown.
    Reader,
}

/// Deepest list that is shown: what is around a part is remembered.
const DEPTH_MAX: usize = 10_000;

/// Shows the next answer. Whether an error was in it.
pub(super) fn show(client: &mut Client, form: Form, is_text: bool, out: &mut impl Write) -> Result<bool, Stopped> {
    let mut around: Vec<Level> = Vec::new();
    let mut is_error = false;
    loop {
        let part = client.part().map_err(Stopped::Node)?;
        is_error |= matches!(part, Part::Error(_));
        let is_value = around.last().is_some_and(|level| level.kind == Kind::Map && level.shown % 2 == 1);
        let place = Place { around: &around, is_value };
        let shown = match form {
            Form::People if is_text => raw::part(&place, &part, out),
            Form::People => people::part(&place, &part, out),
            Form::Raw => raw::part(&place, &part, out),
            Form::Json => json::part(&place, &part, out),
        };
        shown.map_err(|_| Stopped::Reader)?;
        if let Part::Begin(kind, count @ 1..) = part {
            if around.len() == DEPTH_MAX {
                let why = "the answer is nested too deep to be shown".to_owned();
                return Err(Stopped::Node(Trouble::Refused(why)));
            }
            around.push(Level { kind, count, shown: 0 });
            continue;
        }
        // What has ended, and the lists that end with it.
        while let Some(level) = around.last_mut() {
            level.shown += 1;
            if level.shown < level.count {
                break;
            }
            if form == Form::Json {
                json::end(level.kind, out).map_err(|_| Stopped::Reader)?;
            }
            around.pop();
        }
        if around.is_empty() {
            // A text for people brings the end of its last line with it.
            let brings_end = matches!(&part, Part::Bulk(text) | Part::Text(text) if text.ends_with(b"\n"));
            let ended = if is_text && form != Form::Json && brings_end { Ok(()) } else { out.write_all(b"\n") };
            return ended.and_then(|()| out.flush()).map(|()| is_error).map_err(|_| Stopped::Reader);
        }
    }
}

/// Shows an error that the node has answered to what nobody has typed.
pub(super) fn show_error(why: Vec<u8>, form: Form, out: &mut impl Write) -> Result<(), Stopped> {
    let (place, part) = (Place { around: &[], is_value: false }, Part::Error(why));
    let shown = match form {
        Form::People => people::part(&place, &part, out),
        Form::Raw => raw::part(&place, &part, out),
        Form::Json => json::part(&place, &part, out),
    };
    shown.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(|_| Stopped::Reader)
}

/// Whether a command's answer is a text that people read as it is.
pub(super) fn is_text(words: &[Vec<u8>]) -> bool {
    let word = |at: usize| words.get(at).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    matches!(
        (&word(0)[..], &word(1)[..]),
        (b"info" | b"lolwut", _)
            | (b"client", b"list" | b"info")
            | (b"cluster", b"nodes" | b"info")
            | (b"memory", b"doctor" | b"malloc-stats")
            | (b"latency", b"doctor" | b"graph")
            | (b"debug", b"htstats")
    )
}
