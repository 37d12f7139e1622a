//! What Redis commands on one node do on the others.

use crate::harness::{Client, wait_for};
use crate::nodes::Cluster;

fn array(request: &str) -> String {
    let words: Vec<&str> = request.split(' ').collect();
    let bulks: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{bulks}", words.len())
}

/// The reply's first line, or the text of a bulk string.
fn ask(client: &mut Client, request: &str) -> String {
    client.send(array(request));
    let line = client.line();
    match line.strip_prefix('$') {
        Some("-1\r") | None => line.trim_end().to_owned(),
        Some(_) => client.line().trim_end().to_owned(),
    }
}

fn await_answer(client: &mut Client, request: &str, answer: &str) {
    wait_for(request, || (ask(client, request) == answer).then_some(()));
}

#[test]
fn a_message_reaches_the_listeners_of_all_nodes() {
    let cluster = Cluster::started(3, &[]);
    let mut listeners: Vec<Client> = cluster.addresses.iter().map(|&address| Client::connect(address)).collect();
    for listener in &mut listeners {
        listener.send(array("SUBSCRIBE news"));
        (0..6).for_each(|_| drop(listener.line()));
    }
    let mut client = Client::connect(cluster.addresses[1]);
    assert_eq!(ask(&mut client, "PUBLISH news hello"), ":1", "one listens on this node");
    for listener in &mut listeners {
        let lines: Vec<String> = (0..7).map(|_| listener.line().trim_end().to_owned()).collect();
        assert_eq!(lines, ["*3", "$7", "message", "$4", "news", "$5", "hello"]);
    }
}

#[test]
fn a_flush_an_expiry_and_a_transaction_are_seen_on_the_other_node() {
    let cluster = Cluster::started(2, &[]);
    let mut one = Client::connect(cluster.addresses[0]);
    let mut other = Client::connect(cluster.addresses[1]);
    (0..100).for_each(|key| assert_eq!(ask(&mut one, &format!("SET key{key} old")), "+OK"));
    await_answer(&mut other, "DBSIZE", ":100");
    assert_eq!(ask(&mut one, "FLUSHALL"), "+OK");
    assert_eq!(ask(&mut one, "DBSIZE"), ":0");
    await_answer(&mut other, "GET key99", "$-1");
    await_answer(&mut other, "DBSIZE", ":0");

    assert_eq!(ask(&mut one, "SET brief here PX 3600000"), "+OK");
    await_answer(&mut other, "EXISTS brief", ":1");
    assert_eq!(ask(&mut one, "PEXPIRE brief 300"), ":1");
    await_answer(&mut other, "EXISTS brief", ":0");
    assert_eq!(ask(&mut one, "EXISTS brief"), ":0");

    for request in ["MULTI", "SET a 1", "INCR a", "SET b 2", "EXEC"] {
        ask(&mut one, request);
    }
    (0..3).for_each(|_| drop(one.line()));
    await_answer(&mut other, "GET b", "2");
    assert_eq!(ask(&mut other, "GET a"), "2", "what belongs together comes together");
}
