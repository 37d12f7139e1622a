//! Every conversation in `scripts/`, played in every way that a network can bring it; see [`crate::script`].

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};

use kvstoreapp::node::options::HttpPolicy;
use kvstoreapp::node::{Options, Origin};
use kvstoreapp::protocol::Dialect;

use crate::harness::redis::Redis;
use crate::harness::{Client, Server};
use crate::pure::{NOW, finish, node, options, say};
use crate::script::Script;
use crate::wire::{End, connect, exchange, read_to_end};

/// Up to this length a conversation is cut at every byte.
const SHORT_BYTES: usize = 10_000;

#[test]
fn every_conversation_goes_as_written_in_one_piece() {
    for script in Script::all() {
        script.check(&play(&script, &[&script.said()]), "in one piece");
    }
}

#[test]
fn every_conversation_goes_as_written_turn_by_turn() {
    for script in Script::all() {
        let pieces: Vec<&[u8]> = script.turns.iter().map(|turn| turn.said.as_slice()).collect();
        script.check(&play(&script, &pieces), "turn by turn");
    }
}

#[test]
fn every_conversation_goes_as_written_byte_by_byte() {
    for script in Script::all() {
        let said = script.said();
        let bytes: Vec<&[u8]> = said.chunks(1).collect();
        script.check(&play(&script, &bytes), "byte by byte");
    }
}

#[test]
fn every_conversation_goes_as_written_when_it_is_cut_in_two_anywhere() {
    for script in Script::all() {
        let said = script.said();
        for at in cuts(&said) {
            let (left, right) = said.split_at(at);
            script.check(&play(&script, &[left, right]), &format!("cut at {at}"));
        }
    }
}

#[test]
fn every_conversation_goes_as_written_over_tcp_in_one_write() {
    for script in Script::all() {
        let server = start(&script);
        script.check(&exchange(server.address, &[&script.said()], script.end), "over TCP in one write");
    }
}

#[test]
fn every_conversation_goes_as_written_over_tcp_a_byte_a_write() {
    for script in Script::all().iter().filter(|script| script.said().len() <= SHORT_BYTES) {
        let server = start(script);
        let said = script.said();
        let bytes: Vec<&[u8]> = said.chunks(1).collect();
        script.check(&exchange(server.address, &bytes, script.end), "over TCP a byte a write");
    }
}

#[test]
fn every_conversation_goes_as_written_over_tcp_turn_by_turn() {
    for script in Script::all() {
        converse(start(&script).address, &script, "over TCP turn by turn");
    }
}

/// Every conversation that is Redis' as well goes so with Redis.
#[test]
fn every_conversation_in_the_folder_of_redis_goes_as_written_with_redis() {
    for script in Script::of("redis") {
        converse(Redis::start().address, &script, "with Redis");
    }
}

/// As a person would: each answer is awaited before the next thing is said.
fn converse(address: SocketAddr, script: &Script, how: &str) {
    let mut writer = connect(address);
    let mut reader = BufReader::new(writer.try_clone().expect("a socket can be shared"));
    let mut answers = Vec::new();
    for turn in &script.turns {
        writer.write_all(&turn.said).expect("the node reads");
        for answer in &turn.answers {
            while {
                let begin = answers.len();
                reader.read_until(b'\n', &mut answers).expect("an answer comes");
                !script.check_line(&answers[begin..], answer, how)
            } {}
        }
    }
    if script.end == End::Client {
        writer.shutdown(Shutdown::Write).expect("the connection is open");
    }
    answers.extend(read_to_end(&mut reader));
    script.check(&answers, how);
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    const REQUESTS: usize = 20_000;
    let (mut said, mut expected) = (Vec::new(), Vec::new());
    for number in 0..REQUESTS {
        writeln!(said, "SET key{} value {number}\nGET key{}", number % 100, number % 100).expect("memory takes all");
        writeln!(expected, "OK\nvalue {number}").expect("memory takes all");
    }
    let server = Server::start(&[]);
    assert!(exchange(server.address, &[&said], End::Client) == expected, "an answer is not in its place");

    let mut pure = node(options());
    pure.open(0, Origin::Loopback, NOW).expect("one is not too many");
    let mut answers = say(&mut pure, 0, &said);
    answers.extend(finish(&mut pure, 0));
    assert!(answers == expected, "an answer is not in its place");
}

#[test]
fn what_one_client_wrote_another_reads() {
    let server = Server::start(&[]);
    let [mut one, mut other] = [server.connect(), server.connect()];
    assert_eq!(one.ask("SET color blue"), "OK");
    assert_eq!(other.ask("GET color"), "blue");
    assert_eq!(other.ask("DELETE color"), "OK");
    assert_eq!(one.ask("GET color"), "KEY NOT FOUND");
}

#[test]
fn info_names_every_field_once_and_tells_what_happened() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for request in ["SET a 1", "SET b 2", "GET a", "GET none", "DELETE b", "NONSENSE"] {
        client.ask(request);
    }
    let fields = info(&mut client);
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), fields.len(), "a field is there twice: {fields:?}");
    for (name, value) in [
        ("version", env!("CARGO_PKG_VERSION")),
        ("id", "0"),
        ("nodes", "1"),
        ("clients", "1"),
        ("keys", "1"),
        ("hits", "1"),
        ("misses", "1"),
        ("requests", "5"),
        ("requests_refused", "1"),
        ("durability", "interval"),
        ("snapshot_error", "none"),
    ] {
        assert!(fields.contains(&(name.to_owned(), value.to_owned())), "{name} is not {value}: {fields:?}");
    }
}

/// The fields of `INFO`, in order.
fn info(client: &mut Client) -> Vec<(String, String)> {
    client.send("INFO\n");
    let mut fields = Vec::new();
    loop {
        let line = client.line();
        if line.is_empty() {
            return fields;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a field: {line:?}"));
        fields.push((name.to_owned(), value.to_owned()));
    }
}

/// Plays it against the pure node, whose client sends these pieces.
fn play(script: &Script, pieces: &[&[u8]]) -> Vec<u8> {
    let mut node = node(pure_options(script));
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    let mut answers = Vec::new();
    for piece in pieces {
        answers.extend(say(&mut node, 0, piece));
    }
    assert_eq!(node.is_over(0), script.end == End::Node, "{}: who ends it?", script.name);
    if script.end == End::Client {
        answers.extend(finish(&mut node, 0));
        assert!(node.is_over(0), "{}: it does not end", script.name);
    }
    answers
}

fn pure_options(script: &Script) -> Options {
    let mut options = options();
    for flag in &script.flags {
        match flag.split_once('=') {
            Some(("--max-value-bytes", bytes)) => options.value_bytes_max = bytes.parse().expect("a number"),
            Some(("--script-time-ms", ms)) => options.scripts.time_ms = ms.parse().expect("a number"),
            Some(("--databases", count)) => options.databases = count.parse().expect("a number"),
            Some(("--dialect", "resp")) => options.dialect = Dialect::Resp2,
            Some(("--http", "off")) => options.http.policy = HttpPolicy::Off,
            Some(_) | None => panic!("{}: the pure node has no {flag}", script.name),
        }
    }
    options
}

fn start(script: &Script) -> Server {
    let flags: Vec<&str> = script.flags.iter().map(String::as_str).collect();
    Server::start(&flags)
}

/// Where to cut: at every byte; amid long runs of one byte, where a cut is like the next, only here and there.
fn cuts(said: &[u8]) -> Vec<usize> {
    let amid_a_run = |at: usize| {
        let around = &said[at.saturating_sub(20)..(at + 20).min(said.len())];
        around.iter().all(|byte| byte == &around[0])
    };
    (0..=said.len()).filter(|&at| said.len() <= SHORT_BYTES || at % 997 == 0 || !amid_a_run(at)).collect()
}
