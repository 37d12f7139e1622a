//! Users: there is one, who needs no password and may do all.

use super::catalog::{is_in, names};
use super::fail::{Fail, SYNTAX, is, printable, unknown_or_arity};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::protocol::catalog::{CATEGORIES, Catalog};
use crate::protocol::subcommand::Acl;

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
    match subcommands::of(args)? {
        Acl::WhoAmI => cx.answer(Reply::Value(NAME)),
        Acl::Users => {
            cx.out.answer(Reply::Array(1));
            cx.answer(Reply::Value(NAME))
        }
        Acl::List => {
            let [commands, keys, channels] = RULES.map(|(_, rule)| rule);
            let rules = format!("user default on nopass {keys} {channels} {commands}");
            cx.out.answer(Reply::Array(1));
            cx.answer(Reply::Value(rules.as_bytes()))
        }
        Acl::GetUser if args.at(2) == NAME => get_user(cx),
        Acl::GetUser => cx.answer(Reply::Nil),
        Acl::Cat => cat(cx, args),
        Acl::Help => help(cx, Command::Acl),
    }
}

fn get_user(cx: &mut Context<'_>) -> Outcome {
    let out = &mut *cx.out;
    out.answer(Reply::Map(6));
    out.answer(Reply::Value(b"flags"));
    out.answer(Reply::Set(2));
    ["on", "nopass"].into_iter().for_each(|flag| out.answer(Reply::Value(flag.as_bytes())));
    out.answer(Reply::Value(b"passwords"));
    out.answer(Reply::Array(0));
    for text in RULES.iter().flat_map(|(name, rule)| [name, rule]) {
        out.answer(Reply::Value(text.as_bytes()));
    }
    out.answer(Reply::Value(b"selectors"));
    cx.answer(Reply::Array(0))
}

fn cat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.from(2).collect::<Vec<_>>()[..] {
        [] => {
            cx.out.answer(Reply::Array(CATEGORIES.len()));
            CATEGORIES.iter().for_each(|category| cx.out.answer(Reply::Value(category.as_bytes())));
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
