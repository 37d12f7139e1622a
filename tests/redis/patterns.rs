//! Which keys a pattern matches, in Debian's Redis and in a node.
//!
//! `KVSTOREAPP_PATTERNS=1000000 cargo test --release --test redis patterns` compares as many.

use fastrand::Rng;

use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, request};

/// Patterns in the gate, and how many are asked for at once.
const PATTERNS: usize = 6_000;
const AT_ONCE: usize = 100;

/// What patterns and keys are made of, with bytes above those of ASCII, where Redis' ranges are odd.
const LETTERS: &[u8] = b"aaabbc]^-\\[\x80\xff";

fn key(random: &mut Rng) -> Vec<u8> {
    (0..random.usize(1..9)).map(|_| LETTERS[random.usize(..LETTERS.len())]).collect()
}

/// Every sign that means something is frequent, wherever it stands.
fn pattern(random: &mut Rng) -> Vec<u8> {
    const SIGNS: &[u8] = b"***??[[[]]]^^--\\\\";
    let mut sign = |_| match random.bool() {
        true => SIGNS[random.usize(..SIGNS.len())],
        false => LETTERS[random.usize(..LETTERS.len())],
    };
    let len = sign(0) as usize % 14;
    (0..len).map(&mut sign).collect()
}

/// The words of an array, in an order that is the same for all.
fn sorted(answer: &[u8]) -> Vec<String> {
    let text = answer.escape_ascii().to_string();
    let mut words: Vec<String> = text.split("\\r\\n").map(str::to_owned).collect();
    words.sort();
    words
}

#[test]
fn patterns_match_the_keys_that_they_match_in_redis() {
    let (redis, server) = (Redis::start(), Server::start(&["--snapshot-interval-ms=60000"]));
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let count = std::env::var("KVSTOREAPP_PATTERNS").map_or(PATTERNS, |count| count.parse().expect("a number"));
    let mut random = Rng::with_seed(15);
    let mut set = vec![b"MSET".to_vec()];
    (0..400).for_each(|_| set.extend([key(&mut random), b"value".to_vec()]));
    assert_eq!([theirs.ask(&set), ours.ask(&set)], [b"+OK\r\n", b"+OK\r\n"]);
    let (mut differences, mut found) = (Vec::new(), 0);
    for _ in 0..count.div_ceil(AT_ONCE) {
        let patterns: Vec<Vec<u8>> = (0..AT_ONCE).map(|_| pattern(&mut random)).collect();
        let requests: Vec<u8> = patterns.iter().flat_map(|one| request(&[b"KEYS".to_vec(), one.clone()])).collect();
        theirs.send_bytes(&requests);
        ours.send_bytes(&requests);
        for pattern in patterns {
            let (expected, answer) = (theirs.reply(), ours.reply());
            found += usize::from(expected != b"*0\r\n");
            if sorted(&expected) != sorted(&answer) {
                differences.push(format!(
                    "{}\n  {}\n  {}",
                    pattern.escape_ascii(),
                    expected.escape_ascii(),
                    answer.escape_ascii()
                ));
            }
        }
    }
    let shown = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{} of {count} patterns differ:\n{}", differences.len(), shown.join("\n"));
    assert!(found > count / 20, "{found} of {count} match something");
}

#[test]
fn as_many_stars_match_as_in_redis() {
    let (redis, server) = (Redis::start(), Server::start(&["--snapshot-interval-ms=60000"]));
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let set = [b"SET".to_vec(), vec![b'a'; 1_200], b"value".to_vec()];
    assert_eq!(theirs.ask(&set), ours.ask(&set));
    for stars in [1, 999, 1_000, 1_001, 1_100, 50_000] {
        for pattern in ["*?".repeat(stars), "*a".repeat(stars) + "*", "*".repeat(stars)] {
            let keys = [b"KEYS".to_vec(), pattern.into_bytes()];
            assert_eq!(theirs.ask(&keys), ours.ask(&keys), "{stars} stars");
        }
    }
}
