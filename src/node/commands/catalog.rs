//! `COMMAND`: what there is, for clients that ask. `MODULE`: there are none.

use super::fail::{Fail, SYNTAX, is};
use super::help::help;
use super::{Args, Command, Context, DONE, Outcome, Reply, subcommands};
use crate::auth::uses::READING_OPTIONS;
use crate::node::replies::Replies;
use crate::protocol::catalog::{Argument, Catalog, Entry, Find, Keys};
use crate::protocol::glob::Pattern;
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
        CommandInfo::GetKeys => get_keys(cx, args, |out, key, _| out.answer(Reply::Value(key))),
        CommandInfo::GetKeysAndFlags => get_keys(cx, args, |out, key, flags| {
            out.answer(Reply::Array(2));
            out.answer(Reply::Value(key));
            statuses(out, flags);
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
    let (catalog, out) = (Catalog::read(), &mut *cx.out);
    if args.len() <= 2 {
        out.answer(Reply::Array(catalog.commands().count()));
        catalog.commands().for_each(|entry| describe(out, &catalog, entry));
        return DONE;
    }
    out.answer(Reply::Array(args.len() - 2));
    for name in args.from(2) {
        match catalog.named(name) {
            Some(entry) => describe(out, &catalog, entry),
            None => out.answer(Reply::Nil),
        }
    }
    DONE
}

fn describe(out: &mut Replies, catalog: &Catalog, entry: &Entry) {
    out.answer(Reply::Array(10));
    out.answer(Reply::Value(entry.name.as_bytes()));
    out.answer(Reply::Int(entry.arity.into()));
    statuses(out, &entry.flags().collect::<Vec<_>>());
    entry.places().into_iter().for_each(|place| out.answer(Reply::Int(place.into())));
    statuses(out, &entry.categories().collect::<Vec<_>>());
    let tips: Vec<&str> = entry.tips().collect();
    out.answer(Reply::Set(tips.len()));
    tips.into_iter().for_each(|tip| out.answer(Reply::Value(tip.as_bytes())));
    let keys = entry.keys();
    out.answer(Reply::Set(keys.len()));
    keys.iter().for_each(|keys| describe_keys(out, keys));
    let parts = catalog.subcommands_of(entry);
    out.answer(if parts.is_empty() { Reply::Set(0) } else { Reply::Array(parts.len()) });
    parts.into_iter().for_each(|part| describe(out, catalog, part));
}

fn describe_keys(out: &mut Replies, keys: &Keys) {
    out.answer(Reply::Map(3 + usize::from(keys.note.is_some())));
    if let Some(note) = keys.note {
        pair(out, "notes", note);
    }
    out.answer(Reply::Value(b"flags"));
    statuses(out, &keys.flags);
    let begin = [("index", keys.index)];
    let (kind, find) = match keys.find {
        Find::Range { last, step, limit } => ("range", [("lastkey", last), ("keystep", step), ("limit", limit)]),
        Find::Counted { number, first, step } => {
            ("keynum", [("keynumidx", number), ("firstkey", first), ("keystep", step)])
        }
    };
    for (name, kind, spec) in [("begin_search", "index", &begin[..]), ("find_keys", kind, &find[..])] {
        out.answer(Reply::Value(name.as_bytes()));
        out.answer(Reply::Map(2));
        pair(out, "type", kind);
        out.answer(Reply::Value(b"spec"));
        out.answer(Reply::Map(spec.len()));
        for &(name, number) in spec {
            out.answer(Reply::Value(name.as_bytes()));
            out.answer(Reply::Int(number.into()));
        }
    }
}

/// All commands, or those whose names follow and are known.
fn docs(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (catalog, out) = (Catalog::read(), &mut *cx.out);
    let given: Vec<&Entry> = match args.len() {
        2 => catalog.commands().collect(),
        _ => args.from(2).filter_map(|name| catalog.named(name)).collect(),
    };
    out.answer(Reply::Map(given.len()));
    given.into_iter().for_each(|entry| explain(out, &catalog, entry));
    DONE
}

fn explain(out: &mut Replies, catalog: &Catalog, entry: &Entry) {
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
    out.answer(Reply::Value(entry.name.as_bytes()));
    out.answer(Reply::Map(pairs + lists));
    texts.for_each(|(name, text)| pair(out, name, text));
    if !flags.is_empty() {
        out.answer(Reply::Value(b"doc_flags"));
        statuses(out, &flags);
    }
    if let Some((since, in_favour_of)) = deprecated {
        pair(out, "deprecated_since", since);
        pair(out, "replaced_by", in_favour_of);
    }
    explain_arguments(out, &arguments);
    if !parts.is_empty() {
        out.answer(Reply::Value(b"subcommands"));
        out.answer(Reply::Map(parts.len()));
        parts.into_iter().for_each(|part| explain(out, catalog, part));
    }
}

fn explain_arguments(out: &mut Replies, arguments: &[Argument]) {
    if arguments.is_empty() {
        return;
    }
    out.answer(Reply::Value(b"arguments"));
    out.answer(Reply::Array(arguments.len()));
    for argument in arguments {
        let (is_flagged, is_made_of) = (!argument.flags.is_empty(), !argument.arguments.is_empty());
        let texts = [("token", argument.token), ("since", argument.since), ("deprecated_since", argument.deprecated)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let others = [argument.spec.is_some(), is_flagged, is_made_of].into_iter().filter(|&is_there| is_there);
        out.answer(Reply::Map(2 + texts.clone().count() + others.count()));
        pair(out, "name", argument.name);
        pair(out, "type", argument.kind);
        if let Some(spec) = argument.spec {
            out.answer(Reply::Value(b"key_spec_index"));
            out.answer(Reply::Int(spec));
        }
        texts.for_each(|(name, text)| pair(out, name, text));
        if is_flagged {
            out.answer(Reply::Value(b"flags"));
            statuses(out, &argument.flags);
        }
        explain_arguments(out, &argument.arguments);
    }
}

fn pair(out: &mut Replies, name: &str, text: &str) {
    out.answer(Reply::Value(name.as_bytes()));
    out.answer(Reply::Value(text.as_bytes()));
}

fn statuses(out: &mut Replies, words: &[&str]) {
    out.answer(Reply::Set(words.len()));
    words.iter().for_each(|word| out.answer(Reply::Simple(word)));
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
    cx.out.answer(Reply::Array(entries.len()));
    entries.into_iter().for_each(|entry| cx.out.answer(Reply::Value(entry.name.as_bytes())));
    DONE
}

/// Whether the command is in the category, in any case.
pub(super) fn is_in(entry: &Entry, category: &[u8]) -> bool {
    entry.categories().any(|one| is(category, one.trim_start_matches('@')))
}

/// Answers each key of the request that follows.
fn get_keys(cx: &mut Context<'_>, args: Args<'_>, answer: impl Fn(&mut Replies, &[u8], &[&str])) -> Outcome {
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
        rules.iter().flat_map(|keys| keys.among(args.rest(2)).map(move |place| (place, keys))).collect();
    if found.is_empty() && !entry.flags().any(|flag| flag == "no_mandatory_keys") {
        return Err(Fail::said("ERR Invalid arguments specified for command"));
    }
    cx.out.answer(Reply::Array(found.len()));
    for (place, keys) in found {
        answer(cx.out, request[place], flags.unwrap_or(&keys.flags));
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
        "set" if request.iter().skip(3).any(|word| READING_OPTIONS.iter().any(|option| is(word, option))) => {
            Some(changes)
        }
        "set" => Some(&["OW", "update"]),
        "delex" if request.len() > 2 => Some(&["RW", "access", "delete"]),
        "delex" => Some(&["RM", "delete"]),
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
