//! Clients that do their worst, and what it costs the others: counted in turns, bytes and answers, not in time.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, OUTBOX_BYTES_MAX, Options, Origin, REQUESTS_PER_TURN, SessionId};
use kvstoreapp::protocol::line::line_bytes_max;
use kvstoreapp::replica::Durability;

use crate::harness::{Over, Server, wait_for};
use crate::pure::{NOW, finish, node, node_with_two_clients, options, read, say, take_turns};
use crate::wire::{connect, read_to_end};

const HOSTILE: SessionId = 0;
const OTHER: SessionId = 1;
/// As the server reads.
const READ_BYTES: usize = 32 << 10;

// -- who never stops sending --

#[test]
fn a_client_with_many_requests_has_one_turn_and_then_others_have_theirs() {
    let mut node = node_with_two_clients();
    node.receive(HOSTILE, &b"GET a\n".repeat(10 * REQUESTS_PER_TURN), NOW);
    for turn in 1..10 {
        assert_eq!(node.waits(HOSTILE), Waits::ForTurn);
        assert_eq!(lines(&read(&mut node, HOSTILE)), REQUESTS_PER_TURN);
        node.receive(OTHER, b"PING\n", NOW);
        assert_eq!(read(&mut node, OTHER), b"PONG\n", "in turn {turn}");
        assert_eq!(take_turns(&mut node), 1);
    }
    assert_eq!(lines(&read(&mut node, HOSTILE)), REQUESTS_PER_TURN);
}

#[test]
fn empty_and_nonsense_lines_count_like_requests() {
    for line in [b"\n".as_slice(), b"x\n", b"\r\n"] {
        let mut node = node_with_two_clients();
        node.receive(HOSTILE, &line.repeat(2 * REQUESTS_PER_TURN), NOW);
        assert_eq!(lines(&read(&mut node, HOSTILE)), REQUESTS_PER_TURN);
        assert_eq!(say(&mut node, OTHER, b"PING\n"), b"PONG\n");
    }
}

#[test]
fn many_clients_with_many_requests_take_turns() {
    const CLIENTS: usize = 8;
    const TURNS: usize = 5;
    let mut node = node(options());
    for id in 0..CLIENTS {
        node.open(id, Origin::Loopback, NOW).expect("so many are not too many");
        node.receive(id, &b"PING\n".repeat(TURNS * REQUESTS_PER_TURN), NOW);
    }
    for turn in 1..=TURNS {
        let answers: Vec<usize> = (0..CLIENTS).map(|id| lines(node.sendable(id))).collect();
        assert_eq!(answers, [turn * REQUESTS_PER_TURN; CLIENTS], "after {turn} turns");
        take_turns(&mut node);
    }
}

#[test]
fn a_client_that_never_stops_sending_does_not_keep_another_from_its_answers() {
    let server = Server::start(&[]);
    let stop = AtomicBool::new(false);
    let mut flood = connect(server.address);
    let mut drain = flood.try_clone().expect("a socket can be shared");
    thread::scope(|scope| {
        scope.spawn(|| {
            let requests = b"SET flood water\nGET flood\n".repeat(1_000);
            while !stop.load(Relaxed) {
                flood.write_all(&requests).expect("the node reads");
            }
            flood.shutdown(Shutdown::Write).expect("the node has not closed");
        });
        let answers = scope.spawn(move || read_to_end(&mut drain));
        let over = Over(&stop);
        let mut client = server.connect();
        wait_for("the flood", || (client.info("requests").parse::<u64>().expect("a number") > 10_000).then_some(()));
        for number in 0..500 {
            assert_eq!(client.ask(&format!("SET key{number} {number}")), "OK");
            assert_eq!(client.ask(&format!("GET key{number}")), number.to_string());
        }
        drop(over);
        let answers = answers.join().expect("the reader does not panic");
        let right = b"OK\nwater\n";
        assert!(answers.len().is_multiple_of(right.len()) && answers.chunks(right.len()).all(|chunk| chunk == right));
    });
}

// -- who never reads --

#[test]
fn a_client_that_never_reads_is_owed_a_bounded_number_of_bytes_and_gets_all_once_it_reads() {
    const VALUE_BYTES: usize = 60_000;
    const GETS: usize = 1_000;
    let mut node = node_with_two_clients();
    say(&mut node, OTHER, format!("SET big {}\n", "v".repeat(VALUE_BYTES)).as_bytes());
    let requests = b"GET big\n".repeat(GETS);
    node.receive(HOSTILE, &requests, NOW);
    while take_turns(&mut node) > 0 {}

    assert_eq!(node.waits(HOSTILE), Waits::ForReader);
    let owed = node.sendable(HOSTILE).len();
    assert!((OUTBOX_BYTES_MAX..=OUTBOX_BYTES_MAX + VALUE_BYTES + 1).contains(&owed), "{owed} bytes are owed");
    assert_eq!(say(&mut node, OTHER, b"PING\n"), b"PONG\n");

    // A little at a time, as a slow reader's kernel would take it.
    let (mut received, mut longest_owed, mut most_memory) = (0, 0, 0);
    while node.waits(HOSTILE) != Waits::ForInput || !node.sendable(HOSTILE).is_empty() {
        let taken = node.sendable(HOSTILE).len().min(60_000);
        assert!(taken > 0, "it is owed nothing and nobody wakes it");
        received += taken;
        node.sent(HOSTILE, taken);
        take_turns(&mut node);
        longest_owed = longest_owed.max(node.sendable(HOSTILE).len());
        most_memory = most_memory.max(node.session_bytes());
    }
    assert_eq!(received, GETS * (VALUE_BYTES + 1));
    assert!(longest_owed <= OUTBOX_BYTES_MAX + VALUE_BYTES + 1, "{longest_owed} bytes were owed");
    assert!(most_memory <= memory_of_a_slow_reader(VALUE_BYTES), "{most_memory} bytes of memory");
    assert!(node.session_bytes() <= 100_000, "what was needed is given back");
}

#[test]
fn large_values_that_nobody_reads_cost_nothing_and_are_sent_from_where_they_lie() {
    const VALUE_BYTES: usize = 1_000_000;
    const GETS: usize = 100;
    let mut node = node_with_two_clients();
    say(&mut node, OTHER, format!("SET big {}\n", "v".repeat(VALUE_BYTES)).as_bytes());
    node.receive(HOSTILE, &b"GET big\n".repeat(GETS), NOW);
    let (mut received, mut places) = (Vec::new(), HashSet::new());
    while node.waits(HOSTILE) != Waits::ForInput || !node.sendable(HOSTILE).is_empty() {
        take_turns(&mut node);
        assert!(node.session_bytes() <= 100_000, "{} bytes of memory", node.session_bytes());
        let bytes = node.sendable(HOSTILE);
        if bytes.len() == VALUE_BYTES {
            places.insert(bytes.as_ptr());
        }
        let taken = bytes.len().min(300_000);
        received.extend_from_slice(&bytes[..taken]);
        node.sent(HOSTILE, taken);
        if received.len() == 300_000 {
            // What is on its way stays what it was.
            say(&mut node, OTHER, format!("SET big {}\n", "w".repeat(VALUE_BYTES)).as_bytes());
        }
    }
    let (first, others) = received.split_at(VALUE_BYTES + 1);
    assert_eq!(first, format!("{}\n", "v".repeat(VALUE_BYTES)).as_bytes());
    assert_eq!(others, format!("{}\n", "w".repeat(VALUE_BYTES)).repeat(GETS - 1).as_bytes());
    assert_eq!(places.len(), 2, "none is a copy");
}

#[test]
fn small_answers_that_nobody_reads_are_bounded_too() {
    for request in [b"INFO\n".as_slice(), b"HELP\n", b"PING\n", b"\n"] {
        let mut node = node_with_two_clients();
        for _ in 0..(20 << 20) / READ_BYTES {
            if node.waits(HOSTILE) == Waits::ForInput {
                node.receive(HOSTILE, &request.repeat(READ_BYTES / request.len()), NOW);
            }
            take_turns(&mut node);
        }
        assert_eq!(node.waits(HOSTILE), Waits::ForReader);
        assert!(node.sendable(HOSTILE).len() <= OUTBOX_BYTES_MAX + 4_096);
        assert!(node.session_bytes() <= memory_of_a_slow_reader(4_096), "{} bytes", node.session_bytes());
    }
}

#[test]
fn answers_that_nobody_reads_cost_the_real_node_bounded_memory_and_all_come_in_the_end() {
    const VALUE_BYTES: usize = 500_000;
    const GETS: usize = 200;
    let server = Server::start(&[]);
    let value = "v".repeat(VALUE_BYTES);
    let mut other = server.connect();
    assert_eq!(other.ask(&format!("SET big {value}")), "OK");

    let mut slow = connect(server.address);
    slow.write_all(&b"GET big\n".repeat(GETS)).expect("the node reads");
    // It is stuck when it has got fewer than all and others have been served a hundred times since the last byte.
    let bytes_out = |other: &mut crate::harness::Client| other.info("bytes_out").parse::<usize>().expect("a number");
    wait_for("the kernel's buffers to fill", || {
        let before = bytes_out(&mut other);
        let own: usize = (0..100).map(|_| other.ask("PING").len() + 1).sum();
        (bytes_out(&mut other) - before - own < 10_000).then_some(())
    });
    assert!(bytes_out(&mut other) < GETS * VALUE_BYTES, "the kernel took it all; the test shows nothing");
    let longest: usize = other.info("client_buffer_bytes_longest").parse().expect("a number");
    assert!(longest <= memory_of_a_slow_reader(VALUE_BYTES), "{longest} bytes for one client");

    slow.shutdown(Shutdown::Write).expect("the node has not closed");
    let answers = read_to_end(&mut slow);
    assert_eq!(answers.len(), GETS * (VALUE_BYTES + 1));
    assert!(answers.chunks(VALUE_BYTES + 1).all(|answer| answer.strip_suffix(b"\n") == Some(value.as_bytes())));
    let longest: usize = other.info("client_buffer_bytes_longest").parse().expect("a number");
    assert!(longest <= memory_of_a_slow_reader(VALUE_BYTES), "{longest} bytes for one client");
}

// -- who sends little, or one endless line --

#[test]
fn a_client_that_sends_a_byte_at_a_time_costs_a_line_of_memory_and_nobody_waits_for_it() {
    let mut node = node_with_two_clients();
    let mut answers = Vec::new();
    let fresh = node.session_bytes();
    for byte in b"SET key value\nGET key\n".repeat(500) {
        answers.extend(say(&mut node, HOSTILE, &[byte]));
        assert_eq!(say(&mut node, OTHER, b"PING\n"), b"PONG\n");
    }
    assert!(answers == b"OK\nvalue\n".repeat(500));
    assert!(node.session_bytes() - fresh < 1_000, "{} bytes for short lines", node.session_bytes() - fresh);
}

#[test]
fn an_endless_line_is_answered_once_and_costs_no_more_than_the_longest_line() {
    for begin in ["", "SET ", "SET k ", "TTL "] {
        let mut node = node_with_two_clients();
        let mut answers = say(&mut node, HOSTILE, begin.as_bytes());
        for _ in 0..(64 << 20) / READ_BYTES {
            answers.extend(say(&mut node, HOSTILE, &[b'x'; READ_BYTES]));
            let most = 2 * (line_bytes_max(options().value_bytes_max) + READ_BYTES);
            assert!(node.session_bytes() <= most, "{} bytes", node.session_bytes());
        }
        assert!(answers.starts_with(b"ERROR ") && lines(&answers) == 1, "{begin:?}");
        assert!(node.session_bytes() < 100_000, "what was kept of it is given back");
        assert_eq!(say(&mut node, HOSTILE, b"\nSET a b\nGET a\n"), b"OK\nb\n");
    }
}

#[test]
fn an_endless_line_costs_the_real_node_no_more_than_the_longest_line() {
    let server = Server::start(&["--max-value-bytes=64K"]);
    let mut client = server.connect();
    client.send("SET endless ");
    for _ in 0..64 {
        client.send(vec![b'x'; 1 << 20]);
    }
    client.send("\nGET endless\n");
    assert_eq!(client.line(), "ERROR value too long: at most 65536 bytes (--max-value-bytes)");
    assert_eq!(client.line(), "KEY NOT FOUND");
    let longest: usize = client.info("client_buffer_bytes_longest").parse().expect("a number");
    assert!(longest <= 2 * (line_bytes_max(64 << 10) + READ_BYTES), "{longest} bytes for one client");
}

// -- who goes away in the middle of everything --

#[test]
fn a_client_that_goes_away_leaves_nothing_behind_whatever_it_waited_for() {
    let big = format!("SET big {}\n", "v".repeat(1 << 20));
    for (said, waits) in [
        (b"SET half a li".to_vec(), Waits::ForInput),
        ([b"SET a ".as_slice(), &[b'x'; 2 << 20]].concat(), Waits::ForInput),
        (b"PING\n".repeat(2 * REQUESTS_PER_TURN), Waits::ForTurn),
        (b"GET big\n".repeat(5), Waits::ForReader),
        (b"QUIT\n".to_vec(), Waits::ForNothing),
        (b"POST /\n".to_vec(), Waits::ForNothing),
    ] {
        let mut node = node_with_two_clients();
        say(&mut node, OTHER, big.as_bytes());
        node.close(HOSTILE);
        let without = node.session_bytes();
        node.open(HOSTILE, Origin::Loopback, NOW).expect("there is room again");

        node.receive(HOSTILE, &said, NOW);
        assert_eq!(node.waits(HOSTILE), waits);
        node.close(HOSTILE);

        assert_eq!(node.session_bytes(), without, "after {waits:?}");
        assert_clean(&mut node, waits);
    }
}

#[test]
fn a_client_that_goes_away_while_its_answer_waits_for_the_disk_leaves_nothing_behind() {
    let mut node = node(Options { durability: Durability::Commit, ..options() });
    node.open(HOSTILE, Origin::Loopback, NOW).expect("one is not too many");
    node.receive(HOSTILE, b"SET a b\nGET a\n", NOW);
    assert!(node.sendable(HOSTILE).is_empty(), "it is not on disk");
    node.close(HOSTILE);
    node.open(HOSTILE, Origin::Loopback, NOW).expect("there is room again");
    assert_eq!(say(&mut node, HOSTILE, b"GET a\n"), b"b\n");
    assert_eq!(finish(&mut node, HOSTILE), b"");
}

/// Its number's next owner begins afresh.
fn assert_clean(node: &mut Node, after: Waits) {
    assert_eq!(take_turns(node), 0, "after {after:?}");
    let mut touched = Vec::new();
    node.take_touched(&mut touched);
    assert!(!touched.contains(&HOSTILE), "after {after:?}");
    node.open(HOSTILE, Origin::Loopback, NOW).expect("there is room again");
    assert_eq!(say(node, HOSTILE, b"PING\n"), b"PONG\n", "after {after:?}");
    assert_eq!(say(node, OTHER, b"PING\n"), b"PONG\n", "after {after:?}");
}

#[test]
fn hundreds_of_clients_that_go_away_in_the_middle_are_forgotten_by_the_real_node() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask(&format!("SET big {}", "v".repeat(1_000_000))), "OK");
    let big = b"GET big\n".repeat(50);
    let leavings: [&[u8]; 6] = [b"", b"SET half a li", b"GET big\n", &big, b"QUIT\nmore\n", b"POST /\r\n\r\n"];
    for said in leavings.iter().cycle().take(300) {
        let mut stream = connect(server.address);
        stream.write_all(said).expect("the node reads");
        if said.starts_with(b"GET") {
            stream.read_exact(&mut [0; 100]).expect("an answer begins");
        }
    }
    wait_for("them to be forgotten", || (client.info("clients") == "1").then_some(()));
    assert_eq!(client.info("clients_accepted"), "301");
    assert_eq!(client.info("keys"), "1");
    assert_eq!(client.info("clients_closed_http"), "50");
}

fn lines(answers: &[u8]) -> usize {
    answers.iter().filter(|&&byte| byte == b'\n').count()
}

/// An outbox holds what is owed and, at most as long again, what is sent; a vector that grows may take twice what it
/// holds. An inbox holds what is read at once.
fn memory_of_a_slow_reader(answer_bytes: usize) -> usize {
    2 * (2 * OUTBOX_BYTES_MAX + answer_bytes) + 2 * READ_BYTES
}

#[test]
fn a_goodbye_that_is_the_last_request_of_a_turn_is_one() {
    let mut node = node_with_two_clients();
    let mut said = b"PING\n".repeat(REQUESTS_PER_TURN - 1);
    said.extend_from_slice(b"QUIT\nSET after goodbye\n");
    let answers = say(&mut node, HOSTILE, &said);
    assert!(answers.ends_with(b"PONG\nOK\n"), "{}", String::from_utf8_lossy(&answers));
    assert!(node.is_over(HOSTILE));
    assert_eq!(say(&mut node, OTHER, b"GET after\n"), b"KEY NOT FOUND\n");
}

#[test]
fn a_client_that_writes_without_end_while_the_disk_is_slow_is_held_by_what_its_answers_may_cost() {
    let mut node = node(Options { durability: Durability::Commit, ..options() });
    node.open(HOSTILE, Origin::Loopback, NOW).expect("one is not too many");
    let said = b"SET a b\n".repeat(REQUESTS_PER_TURN);
    let mut turns = 0;
    while matches!(node.waits(HOSTILE), Waits::ForInput | Waits::ForTurn) && turns < 1_000 {
        turns += 1;
        match node.waits(HOSTILE) {
            Waits::ForInput => node.receive(HOSTILE, &said, NOW),
            _ => node.resume(HOSTILE, NOW),
        }
    }
    assert_eq!(node.waits(HOSTILE), Waits::ForReader);
    assert!(node.session_bytes() < OUTBOX_BYTES_MAX, "{} bytes are held", node.session_bytes());
}

#[test]
fn snapshots_commit_while_hundreds_of_clients_write_without_end() {
    const CLIENTS: usize = 200;
    let server = Server::start(&["--snapshot-interval-ms=100"]);
    let mut streams: Vec<_> = (0..CLIENTS).map(|_| connect(server.address)).collect();
    let mut observer = server.connect();
    let mut rounds = 0;
    // Until some are seen; what is sent is bounded all the same.
    while observer.info("snapshots").parse::<u32>().expect("a number") < 3 {
        rounds += 1;
        assert!(rounds < 2_000, "no snapshot commits while {CLIENTS} clients write");
        for (client, stream) in streams.iter_mut().enumerate() {
            let lines: String = (0..100).map(|line| format!("SET {client}-{rounds}-{line} value\n")).collect();
            stream.write_all(lines.as_bytes()).expect("the node reads");
        }
        for stream in &mut streams {
            stream.read_exact(&mut [0; 300]).expect("a hundred answers come");
        }
    }
}
