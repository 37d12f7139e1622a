//! Anything that a stranger can make of HTTP, in any pieces: every answer is one, and nothing is written.

use crate::answers::{parse, place};
use crate::pure::{finish, say};

const CONVERSATIONS: u64 = 3_000;

const LINES: &[&str] = &[
    "GET /livez HTTP/1.1",
    "GET /v1/keys HTTP/1.1",
    "GET /v1/keys/a HTTP/1.0",
    "HEAD /v1/keys/a HTTP/1.1",
    "PUT /v1/keys/a HTTP/1.1",
    "DELETE /v1/keys/a HTTP/1.1",
    "POST /login HTTP/1.1",
    "POST / HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "OPTIONS /v1/keys HTTP/1.1",
    "PATCH / HTTP/1.1",
    "GET /%zz HTTP/1.1",
    "GET / HTTP/9.9",
    "GET  / HTTP/1.1",
    "SET a b",
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb",
    "{\"op\":\"set\",\"key\":\"a\",\"value\":\"b\"}",
    "",
];
const HEADERS: &[&str] = &[
    "Host: 127.0.0.1",
    "Host: 127.0.0.1",
    "Host: 127.0.0.1",
    "Host: evil.example",
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: 70",
    "Content-Length: 99999999999",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Connection: close",
    "Connection: keep-alive",
    "Content-Type: text/plain",
    "Content-Type: application/x-www-form-urlencoded",
    "Origin: http://evil.example",
    "Sec-Fetch-Site: cross-site",
    "If-Match: \"a\"",
    "If-None-Match: *",
    "Accept: */*",
    "X : a",
    " folded",
    "no header",
    "X: \0",
];
const BODIES: &[&str] =
    &["", "hello", "5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n", "zz\r\n", "SET a b\r\n", "user=a&password=b"];

/// Some requests, most of them wrong somewhere.
fn conversation(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut said = Vec::new();
    for _ in 0..random.usize(1..5) {
        let end = if random.u8(..10) == 0 { "\n" } else { "\r\n" };
        said.extend_from_slice(random.choice(LINES).expect("there are some").as_bytes());
        said.extend_from_slice(end.as_bytes());
        for _ in 0..random.usize(0..5) {
            said.extend_from_slice(random.choice(HEADERS).expect("there are some").as_bytes());
            said.extend_from_slice(end.as_bytes());
        }
        said.extend_from_slice(end.as_bytes());
        said.extend_from_slice(random.choice(BODIES).expect("there are some").as_bytes());
    }
    if random.u8(..4) == 0 {
        let place = random.usize(..said.len());
        said[place] = random.u8(..);
    }
    said
}

#[test]
fn whatever_comes_in_any_pieces_is_answered_the_same_and_writes_nothing() {
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for seed in 0..CONVERSATIONS {
        let mut random = fastrand::Rng::with_seed(seed);
        let said = [b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), conversation(&mut random)].concat();
        let play = |pieces: Vec<&[u8]>| {
            let mut node = place();
            let mut answers: Vec<u8> = Vec::new();
            pieces.into_iter().for_each(|piece| answers.extend(say(&mut node, 0, piece)));
            if !node.is_over(0) {
                answers.extend(finish(&mut node, 0));
            }
            assert!(node.is_over(0), "seed {seed}: it ends");
            assert_eq!(node.store().keys(), 0, "seed {seed}: {}", said.escape_ascii());
            answers
        };
        let whole = play(vec![&said]);
        let mut pieces = Vec::new();
        let mut rest = &said[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(random.usize(1..=rest.len().min(40)));
            pieces.push(piece);
            rest = more;
        }
        assert_eq!(play(pieces), whole, "seed {seed}: {}", said.escape_ascii());
        // What follows an answer to HEAD is no body: such conversations are compared, and not taken apart.
        if !said.windows(5).any(|word| word == b"HEAD ") {
            parse(&whole, &[]).iter().for_each(|answer| *statuses.entry(answer.status).or_default() += 1);
        }
    }
    for status in [200, 204, 400, 403, 404, 405, 415, 421, 501, 505] {
        assert!(statuses.get(&status).is_some_and(|&count| count > 5), "{status} is rare: {statuses:?}");
    }
}
