//! Streams of events.

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin, WATCHING_LOOKS_PER_TICK};

use crate::answers::{ask, by_lines, by_words, place, place_with, request};
use crate::pure::{NOW, options, read, say, tick};

/// What is told from here on, without the chunks around it.
fn told(node: &mut Node, id: usize) -> String {
    tick(node, NOW);
    text_of(&read(node, id))
}

fn text_of(chunks: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), chunks);
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let size = std::str::from_utf8(&rest[..end]).expect("a size is text").trim_end();
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk: {size:?}"));
        text += std::str::from_utf8(&rest[end + 1..end + 1 + size]).expect("events are text");
        rest = &rest[end + 1 + size + 2..];
    }
    text
}

/// Begins a stream, and says where it begins and what it tells at once.
fn begin(node: &mut Node, id: usize, line: &str, headers: &str) -> (u64, String) {
    let answer = say(node, id, &request(line, headers, b""));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("there is a head");
    let head = String::from_utf8_lossy(&answer[..end]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), "{head}");
    let text = text_of(&answer[end + 4..]);
    let (first, events) = text.split_once("\n\n").expect("it says where it begins");
    let position = first.strip_prefix("id: ").and_then(|position| position.parse().ok());
    (position.unwrap_or_else(|| panic!("no position: {first}")), events.to_owned())
}

#[test]
fn changes_of_keys_that_begin_so_are_told_as_they_happen() {
    let mut node = place();
    let (position, _) = begin(&mut node, 0, "GET /v1/watch?prefix=a:", "");
    by_lines(&mut node, "SET b:1 x\nSET a:1 blue\nDELETE a:1\n");
    let events = told(&mut node, 0);
    let events: Vec<&str> = events.split("\n\n").filter(|event| !event.is_empty()).collect();
    assert_eq!(events.len(), 1, "one state of each key: {events:?}");
    let (id, data) = events[0].split_once("\ndata: ").expect("it has data");
    let event: serde_json::Value = serde_json::from_str(data).expect("it is JSON");
    assert_eq!((event["event"].as_str(), event["key"].as_str()), (Some("delete"), Some("a:1")));
    assert_eq!(id, format!("id: {}", event["position"].as_str().expect("a text")));
    assert!(id["id: ".len()..].parse::<u64>().expect("a number") > position);
    by_lines(&mut node, "SET a:2 green\n");
    assert!(told(&mut node, 0).contains("\"value\":\"green\""));
    assert_eq!(node.waits(0), Waits::ForInput);
    say(&mut node, 0, &request("GET /livez", "", b""));
    assert_eq!(told(&mut node, 0), "", "nothing else is asked for on this connection");
}

#[test]
fn a_stream_that_breaks_off_goes_on_where_it_was() {
    let mut node = place();
    let (position, _) = begin(&mut node, 0, "GET /v1/watch", "");
    by_lines(&mut node, "SET a 1\n");
    let first = told(&mut node, 0);
    assert!(first.contains("\"key\":\"a\""));
    node.close(0);
    by_lines(&mut node, "SET b 2\n");
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    let last = first.lines().next().and_then(|line| line.strip_prefix("id: ")).expect("an event has an id").to_owned();
    let (again, events) = begin(&mut node, 0, "GET /v1/watch", &format!("Last-Event-ID: {last}\r\n"));
    assert_eq!(again.to_string(), last);
    assert!(events.contains("\"key\":\"b\"") && !events.contains("\"key\":\"a\""), "{events}");
    node.open(1, Origin::Loopback, NOW).expect("there is room");
    let (from, events) = begin(&mut node, 1, &format!("GET /v1/watch?from={position}"), "");
    assert!(from == position && events.contains("\"key\":\"a\""), "{from} {events}");
    for wrong in ["from=99999999999999999999", "from=x", "prefix=%zz", "since=1"] {
        node.open(2, Origin::Loopback, NOW).expect("there is room");
        assert_eq!(ask(&mut node, 2, &format!("GET /v1/watch?{wrong}"), "", b"").status, 400, "{wrong}");
        node.close(2);
    }
}

#[test]
fn of_a_long_value_an_event_says_how_long_it_is() {
    let mut node = place();
    begin(&mut node, 0, "GET /v1/watch", "");
    by_lines(&mut node, &format!("SET a {}\n", "v".repeat(20_000)));
    let events = told(&mut node, 0);
    assert!(events.contains("\"value_bytes\":20000") && events.len() < 500, "{events:.500}");
}

#[test]
fn who_may_not_see_all_keys_that_begin_so_gets_no_stream_and_who_may_no_more_loses_it() {
    let mut node = place();
    by_words(&mut node, "ACL SETUSER ann on >pass %R~a* +watch-prefix");
    let ann = "Authorization: Bearer ann:pass\r\n";
    for (prefix, status) in [("", 403), ("b", 403)] {
        assert_eq!(ask(&mut node, 0, &format!("GET /v1/watch?prefix={prefix}"), ann, b"").status, status, "{prefix}");
    }
    begin(&mut node, 0, "GET /v1/watch?prefix=a", ann);
    by_words(&mut node, "ACL SETUSER ann resetkeys %R~ab*");
    assert!(node.is_over(0));
}

/// What has not been read is not made: each of many streams holds a position and some bytes, however much changes.
#[test]
fn a_thousand_streams_that_do_not_read_are_a_thousand_positions() {
    const STREAMS: usize = 1_000;
    let mut node = place_with(Options { clients_max: STREAMS + 10, ..options() });
    node.close(0);
    for id in 0..STREAMS {
        node.open(id + 10, Origin::Loopback, NOW).expect("there is room");
        begin(&mut node, id + 10, "GET /v1/watch?prefix=key", "");
    }
    let change = |node: &mut Node, count: usize| {
        let said: String = (0..count).map(|number| format!("SET key:{number} {}\n", "v".repeat(1_000))).collect();
        by_lines(node, &said);
        for _ in 0..20 {
            tick(node, NOW);
        }
        node.session_bytes()
    };
    let (some, more) = (change(&mut node, 20), change(&mut node, 5_000));
    assert_eq!(some, more, "it does not grow with what changes");
    assert!(some / STREAMS < 8 << 10, "{} bytes each", some / STREAMS);
    let busy = node.deadline_us();
    assert!(busy > NOW.monotonic_us, "nobody is told who does not read: the loop sleeps");
    // Who reads gets all of it.
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let events = told(&mut node, 10);
        if events.is_empty() {
            break;
        }
        let found = events.split("\"key\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        keys.extend(found.map(str::to_owned));
    }
    assert_eq!(keys.len(), 5_000);
}

/// What a tick does for who watches is bounded, however many they are and however much changes.
#[test]
fn a_tick_looks_at_so_much_for_all_who_watch_and_nobody_is_forgotten() {
    const STREAMS: usize = 1_000;
    const CHANGES: usize = 10_000;
    const LATE: usize = 100;
    // The budget is looked at before each step, and the longest one makes an event.
    const LOOKS_MAX: u64 = WATCHING_LOOKS_PER_TICK + 16;
    let mut node = place_with(Options { clients_max: STREAMS + LATE + 10, ..options() });
    node.close(0);
    let open = |node: &mut Node, id: usize, line: &str| {
        node.open(id, Origin::Loopback, NOW).expect("there is room");
        begin(node, id, line, "").1
    };
    let mut told = vec![String::new(); STREAMS + LATE + 10];
    // Each of these is told of ten keys.
    for (id, told) in told.iter_mut().enumerate().skip(10).take(STREAMS) {
        *told = open(&mut node, id, &format!("GET /v1/watch?prefix=k:{}:", id - 10));
    }
    let go_on = |node: &mut Node, told: &mut [String]| {
        let before = node.watching_looks();
        tick(node, NOW);
        let looks = node.watching_looks() - before;
        assert!(looks <= LOOKS_MAX, "{looks} looks in a tick");
        for (id, told) in told.iter_mut().enumerate().skip(10) {
            if node.is_client(id) && !node.sendable(id).is_empty() {
                *told += &text_of(&read(node, id));
            }
        }
        looks
    };
    let is_behind = |node: &Node| node.deadline_us() <= NOW.monotonic_us;
    let go_on_to_the_end = |node: &mut Node, told: &mut [String]| {
        let looks: u64 = (0..10_000).map_while(|_| is_behind(node).then(|| go_on(node, told))).sum();
        assert!(!is_behind(node), "it comes to an end");
        looks
    };
    go_on_to_the_end(&mut node, &mut told);
    let said: String = (0..CHANGES).map(|at| format!("SET k:{}:{} x\n", at % STREAMS, at / STREAMS)).collect();
    let before = node.watching_looks();
    by_lines(&mut node, &said);
    go_on_to_the_end(&mut node, &mut told);
    let looks = node.watching_looks() - before;
    assert!(looks < 30 * CHANGES as u64, "{looks} looks: who has heard all shares them");
    for (at, told) in told.iter().skip(10).take(STREAMS).enumerate() {
        let keys: Vec<usize> = (0..10).filter_map(|key| told.find(&format!("\"key\":\"k:{at}:{key}\""))).collect();
        assert!(keys.len() == 10 && keys.is_sorted() && told.matches("\"key\"").count() == 10, "{at}: {told}");
    }
    assert_eq!(go_on(&mut node, &mut told), 0, "where nothing is to be told nothing is looked at");
    // Who is behind holds up nobody who is not, and nobody else who is.
    for (id, told) in told.iter_mut().enumerate().skip(STREAMS + 10) {
        let line = format!("GET /v1/watch?prefix=k:{}:&from=0", id - STREAMS - 10);
        *told = open(&mut node, id, &line);
    }
    assert!(is_behind(&node));
    by_lines(&mut node, "SET k:999:new x\n");
    go_on(&mut node, &mut told);
    assert!(told[STREAMS + 9].contains("k:999:new") && is_behind(&node), "it does not wait for who is behind");
    go_on_to_the_end(&mut node, &mut told);
    for (at, told) in told.iter().skip(STREAMS + 10).enumerate() {
        assert_eq!(told.matches(&format!("\"key\":\"k:{at}:")).count(), 10, "{at}: {told}");
    }
}

/// A change that many watch is told over as many ticks as it takes; who comes or goes meanwhile is told once, too.
#[test]
fn one_change_that_a_thousand_watch_is_told_each_of_them_once() {
    const STREAMS: usize = 1_000;
    let mut node = place_with(Options { clients_max: STREAMS + 10, ..options() });
    node.close(0);
    let prefix = |id: usize| &"key"[..id % 4];
    let watch = |node: &mut Node, id: usize, from: &str| {
        node.open(id, Origin::Loopback, NOW).expect("there is room");
        begin(node, id, &format!("GET /v1/watch?prefix={}{from}", prefix(id)), "")
    };
    let mut position = 0;
    for id in 10..STREAMS + 10 {
        position = watch(&mut node, id, "").0;
    }
    (0..100).for_each(|_| tick(&mut node, NOW));
    by_lines(&mut node, "SET other x\nSET key x\n");
    let mut told = vec![String::new(); STREAMS + 10];
    for round in 0..100 {
        tick(&mut node, NOW);
        for (id, told) in told.iter_mut().enumerate().skip(10) {
            *told += &text_of(&read(&mut node, id));
        }
        // These go, and come again from where they were: one of each prefix, early ones and late ones.
        if round == 0 {
            for id in (10..14).chain(STREAMS..STREAMS + 4) {
                node.close(id);
                told[id] = watch(&mut node, id, &format!("&from={position}")).1;
            }
        }
    }
    assert!(node.deadline_us() > NOW.monotonic_us, "nobody is behind");
    for (id, told) in told.iter().enumerate().skip(10) {
        assert_eq!(told.matches("\"key\":\"key\"").count(), 1, "{id}: {told}");
        assert_eq!(told.matches("\"key\":\"other\"").count(), usize::from(prefix(id).is_empty()), "{id}: {told}");
    }
}

#[test]
fn a_stream_tells_of_its_own_database_alone_whether_it_is_level_or_behind() {
    let mut node = place();
    let (position, _) = begin(&mut node, 0, "GET /v1/watch?prefix=k&db=2", "");
    [1, 2].iter().for_each(|&id| node.open(id, Origin::Loopback, NOW).expect("there is room"));
    begin(&mut node, 1, "GET /v1/watch?prefix=k", "");
    by_lines(&mut node, "SET k:1 zero\nSELECT 2\nSET k:1 two\nSELECT 3\nSET k:1 three\n");
    let (events, others) = (told(&mut node, 0), told(&mut node, 1));
    assert!(events.contains("\"value\":\"two\"") && events.matches("data: ").count() == 1, "{events}");
    assert!(others.contains("\"value\":\"zero\"") && others.matches("data: ").count() == 1, "{others}");
    let line = format!("GET /v1/watch?prefix=k&db=3&from={position}");
    let (_, events) = begin(&mut node, 2, &line, "");
    let events = events + &told(&mut node, 2);
    assert!(events.contains("\"value\":\"three\"") && events.matches("data: ").count() == 1, "{events}");
}

/// Each telling is a write that wakes its reader.
#[test]
fn changes_that_follow_each_other_all_the_time_are_told_together_within_10_ms() {
    const CHANGES: u64 = 10_000;
    let at = |us: u64| Now { monotonic_us: NOW.monotonic_us + us, unix_ms: NOW.unix_ms + us / 1_000 };
    let mut node = place();
    begin(&mut node, 0, "GET /v1/watch", "");
    node.open(1, Origin::Loopback, NOW).expect("there is room");
    let (mut tellings, mut told) = (0, String::new());
    // One in a tick, 10,000 a second.
    for change in 0..CHANGES {
        node.receive(1, format!("SET {change} x\n").as_bytes(), at(100 * change));
        tick(&mut node, at(100 * change));
        read(&mut node, 1);
        let events = text_of(&read(&mut node, 0));
        assert!(change >= 20 || !events.is_empty(), "a few are told at once");
        tellings += usize::from(!events.is_empty());
        told += &events;
    }
    let due_us = node.deadline_us();
    assert!((at(0).monotonic_us..=at(100 * CHANGES + 10_000).monotonic_us).contains(&due_us), "{due_us}");
    tick(&mut node, at(100 * CHANGES + 10_000));
    told += &text_of(&read(&mut node, 0));
    let keys = told.split("\"key\":\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<u64>().ok());
    assert!(keys.eq(0..CHANGES), "each once, in order");
    assert!(tellings < 200, "{tellings} writes");
}
