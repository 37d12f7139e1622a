//! `COMMAND`: what there is, for clients that ask. `MODULE`: there are none.

use super::fail::{Fail, SYNTAX, is};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::node::glob::Pattern;
use crate::node::session::Session;
use crate::protocol::catalog::{Argument, Catalog, Entry, Keys};
use crate::protocol::subcommand::{CommandInfo, Module};

pub(super) fn command(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 1 {
        return info(cx, args);
    }
    match subcommands::of(args)? {
        CommandInfo::Count => cx.answer(Reply::Int(Command::all_of_resp().count() as i64)),
        CommandInfo::Info => info(cx, args),
        CommandInfo::Docs => docs(cx, args),
        CommandInfo::List => list(cx, args),
        CommandInfo::GetKeys => get_keys(cx, args, |session, key, _| session.answer(Reply::Value(key))),
        CommandInfo::GetKeysAndFlags => get_keys(cx, args, |session, key, flags| {
            session.answer(Reply::Array(2));
            session.answer(Reply::Value(key));
            statuses(session, flags);
        }),
        CommandInfo::Help => help(cx, Command::CommandInfo),
    }
}

pub(super) fn module(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match subcommands::of(args)? {
        Module::List => cx.answer(Reply::Array(0)),
        Module::Help => help(cx, Command::Module),
    }
}

/// All commands, or those whose names follow.
fn info(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (catalog, session) = (Catalog::read(), &mut *cx.session);
    if args.len() <= 2 {
        session.answer(Reply::Array(catalog.commands().count()));
        catalog.commands().for_each(|entry| describe(session, &catalog, entry));
        return DONE;
    }
    session.answer(Reply::Array(args.len() - 2));
    for name in args.from(2) {
        match catalog.named(name) {
            Some(entry) => describe(session, &catalog, entry),
            None => session.answer(Reply::Nil),
        }
    }
    DONE
}

fn describe(session: &mut Session, catalog: &Catalog, entry: &Entry) {
    session.answer(Reply::Array(10));
    session.answer(Reply::Value(entry.name.as_bytes()));
    session.answer(Reply::Int(entry.arity.into()));
    statuses(session, &entry.flags().collect::<Vec<_>>());
    entry.places().into_iter().for_each(|place| session.answer(Reply::Int(place.into())));
    statuses(session, &entry.categories().collect::<Vec<_>>());
    let tips: Vec<&str> = entry.tips().collect();
    session.answer(Reply::Set(tips.len()));
    tips.into_iter().for_each(|tip| session.answer(Reply::Value(tip.as_bytes())));
    let keys = entry.keys();
    session.answer(Reply::Set(keys.len()));
    keys.iter().for_each(|keys| describe_keys(session, keys));
    let parts = catalog.subcommands_of(entry);
    session.answer(if parts.is_empty() { Reply::Set(0) } else { Reply::Array(parts.len()) });
    parts.into_iter().for_each(|part| describe(session, catalog, part));
}

fn describe_keys(session: &mut Session, keys: &Keys) {
    session.answer(Reply::Map(3 + usize::from(keys.note.is_some())));
    if let Some(note) = keys.note {
        pair(session, "notes", note);
    }
    session.answer(Reply::Value(b"flags"));
    statuses(session, &keys.flags);
    let begin = [("index", keys.index)];
    let find = [("lastkey", keys.last), ("keystep", keys.step), ("limit", keys.limit)];
    for (name, kind, spec) in [("begin_search", "index", &begin[..]), ("find_keys", "range", &find[..])] {
        session.answer(Reply::Value(name.as_bytes()));
        session.answer(Reply::Map(2));
        pair(session, "type", kind);
        session.answer(Reply::Value(b"spec"));
        session.answer(Reply::Map(spec.len()));
        for &(name, number) in spec {
            session.answer(Reply::Value(name.as_bytes()));
            session.answer(Reply::Int(number.into()));
        }
    }
}

/// All commands, or those whose names follow and are known.
fn docs(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (catalog, session) = (Catalog::read(), &mut *cx.session);
    let given: Vec<&Entry> = match args.len() {
        2 => catalog.commands().collect(),
        _ => args.from(2).filter_map(|name| catalog.named(name)).collect(),
    };
    session.answer(Reply::Map(given.len()));
    given.into_iter().for_each(|entry| explain(session, &catalog, entry));
    DONE
}

fn explain(session: &mut Session, catalog: &Catalog, entry: &Entry) {
    let (deprecated, arguments, parts) = (entry.deprecated(), entry.arguments(), catalog.subcommands_of(entry));
    let flags = [entry.is_of_system().then_some("syscmd"), deprecated.map(|_| "deprecated")];
    let flags: Vec<&str> = flags.into_iter().flatten().collect();
    let texts = [
        ("summary", Some(entry.summary)),
        ("since", Some(entry.since)),
        ("group", Some(entry.group)),
        ("complexity", entry.complexity),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let pairs = texts.clone().count() + 2 * usize::from(deprecated.is_some());
    let lists = [flags.len(), arguments.len(), parts.len()].into_iter().filter(|&count| count > 0).count();
    session.answer(Reply::Value(entry.name.as_bytes()));
    session.answer(Reply::Map(pairs + lists));
    texts.for_each(|(name, text)| pair(session, name, text));
    if !flags.is_empty() {
        session.answer(Reply::Value(b"doc_flags"));
        statuses(session, &flags);
    }
    if let Some((since, in_favour_of)) = deprecated {
        pair(session, "deprecated_since", since);
        pair(session, "replaced_by", in_favour_of);
    }
    explain_arguments(session, &arguments);
    if !parts.is_empty() {
        session.answer(Reply::Value(b"subcommands"));
        session.answer(Reply::Map(parts.len()));
        parts.into_iter().for_each(|part| explain(session, catalog, part));
    }
}

fn explain_arguments(session: &mut Session, arguments: &[Argument]) {
    if arguments.is_empty() {
        return;
    }
    session.answer(Reply::Value(b"arguments"));
    session.answer(Reply::Array(arguments.len()));
    for argument in arguments {
        let (is_flagged, is_made_of) = (!argument.flags.is_empty(), !argument.arguments.is_empty());
        let texts = [("token", argument.token), ("since", argument.since), ("deprecated_since", argument.deprecated)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let others = [argument.spec.is_some(), is_flagged, is_made_of].into_iter().filter(|&is_there| is_there);
        session.answer(Reply::Map(2 + texts.clone().count() + others.count()));
        pair(session, "name", argument.name);
        pair(session, "type", argument.kind);
        if let Some(spec) = argument.spec {
            session.answer(Reply::Value(b"key_spec_index"));
            session.answer(Reply::Int(spec));
        }
        texts.for_each(|(name, text)| pair(session, name, text));
        if is_flagged {
            session.answer(Reply::Value(b"flags"));
            statuses(session, &argument.flags);
        }
        explain_arguments(session, &argument.arguments);
    }
}

fn pair(session: &mut Session, name: &str, text: &str) {
    session.answer(Reply::Value(name.as_bytes()));
    session.answer(Reply::Value(text.as_bytes()));
}

fn statuses(session: &mut Session, words: &[&str]) {
    session.answer(Reply::Set(words.len()));
    words.iter().for_each(|word| session.answer(Reply::Simple(word)));
}

fn list(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let catalog = Catalog::read();
    let [by, value] = match args.from(2).collect::<Vec<_>>()[..] {
        [] => return names(cx, catalog.all()),
        [filter, by, value] if is(filter, "FILTERBY") => [by, value],
        _ => return Err(SYNTAX),
    };
    match by {
        _ if is(by, "PATTERN") => {
            let pattern = Pattern::parse(&value.to_ascii_lowercase())?;
            names(cx, catalog.all().filter(|entry| pattern.matches(entry.name.as_bytes())))
        }
        _ if is(by, "ACLCAT") => names(cx, catalog.all().filter(|entry| is_in(entry, value))),
        _ if is(by, "MODULE") => names(cx, [].into_iter()),
        _ => Err(SYNTAX),
    }
}

/// The names of commands.
pub(super) fn names<'a>(cx: &mut Context<'_>, entries: impl Iterator<Item = &'a Entry>) -> Outcome {
    let entries: Vec<&Entry> = entries.collect();
    cx.session.answer(Reply::Array(entries.len()));
    entries.into_iter().for_each(|entry| cx.session.answer(Reply::Value(entry.name.as_bytes())));
    DONE
}

/// Whether the command is in the category, in any case.
pub(super) fn is_in(entry: &Entry, category: &[u8]) -> bool {
    entry.categories().any(|one| is(category, one.trim_start_matches('@')))
}

/// Answers each key of the request that follows.
fn get_keys(cx: &mut Context<'_>, args: Args<'_>, answer: impl Fn(&mut Session, &[u8], &[&str])) -> Outcome {
    let catalog = Catalog::read();
    let request: Vec<&[u8]> = args.from(2).collect();
    let entry = entry_of(&catalog, &request).ok_or(Fail::said("ERR Invalid command specified"))?;
    let rules: Vec<Keys> = entry.keys().into_iter().filter(|keys| !keys.flags.contains(&"not_key")).collect();
    if rules.is_empty() {
        return Err(Fail::said("ERR The command has no key arguments"));
    }
    let (count, arity) = (request.len(), entry.arity.unsigned_abs() as usize);
    if count < arity || (entry.arity > 0 && count > arity) {
        return Err(Fail::said("ERR Invalid number of arguments specified for command"));
    }
    let flags = flags_of(entry, &request);
    let found: Vec<(usize, &Keys)> =
        rules.iter().flat_map(|keys| keys.among(count).map(move |place| (place, keys))).collect();
    cx.session.answer(Reply::Array(found.len()));
    for (place, keys) in found {
        answer(cx.session, request[place], flags.unwrap_or(&keys.flags));
    }
    DONE
}

/// The command of a request, or its subcommand where the command is several.
fn entry_of<'a>(catalog: &'a Catalog, request: &[&[u8]]) -> Option<&'a Entry> {
    let command = catalog.named(request[0]).filter(|_| !request[0].contains(&b'|'))?;
    if catalog.subcommands_of(command).is_empty() {
        return Some(command);
    }
    match request.get(1) {
        None => Some(command),
        Some(part) => catalog.named(&[request[0], b"|", part].concat()),
    }
}

/// What the request does to its keys, where that depends on its arguments.
fn flags_of(entry: &Entry, request: &[&[u8]]) -> Option<&'static [&'static str]> {
    let changes: &[&str] = &["RW", "access", "update"];
    match entry.name {
        "set" if request.iter().skip(3).any(|word| is(word, "GET")) => Some(changes),
        "set" => Some(&["OW", "update"]),
        "bitfield" if is_read_only(&request[2..]) => Some(&["RO", "access"]),
        "bitfield" => Some(changes),
        _ => None,
    }
}

/// Whether the operations of a `BITFIELD` change nothing. As Redis has it, those that are wrong may.
fn is_read_only(mut operations: &[&[u8]]) -> bool {
    loop {
        operations = match operations {
            [] => return true,
            [get, _, _, rest @ ..] if is(get, "GET") => rest,
            [overflow, _, rest @ ..] if is(overflow, "OVERFLOW") => rest,
            _ => return false,
        };
    }
}
