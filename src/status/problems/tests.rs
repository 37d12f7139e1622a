//! Each row of the table, by its sentence.

use super::*;

/// So many nodes, of which all are well, as one of them knows them.
pub fn cluster(count: u16) -> Vec<Known> {
    let row = |id| PeerRow {
        id,
        state: "linked".to_owned(),
        agreement: "agrees".to_owned(),
        since_ms: 60_000,
        lag_ms: Some(0),
        ..PeerRow::default()
    };
    let status = |id: u16| NodeStatus {
        id,
        ready: true,
        snapshot_interval_ms: 2_000,
        clock_drift_ms_max: 60_000,
        peers: (0..count).filter(|&other| other != id).map(row).collect(),
        ..NodeStatus::default()
    };
    let known = |id: u16| Known {
        id,
        address: format!("10.0.0.{id}:5000"),
        age_ms: Some(0),
        via: None,
        status: Some(status(id)),
    };
    (0..count).map(known).collect()
}

/// What a node says of itself.
pub fn linked(nodes: &mut [Known], id: usize) -> &mut NodeStatus {
    nodes[id].status.as_mut().expect("it says how it is")
}

/// Both say that they have no link, for this reason.
fn unlink(nodes: &mut [Known], one: u16, other: u16, why: &str, refused: bool) {
    for (from, to) in [(one, other), (other, one)] {
        let rows = &mut linked(nodes, from.into()).peers;
        let row = rows.iter_mut().find(|row| row.id == to).expect("it is a peer");
        *row = PeerRow {
            id: to,
            state: "waiting".to_owned(),
            since_ms: 200_000,
            agreement: "unknown".to_owned(),
            error: Some(why.to_owned()),
            refused,
            ..PeerRow::default()
        };
    }
}

fn worst(nodes: &[Known]) -> (Level, String) {
    let found = of(nodes);
    let worst = found.first().expect("something is wrong");
    assert!(worst.advice.ends_with('.') && worst.advice.len() > 20, "{worst:?}");
    (worst.level, worst.text.clone())
}

#[track_caller]
fn check(change: impl FnOnce(&mut Vec<Known>), level: Level, text: &str) {
    let mut nodes = cluster(3);
    assert_eq!(of(&nodes), []);
    change(&mut nodes);
    assert_eq!(worst(&nodes), (level, text.to_owned()));
    assert_eq!(of(&nodes).len(), 1, "{:?}", of(&nodes));
}

#[test]
fn diverged_nodes_are_named_once() {
    let diverge = |nodes: &mut Vec<Known>| {
        linked(nodes, 0).peers[1].agreement = "DIVERGED".to_owned();
        linked(nodes, 2).peers[0].agreement = "DIVERGED".to_owned();
    };
    check(diverge, Level::Bad, "nodes 0 and 2 have DIVERGED: their data differ although nothing is under way");
}

#[test]
fn a_disk_that_takes_nothing_is_told_with_what_a_crash_would_cost() {
    let fail = |nodes: &mut Vec<Known>| {
        let status = linked(nodes, 1);
        (status.disk_error, status.unsaved_ms) = (Some("No space left on device".to_owned()), 35_000);
    };
    check(fail, Level::Bad, "node 1 cannot save: No space left on device; the last 35 s are in its memory alone");
}

#[test]
fn a_refused_link_is_told_with_its_reason() {
    let why = "refused by node 1: the cluster's secret was not proven; see --cluster-secret-file";
    check(|nodes| unlink(nodes, 1, 0, why, true), Level::Bad, &format!("nodes 0 and 1 refuse each other: {why}"));
}

#[test]
fn a_node_that_nobody_hears_of_is_away_since_it_was_lost() {
    let lose = |nodes: &mut Vec<Known>| {
        unlink(nodes, 0, 2, "nothing came for 4 s", false);
        unlink(nodes, 1, 2, "Connection refused (os error 111)", false);
        linked(nodes, 1).peers[1].since_ms = 195_000;
        nodes[2].age_ms = Some(200_000);
    };
    let text = "node 2 (10.0.0.2:5000) is away for 3 min: Connection refused (os error 111)";
    check(lose, Level::Bad, text);
    // Also where it was never heard of.
    check(
        |nodes| {
            lose(nodes);
            (nodes[2].age_ms, nodes[2].status) = (None, None);
        },
        Level::Bad,
        text,
    );
    // ... and soon after it was killed: it has not said a word since.
    check(
        |nodes| {
            lose(nodes);
            nodes[2].age_ms = Some(3_000);
        },
        Level::Bad,
        text,
    );
}

#[test]
fn memory_is_told_of_before_it_is_full_and_when_it_is() {
    let fill = |bytes| {
        move |nodes: &mut Vec<Known>| {
            let status = linked(nodes, 2);
            (status.memory_bytes, status.memory_bytes_max) = (bytes, 1_000);
        }
    };
    check(fill(1_000), Level::Bad, "node 2 has all the memory that it may have: it refuses writes");
    check(fill(912), Level::Warn, "node 2 has 91 % of the memory that it may have");
    let mut nodes = cluster(3);
    fill(899)(&mut nodes);
    assert_eq!(of(&nodes), []);
}

#[test]
fn a_node_that_is_not_ready_says_why_and_one_that_ends_that_it_does() {
    let unready = |nodes: &mut Vec<Known>| {
        let status = linked(nodes, 1);
        (status.ready, status.unready_why) = (false, Some("catching up with node 0".to_owned()));
    };
    check(unready, Level::Warn, "node 1 is not ready: catching up with node 0");
    check(
        |nodes| {
            unready(nodes);
            linked(nodes, 1).ending = true;
        },
        Level::Warn,
        "node 1 is shutting down",
    );
}

#[test]
fn nodes_that_run_and_are_not_linked_are_a_cut() {
    check(
        |nodes| {
            unlink(nodes, 0, 2, "no answer within 3 s", false);
            (nodes[2].age_ms, nodes[2].via) = (Some(900), Some(1));
        },
        Level::Warn,
        "nodes 0 and 2 have no link: no answer within 3 s",
    );
}

#[test]
fn a_linked_node_that_says_nothing_of_itself_any_more_is_told_of() {
    check(|nodes| nodes[1].age_ms = Some(12_000), Level::Warn, "node 1 is linked and has not said for 12 s how it is");
}

#[test]
fn clocks_are_told_of_before_they_are_too_far_apart() {
    check(
        |nodes| {
            linked(nodes, 0).peers[0].skew_ms = Some(-40_000);
            linked(nodes, 1).peers[0].skew_ms = Some(40_000);
        },
        Level::Warn,
        "the clocks of nodes 0 and 1 are 40 s apart; at 60 s they refuse each other",
    );
}

#[test]
fn a_peer_that_is_far_behind_and_a_disk_that_does_not_keep_up_are_told_of() {
    check(
        |nodes| {
            let row = &mut linked(nodes, 0).peers[1];
            (row.lag_changes, row.lag_ms) = (2_000_000, Some(90_000));
        },
        Level::Warn,
        "node 2 is behind node 0 by 2,000,000 changes and 90 s",
    );
    check(
        |nodes| linked(nodes, 0).unsaved_ms = 14_000,
        Level::Warn,
        "node 0 has not saved the last 14 s: its disk does not keep up",
    );
}

#[test]
fn configurations_that_differ_are_told_of_once_for_each_pair() {
    let difference = "the config files differ: node 2 is c:1 at node 0, and not there at node 1";
    check(
        |nodes| {
            linked(nodes, 0).peers[0].difference = Some(difference.to_owned());
            linked(nodes, 1).peers[0].difference = Some(difference.to_owned());
        },
        Level::Warn,
        &format!("nodes 0 and 1 are configured differently: {difference}"),
    );
}

#[test]
fn a_turn_that_everybody_waited_for_is_told_of() {
    check(
        |nodes| linked(nodes, 2).longest_tick_recent_us = 340_000,
        Level::Warn,
        "the loop of node 2 took 340 ms for one turn in the last minute: all its clients waited",
    );
}

#[test]
fn the_worst_comes_first_and_the_rest_follows() {
    let mut nodes = cluster(3);
    linked(&mut nodes, 0).longest_tick_recent_us = 340_000;
    linked(&mut nodes, 1).disk_error = Some("full".to_owned());
    linked(&mut nodes, 2).ready = false;
    let levels: Vec<Level> = of(&nodes).iter().map(|problem| problem.level).collect();
    assert_eq!(levels, [Level::Bad, Level::Warn, Level::Warn]);
    assert!(worst(&nodes).1.starts_with("node 1 cannot save: full"));
}
