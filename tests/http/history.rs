//! `/v1/history` and `/v1/ticks`: how a node was, in figures that equal those of `INFO`.

use kvstoreapp::metrics::ticks::Phase;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now};
use serde_json::Value;

use crate::answers::{ask, by_lines, by_words, parse, place, request};
use crate::pure::{NOW, read, save, take_turns};

fn at(ms: u64) -> Now {
    Now { monotonic_us: NOW.monotonic_us + ms * 1_000, unix_ms: NOW.unix_ms + ms }
}

/// A tick that does nothing, a millisecond long.
fn tick(node: &mut Node, now: Now) {
    node.begin_tick(now);
    save(node, now);
    node.metrics().ticks.spent(Phase::Clients, now.monotonic_us + 1_000);
    node.end_tick(0);
}

fn get(node: &mut Node, path: &str) -> Value {
    let answer = ask(node, 0, &format!("GET {path}"), "", b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.text());
    serde_json::from_str(&answer.text()).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

fn column(told: &Value, name: &str) -> Vec<Option<u64>> {
    let column = told["columns"][name].as_array().unwrap_or_else(|| panic!("no {name}: {told}"));
    column.iter().map(Value::as_u64).collect()
}

#[test]
fn all_that_was_counted_is_in_a_point_and_counting_anew_changes_none() {
    let mut node = place();
    let told = get(&mut node, "/v1/history");
    assert_eq!((&told["step_ms"], column(&told, "reads")), (&1_000.into(), vec![]));
    by_lines(&mut node, "SET a b\nGET a\nGET a\nGET none\nPING\n");
    let memory = field(&mut node, "memory_bytes");
    tick(&mut node, at(1_000));
    by_lines(&mut node, "GET a\n");
    by_words(&mut node, "CONFIG RESETSTAT");
    by_lines(&mut node, "GET a\nSET a c\n");
    tick(&mut node, at(2_000));
    tick(&mut node, at(3_000));
    let told = get(&mut node, "/v1/history?step=1");
    assert_eq!(told["unix_ms"], NOW.unix_ms + 3_000);
    let sums = |name: &str| column(&told, name);
    assert_eq!(sums("reads"), [Some(3), Some(2), Some(0)]);
    assert_eq!(sums("writes"), [Some(1), Some(1), Some(0)]);
    assert_eq!(sums("hits"), [Some(2), Some(2), Some(0)]);
    assert_eq!(sums("misses"), [Some(1), Some(0), Some(0)]);
    assert!(sums("others")[0] >= Some(1), "{told}");
    assert_eq!(sums("memory_bytes"), [Some(memory); 3]);
    let columns = told["columns"].as_object().expect("they are named");
    assert!(columns.values().all(|column| column.as_array().is_some_and(|points| points.len() == 3)), "{told}");
    // What is newer than the one before the last.
    let told = get(&mut node, &format!("/v1/history?after={}", NOW.unix_ms + 2_000));
    assert_eq!(column(&told, "reads"), [Some(0)]);
    let told = get(&mut node, &format!("/v1/history?after={}", NOW.unix_ms + 3_000));
    assert_eq!((column(&told, "reads"), &told["unix_ms"]), (vec![], &(NOW.unix_ms + 3_000).into()));
    assert_eq!(ask(&mut node, 0, "GET /v1/history?step=2", "", b"").status, 400);
}

fn field(node: &mut Node, name: &str) -> u64 {
    let info = by_lines(node, "INFO\n");
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).expect("INFO has it");
    line.parse().expect("it is a number")
}

#[test]
fn a_long_history_comes_in_slices_that_are_one_picture() {
    let mut node = place();
    for second in 1..=1_000 {
        tick(&mut node, at(1_000 * second));
    }
    node.receive(0, &request("GET /v1/history", "", b""), at(1_000_000));
    let (mut said, mut slices) = (Vec::new(), 0);
    while node.waits(0) == Waits::ForTurn {
        let slice = read(&mut node, 0);
        assert!(slice.len() < 5 << 10, "{} bytes in one turn", slice.len());
        said.extend(slice);
        slices += 1;
        // Seconds pass meanwhile.
        tick(&mut node, at(1_000_000 + 1_000 * slices));
        take_turns(&mut node);
    }
    said.extend(read(&mut node, 0));
    let told: Value = serde_json::from_str(&parse(&said, &[])[0].text()).expect("it is JSON");
    assert!(slices > 3, "{slices} slices of {} bytes", said.len());
    assert_eq!(told["unix_ms"], NOW.unix_ms + 1_000_000);
    for points in told["columns"].as_object().expect("they are named").values() {
        assert_eq!(points.as_array().expect("a list").len(), 900);
    }
    assert_eq!(column(&get(&mut node, "/v1/history?step=10"), "tick_us_max")[0], Some(1_000));
}

#[test]
fn the_longest_tick_is_that_of_info() {
    let mut node = place();
    for (second, us) in [(1, 300), (2, 90_000), (3, 20)] {
        let now = at(1_000 * second);
        node.begin_tick(now);
        by_lines(&mut node, "GET a\nGET b\n");
        node.metrics().ticks.spent(Phase::Clients, now.monotonic_us + us / 3);
        node.metrics().ticks.spent(Phase::Replies, now.monotonic_us + us);
        node.end_tick(us / 10);
    }
    let told = get(&mut node, "/v1/ticks");
    let ticks = told["ticks"].as_array().expect("a list");
    let us: Vec<u64> = ticks.iter().filter_map(|tick| tick["us"].as_u64()).collect();
    assert_eq!(us, [90_000, 300, 20]);
    let longest = &ticks[0];
    assert_eq!((&longest["off_cpu_us"], &longest["unix_ms"]), (&9_000.into(), &(NOW.unix_ms + 2_000).into()));
    for (name, value) in [
        ("longest_tick_us", &longest["us"]),
        ("longest_tick_clients_us", &longest["phases_us"]["clients"]),
        ("longest_tick_replies_us", &longest["phases_us"]["replies"]),
        ("longest_tick_off_cpu_us", &longest["off_cpu_us"]),
        ("longest_tick_requests", &longest["requests"]),
        ("longest_tick_bytes_in", &longest["bytes_in"]),
        ("longest_tick_bytes_out", &longest["bytes_out"]),
    ] {
        assert_eq!(value, &field(&mut node, name), "{name}");
    }
}
