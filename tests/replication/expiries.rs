//! Keys that expire: every node finds out by itself, and nothing is sent.

use crate::pair::{Mesh, SECOND_US};

#[test]
fn a_key_that_expires_is_one_change_on_the_wire_and_every_node_finds_out_by_itself() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    let before = mesh.all_changes_sent();
    mesh.set_expiring(0, "a", 5_000);
    mesh.pass(4 * SECOND_US);
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().get(b"a"), Some(&b"passing"[..]), "node {node}"));
    mesh.pass(2 * SECOND_US);
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 0, "node {node}"));
    mesh.settle();
    assert_eq!(mesh.all_changes_sent() - before, 2, "the write goes to each peer, and nothing else");
    mesh.pass(60 * SECOND_US);
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().tombstones(), 0, "node {node}"));
}

#[test]
fn what_has_expired_does_not_come_back_from_a_node_that_was_away() {
    let mut mesh = Mesh::new(3);
    mesh.request(0, "SET a lasting");
    mesh.settle();
    mesh.cut_between(0, 2);
    mesh.cut_between(1, 2);
    mesh.set_expiring(0, "a", 1_000);
    mesh.pass(60 * SECOND_US);
    assert_eq!(mesh.node(0).store().get(b"a"), None);
    assert_eq!(mesh.node(2).store().get(b"a"), Some(&b"lasting"[..]));
    mesh.link();
    mesh.settle();
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().get(b"a"), None, "node {node}"));
    mesh.assert_same();
}

#[test]
fn keys_that_expire_all_the_time_on_clocks_that_differ_are_no_divergence() {
    let mut mesh = Mesh::new(2);
    mesh.set_ahead(1, 300);
    for round in 0..2_000 {
        mesh.set_expiring(round % 2, &format!("{}", round % 700), 500 + round as u64 % 300);
        mesh.request(0, &format!("SET lasting:{} {round}", round % 50));
        (0..5).for_each(|_| mesh.tick());
        for (node, peer) in [(0, 1), (1, 0)] {
            assert_ne!(mesh.peer(node, peer).agreement, "DIVERGED", "round {round}");
        }
    }
    mesh.settle();
    assert_eq!(mesh.node(0).store().keys(), 50);
    mesh.assert_same();
}

#[test]
fn a_million_keys_that_expire_at_once_go_in_steps_of_five_hundred() {
    const KEYS: usize = 1_000_000;
    let mut mesh = Mesh::new(1);
    (0..KEYS).for_each(|key| mesh.set_expiring_at(0, &key.to_string(), 1_700_000_100_000));
    mesh.pass(60 * SECOND_US);
    assert_eq!(mesh.node(0).store().keys(), KEYS);
    while mesh.node(0).store().keys() == KEYS {
        mesh.tick();
    }
    assert_eq!(mesh.node(0).store().get(b"7"), None);
    let mut ticks = 0;
    while mesh.node(0).store().keys() > 0 {
        let before = mesh.node(0).store().keys();
        assert!(!mesh.is_at_rest(0), "the next tick comes at once");
        mesh.tick_without_time();
        ticks += 1;
        let gone = before - mesh.node(0).store().keys();
        assert!(gone <= 500, "{gone} keys in one tick");
    }
    println!("the rest took {ticks} ticks");
}
