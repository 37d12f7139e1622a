//! `INCRBYFLOAT` of Debian's Redis and of a node: the same text for every two numbers.
//!
//! `KVSTOREAPP_SUMS=1000000 cargo test --release --test redis sums` compares as many.

use fastrand::Rng;

use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, request};

/// Sums in the gate, and how many are asked for at once.
const SUMS: u64 = 4_000;
const AT_ONCE: u64 = 100;

/// A number as somebody may write it, near to what numbers of 80 bits can hold and what they cannot.
fn number(random: &mut Rng) -> String {
    let sign = ["", "-", "-", "", "", "+"][random.usize(..6)];
    let digits = |random: &mut Rng, most: usize| -> String {
        (0..random.usize(1..=most)).map(|_| char::from(random.u8(b'0'..=b'9'))).collect()
    };
    let text = match random.u32(..14) {
        // Amounts of money and of time.
        0..4 => format!("{}.{}", random.u32(..1_000_000), digits(random, 4)),
        4 => format!("{}.{}", digits(random, 19), digits(random, 25)),
        5 => format!(".{}", digits(random, 40)),
        6 => format!("{}.", digits(random, 40)),
        7 => random.u64(..).to_string(),
        8 => format!("{}.{}e{}", digits(random, 3), digits(random, 30), random.i32(-25..25)),
        9 => format!("{}E{}", digits(random, 25), random.i32(-5_000..5_000)),
        // About the least and the largest.
        10 => format!(
            "{}.{}e{}",
            digits(random, 1),
            digits(random, 22),
            [-4_951, -4_932, 4_931, 4_932][random.usize(..4)]
        ),
        11 => format!("0x{:x}.{:x}p{}", random.u64(..), random.u64(..), random.i32(-140..80)),
        // Halfway between two texts of 17 digits.
        12 => {
            let shift = random.u32(..40);
            format!("0X{:x}P-{}", random.u64(..1 << 40) >> shift, random.u32(18..60))
        }
        _ => format!("0x{:X}{:x}p{}", random.u64(..), random.u64(..1 << 20), random.i32(-16_560..16_400)),
    };
    sign.to_owned() + &text
}

/// What hardly differs from a number, but for its sign.
fn near(number: &str, random: &mut Rng) -> String {
    let mut text = number.trim_start_matches(['-', '+']).as_bytes().to_vec();
    let at = random.usize(..text.len());
    if text[at].is_ascii_digit() {
        text[at] = random.u8(b'0'..=b'9');
    }
    let text = String::from_utf8(text).expect("digits are text");
    if number.starts_with('-') { text } else { format!("-{text}") }
}

fn operand(random: &mut Rng) -> String {
    match random.u32(..40) {
        0 => ["inf", "-Infinity", "nan", "", "1e", "0x", "0x1.8", "-0", "1e400", "1e5000", "1e-5000", " 1"]
            [random.usize(..12)]
        .to_owned(),
        _ => number(random),
    }
}

#[test]
fn sums_of_numbers_with_fractions_are_those_of_redis_to_the_last_digit() {
    let (redis, server) = (Redis::start(), Server::start(&["--snapshot-interval-ms=60000"]));
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let count = std::env::var("KVSTOREAPP_SUMS").map_or(SUMS, |count| count.parse().expect("a number"));
    let mut random = Rng::with_seed(20);
    let (mut differences, mut refused) = (Vec::new(), 0);
    for _ in 0..count.div_ceil(AT_ONCE) {
        let pairs: Vec<(String, String)> = (0..AT_ONCE)
            .map(|_| {
                let one = operand(&mut random);
                let other =
                    if random.u32(..6) > 0 || one.is_empty() { operand(&mut random) } else { near(&one, &mut random) };
                (one, other)
            })
            .collect();
        let requests: Vec<u8> = pairs
            .iter()
            .flat_map(|(one, other)| [["SET", "sum", one], ["INCRBYFLOAT", "sum", other]])
            .flat_map(|words| request(&words.map(|word| word.as_bytes().to_vec())))
            .collect();
        theirs.send_bytes(&requests);
        ours.send_bytes(&requests);
        for (one, other) in pairs {
            let [expected, answer] = [&mut theirs, &mut ours].map(|client| [client.reply(), client.reply()].concat());
            refused += u64::from(expected.starts_with(b"+OK\r\n-"));
            if answer != expected {
                differences.push(format!(
                    "{one} + {other}\n  {}\n  {}",
                    expected.escape_ascii(),
                    answer.escape_ascii()
                ));
            }
        }
    }
    let shown = &differences[..differences.len().min(20)];
    assert!(differences.is_empty(), "{} of {count} sums differ:\n{}", differences.len(), shown.join("\n"));
    assert!((count / 100..count / 4).contains(&refused), "{refused} of {count} are refused");
}
