//! Scripts: the same ones to Debian's Redis and to a node, and the same requests in scripts and outside.
//!
//! Exceptions, each with its reason:
//! - commands that are not here, which Redis has
//! - what Redis' own Lua library answers where it tells a frozen table from others otherwise than by its metatable

use fastrand::Rng;
use kvstoreapp::protocol::Command;

use crate::generator;
use crate::harness::Server;
use crate::harness::redis::Redis;
use crate::reply::{Resp, words};

/// A script a line; `\n` in it is a newline.
const SCRIPTS: &str = include_str!("scripts.txt");
/// Sequences of requests, and how many requests each has.
const SEQUENCES: u64 = 12;
const REQUESTS: usize = 300;

fn eval(text: &str, args: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut request = words("EVAL");
    request.extend([text.as_bytes().to_vec(), b"0".to_vec()]);
    request.extend_from_slice(args);
    request
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn scripts_are_answered_as_redis_answers_them() {
    let (redis, server) = (Redis::start(), Server::start(&["--script-time-ms=1000"]));
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let mut differences = Vec::new();
    for script in SCRIPTS.lines() {
        let request = eval(&script.replace("\\n", "\n"), &[b"arg".to_vec()]);
        let (expected, answer) = (theirs.ask(&request), ours.ask(&request));
        if expected != answer {
            differences.push(format!("{script}\n  Redis: {}\n  here:  {}", show(&expected), show(&answer)));
        }
    }
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), differences.join("\n"));
}

/// Several requests as one script see what those before them did, and leave behind what they would outside.
#[test]
fn requests_in_scripts_are_answered_as_outside() {
    // Each request is preceded by the number of its words.
    const RUN: &str = "local answers, at = {}, 1
        while at <= #ARGV do
            local count = tonumber(ARGV[at])
            local answer = redis.pcall(unpack(ARGV, at + 1, at + count))
            answers[#answers + 1] = answer
            at = at + count + 1
        end
        return answers";
    let (outside, inside) = (Server::start(&[]), Server::start(&["--script-time-ms=1000"]));
    for seed in 0..SEQUENCES {
        let mut random = Rng::with_seed(seed);
        let (mut plain, mut scripted) = (Resp::connect(outside.address), Resp::connect(inside.address));
        let flush = words("FLUSHALL");
        assert_eq!(plain.ask(&flush), scripted.ask(&flush));
        let mut done = 0;
        while done < REQUESTS {
            let (mut args, mut expected, mut count) = (Vec::new(), Vec::new(), 0);
            for request in (0..random.usize(1..12)).map(|_| generator::request(&mut random)) {
                if !is_the_same_in_scripts(&request) {
                    continue;
                }
                args.push(request.len().to_string().into_bytes());
                args.extend_from_slice(&request);
                expected.extend(plain.ask(&request));
                count += 1;
            }
            let mut whole = format!("*{count}\r\n").into_bytes();
            whole.append(&mut expected);
            let answer = scripted.ask(&eval(RUN, &args));
            assert_eq!(
                show(&without_words(&answer)),
                show(&without_words(&whole)),
                "seed {seed} after {done}: {args:?}"
            );
            done += 12;
        }
        for key in (0..5).map(|number| format!("key{number}")) {
            for asked in [format!("GET {key}"), format!("EXPIRETIME {key}"), format!("OBJECT ENCODING {key}")] {
                let asked = words(&asked);
                assert_eq!(show(&plain.ask(&asked)), show(&scripted.ask(&asked)), "seed {seed}: {key}");
            }
        }
    }
}

/// Whether a script may run it, and is answered alike: a double is one, and times that pass are none.
fn is_the_same_in_scripts(request: &[Vec<u8>]) -> bool {
    let Some(command) = Command::named(&request[0]) else { return false };
    let is_left_out = matches!(
        command,
        Command::Select | Command::RandomKey | Command::Scan | Command::Keys | Command::Ttl | Command::PTtl
    ) || matches!(
        command,
        Command::CommandInfo | Command::Info | Command::Time | Command::Memory | Command::PubSub
    ) || matches!(command, Command::SlowLog | Command::Cluster | Command::Asking | Command::ReadOnly)
        || matches!(command, Command::ReadWrite | Command::LastSave | Command::Lolwut | Command::Publish)
        || matches!(command, Command::SPublish | Command::Status);
    command.is_of_resp() && command.is_for_scripts() && !is_left_out
}

/// That it was refused is the same; in a script some refusals have other words, and large numbers are not exact.
fn without_words(answer: &[u8]) -> Vec<u8> {
    let lines = answer.split_inclusive(|&byte| byte == b'\n');
    let shown = |line: &[u8]| match line {
        [b'-', b'E', b'R', b'R', ..] => b"-ERR\r\n".to_vec(),
        // Lua's numbers are doubles.
        [b':', digits @ ..] if digits.len() > 17 => b":large\r\n".to_vec(),
        line => line.to_vec(),
    };
    lines.flat_map(shown).collect()
}

/// What a script selects is for itself: the caller's database is as before, also in a transaction, where the script fails,
/// and where it is called from another database than 0. What it writes, moves, copies and flushes is where it says.
#[test]
fn what_a_script_selects_is_as_with_redis_and_for_itself() {
    const SCRIPTS: [&str; 9] = [
        "return {redis.call('SELECT', ARGV[1]), redis.call('SET', 'k', ARGV[2]), redis.call('DBSIZE')}",
        "redis.call('SELECT', 3) redis.call('INCR', 'n') redis.call('SELECT', 2) return redis.call('INCR', 'n')",
        "redis.call('SET', 'here', 'a') redis.call('SELECT', 5) redis.call('INCR', 'five') return redis.call('INCR')",
        "return {redis.pcall('SELECT', 16), redis.call('GET', 'k')}",
        "return {redis.pcall('SELECT', 'x').err, redis.call('SET', 'after', 'x'), redis.call('EXISTS', 'after')}",
        "redis.call('SET', 'm', 'moved') local moved = redis.call('MOVE', 'm', 7)
            redis.call('SELECT', 7) return {moved, redis.call('GET', 'm'), redis.call('MOVE', 'm', 8)}",
        "redis.call('SET', 'c', 'copied') local copied = redis.call('COPY', 'c', 'd', 'DB', 9, 'REPLACE')
            return {copied, redis.call('EXISTS', 'd'), redis.call('SELECT', 9), redis.call('GET', 'd')}",
        "redis.call('SELECT', 3) redis.call('FLUSHDB') redis.call('SET', 'alone', 1) return redis.call('DBSIZE')",
        "redis.call('SELECT', 11) redis.call('SET', 'lost', 1) return redis.call('SELECT', 10)",
    ];
    let (redis, server) = (Redis::start(), Server::start(&["--script-time-ms=1000"]));
    let (mut theirs, mut ours) = (Resp::connect(redis.address), Resp::connect(server.address));
    let mut same = |request: &[Vec<u8>]| {
        let (expected, answer) = (theirs.ask(request), ours.ask(request));
        assert_eq!(show(&answer), show(&expected), "{}", show(&request.join(&b' ')));
    };
    for own in [0, 4, 15] {
        same(&words(&format!("SELECT {own}")));
        for in_transaction in [false, true] {
            if in_transaction {
                same(&words("MULTI"));
            }
            for (number, script) in SCRIPTS.iter().enumerate() {
                same(&eval(script, &[(number + own).rem_euclid(16).to_string().into_bytes(), b"value".to_vec()]));
                same(&words("GET k"));
                same(&words("INCR own"));
            }
            if in_transaction {
                same(&words("EXEC"));
            }
            same(&words("DBSIZE"));
        }
    }
    for database in 0..16 {
        same(&words(&format!("SELECT {database}")));
        same(&words("DBSIZE"));
        same(&words("MGET k n here five after m c d alone lost own"));
    }
}
