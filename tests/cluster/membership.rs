//! Config files that change while the nodes run: SIGHUP, and nodes that look themselves.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::harness::wait_for;
use crate::nodes::Cluster;
use crate::sharing::free_addresses;

const FLAGS: &[&str] = &["--snapshot-interval-ms=100"];

#[test]
fn a_node_appended_to_the_config_file_is_linked_without_a_restart() {
    let mut cluster = Cluster::of_nodes(3, FLAGS);
    let members = cluster.members();
    for id in [0, 1] {
        cluster.configure(id, &members[..2]);
        cluster.start(id);
    }
    cluster.await_links();
    let mut clients = [0, 1].map(|id| cluster.client(id));
    assert_eq!(clients[0].ask("SET zero yes"), "OK");
    assert_eq!(clients[1].ask("SET one yes"), "OK");
    cluster.start(2);
    assert_eq!(cluster.client(2).ask("SET two yes"), "OK");
    for peer in [0, 1] {
        cluster.await_reason(
            2,
            peer,
            &format!("refused by node {peer}: node 2 is not in the config file of node {peer}"),
        );
        assert_eq!(clients[peer].ask("GET two"), "KEY NOT FOUND");
        assert_eq!(clients[peer].info("nodes"), "2");
    }
    for id in [0, 1] {
        cluster.configure(id, &members);
        cluster.signal(id, Signal::HUP);
        cluster.await_log(id, "the config file was read again: 3 nodes");
    }
    cluster.await_links();
    let answers = cluster.await_identical(&["zero", "one", "two"].map(str::to_owned));
    assert_eq!(answers, ["yes"; 3]);
    // These connections are older than the change.
    clients.iter_mut().for_each(|client| assert_eq!(client.ask("GET two"), "yes"));
}

#[test]
fn nodes_that_look_at_the_config_file_grow_without_a_signal() {
    let mut cluster = Cluster::of_nodes(2, &["--snapshot-interval-ms=100", "--watch-config", "--watch-config-ms=20"]);
    let members = cluster.members();
    // As Kubernetes keeps a ConfigMap: a link to a file in a directory, itself a link that is exchanged.
    let file = cluster.config_file(0);
    let directory = file.parent().expect("it lies in one").to_owned();
    let exchange = |revision: &str, from: PathBuf| {
        fs::create_dir(directory.join(revision)).expect("it is writable");
        fs::copy(from, directory.join(revision).join("nodes")).expect("it is writable");
        symlink(revision, directory.join("next")).expect("it is writable");
        fs::rename(directory.join("next"), directory.join("..data")).expect("it is writable");
    };
    cluster.configure(1, &members[..1]);
    exchange("one", cluster.config_file(1));
    fs::remove_file(&file).expect("it is there");
    symlink("..data/nodes", &file).expect("it is writable");
    cluster.start(0);
    assert_eq!(cluster.client(0).ask("SET color blue"), "OK");

    let put = |text: &str| {
        fs::write(directory.join("new"), text).expect("it is writable");
        fs::rename(directory.join("new"), directory.join("one/nodes")).expect("it is writable");
    };
    put("[");
    cluster.await_log(0, "the cluster stays as it is: the config file node_config.json is not an array");
    put(r#"[{ "ip": "", "port": 5000 }]"#);
    cluster.await_log(0, "the cluster stays as it is: node 0 in node_config.json has no address");
    assert_eq!(cluster.client(0).info("nodes"), "1");

    cluster.configure(1, &members);
    exchange("two", cluster.config_file(1));
    cluster.await_log(0, "the config file was read again: 2 nodes");
    cluster.start(1);
    cluster.await_links();
    assert_eq!(cluster.await_identical(&["color".to_owned()]), ["blue"]);
    // Each was told once, however often it was looked at.
    for told in ["is not an array", "has no address", "was read again"] {
        assert_eq!(cluster.logged(0, told).len(), 1, "{told}");
    }
    assert_eq!(cluster.logged(1, "was read again"), Vec::<String>::new());
}

#[test]
fn a_node_that_began_without_a_config_file_links_to_those_of_one_that_appears() {
    let mut cluster = Cluster::of_nodes(2, FLAGS);
    let [own, _] = cluster.addresses[..] else { panic!("there are two") };
    let members = [Some(SocketAddr::from(([127, 0, 0, 1], 5000))), cluster.members()[1]];
    fs::remove_file(cluster.config_file(0)).expect("it is there");
    cluster.start_with(0, &[&format!("--bind={own}")]);
    let mut client = cluster.client(0);
    for request in ["SET gone yes", "DELETE gone", "SET alone yes"] {
        assert_eq!(client.ask(request), "OK");
    }
    cluster.await_info(0, "tombstones", "0");

    cluster.configure(0, &[None, members[1]]);
    cluster.signal(0, Signal::HUP);
    cluster.await_log(0, "nothing was changed: this node, 0, is not in it");
    (0..2).for_each(|id| cluster.configure(id, &members));
    cluster.signal(0, Signal::HUP);
    cluster.await_log(0, "the config file was read again: 2 nodes");
    cluster.start(1);
    cluster.await_links();
    let answers = cluster.await_identical(&["alone", "gone"].map(str::to_owned));
    assert_eq!(answers, ["yes", "KEY NOT FOUND"]);
    // The new node's disk was never away.
    (0..2).for_each(|id| assert_eq!(cluster.logged(id, "may hold what was deleted"), Vec::<String>::new()));
}

#[test]
fn a_removed_node_holds_back_no_deletion_and_is_not_linked_again() {
    const KEYS: usize = 500;
    let mut cluster = Cluster::started(3, FLAGS);
    let writes: Vec<String> = (0..KEYS).map(|number| format!("SET key{number} x")).collect();
    assert!(cluster.client(0).ask_all(&writes).iter().all(|answer| answer == "OK"));
    (0..3).for_each(|id| cluster.await_info(id, "keys", &KEYS.to_string()));
    cluster.kill(2);
    let deletions: Vec<String> = (0..KEYS).map(|number| format!("DELETE key{number}")).collect();
    assert!(cluster.client(0).ask_all(&deletions).iter().all(|answer| answer == "OK"));
    // The other has them all on disk, and so has this one; only the third keeps them from being forgotten.
    for (id, peer) in [(0, 1), (1, 0)] {
        cluster.await_agreement();
        cluster.await_info(id, &format!("peer_{peer}_lag_changes_durable"), "0");
        let snapshots: u64 = cluster.info(id, "snapshots").parse().expect("a count");
        assert_eq!(cluster.client(id).ask(&format!("SET later{id} yes")), "OK");
        wait_for("another snapshot", || {
            (cluster.info(id, "snapshots").parse::<u64>().expect("a count") > snapshots).then_some(())
        });
        assert_eq!(cluster.info(id, "tombstones"), KEYS.to_string());
    }

    let members = [&cluster.members()[..2], &[None]].concat();
    for id in [0, 1] {
        cluster.configure(id, &members);
        cluster.signal(id, Signal::HUP);
        cluster.await_log(id, "node 2 was removed from the cluster");
    }
    for id in [0, 1] {
        cluster.await_info(id, "tombstones", "0");
        assert_eq!(cluster.info(id, "nodes"), "2");
    }
    let answers = cluster.await_identical(&["key0", "later0", "later1"].map(str::to_owned));
    assert_eq!(answers, ["KEY NOT FOUND", "yes", "yes"]);

    // It still has what the others have deleted and forgotten.
    cluster.start(2);
    cluster.await_reason(2, 0, "refused by node 0: node 2 is not in the config file of node 0");
    cluster.await_log(0, "refused a link: node 2 is not in the config file of node 0");
    [0, 1].iter().for_each(|&id| assert_eq!(cluster.client(id).ask("GET key0"), "KEY NOT FOUND"));
}

#[test]
fn a_change_of_an_id_in_use_is_refused_and_the_cluster_goes_on() {
    let cluster = Cluster::started(3, FLAGS);
    let mut members = cluster.members();
    let other = free_addresses(1);
    members[1] = Some(other.all[0]);
    cluster.configure(0, &members);
    cluster.signal(0, Signal::HUP);
    let [_, old, _] = cluster.addresses[..] else { panic!("there are three") };
    let new = members[1].expect("it was just set");
    let reason = format!("node 1 would change from {old} to {new}, but an id in use keeps its address");
    cluster.await_log(0, &format!("the config file was read again, and nothing was changed: {reason}"));

    cluster.configure(0, &[None, Some(old)]);
    cluster.signal(0, Signal::HUP);
    cluster.await_log(0, "nothing was changed: this node, 0, is not in it");

    fs::write(cluster.config_file(0), "[{ \"ip\": ").expect("it is writable");
    cluster.signal(0, Signal::HUP);
    cluster.await_log(0, "the cluster stays as it is: the config file node_config.json is not an array");

    assert_eq!(cluster.client(0).ask("SET zero yes"), "OK");
    assert_eq!(cluster.client(1).ask("SET one yes"), "OK");
    let answers = cluster.await_identical(&["zero", "one"].map(str::to_owned));
    assert_eq!(answers, ["yes", "yes"]);
    cluster.await_links();
}
