//! Processes that stand still for a while, and what `WAIT` says of them.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::wait_for;
use crate::load::Load;
use crate::nodes::Cluster;

#[test]
fn a_stopped_process_catches_up() {
    const STOPPED: Duration = Duration::from_secs(10);
    let cluster = Cluster::started(3, &[]);
    let load = Load::on(&cluster.addresses, 2);
    load.await_writes(&[0, 1, 2], 1_000);
    cluster.signal(2, Signal::STOP);
    thread::sleep(STOPPED);
    // A link over which nothing comes is given up; the others go on.
    cluster.await_log(0, "link to node 2 lost: nothing came for 4 s");
    cluster.await_log(1, "link to node 2 lost: nothing came for 4 s");
    load.await_writes(&[0, 1], 1_000);
    cluster.signal(2, Signal::CONT);
    cluster.await_links();
    load.await_writes(&[0, 1, 2], 1_000);
    let written = load.stop();
    let answers = cluster.await_identical(&written.keys());
    written.check(&answers);
}

#[test]
fn wait_answers_the_number_wanted_at_once_when_reached_and_a_lower_one_when_time_is_over() {
    // Whoever waits for the time to be over waits longer than a test's client does.
    const LONG_MS: u64 = 3_600_000;
    let cluster = Cluster::started(3, &["--snapshot-interval-ms=100"]);
    let mut client = cluster.client(0);
    assert_eq!(client.ask("SET color blue"), "OK");
    assert_eq!(client.ask(&format!("WAIT 2 {LONG_MS}")), "2");
    assert_eq!(client.ask(&format!("WAIT 2 {LONG_MS}")), "2");
    // It counts all that have it, also above what was wanted.
    assert_eq!(client.ask(&format!("WAIT 1 {LONG_MS}")), "2");
    assert_eq!(client.ask("WAIT 3 100"), "2");

    cluster.signal(2, Signal::STOP);
    assert_eq!(client.ask("SET color green"), "OK");
    assert_eq!(client.ask(&format!("WAIT 1 {LONG_MS}")), "1");
    assert_eq!(client.ask("WAIT 2 300"), "1");
    cluster.signal(1, Signal::STOP);
    assert_eq!(client.ask("SET color red"), "OK");
    assert_eq!(client.ask("WAIT 2 300"), "0");
    assert_eq!(client.ask("WAIT 1 0"), "0");

    // One who waits already is answered when they have it.
    client.send(format!("WAIT 2 {LONG_MS}\n"));
    cluster.signal(1, Signal::CONT);
    cluster.signal(2, Signal::CONT);
    assert_eq!(client.line(), "2");
    for peer in [1, 2] {
        assert_eq!(cluster.client(peer).ask("GET color"), "red");
        wait_for("the data file", || (cluster.row_count(peer, "red") == 1).then_some(()));
    }
}
