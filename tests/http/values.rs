//! One key: its value, its tag, and what depends on it.

use kvstoreapp::node::{Node, Now};

use crate::answers::{Answer, ask, by_lines, by_words, parse, place, request};
use crate::pure::{NOW, say, tick};

const OCTETS: &str = "Content-Type: application/octet-stream\r\n";

fn put(node: &mut Node, path: &str, headers: &str, value: &[u8]) -> Answer {
    ask(node, 0, &format!("PUT {path}"), &format!("{OCTETS}{headers}"), value)
}

#[test]
fn a_value_comes_back_as_it_went_in() {
    let mut node = place();
    let all: Vec<u8> = (0..=255).collect();
    for (path, key, value) in [
        ("/v1/keys/color", &b"color"[..], &b"blue"[..]),
        ("/v1/keys/a%20b%2Fc%00", b"a b/c\0", &all),
        ("/v1/keys/a/b/../c", b"a/b/../c", b"x"),
        ("/v1/keys/..", b"..", b"y"),
        ("/v1/keys/%ff+", b"\xff+", b"\r\n\r\nGET / HTTP/1.1"),
        ("/v1/keys/empty", b"empty", b""),
    ] {
        let written = put(&mut node, path, "", value);
        assert_eq!((written.status, &written.body[..]), (201, &b""[..]), "{path}");
        let read = ask(&mut node, 0, &format!("GET {path}"), "", b"");
        assert_eq!((read.status, &read.body[..]), (200, value), "{path}");
        assert_eq!(read.header("etag"), written.header("etag"), "{path}");
        assert_eq!(read.header("content-type"), Some("application/octet-stream"));
        assert_eq!(node.store().get(key), Some(value), "{path}");
        let head = ask(&mut node, 0, &format!("HEAD {path}"), "", b"");
        assert_eq!(head.header("content-length"), Some(&*value.len().to_string()));
        assert_eq!(put(&mut node, path, "", b"other").status, 204, "it was there");
        assert_eq!(ask(&mut node, 0, &format!("DELETE {path}"), "", b"").status, 204);
        assert_eq!(ask(&mut node, 0, &format!("GET {path}"), "", b"").status, 404);
        assert_eq!(ask(&mut node, 0, &format!("DELETE {path}"), "", b"").status, 404);
    }
    for line in ["GET /v1/keys/", "GET /v1/keys/%zz", "GET /v1/keys/a?ttl_ms=1", "DELETE /v1/keys/a?nx"] {
        assert_eq!(ask(&mut node, 0, line, "", b"").status, 400, "{line}");
    }
}

#[test]
fn a_tag_says_which_value_it_is_and_requests_depend_on_it() {
    let mut node = place();
    let first = put(&mut node, "/v1/keys/a", "", b"1");
    let first = first.header("etag").expect("there is one").to_owned();
    let second = put(&mut node, "/v1/keys/a", &format!("If-Match: {first}\r\n"), b"2");
    let second = second.header("etag").expect("there is one").to_owned();
    assert_ne!(first, second);
    assert_eq!(put(&mut node, "/v1/keys/a", &format!("If-Match: {first}\r\n"), b"3").status, 412);
    assert_eq!(put(&mut node, "/v1/keys/a", "If-None-Match: *\r\n", b"3").status, 412);
    assert_eq!(put(&mut node, "/v1/keys/b", "If-Match: *\r\n", b"3").status, 412);
    assert_eq!(put(&mut node, "/v1/keys/b", "If-Match: b\r\n", b"3").status, 400);
    let unchanged = ask(&mut node, 0, "GET /v1/keys/a", &format!("If-None-Match: {second}\r\n"), b"");
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some(&*second)));
    let changed = ask(&mut node, 0, "GET /v1/keys/a", &format!("If-None-Match: {first}\r\n"), b"");
    assert_eq!((changed.status, changed.text()), (200, "2".to_owned()));
    assert_eq!(ask(&mut node, 0, "DELETE /v1/keys/a", &format!("If-Match: {first}\r\n"), b"").status, 412);
    assert_eq!(ask(&mut node, 0, "DELETE /v1/keys/a", &format!("If-Match: {second}\r\n"), b"").status, 204);
    assert_eq!(by_lines(&mut node, "GET a\nGET b\n"), "KEY NOT FOUND\nKEY NOT FOUND\n");
}

#[test]
fn a_value_expires_and_is_set_on_conditions_as_the_parameters_say() {
    let mut node = place();
    assert_eq!(put(&mut node, "/v1/keys/a?xx", "", b"1").status, 412);
    assert_eq!(put(&mut node, "/v1/keys/a?nx&ttl_ms=5000", "", b"1").status, 201);
    assert_eq!(put(&mut node, "/v1/keys/a?nx", "", b"2").status, 412);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/a", "", b"").header("ttl-ms"), Some("5000"));
    assert_eq!(by_words(&mut node, "PTTL a"), ":5000\r\n");
    assert_eq!(put(&mut node, "/v1/keys/a?xx", "", b"3").status, 204);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/a", "", b"").header("ttl-ms"), None);
    for path in ["/v1/keys/a?ttl_ms=0", "/v1/keys/a?ttl_ms=x", "/v1/keys/a?ttl=1", "/v1/keys/a?nx=maybe"] {
        assert_eq!(put(&mut node, path, "", b"4").status, 400, "{path}");
    }
    assert_eq!(by_lines(&mut node, "GET a\n"), "3\n");
}

#[test]
fn a_form_of_a_page_and_a_get_write_nothing() {
    let mut node = place();
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let header = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        assert_eq!(ask(&mut node, 0, "PUT /v1/keys/a", &header, b"x").status, 415, "{kind}");
    }
    for headers in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Host: evil.example\r\n"] {
        assert!(matches!(put(&mut node, "/v1/keys/a", headers, b"x").status, 403 | 421), "{headers}");
        assert!(matches!(ask(&mut node, 0, "DELETE /v1/keys/a", headers, b"").status, 403 | 421), "{headers}");
    }
    for line in ["POST /v1/keys/a", "PUT /v1/keys", "DELETE /v1/keys"] {
        assert_eq!(ask(&mut node, 0, line, OCTETS, b"x").status, 405, "{line}");
    }
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/a?value=x", "", b"").status, 400);
    assert_eq!(by_words(&mut node, "DBSIZE"), ":0\r\n");
}

#[test]
fn a_user_may_what_its_commands_may() {
    let mut node = place();
    by_words(&mut node, "ACL SETUSER reader on >pass %R~a:* +get");
    by_words(&mut node, "ACL SETUSER default on resetpass >top");
    let top = "Authorization: Bearer default:top\r\n";
    let reader = "Authorization: Bearer reader:pass\r\n";
    assert_eq!(put(&mut node, "/v1/keys/a:1", top, b"1").status, 201);
    assert_eq!(put(&mut node, "/v1/keys/b:1", top, b"1").status, 201);
    for (line, status) in [("GET /v1/keys/a:1", 200), ("GET /v1/keys/b:1", 403), ("DELETE /v1/keys/a:1", 403)] {
        assert_eq!(ask(&mut node, 0, line, reader, b"").status, status, "{line}");
        assert_eq!(ask(&mut node, 0, line, "", b"").status, 401, "{line}");
    }
    assert_eq!(put(&mut node, "/v1/keys/a:1", reader, b"2").status, 403);
    // Whether it is there is nothing for who may not know.
    assert_eq!(put(&mut node, "/v1/keys/b:1?nx", reader, b"2").status, 403);
    assert_eq!(put(&mut node, "/v1/keys/b:2?nx", reader, b"2").status, 403);
}

#[test]
fn a_body_comes_in_chunks_of_any_size_and_a_client_may_wait_for_a_word() {
    let mut node = place();
    let value: Vec<u8> = (0..10_000u32).map(|number| number as u8).collect();
    for size in [1, 7, 10_000] {
        let chunks: Vec<u8> = value
            .chunks(size)
            .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
            .collect();
        let said = [
            request("PUT /v1/keys/a", &format!("{OCTETS}Transfer-Encoding: chunked\r\n"), b""),
            chunks,
            b"0\r\n\r\n".to_vec(),
            request("GET /v1/keys/a", "", b""),
        ]
        .concat();
        for piece in [1, 1_000, said.len()] {
            let mut answers = Vec::new();
            said.chunks(piece).for_each(|piece| answers.extend(say(&mut node, 0, piece)));
            let answers = parse(&answers, &[]);
            assert_eq!((answers.len(), &answers[1].body), (2, &value), "{size} {piece}");
        }
    }
    let said = request("PUT /v1/keys/b", &format!("{OCTETS}Expect: 100-continue\r\nContent-Length: 3\r\n"), b"");
    assert_eq!(say(&mut node, 0, &said), b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(parse(&say(&mut node, 0, b"abc"), &[])[0].status, 201);
    let at_once = [&said[..], b"abc"].concat();
    assert_eq!(parse(&say(&mut node, 0, &at_once), &[])[0].status, 204, "nobody waits for a word");
    let wrong = said.strip_prefix(b"PUT").expect("it is one");
    let answers = parse(&say(&mut node, 0, &[b"POST", wrong].concat()), &[]);
    assert_eq!((answers[0].status, node.is_over(0)), (405, true), "the body may come or not");
}

#[test]
fn a_value_may_expire_at_a_time() {
    let mut node = place();
    let at = NOW.unix_ms + 7_000;
    assert_eq!(put(&mut node, &format!("/v1/keys/a?expires_unix_ms={at}"), "", b"1").status, 201);
    assert_eq!(by_words(&mut node, "PEXPIRETIME a"), format!(":{at}\r\n"));
    assert_eq!(put(&mut node, &format!("/v1/keys/a?expires_unix_ms={at}&ttl_ms=5"), "", b"1").status, 400);
}

/// Deletes the key as a page does, and says by what.
fn delete(node: &mut Node, path: &str) -> String {
    let answer = ask(node, 0, &format!("DELETE {path}?undoable"), "", b"");
    assert_eq!(answer.status, 204);
    answer.header("etag").expect("a deletion has a tag").to_owned()
}

#[test]
fn a_deletion_is_undone_where_nobody_has_written_since() {
    let mut node = place();
    let at = NOW.unix_ms + 90_000;
    put(&mut node, &format!("/v1/keys/a?expires_unix_ms={at}"), "", b"1");
    let tag = delete(&mut node, "/v1/keys/a");
    let undo = format!("/v1/keys/a?expires_unix_ms={at}&undo={}", tag.replace('"', "%22"));
    assert_eq!(put(&mut node, &undo, "", b"1").status, 201);
    assert_eq!(by_words(&mut node, "GET a"), "$1\r\n1\r\n");
    assert_eq!(by_words(&mut node, "PEXPIRETIME a"), format!(":{at}\r\n"));
    assert_eq!(put(&mut node, &undo, "", b"1").status, 412, "once");
    for since in ["SET a other", "FLUSHALL"] {
        by_words(&mut node, "SET a 1");
        let undo = format!("/v1/keys/a?undo={}", delete(&mut node, "/v1/keys/a").trim_matches('"'));
        by_words(&mut node, since);
        assert_eq!(put(&mut node, &undo, "", b"1").status, 412, "{since}");
        by_words(&mut node, "DEL a");
        assert_eq!(put(&mut node, &undo, "", b"1").status, 412, "another deletion is none of it: {since}");
    }
    assert_eq!(put(&mut node, "/v1/keys/never?undo=1-0", "", b"1").status, 412);
}

#[test]
fn a_deletion_that_may_be_undone_is_remembered_for_a_minute_and_another_until_it_is_on_disk() {
    let mut node = place();
    by_words(&mut node, "MSET a 1 b 2");
    delete(&mut node, "/v1/keys/a");
    assert_eq!(ask(&mut node, 0, "DELETE /v1/keys/b", "", b"").status, 204);
    assert_eq!(node.store().tombstones(), 2);
    let mut now = NOW;
    for (seconds, left) in [(5, 1), (59, 1), (70, 0)] {
        while now.monotonic_us < NOW.monotonic_us + seconds * 1_000_000 {
            now = Now { unix_ms: now.unix_ms + 500, monotonic_us: now.monotonic_us + 500_000 };
            tick(&mut node, now);
        }
        assert_eq!(node.store().tombstones(), left, "{seconds} s");
    }
}

#[test]
fn a_request_is_about_the_database_that_it_names_and_the_next_one_about_0_again() {
    let mut node = place();
    assert_eq!(put(&mut node, "/v1/keys/k?db=3", "", b"three").status, 201);
    assert_eq!(put(&mut node, "/v1/keys/k", "", b"zero").status, 201);
    for (line, value) in [("?db=3", "three"), ("", "zero"), ("?db=0", "zero")] {
        assert_eq!(ask(&mut node, 0, &format!("GET /v1/keys/k{line}"), "", b"").text(), value, "{line}");
    }
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/k?db=15", "", b"").status, 404);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys?db=3", "", b"").text(), "{\"keys\":[\"k\"],\"cursor\":null}\n");
    assert_eq!(ask(&mut node, 0, "GET /v1/keys?db=1", "", b"").text(), "{\"keys\":[],\"cursor\":null}\n");
    assert_eq!(ask(&mut node, 0, "DELETE /v1/keys/k?db=3", "", b"").status, 204);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/k", "", b"").text(), "zero");
    for number in ["16", "-1", "x", ""] {
        let answer = ask(&mut node, 0, &format!("GET /v1/keys/k?db={number}"), "", b"");
        assert_eq!(answer.status, 400, "{number}");
    }
    let answer = ask(&mut node, 0, "GET /v1/keys/k?db=16", "", b"");
    assert!(answer.text().contains("db is a number from 0 to 15"), "{}", answer.text());
}
