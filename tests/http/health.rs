//! `/livez` and `/readyz`.

use kvstoreapp::auth::Password;
use kvstoreapp::node::{Now, Options, Origin};
use rustix::process::Signal;

use crate::answers::{ask, parse, place, request};
use crate::harness::Server;
use crate::pure::{NOW, cluster, hand_over, options, say, start, tick};

#[test]
fn a_node_alone_is_ready_and_says_why() {
    let mut node = place();
    assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").text(), "live\n");
    assert_eq!(ask(&mut node, 0, "GET /readyz", "", b"").text(), "ready\n");
    let told = ask(&mut node, 0, "GET /readyz?verbose&strict", "", b"").text();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines.iter().all(|line| line.starts_with("ok ")), "{told}");
    assert_eq!(ask(&mut node, 0, "GET /livez?verbose", "", b"").text(), "ok  loop: it answers\n");
}

#[test]
fn a_node_is_ready_when_its_peers_were_waited_for_and_stays_so() {
    let after = |s: u64| Now { monotonic_us: NOW.monotonic_us + s * 1_000_000, ..NOW };
    let mut node = start(cluster(0, 2, 1), Options { ready_after_s: 4, ..options() }, NOW);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    tick(&mut node, NOW);
    let answer = ask(&mut node, 0, "GET /readyz", "", b"");
    assert_eq!((answer.status, answer.text()), (503, "not ready: node 1 was not reached yet\n".to_owned()));
    let told = ask(&mut node, 0, "GET /readyz?verbose", "", b"").text();
    assert!(told.contains("\nNOT peers: node 1 was not reached yet\n"), "{told}");
    assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").status, 200, "it lives whoever is away");
    tick(&mut node, after(4));
    assert_eq!(ask(&mut node, 0, "GET /readyz", "", b"").status, 200);
    let told = ask(&mut node, 0, "GET /readyz?strict&verbose", "", b"");
    assert_eq!(told.status, 503, "not all nodes agree");
    assert!(told.text().contains("\nNOT node 1: "), "{}", told.text());
}

#[test]
fn an_end_that_was_asked_for_is_told_at_once() {
    let mut node = place();
    node.shut_down();
    let answer = ask(&mut node, 0, "GET /readyz", "", b"");
    assert_eq!((answer.status, answer.text()), (503, "not ready: the node is shutting down\n".to_owned()));
    assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").status, 200);
}

#[test]
fn health_needs_no_password_and_no_name_and_changes_nothing_for_the_next_request() {
    let mut node = crate::answers::place_with(Options { password: Some(Password::of(b"secret")), ..options() });
    for path in ["/livez", "/readyz"] {
        let headers = "Host: probe.example\r\nOrigin: http://evil.example\r\nAuthorization: Bearer a:b\r\n";
        assert_eq!(ask(&mut node, 0, &format!("GET {path}"), headers, b"").status, 200);
    }
    assert_eq!(ask(&mut node, 0, "GET /v1/keys", "", b"").status, 401);
    let later = Now { monotonic_us: NOW.monotonic_us + 61_000_000, ..NOW };
    hand_over(&mut node, later);
    assert!(node.is_over(0), "a stranger has a minute");
    drop(parse(&say(&mut node, 0, &request("GET /livez", "", b"")), &[]));
}

/// Also while clients are answered for the last time.
#[test]
fn a_real_node_is_live_and_ready() {
    let server = Server::start(&[]);
    for path in ["/livez", "/readyz"] {
        let mut client = server.connect();
        client.send(request(&format!("GET {path}"), "Host: probe\r\nConnection: close\r\n", b""));
        let answer = parse(&client.finish(), &[]).remove(0);
        assert_eq!(answer.status, 200, "{path}");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().1.code(), Some(0));
}
