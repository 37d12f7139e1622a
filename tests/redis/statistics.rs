//! `INFO` in Redis' form: what both have stands in the same section and is written in the same way.

use std::collections::BTreeMap;

use crate::harness::redis::Redis;
use crate::harness::{Server, wait_for};
use crate::reply::{Resp, words};

/// What kind of thing a value is, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Whole,
    /// With so many digits after the point.
    Fraction(usize),
    /// A number of bytes for a person.
    Human,
    /// So many hexadecimal digits.
    Hex(usize),
    Text,
    /// Names and values.
    Parts(Vec<(String, Shape)>),
}

impl Shape {
    fn of(value: &str) -> Shape {
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        let digits = value.trim_start_matches('-');
        match value {
            _ if value.len() == 40 && value.chars().all(|c| c.is_ascii_hexdigit()) => Shape::Hex(40),
            _ if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => Shape::Whole,
            _ if is_number(value) => Shape::Fraction(value.split_once('.').map_or(0, |(_, digits)| digits.len())),
            _ if is_number(value.trim_end_matches(['B', 'K', 'M', 'G', 'T'])) => Shape::Human,
            _ if value.contains('=') => {
                let parts = value.split(',').map(|part| part.split_once('=').expect("a name and a value"));
                Shape::Parts(parts.map(|(name, value)| (name.to_owned(), Shape::of(value))).collect())
            }
            _ => Shape::Text,
        }
    }
}

/// Sections, and fields with their values.
fn sections(info: &[u8]) -> BTreeMap<String, (String, String)> {
    let text = std::str::from_utf8(info).expect("it is all text");
    let mut fields = BTreeMap::new();
    let mut section = "";
    for line in text.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(name) => section = name,
            None => {
                let (name, value) = line.split_once(':').expect("a name and a value");
                let twice = fields.insert(name.to_owned(), (section.to_owned(), value.to_owned()));
                assert_eq!(twice, None, "{name}");
            }
        }
    }
    fields
}

#[test]
fn fields_that_both_have_stand_in_the_same_section_and_are_written_alike() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let [theirs, ours] = [redis.address, server.address].map(|address| {
        let mut client = Resp::connect(address);
        for request in ["SET a b", "GET a", "GET b c", "INCR a", "NOSUCH", "EXPIRE a 100"] {
            client.ask(&words(request));
        }
        sections(&client.ask(&words("INFO everything")))
    });
    let mut shared = 0;
    for (name, (section, value)) in &ours {
        let Some((their_section, their_value)) = theirs.get(name) else { continue };
        assert_eq!(section, their_section, "{name}");
        assert_eq!(Shape::of(value), Shape::of(their_value), "{name}: {value}, and in Redis {their_value}");
        shared += 1;
    }
    assert!(shared >= 55, "{shared} are alike");
}

#[test]
fn the_sections_that_are_asked_for_are_those_that_redis_would_show() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let [mut theirs, mut ours] = [redis.address, server.address].map(Resp::connect);
    // What only one of them has.
    let only = ["# TLS", "# Ticks", "# Peers", "# Modules", "# Latencystats"];
    for request in [
        "INFO",
        "INFO all",
        "INFO everything",
        "INFO default",
        "INFO SERVER cpu",
        "INFO keyspace nosuch memory",
        "INFO nosuch",
    ] {
        let [expected, found] = [&mut theirs, &mut ours].map(|end| {
            let info = String::from_utf8(end.ask(&words(request))).expect("it is all text");
            let titles = info.lines().filter(|line| line.starts_with("# ") && !only.contains(line));
            titles.map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{request}");
    }
}

#[test]
fn as_many_clients_are_blocked_as_in_redis() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    for address in [redis.address, server.address] {
        let mut clients: Vec<Resp> = (0..4).map(|_| Resp::connect(address)).collect();
        let (asker, others) = clients.split_first_mut().expect("there are four");
        let mut await_blocked = |expected: &str| {
            wait_for(&format!("{expected} blocked clients of {address}"), || {
                let fields = sections(&asker.ask(&words("INFO clients")));
                (fields["blocked_clients"].1 == expected).then_some(())
            });
        };
        await_blocked("0");
        others[0].send(&words("WAIT 5 0"));
        await_blocked("1");
        others[1].ask(&words("CLIENT PAUSE 100000 WRITE"));
        others[2].send(&words("SET a b"));
        await_blocked("2");
        others[1].ask(&words("CLIENT UNPAUSE"));
        await_blocked("1");
    }
}

/// What was asked of both, and is counted: calls that ran, were refused before they ran, and failed.
const ASKED: [&str; 29] = [
    "SET a b",
    "SET a b WRONG",
    "GET a",
    "GET a b",
    "GETRANGE a 1",
    "INCR a",
    "NOSUCH a",
    "CONFIG GET maxmemory",
    "CONFIG GET",
    "CONFIG NOSUCH",
    "CLIENT ID",
    "CLIENT NOSUCH",
    "COMMAND COUNT",
    "OBJECT ENCODING a",
    "DEBUG SLEEP 0",
    "WAIT 0 1",
    "MULTI",
    "INCR a",
    "SET b c",
    "EXEC",
    "MULTI",
    "GET",
    "EXEC",
    "EXEC",
    "MULTI",
    "MULTI",
    "DISCARD",
    "SCAN 0",
    "KEYS *",
];

#[test]
fn calls_and_errors_are_counted_as_redis_counts_them() {
    let (redis, server) = (Redis::start(), Server::start(&[]));
    let mut ends = [redis.address, server.address].map(Resp::connect);
    // The second time from a reset on, which is counted itself.
    for _ in 0..2 {
        let [expected, found] = &mut ends.each_mut().map(|end| {
            end.ask(&words("CONFIG RESETSTAT"));
            for request in ASKED {
                end.ask(&words(request));
            }
            let all = sections(&end.ask(&words("INFO everything")));
            let errors = all["total_error_replies"].1.clone();
            let mut counted: BTreeMap<String, String> = BTreeMap::new();
            for (name, (section, value)) in all {
                if ["Commandstats", "Errorstats"].contains(&section.as_str()) {
                    let parts = value.split(',').filter(|part| !part.starts_with("usec"));
                    counted.insert(name, parts.collect::<Vec<_>>().join(","));
                } else if section == "Latencystats" {
                    // How long they took differs, and which percentiles are told does not.
                    let parts = value.split(',').filter_map(|part| part.split_once('=')).map(|(name, _)| name);
                    counted.insert(name, parts.collect::<Vec<_>>().join(","));
                }
            }
            counted.insert("total_error_replies".to_owned(), errors);
            counted
        });
        assert_eq!(found, expected);
    }
}
