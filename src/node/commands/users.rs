//! Who clients are, and what they may do.

use super::fail::{Fail, SYNTAX, printable};
use super::{Args, Command, Context, Outcome, Reply, subcommands};
use crate::auth::users::DEFAULT;
use crate::auth::{Denied, UserId, Users};
use crate::protocol::Refusal;

/// What is shown in the place of a secret.
const REDACTED: &str = "(redacted)";

/// Why the request is not for this client, who may not do everything. The one place where that is asked before a
/// command runs.
#[cold]
pub(super) fn allow(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    if !cx.client.access.is_authenticated() {
        let is_open =
            matches!(command, Command::Auth | Command::Hello | Command::Quit | Command::Reset | Command::Help);
        // A person at a terminal wants to know that there is somebody.
        let is_greeting = command == Command::Ping && !cx.out.dialect().follows_redis();
        return match is_open || is_greeting {
            true => Ok(()),
            false if cx.out.dialect().follows_redis() => Err(Fail::said("NOAUTH Authentication required.")),
            false => Err(Refusal::NotAuthenticated.into()),
        };
    }
    let denied = cx.users.check(cx.client.access.user(), command, args);
    denied.map_err(|denied| match denied {
        Denied::Command => {
            let user = printable(cx.users.name(cx.client.access.user()));
            let command = subcommands::full_name(command, args);
            format!("NOPERM User {user} has no permissions to run the '{command}' command").into()
        }
        Denied::Key(_) => Fail::said("NOPERM No permissions to access a key"),
        Denied::Channel(_) => Fail::said("NOPERM No permissions to access a channel"),
    })
}

/// What is answered to what is no request, where one that is would not be done for this client either.
pub(in crate::node) fn to_stranger<'a>(cx: &Context<'_>, reply: Reply<'a>) -> Reply<'a> {
    let is_stranger = !cx.client.access.is_authenticated() && !cx.out.dialect().follows_redis();
    if is_stranger { Reply::Error(Refusal::NotAuthenticated) } else { reply }
}

pub(super) fn auth(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 if cx.users.get(UserId::DEFAULT).is_open() => Err(Fail::said(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        )),
        2 => {
            authenticate(cx, DEFAULT, args.at(1))?;
            cx.answer(Reply::Ok)
        }
        3 => {
            authenticate(cx, args.at(1), args.at(2))?;
            cx.answer(Reply::Ok)
        }
        _ => Err(SYNTAX),
    }
}

/// The client is this user from here on, if the password is right; else it is who it was.
pub(super) fn authenticate(cx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), Fail> {
    let access = cx.users.authenticate(user, password);
    cx.client.access = access.ok_or(Fail::said("WRONGPASS invalid username-password pair or user is disabled."))?;
    Ok(())
}

/// After users were changed: what each session may do.
pub(super) fn refresh(cx: &mut Context<'_>) {
    let Context { data, client, users, .. } = cx;
    client.access = users.refresh(client.access);
    for (_, other) in data.events.sessions.clients_mut() {
        other.access = users.refresh(other.access);
    }
}

/// What is shown of the default user's password.
pub(super) fn shown_password(users: &Users) -> &'static str {
    if users.get(UserId::DEFAULT).passwords().is_empty() { "" } else { REDACTED }
}
