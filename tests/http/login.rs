//! The form, and the cookie that it brings.

use kvstoreapp::auth::Password;
use kvstoreapp::auth::logins::LOGIN_S;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Certificate, Node, Now, Options, Origin, SessionId};

use crate::answers::{Answer, ask, ask_anew, parse, place_with, request};
use crate::pure::{NOW, options, read, take_turns_at, tick};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn closed() -> Node {
    let mut node = place_with(Options { password: Some(Password::of(b"top")), ..options() });
    log_in_by_words(&mut node, "ACL SETUSER alice on >pass+word ~a:* +get");
    node
}

/// The administrator's words.
fn log_in_by_words(node: &mut Node, said: &str) {
    let password = ["AUTH default top", said].map(|said| {
        let words: String = said.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{words}", said.split(' ').count())
    });
    assert_eq!(crate::answers::by_lines(node, &password.concat()), "+OK\r\n+OK\r\n", "{said}");
}

fn log_in(node: &mut Node, body: &str, headers: &str) -> Answer {
    ask(node, 0, "POST /login", &format!("{FORM}{headers}"), body.as_bytes())
}

/// The header that the browser sends from here on.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    format!("Cookie: {}\r\n", set.split(';').next().expect("there is a first part"))
}

fn status(node: &mut Node, headers: &str) -> u16 {
    ask_anew(node, Origin::Loopback, "GET /v1/keys/a:1", headers, b"").status
}

#[test]
fn a_person_logs_in_and_is_that_user_until_they_log_out() {
    let mut node = closed();
    let page = ask(&mut node, 0, "GET /login", "", b"");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("<form method=\"post\" action=\"/login\">") && !page.text().contains("<script"));
    let policy = page.header("content-security-policy").expect("there is one");
    assert_eq!(
        policy,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    // Without one a browser says that the form comes from nowhere.
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    let answer = log_in(&mut node, "user=alice&password=pass%2Bword", "Origin: http://127.0.0.1:5000\r\n");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let set = answer.header("set-cookie").expect("there is one");
    let (token, rest) = set.split_once("; ").expect("it has attributes");
    assert!(token.starts_with("kvstoreapp-5000=") && token.len() == "kvstoreapp-5000=".len() + 64, "{token}");
    assert_eq!(rest, format!("HttpOnly; SameSite=Strict; Path=/; Max-Age={LOGIN_S}"));
    let cookie = cookie(&answer);
    assert_eq!((status(&mut node, &cookie), status(&mut node, "")), (404, 401));
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/b", &cookie, b"").status, 403, "the rights are the user's");
    let put = format!("{cookie}Content-Type: application/octet-stream\r\n");
    assert_eq!(ask(&mut node, 0, "PUT /v1/keys/a:1", &put, b"x").status, 403, "a reader cannot write");
    let out = ask(&mut node, 0, "POST /logout", &format!("{FORM}{cookie}"), b"");
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(
        out.header("set-cookie").is_some_and(|set| set.starts_with("kvstoreapp-5000=; ") && set.contains("Max-Age=0"))
    );
    assert_eq!(status(&mut node, &cookie), 401);
}

#[test]
fn a_login_ends_with_its_time_its_password_and_its_user() {
    for change in ["ACL SETUSER alice resetpass >other", "ACL DELUSER alice", "ACL SETUSER alice off"] {
        let mut node = closed();
        let cookie = cookie(&log_in(&mut node, "user=alice&password=pass%2Bword", ""));
        assert_eq!(status(&mut node, &cookie), 404);
        log_in_by_words_any(&mut node, change);
        assert_eq!(status(&mut node, &cookie), 401, "{change}");
        log_in_by_words_any(&mut node, "ACL SETUSER alice on >pass+word ~a:* +get");
        assert_eq!(status(&mut node, &cookie), 401, "it does not come back: {change}");
    }
    let mut node = closed();
    let cookie = cookie(&log_in(&mut node, "password=top", ""));
    assert_eq!(status(&mut node, &cookie), 404, "the default user, where no name is said");
    let later = Now { monotonic_us: NOW.monotonic_us + LOGIN_S * 1_000_000, ..NOW };
    node.receive(0, &request("GET /v1/keys/a:1", &cookie, b""), later);
    take_turns_at(&mut node, later);
    assert_eq!(parse(&read(&mut node, 0), &[])[0].status, 401);
}

fn log_in_by_words_any(node: &mut Node, said: &str) {
    let words = |said: &str| {
        let words: String = said.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{words}", said.split(' ').count())
    };
    let answer = crate::answers::by_lines(node, &[words("AUTH default top"), words(said)].concat());
    assert!(answer == "+OK\r\n+OK\r\n" || answer == "+OK\r\n:1\r\n", "{said}: {answer}");
}

#[test]
fn a_wrong_password_is_told_on_the_form_and_waited_for_longer_each_time() {
    let mut node = closed();
    let page = log_in(&mut node, "user=alice&password=wrong%3Cscript%3E", "");
    assert_eq!(page.status, 401);
    assert!(
        page.text().contains("the password is wrong")
            && page.text().contains("<form")
            && !page.text().contains("script")
    );
    assert_eq!(page.header("set-cookie"), None);
    node.receive(0, &request("POST /login", FORM, b"user=alice&password=wrong"), NOW);
    assert!(node.sendable(0).is_empty(), "the answer waits");
    assert!(node.deadline_us() > NOW.monotonic_us);
    // The tenth is the last of a connection, as with AUTH.
    let mut node = closed();
    for number in 1..=10 {
        assert!(!node.is_over(0), "{number}");
        assert_eq!(log_in(&mut node, "user=alice&password=wrong", "").status, 401);
    }
    assert!(node.is_over(0), "ten are too many");
    let mut node = closed();
    for number in 1..=10 {
        assert!(!node.is_over(0), "{number}");
        assert_eq!(ask(&mut node, 0, "GET /v1/keys/a:1", "Authorization: Bearer alice:wrong\r\n", b"").status, 401);
    }
    assert!(node.is_over(0), "ten are too many");
}

#[test]
fn the_form_is_for_pages_of_this_node_over_a_way_that_nobody_listens_to() {
    let mut node = closed();
    let body = "user=alice&password=pass%2Bword";
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Host: evil.example\r\n",
    ] {
        assert!(matches!(log_in(&mut node, body, headers).status, 403 | 421), "{headers}");
    }
    assert_eq!(ask(&mut node, 0, "POST /login", "Content-Type: application/json\r\n", body.as_bytes()).status, 415);
    assert_eq!(log_in(&mut node, &"x".repeat(5_000), "").status, 413);
    assert_eq!(log_in(&mut node, "user=alice&password=pass%2Bword&to=//evil.example", "").status, 400);
    for (id, is_encrypted, status) in [(1, false, 403), (2, true, 303)] {
        node.open(id, Origin::Far, NOW).expect("there is room");
        if is_encrypted {
            node.encrypted(id, Certificate::None, NOW);
        }
        let answer = ask(&mut node, id, "POST /login", FORM, body.as_bytes());
        assert_eq!(answer.status, status);
        if is_encrypted {
            let set = answer.header("set-cookie").expect("there is one");
            assert!(set.starts_with("__Host-kvstoreapp-5000=") && set.ends_with("; Secure"), "{set}");
        } else {
            assert_eq!(ask(&mut node, id, "GET /login", "", b"").status, 403);
        }
    }
}

#[test]
fn a_cookie_is_nothing_for_a_page_from_elsewhere() {
    let http = kvstoreapp::node::options::HttpOptions {
        origins: vec!["https://app.example".to_owned()],
        ..Default::default()
    };
    let mut node = place_with(Options { password: Some(Password::of(b"top")), http, ..options() });
    let cookie = cookie(&log_in(&mut node, "password=top", ""));
    assert_eq!(status(&mut node, &cookie), 404);
    let from = "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(status(&mut node, &format!("{cookie}{from}")), 401);
    assert_eq!(status(&mut node, &format!("Authorization: Bearer default:top\r\n{from}")), 404);
    assert_eq!(log_in(&mut node, "password=top", from).status, 403);
    assert_eq!(status(&mut node, "Cookie: kvstoreapp-5000=0000\r\n"), 401);
    assert_eq!(status(&mut node, "Cookie: kvstoreapp-5001=0000\r\n"), 401);
}

/// A node whose tokens differ, and who may see more of it.
fn closed_with(rules: &str) -> Node {
    let mut node = closed();
    let mut number = 0_u64;
    node.random_by(move |bytes| {
        number += 1;
        bytes[..8].copy_from_slice(&number.to_le_bytes());
    });
    log_in_by_words_any(&mut node, &format!("ACL SETUSER alice {rules}"));
    node
}

const ALICE: &str = "user=alice&password=pass%2Bword";
const BEARER: &str = "Authorization: Bearer alice:pass+word\r\n";
const LONG: SessionId = 3;

/// Begins an answer that goes on, and reads what there is of it.
fn begin(node: &mut Node, line: &str, headers: &str) {
    node.close(LONG);
    node.open(LONG, Origin::Loopback, NOW).expect("there is room");
    node.receive(LONG, &request(line, headers, b""), NOW);
    let said = read(node, LONG);
    assert!(said.starts_with(b"HTTP/1.1 200 "), "{line}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn a_stream_ends_with_the_login_or_the_password_that_it_was_let_in_by() {
    let stream = "GET /v1/watch?prefix=a:";
    for change in ["ACL SETUSER alice resetpass >other", "ACL SETUSER alice off", "ACL DELUSER alice"] {
        for by_cookie in [true, false] {
            let mut node = closed_with("+watch-prefix");
            let cookie = cookie(&log_in(&mut node, ALICE, ""));
            begin(&mut node, stream, if by_cookie { &cookie } else { BEARER });
            log_in_by_words_any(&mut node, "ACL SETUSER alice >more +set");
            tick(&mut node, NOW);
            assert!(!node.is_over(LONG), "its password is still one");
            log_in_by_words_any(&mut node, change);
            assert!(node.is_over(LONG), "{change}, by cookie: {by_cookie}");
        }
    }
    let mut node = closed_with("+watch-prefix");
    let [ours, other] = [(); 2].map(|()| cookie(&log_in(&mut node, ALICE, "")));
    begin(&mut node, stream, &ours);
    for (cookie, is_over) in [(&other, false), (&ours, true)] {
        assert_eq!(ask(&mut node, 0, "POST /logout", &format!("{FORM}{cookie}"), b"").status, 303);
        tick(&mut node, NOW);
        assert_eq!(node.is_over(LONG), is_over, "of two logins each is one");
    }
    let cookie = cookie(&log_in(&mut node, ALICE, ""));
    begin(&mut node, stream, &cookie);
    tick(&mut node, NOW);
    let end_us = NOW.monotonic_us + LOGIN_S * 1_000_000;
    assert!(node.deadline_us() <= end_us, "the loop wakes up for it");
    tick(&mut node, Now { monotonic_us: end_us - 1, ..NOW });
    assert!(!node.is_over(LONG));
    tick(&mut node, Now { monotonic_us: end_us, ..NOW });
    assert!(node.is_over(LONG), "its time is over");
}

#[test]
fn a_long_answer_ends_with_what_let_it_in_and_with_the_right_to_it() {
    let keys: String = (0..20_000).map(|number| format!("SET key:{number} v\n")).collect();
    for line in ["GET /v1/keys?count=100000", "GET /metrics", "GET /metrics/redis"] {
        let right = if line.contains("keys") { "-scan" } else { "-info" };
        for rule in [right, "off", "resetpass"] {
            for by_cookie in [true, false] {
                let mut node = closed_with("+scan +info");
                crate::answers::by_lines(&mut node, &format!("AUTH top\n{keys}"));
                let cookie = cookie(&log_in(&mut node, ALICE, ""));
                begin(&mut node, line, if by_cookie { &cookie } else { BEARER });
                // In the same turn: the answer does not come to its end meanwhile.
                node.open(4, Origin::Loopback, NOW).expect("there is room");
                node.receive(4, b"*2\r\n$4\r\nAUTH\r\n$3\r\ntop\r\nACL SETUSER alice +set\r\n", NOW);
                assert_eq!(node.waits(LONG), Waits::ForTurn, "{line}: it goes on");
                node.receive(4, format!("ACL SETUSER alice {rule}\r\n").as_bytes(), NOW);
                assert_eq!(read(&mut node, 4), b"+OK\r\n+OK\r\n+OK\r\n");
                read(&mut node, LONG);
                assert!(node.is_over(LONG), "{line}: {rule}, by cookie: {by_cookie}");
            }
        }
    }
}

#[test]
fn nobody_ends_the_logins_of_others_with_their_own() {
    let mut node = closed_with("+get");
    let root = cookie(&log_in(&mut node, "password=top", ""));
    let own: Vec<String> = (0..1_030).map(|_| cookie(&log_in(&mut node, ALICE, ""))).collect();
    assert_eq!(status(&mut node, &root), 404, "the other user's");
    let last = [1_013, 1_014, 1_029].map(|number: usize| status(&mut node, &own[number]));
    assert_eq!(last, [401, 404, 404], "16 of each user");
}

#[test]
fn of_several_cookies_with_the_nodes_name_each_is_looked_at() {
    let mut node = closed_with("+get");
    let own = cookie(&log_in(&mut node, ALICE, ""));
    let several = own.replace("Cookie: ", "Cookie: kvstoreapp-5000=0000; a=b; ");
    assert_eq!(status(&mut node, &several), 404);
    assert_eq!(ask(&mut node, 0, "POST /logout", &format!("{FORM}{several}"), b"").status, 303);
    assert_eq!(status(&mut node, &own), 401, "the login is over, behind whatever its cookie stands");
}
