//! `/metrics` and `/metrics/redis` over HTTP: who may, in which form, in slices.

use kvstoreapp::auth::Password;
use kvstoreapp::node::options::{HttpOptions, HttpPolicy};
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Options};

use crate::answers::{Answer, ask, by_lines, by_words, parse, place, place_with, request};
use crate::pure::{NOW, options, read, take_turns};
use crate::scrape::{self, find};

const PATHS: [&str; 2] = ["/metrics", "/metrics/redis"];

fn get(node: &mut Node, path: &str, headers: &str) -> Answer {
    ask(node, 0, &format!("GET {path}"), headers, b"")
}

#[test]
fn a_collector_gets_the_form_that_it_asks_for() {
    let mut node = place();
    by_lines(&mut node, "SET a b\nGET a\nGET none\n");
    for path in PATHS {
        let plain = get(&mut node, path, "");
        assert_eq!((plain.status, plain.header("vary")), (200, Some("Accept")));
        assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let families = scrape::read(&plain.text(), false);
        let open = get(&mut node, path, "Accept: application/openmetrics-text; version=1.0.0,text/plain;q=0.5\r\n");
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(open.header("content-type"), Some(kind));
        assert_eq!(scrape::read(&open.text(), true).len(), families.len());
        let keys = if path == "/metrics" { "kvstoreapp_keys" } else { "redis_db_keys" };
        assert_eq!(find(&families, keys, &[]), Some(1.0));
    }
    let head = ask(&mut node, 0, "HEAD /metrics", "", b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(get(&mut node, "/metrics?collect[]=all", "").status, 200, "what a collector puts behind it is its own");
}

#[test]
fn figures_are_for_who_may_ask_for_info() {
    let mut node = place_with(Options { password: Some(Password::of(b"secret")), ..options() });
    let in_words = |request: &str| {
        let words = request.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", request.split(' ').count(), words.collect::<String>())
    };
    for user in ["watcher on >word +info", "reader on >word ~* +get"] {
        let said = in_words("AUTH secret") + &in_words(&format!("ACL SETUSER {user}"));
        assert_eq!(by_lines(&mut node, &said), "+OK\r\n+OK\r\n");
    }
    for path in PATHS {
        let status = |node: &mut Node, who: &str| get(node, path, who).status;
        assert_eq!(status(&mut node, ""), 401, "{path}");
        assert_eq!(status(&mut node, "Authorization: Bearer watcher:wrong\r\n"), 401, "{path}");
        assert_eq!(status(&mut node, "Authorization: Bearer reader:word\r\n"), 403, "{path}");
        assert_eq!(status(&mut node, "Authorization: Bearer watcher:word\r\n"), 200, "{path}");
        assert_eq!(status(&mut node, "Authorization: Basic d2F0Y2hlcjp3b3Jk\r\n"), 200, "{path}");
    }
}

#[test]
fn with_http_for_machines_figures_are_there_and_keys_are_not() {
    let http = HttpOptions { policy: HttpPolicy::Metrics, ..HttpOptions::default() };
    let mut node = place_with(Options { http, ..options() });
    PATHS.into_iter().for_each(|path| assert_eq!(get(&mut node, path, "").status, 200, "{path}"));
    assert_eq!(get(&mut node, "/v1/keys", "").status, 404);
}

#[test]
fn a_page_is_made_a_slice_a_turn_and_the_next_request_comes_after_it() {
    let mut node = place();
    let commands = by_words(&mut node, "COMMAND LIST");
    for name in commands.split("\r\n").filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
        by_words(&mut node, &format!("{name} a b c d e f g h i j"));
    }
    let twice = [request("GET /metrics", "", b""), request("GET /livez", "", b"")].concat();
    node.receive(0, &twice, NOW);
    let (mut said, mut slices) = (Vec::new(), 0);
    while node.waits(0) == Waits::ForTurn {
        let slice = read(&mut node, 0);
        assert!(slice.len() < 8 << 10, "{} bytes in one turn", slice.len());
        said.extend(slice);
        slices += 1;
        take_turns(&mut node);
    }
    said.extend(read(&mut node, 0));
    let answers = parse(&said, &[]);
    assert!(slices > 5, "{slices} slices of {} bytes", said.len());
    assert_eq!((answers.len(), answers[1].text().as_str()), (2, "live\n"));
    scrape::read(&answers[0].text(), false);
}
