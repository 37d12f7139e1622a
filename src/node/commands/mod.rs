//! What each request does: the one `match`.
//!
//! - `fail`: why not, in Redis' words
//! - `strings`, `comparing`, `several`, `numbers`, `counting`, `extended`, `lcs`, `bits`, `bitfield`: values
//! - `keys`, `scanning`, `expiring`: keys
//! - `room`: whether memory allows a request
//! - `transactions`, `scripting`, `publishing`, `watching`: more than one request, more than one client
//! - `connection`, `users`, `proving`, `acl`, `clients`, `monitoring`: conversations
//! - `server`, `backup`, `configuration`, `catalog`, `cluster`, `slowness`, `health`, `status`, `help`: the node

mod acl;
mod backup;
mod bitfield;
mod bits;
mod catalog;
mod clients;
mod cluster;
mod comparing;
mod configuration;
mod connection;
pub(super) mod context;
mod counting;
mod events;
mod expiring;
mod extended;
pub(super) mod fail;
mod health;
mod help;
mod keys;
mod lcs;
mod monitoring;
mod numbers;
mod outcome;
pub(super) mod proving;
mod publishing;
mod room;
mod scanning;
mod scripting;
mod server;
mod several;
mod slowness;
mod status;
mod strings;
mod subcommands;
mod transactions;
mod users;
mod watching;

pub(super) use connection::{OUT_OF_RANGE, REDIS_VERSION};
use context::{Context, Data, Events};
use fail::{Fail, unknown, wrong_arity};
use outcome::DONE;
pub(super) use outcome::{Executed, Outcome};
pub(super) use users::{authenticate, to_stranger};

use super::listening::Names;
use super::timing::Begun;
use super::waiting::{Pause, Then, Until, Waiter};
use super::waits::Waits;
use crate::metrics::calls::Took;
use crate::protocol::command::Kind;
use crate::protocol::{Args, Command, Refusal, Reply, Request, line};
use crate::replica::Writers;
use crate::replication::Audience;

/// Executes a request and answers it.
pub(super) fn run(cx: &mut Context<'_>, request: Request<'_>) -> Executed {
    let start = cx.out.mark();
    let before = cx.keys.store().last_position();
    let executed = attempt(cx, request, execute).unwrap_or_else(|fail| {
        cx.progress.abandon();
        cx.metrics.note_error(fail.code());
        cx.out.answer_instead(start, fail.reply());
        if cx.steps.are_spent() { Executed::Exhausted } else { Executed::Answered }
    });
    if let Executed::Stopped(_) = executed {
        return executed;
    }
    cx.settle(start, before, executed);
    executed
}

/// Executes a request whose answer `answer` writes, from what came of it: the parts that `execute` has answered with are
/// in [`Replies::take_parts`](super::replies::Replies::take_parts). Of a request that has to wait nothing is written.
pub(super) fn perform(
    cx: &mut Context<'_>,
    request: Request<'_>,
    execute: impl FnOnce(&mut Context<'_>, Command, Args<'_>) -> Outcome,
    answer: impl FnOnce(&mut Context<'_>, Result<(), Fail>),
) -> Executed {
    let start = cx.out.mark();
    let before = cx.keys.store().last_position();
    let executed = match attempt(cx, request, execute) {
        Ok(stopped @ Executed::Stopped(_)) => return stopped,
        Ok(executed) => {
            answer(cx, Ok(()));
            executed
        }
        Err(fail) => {
            cx.progress.abandon();
            cx.metrics.note_error(fail.code());
            answer(cx, Err(fail));
            if cx.steps.are_spent() { Executed::Exhausted } else { Executed::Answered }
        }
    };
    cx.metrics.requests += 1;
    cx.settle(start, before, executed);
    executed
}

/// Whether the client's user may run a request, as it is asked before one runs.
pub(super) fn allow(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    if cx.client.access.is_unlimited() { Ok(()) } else { users::allow(cx, command, args) }
}

fn attempt(
    cx: &mut Context<'_>,
    request: Request<'_>,
    execute: impl FnOnce(&mut Context<'_>, Command, Args<'_>) -> Outcome,
) -> Outcome {
    let args = request.args;
    cx.client.command = request.command;
    match admit(cx, request) {
        Ok(Admitted::Run(command)) => timed_by(cx, command, args, execute),
        Ok(Admitted::Queued) => cx.answer(Reply::Simple("QUEUED")),
        Ok(Admitted::Stopped(waits)) => Ok(Executed::Stopped(waits)),
        Err(fail) => {
            cx.note_rejected(args);
            Err(fail)
        }
    }
}

enum Admitted {
    Run(Command),
    Queued,
    Stopped(Waits),
}

/// Whether the request may run, and now.
fn admit(cx: &mut Context<'_>, request: Request<'_>) -> Result<Admitted, Fail> {
    let checked = match request.command {
        None => Err(unknown(request.args)),
        Some(command) if !command.takes(request.args.len()) => Err(wrong_arity(command)),
        Some(command) => subcommands::check(cx.client, command, request.args)
            .and_then(|()| allow(cx, command, request.args))
            .and_then(|()| connection::allow_data(cx, command, request.args))
            .map(|()| command),
    };
    let command = match (checked, &mut cx.client.queue) {
        (Ok(command), _) => command,
        (Err(fail), _) if request.command == Some(Command::Exec) => {
            transactions::abandon(cx.client);
            return Err(fail.that_aborts());
        }
        (Err(fail), None) => return Err(fail),
        (Err(fail), Some(queue)) => {
            queue.is_spoilt = true;
            return Err(fail);
        }
    };
    if cx.keys.may_be_over_limit || cx.client.queue.is_some() {
        let allowed = if cx.client.queue.is_some() { transactions::allow(command) } else { Ok(()) };
        let checked = allowed.and_then(|()| room::check(cx, command, request.args));
        checked.map_err(|fail| transactions::spoil(cx.client, command, fail))?;
    }
    if !cx.out.dialect().has_pushes() && cx.client.is_listening() {
        publishing::allow_listener(command, request.args)
            .map_err(|fail| transactions::spoil(cx.client, command, fail))?;
    }
    if cx.client.is_monitor {
        monitoring::allow_monitor(command).map_err(|fail| transactions::spoil(cx.client, command, fail))?;
    }
    if let Some(pause) = cx.events.sessions.pause
        && cx.is_paused(pause, command, request.args)
    {
        return Ok(Admitted::Stopped(cx.stop(Until::Unpaused, pause.until_us)));
    }
    if let Some(queue) = &mut cx.client.queue
        && !transactions::is_immediate(command)
    {
        queue.push(command, request.args, cx.data.whole.as_ref());
        return Ok(Admitted::Queued);
    }
    let writes = match command {
        Command::Exec => cx.client.queue.as_ref().is_some_and(|queue| queue.writes()),
        other => other.describe().kind == Kind::Write,
    };
    if writes {
        match cx.keys.replica().writers() {
            Writers::Go => (),
            Writers::Wait => {
                cx.metrics.writer_stalls += 1;
                return Ok(Admitted::Stopped(cx.stop(Until::Writable, u64::MAX)));
            }
            Writers::Fail => return Err(Fail::Refused(Refusal::NotDurable)),
        }
    }
    Ok(Admitted::Run(command))
}

/// Executes a command and counts it, and times it where it can take long.
fn timed(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Outcome {
    timed_by(cx, command, args, execute)
}

#[inline]
fn timed_by(
    cx: &mut Context<'_>,
    command: Command,
    args: Args<'_>,
    execute: impl FnOnce(&mut Context<'_>, Command, Args<'_>) -> Outcome,
) -> Outcome {
    let begun = cx.timing.begin(&cx.data.metrics.calls, command, args);
    if cx.keys.may_hide {
        cx.expire_keys(command, args);
    }
    let outcome = execute(cx, command, args);
    if begun.is_none() && matches!(outcome, Ok(Executed::Answered)) {
        cx.metrics.calls.count(command);
    } else {
        note(cx, command, args, begun, &outcome);
    }
    if !cx.events.sessions.monitors.is_empty() && !matches!(outcome, Ok(Executed::Stopped(_))) {
        monitoring::tell(cx, command, args);
    }
    outcome
}

/// A call that is timed, or was not just answered, has made a step.
#[cold]
fn note(cx: &mut Context<'_>, command: Command, args: Args<'_>, begun: Option<Begun>, outcome: &Outcome) {
    let Context { data: Data { metrics, progress, now, .. }, timing, client, .. } = cx;
    let is_over = !matches!(outcome, Ok(Executed::Stopped(_)));
    let took = match begun {
        Some(begun) if begun.is_timed => {
            Took::Exactly(timing.note((client, progress), command, args, begun, is_over, *now))
        }
        Some(begun) if command.is_plain() => Took::Sample(timing.since(begun)),
        Some(begun) => Took::Exactly(timing.since(begun)),
        None => Took::Unknown,
    };
    if is_over {
        metrics.calls.note(command, args, outcome.is_err(), took);
    }
}

/// Executes a command that was admitted. What takes a large frame says that it is not to be inlined: each would pay for
/// it.
pub(super) fn execute(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Outcome {
    match command {
        Command::Get => strings::get(&mut cx.data, args),
        Command::Set => strings::set(&mut cx.data, args),
        Command::SetNx => strings::set_nx(&mut cx.data, args),
        Command::SetEx => strings::set_ex(&mut cx.data, args, 1000),
        Command::PSetEx => strings::set_ex(&mut cx.data, args, 1),
        Command::GetSet => strings::get_set(&mut cx.data, args),
        Command::GetDel => strings::get_del(&mut cx.data, args),
        Command::GetEx => strings::get_ex(&mut cx.data, args),
        Command::DelEx => comparing::del_ex(&mut cx.data, args),
        Command::DelIfEq => comparing::del_if_eq(&mut cx.data, args),
        Command::Digest => comparing::digest(&mut cx.data, args),
        Command::MGet => several::mget(&mut cx.data, args),
        Command::MSet => several::mset(&mut cx.data, args),
        Command::MSetNx => several::mset_nx(&mut cx.data, args),
        Command::MSetEx => several::mset_ex(&mut cx.data, args),
        Command::Append => strings::append(&mut cx.data, args),
        Command::StrLen => strings::str_len(&mut cx.data, args),
        Command::GetRange | Command::SubStr => strings::get_range(&mut cx.data, args),
        Command::SetRange => strings::set_range(&mut cx.data, args),
        Command::Incr => numbers::add(&mut cx.data, args, 1),
        Command::Decr => numbers::add(&mut cx.data, args, -1),
        Command::IncrBy => numbers::incr_by(&mut cx.data, args),
        Command::DecrBy => numbers::decr_by(&mut cx.data, args),
        Command::IncrByFloat => numbers::incr_by_float(&mut cx.data, args),
        Command::IncrEx => counting::incr_ex(&mut cx.data, args),
        Command::Lcs => lcs::lcs(&mut cx.data, args),

        Command::Del | Command::Unlink => keys::del(&mut cx.data, args),
        Command::Delete => keys::delete(&mut cx.data, args),
        Command::Exists | Command::Touch => keys::exists(&mut cx.data, args),
        Command::Type => keys::type_of(&mut cx.data, args),
        Command::Rename => keys::rename(&mut cx.data, args, false),
        Command::RenameNx => keys::rename(&mut cx.data, args, true),
        Command::Copy => keys::copy(cx, args),
        Command::Move => keys::move_to(cx, args),
        Command::SwapDb => keys::swap_db(cx, args),
        Command::RandomKey => keys::random_key(&mut cx.data),
        Command::DbSize => keys::db_size(&mut cx.data),
        Command::Object => keys::object(&mut cx.data, args),
        Command::FlushDb | Command::FlushAll => keys::flush(&mut cx.data, args, command == Command::FlushAll),
        Command::Keys => scanning::keys(&mut cx.data, args),
        Command::Scan => scanning::scan(&mut cx.data, args),
        Command::Expire => expiring::expire(&mut cx.data, args, 1000, true),
        Command::PExpire => expiring::expire(&mut cx.data, args, 1, true),
        Command::ExpireAt => expiring::expire(&mut cx.data, args, 1000, false),
        Command::PExpireAt => expiring::expire(&mut cx.data, args, 1, false),
        Command::Ttl => expiring::ttl(&mut cx.data, args, 1000, true),
        Command::PTtl => expiring::ttl(&mut cx.data, args, 1, true),
        Command::ExpireTime => expiring::ttl(&mut cx.data, args, 1000, false),
        Command::PExpireTime => expiring::ttl(&mut cx.data, args, 1, false),
        Command::Persist => expiring::persist(&mut cx.data, args),

        Command::SetBit => bits::set_bit(&mut cx.data, args),
        Command::GetBit => bits::get_bit(&mut cx.data, args),
        Command::BitCount => bits::bit_count(&mut cx.data, args),
        Command::BitPos => bits::bit_pos(&mut cx.data, args),
        Command::BitOp => bits::bit_op(&mut cx.data, args),
        Command::BitField => bitfield::bitfield(&mut cx.data, args, false),
        Command::BitFieldRo => bitfield::bitfield(&mut cx.data, args, true),

        Command::Ping => connection::ping(cx, args),
        Command::WatchPrefix => watching::watch(cx, args),
        Command::UnwatchPrefix => watching::unwatch(cx),
        Command::Echo => cx.answer(Reply::Value(args.at(1))),
        Command::Events => events::events(cx, args),
        Command::Backup => backup::backup(cx, args),
        Command::Help => cx.answer(Reply::Text(line::HELP)),
        Command::Health => health::health(cx, args),
        Command::Status => status::status(cx),
        Command::Select => connection::select(cx, args),
        Command::Hello => proving::slowly(cx, args, connection::hello),
        Command::Auth => proving::slowly(cx, args, users::auth),
        Command::Quit => {
            cx.out.answer(Reply::Ok);
            Ok(Executed::Ended)
        }
        Command::Reset => connection::reset(cx),
        Command::Client => clients::client(cx, args),

        Command::Multi => transactions::multi(cx),
        Command::Exec => transactions::exec(cx, timed),
        Command::Discard => transactions::discard(cx),
        Command::Watch => transactions::watch(cx, args),
        Command::Unwatch => transactions::unwatch(cx),

        Command::Subscribe => publishing::subscribe(cx, args, Names::Channels),
        Command::PSubscribe => publishing::subscribe(cx, args, Names::Patterns),
        Command::SSubscribe => publishing::subscribe(cx, args, Names::Shards),
        Command::Unsubscribe => publishing::unsubscribe(cx, args, Names::Channels),
        Command::PUnsubscribe => publishing::unsubscribe(cx, args, Names::Patterns),
        Command::SUnsubscribe => publishing::unsubscribe(cx, args, Names::Shards),
        Command::Publish => publishing::publish(cx, args, Audience::Channel),
        Command::SPublish => publishing::publish(cx, args, Audience::Shard),
        Command::PubSub => publishing::pubsub(cx, args),

        Command::Info => server::info(cx, args),
        Command::CommandInfo => catalog::command(cx, args),
        Command::Config => configuration::config(cx, args),
        Command::Time => server::time(cx),
        Command::LastSave => server::last_save(cx),
        Command::Save | Command::BgSave => server::save(cx, command, args),
        Command::Debug => server::debug(cx, args),
        Command::Monitor => monitoring::monitor(cx),
        Command::SlowLog => slowness::slow_log(cx, args),
        Command::Latency => slowness::latency(cx, args),
        Command::Memory => server::memory(cx, args),
        Command::Wait => server::wait(cx, args),
        Command::WaitAof => server::wait_aof(cx, args),
        Command::Shutdown => server::shutdown(cx, args),
        Command::Lolwut => server::lolwut(cx),
        Command::Eval | Command::EvalSha | Command::EvalRo | Command::EvalShaRo => {
            scripting::eval(cx, command, args, timed)
        }
        Command::Script => scripting::script(cx, args),
        Command::Function => server::function(cx, args),
        Command::Acl => acl::acl(cx, args),
        Command::Module => catalog::module(cx, args),
        Command::Role => cluster::role(cx),
        Command::Cluster | Command::Asking | Command::ReadOnly | Command::ReadWrite => cluster::refuse(),
    }
}

impl Context<'_> {
    /// A request was refused before it ran. What nobody knows is nobody's call.
    #[cold]
    fn note_rejected(&mut self, args: Args<'_>) {
        if let Some(command) = self.client.command {
            self.metrics.calls.reject(command, args);
        }
    }

    /// Whether this command is paused: with writers those are that publish. A monitor never is, and somebody has to be
    /// able to end the pause.
    #[cold]
    fn is_paused(&self, pause: Pause, command: Command, args: Args<'_>) -> bool {
        let tells = |command: Command| command.describe().kind == Kind::Write || command.publishes();
        let is_held = !pause.writers_only
            || match &self.client.queue {
                Some(queue) if command == Command::Exec => queue.has(tells),
                Some(_) | None => tells(command),
            };
        let ends_it = command == Command::Client && args.get(1).is_some_and(|part| fail::is(part, "UNPAUSE"))
            || command == Command::Health;
        self.now.monotonic_us < pause.until_us && is_held && !ends_it && !self.client.is_monitor
    }

    /// The request is executed once this is so, or the deadline is there, in monotonic microseconds.
    #[cold]
    fn stop(&mut self, until: Until, deadline_us: u64) -> Waits {
        let Events { sessions, id, .. } = &mut self.events;
        sessions.waiting.add(Waiter { id: *id, until, deadline_us, then: Then::Execute });
        Waits::ForGate(until.cause())
    }

    /// The request is executed again after so many microseconds.
    fn sleep(&mut self, us: u64) -> Executed {
        self.progress.has_slept = true;
        Executed::Stopped(self.stop(Until::Deadline, self.now.monotonic_us + us))
    }

    /// The request is executed, and answered once this is so, or the deadline is there, in monotonic microseconds.
    fn wait(&mut self, until: Until, deadline_us: u64, then: Then) -> Executed {
        let Events { sessions, id, .. } = &mut self.events;
        sessions.waiting.add(Waiter { id: *id, until, deadline_us, then });
        Executed::Waiting(until.cause())
    }

    /// What follows an answer: it waits for the disk, or is not wanted.
    fn settle(&mut self, start: u64, before: u64, executed: Executed) {
        let Context { data: Data { keys, out, progress, .. }, client, .. } = self;
        let position = keys.store().last_position();
        if let Executed::Waiting(_) = executed {
            return;
        }
        out.conclude(start);
        if position != before {
            client.written = position;
            keys.replica_mut().group_after(before);
        }
        // What a transaction has written before it saves is saved with it.
        let until = match progress.held_until {
            None if position != before && keys.replica().snapshotter().holds_answers() => Until::Durable(position),
            None => return,
            Some(until) => until,
        };
        progress.held_until = None;
        if out.mark() > start {
            self.hold(start, until);
        }
    }
}
