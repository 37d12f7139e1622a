//! Real nodes on real networks that fail: cut, one-way, lossy, translated, slow.
//!
//! The hosts are network namespaces, for which it takes root, `ip` and `nft`; without them all but the slow network is
//! skipped. Each wait ends as soon as what it waits for is there; `--nocapture` shows how long that took.
#[path = "../harness/mod.rs"]
mod harness;

mod delay;
mod hosts;
mod protection;

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::wait_for;
use crate::hosts::{Network, Node};

/// A link over which nothing comes is given up after 4 s; the rest is for a busy machine.
const FOUND_DEAD_MAX: Duration = Duration::from_secs(8);

#[test]
fn two_nodes_that_lost_each_other_hear_of_each_others_writes_from_the_third() {
    let Some(network) = Network::of_hosts(3) else { return };
    let mut nodes = network.start_all();
    await_links(&mut nodes, &[2, 2, 2]);
    assert_eq!(nodes[0].ask("SET early yes"), "OK");
    await_answer(&mut nodes[1], "GET early", "yes");

    network.block(0, 1);
    network.block(1, 0);
    let cut = Instant::now();
    assert_eq!(nodes[0].ask("SET zero 0"), "OK");
    assert_eq!(nodes[1].ask("SET one 1"), "OK");
    assert_eq!(nodes[1].ask("DELETE early"), "OK");
    await_answer(&mut nodes[2], "GET zero", "0");
    println!("cut: node 2 has a write of node 0 after {:?}", cut.elapsed());
    await_answer(&mut nodes[1], "GET zero", "0");
    println!("cut: node 1 has it after {:?}", cut.elapsed());
    await_answer(&mut nodes[0], "GET one", "1");
    await_answer(&mut nodes[0], "GET early", "KEY NOT FOUND");
    println!("cut: node 0 has a write and a deletion of node 1 after {:?}", cut.elapsed());
    await_links(&mut nodes, &[1, 1, 2]);

    // Once the cut is known, a write takes two hops, and no patience.
    let written = Instant::now();
    assert_eq!(nodes[0].ask("SET late yes"), "OK");
    await_answer(&mut nodes[1], "GET late", "yes");
    println!("cut: a later write takes {:?} through node 2", written.elapsed());
    for (id, node) in nodes.iter_mut().enumerate() {
        let requests: Vec<String> = (0..200).map(|number| format!("SET key{number} from {id}")).collect();
        assert!(node.ask_all(&requests).iter().all(|answer| answer == "OK"));
    }

    network.heal();
    let healed = Instant::now();
    await_links(&mut nodes, &[2, 2, 2]);
    println!("cut: linked again {:?} after it is healed", healed.elapsed());
    let keys: Vec<String> = (0..200).map(|number| format!("key{number}")).chain(words("zero one late early")).collect();
    await_agreement(&mut nodes, &keys, 203);
    assert_eq!(nodes[0].ask("GET early"), "KEY NOT FOUND");
}

#[test]
fn a_link_that_carries_one_way_only_is_found_dead_and_gone_round() {
    let Some(network) = Network::of_hosts(3) else { return };
    let mut nodes = network.start_all();
    await_links(&mut nodes, &[2, 2, 2]);

    network.block(0, 1);
    let cut = Instant::now();
    assert_eq!(nodes[0].ask("SET zero 0"), "OK");
    assert_eq!(nodes[1].ask("SET one 1"), "OK");
    let (mut seen, mut found) = ([None; 2], [None; 2]);
    wait_for("both to find the link dead, and both writes to arrive", || {
        for (id, request, value) in [(0, "GET one", "1"), (1, "GET zero", "0")] {
            if found[id].is_none() && nodes[id].info("peers_linked") == "1" {
                found[id] = Some(cut.elapsed());
            }
            if seen[id].is_none() && nodes[id].ask(request) == value {
                seen[id] = Some(cut.elapsed());
            }
        }
        seen.iter().chain(&found).all(Option::is_some).then_some(())
    });
    let [sender_found, receiver_found] = found.map(Option::unwrap_or_default);
    let [sender_seen, receiver_seen] = seen.map(Option::unwrap_or_default);
    println!("one way: found dead by the receiver after {receiver_found:?}, by the sender after {sender_found:?}");
    println!("one way: the lost direction's write is there after {receiver_seen:?}, the other's after {sender_seen:?}");
    assert!(receiver_found.max(sender_found) < FOUND_DEAD_MAX);
    assert_eq!(nodes[0].ask("SET later yes"), "OK");
    await_answer(&mut nodes[1], "GET later", "yes");
    assert_eq!(nodes[2].info("peers_linked"), "2");

    network.heal();
    let healed = Instant::now();
    await_links(&mut nodes, &[2, 2, 2]);
    println!("one way: linked again {:?} after it is healed", healed.elapsed());
    await_agreement(&mut nodes, &words("zero one later").collect::<Vec<_>>(), 3);
}

#[test]
fn all_agree_although_every_twentieth_packet_is_lost() {
    const KEYS: usize = 1_000;
    const ROUNDS: usize = 60;
    const WRITES_PER_ROUND: usize = 100;
    let Some(network) = Network::of_hosts(3) else { return };
    network.lose(5);
    let begun = Instant::now();
    let mut nodes = network.start_all();
    let request = |id: usize, number: usize| match number % 10 {
        9 => format!("DELETE key{}", (number * 7 + id) % KEYS),
        _ => format!("SET key{} {}", (number * 3 + id) % KEYS, format!("{id}/{number} ").repeat(20)),
    };
    // Spread over some seconds, as what is written at once travels in few packets.
    for round in 0..ROUNDS {
        let numbers = round * WRITES_PER_ROUND..(round + 1) * WRITES_PER_ROUND;
        for (id, node) in nodes.iter_mut().enumerate() {
            node.ask_all(&numbers.clone().map(|number| request(id, number)).collect::<Vec<_>>());
        }
        thread::sleep(Duration::from_millis(30));
    }
    let written = Instant::now();
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key{number}")).collect();
    // Deletions leave some number of keys that depends on the order of arrival; whatever it is, it is the same.
    await_same(&mut nodes, &keys);
    let writes = 3 * ROUNDS * WRITES_PER_ROUND;
    println!("lossy: {writes} writes in {:?}, agreed upon {:?} later", written - begun, written.elapsed());
    let retries: Vec<String> = nodes.iter_mut().flat_map(|node| retries(node, 3)).collect();
    let lost: usize = nodes.iter().map(|node| node.server.later_lines("lost: ").len()).sum();
    println!("lossy: {lost} links lost; dials that failed: {}", retries.join(" "));
    println!("lossy: {} packets lost", network.lost());
    assert!(network.lost() > 0, "nothing was lost at all");
}

#[test]
fn nodes_behind_address_translation_dial_out_and_agree() {
    let Some(network) = Network::of_translated_hosts(3, &[0, 2]) else { return };
    let mut nodes = network.start_all();
    let begun = Instant::now();
    await_links(&mut nodes, &[1, 2, 1]);
    println!("translated: linked after {:?}", begun.elapsed());
    assert_eq!(nodes[0].ask("SET zero 0"), "OK");
    assert_eq!(nodes[1].ask("SET one 1"), "OK");
    assert_eq!(nodes[2].ask("SET two 2"), "OK");
    // Nodes 0 and 2 have no link and never will: each hears of the other from node 1.
    let keys: Vec<String> = words("zero one two").collect();
    await_same_values(&mut nodes, &keys);
    wait_for("agreement", || {
        let agree = nodes[0].info("peer_1_agreement") == "agrees" && nodes[2].info("peer_1_agreement") == "agrees";
        (agree && nodes[1].info("peer_0_agreement") == "agrees" && nodes[1].info("peer_2_agreement") == "agrees")
            .then_some(())
    });

    // The one that all dial goes away, and comes back with an empty disk.
    nodes.remove(1);
    await_links(&mut nodes, &[0, 0]);
    nodes.insert(1, network.start(1));
    await_links(&mut nodes, &[1, 2, 1]);
    await_same_values(&mut nodes, &keys);
    assert_eq!(nodes[1].ask("GET zero"), "0");
}

fn await_links(nodes: &mut [Node], linked: &[usize]) {
    let wanted: Vec<String> = linked.iter().map(usize::to_string).collect();
    wait_for(&format!("{linked:?} links"), || {
        let linked: Vec<String> = nodes.iter_mut().map(|node| node.info("peers_linked")).collect();
        (linked == wanted).then_some(())
    });
}

fn await_answer(node: &mut Node, request: &str, answer: &str) {
    wait_for(&format!("{request} => {answer}"), || (node.ask(request) == answer).then_some(()));
}

/// All nodes hold so many keys, the same, and know it.
fn await_agreement(nodes: &mut [Node], keys: &[String], count: usize) {
    await_same(nodes, keys);
    nodes.iter_mut().for_each(|node| assert_eq!(node.info("keys"), count.to_string()));
}

/// All nodes answer the same, and say that they agree with each other.
fn await_same(nodes: &mut [Node], keys: &[String]) {
    let count = nodes.len();
    await_same_values(nodes, keys);
    wait_for("all to say that they agree", || {
        let mut agrees = |id: usize, peer: usize| nodes[id].info(&format!("peer_{peer}_agreement")) == "agrees";
        let mut pairs =
            (0..count).flat_map(|id| (0..count).filter(move |&peer| peer != id).map(move |peer| (id, peer)));
        pairs.all(|(id, peer)| agrees(id, peer)).then_some(())
    });
    // Agreement is not what a difference was mended to.
    for node in nodes {
        assert_eq!(node.server.later_lines("differ although"), Vec::<String>::new());
    }
}

fn await_same_values(nodes: &mut [Node], keys: &[String]) {
    let requests: Vec<String> = keys.iter().map(|key| format!("GET {key}")).collect();
    wait_for("all to have the same values", || {
        let answers: Vec<Vec<String>> = nodes.iter_mut().map(|node| node.ask_all(&requests)).collect();
        answers.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    });
}

fn retries(node: &mut Node, nodes: usize) -> Vec<String> {
    let own = node.info("id");
    let peers = (0..nodes).map(|id| id.to_string()).filter(|id| *id != own);
    peers.map(|peer| format!("{own}->{peer}: {}", node.info(&format!("peer_{peer}_retries")))).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').map(str::to_owned)
}
