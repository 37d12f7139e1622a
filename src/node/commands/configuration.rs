//! `CONFIG`: settings, read and changed while the node runs.

use super::fail::{Fail, is, unknown_part, wrong_arity_of};
use super::keys::help;
use super::{Args, Context, DONE, Outcome, Reply};
use crate::node::glob;
use crate::node::notifications::Notifications;

pub(super) fn config(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let part = args.at(1);
    match part {
        _ if is(part, "GET") && args.len() >= 3 => get(cx, args),
        _ if is(part, "SET") && args.len() >= 4 && args.len().is_multiple_of(2) => set(cx, args),
        _ if is(part, "RESETSTAT") && args.len() == 2 => {
            cx.core.metrics.reset();
            cx.core.timing.reset();
            cx.answer(Reply::Ok)
        }
        _ if is(part, "REWRITE") && args.len() == 2 => {
            Err(Fail::said("ERR The server is running without a config file"))
        }
        _ if is(part, "HELP") => help(cx, &["CONFIG GET <pattern> ... | SET <name> <value> ... | RESETSTAT"]),
        _ if ["GET", "SET", "RESETSTAT", "REWRITE"].iter().any(|word| is(part, word)) => {
            Err(wrong_arity_of("config", part))
        }
        _ => Err(unknown_part("config", part)),
    }
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Context { core, session, .. } = cx;
    let own = [
        ("id", core.clock.node().to_string()),
        ("durability", core.options.durability.to_string()),
        ("latency-monitor-threshold", core.timing.latency.threshold_ms.to_string()),
        ("latency-tracking", if core.timing.tracks_all { "yes" } else { "no" }.to_owned()),
        ("max-value-bytes", core.options.value_bytes_max.to_string()),
        ("maxclients", core.options.clients_max.to_string()),
        ("maxmemory", core.options.memory_bytes_max.to_string()),
        ("notify-keyspace-events", core.notifications.text()),
        ("proto-max-bulk-len", core.options.value_bytes_max.to_string()),
        ("slowlog-log-slower-than", core.timing.slow_log.threshold_us.to_string()),
        ("slowlog-max-len", core.timing.slow_log.entries_max.to_string()),
        ("snapshot-interval-ms", core.options.snapshot_interval_ms.to_string()),
        ("timeout", core.options.idle_timeout_s.to_string()),
    ];
    let all = own.iter().map(|(name, value)| (*name, value.as_str())).chain(core.settings.all());
    let wanted = |name: &str| args.from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()));
    let found: Vec<_> = all.filter(|(name, _)| wanted(name)).collect();
    session.answer(Reply::Map(found.len()));
    for (name, value) in found {
        session.answer(Reply::Value(name.as_bytes()));
        session.answer(Reply::Value(value.as_bytes()));
    }
    DONE
}

fn set(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let text = |arg: &[u8]| String::from_utf8_lossy(arg).into_owned();
    for (name, value) in args.from(2).step_by(2).zip(args.from(3).step_by(2)) {
        let (name, value) = (text(name).to_lowercase(), text(value));
        let fail =
            |why: &str| Fail::from(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"));
        let from = |least: i64| match value.parse::<i64>() {
            Err(_) => Err(fail("argument couldn't be parsed into an integer")),
            Ok(number) if number < least => {
                Err(fail(&format!("argument must be between {least} and {} inclusive", i64::MAX)))
            }
            Ok(number) => Ok(number),
        };
        let number = || value.parse::<usize>().map_err(|_| fail("argument couldn't be parsed into an integer"));
        let bytes = || crate::node::parse_bytes(&value).ok_or_else(|| fail("argument must be a memory value"));
        match name.as_str() {
            "notify-keyspace-events" => {
                let parsed = Notifications::parse(&value);
                cx.core.notifications =
                    parsed.ok_or_else(|| fail("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))?;
            }
            "maxmemory" => {
                cx.core.options.memory_bytes_max = bytes()? as usize;
                cx.core.store.limit_bytes(cx.core.options.memory_bytes_max);
            }
            "maxclients" => cx.core.options.clients_max = number()?.max(1),
            "timeout" => cx.core.options.idle_timeout_s = number()? as u64,
            "latency-monitor-threshold" => cx.core.timing.latency.threshold_ms = from(0)? as u64,
            "latency-tracking" => {
                cx.core.timing.tracks_all = match value.as_str() {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(fail("argument must be 'yes' or 'no'")),
                };
            }
            "slowlog-log-slower-than" => cx.core.timing.slow_log.threshold_us = from(-1)?,
            "slowlog-max-len" => cx.core.timing.slow_log.entries_max = from(0)? as usize,
            "id" | "durability" | "max-value-bytes" | "proto-max-bulk-len" | "snapshot-interval-ms" => {
                return Err(fail("can't set immutable config"));
            }
            _ if cx.core.settings.set(&name, &value) => (),
            _ => {
                return Err(format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'").into());
            }
        }
    }
    cx.answer(Reply::Ok)
}
