//! Databases between nodes: each change arrives in its own, and nodes of versions that know one are told of no other.

use kvstoreapp::replication::wire::{Frame, Hello, Refusal, VERSION, decode};
use kvstoreapp::store::{Database, Store};

use crate::pair::{Mesh, SECOND_US};
use crate::stranger::Stranger;

/// The latest version that knows database 0 alone.
const ONE_DATABASE: u16 = 5;

fn database(number: usize) -> Database {
    Database::new(number).expect("there are 16")
}

fn value(store: &Store, number: usize, key: &str) -> Option<String> {
    let state = store.state_in(database(number), key.as_bytes())?;
    state.value.map(|value| String::from_utf8_lossy(value).into_owned())
}

fn words(said: &str) -> String {
    let words: String = said.split(' ').map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", said.split(' ').count())
}

#[test]
fn a_key_is_one_of_its_database_on_every_node_and_a_flush_takes_that_alone() {
    let mut mesh = Mesh::new(3);
    for (node, number) in [(0, 0), (1, 1), (2, 15)] {
        mesh.request(node, &format!("SELECT {number}\nSET k {number}\nSET other {node}"));
    }
    mesh.settle();
    mesh.assert_same();
    for node in 0..3 {
        let store = mesh.node(node).store();
        assert_eq!([0, 1, 15].map(|number| value(store, number, "k")), ["0", "1", "15"].map(|k| Some(k.to_owned())));
        assert_eq!((value(store, 2, "k"), store.keys(), store.keys_in(database(15))), (None, 6, 2));
    }
    let before = mesh.changes_sent(1);
    mesh.request(1, &words("FLUSHDB"));
    mesh.settle();
    mesh.assert_same();
    assert_eq!(mesh.changes_sent(1) - before, 2, "one change, once to each peer");
    for node in 0..3 {
        let keys = [0, 1, 15].map(|number| mesh.node(node).store().keys_in(database(number)));
        assert_eq!(keys, [2, 0, 2], "node {node}");
    }
    mesh.request(2, &words("MOVE k 1"));
    mesh.settle();
    mesh.assert_same();
    for node in 0..3 {
        let store = mesh.node(node).store();
        assert_eq!([1, 15].map(|number| value(store, number, "k")), [Some("15".to_owned()), None], "node {node}");
    }
}

#[test]
fn a_flush_of_all_takes_older_keys_of_databases_that_its_node_has_never_heard_of() {
    let mut mesh = Mesh::new(2);
    mesh.settle();
    mesh.cut();
    // Clocks that only count, apart from each other: so many requests are so much time.
    mesh.request(1, "SELECT 7\nSET older 1");
    (0..10).for_each(|_| mesh.request(0, "SET before 0"));
    mesh.request(0, &words("FLUSHALL"));
    (0..100).for_each(|_| mesh.request(1, "SET newer 2"));
    mesh.link();
    mesh.settle();
    mesh.assert_same();
    for node in 0..2 {
        let store = mesh.node(node).store();
        assert_eq!((value(store, 7, "older"), store.keys()), (None, 1), "node {node}");
        assert_eq!(value(store, 7, "newer").as_deref(), Some("2"), "node {node}");
    }
}

/// What a frame says of databases other than 0.
fn others_in(frames: &[Vec<u8>]) -> usize {
    let others = |frame: &Vec<u8>| match decode(frame).expect("a node says nothing that is no frame") {
        Frame::Changes(_, changes) => changes.iter().filter(|change| !change.database.is_zero()).count(),
        Frame::Ack(ack) => ack.floors.iter().filter(|(database, _)| !database.is_zero()).count(),
        Frame::Hello(hello) => hello.floors.iter().filter(|(database, _)| !database.is_zero()).count(),
        _ => 0,
    };
    frames.iter().map(others).sum()
}

/// What a peer hears until it is hung up on, and why it is.
fn refusal(one: &mut Stranger, session: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let mut heard = Vec::new();
    for _ in 0..2_000 {
        one.tick();
        heard.extend(one.hear(session));
        let why = heard.iter().find_map(|frame| match decode(frame) {
            Ok(Frame::Refusal(Refusal { why, .. })) => Some(why.into_owned()),
            _ => None,
        });
        if why.is_some() {
            return (heard, why);
        }
    }
    (heard, None)
}

#[test]
fn a_node_that_knows_database_0_alone_is_linked_until_there_is_a_key_in_another_and_never_told_of_it() {
    const WHY: &str =
        "node 1 is of a version that knows database 0 alone, and node 0 holds keys of others; upgrade node 1";
    let mut one = Stranger::new(2);
    one.dial(&Hello { version: ONE_DATABASE, ..one.hello(1) });
    one.request("SET a 1");
    one.request(&words("FLUSHALL"));
    one.request("SET b 2");
    let (heard, why) = refusal(&mut one, 1);
    assert_eq!((why, others_in(&heard)), (None, 0));
    assert_eq!(one.node.peers(one.now)[0].state, "linked");

    one.request("SELECT 3\nSET c 3");
    let (heard, why) = refusal(&mut one, 1);
    assert_eq!((why.as_deref(), others_in(&heard)), (Some(&*format!("refused by node 0: {WHY}")), 0));
    assert_eq!(one.node.peers(one.now)[0].error.as_deref(), Some(WHY));
    one.node.lose_peer(1, "over", one.now);

    one.dial(&Hello { version: ONE_DATABASE, ..one.hello(1) });
    let (heard, why) = refusal(&mut one, 1);
    assert_eq!((why.as_deref(), others_in(&heard)), (Some(&*format!("refused by node 0: {WHY}")), 0));
    one.node.lose_peer(1, "over", one.now);

    // What was deleted there is still to be told.
    one.request("DELETE c");
    one.dial(&Hello { version: ONE_DATABASE, ..one.hello(1) });
    assert!(refusal(&mut one, 1).1.is_some());
    one.node.lose_peer(1, "over", one.now);
    one.dial(&Hello { version: VERSION, ..one.hello(1) });
    let (heard, why) = refusal(&mut one, 1);
    assert_eq!(why, None);
    assert!(others_in(&heard) > 0);
    assert_eq!(one.node.peers(one.now)[0].state, "linked");
}

#[test]
fn nodes_that_were_cut_off_and_flushed_agree_about_all_databases() {
    let mut mesh = Mesh::new(3);
    for round in 0..20 {
        for node in 0..3 {
            let number = (node + round) % 4 * 5;
            mesh.request(node, &format!("SELECT {number}\nSET k{} {round}\nDELETE k{}", round % 7, (round + 3) % 7));
        }
        if round % 5 == 0 {
            mesh.cut();
            mesh.request(round % 3, &words("FLUSHDB"));
            mesh.pass(SECOND_US);
            mesh.link();
        }
    }
    mesh.settle();
    mesh.assert_same();
    let keys = mesh.node(0).store().keys();
    assert!(keys > 5, "{keys}");
}
