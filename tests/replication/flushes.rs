//! A flush: one change, which deletes all that is older, wherever and whenever it comes.

use crate::pair::{Mesh, SECOND_US};

#[test]
fn a_flush_deletes_what_was_there_on_every_node_and_is_one_change_on_the_wire() {
    let mut mesh = Mesh::new(3);
    (0..3_000).for_each(|key| mesh.request(key % 3, &format!("SET {key} {key}")));
    mesh.settle();
    let before = mesh.changes_sent(0);
    mesh.flush(0);
    assert_eq!(mesh.node(0).store().keys(), 0);
    mesh.request(0, "SET later 1");
    mesh.settle();
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 1, "node {node}"));
    assert_eq!(mesh.changes_sent(0) - before, 4, "flush and write, once to each peer");
    mesh.assert_same();
}

#[test]
fn a_write_that_is_newer_than_a_flush_stays_and_an_older_one_is_refused_whenever_they_meet() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    mesh.cut();
    // Clocks that only count, apart from each other: so many requests are so much time.
    mesh.request(1, "SET older 1");
    (0..10).for_each(|_| mesh.request(0, "SET before 0"));
    mesh.flush(0);
    (0..20).for_each(|_| mesh.request(2, "SET newer 2"));
    mesh.link();
    mesh.settle();
    for node in 0..3 {
        assert_eq!(mesh.node(node).store().get(b"older"), None, "node {node}");
        assert_eq!(mesh.node(node).store().get(b"newer"), Some(&b"2"[..]), "node {node}");
    }
    mesh.assert_same();
}

#[test]
fn a_flush_reaches_whoever_was_away_from_the_one_peer_it_reached_although_its_author_died() {
    let mut mesh = Mesh::new(3);
    (0..1_000).for_each(|key| mesh.request(1, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut_between(0, 2);
    mesh.cut_between(1, 2);
    mesh.request(1, "SET never-sent 1");
    mesh.pass(SECOND_US);
    mesh.flush(0);
    mesh.pass(SECOND_US);
    mesh.cut_between(0, 1);
    assert_eq!((mesh.node(1).store().keys(), mesh.node(2).store().keys()), (0, 1_000));
    mesh.link_between(1, 2);
    mesh.pass(10 * SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 0);
}

#[test]
fn a_million_flushed_keys_are_freed_in_steps_of_a_thousand_and_written_over_in_between() {
    const KEYS: usize = 1_000_000;
    let mut mesh = Mesh::new(2);
    mesh.cut();
    (0..KEYS).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.pass(SECOND_US);
    mesh.flush(0);
    assert_eq!(mesh.node(0).store().keys(), 0);
    mesh.request(0, &format!("SET {} again", KEYS - 1));
    let (mut ticks, mut longest) = (0, 0);
    while mesh.node(0).store().is_sweeping() {
        let before = mesh.node(0).store().bytes();
        mesh.tick_without_time();
        longest = longest.max(before - mesh.node(0).store().bytes());
        ticks += 1;
    }
    println!("{KEYS} flushed keys are freed in {ticks} ticks");
    assert!(longest <= 64 * 1_000, "{longest} bytes were freed in one tick");
    assert_eq!(mesh.node(0).store().keys(), 1);
    assert!(mesh.node(0).store().bytes() < 1_000);
    let before = mesh.changes_sent(0);
    mesh.link();
    mesh.settle();
    assert_eq!(mesh.changes_sent(0) - before, 2);
    mesh.assert_same();
}
