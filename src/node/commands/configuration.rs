//! `CONFIG`: settings, read and changed while the node runs.

use super::fail::{Fail, SYNTAX, printable};
use super::help::help;
use super::{Args, Command, Context, DONE, Executed, Outcome, Reply, subcommands, users};
use crate::node::encryption::ClientAuth;
use crate::node::foreign::{ALIASES, FOREIGN, Foreign};
use crate::node::settings::{self, Change, OWN};
use crate::node::waiting::Until;
use crate::protocol::glob::Pattern;
use crate::protocol::subcommand::Config;

pub(super) fn config(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Config::Get => get(cx, args),
        Config::Set if !args.len().is_multiple_of(2) => Err(SYNTAX),
        Config::Set => set(cx, args),
        Config::ResetStat => {
            cx.metrics.reset();
            cx.timing.reset();
            cx.answer(Reply::Ok)
        }
        Config::Rewrite => Err(Fail::said("ERR The server is running without a config file")),
        Config::Help => help(cx, Command::Config),
    }
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let patterns = args.from(2).map(|pattern| Pattern::parse(&pattern.to_ascii_lowercase()));
    let patterns = patterns.collect::<Result<Vec<Pattern>, _>>()?;
    let mut found: Vec<(String, String)> = Vec::new();
    let all = cx.all_settings();
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
    cx.out.answer(Reply::Map(found.len()));
    for (name, value) in found {
        cx.out.answer(Reply::Value(name.as_bytes()));
        cx.out.answer(Reply::Value(value.as_bytes()));
    }
    DONE
}

/// All is checked, names first, before anything is changed.
fn set(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if let Some(generation) = cx.progress.renewal.take() {
        return match cx.settings.renewals.take_outcome(generation) {
            Some(Ok(())) => cx.answer(Reply::Ok),
            Some(Err(why)) => Err(failed("tls-cert-file", &why)),
            None => Err(failed("tls-cert-file", "nobody knows what came of it")),
        };
    }
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
        let change = match name.as_str() {
            // Any bytes are a password.
            "requirepass" => Ok(Change::password(value)),
            _ => Change::read(name, &text(value), &cx.settings.options),
        };
        changes.push(change.map_err(|why| failed(name, &why))?);
    }
    if changes.iter().any(|change| matches!(change, Change::Tls(_))) {
        return renew(cx, changes);
    }
    changes.into_iter().for_each(|change| cx.change(change));
    cx.answer(Reply::Ok)
}

/// Certificates are read while others are served, and the answer comes when they are in use, or why they are not. So
/// nothing else may be changed with them.
fn renew(cx: &mut Context<'_>, changes: Vec<Change>) -> Outcome {
    const ALONE: &str = "settings of TLS are changed together, but neither with others nor within a transaction";
    let is_executing = cx.progress.is_executing;
    let tls = changes.into_iter().map(|change| match change {
        Change::Tls(change) if !is_executing => Some(change),
        _ => None,
    });
    let tls = tls.collect::<Option<Vec<_>>>().ok_or_else(|| failed("tls-cert-file", ALONE))?;
    let Some(mut wanted) = cx.settings.options.tls.clone() else { return cx.answer(Reply::Ok) };
    tls.into_iter().for_each(|change| change.apply(&mut wanted));
    if wanted.client_auth != ClientAuth::No && wanted.files.client_ca.is_empty() {
        return Err(failed("tls-auth-clients", "without tls-ca-cert-file no certificate of a client would hold"));
    }
    let generation = cx.settings.renewals.want(wanted);
    cx.progress.renewal = Some(generation);
    Ok(Executed::Stopped(cx.stop(Until::Renewed(generation), u64::MAX)))
}

fn failed(name: &str, why: &str) -> Fail {
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}").into()
}

fn text(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).into_owned()
}

impl Context<'_> {
    /// Does what was found to be right.
    fn change(&mut self, change: Change) {
        match change {
            Change::Notifications(notifications) => self.events.channels.notifications = notifications,
            Change::MemoryMax(bytes) => {
                self.settings.options.memory_bytes_max = bytes;
                self.keys.limit_bytes(bytes);
            }
            Change::ClientsMax(clients) => self.settings.options.clients_max = clients,
            Change::IdleTimeout(seconds) => self.settings.options.idle_timeout_s = seconds,
            Change::LatencyThreshold(ms) => self.timing.latency.threshold_ms = ms,
            Change::LatencyTracking(all) => self.timing.tracks_all = all,
            Change::LogLevel(level) => {
                self.settings.options.process.log_level = level;
                self.settings.log.set_level(level);
            }
            Change::Password(password) => {
                self.settings.options.password = password;
                self.users.require(password);
                let _stays = users::changed(self);
            }
            Change::ProtectedMode(on) => self.settings.options.protected_mode = on,
            Change::ScriptMemory(bytes) => self.settings.options.scripts.memory_bytes = bytes,
            Change::ScriptTime(ms) => self.settings.options.scripts.time_ms = ms,
            Change::SlowLogThreshold(us) => self.timing.slow_log.threshold_us = us,
            Change::DenialEntries(entries) => self.accounts.log.entries_max = entries,
            Change::SlowLogEntries(entries) => self.timing.slow_log.entries_max = entries,
            Change::Foreign(name, value) => drop(self.settings.set.insert(name, value)),
            // These come into use when their files were read.
            Change::Tls(_) => (),
        }
    }

    /// All settings, each with its value, under the names that they have today.
    pub(in crate::node) fn present_settings(&self) -> impl Iterator<Item = (&'static str, String)> {
        let own = OWN.into_iter().map(|name| (name, self.own_setting(name)));
        own.chain(FOREIGN.iter().map(|foreign| (foreign.name, self.settings.foreign(foreign))))
    }

    /// The same, and older names after the others.
    fn all_settings(&self) -> Vec<(&'static str, String)> {
        let aliases = ALIASES.into_iter().filter_map(|(alias, name)| {
            let foreign = Foreign::named(name)?;
            Some((alias, self.settings.foreign(foreign)))
        });
        self.present_settings().chain(aliases).collect()
    }

    fn own_setting(&self, name: &str) -> String {
        let (options, timing) = (&self.settings.options, &self.timing);
        settings::in_options(name, options).unwrap_or_else(|| match name {
            "acllog-max-len" => self.accounts.log.entries_max.to_string(),
            "id" => self.keys.replica().clock().node().to_string(),
            "latency-monitor-threshold" => timing.latency.threshold_ms.to_string(),
            "latency-tracking" => if timing.tracks_all { "yes" } else { "no" }.to_owned(),
            "notify-keyspace-events" => self.events.channels.notifications.text(),
            "requirepass" => users::shown_password(self.users).to_owned(),
            "slowlog-log-slower-than" => timing.slow_log.threshold_us.to_string(),
            "slowlog-max-len" => timing.slow_log.entries_max.to_string(),
            _ => unreachable!("{name} is none of OWN"),
        })
    }
}
