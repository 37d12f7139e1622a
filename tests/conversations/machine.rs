//! A node and the machine it has: cores, memory, how many clients and how much of each it takes.

use std::fs;

use crate::harness::{Client, Server, proc_field, wait_for};
use crate::wire::{connect, read_to_end};

#[test]
fn past_max_clients_a_client_is_told_so_and_others_notice_nothing() {
    let server = Server::start(&["--max-clients=2"]);
    let [mut one, mut other] = [server.connect(), server.connect()];
    assert_eq!(one.ask("SET a b"), "OK");
    assert_eq!(other.ask("GET a"), "b");
    for _ in 0..3 {
        let told = read_to_end(&mut connect(server.address));
        assert_eq!(String::from_utf8_lossy(&told), "ERROR too many clients: at most 2 (--max-clients)\n");
    }
    assert_eq!(one.ask("GET a"), "b");
    assert_eq!(one.info("clients"), "2");
    assert_eq!(one.info("clients_refused"), "3");
    drop(other);
    wait_for("the place to be free", || (one.info("clients") == "1").then_some(()));
    assert_eq!(server.connect().ask("GET a"), "b");
}

#[test]
fn a_client_idle_for_too_long_is_closed() {
    let server = Server::start(&["--idle-timeout-s=1"]);
    let mut idle = connect(server.address);
    assert_eq!(read_to_end(&mut idle), b"");
    assert_eq!(server.info("clients_closed_idle"), "1");
}

#[test]
fn full_memory_refuses_what_needs_more_and_nothing_else() {
    let server = Server::start(&["--max-memory=1M", "--snapshot-interval-ms=10"]);
    let mut client = server.connect();
    let value = "v".repeat(10_000);
    let set = |client: &mut Client, number: usize| client.ask(&format!("SET key{number} {value}"));
    let refused = (0..200).find(|&number| set(&mut client, number) != "OK").expect("a megabyte is full by then");
    assert!(refused > 50, "{refused} values of 10 KB fill no megabyte");
    assert_eq!(
        set(&mut client, refused),
        "ERROR out of memory: raise --max-memory, or delete keys and wait until all nodes know"
    );
    assert!(client.info("memory_bytes").parse::<usize>().expect("a number") <= 1 << 20);
    assert_eq!(client.ask(&format!("GET key{refused}")), "KEY NOT FOUND");
    assert_eq!(client.ask("GET key0"), value);
    assert_eq!(set(&mut client, 0), "OK", "overwriting takes no more");
    assert_eq!(client.ask("SET key0 short"), "OK");
    assert_eq!(client.ask("DELETE key1"), "OK");
    assert_eq!(client.ask("GET key1"), "KEY NOT FOUND");
    wait_for("room", || (set(&mut client, refused) == "OK").then_some(()));
    assert_eq!(client.ask(&format!("GET key{refused}")), value);
}

#[test]
fn max_value_bytes_is_the_longest_value_that_is_taken() {
    let flagged = "(--max-value-bytes)";
    for (flag, longest, why) in [
        ("--max-value-bytes=100", 100, flagged),
        ("--max-value-bytes=1k", 1 << 10, flagged),
        ("--max-clients=9", 1 << 20, "in a line or in JSON; more in RESP"),
    ] {
        let server = Server::start(&[flag]);
        let mut client = server.connect();
        let (fits, too_long) = ("v".repeat(longest), "w".repeat(longest + 1));
        assert_eq!(client.ask(&format!("SET a {fits}")), "OK");
        let refusal = format!("ERROR value too long: at most {longest} bytes {why}");
        assert_eq!(client.ask(&format!("SET a {too_long}")), refusal);
        assert!(client.ask("GET a") == fits);
    }
}

#[test]
fn cpu_pins_the_loop_and_keeps_the_writer_off_that_core() {
    let cores = allowed_cores("/proc/self/status");
    let core = cores[0];
    let server = Server::start(&[&format!("--cpu={core}")]);
    assert_eq!(server.connect().ask("SET a b"), "OK");
    let main = server.child.id();
    assert_eq!(allowed_cores(&format!("/proc/{main}/task/{main}/status")), [core]);
    let others = allowed_cores(&thread_status(&server, "snapshot"));
    if cores.len() == 1 {
        return println!("skipped: there is no other core for the writer");
    }
    assert_eq!(others, cores[1..], "the writer is kept off core {core}");
}

#[test]
fn busy_poll_never_sleeps_and_without_it_the_loop_does() {
    let ticks = |client: &mut Client| client.info("ticks").parse::<u64>().expect("a number");
    // A page of the program may have to be read from the disk.
    const SLEEPS_FEW: u64 = 20;
    let server = Server::start(&["--snapshot-interval-ms=60000", "--busy-poll"]);
    let mut client = server.connect();
    let (first, slept) = (ticks(&mut client), sleeps(&server));
    let last = (0..200).map(|_| ticks(&mut client)).last().expect("there are some");
    let slept = sleeps(&server) - slept;
    assert!(slept <= SLEEPS_FEW, "slept {slept} times for 200 requests");
    assert!(last - first <= 200 + 20, "{} ticks for 200 requests", last - first);

    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    let (first, slept) = (ticks(&mut client), sleeps(&server));
    let last = (0..200).map(|_| ticks(&mut client)).last().expect("there are some");
    assert!(last - first <= 200 + 20, "{} ticks for 200 requests", last - first);
    // On a busy machine the next request may be there before the loop sleeps.
    wait_for("sleeps between requests", || {
        ticks(&mut client);
        (sleeps(&server) - slept > SLEEPS_FEW).then_some(())
    });
}

#[test]
fn what_a_flush_frees_goes_back_to_the_system() {
    for (keys, value_bytes) in [(200_000, 200), (100, 500_000)] {
        let server = Server::start(&["--snapshot-interval-ms=60000"]);
        let mut client = server.connect();
        let value = "v".repeat(value_bytes);
        let empty = server.anonymous_kb();
        // Twice, the second time in another order, which is the one they are freed in.
        let order: Vec<usize> = (0..keys).chain((0..keys).map(|at| at * 7_919 % keys)).collect();
        for some in order.chunks(20_000_000 / value_bytes) {
            let requests: Vec<String> = some.iter().map(|number| format!("SET key:{number} {value}")).collect();
            assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
        }
        let full = server.anonymous_kb();
        assert!(full - empty > 45_000, "{} KiB for {keys} values of {value_bytes} bytes", full - empty);
        client.send("*1\r\n$8\r\nFLUSHALL\r\n");
        assert_eq!(client.line(), "+OK\r");
        wait_for("nine tenths of the memory to be back", || {
            (server.anonymous_kb().saturating_sub(empty) < (full - empty) / 10 + 3_000).then_some(())
        });
    }
}

#[test]
fn the_memory_of_a_large_value_is_given_back_by_a_thread_of_its_own() {
    // More than may linger.
    const VALUE_BYTES: usize = 5 << 20;
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let status = thread_status(&server, "memory");
    let sleeps = || proc_field(&status, "voluntary_ctxt_switches").parse::<u64>().expect("a number");
    let mut client = server.connect();
    client.send(format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${VALUE_BYTES}\r\n{}\r\n", "v".repeat(VALUE_BYTES)));
    assert_eq!(client.line(), "+OK\r");
    let before = wait_for("the thread to wait", || {
        fs::read_to_string(&status).expect("it runs").contains("(sleeping)").then(&sleeps)
    });
    client.send("*2\r\n$3\r\nDEL\r\n$1\r\na\r\n");
    assert_eq!(client.line(), ":1\r");
    wait_for("the thread to have done something", || (sleeps() > before).then_some(()));
}

#[test]
fn a_large_value_written_again_and_again_lies_in_memory_that_is_there() {
    const VALUE_BYTES: usize = 100_000;
    let server = Server::start(&["--snapshot-interval-ms=60000"]);
    let mut client = server.connect();
    let request = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${VALUE_BYTES}\r\n{}\r\n", "v".repeat(VALUE_BYTES));
    let mut faults = || {
        let before = page_faults(&server);
        client.send(&request);
        assert_eq!(client.line(), "+OK\r");
        page_faults(&server) - before
    };
    // Where the machine stands still for 10 ms, the memory is new: in the quietest of many rounds it does not.
    let few = (0..200).map(|_| faults()).min().expect("there are some");
    assert!(few < 5, "{few} pages came from the system for a value of {VALUE_BYTES} bytes");
}

/// Pages that the process has taken from the system so far.
fn page_faults(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).expect("the process runs");
    let behind_name = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(7));
    behind_name.and_then(|count| count.parse().ok()).expect("Linux counts")
}

/// How often the loop's thread has given up its processor to wait for something.
fn sleeps(server: &Server) -> u64 {
    server.status("voluntary_ctxt_switches").parse().expect("a number")
}

/// The cores that a `/proc/.../status` says its thread may use.
/// Where Linux tells of the thread with this name.
fn thread_status(server: &Server, name: &str) -> String {
    // A thread names itself once it runs.
    wait_for("the thread", || {
        fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("the process runs").find_map(|task| {
            let path = task.ok()?.path();
            let is_it = fs::read_to_string(path.join("comm")).ok()?.trim() == name;
            is_it.then(|| path.join("status").display().to_string())
        })
    })
}

fn allowed_cores(status: &str) -> Vec<usize> {
    let list = proc_field(status, "Cpus_allowed_list");
    let number = |text: &str| text.parse::<usize>().expect("a core's number");
    let ranges = list.split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges.flat_map(|(first, last)| number(first)..=number(last)).collect()
}
