//! `/login` and `/logout`, for people: a form, and a cookie that the browser brings again.
//!
//! Only over TLS or from this machine: elsewhere a password and a cookie would be there for whoever is on the way. The
//! pages are the same for everybody, have no script, and nothing of what came. They look like the dashboard, to which a
//! login leads.

use super::asked::{Asked, Handled, Refused};
use crate::auth::logins::{LOGIN_S, TOKEN_BYTES};
use crate::auth::users::DEFAULT;
use crate::http::Wrong;
use crate::http::answer::{Answer, FORMS, HTML};
use crate::http::credentials::{Credentials, of};
use crate::http::guard::{Source, source};
use crate::http::target::form;
use crate::node::commands::context::Context;
use crate::node::commands::proving::slowly_by;
use crate::node::commands::{Executed, authenticate};

const PAGE: &str = "\
<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>kvstoreapp: log in</title>
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<link rel=\"icon\" href=\"/page/icon.svg\"><link rel=\"stylesheet\" href=\"/page/style.css\"></head>
<body class=\"login\"><main class=\"card\">
<h1>kvstoreapp</h1>
";
const FAILED: &str = "\
<p class=\"notice bad\" role=\"alert\">There is no such user, or the password is wrong, or the user is off.</p>
";
const FORM: &str = "\
<form method=\"post\" action=\"/login\">
<label>User <input name=\"user\" value=\"default\" autocomplete=\"username\" autocapitalize=\"none\"></label>
<label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" autofocus></label>
<button class=\"primary\">Log in</button>
</form>
</main></body></html>
";

/// What a node's cookie is called. Cookies are the same for all ports of a host, and nodes may share one.
pub(super) fn cookie_name(cx: &Context<'_>) -> String {
    let begin = if cx.client.is_encrypted { "__Host-" } else { "" };
    format!("{begin}kvstoreapp-{}", cx.settings.options.process.port)
}

/// The form.
pub(super) fn show(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    let [] = asked.target.parameters([])?;
    check_way(cx)?;
    answer(cx, asked, &Answer::ok(HTML).as_page(FORMS), &[PAGE, FORM].concat())
}

/// What the form sends.
#[allow(clippy::ptr_arg, reason = "as every route has it")]
pub(super) fn log_in(cx: &mut Context<'_>, asked: &Asked<'_>, body: &mut Vec<u8>) -> Result<Handled, Refused> {
    check_way(cx)?;
    check_page(cx, asked)?;
    let text = std::str::from_utf8(body).map_err(|_| Wrong::new(400, "a form is text"))?;
    let [user, password] = form(text, ["user", "password"])?;
    let user = user.filter(|user| !user.is_empty());
    let (user, password) = (user.as_deref().unwrap_or(DEFAULT), password.unwrap_or_default());
    let prove = |cx: &mut Context<'_>| authenticate(cx, b"HTTP", user, &password).map(|()| Executed::Answered);
    match slowly_by(cx, prove) {
        Ok(Executed::Stopped(waits)) => return Ok(Handled::Waits(waits)),
        Ok(Executed::Answered) => (),
        outcome => {
            if let Err(fail) = &outcome {
                cx.metrics.note_error(fail.code());
            }
            cx.out.take_parts();
            let failed = Answer::new(401, HTML).as_page(FORMS).with("WWW-Authenticate", "Bearer realm=\"kvstoreapp\"");
            let page = [PAGE, FAILED, FORM].concat();
            let is_last = outcome == Ok(Executed::Ended);
            let manner = if is_last { asked.manner.closing() } else { asked.manner };
            failed.write(manner, page.as_bytes(), cx.out.bytes());
            return Ok(if is_last { Handled::Parted } else { Handled::Answered });
        }
    }
    let mut chance = [0; TOKEN_BYTES];
    let Some(randomness) = &mut cx.accounts.randomness else {
        return Err(Wrong::new(503, "there is nothing that a token could be made of").into());
    };
    randomness(&mut chance);
    let token = cx.accounts.logins.begin(user, &password, chance, cx.data.now.monotonic_us);
    go_to(cx, asked, "/", &token, LOGIN_S)
}

/// The browser's login is over.
pub(super) fn log_out(cx: &mut Context<'_>, asked: &Asked<'_>, _body: &mut Vec<u8>) -> Result<Handled, Refused> {
    check_page(cx, asked)?;
    if let Credentials::Tokens(tokens) = of(asked.head, &cookie_name(cx)) {
        tokens.into_iter().for_each(|token| cx.accounts.logins.end(token));
    }
    go_to(cx, asked, "/login", "", 0)
}

fn answer(cx: &mut Context<'_>, asked: &Asked<'_>, answer: &Answer, page: &str) -> Result<Handled, Refused> {
    answer.write(asked.manner, page.as_bytes(), cx.out.bytes());
    Ok(Handled::Answered)
}

/// Sends the browser to another page, with this cookie.
fn go_to(
    cx: &mut Context<'_>,
    asked: &Asked<'_>,
    path: &'static str,
    token: &str,
    seconds: u64,
) -> Result<Handled, Refused> {
    let (name, secure) = (cookie_name(cx), if cx.client.is_encrypted { "; Secure" } else { "" });
    let cookie = format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    asked.answer_empty(cx, &Answer::new(303, HTML).with("Location", path).with("Set-Cookie", cookie));
    Ok(Handled::Answered)
}

fn check_way(cx: &Context<'_>) -> Result<(), Refused> {
    if cx.client.is_encrypted || !cx.client.origin.is_far() {
        return Ok(());
    }
    Err(Wrong::new(403, "log in over TLS (https), or from the machine that the node runs on").into())
}

/// A form of a page from elsewhere logs nobody in or out, whether that page is let in for something else or not.
fn check_page(cx: &Context<'_>, asked: &Asked<'_>) -> Result<(), Refused> {
    if source(asked.head, &cx.settings.options.http.origins) == Source::Own {
        return Ok(());
    }
    Err(Wrong::new(403, "a page from elsewhere logs nobody in or out").into())
}
