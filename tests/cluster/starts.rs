//! Nodes that start one after the other.

use crate::nodes::Cluster;

#[test]
fn nodes_start_in_any_order_and_with_one_missing() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let [first, second, missing] = order;
        let mut cluster = Cluster::of_nodes(3, &["--snapshot-interval-ms=100"]);
        cluster.start(first);
        assert_eq!(cluster.client(first).ask("SET alone yes"), "OK");
        assert_eq!(cluster.client(first).ask("SET gone yes"), "OK");
        cluster.start(second);
        cluster.await_links();
        cluster.await_answer(second, "GET alone", "yes");
        assert_eq!(cluster.client(second).ask("SET pair yes"), "OK");
        cluster.await_answer(second, "GET gone", "yes");
        assert_eq!(cluster.client(second).ask("DELETE gone"), "OK");
        cluster.await_answer(first, "GET pair", "yes");
        cluster.await_answer(first, "GET gone", "KEY NOT FOUND");
        cluster.await_info(first, &format!("peer_{missing}_error"), "Connection refused (os error 111)");

        cluster.start(missing);
        assert_eq!(cluster.client(missing).ask("SET all yes"), "OK");
        cluster.await_links();
        for id in order {
            cluster.await_answer(id, "GET all", "yes");
            cluster.await_answer(id, "GET pair", "yes");
        }
        let answers = cluster.await_identical(&["alone", "pair", "all", "gone"].map(str::to_owned));
        assert_eq!(answers, ["yes", "yes", "yes", "KEY NOT FOUND"], "started in the order {order:?}");
    }
}
