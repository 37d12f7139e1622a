//! What one client does to another, in Redis' ways: pauses, monitors, lists of clients. And time that goes on.

use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now, Origin, SessionId};

use crate::pure::{NOW, hand_over, node_with_two_clients, read, save, say, take_turns, take_turns_at, told};
use crate::reply::{request, words};

/// What a listener that does not read may be owed.
const LISTENER_BYTES_MAX: usize = 32 << 20;

fn after_ms(ms: u64) -> Now {
    Now { monotonic_us: NOW.monotonic_us + 1_000 * ms, unix_ms: NOW.unix_ms + ms }
}

fn ask(node: &mut Node, id: SessionId, text: &str) -> String {
    String::from_utf8(say(node, id, &request(&words(text)))).expect("the test expects text")
}

/// The client says it, and is paused.
fn is_held(node: &mut Node, id: SessionId, text: &str) -> bool {
    node.receive(id, &request(&words(text)), NOW);
    node.waits(id) == Waits::ForGate(Cause::Pause)
}

/// The other client ends the pause; what was held is answered.
fn unpause(node: &mut Node) -> String {
    assert_eq!(ask(node, 1, "CLIENT UNPAUSE"), "+OK\r\n", "nothing holds it");
    while take_turns(node) > 0 {}
    told(node, 0)
}

#[test]
fn a_pause_of_writers_holds_what_writes_and_what_publishes() {
    for (text, answer) in [
        ("PUBLISH channel message", ":0\r\n"),
        ("SET a b", "+OK\r\n"),
        ("MULTI\nSET a b", "+QUEUED\r\n"),
        ("MULTI\nPUBLISH channel message", "+QUEUED\r\n"),
    ] {
        let mut node = node_with_two_clients();
        assert_eq!(ask(&mut node, 1, "CLIENT PAUSE 60000 WRITE"), "+OK\r\n");
        let held = text.lines().last().expect("there is one");
        text.lines().filter(|&line| line != held).for_each(|line| drop(ask(&mut node, 0, line)));
        assert!(is_held(&mut node, 0, held), "{text}");
        assert_eq!(unpause(&mut node), answer, "{text}");
    }
    let mut node = node_with_two_clients();
    for text in ["MULTI", "PUBLISH channel message"] {
        ask(&mut node, 0, text);
    }
    ask(&mut node, 1, "CLIENT PAUSE 60000 WRITE");
    assert!(is_held(&mut node, 0, "EXEC"));
    assert_eq!(unpause(&mut node), "*1\r\n:0\r\n");
    ask(&mut node, 1, "CLIENT PAUSE 60000 WRITE");
    for text in ["GET a", "PING", "MULTI", "GET a", "EXEC", "SUBSCRIBE channel"] {
        assert_ne!(ask(&mut node, 0, text), "", "{text}");
    }
}

#[test]
fn a_pause_of_all_holds_whatever_is_right_but_what_ends_it() {
    for text in ["GET a", "PING", "MULTI", "CLIENT PAUSE 1 WRITE", "CLIENT ID", "RESET", "QUIT", "HELLO 3"] {
        let mut node = node_with_two_clients();
        ask(&mut node, 1, "CLIENT PAUSE 60000");
        assert_eq!(ask(&mut node, 0, "NOSUCH").split(' ').nth(1), Some("unknown"));
        assert!(is_held(&mut node, 0, text), "{text}");
        assert_ne!(unpause(&mut node), "", "{text}");
    }
}

#[test]
fn who_waits_for_this_node_s_disk_is_told_at_the_deadline_or_when_another_client_says_so() {
    let mut node = node_with_two_clients();
    assert_eq!(ask(&mut node, 0, "WAITAOF 1 0 0"), "*2\r\n:1\r\n:0\r\n", "nothing was written");
    assert_eq!(ask(&mut node, 0, "SET color blue"), "+OK\r\n");
    assert_eq!(ask(&mut node, 0, "WAITAOF 0 0 0"), "*2\r\n:0\r\n:0\r\n");
    let mut check = |text: &str, told_by: &mut dyn FnMut(&mut Node), answer: &str| {
        node.receive(0, &request(&words(text)), NOW);
        assert_eq!((node.waits(0), node.sendable(0)), (Waits::ForGate(Cause::Copies), &b""[..]), "{text}");
        assert!(ask(&mut node, 1, "INFO clients").contains("blocked_clients:1\r\n"));
        assert!(ask(&mut node, 1, "CLIENT LIST").contains(" flags=b "));
        told_by(&mut node);
        while take_turns(&mut node) > 0 {}
        assert_eq!(told(&mut node, 0), answer, "{text}");
    };
    let id = "1";
    check("WAITAOF 1 0 500", &mut |node| drop(hand_over(node, after_ms(500))), "*2\r\n:0\r\n:0\r\n");
    let unblock = format!("CLIENT UNBLOCK {id}");
    check("WAITAOF 1 0 0", &mut |node| assert_eq!(ask(node, 1, &unblock), ":1\r\n"), "*2\r\n:0\r\n:0\r\n");
}

#[test]
fn of_two_pauses_the_longer_and_the_stricter_hold() {
    for (pauses, all_until_ms) in [
        (["CLIENT PAUSE 2000 WRITE", "CLIENT PAUSE 1000 ALL"], 2_000),
        (["CLIENT PAUSE 1000 WRITE", "CLIENT PAUSE 2000 ALL"], 2_000),
    ] {
        let mut node = node_with_two_clients();
        pauses.iter().for_each(|pause| drop(ask(&mut node, 1, pause)));
        assert!(is_held(&mut node, 0, "GET a"));
        for (ms, answer) in [(all_until_ms - 1, ""), (all_until_ms, "$-1\r\n")] {
            save(&mut node, after_ms(ms));
            take_turns_at(&mut node, after_ms(ms));
            assert_eq!(told(&mut node, 0), answer, "after {ms} ms");
        }
    }
}

#[test]
fn a_transaction_that_takes_memory_is_dropped_where_none_is_left_since() {
    let mut node = node_with_two_clients();
    for text in ["SET key value", "MULTI", "GET key", "SET key other"] {
        ask(&mut node, 0, text);
    }
    ask(&mut node, 1, "CONFIG SET maxmemory 1");
    let answer = "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(ask(&mut node, 0, "EXEC"), format!("{answer}\r\n"));
    assert_eq!(ask(&mut node, 0, "EXEC"), "-ERR EXEC without MULTI\r\n");
    ask(&mut node, 1, "CONFIG SET maxmemory 0");
    for text in ["MULTI", "GET key"] {
        ask(&mut node, 0, text);
    }
    ask(&mut node, 1, "CONFIG SET maxmemory 1");
    assert_eq!(ask(&mut node, 0, "EXEC"), "*1\r\n$5\r\nvalue\r\n");
}

#[test]
fn a_monitor_is_told_of_every_request_as_it_was_sent_and_when() {
    let mut node = node_with_two_clients();
    node.introduce(1, ("127.0.0.1:7".to_owned(), String::new()));
    assert_eq!(ask(&mut node, 0, "MONITOR"), "+OK\r\n");
    let mut check = |texts: &[&[u8]], expected: &[&str]| {
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
        say(&mut node, 1, &request(&texts));
        let lines: String =
            expected.iter().map(|line| format!("+1700000000.000000 [0 127.0.0.1:7] {line}\r\n")).collect();
        assert_eq!(told(&mut node, 0), lines, "{texts:?}");
    };
    check(&[b"set", b"key", b"\0\xff\"\\\n\r\t\x07\x08 ~\x7f"], &[r#""set" "key" "\x00\xff\"\\\n\r\t\a\b ~\x7f""#]);
    check(&[b"INCR", b"key"], &[r#""INCR" "key""#]);
    check(&[b"NOSUCH"], &[]);
    check(&[b"GET"], &[]);
    check(&[b"CONFIG", b"GET", b"maxmemory"], &[]);
    check(&[b"CLIENT", b"LIST"], &[]);
    check(&[b"CLIENT", b"ID"], &[r#""CLIENT" "ID""#]);
    check(&[b"HELLO", b"2", b"AUTH", b"default", b"secret"], &[r#""HELLO" "2" "AUTH" "(redacted)" "(redacted)""#]);
    check(&[b"AUTH", b"secret"], &[r#""AUTH" "(redacted)""#]);
    check(&[b"AUTH", b"default", b"secret"], &[r#""AUTH" "(redacted)" "(redacted)""#]);
    check(&[b"HELLO", b"AUTH", b"default", b"secret"], &[r#""HELLO" "AUTH" "(redacted)" "(redacted)""#]);
    let hidden = r#""COMMAND" "GETKEYS" "AUTH" "(redacted)""#;
    check(&[b"COMMAND", b"GETKEYS", b"AUTH", b"secret"], &[hidden]);
    check(&[b"MULTI"], &[r#""MULTI""#]);
    check(&[b"GET", b"key"], &[]);
    check(&[b"EXEC"], &[r#""GET" "key""#, r#""EXEC""#]);
    say(&mut node, 1, b"{\"op\":\"get\",\"key\":\"color\"}\n");
    assert!(told(&mut node, 0).ends_with("\"color\"\r\n"), "in whatever dialect it came");
    assert!(ask(&mut node, 0, "HELLO 3").ends_with("\"HELLO\" \"3\"\r\n"));
    say(&mut node, 1, &request(&words("GET a")));
    assert!(told(&mut node, 0).starts_with("+1700000000.000000 [0 "));
    assert_eq!(ask(&mut node, 0, "RESET"), "+RESET\r\n");
    say(&mut node, 1, &request(&words("GET a")));
    assert_eq!(told(&mut node, 0), "");
}

#[test]
fn a_monitor_that_does_not_read_is_hung_up_on_and_one_that_is_gone_is_told_nothing() {
    let mut node = node_with_two_clients();
    ask(&mut node, 0, "MONITOR");
    let long = request(&words(&format!("ECHO {}", "x".repeat(1 << 20))));
    let mut rounds = 0;
    while node.waits(0) != Waits::ForNothing {
        say(&mut node, 1, &long);
        rounds += 1;
        assert!(rounds << 20 <= 2 * LISTENER_BYTES_MAX, "it is owed more and more");
    }
    assert!((rounds - 2) << 20 <= LISTENER_BYTES_MAX);
    node.close(0);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    say(&mut node, 1, &request(&words("GET a")));
    assert_eq!(told(&mut node, 0), "");
}

#[test]
fn the_list_of_clients_names_the_command_with_its_part_and_what_the_client_does() {
    let mut node = node_with_two_clients();
    for (text, shown) in [
        ("CLIENT ID", "cmd=client|id "),
        ("client setname me", "cmd=client|setname "),
        ("GET a", "cmd=get "),
        ("COMMAND", "cmd=command "),
        ("COMMAND COUNT", "cmd=command|count "),
        ("CLIENT NOSUCH", "cmd=NULL "),
        ("NOSUCH", "cmd=NULL "),
        ("PING", " flags=N "),
        ("MULTI", " flags=x "),
        ("DISCARD", " flags=N "),
        ("SUBSCRIBE channel", " flags=P "),
        ("RESET", " flags=N "),
        ("MONITOR", " flags=O "),
    ] {
        ask(&mut node, 0, text);
        let listed = ask(&mut node, 1, "CLIENT LIST");
        let lines: Vec<&str> = listed.lines().collect();
        assert!(lines[1].contains(shown), "after {text}: {}", lines[1]);
        assert!(lines[2].contains("cmd=client|list "), "{}", lines[2]);
    }
    assert!(ask(&mut node, 1, "CLIENT INFO").contains("cmd=client|info "));
    ask(&mut node, 1, "CLIENT PAUSE 60000");
    node.close(0);
    node.open(0, Origin::Loopback, NOW).expect("there is room");
    assert!(is_held(&mut node, 0, "GET a"));
    ask(&mut node, 1, "CLIENT UNPAUSE");
    while take_turns(&mut node) > 0 {}
}

#[test]
fn a_key_that_has_expired_is_counted_until_somebody_asks_for_it() {
    let mut node = node_with_two_clients();
    ask(&mut node, 1, "DEBUG SET-ACTIVE-EXPIRE 0");
    ask(&mut node, 1, "CONFIG SET notify-keyspace-events E$xn");
    for key in 0..6 {
        ask(&mut node, 1, &format!("PSETEX key{key} 5 value"));
    }
    ask(&mut node, 0, "PSUBSCRIBE *");
    node.begin_tick(after_ms(10));
    assert_eq!(ask(&mut node, 1, "DBSIZE"), ":6\r\n");
    assert_eq!(ask(&mut node, 1, "MGET key0 key1"), "*2\r\n$-1\r\n$-1\r\n");
    assert_eq!(ask(&mut node, 1, "DBSIZE"), ":4\r\n");
    let events = told(&mut node, 0);
    assert_eq!(events.matches("__keyevent@0__:expired").count(), 2, "{events}");
    assert_eq!(ask(&mut node, 1, "SET key2 again"), "+OK\r\n");
    let events = told(&mut node, 0);
    let names: Vec<&str> = events.lines().filter_map(|line| line.strip_prefix("__keyevent@0__:")).collect();
    assert_eq!(names, ["expired", "new", "set"]);
    assert_eq!(ask(&mut node, 1, "DBSIZE"), ":4\r\n");
    for text in ["MULTI", "EXISTS key3", "EXEC"] {
        ask(&mut node, 1, text);
    }
    assert_eq!(ask(&mut node, 1, "DBSIZE"), ":3\r\n");
    assert_eq!(ask(&mut node, 1, "SCAN 0"), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nkey2\r\n");
    assert_eq!(ask(&mut node, 1, "DBSIZE"), ":1\r\n");
}

#[test]
fn what_is_said_of_a_value_s_encoding_is_the_same_everywhere() {
    let mut node = node_with_two_clients();
    for (text, encoding) in [
        ("SET key 1", "int"),
        ("APPEND key 2", "raw"),
        ("INCR key", "int"),
        ("INCRBYFLOAT key 1", "embstr"),
        ("SETBIT key 1 1", "raw"),
        ("SET key abc", "embstr"),
    ] {
        ask(&mut node, 0, text);
        assert_eq!(ask(&mut node, 0, "OBJECT ENCODING key"), format!("${}\r\n{encoding}\r\n", encoding.len()));
        let shown = ask(&mut node, 0, "DEBUG OBJECT key");
        assert!(shown.contains(&format!(" encoding:{encoding} ")), "{shown}");
    }
    assert!(
        ask(&mut node, 0, "OBJECT IDLETIME key").starts_with("-ERR No maxmemory policy is selected, idle time not")
    );
}

#[test]
fn a_value_that_is_looked_through_is_answered_as_it_was_and_belongs_to_no_other_request() {
    let mut node = node_with_two_clients();
    for (key, letter) in [("a", "x"), ("b", "y")] {
        ask(&mut node, 1, &format!("SET {key} {}", letter.repeat(3 << 20)));
    }
    node.receive(0, b"GET a\n", NOW);
    assert_eq!((node.waits(0), node.sendable(0)), (Waits::ForTurn, &b""[..]), "it takes several turns");
    node.receive(1, &request(&words("DEL a")), NOW);
    let mut answer = Vec::new();
    while take_turns(&mut node) > 0 {
        answer.append(&mut read(&mut node, 0));
    }
    assert!(answer.starts_with(b"xxx") && answer.len() == (3 << 20) + 1, "{} bytes", answer.len());
    assert!(say(&mut node, 0, b"GET b\n").starts_with(b"yyy"));
}

#[test]
fn a_pause_that_is_over_makes_no_other_stricter() {
    let mut node = node_with_two_clients();
    ask(&mut node, 1, "CLIENT PAUSE 30 ALL");
    node.receive(1, &request(&words("CLIENT PAUSE 300 WRITE")), after_ms(500));
    node.resume(1, after_ms(500));
    node.receive(0, &request(&words("GET a")), after_ms(501));
    assert_eq!(told(&mut node, 0), "$-1\r\n");
}

#[test]
fn what_a_refused_request_has_slept_is_not_what_the_next_one_has() {
    let mut node = node_with_two_clients();
    for text in ["MULTI", "SET a b", "DEBUG SLEEP 0.5"] {
        ask(&mut node, 0, text);
    }
    node.receive(0, &request(&words("EXEC")), NOW);
    assert_eq!(node.waits(0), Waits::ForGate(Cause::Time));
    ask(&mut node, 1, "SET c d");
    ask(&mut node, 1, "CONFIG SET maxmemory 1");
    hand_over(&mut node, after_ms(500));
    take_turns_at(&mut node, after_ms(500));
    assert!(told(&mut node, 0).starts_with("-EXECABORT"));
    node.receive(0, &request(&words("DEBUG SLEEP 0.7")), after_ms(500));
    assert_eq!((node.waits(0), node.sendable(0)), (Waits::ForGate(Cause::Time), &b""[..]), "it sleeps");
}
