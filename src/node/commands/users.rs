//! Users: there is one, who needs no password and may do all.

use super::catalog::{is_in, names};
use super::fail::{Fail, SYNTAX, is, printable, unknown_or_arity, unknown_part};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply};
use crate::protocol::catalog::{CATEGORIES, Catalog};

/// The one user.
const NAME: &[u8] = b"default";

/// What the user may do: all commands, with all keys, in all channels.
const RULES: [(&str, &str); 3] = [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")];

pub(super) fn auth(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => Err(Fail::said(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        )),
        3 => {
            authenticate(args.at(1))?;
            cx.answer(Reply::Ok)
        }
        _ => Err(SYNTAX),
    }
}

/// Whether there is the user; any password is right.
pub(super) fn authenticate(user: &[u8]) -> Result<(), Fail> {
    let why = Fail::said("WRONGPASS invalid username-password pair or user is disabled.");
    if user == NAME { Ok(()) } else { Err(why) }
}

pub(super) fn acl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let part = args.at(1);
    match part {
        _ if is(part, "WHOAMI") => cx.answer(Reply::Value(NAME)),
        _ if is(part, "USERS") => {
            cx.session.answer(Reply::Array(1));
            cx.answer(Reply::Value(NAME))
        }
        _ if is(part, "LIST") => {
            let [commands, keys, channels] = RULES.map(|(_, rule)| rule);
            let rules = format!("user default on nopass {keys} {channels} {commands}");
            cx.session.answer(Reply::Array(1));
            cx.answer(Reply::Value(rules.as_bytes()))
        }
        _ if is(part, "GETUSER") && args.at(2) == NAME => get_user(cx),
        _ if is(part, "GETUSER") => cx.answer(Reply::Nil),
        _ if is(part, "CAT") => cat(cx, args),
        _ if is(part, "HELP") => help(cx, Command::Acl),
        _ => Err(unknown_part("acl", part)),
    }
}

fn get_user(cx: &mut Context<'_>) -> Outcome {
    let session = &mut *cx.session;
    session.answer(Reply::Map(6));
    session.answer(Reply::Value(b"flags"));
    session.answer(Reply::Set(2));
    ["on", "nopass"].into_iter().for_each(|flag| session.answer(Reply::Value(flag.as_bytes())));
    session.answer(Reply::Value(b"passwords"));
    session.answer(Reply::Array(0));
    for text in RULES.iter().flat_map(|(name, rule)| [name, rule]) {
        session.answer(Reply::Value(text.as_bytes()));
    }
    session.answer(Reply::Value(b"selectors"));
    cx.answer(Reply::Array(0))
}

fn cat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.from(2).collect::<Vec<_>>()[..] {
        [] => {
            cx.session.answer(Reply::Array(CATEGORIES.len()));
            CATEGORIES.iter().for_each(|category| cx.session.answer(Reply::Value(category.as_bytes())));
            DONE
        }
        [category] if CATEGORIES.iter().any(|known| is(category, known)) => {
            let catalog = Catalog::read();
            names(cx, catalog.all().filter(|entry| is_in(entry, category)))
        }
        [category] => Err(format!("ERR Unknown category '{}'", printable(category)).into()),
        _ => Err(unknown_or_arity("ACL", args.at(1))),
    }
}
