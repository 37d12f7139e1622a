//! Writes of two nodes to one key that did not know of each other: counted once by the node whose write is kept, and by
//! the other where it can tell; and what else a node tells of its peers.

use kvstoreapp::node::exposition::{Cursor, Form, Page};

use crate::pair::{Mesh, SECOND_US};
use crate::scrape;

/// What a node tells machines under this name and these labels.
fn figure(mesh: &Mesh, node: usize, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut page = Vec::new();
    let cursor = Cursor::default();
    let more = mesh.node(node).expose(Page::Own, Form::Prometheus, cursor, usize::MAX, mesh.now(node), &mut page);
    assert_eq!(more, None);
    scrape::find(&scrape::read(&String::from_utf8(page).expect("a page is text"), false), name, labels)
}

/// Conflicts that each node has counted: those in which its own write is kept, and the others.
fn conflicts(mesh: &Mesh, nodes: usize) -> Vec<[f64; 2]> {
    let of = |node, winner| figure(mesh, node, "kvstoreapp_conflicts_total", &[("winner", winner)]);
    (0..nodes).map(|node| ["own", "peer"].map(|winner| of(node, winner).expect("it is always there"))).collect()
}

#[test]
fn two_writes_that_did_not_know_of_each_other_are_one_conflict_and_the_later_one_wins() {
    let mut mesh = Mesh::new(2);
    mesh.cut();
    mesh.request(0, "SET color blue");
    mesh.request(0, "SET only here");
    mesh.pass(SECOND_US);
    mesh.request(1, "SET color green");
    mesh.link();
    mesh.settle();
    mesh.assert_same();
    assert_eq!(conflicts(&mesh, 2), [[0.0, 1.0], [1.0, 0.0]]);
    // Nothing of it counts again when the link does.
    mesh.cut();
    mesh.link();
    mesh.settle();
    assert_eq!(conflicts(&mesh, 2), [[0.0, 1.0], [1.0, 0.0]]);
}

#[test]
fn a_deletion_is_a_write_and_writes_on_their_way_at_the_same_time_are_a_conflict() {
    let mut mesh = Mesh::new(2);
    mesh.request(0, "SET color blue");
    mesh.settle();
    mesh.request(0, "DELETE color");
    mesh.request(1, "SET color green");
    mesh.settle();
    mesh.assert_same();
    let all = conflicts(&mesh, 2);
    assert_eq!(all[0][0] + all[1][0], 1.0, "one of both has won: {all:?}");
    assert_eq!(all[0][1] + all[1][1], 1.0, "one of both has lost: {all:?}");
}

#[test]
fn a_write_by_who_knew_the_other_is_no_conflict_however_often_they_take_turns() {
    let mut mesh = Mesh::new(3);
    for turn in 0..30 {
        mesh.request(turn % 3, &format!("SET color {turn}"));
        mesh.settle();
    }
    assert_eq!(conflicts(&mesh, 3), [[0.0; 2]; 3]);
    // Nor are writes of one node that others miss for a while.
    mesh.cut();
    (0..10).for_each(|value| mesh.request(0, &format!("SET color {value}")));
    mesh.link();
    mesh.settle();
    mesh.request(1, "SET color last");
    mesh.settle();
    mesh.assert_same();
    assert_eq!(conflicts(&mesh, 3), [[0.0; 2]; 3]);
}

#[test]
fn a_write_that_a_third_node_keeps_back_is_counted_by_who_lost_it() {
    let mut mesh = Mesh::new(3);
    mesh.cut_between(0, 2);
    mesh.pass(SECOND_US);
    mesh.cut_between(0, 1);
    (0..5).for_each(|key| mesh.request(0, &format!("SET key{key} old")));
    mesh.pass(SECOND_US);
    // Of what it writes several times only the last is there to be met.
    (0..5).for_each(|key| mesh.request(2, &format!("SET key{key} new")));
    mesh.request(2, "SET key0 newer");
    mesh.pass(SECOND_US);
    mesh.link_between(0, 1);
    mesh.pass(10 * SECOND_US);
    assert_eq!(mesh.peer(2, 0).state, "waiting", "what node 0 wrote came over node 1");
    mesh.assert_same();
    assert_eq!(conflicts(&mesh, 3), [[0.0, 5.0], [0.0; 2], [0.0; 2]]);
}

#[test]
fn all_nodes_together_count_each_lost_write_once_where_they_hear_each_other() {
    let mut mesh = Mesh::new(3);
    mesh.cut();
    for node in 0..3 {
        mesh.pass(SECOND_US);
        (0..7).for_each(|key| mesh.request(node, &format!("SET key{key} {node}")));
    }
    mesh.link();
    mesh.settle();
    mesh.assert_same();
    // Those of nodes 0 and 1 are lost, each to the first newer one that it meets.
    let all = conflicts(&mesh, 3);
    assert_eq!((all.iter().map(|[won, _]| won).sum::<f64>(), all[0][0]), (14.0, 0.0), "{all:?}");
}

#[test]
fn what_a_flush_deletes_is_no_conflict() {
    let mut mesh = Mesh::new(2);
    mesh.cut();
    mesh.request(0, "SET color blue");
    mesh.pass(SECOND_US);
    mesh.flush(1);
    mesh.link();
    mesh.settle();
    mesh.assert_same();
    assert_eq!(conflicts(&mesh, 2), [[0.0; 2]; 2]);
}

#[test]
fn a_node_tells_how_its_peers_are_and_what_its_links_carried() {
    let mut mesh = Mesh::new(2);
    mesh.set_ahead(1, 3_000);
    let bytes_before = mesh.bytes_sent(0);
    mesh.request(0, &format!("SET a {}", "x".repeat(10_000)));
    mesh.pass(2 * SECOND_US);
    let of = |mesh: &Mesh, name: &str| figure(mesh, 0, &format!("kvstoreapp_peer_{name}"), &[("peer", "1")]);
    let network = |mesh: &Mesh, node, direction| {
        let peer = ["1", "0"][node];
        let labels = [("peer", peer), ("direction", direction)];
        figure(mesh, node, "kvstoreapp_peer_network_bytes_total", &labels).expect("it is always there")
    };
    assert_eq!((of(&mesh, "up"), of(&mesh, "losses_total")), (Some(1.0), Some(0.0)));
    assert_eq!((of(&mesh, "lag_changes"), of(&mesh, "lag_seconds")), (Some(0.0), Some(0.0)));
    assert_eq!(of(&mesh, "clock_skew_seconds"), Some(3.0));
    assert!(network(&mesh, 0, "out") - bytes_before as f64 > 10_000.0, "the value went");
    assert!(network(&mesh, 1, "in") > 10_000.0 && network(&mesh, 0, "in") < network(&mesh, 1, "in"), "and came");
    mesh.cut();
    mesh.pass(SECOND_US);
    assert_eq!((of(&mesh, "up"), of(&mesh, "losses_total")), (Some(0.0), Some(1.0)));
}
