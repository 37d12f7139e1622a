//! Nodes that do not belong together: each is told why, and nothing that anybody holds is changed.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use kvstoreapp::replication::wire::{GREETING, VERSION};
use rustix::process::Signal;

use crate::harness::{PATIENCE, Server, wait_for};
use crate::nodes::Cluster;
use crate::sharing::free_addresses;

const FLAGS: &[&str] = &["--snapshot-interval-ms=100"];
const HELLO: u8 = 1;

#[test]
fn a_second_process_of_one_id_is_refused() {
    let cluster = Cluster::started(3, FLAGS);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    fs::copy(cluster.config_file(0), directory.path().join("node_config.json")).expect("both are there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.args(["--id=0", "--bind=127.0.0.1:0", "--data-dir=data"]).current_dir(directory.path());
    let second = Server::spawn(directory, command);
    assert_eq!(second.connect().ask("SET color red"), "OK");
    for peer in [1, 2] {
        let reason = format!("refused by node {peer}: another process runs as node 0");
        let mut client = second.connect();
        wait_for(&reason, || (client.info(&format!("peer_{peer}_error")) == reason).then_some(()));
        wait_for(&reason, || (!second.later_lines(&reason).is_empty()).then_some(()));
        cluster.await_log(peer, "refused a link: another process runs as node 0");
    }
    let answers = cluster.await_identical(&["color".to_owned()]);
    assert_eq!((answers[0].as_str(), second.connect().ask("GET color").as_str()), ("blue", "red"));
}

#[test]
fn a_process_at_the_address_of_another_node_is_refused() {
    let mut cluster = Cluster::of_nodes(3, FLAGS);
    let [_, address, _] = cluster.addresses[..] else { panic!("there are three") };
    cluster.start(0);
    cluster.start_with(2, &[&format!("--bind={address}")]);
    assert_eq!(cluster.client(0).ask("SET zero yes"), "OK");
    assert_eq!(cluster.client(2).ask("SET two yes"), "OK");
    cluster.await_reason(0, 1, "refused by node 2: it looks for node 1 at this address, but this is node 2");
    cluster.await_log(2, "refused a link: it looks for node 1 at this address, but this is node 2");
    cluster.await_reason(2, 1, &format!("{address} leads to node 2 itself; check the config file"));
    // As itself it is linked all the same: it reaches node 0.
    let answers = cluster.await_identical(&["zero", "two"].map(str::to_owned));
    assert_eq!(answers, ["yes", "yes"]);
}

#[test]
fn nodes_with_different_lists_are_not_linked_until_the_lists_are_the_same() {
    let mut cluster = Cluster::of_nodes(3, FLAGS);
    let [.., right] = cluster.addresses[..] else { panic!("there are three") };
    let elsewhere = free_addresses(1);
    let wrong = elsewhere.all[0];
    let mut members = cluster.members();
    members[2] = Some(wrong);
    cluster.configure(1, &members);
    cluster.start(0);
    cluster.start(1);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    assert_eq!(cluster.client(1).ask("SET color red"), "OK");
    assert_eq!(cluster.client(0).ask("SET zero yes"), "OK");
    assert_eq!(cluster.client(1).ask("SET one yes"), "OK");
    let seen_by = |one: usize, other: usize| {
        let [here, there] = [one, other].map(|id| if id == 0 { right } else { wrong });
        format!("the config files differ: node 2 is {here} at node {one}, and {there} at node {other}")
    };
    for (id, peer) in [(0, 1), (1, 0)] {
        // Whoever accepted has found it first, and told the other.
        let (own, told) = (seen_by(id, peer), format!("refused by node {peer}: {}", seen_by(peer, id)));
        let mut client = cluster.client(id);
        wait_for("the reason", || [&own, &told].contains(&&client.info(&format!("peer_{peer}_error"))).then_some(()));
        wait_for("the reason in the log", || (!cluster.logged(id, "the config files differ").is_empty()).then_some(()));
    }
    let [zero, one] =
        [0, 1].map(|id| cluster.client(id).ask_all(&["GET color", "GET zero", "GET one"].map(str::to_owned)));
    assert_eq!(
        (zero, one),
        (
            vec!["blue".to_owned(), "yes".into(), "KEY NOT FOUND".into()],
            vec!["red".to_owned(), "KEY NOT FOUND".into(), "yes".into()]
        )
    );

    cluster.stop(1);
    cluster.configure(1, &cluster.members());
    cluster.start(1);
    cluster.await_links();
    let answers = cluster.await_identical(&["color", "zero", "one"].map(str::to_owned));
    assert_eq!(answers[1..], ["yes", "yes"]);
}

#[test]
fn nodes_with_lists_of_different_length_are_linked_and_warn_of_it_until_they_are_the_same() {
    let mut cluster = Cluster::of_nodes(3, FLAGS);
    let members = cluster.members();
    cluster.configure(1, &members[..2]);
    cluster.start(0);
    cluster.start(1);
    cluster.await_links();
    let third = cluster.addresses[2];
    for (id, reason) in [
        (0, format!("the config files differ: node 2 is {third} at node 0, and not there at node 1")),
        (1, format!("the config files differ: node 2 is not there at node 1, and {third} at node 0")),
    ] {
        cluster.await_info(id, &format!("peer_{}_difference", 1 - id), &reason);
        cluster.await_log(id, &reason);
        assert_eq!(cluster.info(id, "peers_differing"), "1");
    }
    cluster.configure(1, &members);
    cluster.signal(1, Signal::HUP);
    for id in [0, 1] {
        cluster.await_info(id, "peers_differing", "0");
        cluster.await_log(id, "have the same nodes and limits again");
        assert_eq!(cluster.info(id, &format!("peer_{}_difference", 1 - id)), "none");
    }
}

#[test]
fn a_limit_of_memory_that_a_peer_does_not_have_is_told_and_passed_aloud() {
    let mut cluster = Cluster::of_nodes(2, FLAGS);
    cluster.start(0);
    cluster.start_with(1, &["--max-memory=10K"]);
    cluster.await_links();
    for id in [0, 1] {
        cluster.await_log(id, "--max-memory differs: ");
        cluster.await_info(id, "peers_differing", "1");
    }
    let reason = "--max-memory differs: no limit at node 0, and 10240 at node 1";
    cluster.await_info(0, "peer_1_difference", reason);
    assert_eq!(cluster.info(1, "memory_exceeding_peer_writes"), "0");
    let writes: Vec<String> = (0..1_000).map(|number| format!("SET key{number} x")).collect();
    assert!(cluster.client(0).ask_all(&writes).iter().all(|answer| answer == "OK"));
    cluster.await_info(1, "keys", "1000");
    let exceeding: u64 = cluster.info(1, "memory_exceeding_peer_writes").parse().expect("a count");
    assert!((700..900).contains(&exceeding), "{exceeding}");
    cluster.await_log(1, "more than the 10240 of --max-memory");
    assert!(cluster.client(1).ask("SET own x").contains("ERROR out of memory"));
    assert_eq!(cluster.info(0, "memory_exceeding_peer_writes"), "0");

    assert_eq!(cluster.client(0).ask("DELETE key0"), "OK");
    let deletions: Vec<String> = (1..1_000).map(|number| format!("DELETE key{number}")).collect();
    cluster.client(0).ask_all(&deletions);
    cluster.await_log(1, "within the 10240 of --max-memory again");
}

#[test]
fn a_node_of_another_version_is_refused_whoever_dials() {
    let mut cluster = Cluster::of_nodes(2, FLAGS);
    let other = (VERSION + 1).to_le_bytes();
    let hello = [&GREETING[..], &frame(&[HELLO, other[0], other[1], 1, 0, 0, 0, 7, 7, 7])].concat();
    let reason =
        format!("it speaks version {} of the replication protocol, and this node versions 3 to {VERSION}", VERSION + 1);
    let peer = TcpListener::bind(cluster.addresses[1]).expect("nobody else has it");
    cluster.start(0);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");

    let (mut dialed, _) = peer.accept().expect("the node dials");
    dialed.write_all(&hello).expect("the node reads");
    cluster.await_reason(0, 1, &reason);
    cluster.await_log(0, &format!("cannot link to node 1 at {}: {reason}", cluster.addresses[1]));
    let told = rest_of(dialed);
    assert!(told.contains(&format!("refused by node 0: {reason}")), "{told}");

    let told = say(cluster.addresses[0], &hello);
    assert!(told.contains(&format!("refused by node 0: {reason}")), "{told}");
    cluster.await_log(0, &format!("refused a link: {reason}"));
    assert_eq!(cluster.client(0).ask("GET color"), "blue");
    assert_eq!(cluster.info(0, "keys"), "1");
}

#[test]
fn garbage_after_the_greeting_is_refused_with_a_reason() {
    let cluster = Cluster::started(2, FLAGS);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    let mut damaged = frame(b"whatever");
    damaged[4] ^= 1;
    let [low, high] = VERSION.to_le_bytes();
    let cases: [(&[u8], &str); 6] = [
        (&[0xff; 100], "it sent a frame that is too long"),
        (&damaged, "it sent a frame that does not fit its checksum"),
        (&frame(&[]), "it sent an empty frame"),
        (&frame(&[99, 1, 2, 3]), "it sent a frame of unknown kind"),
        (&frame(&[HELLO, low, high, 1, 0]), "it sent a frame that breaks its format"),
        (&frame(&[[3, 0].as_slice(), &[0; 17]].concat()), "it sent a frame that does not belong there"),
    ];
    for (bytes, reason) in cases {
        let told = say(cluster.addresses[0], &[GREETING, bytes].concat());
        assert!(told.contains(&format!("refused by node 0: {reason}")), "{reason} was expected: {told}");
        cluster.await_log(0, &format!("refused a link: {reason}"));
    }
    let answers = cluster.await_identical(&["color".to_owned()]);
    assert_eq!(answers, ["blue"]);
}

#[test]
fn what_answers_a_dial_and_is_no_node_is_hung_up_on() {
    let mut cluster = Cluster::of_nodes(2, FLAGS);
    let stranger = TcpListener::bind(cluster.addresses[1]).expect("nobody else has it");
    cluster.start(0);
    let (mut dialed, _) = stranger.accept().expect("the node dials");
    dialed.write_all(b"INVALID COMMAND\n").expect("the node reads");
    cluster.await_reason(0, 1, "it sent something else than a node's greeting");
}

#[test]
fn a_node_whose_clock_is_too_far_ahead_is_refused() {
    // A restart begins two snapshot intervals ahead of the wall clock, which is more than node 0 bears.
    let flags = ["--snapshot-interval-ms=60000", "--max-clock-drift-ms=200000"];
    let mut cluster = Cluster::of_nodes(2, &[]);
    cluster.start(0);
    cluster.start_with(1, &flags);
    cluster.await_links();
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");
    cluster.await_answer(1, "GET color", "blue");
    cluster.kill(1);
    cluster.start_with(1, &flags);
    assert_eq!(cluster.client(1).ask("SET color red"), "OK");
    cluster.await_reason(0, 1, "the clock of node 1 is ");
    cluster.await_reason(1, 0, "refused by node 0: the clock of node 1 is ");
    assert_eq!([0, 1].map(|id| cluster.client(id).ask("GET color")), ["blue", "red"]);
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("it is short").to_le_bytes();
    [&length, &crc32fast::hash(body).to_le_bytes(), body].concat()
}

/// Dials by hand; returns all that is answered until the node closes the connection.
fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream.write_all(bytes).expect("the node reads");
    rest_of(stream)
}

fn rest_of(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the node closes the connection");
    String::from_utf8_lossy(&rest).into_owned()
}
