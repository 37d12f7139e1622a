//! A peer that is fed far more slowly than the others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::Client;
use crate::nodes::Cluster;
use crate::random::Random;
use crate::relay::Relay;

const SLOW_BYTES_PER_S: u64 = 1_000_000;
const KEYS: usize = 20_000;
const VALUE_BYTES: usize = 100;
const BATCH: usize = 500;
/// What a node may owe its peers: an outbox with a frame beside it for each, and as much again.
const PEER_BYTES_MAX: u64 = 8 << 20;

/// The load lasts 6 s; `KVSTOREAPP_OVERLOAD_SECONDS` says otherwise.
#[test]
fn a_slow_peer_costs_neither_its_link_nor_a_new_beginning_nor_memory() {
    let seconds = std::env::var("KVSTOREAPP_OVERLOAD_SECONDS").map_or(6, |text| text.parse().expect("seconds"));
    let mut cluster = Cluster::of_nodes(3, &["--bind=127.0.0.1:0"]);
    // Behind the relay is node 2, whom both others dial; nobody listens at the addresses where it could dial them.
    cluster.start(2);
    let slow = Relay::start(cluster.addresses[2], cluster.listens_at(2), Some(SLOW_BYTES_PER_S));
    for id in [0, 1] {
        cluster.start(id);
        cluster.await_info(id, "peer_2_agreement", "agrees");
    }
    Relay::start(cluster.addresses[1], cluster.listens_at(1), None);
    cluster.await_links();
    assert_eq!(slow.connections(), 2);
    let retries = all_retries(&cluster);
    let quiet = slow.passed();

    let goes_on = Arc::new(AtomicBool::new(true));
    let writers: Vec<JoinHandle<usize>> = [0, 1].map(|id| writer(id, cluster.client(id), &goes_on)).into();
    let mut most = Most::default();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        [0, 1].iter().for_each(|&id| most.note(&mut cluster.client(id)));
        thread::sleep(Duration::from_millis(200));
    }
    goes_on.store(false, Ordering::Relaxed);
    let answered: usize = writers.into_iter().map(|writer| writer.join().expect("its node answers")).sum();
    let passed = slow.passed() - quiet;
    println!("overload: {answered} writes answered in {seconds} s; {passed} bytes went to the slow node meanwhile");
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key{number}")).collect();
    cluster.await_identical(&keys);
    println!("overload: {} bytes until all agree, {:?} after the load", slow.passed() - quiet, begun.elapsed());
    println!("overload: most seen: {most:?}; {} keys", cluster.info(0, "keys"));

    assert!(most.peer_bytes < PEER_BYTES_MAX, "{most:?}");
    assert_eq!(most.unlinked, 0, "{most:?}");
    assert_eq!(all_retries(&cluster), retries);
    assert_eq!(slow.connections(), 2);
    for id in 0..3 {
        for text in ["lost", "listing", "old copy"] {
            assert_eq!(cluster.logged(id, text), Vec::<String>::new());
        }
        for peer in (0..3).filter(|&peer| peer != id) {
            assert_eq!(cluster.logged(id, &format!("linked to node {peer}")).len(), 1);
        }
    }
}

/// What was seen during the load.
#[derive(Debug, Default)]
struct Most {
    peer_bytes: u64,
    lag_changes: u64,
    lag_ms: u64,
    unlinked: u64,
    samples: u64,
}

impl Most {
    fn note(&mut self, client: &mut Client) {
        let mut number = |field: &str| client.info(field).parse::<u64>().expect("a number");
        self.peer_bytes = self.peer_bytes.max(number("peer_bytes"));
        self.lag_changes = self.lag_changes.max(number("peer_2_lag_changes"));
        self.lag_ms = self.lag_ms.max(number("peer_2_lag_ms"));
        self.unlinked += 2 - number("peers_linked");
        self.samples += 1;
    }
}

/// Writes as much as its node takes; returns how much that was.
fn writer(id: usize, mut client: Client, goes_on: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let goes_on = Arc::clone(goes_on);
    thread::spawn(move || {
        let mut random = Random::new(10 + id as u64);
        let mut answered = 0;
        while goes_on.load(Ordering::Relaxed) {
            let request = |_| {
                let filler = (b'a' + random.below(26) as u8) as char;
                format!("SET key{} {}", random.below(KEYS), filler.to_string().repeat(VALUE_BYTES))
            };
            let requests: Vec<String> = (0..BATCH).map(request).collect();
            assert!(client.ask_all(&requests).iter().all(|answer| answer == "OK"));
            answered += BATCH;
        }
        answered
    })
}

fn all_retries(cluster: &Cluster) -> Vec<String> {
    let pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    pairs.iter().map(|(id, peer)| cluster.info(*id, &format!("peer_{peer}_retries"))).collect()
}
