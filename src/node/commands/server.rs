//! The node itself: its state, its disk, its end.

use super::connection::REDIS_VERSION;
use super::fail::{Fail, SYNTAX, integer, is, printable, unknown_or_arity};
use super::help::help;
use super::keys::encoding;
use super::{Args, Command, Context, DONE, Executed, Outcome, Reply, subcommands};
use crate::node::info;
use crate::node::statistics::Sources;
use crate::node::waiting::{Copies, Then, Until};
use crate::protocol::subcommand::{Function, Memory};

/// What a key costs beside its entry, roughly, for `MEMORY USAGE`.
const KEY_OVERHEAD_BYTES: usize = 32;

pub(super) fn info(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let sources = Sources::new(cx);
    let text = if cx.out.dialect().follows_redis() {
        let sections: Vec<String> =
            args.from(1).map(|section| String::from_utf8_lossy(section).to_lowercase()).collect();
        info::sections(&sources, &sections)
    } else {
        info::lines(&sources)
    };
    cx.answer(Reply::Text(&text))
}

pub(super) fn time(cx: &mut Context<'_>) -> Outcome {
    let (s, us) = (cx.now.unix_ms / 1000, cx.now.unix_ms % 1000 * 1000);
    cx.out.answer(Reply::Array(2));
    cx.out.answer(Reply::Value(s.to_string().as_bytes()));
    cx.answer(Reply::Value(us.to_string().as_bytes()))
}

pub(super) fn last_save(cx: &mut Context<'_>) -> Outcome {
    let unix_s = cx.keys.replica().snapshotter().saved_unix_ms() / 1000;
    cx.answer(Reply::Int(unix_s as i64))
}

/// `SAVE` answers once the rows of the data file hold all that was written before, `BGSAVE` at once.
pub(super) fn save(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Outcome {
    match args.get(1) {
        Some(option) if !is(option, "SCHEDULE") || args.len() > 2 => return Err(SYNTAX),
        Some(_) | None => (),
    }
    let snapshot = cx.keys.replica_mut().back_up();
    if command == Command::BgSave {
        return cx.answer(Reply::Simple("Background saving started"));
    }
    cx.progress.held_until = Some(Until::Merged(snapshot));
    cx.answer(Reply::Ok)
}

pub(super) fn debug(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let part = args.at(1);
    match part {
        _ if is(part, "SLEEP") && args.len() == 3 => {
            // The loop never sleeps: this client's answer waits, and nobody else.
            let us = sleep_us(args).ok_or(super::fail::NOT_FLOAT)?;
            if std::mem::take(&mut cx.progress.has_slept) {
                return cx.answer(Reply::Ok);
            }
            // To its client it is a command that takes that long.
            cx.progress.spent_us = us;
            // A transaction has slept before it began.
            if us == 0 || cx.progress.is_executing { cx.answer(Reply::Ok) } else { Ok(cx.sleep(us)) }
        }
        _ if is(part, "SET-ACTIVE-EXPIRE") && args.len() == 3 => {
            cx.keys.replica_mut().expire_actively(integer(args.at(2))? != 0);
            cx.answer(Reply::Ok)
        }
        _ if is(part, "ERROR") && args.len() == 3 => {
            Err(String::from_utf8_lossy(args.at(2)).replace(['\r', '\n'], " ").into())
        }
        _ if is(part, "OBJECT") && args.len() == 3 => {
            let Some(value) = cx.keys.get(args.at(2)) else { return Err(super::fail::NO_SUCH_KEY) };
            let encoding = encoding(value, cx.keys.form(args.at(2)));
            let (place, len) = (value.as_ptr(), value.len());
            let text = format!("Value at:{place:p} refcount:1 encoding:{encoding} serializedlength:{len}");
            cx.answer(Reply::Simple(&text))
        }
        _ if is(part, "HELP") => help(cx, Command::Debug),
        _ => Err(unknown_or_arity("DEBUG", part)),
    }
}

/// How long `DEBUG SLEEP` sleeps.
pub(super) fn sleep_us(args: Args<'_>) -> Option<u64> {
    let seconds = std::str::from_utf8(args.get(2)?).ok()?.parse::<f64>().ok()?;
    (0.0..1e6).contains(&seconds).then_some((seconds * 1e6) as u64)
}

pub(super) fn memory(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Memory::Usage => {
            let mut rest = args.from(3);
            while let Some(option) = rest.next() {
                let samples = rest.next().filter(|_| is(option, "SAMPLES")).ok_or(SYNTAX)?;
                if integer(samples)? < 0 {
                    return Err(SYNTAX);
                }
            }
            let key = args.at(2);
            let Some(value) = cx.keys.get(key) else { return cx.answer(Reply::Nil) };
            let bytes =
                crate::store::memory_bytes(key.len(), value.len(), cx.keys.expiry(key).is_some()) + KEY_OVERHEAD_BYTES;
            cx.answer(Reply::Int(bytes as i64))
        }
        Memory::Stats => {
            let store = cx.keys.store();
            let keys = store.keys().max(1);
            let pairs = [
                ("peak.allocated", store.bytes()),
                ("total.allocated", store.bytes()),
                ("clients.normal", cx.events.sessions.bytes_max),
                ("keys.count", store.keys()),
                ("keys.bytes-per-key", store.bytes() / keys),
                ("dataset.bytes", store.bytes()),
                ("change.list", store.change_list_bytes()),
                ("followers", cx.keys.replica().replication().bytes()),
            ];
            cx.out.answer(Reply::Map(pairs.len()));
            for (name, number) in pairs {
                cx.out.answer(Reply::Value(name.as_bytes()));
                cx.out.answer(Reply::Int(number as i64));
            }
            DONE
        }
        Memory::Doctor => cx.answer(Reply::Text("Memory is counted per key; see memory_bytes in INFO.\n")),
        Memory::Purge => cx.answer(Reply::Ok),
        Memory::Help => help(cx, Command::Memory),
    }
}

/// Answers once so many peers have the client's writes on disk, or time is over.
pub(super) fn wait(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Less than none is none.
    let peers = integer(args.at(1))?.max(0) as usize;
    let ms = timeout_ms(args.at(2))?;
    wait_for_copies(cx, Until::copied(false, peers, cx.client.written), ms, Then::TellPeers)
}

/// Answers once this node, where that is asked for, and so many peers have the client's writes on disk, or time is over.
pub(super) fn wait_aof(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let here = match integer(args.at(1))? {
        here @ 0..=1 => here == 1,
        _ => return Err(Fail::said("ERR value is out of range, must be between 0 and 1")),
    };
    let peers = integer(args.at(2))?;
    let peers = usize::try_from(peers).map_err(|_| Fail::said("ERR value is out of range, must be positive"))?;
    let ms = timeout_ms(args.at(3))?;
    wait_for_copies(cx, Until::copied(here, peers, cx.client.written), ms, Then::TellAll)
}

fn wait_for_copies(cx: &mut Context<'_>, until: Until, ms: u64, tell: fn(Copies) -> Then) -> Outcome {
    let copies = cx.keys.copies(cx.client.written);
    // Redis takes no time at all as no limit.
    let is_patient = ms > 0 || cx.out.dialect().follows_redis();
    if !until.is_with_copies(copies) && is_patient && !cx.progress.is_executing {
        let us = if ms == 0 { u64::MAX } else { ms.saturating_mul(1000) };
        return Ok(cx.wait(until, cx.now.monotonic_us.saturating_add(us), tell(copies)));
    }
    if let Then::TellAll(_) = tell(copies) {
        cx.out.answer(Reply::Array(2));
        cx.out.answer(Reply::Int(copies.here.into()));
    }
    cx.answer(Reply::Int(copies.peers as i64))
}

fn timeout_ms(arg: &[u8]) -> Result<u64, Fail> {
    match integer(arg) {
        Ok(ms) => u64::try_from(ms).map_err(|_| Fail::said("ERR timeout is negative")),
        Err(_) => Err(Fail::said("ERR timeout is not an integer or out of range")),
    }
}

pub(super) fn shutdown(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let known = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];
    if args.from(1).any(|option| !known.iter().any(|word| is(option, word))) {
        return Err(SYNTAX);
    }
    if args.get(1).is_some_and(|option| is(option, "ABORT")) {
        return Err(Fail::said("ERR No shutdown in progress."));
    }
    // As SIGTERM does: all is saved, whatever was asked.
    *cx.is_shutting_down = true;
    Ok(Executed::Ended)
}

pub(super) fn lolwut(cx: &mut Context<'_>) -> Outcome {
    let text = format!("kvstoreapp {} (as Redis ver. {REDIS_VERSION})\n", env!("CARGO_PKG_VERSION"));
    cx.answer(Reply::Text(&text))
}

pub(super) fn function(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Function::Flush if args.len() > 3 => Err(unknown_or_arity("FUNCTION", args.at(1))),
        Function::Flush => match args.get(2) {
            Some(mode) if !is(mode, "SYNC") && !is(mode, "ASYNC") => {
                Err(Fail::said("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"))
            }
            Some(_) | None => cx.answer(Reply::Ok),
        },
        Function::List => {
            let mut rest = args.from(2);
            while let Some(option) = rest.next() {
                match option {
                    _ if is(option, "WITHCODE") => (),
                    _ if is(option, "LIBRARYNAME") => {
                        rest.next().ok_or(Fail::said("ERR library name argument was not given"))?;
                    }
                    _ => return Err(format!("ERR Unknown argument {}", printable(option)).into()),
                }
            }
            cx.answer(Reply::Array(0))
        }
        Function::Help => help(cx, Command::Function),
    }
}
