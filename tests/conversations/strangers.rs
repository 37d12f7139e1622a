//! Clients that have proven nothing: how long and how many of them a node bears with. Pure, so that a test owns the time.

use kvstoreapp::auth::Password;
use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Options, Origin, SessionId};

use crate::harness::{Client, Server, wait_for};
use crate::pure::{NOW, hand_over, node, options, read, say, take_turns_at, tick};
use crate::reply::{request, words};

pub const SECOND_US: u64 = 1_000_000;

pub fn after(us: u64) -> Now {
    Now { monotonic_us: NOW.monotonic_us + us, unix_ms: NOW.unix_ms + us / 1_000 }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One field of `INFO`, asked by this session.
pub fn info(node: &mut Node, id: SessionId, name: &str) -> String {
    let told = text(&say(node, id, b"INFO\n"));
    let field = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    field.unwrap_or_else(|| panic!("{name} is not in {told}")).to_owned()
}

/// A node whose default user has the password `secret`, and on which so many clients may be.
pub fn guarded(clients_max: usize) -> Node {
    node(Options { password: Some(Password::of(b"secret")), clients_max, ..options() })
}

pub fn ask(node: &mut Node, id: SessionId, text: &str) -> String {
    text_of(say(node, id, &request(&words(text))))
}

pub fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_request_of_a_stranger_has_ten_words_of_sixteen_kibibytes_at_most() {
    let too_many = "-ERR Protocol error: unauthenticated multibulk length\r\n";
    let too_long = "-ERR Protocol error: unauthenticated bulk length\r\n";
    let unknown = "-NOAUTH Authentication required.\r\n";
    for (says, told, is_over) in [
        // What is wrong is said as soon as it is there, before anything is kept.
        ("*11\r\n".to_owned(), too_many, true),
        ("*1048576\r\n".to_owned(), too_many, true),
        ("*2147483648\r\n".to_owned(), "-ERR Protocol error: invalid multibulk length\r\n", true),
        ("*2\r\n$4\r\nAUTH\r\n$16385\r\n".to_owned(), too_long, true),
        ("*2\r\n$4\r\nAUTH\r\n$67108864\r\n".to_owned(), too_long, true),
        ("*2\r\n$4\r\nAUTH\r\n$67108865\r\n".to_owned(), "-ERR Protocol error: invalid bulk length\r\n", true),
        ("*2\r\n$4\r\nAUTH\r\n$-1\r\n".to_owned(), "-ERR Protocol error: invalid bulk length\r\n", true),
        (format!("*10\r\n$4\r\nMGET\r\n{}", "$1\r\na\r\n".repeat(9)), unknown, false),
        (format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$16384\r\n{}\r\n", "v".repeat(16384)), unknown, false),
    ] {
        let mut node = guarded(10);
        node.open(0, Origin::Loopback, NOW).expect("there is room");
        assert_eq!(text_of(say(&mut node, 0, says.as_bytes())), told, "{}", &says[..says.len().min(60)]);
        assert_eq!(node.is_over(0), is_over);
    }
}

#[test]
fn the_limits_of_strangers_end_with_the_password_and_come_back_with_a_reset() {
    let long = request(&[words("SET a"), vec![vec![b'v'; 20_000]]].concat());
    let many = request(&words(&format!("MGET{}", " a".repeat(20))));
    let auth = request(&words("AUTH secret"));
    let mut node = guarded(10);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    // All at once: each request is read when it is its turn, and not before.
    let told = text_of(say(&mut node, 0, &[&auth[..], &long, &many].concat()));
    assert!(told.starts_with("+OK\r\n+OK\r\n*20\r\n$20000\r\n"), "{}", &told[..40]);
    let reset = request(&words("RESET"));
    let told = text_of(say(&mut node, 0, &[&reset[..], &many].concat()));
    assert_eq!(told, "+RESET\r\n-ERR Protocol error: unauthenticated multibulk length\r\n");
}

#[test]
fn a_line_or_an_object_of_a_stranger_is_short_too() {
    let told = "request too long: at most 16384 bytes before authentication";
    for (begin, expected) in [
        ("SET a ", format!("ERROR {told}\n")),
        (
            "{\"op\":\"set\",\"key\":\"a\",\"value\":\"",
            format!("{{\"error\":{{\"code\":\"ERR\",\"message\":\"{told}\"}},\"ok\":false}}\n"),
        ),
    ] {
        let mut node = guarded(10);
        node.open(0, Origin::Loopback, NOW).expect("there is room");
        assert_eq!(say(&mut node, 0, begin.as_bytes()), b"");
        assert_eq!(say(&mut node, 0, &vec![b'v'; 16_384 - begin.len()]), b"");
        assert_eq!(text_of(say(&mut node, 0, b"v")), expected);
        assert!(node.is_over(0));
        // Also where it is whole.
        node.open(1, Origin::Loopback, NOW).expect("there is room");
        let end = if begin.starts_with('{') { "\"}\n" } else { "\n" };
        let whole = [begin, &"v".repeat(16_384), end].concat();
        assert_eq!(text_of(say(&mut node, 1, whole.as_bytes())), expected);
        assert!(node.is_over(1));
    }
    let mut node = guarded(10);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    let line = format!("AUTH secret\nSET a {}\n", "v".repeat(100_000));
    assert_eq!(text_of(say(&mut node, 0, line.as_bytes())), "OK\nOK\n");
}

#[test]
fn a_client_has_a_minute_to_say_its_password() {
    const MINUTE_US: u64 = 60 * SECOND_US;
    let mut node = guarded(100);
    for id in 0..4 {
        node.open(id, Origin::Far, NOW).expect("there is room");
    }
    assert_eq!(ask(&mut node, 1, "AUTH secret"), "+OK\r\n");
    assert_eq!(ask(&mut node, 2, "GET a"), "-NOAUTH Authentication required.\r\n", "talking gains no time");
    assert_eq!(ask(&mut node, 3, "AUTH secret"), "+OK\r\n");
    assert_eq!(ask(&mut node, 3, "RESET"), "+RESET\r\n", "it is nobody again, and has a minute from here");
    tick(&mut node, after(MINUTE_US - 1));
    assert!((0..4).all(|id| !node.is_over(id)));
    tick(&mut node, after(MINUTE_US));
    assert_eq!([0, 1, 2, 3].map(|id| node.is_over(id)), [true, false, true, true]);
    assert!(node.sendable(0).is_empty(), "without a word");
    [0, 2, 3].into_iter().for_each(|id| node.close(id));
    node.receive(1, &request(&words("INFO")), after(MINUTE_US));
    let info = text_of(read(&mut node, 1));
    for field in ["clients_closed_unauthenticated:3", "clients_unauthenticated:0", "connected_clients:1"] {
        assert!(info.contains(&format!("\r\n{field}\r\n")), "{field} is not in {info}");
    }
}

#[test]
fn of_clients_that_have_not_authenticated_the_newest_stay() {
    const MAX: usize = 1_000;
    let mut node = guarded(MAX);
    node.open(0, Origin::Far, NOW).expect("there is room");
    assert_eq!(ask(&mut node, 0, "AUTH secret"), "+OK\r\n");
    for id in 1..=150 {
        node.open(id, Origin::Far, after(id as u64)).expect("there is room");
    }
    assert_eq!((1..=150).filter(|&id| node.is_over(id)).count(), 50, "a tenth of them stays");
    assert!((1..=50).all(|id| node.is_over(id)), "the oldest went");
    // Whoever has authenticated makes room for another.
    assert_eq!(ask(&mut node, 51, "AUTH secret"), "+OK\r\n");
    node.open(151, Origin::Far, after(151)).expect("there is room");
    assert!((51..=151).all(|id| !node.is_over(id)));
    node.open(152, Origin::Far, after(152)).expect("there is room");
    assert!(node.is_over(52) && !node.is_over(51) && !node.is_over(0));
}

#[test]
fn strangers_cost_no_work_in_a_tick() {
    let mut node = guarded(10_000);
    (0..5).for_each(|_| tick(&mut node, NOW));
    for id in 0..1_000 {
        node.open(id, Origin::Far, NOW).expect("there is room");
    }
    node.take_touched(&mut Vec::new());
    let first_us = node.deadline_us();
    assert_eq!(first_us, after(60 * SECOND_US).monotonic_us.min(first_us), "nobody is looked at before");
    for number in 0..1_000 {
        tick(&mut node, after(number));
        let (mut touched, mut runnable) = (Vec::new(), Vec::new());
        node.take_touched(&mut touched);
        node.take_runnable(&mut runnable);
        assert!(touched.is_empty() && runnable.is_empty(), "tick {number}: {touched:?} {runnable:?}");
    }
    let (mut touched, now) = (Vec::new(), after(60 * SECOND_US));
    tick(&mut node, now);
    node.take_touched(&mut touched);
    assert_eq!(touched.len(), 1_000);
}

#[test]
fn a_stranger_that_does_not_read_is_owed_sixteen_kibibytes_and_goes_on_when_it_reads() {
    const OWED: usize = 16 << 10;
    const ASKED: usize = 2_000;
    let refusal = "-NOAUTH Authentication required.\r\n";
    let mut node = guarded(10);
    (0..2).for_each(|id| node.open(id, Origin::Loopback, NOW).expect("there is room"));
    assert_eq!(ask(&mut node, 1, "AUTH secret"), "+OK\r\n");
    assert_eq!(ask(&mut node, 1, "SET a 0123456789abcdef0123456789"), "+OK\r\n");
    for id in 0..2 {
        node.receive(id, &request(&words("GET a")).repeat(ASKED), NOW);
        while take_turns_at(&mut node, NOW) > 0 {}
    }
    assert_eq!(node.waits(0), Waits::ForReader);
    let owed = node.sendable(0).len();
    assert!((OWED..OWED + refusal.len()).contains(&owed), "{owed}");
    assert!(node.sendable(1).len() > 3 * OWED, "who has said who it is may be owed more");
    let mut told = String::new();
    while told.len() < ASKED * refusal.len() {
        told += &text_of(read(&mut node, 0));
        assert!(take_turns_at(&mut node, NOW) > 0 || node.waits(0) == Waits::ForInput, "after {}", told.len());
    }
    assert_eq!(told, refusal.repeat(ASKED));
}

#[test]
fn a_stranger_that_is_sent_away_is_gone_also_where_it_reads_nothing() {
    // What it is owed is more than its socket takes: at most 4 MiB, and as much again at the other side.
    const ASKED: usize = 400_000;
    const PLACES: usize = 16;
    let directory = tempfile::tempdir().expect("there is room");
    std::fs::write(directory.path().join("password"), "secret").expect("it can be written");
    let server = Server::start_in(directory, &["--password-file=password", "--max-clients=100"]);
    let mut watcher = server.connect();
    assert_eq!(watcher.ask("AUTH secret"), "OK");
    let descriptors = || std::fs::read_dir(server.proc_path("fd")).expect("it is ours").count();
    let own = descriptors();
    let mut crowd: Vec<Client> = (0..PLACES).map(|_| server.connect()).collect();
    crowd.iter_mut().for_each(|client| client.send("?\n".repeat(ASKED / 2)));
    wait_for("its requests to be left alone", || {
        let [before, after] = [(); 2].map(|()| (watcher.info("bytes_out"), watcher.info("ticks")));
        let written = |(bytes, _): &(String, String)| bytes.parse::<usize>().expect("a number");
        // INFO is shorter than what a turn of theirs brings.
        (written(&after) - written(&before) < 16 << 10 && written(&before) > PLACES << 20).then_some(())
    });
    let others: Vec<Client> = (0..PLACES).map(|_| server.connect()).collect();
    wait_for("them to be gone", || {
        let closed = watcher.info("clients_closed_unauthenticated");
        (closed == PLACES.to_string() && descriptors() == own + others.len()).then_some(())
    });
}

// -- passwords that are none --

#[test]
fn each_password_that_is_none_is_answered_later_and_the_tenth_is_the_last() {
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    let mut node = guarded(100);
    (0..5).for_each(|_| tick(&mut node, NOW));
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    // What it says meanwhile waits, too. The log's line about it is due a second later at most, which is no waiting.
    let says = [request(&words("AUTH nobody nothing")), request(&words("HELLO 3 AUTH default wrong"))];
    let mut begun_us = 0;
    for (number, wait_ms) in [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000, 2_000].into_iter().enumerate() {
        begun_us += 4 * SECOND_US;
        node.begin_tick(after(begun_us));
        // Lines of the log that are due.
        hand_over(&mut node, after(begun_us));
        node.receive(0, &says[number % 2], after(begun_us));
        assert_eq!(node.waits(0), Waits::ForGate(Cause::Time));
        let until = after(begun_us + wait_ms * 1_000);
        hand_over(&mut node, Now { monotonic_us: until.monotonic_us - 1, ..until });
        assert_eq!((node.waits(0), node.sendable(0).len()), (Waits::ForGate(Cause::Time), 0), "{wait_ms} ms");
        hand_over(&mut node, until);
        take_turns_at(&mut node, until);
        let answer = text_of(read(&mut node, 0));
        assert_eq!(answer, wrong, "the {number}th");
        assert_eq!(node.is_over(0), number == 9, "the {number}th");
    }
    node.close(0);
    let later = after(begun_us + 4 * SECOND_US);
    node.open(1, Origin::Loopback, later).expect("there is room");
    node.receive(1, &request(&words("AUTH secret")), later);
    assert_eq!(text_of(read(&mut node, 1)), "+OK\r\n", "nobody else is held up");
    node.receive(1, &request(&words("INFO")), later);
    let info = text_of(read(&mut node, 1));
    assert!(info.contains("\r\nacl_access_denied_auth:10\r\n"), "{info}");
}

#[test]
fn who_waits_for_a_refusal_may_not_go_on_and_others_may() {
    let mut node = guarded(100);
    (0..2).for_each(|id| node.open(id, Origin::Loopback, NOW).expect("there is room"));
    let all = [request(&words("AUTH wrong")), request(&words("AUTH secret")), request(&words("PING"))].concat();
    node.receive(0, &all, NOW);
    assert_eq!(node.sendable(0).len(), 0);
    assert_eq!(ask(&mut node, 1, "AUTH secret"), "+OK\r\n");
    let until = after(100_000);
    hand_over(&mut node, until);
    take_turns_at(&mut node, until);
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    assert_eq!(text_of(read(&mut node, 0)), format!("{wrong}+OK\r\n+PONG\r\n"));
}

#[test]
fn the_log_tells_of_failures_once_a_second_with_how_many() {
    const CROWD: usize = 12;
    let directory = tempfile::tempdir().expect("there is room");
    std::fs::write(directory.path().join("password"), "secret").expect("it can be written");
    let server = Server::start_in(directory, &["--password-file=password", "--dialect=resp"]);
    let mut clients: Vec<Client> = (0..CROWD).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.send("AUTH wrong-password\r\n"));
    clients.iter_mut().for_each(|client| assert!(client.line().starts_with("-WRONGPASS ")));
    let counted = || -> Vec<usize> {
        let count = |line: &String| line.split(" failed AUTH").next()?.rsplit(' ').next()?.parse().ok();
        server.later_lines(" failed AUTH, the last of them from 127.0.0.1:").iter().filter_map(count).collect()
    };
    wait_for("all to be told of", || (counted().iter().sum::<usize>() == CROWD).then_some(()));
    assert!(counted().len() <= 3, "{:?}", counted());
    assert!(server.later_lines("wrong-password").is_empty());
}
