//! `CONFIG`: settings, read and changed while the node runs.

use super::fail::{Fail, SYNTAX, printable};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::node::glob::Pattern;
use crate::node::settings::{self, Change};
use crate::protocol::subcommand::Config;

pub(super) fn config(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Config::Get => get(cx, args),
        Config::Set if !args.len().is_multiple_of(2) => Err(SYNTAX),
        Config::Set => set(cx, args),
        Config::ResetStat => {
            cx.core.metrics.reset();
            cx.core.timing.reset();
            cx.answer(Reply::Ok)
        }
        Config::Rewrite => Err(Fail::said("ERR The server is running without a config file")),
        Config::Help => help(cx, Command::Config),
    }
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let patterns = args.from(2).map(|pattern| Pattern::parse(&pattern.to_ascii_lowercase()));
    let patterns = patterns.collect::<Result<Vec<Pattern>, _>>()?;
    let Context { core, session, .. } = cx;
    let mut found: Vec<(String, String)> = Vec::new();
    let all = core.all_settings();
    for (pattern, parsed) in args.from(2).zip(&patterns) {
        let is_name = !pattern.iter().any(|byte| b"[*?".contains(byte));
        for (name, value) in all.iter().filter(|(name, _)| parsed.matches(name.as_bytes())) {
            // As Redis does: a name comes back as it was written, and once.
            let shown = if is_name { text(pattern) } else { (*name).to_owned() };
            if !found.iter().any(|(other, _)| other.eq_ignore_ascii_case(&shown)) {
                found.push((shown, value.clone()));
            }
        }
    }
    session.answer(Reply::Map(found.len()));
    for (name, value) in found {
        session.answer(Reply::Value(name.as_bytes()));
        session.answer(Reply::Value(value.as_bytes()));
    }
    DONE
}

/// All is checked, names first, before anything is changed.
fn set(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let pairs = || args.from(2).step_by(2).zip(args.from(3).step_by(2));
    let mut names: Vec<String> = Vec::new();
    for (given, _) in pairs() {
        let name = text(given).to_lowercase();
        if !settings::is_known(&name) {
            let given = printable(given);
            return Err(format!("ERR Unknown option or number of arguments for CONFIG SET - '{given}'").into());
        }
        if let Some(why) = settings::locked(&name) {
            return Err(failed(&printable(given), why));
        }
        if names.contains(&name) {
            return Err(failed(&printable(given), "duplicate parameter"));
        }
        names.push(name);
    }
    let mut changes = Vec::new();
    for (name, (_, value)) in names.iter().zip(pairs()) {
        changes.push(Change::read(name, &text(value), &cx.core.options).map_err(|why| failed(name, &why))?);
    }
    changes.into_iter().for_each(|change| cx.core.change(change));
    cx.answer(Reply::Ok)
}

fn failed(name: &str, why: &str) -> Fail {
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}").into()
}

fn text(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).into_owned()
}
