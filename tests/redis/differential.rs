//! The same requests to Debian's Redis and to a node: the answers are the same, byte for byte.
//!
//! Exceptions, each with its reason:
//! - times to live that count milliseconds, and what is measured (`TIME`, `INFO`): two processes are never at the same
//!   instant
//! - `SCAN`, `KEYS`, `RANDOMKEY` with keys: the order of a hash table is its own
//! - the empty key, which is reserved here
//! - what follows a `CONFIG SET notify-keyspace-events` that was refused: Redis forgets the class `n` of before
//! - what follows a `SELECT` that was refused: Redis goes on with the database before it
//! - `OBJECT REFCOUNT`: nothing is shared here
//! - a signed `BITFIELD ... OVERFLOW SAT SET` of a number near the least of 64 bits: Redis' C overflows there, and the
//!   largest number is stored
//! - a `BITFIELD` that creates a value and writes nothing to it, which Redis does not tell those that `WATCH`
//! - `OBJECT FREQ`, `OBJECT IDLETIME` of keys that are there: there is no eviction here that would need them
//! - a transaction that lowers `maxmemory`: Redis refuses nothing of it from there on
//! - `DEBUG OBJECT` of such: addresses and sizes; `MONITOR`: times; the number of a client

use fastrand::Rng;

use crate::generator;
use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, words};

/// Sequences in the gate, and requests of each.
const SEQUENCES: u64 = 60;
const REQUESTS: usize = 400;

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// An answer to `HELLO` without the client's number: each server has had its own clients.
fn without_id(answer: Vec<u8>) -> Vec<u8> {
    const BEFORE: &[u8] = b"$2\r\nid\r\n:";
    let Some(at) = answer.windows(BEFORE.len()).position(|window| window == BEFORE) else { return answer };
    let (before, number) = answer.split_at(at + BEFORE.len());
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [before, &number[digits..]].concat()
}

fn compare(redis: &Redis, server: &Server, seed: u64, differences: &mut Vec<String>) {
    let mut random = Rng::with_seed(seed);
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let mut begin = words("CONFIG SET maxmemory 0 notify-keyspace-events");
    begin.push(Vec::new());
    for request in [begin, words("FLUSHALL")] {
        assert_eq!((theirs.ask(&request), ours.ask(&request)), (b"+OK\r\n".to_vec(), b"+OK\r\n".to_vec()));
    }
    let mut may_be_queued = false;
    // What came before a difference, for who reads of it.
    let mut before = Vec::new();
    for number in 0..REQUESTS {
        let request = generator::request(&mut random);
        match (request[0].to_ascii_uppercase().as_slice(), request.len()) {
            (b"MULTI", _) => may_be_queued = true,
            (b"EXEC" | b"DISCARD" | b"RESET", 1) => may_be_queued = false,
            (b"CONFIG", _) if may_be_queued && request.ends_with(&words("maxmemory 1")) => continue,
            _ => (),
        }
        let (expected, answer) = (without_id(theirs.ask(&request)), without_id(ours.ask(&request)));
        let request: Vec<String> = request.iter().map(|word| show(word)).collect();
        before.push(format!("    after {}", request.join(" ")));
        before.drain(..before.len().saturating_sub(12));
        if answer != expected {
            differences.push(format!(
                "seed {seed}, request {number}: {}\n  Redis: {}\n  here:  {}\n{}",
                request.join(" "),
                show(&expected),
                show(&answer),
                before.join("\n")
            ));
            // What follows would differ because of this.
            return;
        }
    }
}

#[test]
fn answers_are_those_of_redis_byte_for_byte() {
    let (redis, server) = (Redis::start(), Server::start(&["--snapshot-interval-ms=60000"]));
    let count = std::env::var("KVSTOREAPP_SEQUENCES").map_or(SEQUENCES, |count| count.parse().expect("a number"));
    let first = std::env::var("KVSTOREAPP_FIRST").map_or(0, |first| first.parse().expect("a number"));
    let mut differences = Vec::new();
    (first..first + count).for_each(|seed| compare(&redis, &server, seed, &mut differences));

    let shown = &differences[..differences.len().min(20)];
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), shown.join("\n"));
}
