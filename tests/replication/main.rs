//! What replication costs, in counts: two or three pure nodes whose bytes are carried from one to the other.

mod conflicts;
mod databases;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../simulator/disk.rs"]
mod disk;
mod expiries;
mod flushes;
mod fuzz;
mod hostile;
mod losses;
mod pair;
mod proofs;
#[path = "../harness/pure.rs"]
mod pure;
mod restores;
#[path = "../harness/scrape.rs"]
mod scrape;
mod sentences;
mod statuses;
mod stranger;

use pair::{Mesh, SECOND_US};

#[test]
fn catching_up_after_an_absence_moves_only_what_changed() {
    const KEYS: usize = 1_000_000;
    let mut mesh = Mesh::new(2);
    for key in 0..KEYS {
        mesh.request(0, &format!("SET key:{key:012} {:064}", key));
    }
    mesh.settle();
    mesh.cut();
    for key in 0..1_000 {
        mesh.request(0, &format!("SET key:{:012} {:064}", key * 7, 1));
    }
    let before = mesh.bytes_sent(0) + mesh.bytes_sent(1);
    mesh.link();
    mesh.settle();
    let moved = mesh.bytes_sent(0) + mesh.bytes_sent(1) - before;
    println!("{moved} bytes for 1,000 changes of {KEYS} keys");
    assert!(moved < 200_000, "{moved} bytes");
    mesh.assert_same();
}

#[test]
fn a_hundred_thousand_changes_to_one_key_while_away_are_one_change_on_the_wire() {
    let mut mesh = Mesh::new(2);
    mesh.request(0, "SET a 0");
    mesh.settle();
    mesh.cut();
    for change in 0..100_000 {
        mesh.request(0, &format!("SET a {change}"));
    }
    let before = mesh.changes_sent(0);
    mesh.link();
    mesh.settle();
    assert_eq!(mesh.changes_sent(0) - before, 1);
    mesh.assert_same();
}

#[test]
fn an_idle_link_costs_some_half_a_kilobyte_a_second_each_way() {
    let mut mesh = Mesh::new(3);
    mesh.request(0, "SET a 0");
    mesh.settle();
    let before = mesh.bytes_sent(0);
    mesh.pass(60 * SECOND_US);
    let per_link_and_second = (mesh.bytes_sent(0) - before) / 60 / 2;
    println!("{per_link_and_second} bytes a second, one way");
    // Some 315 of them to say how far each is, the rest how it is.
    assert!(per_link_and_second < 650, "{per_link_and_second} bytes a second, one way");
}

#[test]
fn a_healthy_mesh_under_load_sends_little_beside_the_changes() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    let before = mesh.bytes_sent(0);
    let changes_before = mesh.changes_sent(0);
    for round in 0..2_000 {
        for node in 0..3 {
            for line in 0..20 {
                mesh.request(node, &format!("SET key:{node}:{:010} {:064}", round * 20 + line, line));
            }
        }
        mesh.tick();
    }
    mesh.settle();
    let changes = mesh.changes_sent(0) - changes_before;
    assert_eq!(changes, 2 * 2_000 * 20, "own changes, once to each peer");
    let ratio = (mesh.bytes_sent(0) - before) as f64 / (changes * (16 + 16 + 64)) as f64;
    println!("{ratio:.3} of the bytes of the changes");
    assert!(ratio < 1.05, "{ratio:.3} of the bytes of the changes");
    mesh.assert_same();
}

#[test]
fn a_peer_that_does_not_read_costs_its_node_no_more_than_an_outbox() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    mesh.stop_reading(1);
    for change in 0..300_000 {
        mesh.request(0, &format!("SET key:{:012} {:064}", change % 50_000, change));
        if change % 100 == 0 {
            mesh.tick_without_time();
        }
    }
    let held = mesh.peer_bytes(0);
    println!("{held} bytes are held for a peer that does not read");
    assert!(held < 512 << 10, "{held} bytes are held for a peer that does not read");
    mesh.tick_without_time();
    assert!(mesh.is_at_rest(0), "the node is busy with a peer that does not read");
}
