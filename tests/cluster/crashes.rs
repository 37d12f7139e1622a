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

fn set_all(cluster: &Cluster, id: usize, keys: &[String]) {
    let requests: Vec<String> = keys.iter().map(|key| format!("SET {key} {}", value_of(key))).collect();
    assert!(cluster.client(id).ask_all(&requests).iter().all(|answer| answer == "OK"));
}
