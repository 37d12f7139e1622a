//! What a web page tries that must not reach anything.

use kvstoreapp::auth::Password;
use kvstoreapp::node::options::HttpOptions;
use kvstoreapp::node::{Options, Origin};
use kvstoreapp::replica::Cluster;

use crate::answers::{ask, ask_anew, place, place_with};
use crate::pure::{NOW, cluster, options, start};

#[test]
fn a_name_that_was_pointed_here_is_not_answered() {
    let http = HttpOptions { names: vec!["kv.example".to_owned()], ..HttpOptions::default() };
    let mut node = place_with(Options { http, ..options() });
    for (host, status) in [
        ("127.0.0.1:5000", 200),
        ("localhost", 200),
        ("[::1]:5000", 200),
        ("kv.example:5000", 200),
        ("10.0.0.0", 200),
        ("evil.example", 421),
        ("evil.example:5000", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ] {
        let header = format!("Host: {host}\r\n");
        assert_eq!(ask(&mut node, 0, "GET /v1/keys", &header, b"").status, status, "{host}");
        assert_eq!(ask(&mut node, 0, "GET /livez", &header, b"").status, 200, "health is for everybody: {host}");
        assert_eq!(ask(&mut node, 0, "OPTIONS /v1/keys", &header, b"").status == 421, status == 421, "{host}");
    }
    assert_eq!(ask(&mut node, 0, "GET http://evil.example/v1/keys", "", b"").status, 421, "in the target");
}

#[test]
fn the_names_of_the_config_file_are_the_nodes_own() {
    let members = vec!["kv0.example:5000".to_owned(), "KV1.example:5000".to_owned(), String::new()];
    let mut node = start(Cluster { members, ..cluster(0, 3, 1) }, options(), NOW);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    for (host, status) in [
        ("kv0.example", 200),
        ("kv1.example:5000", 200),
        ("KV0.EXAMPLE.:80", 200),
        ("kv2.example", 421),
        ("kv0.example.evil.example", 421),
        (":5000", 421),
    ] {
        assert_eq!(ask(&mut node, 0, "GET /v1/keys", &format!("Host: {host}\r\n"), b"").status, status, "{host}");
    }
    let answer = ask(&mut node, 0, "GET /v1/keys", "Host: kv2.example\r\n", b"");
    assert!(answer.text().contains("--http-name"), "it says what can be done");
}

#[test]
fn a_page_of_another_origin_is_refused_unless_it_is_let_in() {
    let http = HttpOptions { origins: vec!["https://app.example".to_owned()], ..HttpOptions::default() };
    let mut node = place_with(Options { http, ..options() });
    for (headers, status) in [
        ("", 200),
        ("Origin: http://127.0.0.1:5000\r\n", 200),
        ("Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
        ("Sec-Fetch-Site: none\r\n", 200),
        ("Origin: null\r\n", 403),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: http://127.0.0.1:8080\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", 403),
    ] {
        let answer = ask(&mut node, 0, "GET /v1/keys", headers, b"");
        assert_eq!(answer.status, status, "{headers}");
        let reader = headers.contains("app.example").then_some("https://app.example");
        assert_eq!(answer.header("access-control-allow-origin"), reader, "{headers}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[test]
fn a_preflight_is_told_what_a_page_that_is_let_in_may_do_and_others_nothing() {
    let http = HttpOptions { origins: vec!["https://app.example".to_owned()], ..HttpOptions::default() };
    let options = Options { http, password: Some(Password::of(b"secret")), ..options() };
    let mut node = place_with(options);
    let wanted = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization\r\n";
    let answer = ask(&mut node, 0, "OPTIONS /v1/keys", &format!("Origin: https://app.example\r\n{wanted}"), b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("https://app.example")));
    let allowed = answer.header("access-control-allow-headers").expect("it says so");
    assert!(allowed.contains("Authorization") && !allowed.contains("Cookie") && !allowed.contains('*'));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys", "Origin: https://app.example\r\n", b"").status, 401);
    let answer = ask(&mut node, 0, "OPTIONS /v1/keys", &format!("Origin: https://evil.example\r\n{wanted}"), b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    let answer = ask(&mut node, 0, "OPTIONS /v1/keys", "", b"");
    assert_eq!((answer.status, answer.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(answer.header("access-control-allow-methods"), None);
}

#[test]
fn every_answer_is_nobodys_page() {
    let mut node = place();
    for line in ["GET /livez", "GET /v1/keys", "GET /nosuch", "POST /livez", "OPTIONS *"] {
        let answer = ask(&mut node, 0, line, "", b"");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{line}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{line}");
        let policy = answer.header("content-security-policy").expect("it says so");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

#[test]
fn from_elsewhere_a_node_without_a_password_says_how_it_is_and_nothing_else() {
    let mut node = place();
    for line in ["GET /livez", "GET /readyz", "GET /readyz?verbose&strict"] {
        assert_eq!(ask_anew(&mut node, Origin::Far, line, "Host: anything\r\n", b"").status, 200, "{line}");
    }
    for line in ["GET /v1/keys", "GET /", "GET /nosuch", "OPTIONS /v1/keys", "POST /livez"] {
        let answer = ask_anew(&mut node, Origin::Far, line, "", b"");
        assert!(matches!(answer.status, 403 | 405), "{line}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{line}");
    }
    assert!(ask_anew(&mut node, Origin::Far, "GET /v1/keys", "", b"").text().contains("protected mode"));
}

#[test]
fn a_request_says_who_asks_each_time_anew() {
    let mut node = place_with(Options { password: Some(Password::of(b"secret")), ..options() });
    let wrong = ask(&mut node, 0, "GET /v1/keys", "", b"");
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some("Basic realm=\"kvstoreapp\", Bearer")));
    for (said, status) in [
        ("Bearer default:secret", 200),
        ("Basic ZGVmYXVsdDpzZWNyZXQ=", 200),
        ("Bearer default:wrong", 401),
        ("Bearer nobody:secret", 401),
        ("Bearer secret", 401),
        ("Digest default:secret", 401),
    ] {
        let header = format!("Authorization: {said}\r\n");
        assert_eq!(ask(&mut node, 0, "GET /v1/keys", &header, b"").status, status, "{said}");
        assert_eq!(ask(&mut node, 0, "GET /v1/keys", "", b"").status, 401, "after {said}");
        assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").status, 200, "after {said}");
    }
}
