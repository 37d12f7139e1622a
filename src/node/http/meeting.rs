//! Whether a request is let in: the guards, who asks, and whether there is such a thing. In the order in which that costs
//! more, and before anything of a body is taken.

use std::cell::Cell;

use super::asked::{Asked, Refused};
use super::login::cookie_name;
use super::routes::{self, Found, Route, Wanted, Who};
use crate::auth::logins::Hash;
use crate::auth::{Access, Password, Proof};
use crate::http::Wrong;
use crate::http::answer::{Answer, JSON, Manner};
use crate::http::body::Framing;
use crate::http::credentials::{self, Credentials, Login};
use crate::http::guard::{self, Source};
use crate::http::head::{Head, Method};
use crate::http::target::{self, Target};
use crate::node::commands::context::Context;
use crate::node::commands::proving::slowly_by;
use crate::node::commands::{Executed, allow, authenticate};
use crate::node::options::HttpPolicy;
use crate::node::strangers::Standing;
use crate::node::waits::Waits;
use crate::protocol::{Refusal, Scratch};

/// What came of it.
pub(super) enum Met<'a> {
    /// It is let in.
    In(Asked<'a>, &'static Route),
    /// It is not.
    Refused(Manner<'a>, Refused),
    /// It is to be looked at again once this is over: a password was none.
    Waits(Waits),
    /// It asked what it may do, and is told.
    Told(Manner<'a>),
}

/// What a form sends that is filled in.
const FORM: &str = "application/x-www-form-urlencoded";
/// Headers that a page may put to a request; the last line's are those of Upstash's client.
const PAGE_HEADERS: &str = "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, \
    Upstash-Encoding, Upstash-Response-Format, Upstash-Sync-Token, Upstash-Telemetry-Platform, \
    Upstash-Telemetry-Retry, Upstash-Telemetry-Runtime, Upstash-Telemetry-Sdk";
/// What a browser keeps the answer to a preflight for.
const PREFLIGHT_S: u32 = 600;

/// Looks at a request. One that does not say who asks is a newcomer's, or that user's who is vouched for.
pub(super) fn meet<'a>(cx: &mut Context<'_>, vouched: Option<&[u8]>, head: &'a Head<'a>) -> Met<'a> {
    let mut manner = Manner::of(head, cx.now.unix_ms);
    if let Standing::Denied { .. } = cx.client.standing {
        manner = manner.closing();
    }
    match look(cx, vouched, head, &mut manner) {
        Ok(met) => met,
        Err(refused) => Met::Refused(manner, refused),
    }
}

fn look<'a>(
    cx: &mut Context<'_>,
    vouched: Option<&[u8]>,
    head: &'a Head<'a>,
    manner: &mut Manner<'a>,
) -> Result<Met<'a>, Refused> {
    let target = target::parse(head.target)?;
    let machines_only = cx.settings.options.http.policy == HttpPolicy::Metrics;
    let found = routes::find(head.method, target.path, machines_only);
    let who = found.as_ref().map_or(Who::Visitors, |found| found.route.who);
    let mut source = Source::Own;
    if who != Who::Anyone {
        if let Standing::Denied { .. } = cx.client.standing {
            return Err(Wrong::said(403, Refusal::Denied.to_string()).into());
        }
        check_host(cx, head, &target)?;
        source = guard::source(head, &cx.settings.options.http.origins);
        if let Source::Allowed(origin) = source {
            manner.reader = Some(origin);
        }
        if source == Source::Foreign {
            return Err(Wrong::new(403, "a web page of another origin asks; --http-origin=<origin> lets one in").into());
        }
        if head.method == Method::Options {
            check_no_body(head)?;
            return tell(cx, head, &target, *manner, machines_only);
        }
    }
    let Found { route, rest } = found?;
    let asked = Asked { head, target, rest, manner: *manner, batch: Cell::new(None) };
    if who == Who::Anyone {
        check_body(head, route)?;
        return Ok(Met::In(asked, route));
    }
    if source == Source::Link && who != Who::Visitors {
        return Err(Wrong::new(403, "a link on a page from elsewhere leads here: open the address itself").into());
    }
    check_body(head, route)?;
    // What an earlier request has proven is that request's.
    let must_prove = cx.client.access.must_prove();
    let vouched = vouched.and_then(|user| cx.users.vouched_for(user, must_prove));
    cx.client.access = vouched.unwrap_or_else(|| cx.users.welcome(must_prove));
    if who == Who::Visitors {
        return Ok(Met::In(asked, route));
    }
    if let Some(waits) = identify(cx, head, source)? {
        return Ok(Met::Waits(waits));
    }
    if let Who::Allowed(command) = who {
        let mut scratch = Scratch::default();
        scratch.push(command.describe().name.as_bytes());
        allow(cx, command, scratch.args())?;
    }
    Ok(Met::In(asked, route))
}

/// Whether the node is called by a name of its own: by another one a page's owner may have pointed here.
fn check_host(cx: &Context<'_>, head: &Head<'_>, target: &Target<'_>) -> Result<(), Refused> {
    let members = cx.keys.replica().replication().members();
    let is_own = |name: &str| {
        let is_it = |host: &str| host.eq_ignore_ascii_case(name);
        let names = &cx.settings.options.http.names;
        names.iter().any(|own| is_it(own))
            || members.iter().filter_map(|member| member.rsplit_once(':')).any(|(host, _)| is_it(host))
    };
    let is_here = |authority: &str| guard::is_here(authority, is_own);
    if head.host.into_iter().chain(target.authority).all(is_here) {
        return Ok(());
    }
    Err(Wrong::new(
        421,
        "the Host is no address and no name of this node: ask by its address, or start it with --http-name=<name>",
    )
    .into())
}

/// Whether a body comes where one is wanted, of a kind that no page can send without asking.
fn check_body(head: &Head<'_>, route: &Route) -> Result<(), Refused> {
    match route.body {
        Wanted::None => check_no_body(head),
        Wanted::Value(kinds) => Ok(guard::check_content(head, kinds)?),
        Wanted::Calls => Ok(guard::check_content(head, &[JSON])?),
        Wanted::Form => Ok(guard::check_content(head, &[FORM])?),
    }
}

fn check_no_body(head: &Head<'_>) -> Result<(), Refused> {
    match head.framing {
        Framing::None => Ok(()),
        Framing::Length(_) | Framing::Chunked => {
            Err(Refused { closes: true, ..Wrong::new(400, "no body is wanted here").into() })
        }
    }
}

/// What may be done with a path: to a page from elsewhere that is let in, with `Authorization` and without what the
/// browser knows (Fetch, 3.2.2).
fn tell<'a>(
    cx: &mut Context<'_>,
    head: &Head<'_>,
    target: &Target<'_>,
    manner: Manner<'a>,
    machines_only: bool,
) -> Result<Met<'a>, Refused> {
    let methods = routes::methods(target.path, machines_only);
    if methods.is_empty() && target.path != "*" {
        return Err(Wrong::new(404, "there is no such path").into());
    }
    let mut answer = Answer::new(204, "").with("Allow", &methods);
    if manner.reader.is_some() && head.wanted_method.is_some() {
        answer = answer
            .with("Access-Control-Allow-Methods", &methods)
            .with("Access-Control-Allow-Headers", PAGE_HEADERS)
            .with("Access-Control-Max-Age", PREFLIGHT_S);
    }
    answer.write_empty(manner, cx.out.bytes());
    Ok(Met::Told(manner))
}

/// Who asks is who the client is from here on. A password that is none is answered as `AUTH` answers it, later each
/// time.
fn identify(cx: &mut Context<'_>, head: &Head<'_>, source: Source<'_>) -> Result<Option<Waits>, Refused> {
    let cookie_name = head.cookie.map(|_| cookie_name(cx)).unwrap_or_default();
    match credentials::of(head, &cookie_name) {
        Credentials::Password(Login { user, password }) => {
            let prove = |cx: &mut Context<'_>| authenticate(cx, b"HTTP", &user, &password).map(|()| Executed::Answered);
            match slowly_by(cx, prove) {
                Ok(Executed::Stopped(waits)) => return Ok(Some(waits)),
                Ok(Executed::Ended) => {
                    cx.out.take_parts();
                    return Err(Refused { closes: true, ..unproven(head, WRONG_PASSWORD) });
                }
                Ok(_) => (),
                Err(fail) => {
                    cx.metrics.note_error(fail.code());
                    return Err(unproven(head, WRONG_PASSWORD));
                }
            }
        }
        Credentials::Unreadable => {
            return Err(unproven(head, "Authorization is Bearer <user>:<password>, or Basic with that in base64"));
        }
        // What a browser sends by itself is nothing for a page from elsewhere.
        Credentials::Tokens(tokens) if source == Source::Own => {
            let login = find_login(cx, &tokens);
            cx.client.access = login.map_or(cx.client.access, |(access, _)| access);
        }
        Credentials::Tokens(_) | Credentials::None => (),
    }
    match cx.client.access.is_authenticated() {
        true => Ok(None),
        false => Err(unproven(head, "say who you are: Authorization: Bearer <user>:<password>, or Basic")),
    }
}

/// The first of these that somebody has logged in by.
fn find_login(cx: &mut Context<'_>, tokens: &[&str]) -> Option<(Access, Hash)> {
    let (must_prove, now_us) = (cx.client.access.must_prove(), cx.now.monotonic_us);
    let logins = &mut cx.accounts.logins;
    tokens.iter().find_map(|token| logins.find(token, cx.users, must_prove, now_us))
}

/// What let a request in whose answer goes on; `None` where it would not be let in any more, after it had to wait.
pub(super) fn proof(cx: &mut Context<'_>, vouched: Option<&[u8]>, head: &Head<'_>) -> Option<Proof> {
    let proof = said(cx, vouched, head);
    proof.holds(cx.users, &cx.accounts.logins, cx.client.access.must_prove()).then_some(proof)
}

fn said(cx: &mut Context<'_>, vouched: Option<&[u8]>, head: &Head<'_>) -> Proof {
    let cookie_name = head.cookie.map(|_| cookie_name(cx)).unwrap_or_default();
    let is_own = guard::source(head, &cx.settings.options.http.origins) == Source::Own;
    let login = match credentials::of(head, &cookie_name) {
        Credentials::Password(Login { user, password }) => return Proof::Said(user, Password::of(&password)),
        Credentials::Tokens(tokens) if is_own => find_login(cx, &tokens),
        Credentials::Tokens(_) | Credentials::Unreadable | Credentials::None => None,
    };
    let vouched = vouched.map_or(Proof::None, |user| Proof::Certificate(user.to_vec()));
    login.map_or(vouched, |(_, login)| Proof::Login(login))
}

const WRONG_PASSWORD: &str = "there is no such user, or the password is wrong, or the user is off";

/// Nobody knows who asks. A browser is not told of `Basic`: it would ask its user by itself and keep the answer.
fn unproven(head: &Head<'_>, why: &'static str) -> Refused {
    let is_browser = head.fetch_site.is_some();
    let ways = if is_browser { "Bearer realm=\"kvstoreapp\"" } else { "Basic realm=\"kvstoreapp\", Bearer" };
    Refused::with(Wrong::new(401, why), "WWW-Authenticate", ways)
}

/// The same request once more, which was let in.
pub(super) fn again<'a>(cx: &Context<'_>, head: &'a Head<'a>) -> Result<(Asked<'a>, &'static Route), Refused> {
    let target = target::parse(head.target)?;
    let machines_only = cx.settings.options.http.policy == HttpPolicy::Metrics;
    let Found { route, rest } = routes::find(head.method, target.path, machines_only)?;
    let reader = match guard::source(head, &cx.settings.options.http.origins) {
        Source::Allowed(origin) => Some(origin),
        Source::Own | Source::Link | Source::Foreign => None,
    };
    let manner = Manner { reader, ..Manner::of(head, cx.now.unix_ms) };
    Ok((Asked { head, target, rest, manner, batch: Cell::new(None) }, route))
}
