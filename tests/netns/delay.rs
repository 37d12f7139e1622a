//! A slow network: every byte between nodes passes a relay that holds it for a while. It needs no namespaces.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Server, wait_for};

const DELAY: Duration = Duration::from_millis(50);

#[test]
fn on_a_slow_network_a_write_takes_one_way_and_its_promise_takes_two() {
    const WRITES: usize = 5_000;
    let relays: Vec<TcpListener> =
        (0..3).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has free ports")).collect();
    let port = |relay: &TcpListener| relay.local_addr().expect("it is bound").port();
    let entry = |relay: &TcpListener| format!(r#"{{ "ip": "127.0.0.1", "port": {} }}"#, port(relay));
    let config = format!("[{}]", relays.iter().map(entry).collect::<Vec<_>>().join(", "));
    let servers: Vec<Server> = (0..3).map(|id| start(id, &config)).collect();
    for (relay, server) in relays.into_iter().zip(&servers) {
        let target = server.address;
        thread::spawn(move || serve(&relay, target));
    }
    let mut clients: Vec<Client> = servers.iter().map(Server::connect).collect();
    wait_for("all links", || clients.iter_mut().all(|client| client.info("peers_linked") == "2").then_some(()));

    let begun = Instant::now();
    assert_eq!(clients[0].ask("SET color blue"), "OK");
    let local = begun.elapsed();
    wait_for("the write", || (clients[2].ask("GET color") == "blue").then_some(()));
    let there = begun.elapsed();
    assert_eq!(clients[0].ask("WAIT 2 30000"), "2");
    let promised = begun.elapsed();
    println!("slow: OK after {local:?}, on another node after {there:?}, on both disks after {promised:?}");
    assert!(there >= DELAY && promised >= 2 * DELAY);

    let begun = Instant::now();
    for (id, client) in clients.iter_mut().enumerate() {
        let requests: String = (0..WRITES).map(|number| format!("SET key{number} {id}\n")).collect();
        client.send(requests);
        (0..WRITES).for_each(|_| assert_eq!(client.line(), "OK"));
    }
    wait_for("agreement", || {
        let mut agree = |id: usize, peer: usize| {
            let client = &mut clients[id];
            client.info("keys") == (WRITES + 1).to_string()
                && client.info(&format!("peer_{peer}_lag_changes")) == "0"
                && client.info(&format!("peer_{peer}_agreement")) == "agrees"
        };
        (agree(0, 1) && agree(0, 2) && agree(1, 0) && agree(1, 2) && agree(2, 0) && agree(2, 1)).then_some(())
    });
    println!("slow: {} writes to the same keys agreed upon after {:?}", 3 * WRITES, begun.elapsed());
    let last = format!("GET key{}", WRITES - 1);
    let values: Vec<String> = clients.iter_mut().map(|client| client.ask(&last)).collect();
    assert!(values.iter().all(|value| value == &values[0]), "{values:?}");
    for server in &servers {
        assert_eq!(server.later_lines("differ although"), Vec::<String>::new());
        assert_eq!(server.later_lines("nothing"), Vec::<String>::new(), "a slow link was taken for a dead one");
    }
}

fn start(id: usize, config: &str) -> Server {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    std::fs::write(directory.path().join("node_config.json"), config).expect("it is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvstoreapp"));
    command.args([&format!("--id={id}"), "--bind=127.0.0.1:0", "--data-dir=data", "--snapshot-interval-ms=20"]);
    command.current_dir(directory.path());
    Server::spawn(directory, command)
}

/// Accepts for as long as the process lasts.
fn serve(relay: &TcpListener, target: SocketAddr) {
    for inner in relay.incoming().map_while(Result::ok) {
        let Ok(outer) = TcpStream::connect(target) else { continue };
        for (from, to) in [(&inner, &outer), (&outer, &inner)] {
            let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
            let (sender, receiver) = channel();
            thread::spawn(move || hold(from, &sender));
            thread::spawn(move || pass_on(to, &receiver));
        }
    }
}

fn hold(mut from: TcpStream, into: &Sender<(Instant, Vec<u8>)>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if into.send((Instant::now() + DELAY, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn pass_on(mut to: TcpStream, held: &Receiver<(Instant, Vec<u8>)>) {
    // Small frames wait for nothing but the delay.
    let _ = to.set_nodelay(true);
    for (due, bytes) in held {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Both);
}
