//! Requests as bytes: however they are cut, one behind the other, and those that are none.

use kvstoreapp::node::options::{HttpOptions, HttpPolicy};
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Options, Origin};
use kvstoreapp::protocol::Dialect;

use crate::answers::{Answer, ask, parse, place, place_with, request};
use crate::pure::{NOW, finish, options, read, say, take_turns};

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// The answers to these bytes on one connection, and whether it is over after them.
fn play(bytes: &[u8]) -> (Vec<Answer>, bool) {
    let mut node = place();
    let said = say(&mut node, 0, bytes);
    (parse(&said, &[]), node.is_over(0))
}

#[test]
fn requests_are_answered_however_they_are_cut() {
    let said = [
        request("GET /livez", "", b""),
        request("GET /v1/keys?prefix=a", "", b""),
        request("GET /nosuch", "", b""),
        request("POST /livez", "", b"0123456789"),
        b"\r\nGET /readyz HTTP/1.1\nHost: a\n\n".to_vec(),
        b"GET /livez HTTP/1.0\r\n\r\n".to_vec(),
    ]
    .concat();
    let (whole, is_over) = play(&said);
    assert_eq!(statuses(&whole), [200, 200, 404, 405, 200, 200]);
    assert!(is_over, "HTTP/1.0 keeps nothing alive");
    for at in 0..=said.len() {
        let mut node = place();
        let (left, right) = said.split_at(at);
        let mut answers = say(&mut node, 0, left);
        answers.extend(say(&mut node, 0, right));
        assert_eq!(parse(&answers, &[]), whole, "cut at {at}");
    }
    let mut node = place();
    let answers: Vec<u8> = said.iter().flat_map(|&byte| say(&mut node, 0, &[byte])).collect();
    assert_eq!(parse(&answers, &[]), whole, "byte by byte");
}

#[test]
fn a_hundred_requests_in_one_piece_are_answered_in_order() {
    let said: Vec<u8> = (0..100).flat_map(|number| request(&format!("GET /livez?x{number}"), "", b"")).collect();
    let (answers, is_over) = play(&said);
    assert_eq!((answers.len(), is_over), (100, false));
    let said: Vec<u8> =
        (0..100).flat_map(|number| request(["GET /livez", "GET /nosuch"][number % 2], "", b"")).collect();
    let (answers, _) = play(&said);
    assert!(answers.iter().enumerate().all(|(number, answer)| answer.status == [200, 404][number % 2]));
}

#[test]
fn a_connection_goes_on_as_its_client_wants_it() {
    for (version, headers, goes_on, says) in [
        ("1.1", "", true, None),
        ("1.1", "Connection: close\r\n", false, Some("close")),
        ("1.0", "", false, Some("close")),
        ("1.0", "Connection: keep-alive\r\n", true, Some("keep-alive")),
    ] {
        let mut node = place();
        let said = format!("GET /livez HTTP/{version}\r\nHost: a\r\n{headers}\r\n");
        let answers = parse(&say(&mut node, 0, said.as_bytes()), &[]);
        assert_eq!((answers[0].status, answers[0].header("connection")), (200, says), "{said}");
        assert_eq!(node.is_over(0), !goes_on, "{said}");
    }
}

#[test]
fn head_is_answered_as_get_without_a_body() {
    let mut node = place();
    for path in ["/livez", "/v1/keys", "/nosuch"] {
        let (with, without) =
            (ask(&mut node, 0, &format!("GET {path}"), "", b""), ask(&mut node, 0, &format!("HEAD {path}"), "", b""));
        assert_eq!((with.status, with.headers), (without.status, without.headers), "{path}");
        assert!(without.body.is_empty() && !with.body.is_empty());
    }
}

#[test]
fn what_is_no_request_is_told_why_in_json_and_is_the_last_word() {
    let host = "Host: 127.0.0.1\r\n";
    for (said, status) in [
        (format!("GET  / HTTP/1.1\r\n{host}\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}bad header\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}X : a\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}X: a\r\n folded\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(16 << 10)), 431),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: a\r\n".repeat(64)), 431),
        (format!("GET / HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n\r\n"), 501),
        (format!("GET / HTTP/1.1\r\n{host}Expect: the-unexpected\r\n\r\n"), 417),
    ] {
        let behind = request("GET /v1/keys", "", b"");
        let (answers, is_over) = play(&[said.as_bytes(), &behind].concat());
        assert_eq!(statuses(&answers), [status], "{said:.200}");
        assert!(is_over, "{said:.200}");
        assert_eq!(answers[0].header("connection"), Some("close"));
        let body = answers[0].text();
        assert!(body.starts_with("{\"error\":\"") && body.ends_with("\"}\n"), "{body}");
        assert_eq!(answers[0].header("content-type"), Some("application/json"));
    }
}

#[test]
fn targets_that_are_odd_are_refused_and_the_connection_goes_on() {
    let mut node = place();
    for (target, status) in [
        ("/../../etc/passwd", 404),
        ("/livez/../v1/keys", 404),
        ("//livez", 404),
        ("/LIVEZ", 404),
        ("/livez%00", 404),
        ("/%6civez", 404),
        ("*", 404),
        ("livez", 400),
        ("/livez?nosuch", 400),
        ("/livez?verbose&verbose", 400),
        ("/livez?verbose=%zz", 400),
        ("/v1/keys?prefix=%4", 400),
        ("/v1/keys?count=-1", 400),
        ("/v1/keys?count=x", 400),
        ("/v1/keys?cursor=1e3", 400),
        ("http://127.0.0.1/livez", 200),
    ] {
        assert_eq!(ask(&mut node, 0, &format!("GET {target}"), "", b"").status, status, "{target}");
    }
    assert!(!node.is_over(0));
}

#[test]
fn a_body_that_nobody_wants_is_not_taken_for_a_request() {
    let inner = request("GET /livez", "", b"");
    // Short ones are read and forgotten; a client that waits for a word may send the body or not.
    let (answers, is_over) = play(&[request("POST /nosuch", "", &inner), inner.clone()].concat());
    assert_eq!((statuses(&answers), is_over), (vec![404, 200], false));
    for headers in [
        "Expect: 100-continue\r\nContent-Length: 9\r\n",
        "Content-Length: 99999999\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let (answers, is_over) = play(&[request("POST /nosuch", headers, b""), inner.clone()].concat());
        assert_eq!((statuses(&answers), is_over), (vec![404], true), "{headers}");
    }
    let (answers, is_over) = play(&[request("GET /livez", "", &inner), inner.clone()].concat());
    assert_eq!((statuses(&answers), is_over), (vec![400], true), "a body of GET");
}

#[test]
fn http_is_spoken_from_the_first_line_to_the_last() {
    for dialect in [Dialect::Line, Dialect::Resp2] {
        let mut node = place_with(Options { dialect, ..options() });
        assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").status, 200);
        let answers = parse(&say(&mut node, 0, b"*1\r\n$4\r\nPING\r\n\r\n"), &[]);
        assert_eq!((statuses(&answers), node.is_over(0)), (vec![400], true), "no RESP after HTTP");
    }
    for before in ["PING\r\n", "nonsense\r\n", "*1\r\n$4\r\nPING\r\n", "{\"op\":\"ping\"}\n"] {
        let mut node = place();
        say(&mut node, 0, before.as_bytes());
        let said = String::from_utf8(say(&mut node, 0, &request("GET /v1/keys", "", b""))).expect("text");
        assert!(!said.contains("HTTP/1.1 200"), "no HTTP after {before:?}: {said}");
    }
    let mut node = place();
    let said = say(&mut node, 0, b"Host: localhost\r\nGET /livez HTTP/1.1\r\n\r\n");
    assert!(said.starts_with(b"HTTP/1.1 400 ") && node.is_over(0), "a bare Host line");
}

#[test]
fn a_client_that_has_ended_its_direction_is_answered() {
    let mut node = place();
    node.receive(0, &request("GET /v1/keys", "", b""), NOW);
    let answers = finish(&mut node, 0);
    assert_eq!(statuses(&parse(&answers, &[])), [200]);
    assert!(node.is_over(0));
    let mut node = place();
    node.receive(0, b"GET /livez HTTP/1.1\r\n", NOW);
    assert_eq!((finish(&mut node, 0), node.is_over(0)), (Vec::new(), true), "half a head");
}

#[test]
fn a_client_that_does_not_read_is_not_read() {
    let mut node = place();
    let said = request("GET /livez", "", b"").repeat(100);
    let mut count = 0;
    while node.waits(0) == Waits::ForInput {
        node.receive(0, &said, NOW);
        while node.waits(0) == Waits::ForTurn {
            take_turns(&mut node);
        }
        count += 1;
        assert!(count < 100, "it stops");
    }
    assert_eq!(node.waits(0), Waits::ForReader);
    let mut answers = Vec::new();
    while node.waits(0) != Waits::ForInput {
        answers.extend(read(&mut node, 0));
        take_turns(&mut node);
    }
    answers.extend(read(&mut node, 0));
    assert_eq!(parse(&answers, &[]).len(), 100 * count);
}

#[test]
fn a_method_that_nobody_has_is_told_which_there_are() {
    for method in ["PATCH", "TRACE", "QUERY", "get"] {
        let mut node = place();
        let answer = ask(&mut node, 0, &format!("{method} /v1/keys/a"), "", b"");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, PUT, DELETE, OPTIONS")), "{method}");
        assert_eq!(ask(&mut node, 0, &format!("{method} /nosuch"), "", b"").status, 404);
    }
}

#[test]
fn what_comes_behind_a_question_what_may_be_done_is_no_request() {
    let hidden = request("PUT /v1/keys/hidden", "Content-Type: application/octet-stream\r\n", b"x");
    for path in ["*", "/v1/keys/a", "/"] {
        let mut node = place();
        let told = parse(&say(&mut node, 0, &request(&format!("OPTIONS {path}"), "", &hidden)), &[]);
        assert_eq!((told.len(), told[0].status, node.is_over(0)), (1, 400, true), "{path}: {told:?}");
        assert_eq!(node.store().get(b"hidden"), None, "{path}");
    }
}

/// In one piece, and as the network cuts it. Returns the status.
fn play_cut(said: &[u8], policy: HttpPolicy) -> u16 {
    let answers = [said.len(), 50_000, 4_096].map(|piece| {
        let http = HttpOptions { policy, ..HttpOptions::default() };
        let mut node = place_with(Options { http, ..options() });
        let answers: Vec<u8> = said.chunks(piece).flat_map(|piece| say(&mut node, 0, piece)).collect();
        let shown = said[..said.len().min(60)].escape_ascii();
        assert_eq!(node.store().keys(), 0, "{shown}: what follows is run as a command");
        assert!(node.is_over(0), "{shown}");
        parse(&answers, &[]).remove(0)
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "however it is cut: {answers:?}");
    answers[0].status
}

#[test]
fn a_first_line_that_is_a_request_line_is_one_whatever_its_length_and_version() {
    let (behind, long) = ("\r\nHost: 127.0.0.1\r\n\r\nSET a b\r\n", "x".repeat(1_200_000));
    for line in ["POST /", "GET /", "DELETE ", "PATCH /", "SET /", "SET http://a/"] {
        for end in ["", " HTTP/1.1", " HTTP/2.0"] {
            let said = format!("{line}{long}{end}{behind}");
            assert_eq!(play_cut(said.as_bytes(), HttpPolicy::On), 414, "{line}{end}");
            assert_eq!(play_cut(said.as_bytes(), HttpPolicy::Off), 400, "{line}{end}");
        }
    }
    for line in
        ["GET / HTTP/2.0", "SET / HTTP/2.0", "PUT / HTTP/1.2", "PRI * HTTP/2.0", "SET / HTTP/3", "SET / HTTP/9.9"]
    {
        let said = format!("{line}{behind}");
        assert_eq!(play_cut(said.as_bytes(), HttpPolicy::On), 505, "{line}");
        assert_eq!(play_cut(said.as_bytes(), HttpPolicy::Off), 400, "{line}");
    }
    let mut node = place();
    say(&mut node, 0, b"SET a HTTP/x\nSET b HTTP/1.1x \nSET c HTTP/2.0\n");
    assert_eq!(node.store().keys(), 3, "values that are no versions, and what comes later");
}

#[test]
fn odd_sizes_of_chunks_are_refused() {
    for (size, status) in [
        ("5", 201),
        ("5 \t", 201),
        ("5;x=\"\u{e9}\"\t", 201),
        ("5\r", 400),
        ("5\x0c", 400),
        ("5;\rx", 400),
        ("5;\0", 400),
    ] {
        let head = "PUT /v1/keys/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n";
        let said = format!("{head}Transfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n");
        let said = said.replace("Host: a\r\n", "Host: 127.0.0.1\r\n");
        let (answers, is_over) = play(said.as_bytes());
        assert_eq!((answers[0].status, is_over), (status, status == 400), "{size:?}");
    }
}

#[test]
fn what_is_no_http_is_told_so_at_once_where_nothing_else_is_spoken() {
    let mut said =
        vec![&b"*1\r\n$4\r\nPING\r\n"[..], b"{\"op\":\"ping\"", b"PING\n", b"SET a b\r\n", b"\x16\x03\x01", b"("];
    said.extend([&b"GET /\r\n"[..], b" GET / HTTP/1.1\r\n"]);
    for said in said {
        for piece in [said.len(), 1] {
            let mut node = place();
            node.open(1, Origin::Loopback, NOW).expect("there is room");
            node.speak_http(1);
            let answers: Vec<u8> = said.chunks(piece).flat_map(|piece| say(&mut node, 1, piece)).collect();
            let shown = said.escape_ascii();
            assert!(node.is_over(1), "{shown}: it is held");
            assert_eq!(statuses(&parse(&answers, &[])), [400], "{shown}");
        }
    }
    let mut node = place();
    node.speak_http(0);
    assert_eq!(say(&mut node, 0, b"GET /livez HTTP/1.1\r\nHost:"), b"", "the rest may come");
    assert_eq!(statuses(&parse(&say(&mut node, 0, b" a\r\n\r\n"), &[])), [200]);
}
