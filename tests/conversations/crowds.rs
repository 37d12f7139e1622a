//! Ten thousand clients that say nothing.

use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::{Client, Server, wait_for};
use crate::pure::{NOW, node, options, say};
use kvstoreapp::node::Origin;

const IDLE_CLIENTS: usize = 10_000;
const CONNECTS_AT_ONCE: usize = 100;
/// Open files that this process needs for other things.
const OTHER_FILES: usize = 500;
const REQUESTS: u64 = 1_000;

#[test]
fn a_crowd_of_idle_clients_does_not_change_what_a_request_costs() {
    let crowd = room_for(IDLE_CLIENTS);
    if crowd < IDLE_CLIENTS {
        println!("only {crowd} idle clients instead of {IDLE_CLIENTS}: the limit on open files allows no more");
    }
    // An interval so long that no snapshot counts as a tick.
    let server = Server::start(&["--max-clients=12000", "--snapshot-interval-ms=60000"]);
    let mut active = server.connect();
    let alone = ticks_of_requests(&mut active);

    let mut idle = Vec::new();
    while idle.len() < crowd {
        // No more at once than may wait to be accepted, or the system lets them try again after a second.
        let group = CONNECTS_AT_ONCE.min(crowd - idle.len());
        idle.extend((0..group).map(|_| TcpStream::connect(server.address).expect("a place")));
        let all = (idle.len() + 1).to_string();
        wait_for("them to be accepted", || (active.info("clients") == all).then_some(()));
    }
    let in_the_crowd = ticks_of_requests(&mut active);
    println!("{REQUESTS} requests: {alone} ticks alone, {in_the_crowd} among {crowd} idle clients");
    for ticks in [alone, in_the_crowd] {
        assert!(ticks <= REQUESTS + 20, "{ticks} ticks for {REQUESTS} requests");
    }

    drop(idle);
    wait_for("all to be gone", || (active.info("clients") == "1").then_some(()));
    assert_eq!(active.ask("PING"), "PONG");
}

#[test]
fn an_idle_client_holds_little_memory() {
    let mut node = node(kvstoreapp::node::Options { clients_max: IDLE_CLIENTS, ..options() });
    for id in 0..IDLE_CLIENTS {
        node.open(id, Origin::Loopback, NOW).expect("there is room");
        assert_eq!(say(&mut node, id, b"PING\n"), b"PONG\n");
    }
    assert!(node.open(IDLE_CLIENTS, Origin::Loopback, NOW).is_err(), "one more is too many");
    let each = node.session_bytes() / IDLE_CLIENTS;
    assert!(each <= 64, "{each} bytes of buffers for a client that has been answered");
}

fn ticks_of_requests(client: &mut Client) -> u64 {
    let ticks = |client: &mut Client| client.info("ticks").parse::<u64>().expect("a number");
    let before = ticks(client);
    for _ in 0..REQUESTS {
        assert_eq!(client.ask("PING"), "PONG");
    }
    ticks(client) - before
}

/// Raises the limit on open files, for this process and those it starts. How many of so many clients there can be.
fn room_for(clients: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = (clients + OTHER_FILES) as u64;
    let granted = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(limit.current.unwrap_or(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(granted), maximum: limit.maximum }).expect("up to the maximum");
    clients.min((granted as usize).saturating_sub(OTHER_FILES))
}
