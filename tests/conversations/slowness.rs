//! What took long: `SLOWLOG`, `LATENCY`, and the longest tick in `INFO`.

use std::cell::Cell;
use std::rc::Rc;

use kvstoreapp::metrics::ticks::Phase;
use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Now};
use redis::{Connection, cmd};

use crate::harness::{PATIENCE, Server};
use crate::pure::{NOW, hand_over, node_with_two_clients, say, told};
use crate::reply::{request, words};

/// A client of a node whose clock goes on by so many microseconds whenever it is read.
struct Timed {
    node: Node,
    read_us: Rc<Cell<u64>>,
    step_us: u64,
}

impl Timed {
    fn new(step_us: u64) -> Timed {
        let (mut node, read_us) = (node_with_two_clients(), Rc::new(Cell::new(NOW.monotonic_us)));
        let clock_us = Rc::clone(&read_us);
        node.time_by(move || {
            clock_us.set(clock_us.get() + step_us);
            clock_us.get() * 1_000
        });
        let mut timed = Timed { node, read_us, step_us };
        timed.ask("HELLO 3");
        timed
    }

    fn ask(&mut self, text: &str) -> String {
        let answer = say(&mut self.node, 0, &request(&words(text)));
        String::from_utf8(answer).expect("the test expects text").replace("\r\n", " ")
    }

    /// How often the clock is read for a request.
    fn reads_for(&mut self, text: &str) -> u64 {
        let before_us = self.read_us.get();
        self.node.receive(0, &request(&words(text)), NOW);
        (self.read_us.get() - before_us) / self.step_us
    }

    /// What the clock shows when it is read next.
    fn set_clock(&mut self, us: u64) {
        self.read_us.set(us - self.step_us);
    }

    fn check(&mut self, text: &str, expected: &str) {
        assert_eq!(self.ask(text).trim_end(), expected, "answered to {text}");
    }
}

#[test]
fn reading_and_writing_a_key_reads_no_clock_but_for_some_one_call_of_64() {
    const SHORT: [&str; 8] = ["SET a b", "GET a", "DEL a", "INCR n", "EXPIRE n 10", "MGET a b c", "APPEND a x", "PING"];
    let mut client = Timed::new(1);
    client.ask("CONFIG RESETSTAT");
    let reads = |client: &mut Timed, request: &str, calls: usize| -> u64 {
        (0..calls).map(|_| client.reads_for(request)).sum()
    };
    for request in SHORT {
        assert_eq!(reads(&mut client, request, 1), 2, "the first {request} is timed");
        // Two readings a call that is timed, and which are timed is left to chance with a fixed seed.
        let timed = reads(&mut client, request, 64 * 20) / 2;
        assert!((8..=40).contains(&timed), "of 1,280 times {request}, {timed} are timed");
    }
    let many = format!("DEL {}", "k ".repeat(40));
    assert_eq!(reads(&mut client, &many, 1), 2, "one with many keys is timed");
}

#[test]
fn what_expired_or_was_flushed_is_cleared_out_in_steps_of_32() {
    const KEYS: usize = 200;
    // A step is all that a tick has time for.
    let mut client = Timed::new(1_000);
    (0..KEYS).for_each(|key| client.check(&format!("SET {key} value PX 10"), "+OK"));
    let mut now = Now { monotonic_us: NOW.monotonic_us + 10_000, unix_ms: NOW.unix_ms + 10 };
    for left in (32..KEYS).step_by(32).map(|done| KEYS - done).chain([0]) {
        client.node.begin_tick(now);
        assert_eq!(client.node.store().expiring(), left);
    }

    (0..KEYS).for_each(|key| client.check(&format!("SET {key} value"), "+OK"));
    // So that there is nothing else to be done in the next.
    client.node.begin_tick(now);
    client.check("FLUSHALL", "+OK");
    now.monotonic_us += 1;
    let is_sweeping = |client: &mut Timed| {
        client.node.begin_tick(now);
        client.node.store().is_sweeping()
    };
    let ticks = (0..KEYS).take_while(|_| is_sweeping(&mut client)).count();
    assert!((KEYS / 32 - 1..KEYS).contains(&ticks), "{ticks} ticks");
}

#[test]
fn a_request_that_changes_many_keys_pays_for_its_sweep_over_several_ticks() {
    const FLUSHED: usize = 20_000;
    const CHANGED: usize = 12_000;
    let mut client = Timed::new(1_000);
    let set = |name: &str, keys: usize| {
        format!("MSET{}", (0..keys).map(|key| format!(" {name}{key:06} value")).collect::<String>())
    };
    let mut now = NOW;
    let mut tick = |client: &mut Timed| {
        now.monotonic_us += 1;
        client.node.begin_tick(now);
        client.node.store().bytes()
    };
    client.check(&set("flushed:", FLUSHED), "+OK");
    let key_bytes = client.node.store().bytes() / FLUSHED;
    tick(&mut client);
    client.check("FLUSHALL", "+OK");
    tick(&mut client);
    client.check(&set("changed:", CHANGED), "+OK");
    let freed = client.node.store().bytes() - tick(&mut client);
    assert!((1_000..4_000).contains(&(freed / key_bytes)), "{} keys in a tick", freed / key_bytes);
    // A tick has time for one step beside: it is the changes that call for the rest.
    for _ in 0..30 {
        tick(&mut client);
    }
    assert!(!client.node.store().is_sweeping());
}

#[test]
fn a_slow_request_is_listed_with_its_time_its_words_and_its_client() {
    let mut client = Timed::new(20_000);
    client.ask("CLIENT SETNAME me");
    client.check("SLOWLOG RESET", "+OK");
    client.ask("LCS a b");
    client.ask("GET a");
    client.node.introduce(0, ("1.2.3.4:5".to_owned(), String::new()));
    client.ask("KEYS *");
    let second = "*6 :2 :1700000000 :20000 *2 $4 KEYS $1 * $9 1.2.3.4:5 $2 me";
    let first = "*6 :1 :1700000000 :20000 *3 $3 LCS $1 a $1 b $0  $2 me";
    client.check("SLOWLOG GET", &format!("*2 {second} {first}"));
    client.check("SLOWLOG GET 1", &format!("*1 {second}"));
    client.check("SLOWLOG GET -1", &format!("*2 {second} {first}"));
    client.check("SLOWLOG GET -2", "-ERR count should be greater than or equal to -1");
    client.check("SLOWLOG GET all", "-ERR count should be greater than or equal to -1");
    client.check("SLOWLOG LEN", ":2");
    client.check("SLOWLOG RESET", "+OK");
    client.check("SLOWLOG GET", "*0");
}

#[test]
fn how_slow_slow_is_and_how_many_are_kept_can_be_set() {
    let mut client = Timed::new(20_000);
    client.check("CONFIG SET slowlog-log-slower-than 20001", "+OK");
    client.ask("LCS a b");
    client.check("SLOWLOG LEN", ":0");
    client.check("CONFIG SET slowlog-log-slower-than -1", "+OK");
    client.ask("LCS a b");
    client.check("SLOWLOG LEN", ":0");
    client.check("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2", "+OK");
    ["GET a", "GET b", "GET c"].into_iter().for_each(|text| drop(client.ask(text)));
    client.check("SLOWLOG LEN", ":2");
    client.check("CONFIG GET slowlog-*", "%2 $23 slowlog-log-slower-than $1 0 $15 slowlog-max-len $1 2");
    client.check(
        "CONFIG SET slowlog-max-len many",
        "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument couldn't be parsed into an integer",
    );
    client.check(
        "CONFIG SET slowlog-log-slower-than -2",
        "-ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - argument must be between -1 and 9223372036854775807 inclusive",
    );
}

#[test]
fn a_request_that_takes_several_turns_is_one_and_as_long_as_all_of_them() {
    let mut client = Timed::new(100);
    for number in 0..10_000 {
        client.ask(&format!("SET key{number} x"));
    }
    client.ask("CONFIG SET slowlog-log-slower-than 1");
    client.ask("SLOWLOG RESET");
    client.ask("KEYS none*");
    let listed = client.ask("SLOWLOG GET 1");
    let us: u64 = listed.split(' ').nth(4).and_then(|us| us[1..].parse().ok()).expect("a duration");
    assert!(us >= 300, "10,000 keys are three turns at least: {listed}");
    client.check("SLOWLOG LEN", ":3");
}

#[test]
fn what_was_slow_in_a_transaction_is_listed_and_where_nothing_was_the_whole() {
    let mut client = Timed::new(20_000);
    for text in ["MULTI", "GET a", "LCS a b", "EXEC"] {
        client.ask(text);
    }
    let listed = client.ask("SLOWLOG GET");
    assert!(listed.contains(":20000 *3 $3 LCS"), "{listed}");
    client.check("SLOWLOG LEN", ":1");
    client.ask("CONFIG SET slowlog-log-slower-than 50000");
    for text in ["MULTI", "LCS a b", "LCS a b", "EXEC"] {
        client.ask(text);
    }
    let listed = client.ask("SLOWLOG GET 1");
    assert!(listed.contains(":100000 *1 $4 EXEC"), "{listed}");
}

#[test]
fn what_sleeps_in_a_transaction_is_listed_as_long_as_it_slept() {
    let mut client = Timed::new(1);
    for text in ["MULTI", "SET a b", "DEBUG SLEEP 0.25", "GET a"] {
        client.ask(text);
    }
    client.node.receive(0, &request(&words("EXEC")), NOW);
    assert_eq!(client.node.sendable(0), b"", "all of it waits");
    let later_us = |us: u64| Now { monotonic_us: NOW.monotonic_us + us, ..NOW };
    hand_over(&mut client.node, later_us(249_999));
    assert_eq!(client.node.waits(0), Waits::ForGate(Cause::Time));
    hand_over(&mut client.node, later_us(250_000));
    client.node.resume(0, later_us(250_000));
    assert_eq!(told(&mut client.node, 0), "*3\r\n+OK\r\n+OK\r\n$1\r\nb\r\n");
    let listed = client.ask("SLOWLOG GET");
    assert!(listed.contains("*3 $5 DEBUG $5 SLEEP $4 0.25") && !listed.contains("EXEC"), "{listed}");
}

#[test]
fn a_password_is_not_listed() {
    let mut client = Timed::new(20_000);
    client.ask("CONFIG SET slowlog-log-slower-than 0");
    client.ask("HELLO 3 AUTH default sesame SETNAME me");
    let listed = client.ask("SLOWLOG GET");
    assert!(listed.contains("$5 HELLO $1 3 $4 AUTH $10 (redacted) $10 (redacted) $7 SETNAME $2 me"), "{listed}");
    for (request, is_listed) in [
        ("HELLO AUTH default sesame", "$5 HELLO $4 AUTH $10 (redacted) $10 (redacted)"),
        ("HELLO 3 SETNAME AUTH default sesame", "$5 HELLO $1 3 $7 SETNAME $4 AUTH $10 (redacted) $10 (redacted)"),
        ("HELLO 3 AUTH AUTH sesame", "$5 HELLO $1 3 $4 AUTH $10 (redacted) $10 (redacted)"),
        (
            "HELLO 3 setname me auth default sesame",
            "$5 HELLO $1 3 $7 setname $2 me $4 auth $10 (redacted) $10 (redacted)",
        ),
        ("ACL DRYRUN default AUTH sesame", "$3 ACL $6 DRYRUN $7 default $4 AUTH $10 (redacted)"),
        ("ACL DRYRUN default hello 3 AUTH default sesame", "$5 hello $1 3 $4 AUTH $10 (redacted) $10 (redacted)"),
        ("ACL DRYRUN default ACL SETUSER ann >sesame", "$3 ACL $7 SETUSER $10 (redacted) $10 (redacted)"),
        ("ACL DRYRUN default CONFIG SET requirepass sesame", "$6 CONFIG $3 SET $11 requirepass $10 (redacted)"),
        ("ACL DRYRUN default COMMAND GETKEYS AUTH sesame", "$7 COMMAND $7 GETKEYS $4 AUTH $10 (redacted)"),
        ("COMMAND GETKEYS CONFIG SET requirepass sesame", "$6 CONFIG $3 SET $11 requirepass $10 (redacted)"),
        ("COMMAND GETKEYSANDFLAGS AUTH default sesame", "$15 GETKEYSANDFLAGS $4 AUTH $10 (redacted) $10 (redacted)"),
        ("COMMAND GETKEYS ACL DRYRUN default AUTH sesame", "$3 ACL $6 DRYRUN $7 default $4 AUTH $10 (redacted)"),
        ("ACL DRYRUN default AUHT sesame", "$3 ACL $6 DRYRUN $7 default $4 AUHT $10 (redacted)"),
        ("CONFIG SET maxmemory requirepass sesame", "$9 maxmemory $11 requirepass $10 (redacted)"),
        ("CONFIG SET requirepass open sesame", "$6 CONFIG $3 SET $11 requirepass $10 (redacted) $10 (redacted)"),
        ("CONFIG SET maxmemory 0 RequirePass sesame hz 10", "$1 0 $11 RequirePass $10 (redacted) $2 hz $2 10"),
    ] {
        client.ask("SLOWLOG RESET");
        client.ask(request);
        let listed = client.ask("SLOWLOG GET");
        assert!(listed.contains(is_listed) && !listed.contains("sesame"), "{request}: {listed}");
    }
}

#[test]
fn a_request_within_many_is_shown_without_running_out_of_stack() {
    let mut client = Timed::new(20_000);
    client.ask("CONFIG SET slowlog-log-slower-than 0");
    client.ask(&format!("{}AUTH sesame", "COMMAND GETKEYS ".repeat(200_000)));
    let listed = client.ask("SLOWLOG GET");
    assert!(listed.contains("COMMAND $7 GETKEYS") && !listed.contains("sesame"), "{listed}");
}

#[test]
fn a_histogram_shows_the_commands_that_are_timed() {
    let mut client = Timed::new(5);
    client.ask("SET a b");
    client.ask("LCS a b");
    client.ask("LCS a c");
    client.check("LATENCY HISTOGRAM", "%1 $3 lcs %2 $5 calls :2 $14 histogram_usec %1 :8 :2");
    client.ask("CONFIG SET latency-tracking yes");
    client.ask("GET a");
    client.check("LATENCY HISTOGRAM get unheard-of", "%1 $3 get %2 $5 calls :1 $14 histogram_usec %1 :8 :1");
    client.ask("CONFIG SET latency-tracking no");
    client.ask("CONFIG RESETSTAT");
    client.ask("GET a");
    let shown = client.ask("LATENCY HISTOGRAM");
    assert!(!shown.contains("get") && !shown.contains("lcs"), "{shown}");
}

#[test]
fn events_are_kept_where_a_threshold_is_set() {
    let mut client = Timed::new(20_000);
    client.ask("LCS a b");
    client.check("LATENCY LATEST", "*0");
    client.ask("CONFIG SET latency-monitor-threshold 15");
    client.ask("LCS a b");
    let now = Now { monotonic_us: NOW.monotonic_us + 1_000_000, unix_ms: NOW.unix_ms + 1_000 };
    client.set_clock(now.monotonic_us + 16_000);
    client.node.begin_tick(now);
    client.set_clock(now.monotonic_us + 30_000);
    client.node.spent(Phase::Peers);
    client.node.end_tick(0);
    let at =
        [" $7 command :1700000000 :20 :20", " $12 expire-cycle :1700000001 :16 :16", " $4 tick :1700000001 :30 :30"];
    client.check("LATENCY LATEST", &format!("*3 *4{} *4{} *4{}", at[0], at[1], at[2]));
    client.check("LATENCY HISTORY Tick", "*1 *2 :1700000001 :30");
    client.check("LATENCY HISTORY peers", "*0");
    assert!(client.ask("LATENCY GRAPH tick").contains("tick - high 30 ms, low 30 ms (all time high 30 ms)"));
    let report = client.ask("LATENCY DOCTOR");
    assert!(report.contains("took 30000 us, 16000 of them for expiry"), "{report}");
    client.check("LATENCY RESET tick nothing", ":1");
    client.check("LATENCY RESET", ":2");
    client.check("LATENCY LATEST", "*0");
    client.check("LATENCY GRAPH tick", "-ERR No samples available for event 'tick'");
}

fn connect(server: &Server) -> Connection {
    let client = redis::Client::open(format!("redis://{}", server.address)).expect("an address");
    let connection = client.get_connection_with_timeout(PATIENCE).expect("the node listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    connection
}

/// Number, unix time, microseconds, words, address and name.
type Slow = (u64, u64, u64, Vec<String>, String, String);

fn slowest(client: &mut Connection, name: &str) -> Slow {
    let listed: Vec<Slow> = cmd("SLOWLOG").arg("GET").arg(-1).query(client).expect("it answers");
    listed.into_iter().find(|slow| slow.3[0] == name).unwrap_or_else(|| panic!("no {name} is listed"))
}

#[test]
fn a_real_node_lists_a_command_that_sleeps_and_its_loop_goes_on() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    let _: () = cmd("CONFIG").arg(&["SET", "latency-monitor-threshold", "20"]).query(&mut client).expect("it answers");
    let _: () = cmd("DEBUG").arg(&["SLEEP", "0.02"]).query(&mut client).expect("it answers");
    let (_, unix_s, us, said, address, _) = slowest(&mut client, "DEBUG");
    assert_eq!(said, ["DEBUG", "SLEEP", "0.02"]);
    assert!(
        unix_s > 1_700_000_000 && us >= 20_000 && address.starts_with("127.0.0.1:"),
        "{us} us at {unix_s}, {address}"
    );
    let events: Vec<(String, u64, u64, u64)> = cmd("LATENCY").arg("LATEST").query(&mut client).expect("it answers");
    let event = events.iter().find(|event| event.0 == "command").expect("the sleep is an event");
    assert!(event.2 >= 20 && event.3 >= 20, "{event:?}");
}

#[test]
fn a_real_node_shows_what_its_longest_tick_was_spent_on() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    for key in ["a", "b"] {
        let value: String = (0..1_000).map(|at| char::from(b'a' + (at * at % 26) as u8)).collect();
        let _: () = cmd("SET").arg(key).arg(value).query(&mut client).expect("it answers");
    }
    let _: () = cmd("CONFIG")
        .arg(&["SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000"])
        .query(&mut client)
        .expect("it answers");
    let mut work = redis::pipe();
    work.atomic();
    for _ in 0..20 {
        work.cmd("LCS").arg("a").arg("b").arg("LEN").ignore();
    }
    let _: () = work.query(&mut client).expect("it answers");
    let (_, _, us, ..) = slowest(&mut client, "LCS");
    let text: String = cmd("INFO").arg("ticks").query(&mut client).expect("it answers");
    let shown = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} is not in {text}"))
    };
    let number = |name: &str| shown(name).parse::<u64>().expect("a number");
    let longest_us = number("longest_tick_us");
    assert!(us > 0 && longest_us >= us, "{us} us went to LCS, and the longest tick took {longest_us}");
    let phases = ["expiry", "intake", "clients", "peers", "snapshot", "replies"];
    let phases_us = phases.map(|phase| number(&format!("longest_tick_{phase}_us")));
    assert_eq!(phases_us.iter().sum::<u64>(), longest_us);
    assert_eq!(phases_us.iter().max(), Some(&number(&format!("longest_tick_{}_us", shown("longest_tick_phase")))));
    let off_cpu_us = number("longest_tick_off_cpu_us");
    assert!((longest_us - off_cpu_us..=longest_us).contains(&number("tick_on_cpu_us_max")));
    assert!(number("longest_tick_at_unix_ms") > 1_700_000_000_000);
    assert!(number("tick_us_p50") <= number("tick_us_p999") && number("tick_us_p999") <= longest_us);
}
