//! Processes that are killed, and disks that are wiped.

use rustix::process::Signal;

use crate::load::{Load, value_of};
use crate::nodes::Cluster;

#[test]
fn each_of_three_is_killed_and_restarted_under_load_and_all_end_identical() {
    kill_each_under_load(3, &[]);
}

#[test]
fn each_of_five_is_killed_and_restarted_under_load_and_all_end_identical() {
    kill_each_under_load(5, &["--snapshot-interval-ms=100"]);
}

fn kill_each_under_load(count: usize, flags: &[&str]) {
    const WRITES: usize = 1_000;
    let mut cluster = Cluster::started(count, flags);
    let load = Load::on(&cluster.addresses, 1);
    load.await_writes(&cluster.ids(), WRITES);
    for id in 0..count {
        cluster.kill(id);
        load.await_writes(&cluster.ids(), WRITES);
        cluster.start(id);
        cluster.await_links();
        load.await_writes(&cluster.ids(), WRITES);
    }
    let written = load.stop();
    let answers = cluster.await_identical(&written.keys());
    written.check(&answers);
}

#[test]
fn a_wiped_node_gets_everything_back_and_empties_nobody() {
    let mut cluster = Cluster::started(3, &["--snapshot-interval-ms=100"]);
    let load = Load::on(&cluster.addresses, 3);
    load.await_writes(&cluster.ids(), 2_000);
    let written = load.stop();
    let keys = written.keys();
    let before = cluster.await_identical(&keys);
    written.check(&before);

    cluster.kill(1);
    cluster.wipe(1);
    // What is written and deleted meanwhile is there, too; so is what the empty node is told first.
    let late: Vec<String> = ["late", "first"].map(str::to_owned).to_vec();
    assert_eq!(cluster.client(2).ask("SET late yes"), "OK");
    cluster.start(1);
    assert_eq!(cluster.client(1).ask("SET first yes"), "OK");
    cluster.await_links();
    let after = cluster.await_identical(&[keys, late].concat());
    assert_eq!(after[..before.len()], before);
    assert_eq!(after[before.len()..], ["yes", "yes"]);
    println!("wiped: {} keys are back", after.iter().filter(|answer| *answer != "KEY NOT FOUND").count());
}

#[test]
fn writes_of_an_author_that_dies_for_good_reach_all_from_the_one_peer_that_has_them() {
    const WRITES: usize = 3_000;
    let flags = ["--snapshot-interval-ms=100"];
    let (author, witness, late) = (0, 1, 2);
    for was_stopped in [false, true] {
        let mut cluster = if was_stopped { Cluster::started(3, &flags) } else { Cluster::of_nodes(3, &flags) };
        if was_stopped {
            cluster.signal(late, Signal::STOP);
            // From here on nothing that the author writes lies in a socket of the link.
            cluster.await_log(author, &format!("link to node {late} lost"));
        } else {
            cluster.start(author);
            cluster.start(witness);
            cluster.await_links();
        }
        let keys: Vec<String> = (0..WRITES).map(|number| format!("key{number}")).collect();
        set_all(&cluster, author, &keys);
        assert_eq!(cluster.client(author).ask("DELETE key0"), "OK");
        cluster.await_answer(witness, &format!("GET key{}", WRITES - 1), &value_of(&keys[WRITES - 1]));
        cluster.await_answer(witness, "GET key0", "KEY NOT FOUND");
        cluster.kill(author);

        if was_stopped {
            cluster.signal(late, Signal::CONT);
        } else {
            cluster.start(late);
        }
        cluster.await_links();
        cluster.await_answer(late, &format!("GET key{}", WRITES - 1), &value_of(&keys[WRITES - 1]));
        let answers = cluster.await_identical(&keys);
        let there = keys.iter().zip(&answers).filter(|(key, answer)| **answer == value_of(key)).count();
        println!("author dead, third stopped {was_stopped}: {there} of {} writes reached it", WRITES - 1);
        assert_eq!((there, answers[0].as_str()), (WRITES - 1, "KEY NOT FOUND"));
    }
}

#[test]
fn a_crashed_node_gets_back_what_it_lost_its_own_writes_included() {
    const WRITES: usize = 5_000;
    // Nothing is committed before the crash. A restart's clock begins two intervals ahead.
    let mut cluster = Cluster::started(3, &["--snapshot-interval-ms=60000", "--max-clock-drift-ms=600000"]);
    let keys: Vec<String> = (0..WRITES).map(|number| format!("key{number}")).collect();
    let others: Vec<String> = (0..WRITES).map(|number| format!("other{number}")).collect();
    set_all(&cluster, 1, &others);
    set_all(&cluster, 0, &keys);
    let requests: Vec<String> = keys[..1_000].iter().map(|key| format!("SET {key} newer")).collect();
    cluster.client(0).ask_all(&requests);
    assert_eq!(cluster.client(0).ask("DELETE key0"), "OK");
    for peer in [1, 2] {
        cluster.await_info(peer, "keys", &(2 * WRITES - 1).to_string());
        cluster.await_answer(peer, "GET key1", "newer");
    }
    let committed = cluster.info(0, "rows_written");
    cluster.kill(0);
    cluster.start(0);
    // Made before it knows what it has lost, and newer all the same.
    assert_eq!(cluster.client(0).ask("SET key2 newest"), "OK");
    cluster.await_info(0, "peer_1_agreement", "agrees");
    cluster.await_info(0, "peer_2_agreement", "agrees");

    // At once, without another wait: who agrees is not stale.
    let expected = |number: usize| match number {
        0 => "KEY NOT FOUND".to_owned(),
        2 => "newest".to_owned(),
        1..1_000 => "newer".to_owned(),
        _ => value_of(&keys[number]),
    };
    let requests: Vec<String> = keys.iter().map(|key| format!("GET {key}")).collect();
    for id in [0, 1, 2] {
        let answers = cluster.client(id).ask_all(&requests);
        let back = (0..WRITES).filter(|&number| answers[number] == expected(number)).count();
        println!("{committed} rows were committed; node {id} has {back} of {WRITES} writes of node 0");
        assert_eq!(back, WRITES);
    }
    let others: Vec<String> = others.iter().map(|key| format!("GET {key}")).collect();
    assert!(cluster.client(0).ask_all(&others).iter().all(|answer| answer.starts_with("the value of other")));
}

fn set_all(cluster: &Cluster, id: usize, keys: &[String]) {
    let requests: Vec<String> = keys.iter().map(|key| format!("SET {key} {}", value_of(key))).collect();
    assert!(cluster.client(id).ask_all(&requests).iter().all(|answer| answer == "OK"));
}
