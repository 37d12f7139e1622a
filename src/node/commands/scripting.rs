//! `EVAL` and its like, and `SCRIPT`: requests that run several others as one.
//!
//! A script works on a [view](crate::node::view): nobody sees what it writes before its end. Then all of it is written
//! at once, as one atomic group; or nothing, where the script took too long or too much memory. As with Redis, one that
//! fails otherwise has done what it did before.

use std::ops::Range;

use super::fail::{Fail, integer, is};
use super::help::help;
use super::{
    Args, Command, Context, DONE, Executed, Kind, Outcome, Reply, Waits, connection, monitoring, room, subcommands,
    users,
};
use crate::node::replies::Replies;
use crate::node::steps::STEPS_PER_TURN;
use crate::node::view::Told;
use crate::protocol::hex;
use crate::protocol::subcommand::Script;
use crate::scripting::{Digest, Failed, Host, NO_SCRIPT, Shebang, Urgency, digest_of, parse_digest};

/// What it takes to write a change of a view, and a byte of it, at most.
const NS_PER_CHANGE: u64 = 500;
const NS_PER_64_BYTES: u64 = 32;
/// Longest value that is copied or gone through for a script: nobody looks at the clock meanwhile.
const VALUE_BYTES_MAX: usize = 4 << 20;
/// Steps of a turn that a look of a script stands for: a hundred instructions, or a call.
const STEPS_PER_LOOK: usize = 1 << 7;
/// ... and writing one change.
const STEPS_PER_CHANGE: usize = 1 << 7;

/// What executes one of a script's requests.
type Run = fn(&mut Context<'_>, Command, Args<'_>) -> Outcome;

/// `run` executes one of its requests.
#[inline(never)]
pub(super) fn eval(cx: &mut Context<'_>, command: Command, args: Args<'_>, run: Run) -> Outcome {
    let began_ns = cx.timing.monotonic_ns();
    let count = integer(args.at(2))?;
    if count > args.len() as i64 - 3 {
        return Err(Fail::said("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Fail::said("ERR Number of keys can't be negative"))?;
    let digest = match command {
        Command::Eval | Command::EvalRo => {
            let digest = digest_of(args.at(1));
            cx.scripts.compile(digest, args.at(1))?;
            digest
        }
        _ => parse_digest(args.at(1)).ok_or(Fail::said(NO_SCRIPT))?,
    };
    let shebang = cx.scripts.shebang(&digest).ok_or(Fail::said(NO_SCRIPT))?;
    if shebang.is_there && !shebang.no_writes && !shebang.allow_oom && cx.keys.store().is_over_limit() {
        return Err(Fail::said(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    let reads_only = matches!(command, Command::EvalRo | Command::EvalShaRo);
    if reads_only && shebang.is_there && !shebang.no_writes {
        return Err(Fail::said("ERR Can not execute a script with write flag using *_ro command."));
    }
    if !cx.events.sessions.monitors.is_empty() {
        // Before what runs in it.
        monitoring::tell_of_script(cx, command, args);
    }
    let keys: Vec<&[u8]> = args.from(3).take(count).collect();
    let rest: Vec<&[u8]> = args.from(3 + count).collect();
    let reads_only = reads_only || shebang.no_writes;
    run_script(cx, &digest, (&keys, &rest), Mode { reads_only, shebang, began_ns, run })?;
    cx.done_after(0)
}

/// How a script is run.
struct Mode {
    reads_only: bool,
    shebang: Shebang,
    began_ns: u64,
    run: Run,
}

/// Runs a script that is there, and answers. It takes steps of the turn, one that was ended all.
fn run_script(cx: &mut Context<'_>, digest: &Digest, texts: (&[&[u8]], &[&[u8]]), mode: Mode) -> Result<(), Fail> {
    // Of the scripts of one transaction each has what those before it have left.
    let spent_ns = if cx.progress.is_executing { cx.progress.scripts_ns } else { 0 };
    let limits = cx.settings.options.scripts;
    let mut engine = std::mem::take(cx.scripts);
    let was_executing = std::mem::replace(&mut cx.progress.is_executing, true);
    let was_scripted = std::mem::replace(&mut cx.progress.is_scripted, true);
    cx.progress.script_turns = limits.time_ms;
    let looks_before = engine.looks();
    let (whole, spent_us) = (cx.whole.take(), std::mem::take(&mut cx.progress.spent_us));
    let now = cx.now;
    cx.keys.begin_view(now);
    let session = std::mem::replace(cx.data.out, Replies::within());
    let asked = (cx.client.command, cx.client.subcommand);
    let refused_database = cx.client.refused_database.take();
    // What a script selects is for itself.
    let (database, selected) = (cx.client.database, cx.keys.selected());
    let compiled_ns = cx.timing.monotonic_ns().saturating_sub(mode.began_ns);
    let mut host = NodeHost { cx, session, mode: &mode };
    let ran = engine.run(digest, texts, &mut host, limits, spent_ns + compiled_ns);
    *host.cx.data.out = host.session;
    let looks = (engine.looks() - looks_before) as usize;
    *cx.scripts = engine;
    cx.progress.is_executing = was_executing;
    cx.progress.is_scripted = was_scripted;
    cx.progress.scripts_ns = spent_ns + cx.timing.monotonic_ns().saturating_sub(mode.began_ns);
    (cx.whole, cx.progress.spent_us) = (whole, spent_us);
    (cx.client.command, cx.client.subcommand) = asked;
    cx.client.refused_database = refused_database;
    cx.client.database = database;
    cx.keys.select(selected);
    let changes = cx.keys.view().map_or(0, |view| view.len());
    // Whatever became of it, others have waited.
    cx.steps.spend(looks * STEPS_PER_LOOK + changes * STEPS_PER_CHANGE);
    match ran {
        Ok(()) => {
            publish(cx);
            Ok(())
        }
        Err(Failed::Raised(why)) => {
            publish(cx);
            Err(why.into())
        }
        Err(Failed::Ended(cause)) => {
            forget(cx);
            cx.metrics.scripts_ended += 1;
            cx.steps.spend(STEPS_PER_TURN);
            Err(Fail::said(cause.words(spent_ns > 0)))
        }
    }
}

/// All that was written in the view is written, and told.
fn publish(cx: &mut Context<'_>) {
    let Some(mut view) = cx.keys.take_view() else { return };
    let (told, now) = (view.take_told(), cx.now);
    cx.keys.apply_view(*view, now);
    for told in told {
        match told {
            Told::Event(class, event, database, key) => cx.notify_of(class, &event, database, &key),
            Told::Message(audience, channel, message) => {
                cx.deliver(audience, &channel, &message);
                cx.keys.replica_mut().publish(audience, &channel, &message);
            }
        }
    }
}

/// Nothing that was written in the view has happened. That keys have expired has.
fn forget(cx: &mut Context<'_>) {
    let Some(mut view) = cx.keys.take_view() else { return };
    for told in view.take_told() {
        if let Told::Event('x', event, database, key) = told {
            cx.notify_of('x', &event, database, &key);
        }
    }
}

/// What a script asks the node for.
struct NodeHost<'h, 'c> {
    cx: &'h mut Context<'c>,
    /// What is owed to the client, while what its script is told takes its place.
    session: Replies,
    mode: &'h Mode,
}

impl Host for NodeHost<'_, '_> {
    fn call(&mut self, text: &[u8], spans: &[Range<usize>], resp3: bool, reply: &mut Vec<u8>) -> u64 {
        self.cx.out.speak_resp(resp3);
        let (start, parts_end) = (self.cx.out.mark(), self.cx.out.parts_end());
        let attempted = self.attempt(Args::new(text, spans));
        if let Err(fail) = &attempted {
            self.cx.out.answer_part_instead(start, parts_end, fail.reply());
        }
        reply.clear();
        std::mem::swap(reply, self.cx.out.bytes());
        if attempted == Ok(Attempted::OutOfTurns) {
            return u64::MAX;
        }
        let view = self.cx.keys.view();
        view.map_or(0, |view| view.len() as u64 * NS_PER_CHANGE + view.bytes() as u64 / 64 * NS_PER_64_BYTES)
    }

    fn allows(&mut self, text: &[u8], spans: &[Range<usize>]) -> Option<bool> {
        let args = Args::new(text, spans);
        let command = Command::named(args.at(0)).filter(|command| command.is_of_resp())?;
        let access = self.cx.client.access;
        Some(access.is_unlimited() || self.cx.users.check(access.user(), command, args).is_ok())
    }

    fn log(&mut self, urgency: Urgency, text: &str) {
        match urgency {
            Urgency::Debug | Urgency::Verbose => log::debug!(event = "script_says"; "a script says: {text}"),
            Urgency::Notice => log::info!(event = "script_says"; "a script says: {text}"),
            Urgency::Warning => log::warn!(event = "script_warns"; "a script says: {text}"),
        }
    }

    fn answer(&mut self, reply: Reply<'_>) {
        self.session.answer(reply);
    }

    fn answer_in_resp3(&mut self, bytes: &[u8]) -> bool {
        let speaks = self.session.dialect().resp_version() == 3;
        if speaks {
            self.session.answer_bytes(bytes);
        }
        speaks
    }
}

/// What became of a script's request that may be run.
#[derive(Debug, PartialEq, Eq)]
enum Attempted {
    Answered,
    /// There are more keys to go through than a script has time for.
    OutOfTurns,
}

impl NodeHost<'_, '_> {
    /// Runs one of the script's requests, if it may be run: what is asked of every request is asked here of those.
    fn attempt(&mut self, args: Args<'_>) -> Result<Attempted, Fail> {
        const UNKNOWN: Fail = Fail::said("ERR Unknown Redis command called from script");
        const WRONG_ARITY: Fail = Fail::said("ERR Wrong number of args calling Redis command from script");
        let cx = &mut *self.cx;
        let command = Command::named(args.at(0)).filter(|command| command.is_of_resp()).ok_or(UNKNOWN)?;
        let all = command.subcommands();
        if !all.is_empty() && args.get(1).is_some_and(|part| !all.iter().any(|(known, _)| is(part, known))) {
            return Err(UNKNOWN);
        }
        if !command.takes(args.len()) || !subcommands::takes(command, args) {
            return Err(WRONG_ARITY);
        }
        if !command.is_for_scripts() {
            return Err(Fail::said("ERR This Redis command is not allowed from script"));
        }
        if !cx.client.access.is_unlimited() {
            users::allow_in_script(cx, command, args)?;
        }
        connection::allow_data(cx, command, args)?;
        if self.mode.reads_only && (command.describe().kind == Kind::Write || command.publishes()) {
            return Err(Fail::said("ERR Write commands are not allowed from read-only scripts."));
        }
        if cx.keys.may_be_over_limit && !self.mode.shebang.allow_oom {
            room::check(cx, command, args)?;
        }
        if works_on_values(command, args) && has_long_value(cx, command, args) {
            return Err(Fail::said("ERR a value of more than 4 MiB is too long for a script to work with"));
        }
        match (self.mode.run)(cx, command, args)? {
            Executed::Answered | Executed::Exhausted => Ok(Attempted::Answered),
            Executed::Stopped(Waits::ForTurn) => {
                cx.progress.walk = None;
                Ok(Attempted::OutOfTurns)
            }
            Executed::Stopped(_) | Executed::Waiting(_) | Executed::Ended => {
                Err(Fail::said("ERR This Redis command is not allowed from script"))
            }
        }
    }
}

/// Whether it copies a key's value, or goes through it, so that it takes as long as the value is.
fn works_on_values(command: Command, args: Args<'_>) -> bool {
    use Command::{
        Append, BitCount, BitField, BitFieldRo, BitOp, BitPos, Digest, Get, GetDel, GetEx, GetRange, GetSet, Lcs, MGet,
        Set, SetBit, SetRange, SubStr,
    };
    match command {
        Append | BitCount | BitField | BitFieldRo | BitOp | BitPos | Digest | Get | GetDel | GetEx | GetRange
        | GetSet | Lcs | MGet | SetBit | SetRange | SubStr => true,
        Set => args.from(3).any(|option| is(option, "GET")),
        _ => false,
    }
}

/// Whether the request would go through, or copy, a value that takes longer than a script is given; or make one, as
/// far as that is known before it runs.
fn has_long_value(cx: &Context<'_>, command: Command, args: Args<'_>) -> bool {
    let place = |number| integer(args.at(number)).unwrap_or(0);
    let reached = match command {
        Command::SetRange => place(2),
        Command::SetBit => place(2) / 8,
        _ => 0,
    };
    reached > VALUE_BYTES_MAX as i64
        || command.keys(args).any(|key| cx.keys.get(key).is_some_and(|value| value.len() > VALUE_BYTES_MAX))
}

pub(super) fn script(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Script::Load => {
            let digest = digest_of(args.at(2));
            cx.scripts.load(digest, args.at(2))?;
            cx.answer(Reply::Value(hex::written(&digest).as_bytes()))
        }
        Script::Exists => {
            cx.out.answer(Reply::Array(args.len() - 2));
            for named in args.from(2) {
                let is_there = parse_digest(named).is_some_and(|digest| cx.scripts.has(&digest));
                cx.out.answer(Reply::Int(is_there.into()));
            }
            DONE
        }
        Script::Flush => match (args.len(), args.get(2)) {
            (2, _) => forget_all(cx),
            (3, Some(mode)) if is(mode, "ASYNC") || is(mode, "SYNC") => forget_all(cx),
            _ => Err(Fail::said("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
        },
        // None runs for longer than its time, and nobody is heard meanwhile.
        Script::Kill => Err(Fail::said("NOTBUSY No scripts in execution right now.")),
        Script::Debug if is(args.at(2), "NO") => cx.answer(Reply::Ok),
        Script::Debug => Err(Fail::said("ERR SCRIPT DEBUG: scripts cannot be debugged here")),
        Script::Help => help(cx, Command::Script),
    }
}

fn forget_all(cx: &mut Context<'_>) -> Outcome {
    cx.scripts.forget_all();
    cx.answer(Reply::Ok)
}
