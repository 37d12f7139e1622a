//! What one client does to others: on its node, and on the other one.

use crate::harness::wait_for;
use crate::nodes::Cluster;
use crate::reply::{Resp, words};

fn asked(client: &mut Resp, request: &str) -> String {
    String::from_utf8(client.ask(&words(request))).expect("it is text")
}

fn heard(client: &mut Resp) -> String {
    String::from_utf8(client.reply()).expect("it is text")
}

#[test]
fn another_client_ends_a_wait_for_peers() {
    let mut cluster = Cluster::started(2, &[]);
    cluster.kill(1);
    let [mut waiter, mut other] = [(); 2].map(|()| Resp::connect(cluster.listens_at(0)));
    let id = asked(&mut waiter, "CLIENT ID").trim_matches([':', '\r', '\n']).to_owned();
    assert_eq!(asked(&mut waiter, "SET color blue"), "+OK\r\n");
    assert_eq!(asked(&mut other, &format!("CLIENT UNBLOCK {id}")), ":0\r\n", "it does not wait");
    for (reason, answer) in
        [("", ":0\r\n"), ("TIMEOUT", ":0\r\n"), ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")]
    {
        // The other node is gone: nothing else ends the wait.
        waiter.send(&words("WAIT 1 0"));
        waiter.send(&words("GET color"));
        wait_for("the wait to be ended", || {
            (asked(&mut other, &format!("CLIENT UNBLOCK {id} {reason}")) == ":1\r\n").then_some(())
        });
        assert_eq!(heard(&mut waiter), answer);
        assert_eq!(heard(&mut waiter), "$4\r\nblue\r\n");
    }
}

#[test]
fn a_shard_message_reaches_the_listeners_of_its_shard_channel_on_every_node_and_nobody_else() {
    let cluster = Cluster::started(2, &[]);
    let [mut teller, mut here] = [(); 2].map(|()| Resp::connect(cluster.listens_at(0)));
    let [mut there, mut of_channels] = [(); 2].map(|()| Resp::connect(cluster.listens_at(1)));
    for listener in [&mut here, &mut there] {
        assert_eq!(asked(listener, "SSUBSCRIBE news"), "*3\r\n$10\r\nssubscribe\r\n$4\r\nnews\r\n:1\r\n");
    }
    assert_eq!(asked(&mut of_channels, "SUBSCRIBE news"), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    assert_eq!(asked(&mut of_channels, "PSUBSCRIBE n*"), "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:2\r\n");
    assert_eq!(asked(&mut teller, "SPUBLISH news first"), ":1\r\n", "one listens on the teller's node");
    assert_eq!(asked(&mut teller, "PUBLISH news second"), ":0\r\n");
    for listener in [&mut here, &mut there] {
        assert_eq!(heard(listener), "*3\r\n$8\r\nsmessage\r\n$4\r\nnews\r\n$5\r\nfirst\r\n");
    }
    // Messages keep their order, so that the first would have come before the second.
    assert_eq!(heard(&mut of_channels), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\nsecond\r\n");
    assert_eq!(heard(&mut of_channels), "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$6\r\nsecond\r\n");
    assert_eq!(asked(&mut teller, "SPUBLISH news third"), ":1\r\n");
    for listener in [&mut here, &mut there] {
        assert_eq!(heard(listener), "*3\r\n$8\r\nsmessage\r\n$4\r\nnews\r\n$5\r\nthird\r\n");
    }
}
