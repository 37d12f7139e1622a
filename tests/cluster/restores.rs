//! A cluster of processes that is set back to yesterday.

use std::process::Command;

use crate::harness::wait_for;
use crate::nodes::Cluster;

/// Runs the program as a tool. What it says.
fn tool(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kvstoreapp")).args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn three_nodes_go_back_to_the_backup_of_one_whether_they_run_or_come_later() {
    let place = tempfile::tempdir().expect("there is a temporary directory");
    let file = place.path().join("it.db");
    let file = file.to_str().expect("it is text");
    for [restored, running, away] in [[0, 1, 2], [2, 0, 1]] {
        let mut cluster = Cluster::started(3, &["--snapshot-interval-ms=100"]);
        let keys = ["changed", "deleted", "same", "new"].map(str::to_owned);
        for key in &keys[..3] {
            assert_eq!(cluster.client(running).ask(&format!("SET {key} yesterday")), "OK");
        }
        cluster.await_identical(&keys);
        tool(&["backup", "--force", "--address", &cluster.addresses[away].to_string(), file]);
        assert_eq!(cluster.client(running).ask("SET changed today"), "OK");
        assert_eq!(cluster.client(away).ask("DELETE deleted"), "OK");
        assert_eq!(cluster.client(restored).ask("SET new today"), "OK");
        let answers = cluster.await_identical(&keys);
        assert_eq!(answers, ["today", "KEY NOT FOUND", "yesterday", "today"]);

        cluster.stop(away);
        cluster.stop(restored);
        let data = cluster.data_of(restored);
        let said = tool(&["restore", "--cluster", file, "--data-dir", data.to_str().expect("it is text")]);
        assert!(said.contains("3 keys") && said.contains(&format!("Node {restored} can be started")), "{said}");
        cluster.start(restored);
        cluster.await_answer(running, "GET deleted", "yesterday");
        cluster.start(away);
        cluster.await_links();
        for id in [restored, running, away] {
            cluster.await_answer(id, "GET new", "KEY NOT FOUND");
        }
        let answers = cluster.await_identical(&keys);
        assert_eq!(answers, ["yesterday", "yesterday", "yesterday", "KEY NOT FOUND"]);
        assert_eq!(cluster.client(running).ask("SET changed tomorrow"), "OK");
        for id in [restored, away] {
            cluster.await_answer(id, "GET changed", "tomorrow");
        }
        // Its peers take it for what it is: the node that they know, gone on.
        for id in [running, away] {
            assert_eq!(cluster.logged(id, "differ"), [""; 0]);
        }
        wait_for("all to agree", || {
            let check = ["check", "--strict", "--address", &cluster.addresses[away].to_string()];
            Command::new(env!("CARGO_BIN_EXE_kvstoreapp")).args(check).output().ok().filter(|out| out.status.success())
        });
        assert_eq!(cluster.logged(restored, "was wiped or is an old copy"), [""; 0]);
    }
}
