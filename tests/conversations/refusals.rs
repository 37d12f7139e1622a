//! What a client is told that is not served, in words it understands, and what it is not told that it does not want.

use std::io::Write;

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Options, Origin};
use kvstoreapp::protocol::{Dialect, Reply};

use crate::harness::{Server, wait_for};
use crate::pure::{NOW, node, node_with_two_clients, options, read, say};
use crate::wire::{connect, read_to_end};

const HAS_NEWLINE: &[u8] = b"ERROR value has a newline: read it with JSON or RESP\n";

fn words(words: &[&[u8]]) -> Vec<u8> {
    let bulk = |word: &&[u8]| [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat();
    [format!("*{}\r\n", words.len()).into_bytes(), words.iter().flat_map(bulk).collect()].concat()
}

#[test]
fn a_value_with_a_newline_is_no_answer_of_the_line_dialect() {
    let mut node = node_with_two_clients();
    let set = |node: &mut _, value: &[u8]| {
        assert_eq!(say(node, 1, &words(&[b"SET", b"k", value])), b"+OK\r\n");
    };
    for value in [b"a\nb".as_slice(), b"\n", b"a\n", b"\na", b"a\r\nb"] {
        set(&mut node, value);
        assert_eq!(say(&mut node, 0, b"GET k\nPING\n"), [HAS_NEWLINE, b"PONG\n"].concat(), "{value:?}");
        assert_eq!(say(&mut node, 1, &words(&[b"GET", b"k"])), words(&[value])[4..], "{value:?}");
    }
    set(&mut node, b"ab");
    assert_eq!(say(&mut node, 0, b"GET k\n"), b"ab\n");
}

/// It takes a turn for each MiB, so that others come between.
#[test]
fn a_large_value_is_looked_through_in_turns_before_it_is_a_line() {
    const MIB: usize = 1 << 20;
    for (bytes, newline_at) in
        [(3 * MIB + 7, None), (3 * MIB, Some(3 * MIB - 1)), (64 << 10, Some(0)), (64 << 10, None)]
    {
        let mut node = node_with_two_clients();
        let mut value = vec![b'v'; bytes];
        newline_at.into_iter().for_each(|at: usize| value[at] = b'\n');
        assert_eq!(say(&mut node, 1, &words(&[b"SET", b"k", &value])), b"+OK\r\n");
        node.receive(0, b"GET k\nPING\n", NOW);
        let (mut answers, mut turns) = (Vec::new(), 0);
        loop {
            while !node.sendable(0).is_empty() {
                answers.extend(read(&mut node, 0));
            }
            if crate::pure::take_turns(&mut node) == 0 {
                break;
            }
            turns += 1;
            // What is answered is one state of the key, whatever becomes of it.
            assert_eq!(say(&mut node, 1, &words(&[b"SET", b"other", b"x"])), b"+OK\r\n");
        }
        assert_eq!(node.waits(0), Waits::ForInput);
        assert!(turns <= bytes / MIB + 1, "{turns} turns");
        let expected = if newline_at.is_some() { HAS_NEWLINE.to_vec() } else { [&value, b"\n".as_slice()].concat() };
        assert!(answers == [expected, b"PONG\n".to_vec()].concat(), "{bytes} bytes, newline {newline_at:?}");
    }
}

#[test]
fn a_client_too_many_is_told_so_in_the_dialect_of_the_others() {
    for (dialect, says) in [
        ("line", "ERROR too many clients: at most 1 (--max-clients)\n"),
        ("resp", "-ERR max number of clients reached\r\n"),
    ] {
        let server = Server::start(&["--max-clients=1", &format!("--dialect={dialect}")]);
        let mut first = connect(server.address);
        first.write_all(b"PING\r\n").expect("the node reads");
        let mut answer = [0; 4];
        std::io::Read::read_exact(&mut first, &mut answer).expect("the first is served");
        let mut second = connect(server.address);
        // It may be closed by now.
        let _ = second.write_all(b"PING\r\n");
        assert_eq!(String::from_utf8_lossy(&read_to_end(&mut second)), says);
    }
}

#[test]
fn an_answer_that_comes_later_is_skipped_like_any_other() {
    let server = Server::start(&[]);
    let mut client = connect(server.address);
    let requests: [&[&[u8]]; 4] = [&[b"CLIENT", b"REPLY", b"SKIP"], &[b"WAIT", b"1", b"10"], &[b"PING"], &[b"QUIT"]];
    client.write_all(&requests.map(words).concat()).expect("the node reads");
    assert_eq!(read_to_end(&mut client), b"+PONG\r\n+OK\r\n");
}

#[test]
fn a_client_that_comes_at_the_end_is_told_so_in_the_dialect_of_the_others() {
    for (dialect, says) in
        [(Dialect::Line, "ERROR the node is shutting down\n"), (Dialect::Resp2, "-ERR the node is shutting down\r\n")]
    {
        let mut node = node(Options { dialect, ..options() });
        node.end();
        let refusal = node.open(0, Origin::Loopback, NOW).expect_err("nobody is served any more");
        let mut answer = Vec::new();
        node.options().dialect.encode(Reply::Error(refusal), &mut answer);
        assert_eq!(String::from_utf8_lossy(&answer), says);
    }
}

/// What curl sends for `-d`, `-X SET`, `-I`, `-X DELETE` and nothing else.
#[test]
fn curl_is_told_what_the_port_speaks_where_http_is_off() {
    for flags in [&["--http=off"][..], &["--http=off", "--dialect=resp"]] {
        let server = Server::start(flags);
        for method in ["POST", "SET", "HEAD", "DELETE", "GET"] {
            let body = if method == "POST" { "SET a b\nSET a b\n" } else { "" };
            let mut curl = connect(server.address);
            let said = format!("{method} /a/b HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n{body}", server.address);
            curl.write_all(said.as_bytes()).expect("the node reads");
            let answer = read_to_end(&mut curl);
            let answer = String::from_utf8(answer).expect("text");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{flags:?} {method}: {answer}"));
            let fields: Vec<&str> = head.split("\r\n").collect();
            assert_eq!(fields[0], "HTTP/1.1 400 Bad Request");
            assert!(fields.contains(&"Connection: close"), "{head}");
            if method == "HEAD" {
                assert_eq!(body, "");
            } else {
                assert!(body.starts_with("This port speaks no HTTP.") && body.ends_with('\n'), "{body}");
                assert!(fields.contains(&format!("Content-Length: {}", body.len()).as_str()), "{head}");
            }
        }
        wait_for("the log", || (!server.later_lines("spoke HTTP").is_empty()).then_some(()));
        let mut client = connect(server.address);
        client.write_all(&[words(&[b"DBSIZE"]), words(&[b"QUIT"])].concat()).expect("the node reads");
        assert_eq!(read_to_end(&mut client), b":0\r\n+OK\r\n", "nothing was run");
    }
}
