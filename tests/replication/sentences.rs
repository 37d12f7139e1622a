//! What the design says of replication, a sentence a test.

use kvstoreapp::replication::Limits;
use kvstoreapp::replication::Unready;

use crate::pair::{Mesh, SECOND_US};
use crate::pure::LIMITS;

#[test]
fn a_relay_carries_the_writes_of_two_nodes_that_cannot_reach_each_other() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    mesh.cut_between(0, 1);
    mesh.pass(SECOND_US);
    mesh.request(0, "SET from-zero 0");
    mesh.request(1, "SET from-one 1");
    mesh.pass(SECOND_US);
    for node in 0..3 {
        assert_eq!(mesh.node(node).store().get(b"from-zero"), Some(&b"0"[..]), "node {node}");
        assert_eq!(mesh.node(node).store().get(b"from-one"), Some(&b"1"[..]), "node {node}");
    }
}

#[test]
fn the_writes_of_an_author_that_died_come_from_the_one_peer_it_reached() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    mesh.cut_between(0, 2);
    mesh.cut_between(1, 2);
    (0..1_000).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.pass(SECOND_US);
    mesh.cut_between(0, 1);
    mesh.pass(SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 0);
    mesh.link_between(1, 2);
    mesh.pass(10 * SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 1_000);
}

#[test]
fn what_overwrites_a_write_that_was_not_sent_is_sent_in_its_place_whoever_wrote_it() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    // Node 2 hears of node 1 alone, and nothing yet.
    mesh.cut_between(0, 2);
    mesh.pass(SECOND_US);
    mesh.stop_reading(2);
    mesh.request(1, "SET a by-one");
    mesh.pass(100_000);
    mesh.request(0, "SET a by-zero");
    mesh.pass(100_000);
    mesh.read_again();
    mesh.pass(SECOND_US);
    assert_eq!(mesh.node(2).store().get(b"a"), Some(&b"by-zero"[..]));
}

#[test]
fn a_full_sync_after_a_wipe_empties_nobody_and_moves_every_key_once() {
    let mut mesh = Mesh::new(3);
    (0..2_000).for_each(|key| mesh.request(key % 3, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.wipe(2, LIMITS);
    let before = mesh.changes_sent(0) + mesh.changes_sent(1);
    mesh.link();
    mesh.settle();
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 2_000, "node {node}"));
    let sent = mesh.changes_sent(0) + mesh.changes_sent(1) - before;
    println!("{sent} changes for 2,000 keys");
    // Own writes of the node that was wiped come from both others.
    assert!(sent <= 2_000 + 2_000 / 3 + 1, "{sent} changes were sent");
    mesh.assert_same();
}

#[test]
fn a_deletion_is_forgotten_once_every_configured_node_has_it_on_disk_and_not_before() {
    let mut mesh = Mesh::new(3);
    (0..100).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut_between(0, 2);
    mesh.cut_between(1, 2);
    (0..100).for_each(|key| mesh.request(0, &format!("DELETE {key}")));
    mesh.pass(60 * SECOND_US);
    assert_eq!(mesh.node(0).store().tombstones(), 100, "node 2 knows none of them");
    mesh.fail_disk(Some(2));
    mesh.link();
    mesh.pass(20 * SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 0);
    assert_eq!(mesh.node(0).store().tombstones(), 100, "node 2 has none of them on disk");
    mesh.fail_disk(None);
    mesh.pass(60 * SECOND_US);
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().tombstones(), 0, "node {node}"));
}

#[test]
fn a_deletion_that_is_kept_takes_42_bytes_and_the_key() {
    let mut mesh = Mesh::with_limits(2, LIMITS);
    mesh.cut();
    (0..1_000).for_each(|key| mesh.request(0, &format!("SET {key:016} value")));
    (0..1_000).for_each(|key| mesh.request(0, &format!("DELETE {key:016}")));
    assert_eq!(mesh.node(0).store().tombstones(), 1_000);
    assert_eq!(mesh.node(0).store().bytes(), 1_000 * (42 + 16));
}

#[test]
fn what_a_node_forgot_while_it_was_alone_does_not_come_back_from_a_peer() {
    let mut mesh = Mesh::new(2);
    (0..100).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut();
    mesh.leave_alone(0);
    (0..50).for_each(|key| mesh.request(0, &format!("DELETE {key}")));
    mesh.pass(5 * SECOND_US);
    assert_eq!(mesh.node(0).store().tombstones(), 0, "it is alone");
    mesh.take_in(0);
    mesh.link();
    mesh.settle();
    (0..2).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 50, "node {node}"));
}

#[test]
fn what_is_deleted_right_after_a_node_was_appended_is_kept_for_it() {
    let mut mesh = Mesh::new(2);
    (0..100).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut();
    mesh.leave_alone(0);
    mesh.request(0, "DELETE 99");
    assert!((0..2_000).any(|_| {
        mesh.tick();
        mesh.node(0).store().tombstones() == 0
    }));
    mesh.take_in(0);
    (0..50).for_each(|key| mesh.request(0, &format!("DELETE {key}")));
    mesh.pass(500_000);
    assert_eq!(mesh.node(0).store().tombstones(), 50, "node 1 has none of them");
}

#[test]
fn a_peer_hears_of_what_was_forgotten_without_it_by_way_of_a_third() {
    let limits = Limits { tombstones_max: 10, ..LIMITS };
    let mut mesh = Mesh::with_limits(3, limits);
    mesh.link();
    (0..50).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut();
    (0..50).for_each(|key| mesh.request(1, &format!("DELETE {key}")));
    mesh.pass(5 * SECOND_US);
    assert_eq!(mesh.node(1).store().tombstones(), 0, "it waits for nobody");
    mesh.wipe(2, limits);
    mesh.link_between(0, 2);
    mesh.pass(10 * SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 50, "it knows node 0 alone");
    mesh.link_between(1, 2);
    for _ in 0..10_000 {
        mesh.tick();
        [0, 1].into_iter().for_each(|other| assert_ne!(mesh.peer(2, other).agreement, "DIVERGED"));
    }
    (0..3).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 0, "node {node}"));
}

#[test]
fn what_a_node_with_a_lost_disk_wrote_alone_is_not_taken_for_what_it_wrote_before() {
    let mut mesh = Mesh::with_limits(3, LIMITS);
    // Node 2 hears of node 0 through node 1 alone, and never meets that life of it, whose clock begins 20 s ahead: with
    // 400,000 writes it comes 6 ms further.
    mesh.cut_between(0, 2);
    (0..400_000).for_each(|_| mesh.request(0, "SET before x"));
    mesh.pass(5 * SECOND_US);
    assert_eq!(mesh.node(2).store().keys(), 1);
    mesh.cut_between(0, 1);
    mesh.wipe_alone(0);
    // This one's clock begins where the wall clock is, and passes there, too.
    mesh.pass(15 * SECOND_US - 10_000);
    for ms in 0..20 {
        mesh.request(0, &format!("SET after{ms} x"));
        mesh.tick();
    }
    mesh.take_in(0);
    mesh.link_between(0, 2);
    for _ in 0..5_000 {
        mesh.tick();
        // That would be mended, too, but not where one of the two had other losses.
        assert_ne!(mesh.peer(2, 0).agreement, "DIVERGED");
    }
    [0, 2].into_iter().for_each(|node| assert_eq!(mesh.node(node).store().keys(), 21, "node {node}"));
}

#[test]
fn past_the_budget_deletions_wait_for_nobody_and_who_returns_gets_a_full_listing() {
    let limits = Limits { tombstones_max: 10, ..LIMITS };
    let mut mesh = Mesh::with_limits(2, limits);
    mesh.link();
    (0..100).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut();
    (0..50).for_each(|key| mesh.request(0, &format!("DELETE {key}")));
    mesh.request(1, "SET of-one 1");
    mesh.pass(60 * SECOND_US);
    assert_eq!(mesh.node(0).store().tombstones(), 0, "past the budget");
    assert_eq!(mesh.node(1).store().keys(), 101);
    mesh.link();
    mesh.settle();
    (0..2).for_each(|node| assert_eq!(mesh.node(node).store().keys(), 51, "node {node}"));
    mesh.assert_same();
}

#[test]
fn received_and_durable_are_acknowledged_apart() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    mesh.fail_disk(Some(1));
    (0..100).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.pass(SECOND_US);
    let status = mesh.peer(0, 1);
    assert_eq!((status.lag_changes, status.lag_changes_durable), (0, Some(100)));
    mesh.fail_disk(None);
    mesh.pass(2 * SECOND_US);
    assert_eq!(mesh.peer(0, 1).lag_changes_durable, Some(0));
}

#[test]
fn a_node_is_ready_once_it_has_all_that_its_peers_had_or_has_tried_for_five_seconds() {
    let mut mesh = Mesh::with_limits(2, LIMITS);
    mesh.cut();
    mesh.pass(5 * SECOND_US - 1_000);
    assert_eq!([0, 1].map(|node| mesh.unready(node)), [1, 0].map(|peer| Some(Unready::NotReached(peer))));
    mesh.pass(2_000);
    assert_eq!([0, 1].map(|node| mesh.unready(node)), [None, None]);

    (0..20_000).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.link_between(0, 1);
    let mut caught_up = 0;
    while mesh.peer(1, 0).state == "waiting" || mesh.peer(1, 0).state == "dialing" {
        mesh.tick();
    }
    // While it catches up, and for as long as it is written to since.
    while mesh.node(1).store().keys() < 20_000 {
        assert_eq!(mesh.unready(1), Some(Unready::CatchingUp(0)));
        mesh.request(0, &format!("SET later{caught_up} x"));
        mesh.tick();
        caught_up += 1;
    }
    assert!(caught_up > 10, "it had it all at once");
    for _ in 0..2_000 {
        mesh.request(0, "SET again x");
        mesh.tick();
    }
    assert_eq!([0, 1].map(|node| mesh.unready(node)), [None, None]);
    // What it had is what counts while a peer is away.
    mesh.cut();
    mesh.tick();
    assert_eq!([0, 1].map(|node| mesh.unready(node)), [None, None]);
}

#[test]
fn a_node_that_is_owed_a_full_listing_is_not_ready_until_it_has_dropped_what_is_gone() {
    let limits = Limits { tombstones_max: 10, ..LIMITS };
    let mut mesh = Mesh::with_limits(2, limits);
    mesh.link();
    (0..5_000).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.settle();
    mesh.cut();
    (0..4_000).for_each(|key| mesh.request(0, &format!("DELETE {key}")));
    mesh.pass(60 * SECOND_US);
    mesh.link_between(0, 1);
    let mut waited = 0;
    while mesh.node(1).store().keys() > 1_000 {
        mesh.tick();
        let is_linked = mesh.peer(1, 0).state != "waiting" && mesh.peer(1, 0).state != "dialing";
        if is_linked && mesh.node(1).store().keys() > 1_000 {
            assert_eq!(mesh.unready(1), Some(Unready::CatchingUp(0)));
            waited += 1;
        }
    }
    assert!(waited > 1);
    mesh.settle();
    assert_eq!(mesh.unready(1), None);
}

#[test]
fn what_a_dead_peer_lacks_is_counted_and_what_is_not_known_is_not_0() {
    let mut mesh = Mesh::new(2);
    mesh.request(0, "SET a b");
    mesh.settle();
    mesh.pass(2 * SECOND_US);
    mesh.cut();
    mesh.pass(SECOND_US);
    let lags = |mesh: &Mesh| {
        let peer = mesh.peer(0, 1);
        (peer.lag_changes, peer.lag_changes_durable, peer.lag_ms, peer.lag_ms_durable)
    };
    assert_eq!(lags(&mesh), (0, Some(0), Some(0), Some(0)), "it has all there is");
    (0..10).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.pass(3 * SECOND_US);
    let (changes, durable, ms, ms_durable) = lags(&mesh);
    assert_eq!((changes, durable), (10, Some(10)));
    assert!(
        [ms, ms_durable].iter().all(|ms| ms.is_some_and(|ms| (2_900..3_100).contains(&ms))),
        "{ms:?} {ms_durable:?}"
    );
    mesh.link();
    mesh.settle();
    assert_eq!((mesh.peer(0, 1).lag_changes, mesh.peer(0, 1).lag_ms), (0, Some(0)));

    // Never met since the start.
    let mut mesh = Mesh::with_limits(2, LIMITS);
    mesh.cut();
    (0..10).for_each(|key| mesh.request(0, &format!("SET {key} {key}")));
    mesh.pass(SECOND_US);
    assert_eq!(lags(&mesh), (10, None, None, None));
}

#[test]
fn nobody_is_behind_by_0() {
    let mut mesh = Mesh::with_limits(2, LIMITS);
    let mut said = std::collections::BTreeSet::new();
    mesh.cut();
    (0..5_000).for_each(|key| mesh.request(0, &format!("SET {key} x")));
    for round in 0..4_000 {
        if round == 10 {
            mesh.link_between(0, 1);
        }
        if round % 500 > 250 {
            (0..20).for_each(|key| mesh.request(0, &format!("SET {key} {round}")));
        }
        if round == 2_100 {
            // It comes in pieces, after the peer has said where its list ends.
            mesh.request(0, &format!("SET large {}", "x".repeat(900_000)));
        }
        mesh.tick();
        said.extend((0..2).map(|node| mesh.peer(node, 1 - node).agreement));
    }
    assert!(!said.contains("behind by 0"), "{said:?}");
    for words in ["agrees", "unknown", "comparing", "this node is behind", "behind by 20"] {
        assert!(said.contains(words), "{words} is not in {said:?}");
    }
}

#[test]
fn nodes_with_different_lists_say_so_on_both_sides_until_the_lists_are_the_same() {
    let mut mesh = Mesh::new(3);
    mesh.settle();
    let differences = |mesh: &Mesh| [mesh.peer(0, 1).difference, mesh.peer(1, 0).difference];
    assert_eq!(differences(&mesh), [None, None]);
    mesh.leave_out(1, 2);
    mesh.pass(SECOND_US);
    let said = |own, here, there, other| {
        Some(format!("the config files differ: node 2 is {here} at node {own}, and {there} at node {other}"))
    };
    let address = "10.0.0.2:5000";
    assert_eq!(differences(&mesh), [said(0, address, "not there", 1), said(1, "not there", address, 0)]);
    mesh.take_in(1);
    mesh.pass(SECOND_US);
    assert_eq!(differences(&mesh), [None, None]);
}

#[test]
fn a_clock_that_is_too_far_ahead_is_refused_before_any_of_its_stamps_is_merged() {
    let mut mesh = Mesh::with_limits(2, LIMITS);
    mesh.set_ahead(1, 3_600_000);
    mesh.cut();
    mesh.pass(2 * SECOND_US);
    mesh.request(1, "SET a from-the-future");
    mesh.link_between(0, 1);
    mesh.request(0, "SET b here");
    let before = mesh.node(0).clock_last();
    mesh.pass(20 * SECOND_US);
    assert_eq!(mesh.node(0).store().get(b"a"), None);
    assert!(mesh.node(0).clock_last() - before < 60_000 << 16, "its clock is merged");
    for (node, peer) in [(0, 1), (1, 0)] {
        let error = mesh.peer(node, peer).error.unwrap_or_default();
        assert!(error.contains("clock"), "node {node} says: {error}");
    }
    mesh.set_ahead(1, 0);
    mesh.pass(3_700 * SECOND_US);
    mesh.settle();
    mesh.assert_same();
}

#[test]
fn what_one_tick_changed_is_applied_in_one_step() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    for round in 0..200 {
        (0..50).for_each(|key| mesh.request(0, &format!("SET {key} {round}")));
        mesh.tick();
        let seen: Vec<_> = (0..50).map(|key| mesh.node(1).store().get(key.to_string().as_bytes())).collect();
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "half of round {round} is there");
    }
    mesh.settle();
}

#[test]
fn a_peer_that_closes_again_and_again_is_dialed_with_growing_pauses() {
    let mut mesh = Mesh::new(2);
    mesh.cut();
    mesh.pass(2 * SECOND_US);
    let soon = mesh.peer(0, 1).retries;
    mesh.pass(60 * SECOND_US);
    let later = mesh.peer(0, 1).retries - soon;
    assert!(soon >= 4, "{soon} dials in the first two seconds");
    assert!((12..=40).contains(&later), "{later} dials in a minute");
}

#[test]
fn what_one_request_changed_is_never_seen_half_on_a_live_peer() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    let keys: Vec<String> = (0..700).map(|key| format!("together:{key}")).collect();
    for round in 0..120 {
        // Others in between, so that frames would end anywhere; and one of the keys changes again by itself.
        (0..round * 13 % 600).for_each(|other| mesh.request(0, &format!("SET other:{other} {round}")));
        mesh.set_group(0, &keys, &round.to_string());
        (0..round * 7 % 600).for_each(|other| mesh.request(0, &format!("SET after:{other} {round}")));
        if round % 3 == 0 {
            mesh.set_group(0, &keys[round..round + 2], &format!("{round}"));
        }
        for _ in 0..12 {
            mesh.tick_without_time();
            assert!(mesh.have_one_value(1, &keys), "half of round {round} is there");
        }
        mesh.tick();
    }
    mesh.settle();
    mesh.assert_same();
}

#[test]
fn large_values_that_one_request_sets_are_never_seen_half_either() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    let keys = ["one", "two", "three"].map(str::to_owned);
    for round in 0..6 {
        mesh.request(0, &format!("SET other {round}"));
        // Each is more than goes whole by itself; all three are less than may come apart.
        mesh.set_group(0, &keys, &format!("{round} {}", "v".repeat(300_000 + 4_000 * round)));
        for _ in 0..40 {
            mesh.tick();
            assert!(mesh.have_one_value(1, &keys), "half of round {round} is there");
        }
    }
    mesh.settle();
    mesh.assert_same();
}
