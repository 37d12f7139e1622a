//! `POST /`, `/pipeline` and `/multi-exec`: commands as they are, in the format of Upstash's REST API
//! (<https://upstash.com/docs/redis/features/restapi>), so that its clients work.
//!
//! Each command goes the way of one that came in RESP. Several are read to their end before the first is run, take as
//! many turns as they need, and are answered at once: a client that is told of a mistake in what it has sent knows that
//! nothing of it was done. `/multi-exec` is `MULTI`, the commands, and `EXEC`.

use super::asked::{Asked, Handled, Refused, select};
use super::batch::{Batch, Stage};
use crate::http::Wrong;
use crate::http::answer::{Answer, JSON};
use crate::http::calls::{Calls, Encoding, one as read_one};
use crate::node::commands::context::Context;
use crate::node::commands::fail::Fail;
use crate::node::commands::{Executed, execute, perform};
use crate::node::steps::{REQUESTS_PER_TURN, STEPS_PER_TURN};
use crate::node::waits::Waits;
use crate::protocol::json::answer::{Parts, Said};
use crate::protocol::{Args, Command, Request, Scratch};
use crate::store::Database;

/// Longest answers to several commands; the last of them may go past it.
const ANSWERS_BYTES_MAX: usize = 4 << 20;
/// Bytes of a command that are read in a step.
const READ_PER_STEP: usize = 4;
/// What a command takes beside its own steps, so that a turn has as many as of any other dialect.
const STEPS_PER_CALL: usize = STEPS_PER_TURN / REQUESTS_PER_TURN;
/// What a command takes to be read, beside its length.
const STEPS_PER_READ: usize = 1 << 5;
const TOO_LONG: &[u8] = b"ERR the answers before this one are too long: it was not run; send fewer commands at once";

/// One command.
#[allow(clippy::ptr_arg, reason = "as every route has it")]
pub(super) fn one(cx: &mut Context<'_>, asked: &Asked<'_>, body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [db] = asked.target.parameters(["db"])?;
    select(cx, db.as_deref())?;
    let encoding = Encoding::of(asked.head)?;
    let call = read_one(body)?;
    let executed = run(cx, call.args(), false, |cx, parts| answer_one(cx, asked, encoding, &parts.said()));
    spend(cx, body.len());
    Ok(handled(cx, executed))
}

/// Several, one after another. What others do may come between.
#[allow(clippy::ptr_arg, reason = "as every route has it")]
pub(super) fn pipeline(cx: &mut Context<'_>, asked: &Asked<'_>, body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [db] = asked.target.parameters(["db"])?;
    select(cx, db.as_deref())?;
    let encoding = Encoding::of(asked.head)?;
    let mut batch = asked.batch.take().unwrap_or_default();
    let waits = match go_through(cx, &mut batch, body, encoding)? {
        Some(waits) => waits,
        None => {
            let start = cx.out.mark();
            batch.answers.push(b']');
            asked.answer(cx, &Answer::ok(JSON), &batch.answers);
            cx.hold_until_durable(start, batch.written);
            return Ok(handled(cx, if batch.ends { Executed::Ended } else { Executed::Answered }));
        }
    };
    asked.batch.set(Some(batch));
    Ok(Handled::Waits(waits))
}

/// Reads all of them, and runs them then. What has to come before it goes on; `None`: all are run.
fn go_through(
    cx: &mut Context<'_>,
    batch: &mut Batch,
    body: &[u8],
    encoding: Encoding,
) -> Result<Option<Waits>, Refused> {
    if batch.stage == Stage::Reading {
        if !read(cx, batch, body)? {
            return Ok(Some(Waits::ForTurn));
        }
        batch.answers.push(b'[');
    }
    loop {
        if cx.steps.are_spent() {
            return Ok(Some(Waits::ForTurn));
        }
        let mut calls = batch.calls;
        let Some(call) = calls.next(body)? else { return Ok(None) };
        let Batch { answers, .. } = batch;
        let end = answers.len();
        if end > 1 {
            answers.push(b',');
        }
        if end > ANSWERS_BYTES_MAX {
            encoding.put_answer(&Said::Error(TOO_LONG), answers);
        } else {
            let before = cx.keys.store().last_position();
            let executed = run(cx, call.args(), true, |_, parts| encoding.put_answer(&parts.said(), answers));
            if let Executed::Stopped(waits) = executed {
                answers.truncate(end);
                return Ok(Some(waits));
            }
            batch.ends |= executed == Executed::Ended;
            let position = cx.keys.store().last_position();
            if position != before {
                batch.written = position;
            }
        }
        spend(cx, calls.read_bytes() - batch.calls.read_bytes());
        batch.calls = calls;
    }
}

/// Several, as one.
#[allow(clippy::ptr_arg, reason = "as every route has it")]
pub(super) fn multi_exec(cx: &mut Context<'_>, asked: &Asked<'_>, body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [db] = asked.target.parameters(["db"])?;
    select(cx, db.as_deref())?;
    let encoding = Encoding::of(asked.head)?;
    let mut batch = asked.batch.take().unwrap_or_default();
    let waits = match put_together(cx, &mut batch, body) {
        Ok(Some(waits)) => waits,
        Ok(None) => {
            let executed = run_own(cx, Command::Exec, |cx, parts| match parts.said() {
                Said::Array(all) => {
                    let mut answers = Vec::new();
                    encoding.put_answers(&all, &mut answers);
                    asked.answer(cx, &Answer::ok(JSON), &answers);
                }
                said => answer_one(cx, asked, encoding, &said),
            });
            if let Executed::Stopped(waits) = executed {
                waits
            } else {
                cx.client.queue = None;
                return Ok(handled(cx, executed));
            }
        }
        Err(refused) => {
            cx.client.queue = None;
            return Err(refused);
        }
    };
    asked.batch.set(Some(batch));
    Ok(Handled::Waits(waits))
}

/// Reads all of them, and puts them together then. What has to come before it goes on; `None`: they can be run.
fn put_together(cx: &mut Context<'_>, batch: &mut Batch, body: &[u8]) -> Result<Option<Waits>, Refused> {
    let mut refused = None;
    if batch.stage == Stage::Reading && !read(cx, batch, body)? {
        return Ok(Some(Waits::ForTurn));
    }
    if batch.stage == Stage::Running && cx.client.queue.is_none() {
        let executed = run_own(cx, Command::Multi, |_, parts| refused = why(&parts.said()));
        if let Executed::Stopped(waits) = executed {
            return Ok(Some(waits));
        }
        if let Some(why) = refused {
            return Err(Wrong::said(400, why).into());
        }
    }
    while batch.stage == Stage::Running {
        if cx.steps.are_spent() {
            return Ok(Some(Waits::ForTurn));
        }
        let mut calls = batch.calls;
        let Some(call) = calls.next(body)? else {
            batch.stage = Stage::Executing;
            break;
        };
        let executed = run(cx, call.args(), true, |_, parts| refused = why(&parts.said()));
        if let Executed::Stopped(waits) = executed {
            return Ok(Some(waits));
        }
        if let Some(why) = refused {
            let why = why.strip_prefix("ERR ").unwrap_or(&why);
            return Err(Wrong::said(400, format!("EXECABORT Transaction discarded because of: {why}")).into());
        }
        spend(cx, calls.read_bytes() - batch.calls.read_bytes());
        batch.calls = calls;
    }
    Ok(None)
}

/// Reads commands. Returns whether those were all.
fn read(cx: &mut Context<'_>, batch: &mut Batch, body: &[u8]) -> Result<bool, Refused> {
    while !cx.steps.are_spent() {
        let before = batch.calls.read_bytes();
        if batch.calls.next(body)?.is_none() {
            batch.calls = Calls::default();
            batch.stage = Stage::Running;
            return Ok(true);
        }
        cx.steps.spend(STEPS_PER_READ + (batch.calls.read_bytes() - before) / READ_PER_STEP);
    }
    Ok(false)
}

/// Runs a command, one of several or alone, and hands on what it was answered: of one that has to wait nothing.
fn run(
    cx: &mut Context<'_>,
    args: Args<'_>,
    is_one_of_several: bool,
    answer: impl FnOnce(&mut Context<'_>, Parts),
) -> Executed {
    // The words lie in none of the connection's memory.
    cx.whole = None;
    let command = Command::named(args.at(0));
    if let Some(why) = command.and_then(|command| refusal(command, args, is_one_of_several, cx.client.database)) {
        let fail = Fail::from(format!("ERR {} {why}", String::from_utf8_lossy(args.at(0)).to_uppercase()));
        cx.metrics.note_error(fail.code());
        answer(cx, error(&fail));
        return Executed::Answered;
    }
    perform_call(cx, Request { command, args }, answer)
}

/// Runs a command that stands for the request itself.
fn run_own(cx: &mut Context<'_>, command: Command, answer: impl FnOnce(&mut Context<'_>, Parts)) -> Executed {
    let mut scratch = Scratch::default();
    scratch.push(command.describe().name.as_bytes());
    perform_call(cx, Request { command: Some(command), args: scratch.args() }, answer)
}

fn perform_call(cx: &mut Context<'_>, request: Request<'_>, answer: impl FnOnce(&mut Context<'_>, Parts)) -> Executed {
    perform(cx, request, execute, |cx, outcome| {
        let parts = cx.out.take_parts();
        answer(cx, outcome.map_or_else(|fail| error(&fail), |()| parts));
    })
}

/// Why a command is none for HTTP, behind its name: what it is about ends with the request, or its answer with no command.
fn refusal(command: Command, args: Args<'_>, is_one_of_several: bool, database: Database) -> Option<&'static str> {
    use Command as C;
    let part = |words: &[&str]| {
        args.get(1).is_some_and(|arg| words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes())))
    };
    match command {
        C::Subscribe | C::PSubscribe | C::SSubscribe | C::Unsubscribe | C::PUnsubscribe | C::SUnsubscribe => {
            Some("is for connections that listen: not over HTTP")
        }
        C::Backup => Some("is for connections that speak RESP: not over HTTP"),
        C::Monitor => Some("is for connections that listen: not over HTTP"),
        C::WatchPrefix | C::UnwatchPrefix => Some("is for connections that listen: over HTTP there is GET /v1/watch"),
        C::Multi | C::Exec | C::Discard => Some("is no command over HTTP: POST /multi-exec runs several as one"),
        C::Watch | C::Unwatch => Some("is for connections that stay: not over HTTP"),
        C::Auth | C::Hello => Some("is no command over HTTP: each request says who asks, by Authorization"),
        C::Quit | C::Reset => Some("is for connections that stay: not over HTTP"),
        C::Select if args.get(1).is_some_and(|index| index != database.number().to_string().as_bytes()) => {
            Some("takes the request's own database alone: which one that is, ?db= says")
        }
        C::Client if part(&CLIENT_PARTS) => Some("is for connections that stay here: not over HTTP"),
        C::Wait | C::WaitAof => Some("is about the writes of a connection: not over HTTP"),
        C::Acl if part(&["SAVE", "LOAD"]) => Some("waits for a file: not over HTTP"),
        C::Save | C::Shutdown if is_one_of_several => Some("is not for several commands: alone"),
        _ => None,
    }
}

/// What `CLIENT` can do that is about its connection.
const CLIENT_PARTS: [&str; 10] = [
    "REPLY",
    "SETNAME",
    "GETNAME",
    "SETINFO",
    "TRACKING",
    "TRACKINGINFO",
    "GETREDIR",
    "CACHING",
    "NO-EVICT",
    "NO-TOUCH",
];

/// Answers one command.
fn answer_one(cx: &mut Context<'_>, asked: &Asked<'_>, encoding: Encoding, said: &Said<'_>) {
    let mut body = Vec::new();
    encoding.put_answer(said, &mut body);
    let status = if let Said::Error(_) = said { 400 } else { 200 };
    asked.answer(cx, &Answer::new(status, JSON), &body);
}

fn error(fail: &Fail) -> Parts {
    let mut parts = Parts::default();
    parts.push(fail.reply());
    parts
}

/// Why it was not done, if it was not.
fn why(said: &Said<'_>) -> Option<String> {
    if let Said::Error(why) = said { Some(String::from_utf8_lossy(why).into_owned()) } else { None }
}

/// A command of so many bytes was read and run.
fn spend(cx: &mut Context<'_>, bytes: usize) {
    cx.steps.spend(STEPS_PER_CALL + bytes / READ_PER_STEP);
}

fn handled(cx: &Context<'_>, executed: Executed) -> Handled {
    match executed {
        Executed::Stopped(waits) => Handled::Waits(waits),
        Executed::Ended => Handled::Parted,
        _ if cx.steps.are_spent() => Handled::Exhausted,
        Executed::Answered | Executed::Exhausted | Executed::Waiting(_) => Handled::Answered,
    }
}
