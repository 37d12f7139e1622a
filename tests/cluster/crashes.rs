//! Processes that are killed, and disks that are wiped.

use crate::load::Load;
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
