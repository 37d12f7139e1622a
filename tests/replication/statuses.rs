//! What nodes tell each other of themselves, and what a peer may claim.

use kvstoreapp::replication::wire::{STATUS_BYTES_MAX, Status};
use kvstoreapp::status::{ClusterStatus, Known, Level};

use crate::pair::{Mesh, SECOND_US};
use crate::stranger::Stranger;

fn status(mesh: &mut Mesh, node: usize) -> ClusterStatus {
    let said = mesh.ask(node, "STATUS");
    ClusterStatus::from_json(said.as_bytes()).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// How old a node's word is, and who handed it on.
fn known(told: &ClusterStatus, node: usize) -> (u64, Option<u16>) {
    let Known { id, age_ms, via, status, .. } = &told.nodes[node];
    assert_eq!(status.as_ref().map(|status| status.id), Some(*id));
    (age_ms.expect("it is known"), *via)
}

#[test]
fn every_node_shows_all_nodes_and_that_all_agree() {
    let mut mesh = Mesh::new(3);
    mesh.request(1, "SET a b");
    mesh.settle();
    mesh.pass(2 * SECOND_US);
    for node in 0..3 {
        let told = status(&mut mesh, node);
        assert_eq!((told.verdict.level, told.asked), (Level::Ok, node as u16), "{:?}", told.verdict);
        assert_eq!(told.verdict.text, "3 of 3 nodes agree, everything is on disk");
        for other in 0..3 {
            let (age_ms, via) = known(&told, other);
            assert!(via.is_none() && age_ms <= 1_100, "node {other} at node {node}: {age_ms} ms, {via:?}");
            let says = told.nodes[other].status.as_ref().expect("it is known");
            assert_eq!((says.keys, says.peers.len()), (1, 2));
        }
    }
}

#[test]
fn a_node_behind_a_cut_is_shown_through_the_third() {
    let mut mesh = Mesh::new(3);
    mesh.pass(2 * SECOND_US);
    mesh.cut_between(0, 2);
    mesh.pass(10 * SECOND_US);
    for (node, other) in [(0, 2), (2, 0)] {
        let told = status(&mut mesh, node);
        let (age_ms, via) = known(&told, other);
        assert!(via == Some(1) && age_ms <= 2_100, "{age_ms} ms by {via:?}");
        assert_eq!(known(&told, 1).1, None);
        assert_eq!((told.verdict.level, &*told.verdict.text), (Level::Warn, "nodes 0 and 2 have no link: cut"));
    }
    // Who has a link with both sees it, too.
    assert_eq!(status(&mut mesh, 1).verdict.text, "nodes 0 and 2 have no link: cut");
    mesh.link_between(0, 2);
    mesh.pass(10 * SECOND_US);
    let told = status(&mut mesh, 0);
    assert_eq!((known(&told, 2).1, told.verdict.level), (None, Level::Ok), "{:?}", told.verdict);
}

#[test]
fn a_node_that_is_gone_ages_and_is_named_and_its_last_word_does_not_go_round() {
    let mut mesh = Mesh::new(3);
    mesh.pass(2 * SECOND_US);
    mesh.cut_between(0, 2);
    mesh.cut_between(1, 2);
    mesh.pass(30 * SECOND_US);
    for node in 0..2 {
        let told = status(&mut mesh, node);
        let (age_ms, _) = known(&told, 2);
        assert!((29_000..32_000).contains(&age_ms), "{age_ms} ms");
        assert_eq!(told.verdict.level, Level::Bad);
        let text = &told.verdict.text;
        assert!(text.starts_with("node 2 (10.0.0.2:5000) is away for ") && text.ends_with(" s: cut"), "{text}");
        let advice = told.verdict.advice.expect("there is something to do");
        assert!(advice.contains("kvstoreapp --id 2"), "{advice}");
    }
    let before = mesh.bytes_sent(0);
    mesh.pass(60 * SECOND_US);
    let per_second = (mesh.bytes_sent(0) - before) / 60;
    assert!(per_second < 700, "{per_second} bytes a second to the one that is left");
}

/// What the node says of the others to who asks it.
fn told(one: &mut Stranger) -> ClusterStatus {
    ClusterStatus::from_json(one.request("STATUS").as_bytes()).expect("it is one")
}

fn say(one: &mut Stranger, from: usize, node: u16, age_ms: u32, text: &str) {
    let mut bytes = Vec::new();
    Status { node, age_ms, text: text.as_bytes() }.encode(&mut bytes);
    one.say(from, &bytes);
}

#[test]
fn a_peer_claims_of_itself_what_it_likes_and_of_others_only_what_is_marked_as_hearsay() {
    let mut one = Stranger::new(4);
    one.dial(&one.hello(1));
    one.dial(&one.hello(2));
    one.tick();
    say(&mut one, 1, 1, 9_000, r#"{"id":1,"keys":7}"#);
    say(&mut one, 2, 2, 0, r#"{"id":2,"keys":8}"#);
    // Of one that has a link of its own, of this node, of one that there is not, and by a wrong name.
    say(&mut one, 1, 2, 0, r#"{"id":2,"keys":666}"#);
    say(&mut one, 1, 0, 0, r#"{"id":0,"keys":666}"#);
    say(&mut one, 1, 9, 0, r#"{"id":9,"keys":666}"#);
    let known = told(&mut one);
    let keys = |at: usize| known.nodes[at].status.as_ref().map(|status| status.keys);
    assert_eq!([0, 1, 2, 3].map(keys), [Some(0), Some(7), Some(8), None]);
    assert_eq!((known.nodes.len(), known.nodes[1].age_ms, known.nodes[3].age_ms), (4, Some(0), None));
    // Of one behind a cut it is taken, with its age and by whom; what is older is not.
    say(&mut one, 1, 3, 1_500, r#"{"id":3,"keys":9}"#);
    say(&mut one, 2, 3, 60_000, r#"{"id":3,"keys":1}"#);
    let known = told(&mut one);
    let third = &known.nodes[3];
    let keys = third.status.as_ref().map(|status| status.keys);
    assert_eq!((third.via, third.age_ms, keys), (Some(1), Some(1_500), Some(9)));
    say(&mut one, 2, 3, 0, r#"{"id":2,"keys":666}"#);
    say(&mut one, 1, 1, 0, "no JSON");
    let again = told(&mut one);
    assert_eq!((&again.nodes[3].status, again.nodes[3].via), (&third.status, Some(1)), "garbage changes nothing");
    assert_eq!(again.nodes[1].status.as_ref().map(|status| status.keys), Some(7));
    assert!(one.node.peers(one.now).iter().filter(|peer| peer.state == "linked").count() == 2, "nor a link");
}

#[test]
fn whatever_peers_say_of_nodes_is_bounded_and_what_is_too_long_is_garbage() {
    let mut one = Stranger::new(3);
    one.dial(&one.hello(1));
    one.tick();
    let before = one.node.peer_bytes();
    let long = format!(r#"{{"id":2,"version":"{}"}}"#, "x".repeat(STATUS_BYTES_MAX - 30));
    for round in 0..200 {
        say(&mut one, 1, 1, round, &long.replace("\"id\":2", "\"id\":1"));
        say(&mut one, 1, 2, round, &long);
    }
    let held = one.node.peer_bytes() - before;
    assert!(held < 1 << 20, "{held} bytes are held");
    assert!(told(&mut one).nodes[2].status.as_ref().is_some_and(|status| status.version.len() <= 500));
    let too_long = " ".repeat(STATUS_BYTES_MAX + 1);
    say(&mut one, 1, 1, 0, &too_long);
    one.tick();
    let peers = one.node.peers(one.now);
    assert!(peers[0].error.as_deref().is_some_and(|why| why.contains("breaks its format")), "{:?}", peers[0].error);
}
