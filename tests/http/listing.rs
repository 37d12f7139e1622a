//! Lists of keys: a slice a turn.

use kvstoreapp::node::Node;
use kvstoreapp::node::waits::Waits;

use crate::answers::{ask, by_lines, by_words, parse, place, request};
use crate::pure::{NOW, read, take_turns};

const KEYS: usize = 20_000;

fn full() -> Node {
    let mut node = place();
    let said: String = (0..KEYS).map(|number| format!("SET key:{number}:and-more-of-it v\n")).collect();
    by_lines(&mut node, &said);
    node
}

/// The keys of a list, and its cursor.
fn keys(text: &str) -> (Vec<String>, Option<String>) {
    let list: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:.100}"));
    let keys = list["keys"].as_array().expect("there are keys").iter();
    let keys = keys.map(|key| key.as_str().expect("a key is a text").to_owned()).collect();
    (keys, list["cursor"].as_str().map(str::to_owned))
}

#[test]
fn a_list_has_the_keys_that_begin_so_and_ends() {
    let mut node = full();
    let (found, cursor) = keys(&ask(&mut node, 0, "GET /v1/keys?prefix=key:1999&count=100000", "", b"").text());
    assert_eq!((found.len(), cursor), (11, None), "{found:?}");
    assert!(found.iter().all(|key| key.starts_with("key:1999")));
    let (found, cursor) = keys(&ask(&mut node, 0, "GET /v1/keys?prefix=nosuch", "", b"").text());
    assert_eq!((found.len(), cursor), (0, None));
}

#[test]
fn a_cursor_goes_on_where_the_list_before_it_ended() {
    let mut node = full();
    let (mut all, mut cursor, mut lists) = (Vec::new(), "0".to_owned(), 0);
    loop {
        let line = format!("GET /v1/keys?cursor={cursor}&count=3000");
        let (found, next) = keys(&ask(&mut node, 0, &line, "", b"").text());
        assert!(found.len() <= 3_000 + 504, "{}", found.len());
        all.extend(found);
        lists += 1;
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), KEYS);
    assert!((5..=7).contains(&lists), "{lists}");
}

#[test]
fn a_long_list_takes_turns_and_is_not_made_faster_than_it_is_read() {
    let mut node = full();
    node.receive(0, &request("GET /v1/keys?count=100000", "", b""), NOW);
    let mut answer = Vec::new();
    let mut turns = 0;
    while node.waits(0) == Waits::ForTurn {
        assert!(node.sendable(0).len() < 300 << 10, "what is owed is bounded");
        take_turns(&mut node);
        turns += 1;
    }
    assert_eq!(node.waits(0), Waits::ForReader, "nobody reads");
    assert!(turns > 5, "{turns}");
    while node.waits(0) != Waits::ForInput {
        answer.extend(read(&mut node, 0));
        take_turns(&mut node);
    }
    answer.extend(read(&mut node, 0));
    let answers = parse(&answer, &[]);
    assert_eq!(answers[0].header("transfer-encoding"), Some("chunked"));
    assert_eq!(keys(&answers[0].text()).0.len(), KEYS);
}

#[test]
fn keys_that_are_no_text_are_base64() {
    let mut node = place();
    node.open(1, kvstoreapp::node::Origin::Loopback, NOW).expect("there is room");
    node.receive(1, b"*3\r\n$3\r\nSET\r\n$2\r\n\xff\x00\r\n$1\r\nv\r\n", NOW);
    assert_eq!(
        ask(&mut node, 0, "GET /v1/keys", "", b"").text(),
        "{\"keys\":[{\"base64\":\"/wA=\"}],\"cursor\":null}\n"
    );
}

#[test]
fn who_may_not_scan_gets_no_list() {
    let mut node = place();
    by_words(&mut node, "ACL SETUSER alice on >pass ~a:* +get +set");
    by_words(&mut node, "ACL SETUSER bob on >pass ~a:* +scan");
    let with = |user: &str| format!("Authorization: Bearer {user}:pass\r\n");
    let answer = ask(&mut node, 0, "GET /v1/keys", &with("alice"), b"");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("has no permissions to run the 'scan' command"), "{}", answer.text());
    assert_eq!(ask(&mut node, 0, "GET /v1/keys", &with("bob"), b"").status, 200);
    assert_eq!(ask(&mut node, 0, "GET /v1/keys", "", b"").status, 200, "nobody in particular may do everything here");
}

#[test]
fn a_list_for_http_1_0_ends_with_the_connection() {
    let mut node = place();
    by_lines(&mut node, "SET a 1\n");
    let said = crate::pure::say(&mut node, 0, b"GET /v1/keys HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = parse(&said, &[]).remove(0);
    assert_eq!(answer.text(), "{\"keys\":[\"a\"],\"cursor\":null}\n");
    assert_eq!((answer.header("connection"), node.is_over(0)), (Some("close"), true));
}

#[test]
fn a_pattern_finds_keys_and_one_key_is_found_at_once() {
    let mut node = full();
    let (found, cursor) = keys(&ask(&mut node, 0, "GET /v1/keys?pattern=key:*9[0]:*&count=100000", "", b"").text());
    assert_eq!((found.len(), cursor), (KEYS / 100, None));
    assert!(found.iter().all(|key| key.contains("90:and")));
    let (found, cursor) = keys(&ask(&mut node, 0, "GET /v1/keys?key=key:7:and-more-of-it", "", b"").text());
    assert_eq!((found, cursor), (vec!["key:7:and-more-of-it".to_owned()], None));
    assert_eq!(keys(&ask(&mut node, 0, "GET /v1/keys?key=key:7", "", b"").text()).0.len(), 0);
    for two in ["prefix=a&pattern=b", "prefix=a&key=b", "pattern=a&key=b"] {
        assert_eq!(ask(&mut node, 0, &format!("GET /v1/keys?{two}"), "", b"").status, 400, "{two}");
    }
}

#[test]
fn details_say_what_is_known_of_each_key_to_who_may_read_it() {
    let mut node = place();
    by_words(&mut node, "SET a:1 four PX 5000");
    by_words(&mut node, "SET b:1 x");
    by_words(&mut node, "ACL SETUSER alice on >pass ~a:* +scan +get");
    let tag = ask(&mut node, 0, "GET /v1/keys/a:1", "", b"").header("etag").expect("there is one").replace('"', "\\\"");
    let (written, expires) = (NOW.unix_ms, NOW.unix_ms + 5_000);
    let of_a = format!(
        "{{\"key\":\"a:1\",\"bytes\":4,\"written_unix_ms\":{written},\"node\":0,\"expires_unix_ms\":{expires},\"ttl_ms\":5000,\
         \"etag\":\"{tag}\"}}"
    );
    let one = ask(&mut node, 0, "GET /v1/keys?key=a:1&details", "", b"").text();
    assert_eq!(one, format!("{{\"keys\":[{of_a}],\"cursor\":null}}\n"));
    let of_b = ask(&mut node, 0, "GET /v1/keys?prefix=b&details", "", b"").text();
    assert!(of_b.contains("\"bytes\":1,") && of_b.contains("\"expires_unix_ms\":null,\"ttl_ms\":null,"), "{of_b}");
    let alices = ask(&mut node, 0, "GET /v1/keys?details", "Authorization: Bearer alice:pass\r\n", b"").text();
    assert!(alices.contains(&of_a) && alices.contains("{\"key\":\"b:1\"}"), "{alices}");
}
