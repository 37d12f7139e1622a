//! The log's forms, and the events that a node keeps.

use std::io::BufRead;
use std::sync::{Mutex, OnceLock};

use kvstoreapp::metrics::ticks::Phase;
use kvstoreapp::node::Origin;

use crate::harness::Server;
use crate::place::log_of;
use crate::pure::{NOW, node, options};
use crate::reply::{request, words};
use crate::wire::{End, exchange};

#[test]
fn each_line_of_a_log_in_json_is_an_object_and_events_have_codes_and_fields() {
    let log = log_of(&["--log-format=json"], "PING\n");
    let lines: Vec<serde_json::Value> =
        log.as_bytes().lines().map(|line| serde_json::from_str(&line.expect("text")).expect("an object")).collect();
    assert!(lines.iter().all(|line| line["time"].as_str().is_some_and(|time| time.ends_with('Z'))));
    let of = |code: &str| lines.iter().find(|line| line["event"] == code).unwrap_or_else(|| panic!("{code} in {log}"));
    assert_eq!(of("starting")["fields"]["nodes"], 1);
    assert_eq!(of("starting")["level"], "info");
    assert_eq!(of("recovered")["fields"]["keys"], 0);
    assert_eq!(of("recovered")["target"], "kvstoreapp::server::starting");
    assert_eq!(of("stopped")["message"], "all is saved; goodbye");
}

#[test]
fn a_log_for_the_journal_has_priorities_and_no_times() {
    let log = log_of(&["--log-format=journal"], "PING\n");
    assert!(log.lines().all(|line| line.starts_with("<6>kvstoreapp::")), "{log}");
    assert!(log.contains("<6>kvstoreapp::server::starting#stopped: all is saved; goodbye\n"), "{log}");
}

#[test]
fn a_module_that_is_named_has_a_level_of_its_own() {
    let log = log_of(&["--log-level=off", "--log-filter=server=info"], "PING\n");
    assert!(log.lines().all(|line| line.contains("[kvstoreapp::server")), "{log}");
    assert!(log.contains("#listening]"), "{log}");
    let log = log_of(&["--log-filter=server=off"], "PING\n");
    assert!(!log.contains("kvstoreapp::server"), "{log}");
}

#[test]
fn the_level_is_changed_while_the_node_runs() {
    let quiet = "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$8\r\nloglevel\r\n$7\r\nwarning\r\n";
    let log = log_of(&[], quiet);
    assert!(log.contains("#listening]"), "{log}");
    assert!(!log.contains("#stopped]"), "{log}");
    let log = log_of(&["--log-level=error"], &quiet.replace("$7\r\nwarning", "$6\r\nnotice"));
    assert!(!log.contains("#listening]"), "{log}");
    assert!(log.contains("#stopped]"), "{log}");
}

#[test]
fn events_are_kept_whatever_is_printed() {
    let server = Server::start(&["--log-level=info"]);
    let asked = concat!(r#"{"op":"events"}"#, "\n", r#"{"op":"events","position":"2","count":1}"#, "\n");
    let answer = String::from_utf8(exchange(server.address, &[asked.as_bytes()], End::Client)).expect("text");
    let answers: Vec<serde_json::Value> =
        answer.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let events = answers[0]["events"].as_array().expect("a list");
    let codes: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("text")).collect();
    assert_eq!(codes, ["starting", "recovered", "listening"]);
    assert_eq!(events[0]["number"], 1);
    assert_eq!(events[0]["fields"]["nodes"], "1");
    assert!(events[2]["message"].as_str().expect("text").starts_with("listening on 127.0.0.1"));
    let numbers: Vec<_> = answers[1]["events"].as_array().expect("a list").iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [3]);

    let log = log_of(&["--log-level=off"], "EVENTS COUNT 1\n");
    assert_eq!(log, "");
    let server = Server::start(&["--log-filter=server=info"]);
    let asked = request(&words("EVENTS COUNT 1"));
    let answer = String::from_utf8(exchange(server.address, &[&asked], End::Client)).expect("text");
    assert!(answer.starts_with("*1\r\n*12\r\n$6\r\nnumber\r\n:3\r\n$7\r\nunix_ms\r\n:1"), "{answer}");
    assert!(answer.contains("$5\r\nevent\r\n$9\r\nlistening\r\n"), "{answer}");
}

#[test]
fn what_is_no_question_about_events_is_refused() {
    let server = Server::start(&[]);
    for (asked, wanted) in [
        ("EVENTS COUNT", "-ERR syntax error\r\n"),
        ("EVENTS COUNT many", "-ERR value is not an integer or out of range\r\n"),
        ("EVENTS COUNT -1", "-ERR syntax error\r\n"),
        ("EVENTS LATEST 1", "-ERR syntax error\r\n"),
        ("EVENTS AFTER 1000 COUNT 5", "*0\r\n"),
    ] {
        let answer = exchange(server.address, &[&request(&words(asked))], End::Client);
        assert_eq!(String::from_utf8_lossy(&answer), wanted, "{asked}");
    }
}

/// What was logged in this process, by all its tests.
struct Heard(Mutex<Vec<String>>);

impl log::Log for Heard {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().expect("nobody panics with it").push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn heard() -> &'static Heard {
    static HEARD: OnceLock<Heard> = OnceLock::new();
    let heard = HEARD.get_or_init(|| Heard(Mutex::new(Vec::new())));
    // Another test has set it then.
    let _ = log::set_logger(heard);
    log::set_max_level(log::LevelFilter::Warn);
    heard
}

#[test]
fn a_long_tick_is_told_of_once_in_ten_seconds_and_a_slow_request_knows_its_tick() {
    let heard = heard();
    let mut node = node(options());
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    let clock = std::rc::Rc::new(std::cell::Cell::new(NOW.monotonic_us));
    let read = std::rc::Rc::clone(&clock);
    node.time_by(move || read.get() * 1_000);
    let mut tick = |begin_us: u64, us: u64| {
        let now = kvstoreapp::node::Now { monotonic_us: begin_us, ..NOW };
        clock.set(begin_us);
        node.begin_tick(now);
        clock.set(begin_us + us);
        node.spent(Phase::Clients);
        node.finish_tick(now, drop);
        node.end_tick(us / 2);
    };
    let began = NOW.monotonic_us + 1_000_000;
    tick(began, 99_999);
    tick(began + 1_000_000, 123_456);
    tick(began + 2_000_000, 234_567);
    tick(began + 12_000_000, 345_678);
    let said: Vec<String> = heard.0.lock().expect("nobody panics with it").clone();
    let long: Vec<&str> = said.iter().filter(|line| line.starts_with("tick ")).map(|line| &line[7..22]).collect();
    assert_eq!(long, ["took 123 ms, 12", "took 345 ms, 34"], "{said:?}");
}
