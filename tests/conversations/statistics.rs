//! What `INFO` says is true: rates of the last moments, facts of the process, and what is counted.

use std::process::Command;

use kvstoreapp::node::{Node, Now};
use rustix::process::Signal;

use crate::harness::{Server, proc_field, wait_for};
use crate::pure::{NOW, hand_over, node_with_two_clients, say, told};
use crate::reply::{Resp, request, words};

fn later(ms: u64) -> Now {
    Now { monotonic_us: NOW.monotonic_us + ms * 1_000, unix_ms: NOW.unix_ms + ms }
}

/// What a client of the pure node is answered at that time.
fn ask_at(node: &mut Node, now: Now, text: &str) -> String {
    node.receive(0, &request(&words(text)), now);
    told(node, 0)
}

/// A field of an answer in Redis' form.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("{name} is not in {info}"))
}

/// A field that a node says of itself, in Redis' form.
fn said(client: &mut Resp, name: &str) -> String {
    let info = client.ask(&words("INFO everything"));
    field(std::str::from_utf8(&info).expect("it is all text"), name).to_owned()
}

const RATES: [&str; 3] = ["instantaneous_ops_per_sec", "instantaneous_input_kbps", "instantaneous_output_kbps"];

#[test]
fn rates_are_those_of_the_last_moments_and_fall_while_nothing_happens() {
    let mut node = node_with_two_clients();
    // A long life in which nothing happened; then a hundred requests each tenth of a second.
    for tenth in 0..30 {
        let now = later(3_600_000 + 100 * tenth);
        node.begin_tick(now);
        for _ in 0..100 {
            assert_eq!(ask_at(&mut node, now, "GET a"), "$-1\r\n");
        }
    }
    let mut rates = |now: Now| {
        node.begin_tick(now);
        let info = ask_at(&mut node, now, "INFO stats");
        RATES.map(|name| field(&info, name).parse::<f64>().expect("a number"))
    };
    let [requests, kib_in, kib_out] = rates(later(3_600_000 + 3_000));
    assert_eq!(requests, 1_000.0);
    let kib = |bytes: usize| 1_000.0 * bytes as f64 / 1_024.0;
    assert!((kib_in - kib(request(&words("GET a")).len())).abs() < 0.1, "{kib_in} KiB a second in");
    assert!((kib_out - kib("$-1\r\n".len())).abs() < 0.1, "{kib_out} KiB a second out");
    let [fewer, ..] = rates(later(3_600_000 + 4_000));
    assert!((300.0..400.0).contains(&fewer), "{fewer} of 1,000 a second a second later");
    // Nobody has ticked in between. What asks is all there is.
    let [requests, kib_in, kib_out] = rates(later(3_600_000 + 90_000));
    assert!(requests == 0.0 && kib_in < 0.1 && kib_out == 0.0, "{requests} requests, {kib_in} KiB in, {kib_out} out");
}

#[test]
fn what_is_reset_begins_anew_and_what_is_no_count_stays() {
    let mut node = node_with_two_clients();
    node.metrics().disk_reserve_bytes = 77;
    for _ in 0..200 {
        say(&mut node, 0, &request(&words("SET a b")));
    }
    let before = ask_at(&mut node, NOW, "INFO");
    assert!(field(&before, "instantaneous_ops_per_sec").parse::<u64>().expect("a number") > 100, "{before}");
    assert_eq!(say(&mut node, 0, &request(&words("CONFIG RESETSTAT"))), b"+OK\r\n");
    node.begin_tick(later(100));
    let after = ask_at(&mut node, later(100), "INFO");
    assert_eq!(field(&after, "total_commands_processed"), "1", "the reset itself");
    assert!(field(&after, "instantaneous_ops_per_sec").parse::<u64>().expect("a number") < 20, "{after}");
    assert_eq!([field(&after, "disk_reserve_bytes"), field(&after, "master_repl_offset")], ["77", "200"]);
}

#[test]
fn clients_whose_request_waits_are_counted_until_it_is_answered() {
    let mut node = node_with_two_clients();
    let blocked = |node: &mut Node, now: Now| field(&ask_at(node, now, "INFO clients"), "blocked_clients").to_owned();
    assert_eq!(blocked(&mut node, NOW), "0");
    node.receive(1, &request(&words("WAIT 1 500")), NOW);
    assert_eq!(blocked(&mut node, NOW), "1");
    hand_over(&mut node, later(500));
    assert_eq!((told(&mut node, 1).as_str(), blocked(&mut node, later(500)).as_str()), (":0\r\n", "0"));
    node.receive(1, &request(&words("DEBUG SLEEP 1")), later(500));
    assert_eq!(blocked(&mut node, later(500)), "1");
    node.close(1);
    assert_eq!(blocked(&mut node, later(500)), "0");
}

#[test]
fn a_node_says_which_process_it_is_and_what_that_takes() {
    let server = Server::start(&[]);
    let mut client = Resp::connect(server.address);
    let uname = Command::new("uname").args(["-s", "-r", "-m"]).output().expect("uname is there");
    let expected = [
        ("process_id", server.child.id().to_string()),
        ("tcp_port", server.address.port().to_string()),
        ("os", String::from_utf8_lossy(&uname.stdout).trim().to_owned()),
        ("redis_git_sha1", "00000000".to_owned()),
        ("redis_git_dirty", "0".to_owned()),
        ("used_cpu_sys_children", "0.000000".to_owned()),
        ("used_cpu_user_children", "0.000000".to_owned()),
    ];
    expected.into_iter().for_each(|(name, value)| assert_eq!(said(&mut client, name), value, "{name}"));

    let kb = |text: String| text.trim_end_matches(" kB").parse::<f64>().expect("a number");
    let total = said(&mut client, "total_system_memory").parse::<f64>().expect("a number");
    assert_eq!(total, kb(proc_field("/proc/meminfo", "MemTotal")) * 1_024.0);
    let resident = said(&mut client, "used_memory_rss").parse::<f64>().expect("a number");
    let ratio = resident / (kb(server.status("VmRSS")) * 1_024.0);
    assert!((0.5..2.0).contains(&ratio), "{resident} bytes are {ratio} of what Linux says");
    assert!(said(&mut client, "used_memory_rss_human").ends_with('M'));
    assert_eq!(said(&mut client, "mem_fragmentation_ratio"), "0.00", "of no key there is no ratio");
    client.ask(&[b"SET".to_vec(), b"a".to_vec(), vec![b'v'; 4 << 20]]);
    let ratio = said(&mut client, "mem_fragmentation_ratio").parse::<f64>().expect("a number");
    assert!((0.9..10.0).contains(&ratio), "{ratio}");
}

#[test]
fn processor_time_rises_while_a_node_works() {
    let server = Server::start(&[]);
    let mut client = Resp::connect(server.address);
    for key in ["a", "b"] {
        client.ask(&[b"SET".to_vec(), key.into(), vec![b'v'; 2_000]]);
    }
    let mut seconds = |name: &str| said(&mut client, name).parse::<f64>().expect("a number");
    let names = ["used_cpu_user", "used_cpu_user_main_thread"];
    let before = names.map(&mut seconds);
    let mut worker = Resp::connect(server.address);
    wait_for("the loop to have worked", || {
        worker.ask(&words("LCS a b LEN"));
        let now = names.map(&mut seconds);
        (now[0] > before[0] && now[1] > before[1]).then_some(())
    });
}

#[test]
fn each_run_of_a_node_has_a_name_of_its_own() {
    let names = [0, 1].map(|_| said(&mut Resp::connect(Server::start(&[]).address), "run_id"));
    for name in &names {
        assert!(name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
        let most = name.chars().map(|digit| name.matches(digit).count()).max();
        assert!(most < Some(16), "40 digits of chance are not mostly one: {name}");
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn the_offset_of_a_master_counts_changes_and_a_number_of_53_bits_holds_it() {
    let server = Server::start(&[]);
    let mut client = Resp::connect(server.address);
    assert_eq!(said(&mut client, "master_repl_offset"), "0");
    for number in 1..=5 {
        client.ask(&words("INCR n"));
        assert_eq!(said(&mut client, "master_repl_offset"), number.to_string());
    }
    assert_eq!(client.ask(&words("ROLE")), b"*3\r\n$6\r\nmaster\r\n:5\r\n*0\r\n");
    // It counts from the start on, whatever the file holds.
    server.signal(Signal::TERM);
    let (directory, status) = server.wait();
    assert!(status.success());
    let server = Server::start_in(directory, &[]);
    assert_eq!(said(&mut Resp::connect(server.address), "master_repl_offset"), "0");
}

/// A line of the section about commands, as it is read by tools.
fn calls_of(node: &mut Node, name: &str) -> String {
    let info = ask_at(node, NOW, "INFO commandstats");
    field(&info, &format!("cmdstat_{name}")).to_owned()
}

/// A clock that goes on by so many nanoseconds whenever it is read.
fn time_by_steps(node: &mut Node, step_ns: u64) {
    let reads = std::cell::Cell::new(0);
    node.time_by(move || {
        reads.set(reads.get() + 1);
        reads.get() * step_ns
    });
}

#[test]
fn what_commands_took_is_measured_where_it_is_long_and_estimated_where_it_is_short() {
    let mut node = node_with_two_clients();
    time_by_steps(&mut node, 1_500);
    for _ in 0..1_000 {
        ask_at(&mut node, NOW, "GET a");
    }
    assert_eq!(calls_of(&mut node, "get"), "calls=1000,usec=1500,usec_per_call=1.50,rejected_calls=0,failed_calls=0");
    (0..10).for_each(|_| drop(ask_at(&mut node, NOW, "LCS a b")));
    assert_eq!(calls_of(&mut node, "lcs"), "calls=10,usec=15,usec_per_call=1.50,rejected_calls=0,failed_calls=0");
    // Others are timed for themselves where all are.
    ask_at(&mut node, NOW, "CONFIG SET latency-tracking yes");
    time_by_steps(&mut node, 500_000);
    ask_at(&mut node, NOW, "GET a");
    assert_eq!(calls_of(&mut node, "get"), "calls=1001,usec=2000,usec_per_call=2.00,rejected_calls=0,failed_calls=0");
}

#[test]
fn a_call_that_takes_several_turns_is_one() {
    let mut node = node_with_two_clients();
    time_by_steps(&mut node, 1_000);
    for number in 0..10_000 {
        ask_at(&mut node, NOW, &format!("SET key{number} x"));
    }
    say(&mut node, 0, &request(&words("KEYS none*")));
    let calls = calls_of(&mut node, "keys");
    assert!(calls.starts_with("calls=1,"), "{calls}");
    node.receive(1, &request(&words("DEBUG SLEEP 0.5")), NOW);
    hand_over(&mut node, later(500));
    node.resume(1, later(500));
    let calls = calls_of(&mut node, "debug");
    assert!(calls.starts_with("calls=1,usec=50000"), "{calls}");
}
