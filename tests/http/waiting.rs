//! Requests that have to wait, and what comes of them.

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Options, Origin};
use kvstoreapp::replica::{Durability, Outcome, Save, Saved};

use crate::answers::{Answer, ask, by_words, parse, place, place_with, request};
use crate::pure::{NOW, hand_over, options, read, save, say, take_turns};

const OCTETS: &str = "Content-Type: application/octet-stream\r\n";

fn put(value: &[u8]) -> Vec<u8> {
    request("PUT /v1/keys/a", OCTETS, value)
}

fn answers(node: &mut Node) -> Vec<Answer> {
    parse(&read(node, 0), &[])
}

#[test]
fn a_write_is_answered_when_it_is_on_disk() {
    let mut node = place_with(Options { durability: Durability::Commit, ..options() });
    node.receive(0, &[put(b"1"), request("GET /v1/keys/a", "", b"")].concat(), NOW);
    assert_eq!(answers(&mut node), [], "it is not on disk");
    while save(&mut node, NOW) {}
    let told = answers(&mut node);
    assert_eq!((told.len(), told[0].status, told[1].text()), (2, 201, "1".to_owned()));
}

#[test]
fn a_write_whose_disk_fails_is_told_so_in_its_place() {
    let mut node = place_with(Options { durability: Durability::Commit, ..options() });
    node.receive(0, &[put(b"1"), request("GET /livez", "", b"")].concat(), NOW);
    for Save { snapshot, batch, .. } in hand_over(&mut node, NOW) {
        node.saved(
            Saved { snapshot, batch, outcome: Outcome::Failed("the disk is full".to_owned()), is_merged: true },
            NOW,
        );
    }
    let told = answers(&mut node);
    assert_eq!(told.iter().map(|answer| answer.status).collect::<Vec<_>>(), [503, 200]);
    assert!(told[0].text().contains("not known to be on disk"), "{}", told[0].text());
}

#[test]
fn a_request_that_is_paused_is_done_afterwards_with_its_body() {
    for size in [10, 100_000] {
        let mut node = place();
        let value = vec![b'v'; size];
        by_words(&mut node, "CLIENT PAUSE 60000 WRITE");
        for piece in put(&value).chunks(10_000) {
            node.receive(0, piece, NOW);
        }
        assert!(matches!(node.waits(0), Waits::ForGate(_)), "{:?}", node.waits(0));
        node.open(1, Origin::Loopback, NOW).expect("there is room");
        assert_eq!(ask(&mut node, 1, "GET /v1/keys/a", "", b"").status, 404, "readers go on");
        by_words(&mut node, "CLIENT UNPAUSE");
        hand_over(&mut node, NOW);
        while take_turns(&mut node) > 0 {}
        assert_eq!(answers(&mut node)[0].status, 201);
        assert_eq!(node.store().get(b"a"), Some(&value[..]));
    }
}

#[test]
fn a_write_without_room_is_refused() {
    let mut node = place_with(Options { memory_bytes_max: 1_000, ..options() });
    let told = parse(&say(&mut node, 0, &put(&[b'v'; 2_000])), &[]);
    assert_eq!(told[0].status, 507, "{}", told[0].text());
    assert_eq!(ask(&mut node, 0, "GET /v1/keys/a", "", b"").status, 404);
    let mut node = place_with(Options { value_bytes_max: 1_000, ..options() });
    assert_eq!(parse(&say(&mut node, 0, &put(&[b'v'; 1_001])), &[])[0].status, 413);
    assert_eq!(parse(&say(&mut node, 0, &put(&[b'v'; 1_000])), &[])[0].status, 201);
}

#[test]
fn what_a_stranger_sends_is_not_kept() {
    let password = Some(kvstoreapp::auth::Password::of(b"secret"));
    let mut node = place_with(Options { password, ..options() });
    let said = put(&[b'v'; 900_000]);
    let before = node.session_bytes();
    let mut told = Vec::new();
    for piece in said.chunks(16 << 10) {
        told.extend(say(&mut node, 0, piece));
        assert!(node.session_bytes() - before < 64 << 10, "{}", node.session_bytes());
    }
    let told = parse(&told, &[]);
    assert_eq!((told.len(), told[0].status), (1, 401));
    assert_eq!(ask(&mut node, 0, "GET /livez", "", b"").status, 200, "the connection goes on");
}
