//! What each request does: the one `match`.
//!
//! - `fail`: why not, in Redis' words
//! - `strings`, `numbers`, `extended`, `lcs`, `bits`, `bitfield`: values
//! - `keys`, `scanning`, `expiring`: keys
//! - `room`: whether memory allows a request
//! - `transactions`, `publishing`, `watching`: more than one request, more than one client
//! - `connection`, `users`, `clients`, `monitoring`: conversations
//! - `server`, `configuration`, `catalog`, `cluster`, `slowness`, `help`: the node

mod bitfield;
mod bits;
mod catalog;
mod clients;
mod cluster;
mod configuration;
mod connection;
mod expiring;
mod extended;
pub(super) mod fail;
mod help;
mod keys;
mod lcs;
mod monitoring;
mod numbers;
mod publishing;
mod room;
mod scanning;
mod server;
mod slowness;
mod strings;
mod subcommands;
mod transactions;
mod users;
mod watching;

pub(super) use connection::REDIS_VERSION;
use fail::{Fail, unknown, wrong_arity};
pub(super) use scanning::Walk;

use super::expiring::STEP;
use super::listening::Names;
use super::session::{Session, Waits};
use super::sessions::Sessions;
use super::steps::COPIED_PER_STEP;
use super::timing::Begun;
use super::waiting::{Cause, Pause, Then, Until, Waiter};
use super::{Core, Now, SessionId};
use crate::metrics::calls::Took;
use crate::protocol::command::Kind;
use crate::protocol::{Args, Command, Refusal, Reply, Request, line};
use crate::replication::Audience;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It is answered.
    Answered,
    /// It is answered, and was the last one that the turn had steps for.
    Exhausted,
    /// It is answered, and the conversation ends.
    Ended,
    /// It is to be executed again when what it waits for is there.
    Stopped(Waits),
    /// It is executed, and its answer comes when its gate opens.
    Waiting(Cause),
}

/// What a request works on.
pub(super) struct Context<'a> {
    pub(super) core: &'a mut Core,
    /// All other sessions.
    pub(super) sessions: &'a mut Sessions,
    pub(super) id: SessionId,
    pub(super) session: &'a mut Session,
    pub(super) now: Now,
}

type Outcome = Result<Executed, Fail>;
const DONE: Outcome = Ok(Executed::Answered);

/// Executes a request and answers it.
pub(super) fn run(cx: Context<'_>, request: Request<'_>) -> Executed {
    let mut cx = cx;
    let args = request.args;
    cx.session.command = request.command;
    let start = cx.session.mark();
    let before = cx.core.store.last_position();
    let executed = match admit(&mut cx, request) {
        Ok(Admitted::Run(command)) => timed(&mut cx, command, args),
        Ok(Admitted::Queued) => cx.answer(Reply::Simple("QUEUED")),
        Ok(Admitted::Stopped(waits)) => Ok(Executed::Stopped(waits)),
        Err(fail) => {
            cx.note_rejected(args);
            Err(fail)
        }
    };
    let executed = executed.unwrap_or_else(|fail| {
        cx.core.metrics.note_error(fail.code());
        cx.session.answer_instead(start, fail.reply());
        Executed::Answered
    });
    if let Executed::Stopped(_) = executed {
        return executed;
    }
    cx.settle(start, before, executed);
    executed
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
        Some(command) => subcommands::check(cx.session, command, request.args)
            .and_then(|()| connection::allow_data(cx.session, command, request.args))
            .map(|()| command),
    };
    let command = match (checked, &mut cx.session.queue) {
        (Ok(command), _) => command,
        (Err(fail), _) if request.command == Some(Command::Exec) => {
            transactions::abandon(cx.session);
            return Err(fail.that_aborts());
        }
        (Err(fail), None) => return Err(fail),
        (Err(fail), Some(queue)) => {
            queue.is_spoilt = true;
            return Err(fail);
        }
    };
    if cx.core.may_be_over_limit || cx.session.queue.is_some() {
        let allowed = if cx.session.queue.is_some() { transactions::allow(command) } else { Ok(()) };
        let checked = allowed.and_then(|()| room::check(cx, command, request.args));
        checked.map_err(|fail| transactions::spoil(cx.session, command, fail))?;
    }
    if !cx.session.dialect().has_pushes() && cx.session.is_listening() {
        publishing::allow_listener(command, request.args)
            .map_err(|fail| transactions::spoil(cx.session, command, fail))?;
    }
    if cx.session.is_monitor {
        monitoring::allow_monitor(command).map_err(|fail| transactions::spoil(cx.session, command, fail))?;
    }
    if let Some(pause) = cx.core.pause
        && cx.is_paused(pause, command, request.args)
    {
        return Ok(Admitted::Stopped(cx.stop(Until::Unpaused, pause.until_us)));
    }
    if let Some(queue) = &mut cx.session.queue
        && !transactions::is_immediate(command)
    {
        queue.push(command, request.args, cx.core.whole.as_ref());
        return Ok(Admitted::Queued);
    }
    let writes = match command {
        Command::Exec => cx.session.queue.as_ref().is_some_and(|queue| queue.writes()),
        other => other.describe().kind == Kind::Write,
    };
    if writes {
        let Core { saver, clock, store, metrics, .. } = &mut *cx.core;
        if saver.holds_writers(store) || (clock.is_spent() && !saver.is_failing()) {
            metrics.writer_stalls += 1;
            return Ok(Admitted::Stopped(cx.stop(Until::Writable, u64::MAX)));
        }
        if saver.is_failing() && (saver.holds_answers() || clock.is_spent()) {
            return Err(Fail::Refused(Refusal::NotDurable));
        }
    }
    Ok(Admitted::Run(command))
}

/// Executes a command and counts it, and times it where it can take long.
fn timed(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Outcome {
    let begun = cx.core.timing.begin(&cx.core.metrics.calls, command, args);
    if cx.core.may_hide {
        cx.expire_keys(command, args);
    }
    let outcome = execute(cx, command, args);
    if begun.is_none() && matches!(outcome, Ok(Executed::Answered)) {
        cx.core.metrics.calls.count(command);
    } else {
        note(cx, command, args, begun, &outcome);
    }
    if !cx.sessions.monitors.is_empty() && !matches!(outcome, Ok(Executed::Stopped(_))) {
        monitoring::tell(cx, command, args);
    }
    outcome
}

/// A call that is timed, or was not just answered, has made a step.
#[cold]
fn note(cx: &mut Context<'_>, command: Command, args: Args<'_>, begun: Option<Begun>, outcome: &Outcome) {
    let Core { timing, metrics, .. } = &mut *cx.core;
    let is_over = !matches!(outcome, Ok(Executed::Stopped(_)));
    let took = match begun {
        Some(begun) if begun.is_timed => Took::Exactly(timing.note(cx.session, command, args, begun, is_over, cx.now)),
        Some(begun) if command.is_plain() => Took::Sample(timing.since(begun)),
        Some(begun) => Took::Exactly(timing.since(begun)),
        None => Took::Unknown,
    };
    if is_over {
        metrics.calls.of(command, args).note(outcome.is_err(), took);
    }
}

fn execute(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Outcome {
    match command {
        Command::Get => strings::get(cx, args),
        Command::Set => strings::set(cx, args),
        Command::SetNx => strings::set_nx(cx, args),
        Command::SetEx => strings::set_ex(cx, args, 1000),
        Command::PSetEx => strings::set_ex(cx, args, 1),
        Command::GetSet => strings::get_set(cx, args),
        Command::GetDel => strings::get_del(cx, args),
        Command::GetEx => strings::get_ex(cx, args),
        Command::MGet => strings::mget(cx, args),
        Command::MSet => strings::mset(cx, args),
        Command::MSetNx => strings::mset_nx(cx, args),
        Command::Append => strings::append(cx, args),
        Command::StrLen => strings::str_len(cx, args),
        Command::GetRange | Command::SubStr => strings::get_range(cx, args),
        Command::SetRange => strings::set_range(cx, args),
        Command::Incr => numbers::add(cx, args, 1),
        Command::Decr => numbers::add(cx, args, -1),
        Command::IncrBy => numbers::incr_by(cx, args),
        Command::DecrBy => numbers::decr_by(cx, args),
        Command::IncrByFloat => numbers::incr_by_float(cx, args),
        Command::Lcs => lcs::lcs(cx, args),

        Command::Del | Command::Unlink => keys::del(cx, args),
        Command::Delete => keys::delete(cx, args),
        Command::Exists | Command::Touch => keys::exists(cx, args),
        Command::Type => keys::type_of(cx, args),
        Command::Rename => keys::rename(cx, args, false),
        Command::RenameNx => keys::rename(cx, args, true),
        Command::Copy => keys::copy(cx, args),
        Command::RandomKey => keys::random_key(cx),
        Command::DbSize => keys::db_size(cx),
        Command::Object => keys::object(cx, args),
        Command::FlushDb | Command::FlushAll => keys::flush(cx, args),
        Command::Keys => scanning::keys(cx, args),
        Command::Scan => scanning::scan(cx, args),
        Command::Expire => expiring::expire(cx, args, 1000, true),
        Command::PExpire => expiring::expire(cx, args, 1, true),
        Command::ExpireAt => expiring::expire(cx, args, 1000, false),
        Command::PExpireAt => expiring::expire(cx, args, 1, false),
        Command::Ttl => expiring::ttl(cx, args, 1000, true),
        Command::PTtl => expiring::ttl(cx, args, 1, true),
        Command::ExpireTime => expiring::ttl(cx, args, 1000, false),
        Command::PExpireTime => expiring::ttl(cx, args, 1, false),
        Command::Persist => expiring::persist(cx, args),

        Command::SetBit => bits::set_bit(cx, args),
        Command::GetBit => bits::get_bit(cx, args),
        Command::BitCount => bits::bit_count(cx, args),
        Command::BitPos => bits::bit_pos(cx, args),
        Command::BitOp => bits::bit_op(cx, args),
        Command::BitField => bitfield::bitfield(cx, args, false),
        Command::BitFieldRo => bitfield::bitfield(cx, args, true),

        Command::Ping => connection::ping(cx, args),
        Command::WatchPrefix => watching::watch(cx, args),
        Command::UnwatchPrefix => watching::unwatch(cx),
        Command::Echo => cx.answer(Reply::Value(args.at(1))),
        Command::Help => cx.answer(Reply::Text(line::HELP)),
        Command::Select => connection::select(cx, args),
        Command::Hello => connection::hello(cx, args),
        Command::Auth => users::auth(cx, args),
        Command::Quit => {
            cx.session.answer(Reply::Ok);
            Ok(Executed::Ended)
        }
        Command::Reset => connection::reset(cx),
        Command::Client => clients::client(cx, args),

        Command::Multi => transactions::multi(cx),
        Command::Exec => transactions::exec(cx),
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
        Command::Function => server::function(cx, args),
        Command::Acl => users::acl(cx, args),
        Command::Module => catalog::module(cx, args),
        Command::Role => cluster::role(cx),
        Command::Cluster | Command::Asking | Command::ReadOnly | Command::ReadWrite => cluster::refuse(),
    }
}

impl Context<'_> {
    /// Answers with one reply, and is done.
    fn answer(&mut self, reply: Reply<'_>) -> Outcome {
        self.session.answer(reply);
        DONE
    }

    /// It is answered, and has made a value of so many bytes anew.
    fn done_after_copying(&mut self, bytes: usize) -> Outcome {
        self.done_after(bytes / COPIED_PER_STEP)
    }

    /// It is answered, and took so many steps of the turn.
    fn done_after(&mut self, steps: usize) -> Outcome {
        self.core.steps.spend(steps);
        Ok(if self.core.steps.are_spent() { Executed::Exhausted } else { Executed::Answered })
    }

    /// The value of a key, and the count of hits and misses.
    fn look_up(&mut self, key: &[u8]) -> Option<&[u8]> {
        let Core { store, metrics, .. } = &mut *self.core;
        let found = store.get(key);
        match found {
            Some(_) => metrics.hits += 1,
            None => metrics.misses += 1,
        }
        found
    }

    /// A request was refused before it ran. What nobody knows is nobody's call.
    #[cold]
    fn note_rejected(&mut self, args: Args<'_>) {
        if let Some(command) = self.session.command {
            self.core.metrics.calls.of(command, args).rejected += 1;
        }
    }

    /// Whether this command is paused: with writers those are that publish. A monitor never is, and somebody has to be
    /// able to end the pause.
    #[cold]
    fn is_paused(&self, pause: Pause, command: Command, args: Args<'_>) -> bool {
        let tells = |command: Command| command.describe().kind == Kind::Write || command.publishes();
        let is_held = !pause.writers_only
            || match &self.session.queue {
                Some(queue) if command == Command::Exec => queue.has(tells),
                Some(_) | None => tells(command),
            };
        let ends_it = command == Command::Client && args.get(1).is_some_and(|part| fail::is(part, "UNPAUSE"));
        self.now.monotonic_us < pause.until_us && is_held && !ends_it && !self.session.is_monitor
    }

    /// The request is executed once this is so, or the deadline is there, in monotonic microseconds.
    #[cold]
    fn stop(&mut self, until: Until, deadline_us: u64) -> Waits {
        self.sessions.waiting.add(Waiter { id: self.id, until, deadline_us, then: Then::Execute });
        Waits::ForGate(until.cause())
    }

    /// The request is executed again after so many microseconds.
    fn sleep(&mut self, us: u64) -> Executed {
        self.session.has_slept = true;
        Executed::Stopped(self.stop(Until::Deadline, self.now.monotonic_us + us))
    }

    /// The request is executed, and answered once this is so, or the deadline is there, in monotonic microseconds.
    fn wait(&mut self, until: Until, deadline_us: u64, then: Then) -> Executed {
        self.sessions.waiting.add(Waiter { id: self.id, until, deadline_us, then });
        Executed::Waiting(until.cause())
    }

    /// Turns those keys of a request into deletions that have expired; where it goes through all keys, some of them.
    #[cold]
    fn expire_keys(&mut self, command: Command, args: Args<'_>) {
        let Core { store, saver, .. } = &*self.core;
        if saver.holds_writers(store) || !store.has_expired() {
            return;
        }
        let mut expired: Vec<Vec<u8>> = Vec::new();
        if command == Command::Scan {
            self.core.store.expire(STEP, |key| expired.push(key.to_vec()));
        }
        expired.extend(command.keys(args).filter(|key| self.core.store.expire_key(key)).map(<[u8]>::to_vec));
        self.core.metrics.keys_expired += expired.len() as u64;
        expired.iter().for_each(|key| self.notify('x', "expired", key));
    }

    /// What follows an answer: it waits for the disk, or is not wanted.
    fn settle(&mut self, start: u64, before: u64, executed: Executed) {
        let Context { core, sessions, session, id, .. } = self;
        let position = core.store.last_position();
        if let Executed::Waiting(_) = executed {
            return;
        }
        session.conclude(start);
        if position != before {
            session.written = position;
            if position > before + 1 {
                core.store.together(before + 1, position);
            }
        }
        // What a transaction has written before it saves is saved with it.
        let until = match session.held_until {
            None if position != before && core.saver.holds_answers() => Until::Durable(position),
            None => return,
            Some(until) => until,
        };
        session.held_until = None;
        if session.mark() > start {
            session.hold(start, until);
            if session.gated.insert(until.cause()) {
                sessions.waiting.add(Waiter::answers(*id, until));
            }
        }
    }
}
