//! Who clients are, and what they may do.

use super::context::Events;
use super::fail::{Fail, SYNTAX, printable};
use super::{Args, Command, Context, Executed, Outcome, Reply, clients, proving, subcommands};
use crate::auth::log::{Reason, Refused};
use crate::auth::users::DEFAULT;
use crate::auth::{Denied, UserId, Users};
use crate::fault_injection;
use crate::node::accounts::{dismiss, stays};
use crate::protocol::Refusal;

/// Of a refused key, channel or name the log keeps so much.
const NOTED_BYTES_MAX: usize = 1 << 10;
/// What is shown in the place of a secret.
const REDACTED: &str = "(redacted)";

/// Why the request is not for this client, who may not do everything. The one place where that is asked before a
/// command runs.
pub(super) fn allow(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    let access = cx.client.access;
    if access.is_authenticated()
        && (cx.users.allows_one_key(access.user(), command, args)
            || cx.users.check(access.user(), command, args).is_ok())
    {
        return Ok(());
    }
    refuse(cx, command, args)
}

/// Says why not, if it is so.
#[cold]
fn refuse(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    if !cx.client.access.is_authenticated() {
        use Command::{Auth, Health, Hello, Help, Quit, Reset};
        let is_open = matches!(command, Auth | Health | Hello | Help | Quit | Reset);
        // A person at a terminal wants to know that there is somebody.
        let is_greeting = command == Command::Ping && !cx.out.dialect().follows_redis();
        return match is_open || is_greeting {
            true => Ok(()),
            false if cx.out.dialect().follows_redis() => Err(Fail::said("NOAUTH Authentication required.")),
            false => Err(Refusal::NotAuthenticated.into()),
        };
    }
    check(cx, command, args).map_err(|denied| match denied {
        Denied::Command => {
            let user = printable(cx.users.name(cx.client.access.user()));
            format!("NOPERM {}", no_permission_to_run(&user, command, args)).into()
        }
        Denied::Key(_) => Fail::said("NOPERM No permissions to access a key"),
        Denied::Channel(_) => Fail::said("NOPERM No permissions to access a channel"),
    })
}

/// The same of a request of a transaction that is run: its user may have been changed since.
pub(super) fn allow_again(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    if cx.client.access.is_unlimited() || fault_injection::is("EXEC does not ask again what a user may do") {
        return Ok(());
    }
    if !cx.client.access.is_authenticated() {
        return refuse(cx, command, args);
    }
    check(cx, command, args).map_err(|denied| {
        let reason = match denied {
            Denied::Command => "no permission to execute the command or subcommand",
            Denied::Key(_) => "no permission to touch the specified keys",
            Denied::Channel(_) => "no permission to access one of the channels used as arguments to the command",
        };
        format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {reason}"
        )
        .into()
    })
}

/// The same of a request of a script.
#[cold]
pub(super) fn allow_in_script(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Fail> {
    check(cx, command, args).map_err(|denied| {
        Fail::said(match denied {
            Denied::Command => "ERR The user executing the script can't run this command or subcommand",
            Denied::Key(_) => {
                "ERR The user executing the script can't access at least one of the keys mentioned in the command \
                 arguments"
            }
            Denied::Channel(_) => {
                "ERR The user executing the script can't publish to the channel mentioned in the command"
            }
        })
    })
}

/// Whether the user that the client is may do this; what it may not is noted.
fn check(cx: &mut Context<'_>, command: Command, args: Args<'_>) -> Result<(), Denied> {
    let user = cx.client.access.user();
    cx.users.check(user, command, args).inspect_err(|denied| {
        let (reason, object) = match denied {
            Denied::Command => (Reason::Command, subcommands::full_name(command, args).into_bytes()),
            Denied::Key(at) => (Reason::Key, args.at(*at).to_vec()),
            Denied::Channel(at) => (Reason::Channel, args.at(*at).to_vec()),
        };
        let user = cx.users.name(user).to_vec();
        note(cx, reason, object, user);
    })
}

/// Something was refused.
fn note(cx: &mut Context<'_>, reason: Reason, mut object: Vec<u8>, mut user: Vec<u8>) {
    // What is refused is as long as its client likes.
    for text in [&mut object, &mut user] {
        text.truncate(NOTED_BYTES_MAX);
        text.shrink_to_fit();
    }
    let client = clients::describe(cx.client, cx.out, cx.users, cx.now.monotonic_us).trim_end().to_owned();
    let is_in_transaction = cx.client.queue.is_some() || cx.progress.is_executing;
    let now_ms = cx.now.unix_ms;
    cx.metrics.denied[reason as usize] += 1;
    cx.accounts.log.note(Refused { reason, is_in_transaction, object, user, client }, now_ms);
}

/// Whose command that is not.
pub(super) fn no_permission_to_run(user: &str, command: Command, args: Args<'_>) -> String {
    format!("User {user} has no permissions to run the '{}' command", subcommands::full_name(command, args))
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
            authenticate(cx, args.at(0), DEFAULT, args.at(1))?;
            cx.answer(Reply::Ok)
        }
        3 => {
            authenticate(cx, args.at(0), args.at(1), args.at(2))?;
            cx.answer(Reply::Ok)
        }
        _ => Err(SYNTAX),
    }
}

/// The client is this user from here on, if the password is right; else it is who it was. `by` is what it says so with.
pub(in crate::node) fn authenticate(cx: &mut Context<'_>, by: &[u8], user: &[u8], password: &[u8]) -> Result<(), Fail> {
    let Some(access) = cx.users.authenticate(user, password, cx.client.access.must_prove()) else {
        note(cx, Reason::Auth, by.to_vec(), user.to_vec());
        return Err(proving::FAILED);
    };
    cx.client.access = access;
    Ok(())
}

/// After users were changed: what each session may do. Those end that may not stay, this one once it is answered.
pub(super) fn changed(cx: &mut Context<'_>) -> Executed {
    let Context { data, client, users, accounts, .. } = cx;
    accounts.logins.keep_valid(users);
    let Events { channels, sessions, id } = &mut data.events;
    let mut gone = Vec::new();
    for (other, client) in sessions.clients_mut() {
        if !stays(client, users, &accounts.logins) {
            dismiss(other, client, &mut channels.pubsub);
            gone.push(other);
        }
    }
    gone.into_iter().for_each(|other| sessions.dismiss(other));
    if stays(client, users, &accounts.logins) {
        return Executed::Answered;
    }
    dismiss(*id, client, &mut channels.pubsub);
    sessions.silence(*id);
    Executed::Ended
}

/// What is shown of the default user's password.
pub(super) fn shown_password(users: &Users) -> &'static str {
    if users.get(UserId::DEFAULT).passwords().is_empty() { "" } else { REDACTED }
}
