//! `/v1/me`: who asks, and what they may do, so that a page shows what will not be refused.

use super::asked::{Asked, Handled, Refused};
use super::login::cookie_name;
use crate::http::answer::{Answer, JSON};
use crate::http::credentials::{Credentials, of};
use crate::http::json::put_text;
use crate::node::commands::context::Context;
use crate::protocol::{Command, Scratch};

/// What a page may want to do, and the command that it takes.
const ACTIONS: [(&str, Command, &[&str]); 15] = [
    ("info", Command::Info, &["INFO"]),
    ("scan", Command::Scan, &["SCAN"]),
    ("get", Command::Get, &["GET"]),
    ("set", Command::Set, &["SET"]),
    ("del", Command::Del, &["DEL"]),
    ("expire", Command::PExpire, &["PEXPIRE"]),
    ("persist", Command::Persist, &["PERSIST"]),
    ("config_get", Command::Config, &["CONFIG", "GET"]),
    ("config_set", Command::Config, &["CONFIG", "SET"]),
    ("client_list", Command::Client, &["CLIENT", "LIST"]),
    ("client_kill", Command::Client, &["CLIENT", "KILL"]),
    ("slowlog", Command::SlowLog, &["SLOWLOG", "GET"]),
    ("slowlog_reset", Command::SlowLog, &["SLOWLOG", "RESET"]),
    ("events", Command::Events, &["EVENTS"]),
    ("watch", Command::WatchPrefix, &["WATCH-PREFIX"]),
];

/// Of keys and their values it says whether any may be read or written: which, the user's rules say.
pub(super) fn me(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    let access = cx.client.access;
    let (must_prove, now_us) = (access.must_prove(), cx.now.monotonic_us);
    let is_login = match of(asked.head, &cookie_name(cx)) {
        Credentials::Tokens(tokens) => {
            let logins = &mut cx.accounts.logins;
            tokens.iter().any(|token| logins.find(token, cx.users, must_prove, now_us).is_some())
        }
        Credentials::Password(_) | Credentials::Unreadable | Credentials::None => false,
    };
    let may = |command, words: &[&str]| {
        let mut scratch = Scratch::default();
        words.iter().for_each(|word| scratch.push(word.as_bytes()));
        access.is_unlimited() || cx.users.check(access.user(), command, scratch.args()).is_ok()
    };
    let mut said = b"{\"user\":".to_vec();
    put_text(&String::from_utf8_lossy(cx.users.name(access.user())), &mut said);
    let (node, version) = (cx.keys.replica().clock().node(), env!("CARGO_PKG_VERSION"));
    let databases = cx.settings.options.databases;
    said.extend_from_slice(
        format!(
            ",\"is_login\":{is_login},\"node\":{node},\"version\":\"{version}\",\"databases\":{databases},\"may\":"
        )
        .as_bytes(),
    );
    for (place, (name, command, words)) in ACTIONS.into_iter().enumerate() {
        let begin = if place == 0 { '{' } else { ',' };
        said.extend_from_slice(format!("{begin}\"{name}\":{}", may(command, words)).as_bytes());
    }
    said.extend_from_slice(b"}}\n");
    asked.answer(cx, &Answer::ok(JSON), &said);
    Ok(Handled::Answered)
}
