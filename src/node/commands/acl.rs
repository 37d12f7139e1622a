//! `ACL`: users and their rules, shown and changed (<https://redis.io/docs/latest/commands/acl/>).

use super::catalog::{is_in, names};
use super::fail::{printable, unknown_or_arity};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::auth::selector::Selector;
use crate::auth::table::Category;
use crate::node::replies::Replies;
use crate::protocol::catalog::{CATEGORIES, Catalog};
use crate::protocol::subcommand::Acl;

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
                data.out.answer(Reply::Value(&[b"user ", name, b" ", &user.rules()].concat()));
            }
            DONE
        }
        Acl::GetUser => get_user(cx, args.at(2)),
        Acl::Cat => cat(cx, args),
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
