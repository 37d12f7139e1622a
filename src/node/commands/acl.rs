//! `ACL`: users and their rules, shown and changed (<https://redis.io/docs/latest/commands/acl/>).

use super::catalog::{is_in, names};
use super::fail::{Fail, integer, is, printable, unknown_or_arity};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, Then, Until, subcommands, users};
use crate::auth::log::Entry;
use crate::auth::selector::Selector;
use crate::auth::table::Category;
use crate::auth::users::DEFAULT;
use crate::auth::words::{is_user_name, joined};
use crate::auth::{Denied, file};
use crate::node::UsersJob;
use crate::node::replies::Replies;
use crate::protocol::catalog::{CATEGORIES, Catalog};
use crate::protocol::hex;
use crate::protocol::subcommand::Acl;

/// Entries of `ACL LOG`, where nobody says how many.
const LOG_ENTRIES: usize = 10;
/// Bits of a password that is made, where nobody says how many, and at most.
const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: i64 = 4096;

pub(super) fn acl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Acl::WhoAmI => {
            let Context { data, client, users, .. } = cx;
            data.answer(Reply::Value(users.name(client.access.user())))
        }
        Acl::Users => {
            let Context { data, users, .. } = cx;
            data.out.answer(Reply::Array(users.iter().len()));
            users.iter().for_each(|(name, _)| data.out.answer(Reply::Value(name)));
            DONE
        }
        Acl::List => {
            let Context { data, users, .. } = cx;
            data.out.answer(Reply::Array(users.iter().len()));
            for (name, user) in users.iter() {
                data.out.answer(Reply::Value(&[b"user ", name, b" ", &user.rules()[..]].concat()));
            }
            DONE
        }
        Acl::GetUser => get_user(cx, args.at(2)),
        Acl::SetUser => set_user(cx, args),
        Acl::DelUser => del_user(cx, args),
        Acl::Cat => cat(cx, args),
        Acl::Log => log(cx, args),
        Acl::DryRun => dry_run(cx, args),
        Acl::GenPass => gen_pass(cx, args),
        Acl::Load => use_file(cx, UsersJob::Load),
        Acl::Save => {
            let text = file::render(cx.users.iter());
            use_file(cx, UsersJob::Save(text))
        }
        Acl::Help => help(cx, Command::Acl),
    }
}

fn get_user(cx: &mut Context<'_>, name: &[u8]) -> Outcome {
    let Context { data, users, .. } = cx;
    let Some(user) = users.named(name).map(|id| users.get(id)) else { return data.answer(Reply::Nil) };
    let out = &mut *data.out;
    out.answer(Reply::Map(6));
    out.answer(Reply::Value(b"flags"));
    out.answer(Reply::Set(user.flags().count()));
    user.flags().for_each(|flag| out.answer(Reply::Value(flag.as_bytes())));
    out.answer(Reply::Value(b"passwords"));
    out.answer(Reply::Array(user.passwords().len()));
    user.passwords().iter().for_each(|password| out.answer(Reply::Value(password.hex().as_bytes())));
    describe(user.root(), out);
    out.answer(Reply::Value(b"selectors"));
    out.answer(Reply::Array(user.others().len()));
    for selector in user.others() {
        out.answer(Reply::Map(3));
        describe(selector, out);
    }
    DONE
}

fn describe(selector: &Selector, out: &mut Replies) {
    let (commands, keys, channels) = (selector.commands(), selector.keys(), selector.channels());
    for (name, rules) in [("commands", commands.as_bytes()), ("keys", &keys), ("channels", &channels)] {
        out.answer(Reply::Value(name.as_bytes()));
        out.answer(Reply::Value(rules));
    }
}

fn cat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.from(2).collect::<Vec<_>>()[..] {
        [] => {
            cx.out.answer(Reply::Array(CATEGORIES.len()));
            CATEGORIES.iter().for_each(|category| cx.out.answer(Reply::Value(category.as_bytes())));
            DONE
        }
        [category] if Category::named(category).is_some() => {
            let catalog = Catalog::read();
            names(cx, catalog.all().filter(|entry| is_in(entry, category)))
        }
        [category] => Err(format!("ERR Unknown category '{}'", printable(category)).into()),
        _ => Err(unknown_or_arity("ACL", args.at(1))),
    }
}

/// All rules are followed, or none.
fn set_user(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = args.at(2);
    if !is_user_name(name) {
        // Redis takes the empty name, and does not start with the file that it writes then.
        let why = if name.is_empty() { "can't be empty" } else { "can't contain spaces or null characters" };
        return Err(format!("ERR Usernames {why}").into());
    }
    let rules: Vec<&[u8]> = args.from(3).collect();
    let rules = joined(&rules).map_err(|begin| {
        let begin = printable(begin);
        Fail::from(format!("ERR Unmatched parenthesis in acl selector starting at '{begin}'."))
    })?;
    let user = cx.users.changed(name, rules.iter().map(Vec::as_slice)).map_err(|(rule, why)| {
        let rule = printable(rule);
        Fail::from(format!("ERR Error in ACL SETUSER modifier '{rule}': {why}"))
    })?;
    cx.users.put(name, user);
    cx.answer(Reply::Ok)?;
    Ok(users::changed(cx))
}

fn del_user(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.from(2).any(|name| name == DEFAULT) {
        return Err(Fail::said("ERR The 'default' user cannot be removed"));
    }
    let deleted = args.from(2).filter(|name| cx.users.remove(name).is_some()).count();
    cx.answer(Reply::Int(deleted as i64))?;
    Ok(users::changed(cx))
}

fn log(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Context { data, accounts, .. } = cx;
    let count = match args.get(2) {
        _ if args.len() > 3 => return Err(unknown_or_arity("ACL", args.at(1))),
        None => LOG_ENTRIES,
        Some(word) if is(word, "RESET") => {
            accounts.log.clear();
            return data.answer(Reply::Ok);
        }
        Some(count) => integer(count)?.max(0) as usize,
    };
    let out = &mut *data.out;
    out.answer(Reply::Array(count.min(accounts.log.entries().len())));
    for entry in accounts.log.entries().take(count) {
        let Entry { last, count, number, created_ms, updated_ms } = entry;
        let context = if last.is_in_transaction { "multi" } else { "toplevel" };
        let age_s = data.now.unix_ms.saturating_sub(*updated_ms) as f64 / 1_000.0;
        let age_s = age_s.to_string();
        let fields = [
            ("count", Reply::Int(*count as i64)),
            ("reason", Reply::Value(last.reason.name().as_bytes())),
            ("context", Reply::Value(context.as_bytes())),
            ("object", Reply::Value(&last.object)),
            ("username", Reply::Value(&last.user)),
            ("age-seconds", Reply::Double(&age_s)),
            ("client-info", Reply::Value(last.client.as_bytes())),
            ("entry-id", Reply::Int(*number as i64)),
            ("timestamp-created", Reply::Int(*created_ms as i64)),
            ("timestamp-last-updated", Reply::Int(*updated_ms as i64)),
        ];
        out.answer(Reply::Map(fields.len()));
        for (name, value) in fields {
            out.answer(Reply::Value(name.as_bytes()));
            out.answer(value);
        }
    }
    DONE
}

/// Whether a user could run a request: it is not run.
fn dry_run(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(user) = cx.users.named(args.at(2)) else {
        return Err(format!("ERR User '{}' not found", printable(args.at(2))).into());
    };
    let request = args.rest(3);
    let named = Command::named(request.at(0)).filter(|command| {
        let has_part = |part: &[u8]| command.subcommands().iter().any(|(known, _)| is(part, known));
        command.subcommands().is_empty() || request.get(1).is_none_or(has_part)
    });
    let Some(command) = named else {
        return Err(format!("ERR Command '{}' not found", printable(request.at(0))).into());
    };
    if !subcommands::takes(command, request) {
        let name = subcommands::full_name(command, request);
        return Err(format!("ERR wrong number of arguments for '{name}' command").into());
    }
    let Err(denied) = cx.users.check(user, command, request) else { return cx.answer(Reply::Ok) };
    let shown = |at: usize| printable(request.at(at));
    let user = printable(cx.users.name(user));
    let why = match denied {
        Denied::Command => users::no_permission_to_run(&user, command, request),
        Denied::Key(at) => format!("User {user} has no permissions to access the '{}' key", shown(at)),
        Denied::Channel(at) => format!("User {user} has no permissions to access the '{}' channel", shown(at)),
    };
    cx.answer(Reply::Value(why.as_bytes()))
}

fn gen_pass(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(unknown_or_arity("ACL", args.at(1)));
    }
    let bits = args.get(2).map_or(Ok(PASSWORD_BITS), integer)?;
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        let why =
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to";
        return Err(format!("{why} {PASSWORD_BITS_MAX}").into());
    }
    let digits = (bits as usize).div_ceil(4);
    let mut random = vec![0; digits.div_ceil(2)];
    let Some(source) = &mut cx.accounts.randomness else {
        return Err(Fail::said("ERR there is no source of random numbers"));
    };
    source(&mut random);
    let text = hex::written(&random);
    cx.answer(Reply::Value(&text.as_bytes()[..digits]))
}

/// The client waits until it is done: nothing is read or written by the loop.
fn use_file(cx: &mut Context<'_>, job: UsersJob) -> Outcome {
    if cx.settings.options.users_file.is_empty() {
        return Err(Fail::said(
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
             SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in \
             order to store users in the Redis configuration.",
        ));
    }
    if cx.progress.is_executing {
        return Err(Fail::said("ERR Command not allowed inside a transaction"));
    }
    let number = cx.accounts.file.add(job);
    Ok(cx.wait(Until::UsersFile(number), u64::MAX, Then::Execute))
}
