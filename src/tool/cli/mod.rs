//! `kvstoreapp cli`: a conversation with a node, by somebody at a terminal or by a script.
//!
//! - `synopsis`: what commands take; `history`: what is remembered of what was typed
//! - `form`: answers as they are shown
//! - `conversation`: commands, transactions and streams over connections that may be lost
//! - `prompt`: the terminal

mod conversation;
mod form;
mod history;
mod prompt;
mod synopsis;

use std::io::{BufRead, BufWriter, IsTerminal, Stdout, Write, stderr, stdin, stdout};

use conversation::{Conversation, Ended, Look};
use form::Form;
use prompt::{Prompt, Typed};
use synopsis::Synopses;

use super::failure::{FAILED, Failure};
use super::interrupt;
use crate::config::CliArguments;
use crate::protocol::{Scratch, quoting};

/// Does what is asked, or listens to who asks.
pub(super) fn run(arguments: &CliArguments) -> Result<(), Failure> {
    let address = arguments.node.any_address().map_err(Failure::unknown)?;
    let access = arguments.node.access().map_err(Failure::unknown)?;
    let form = match (arguments.json, arguments.raw || !(stdout().is_terminal() || arguments.no_raw)) {
        (true, _) => Form::Json,
        (false, true) => Form::Raw,
        (false, false) => Form::People,
    };
    let is_resp3 = arguments.resp3 || arguments.json;
    let begin = |interrupt| {
        Conversation::new((address.clone(), access.clone()), arguments.db.into(), form, is_resp3, interrupt)
    };
    if !arguments.words.is_empty() {
        return script(&mut begin(None), std::iter::once(given(&arguments.words)));
    }
    if !stdin().is_terminal() {
        let lines = stdin()
            .lock()
            .split(b'\n')
            .map(|line| parse(&line.map_err(|error| Failure::unknown(format!("cannot read the commands: {error}")))?));
        return script(&mut begin(None), lines);
    }
    let mut conversation = begin(Some(interrupt::catch()?));
    talk(&mut conversation, &mut Prompt::open()?);
    Ok(())
}

/// One word may be a whole command.
fn given(words: &[String]) -> Result<Vec<Vec<u8>>, Failure> {
    match words {
        [line] => parse(line.as_bytes()),
        words => Ok(words.iter().map(|word| word.clone().into_bytes()).collect()),
    }
}

fn parse(line: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    split(line).ok_or_else(|| Failure::unknown(format!("{UNBALANCED}: {:.100}", line.escape_ascii())))
}

/// A line's words.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut scratch = Scratch::default();
    quoting::split(line, &mut scratch)?;
    Some(scratch.args().iter().map(<[u8]>::to_vec).collect())
}

/// What is wrong with a line that cannot be split.
const UNBALANCED: &str = "a quote does not end, or something follows it at once";

/// Runs commands one after another. The first that is lost ends it; one that is answered with an error does not.
fn script(
    conversation: &mut Conversation,
    commands: impl Iterator<Item = Result<Vec<Vec<u8>>, Failure>>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(stdout());
    let mut failed = 0;
    for words in commands {
        let words = words?;
        if words.is_empty() {
            continue;
        }
        if is_help(&words) {
            let asked = words[1..].iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ");
            let _ = Synopses::read().help(&asked, &mut out).and_then(|()| out.flush());
            continue;
        }
        match conversation.run(&words, &mut out) {
            Ended::Answered => (),
            Ended::Failed => failed += 1,
            Ended::Lost(trouble) => return Err(trouble.into()),
            Ended::Unread => return Ok(()),
        }
        if words[0].eq_ignore_ascii_case(b"quit") {
            break;
        }
    }
    // The answer has said why.
    if failed > 0 { Err(Failure { code: FAILED, why: String::new() }) } else { Ok(()) }
}

/// Listens to somebody at a terminal.
fn talk(conversation: &mut Conversation, prompt: &mut Prompt) {
    let mut out = BufWriter::new(stdout());
    if let Err(trouble) = conversation.connect() {
        complain(&mut out, trouble.why());
    }
    loop {
        let line = match prompt.read(&conversation.name()) {
            Typed::Line(line) => line,
            Typed::Nothing => continue,
            Typed::End => return,
        };
        let Some(words) = split(line.as_bytes()) else {
            complain(&mut out, UNBALANCED);
            continue;
        };
        let Some(first) = words.first() else { continue };
        match &first.to_ascii_lowercase()[..] {
            b"exit" | b"quit" => return,
            b"clear" => {
                let _ = out.write_all(b"\x1b[H\x1b[2J").and_then(|()| out.flush());
            }
            _ if is_help(&words) => {
                let asked = line.trim().get(4..).unwrap_or_default().trim();
                let _ = prompt.synopses().map(|synopses| synopses.help(asked, &mut out));
                let _ = out.flush();
            }
            _ => perform(conversation, &words, &mut out),
        }
    }
}

/// Runs a command; where the connection has ended before, on another one.
fn perform(conversation: &mut Conversation, words: &[Vec<u8>], out: &mut BufWriter<Stdout>) {
    match conversation.look() {
        Look::Open => (),
        Look::Closed => complain(out, "the node has closed the connection; connecting again"),
        Look::TransactionLost => {
            let lost = format!("the node has closed the connection: the transaction is gone, {} too", shown(words));
            complain(out, &lost);
            let _ = conversation.connect();
            return;
        }
    }
    match conversation.run(words, out) {
        Ended::Answered | Ended::Failed | Ended::Unread => (),
        Ended::Lost(trouble) => {
            complain(out, trouble.why());
            if let Ok(()) = conversation.connect() {
                complain(out, &format!("connected again; whether {} was done is not known", shown(words)));
            }
        }
    }
}

/// The command's name, for a sentence.
fn shown(words: &[Vec<u8>]) -> String {
    words.first().map(|word| word.escape_ascii().to_string().to_uppercase()).unwrap_or_default()
}

fn is_help(words: &[Vec<u8>]) -> bool {
    words.first().is_some_and(|word| word.eq_ignore_ascii_case(b"help"))
}

fn complain(out: &mut impl Write, why: &str) {
    let _ = out.flush();
    let _ = writeln!(stderr(), "{why}");
}
