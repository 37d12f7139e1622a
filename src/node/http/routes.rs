//! What there is: the one table of paths.
//!
//! A further route is a row here: a method, a path, who may ask, what body it takes, and the function that answers. One
//! whose answer can be long begins it ([`Handled::Long`]) and goes on in slices
//! ([`slices`](super::slices)).

use std::borrow::Cow;

use super::asked::{Asked, Handled, Refused};
use super::{
    calls, description, health, history, keys, login, me, metrics, page, settings, status, ticks, values, watch,
};
use crate::http::answer::{BYTES, JSON};
use crate::http::head::Method;
use crate::http::{Wrong, target};
use crate::node::commands::context::Context;
use crate::protocol::Command;

/// Answers a request. Of a request that has to wait the body is left as it is.
type Handler = fn(&mut Context<'_>, &Asked<'_>, &mut Vec<u8>) -> Result<Handled, Refused>;

/// Who may ask, before the command that a route stands for asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Anybody, by whatever name they call the node.
    Anyone,
    /// Anybody who calls the node by its name, and is no page from elsewhere.
    Visitors,
    /// Who is a user.
    Users,
    /// Who may run this command.
    Allowed(Command),
}

/// Which paths a route has.
#[derive(Clone, Copy, Debug)]
enum Path {
    /// This one.
    Is(&'static str),
    /// Those that begin so and go on.
    Below(&'static str),
}

/// Which body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    None,
    /// A value, of one of these kinds.
    Value(&'static [&'static str]),
    /// Commands.
    Calls,
    /// What a form sends that is filled in.
    Form,
}

/// A row of the table.
pub(super) struct Route {
    method: Method,
    path: Path,
    pub(super) who: Who,
    pub(super) body: Wanted,
    /// Whether it is there with `--http metrics`, too.
    is_for_machines: bool,
    pub(super) handler: Handler,
}

const VALUE: Wanted = Wanted::Value(&[BYTES, JSON]);

/// All of them.
static ROUTES: &[Route] = &[
    get("/livez", Who::Anyone, health::livez).for_machines(),
    get("/readyz", Who::Anyone, health::readyz).for_machines(),
    get("/metrics", Who::Allowed(Command::Info), metrics::own).for_machines(),
    get("/metrics/redis", Who::Allowed(Command::Info), metrics::redis).for_machines(),
    get("/", Who::Visitors, page::index),
    Route { who: Who::Visitors, ..below("/page/", Method::Get, Wanted::None, page::file) },
    post_calls("/", calls::one),
    post_calls("/pipeline", calls::pipeline),
    post_calls("/multi-exec", calls::multi_exec),
    get("/login", Who::Visitors, login::show),
    post_form("/login", login::log_in),
    post_form("/logout", login::log_out),
    get("/v1/openapi.json", Who::Visitors, description::openapi),
    get("/v1/status", Who::Allowed(Command::Info), status::show),
    get("/v1/history", Who::Allowed(Command::Info), history::show),
    get("/v1/ticks", Who::Allowed(Command::Info), ticks::show),
    get("/v1/me", Who::Users, me::me),
    get("/v1/settings", Who::Users, settings::list),
    get("/v1/watch", Who::Users, watch::watch),
    get("/v1/keys", Who::Users, keys::list),
    below("/v1/keys/", Method::Get, Wanted::None, values::get),
    below("/v1/keys/", Method::Put, VALUE, values::put),
    below("/v1/keys/", Method::Delete, Wanted::None, values::delete),
];

const fn get(path: &'static str, who: Who, handler: Handler) -> Route {
    let path = Path::Is(path);
    Route { method: Method::Get, path, who, body: Wanted::None, is_for_machines: false, handler }
}

const fn post_calls(path: &'static str, handler: Handler) -> Route {
    let path = Path::Is(path);
    Route { method: Method::Post, path, who: Who::Users, body: Wanted::Calls, is_for_machines: false, handler }
}

const fn post_form(path: &'static str, handler: Handler) -> Route {
    let path = Path::Is(path);
    Route { method: Method::Post, path, who: Who::Visitors, body: Wanted::Form, is_for_machines: false, handler }
}

const fn below(path: &'static str, method: Method, body: Wanted, handler: Handler) -> Route {
    Route { method, path: Path::Below(path), who: Who::Users, body, is_for_machines: false, handler }
}

impl Route {
    const fn for_machines(self) -> Route {
        Route { is_for_machines: true, ..self }
    }

    /// What the path has behind its own, where it is one of its paths.
    fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self.path {
            Path::Is(own) => (path == own).then_some(""),
            Path::Below(own) => path.strip_prefix(own),
        }
    }
}

/// What is there of a path.
pub(super) struct Found<'a> {
    pub(super) route: &'static Route,
    pub(super) rest: Cow<'a, [u8]>,
}

/// The route for this, of all or of those for machines.
pub(super) fn find(method: Method, path: &str, machines_only: bool) -> Result<Found<'_>, Refused> {
    let method = if method == Method::Head { Method::Get } else { method };
    let mut is_path = false;
    for (route, rest) in of(path, machines_only) {
        is_path = true;
        if route.method == method {
            return Ok(Found { route, rest: target::decode(rest)? });
        }
    }
    if is_path {
        let wrong = Wrong::new(405, "that cannot be done with this path; Allow says what can");
        return Err(Refused::with(wrong, "Allow", methods(path, machines_only)));
    }
    Err(Wrong::new(404, "there is no such path").into())
}

/// What can be done with this path, as a header says it; empty: it is none.
pub(super) fn methods(path: &str, machines_only: bool) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for (route, _) in of(path, machines_only) {
        methods.push(route.method.name());
        if route.method == Method::Get {
            methods.push(Method::Head.name());
        }
    }
    if !methods.is_empty() {
        methods.push(Method::Options.name());
    }
    methods.join(", ")
}

fn of(path: &str, machines_only: bool) -> impl Iterator<Item = (&'static Route, &str)> {
    let routes = ROUTES.iter().filter(move |route| route.is_for_machines || !machines_only);
    routes.filter_map(move |route| Some((route, route.rest(path)?)))
}
