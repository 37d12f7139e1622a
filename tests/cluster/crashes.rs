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
