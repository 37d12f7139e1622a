//! Peers that say what no peer should, and bad luck at the wrong moment.

use kvstoreapp::node::Origin;
use kvstoreapp::node::waiting::Cause;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::replication::wire::vector::VersionVector;
use kvstoreapp::replication::wire::{
    Ack, CHANGES_MAX, Cursor, Frame, GREETING, Hello, Items, Listing, Publication, Refusal, VERSION, VERSION_MIN,
    WireChange, decode,
};
use kvstoreapp::replication::{Channel, DueDial};
use kvstoreapp::store::digest::key_hash;
use kvstoreapp::store::{Database, Stamp};

use crate::pair::SECOND_US;
use crate::stranger::{INCARNATION, Stranger, ack, bodies, progress, span};

#[test]
fn a_peer_that_has_seen_stamps_of_the_far_future_is_refused_and_the_clock_stays() {
    for seen in [u64::MAX, Stranger::new(2).clock(61_000)] {
        let mut one = Stranger::new(2);
        let clock = one.node.clock_last();
        one.dial(&Hello { seen, ..one.hello(1) });
        assert!(one.node.clock_last() < clock + (1 << 16), "in a hello");
        one.node.lose_peer(1, "over", one.now);
        one.dial(&one.hello(1));
        one.say(1, &ack(&Ack { seen, ..Ack::default() }));
        assert!(one.node.clock_last() < clock + (1 << 16), "in an acknowledgement");
        assert_eq!(one.node.peers(one.now)[0].state, "waiting");
        assert_eq!(one.request("SET a b"), "OK\n");
    }
}

#[test]
fn a_peer_that_claims_to_be_past_the_end_of_the_list_is_sent_what_comes_and_costs_nothing_until_then() {
    for (direct, relay) in [(u64::MAX, u64::MAX), (1 << 40, 0), (0, 1 << 40)] {
        let mut one = Stranger::new(2);
        one.dial(&Hello { cursor: Cursor { incarnation: INCARNATION, direct, relay }, ..one.hello(1) });
        one.tick();
        one.hear(1);
        one.tick();
        assert!(one.node.deadline_us() > one.now.monotonic_us, "the loop does not rest");
        assert_eq!(one.request("SET a b"), "OK\n");
        assert_eq!(one.keys_sent(1), 1);
    }
}

#[test]
fn a_tick_is_as_long_as_one_frame_however_much_a_peer_lacks() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    for key in 0..20_000 {
        assert_eq!(one.request(&format!("SET key:{key} {:064}", key)), "OK\n");
    }
    one.hear(1);
    for _ in 0..20 {
        one.tick();
        let sent: usize = one.hear(1).iter().map(Vec::len).sum();
        assert!((1..=40 << 10).contains(&sent), "{sent} bytes in one tick");
        assert!(one.node.deadline_us() <= one.now.monotonic_us, "the next tick waits");
    }
}

#[test]
fn a_peer_that_does_not_read_does_not_keep_the_loop_awake() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    for key in 0..50_000 {
        assert_eq!(one.request(&format!("SET key:{key} {:064}", key)), "OK\n");
    }
    for _ in 0..80 {
        one.tick();
    }
    assert!((64 << 10..512 << 10).contains(&one.node.peer_bytes()), "the outbox is full");
    one.now.monotonic_us += 20_000;
    one.tick();
    assert!(one.node.deadline_us() > one.now.monotonic_us, "the loop does not rest");
    one.hear(1);
    assert!(one.node.deadline_us() <= one.now.monotonic_us, "it reads, and has to wait for more");
}

#[test]
fn messages_of_one_turn_reach_a_peer_that_reads_though_they_are_more_than_it_may_be_owed_of_changes() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    one.hear(1);
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$10000\r\n{:010000}\r\n", 7);
    assert_eq!(one.request(publish.repeat(50).trim_end_matches('\n')), ":0\r\n".repeat(50));
    let is_message = |body: &Vec<u8>| matches!(decode(body), Ok(Frame::Message(Publication { channel: b"news", .. })));
    assert_eq!(one.hear(1).iter().filter(|body| is_message(body)).count(), 50);
}

#[test]
fn more_messages_than_a_link_takes_hold_up_no_change() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    one.hear(1);
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$10000\r\n{:010000}\r\n", 7).repeat(20);
    let mut heard = Vec::new();
    for round in 0..100 {
        one.request(publish.trim_end_matches('\n'));
        one.request(&format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\n{round:03}\r"));
        one.tick();
        heard.extend(one.hear_some(1, 100_000));
    }
    assert!(one.node.peer_bytes() < 3 << 20, "{} bytes are held", one.node.peer_bytes());
    let changes = bodies(&heard).0.iter().filter(|body| matches!(decode(body), Ok(Frame::Changes(..)))).count();
    assert!(changes >= 5, "{changes} frames of changes went in {} bytes", heard.len());
}

#[test]
fn what_a_full_listing_promises_is_recorded_once_the_store_was_compared() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    let vector = one.write(1, "key", 5_000);
    list(&mut one, 1, &vector, &["key0"]);
    one.say(1, &progress(&vector, &[]));
    let mut recorded = false;
    for _ in 0..100 {
        one.now.monotonic_us += SECOND_US / 4;
        one.now.unix_ms += 250;
        let Some(checkpoint) = one.tick() else { continue };
        recorded = checkpoint.recorded.vector.includes(&vector);
        assert!(!recorded || one.node.store().keys() == 1, "{} keys are left", one.node.store().keys());
    }
    assert!(recorded);
}

#[test]
fn full_listings_of_two_peers_at_once_are_both_compared() {
    let mut one = Stranger::new(3);
    one.dial(&one.hello(1));
    one.dial(&one.hello(2));
    let (first, second) = (one.write(1, "a", 3_000), one.write(2, "b", 3_000));
    list(&mut one, 1, &first, &["a0"]);
    list(&mut one, 2, &second, &["b0"]);
    (0..100).for_each(|_| drop(one.tick()));
    assert_eq!(one.node.store().keys(), 2);
}

#[test]
fn what_is_being_written_again_is_written_again_although_a_second_peer_knows_another_life() {
    let mut one = Stranger::new(3);
    for key in 0..5_000 {
        assert_eq!(one.request(&format!("SET key:{key} value")), "OK\n");
    }
    let seen = one.node.clock_last() + 1_000;
    one.dial(&Hello { seen, ..one.hello(1) });
    one.dial(&Hello { cursor: Cursor { incarnation: 77, direct: 0, relay: 0 }, ..one.hello(2) });
    (0..100).for_each(|_| drop(one.tick()));
    let left = one.node.store().changes_after(0).filter(|change| change.stamp.clock <= seen).count();
    assert_eq!(left, 0);
}

#[test]
fn a_peer_of_an_earlier_version_is_linked_in_its_version_whoever_dials() {
    let kinds = |frames: &[Vec<u8>]| -> Vec<u8> { frames.iter().map(|body| body[0]).collect() };
    const TERMS: u8 = 9;
    const STATUS: u8 = 11;
    for version in VERSION_MIN..=VERSION {
        let mut one = Stranger::new(2);
        one.dial(&Hello { version, ..one.hello(1) });
        one.tick();
        (one.now.monotonic_us, one.now.unix_ms) = (one.now.monotonic_us + SECOND_US, one.now.unix_ms + 1_000);
        one.tick();
        let frames = one.hear(1);
        let Ok(Frame::Hello(hello)) = decode(&frames[0]) else { panic!("a hello comes first: {frames:?}") };
        assert_eq!(hello.version, version);
        assert_eq!(kinds(&frames).contains(&TERMS), version >= 4);
        assert_eq!(kinds(&frames).contains(&STATUS), version >= 5);
    }

    let mut one = Stranger::new(2);
    for (session, version) in (1..).zip((VERSION_MIN..=VERSION).rev()) {
        while one.node.next_dial(one.now).is_none() {
            one.tick();
        }
        one.node.dialing(session, 1, Channel::Plain, one.now);
        let frames = one.hear(session);
        assert!(matches!(decode(&frames[0]), Ok(Frame::Hello(hello)) if hello.version == version), "{frames:?}");
        let mut refusal = GREETING.to_vec();
        let why = format!("refused by node 1: it speaks version {version} of the replication protocol").into();
        Refusal { why, slowly: true }.encode(&mut refusal);
        one.say(session, &refusal);
        one.node.lose_peer(session, "over", one.now);
    }
}

#[test]
fn a_reason_to_hang_up_is_one_short_line() {
    let mut bytes = Vec::new();
    let why = format!("a\nkeys: 7\n\n\u{1b}[2J{}", "x".repeat(1 << 20)).into();
    Refusal { why, slowly: true }.encode(&mut bytes);
    let Ok(Frame::Refusal(Refusal { why, slowly: true })) = decode(&bytes[8..]) else { panic!("it is a refusal") };
    assert!(why.len() <= 1_000 && !why.contains(char::is_control), "{why:?}");
    let mut one = Stranger::new(2);
    one.dial(&Hello { members: vec!["10.0.0.9:1\nkeys: 7".to_owned()], ..one.hello(1) });
    assert!(!one.request("INFO").contains("\nkeys: 7"));
}

#[test]
fn a_frame_of_more_than_a_frame_holds_is_garbage() {
    let mut changes = Vec::new();
    let mut items = Vec::new();
    for at in 0..=CHANGES_MAX as u64 {
        let stamp = Stamp { clock: at + 1, node: 1 };
        WireChange { stamp, database: Database::ZERO, key: &at.to_le_bytes(), value: None, expiry: None, chunked: 0 }
            .encode(&mut changes);
    }
    assert!(decode(&progress(&VersionVector::default(), &changes)[8..]).is_err());
    (0..100_000).for_each(|at| Items::put(at, Stamp { clock: at + 1, node: 1 }, &mut items));
    let mut bytes = Vec::new();
    Listing::Items(Items::of(&items)).encode(&mut bytes);
    assert!(decode(&bytes[8..]).is_err());
    let mut vector = VersionVector::default();
    (0..100_000).for_each(|at| vector.merge(&span(1, 2 * at, 2 * at + 1)));
    assert!(decode(&progress(&vector, &[])[8..]).is_err());
    let linked = vec![1; 60_000];
    assert!(decode(&ack(&Ack { linked, ..Ack::default() })[8..]).is_err());
}

#[test]
fn a_peer_whose_changes_wait_for_the_data_file_is_not_taken_for_silent() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    for key in 0..3_000 {
        one.request(&format!("SET key:{key} {}", "x".repeat(1_000)));
    }
    // The disk takes two slices and stops; the snapshot has a fixed target from the first one on.
    for round in 0..3_000 {
        one.exchange();
        if round == 300 || round == 1_000 {
            one.save_one();
        }
        one.say(1, &ack(&Ack::default()));
    }
    for key in 0..3_000 {
        one.request(&format!("SET key:{key} {}", "y".repeat(1_000)));
    }
    let mut change = Vec::new();
    let stamp = Stamp { clock: one.clock(30_000), node: 1 };
    WireChange { stamp, database: Database::ZERO, key: b"late", value: Some(b"x"), expiry: None, chunked: 0 }
        .encode(&mut change);
    one.say(1, &progress(&VersionVector::default(), &change));
    assert_eq!(one.node.waits(1), Waits::ForGate(Cause::Snapshot), "the peer waits");
    let end_us = one.now.monotonic_us + 12 * SECOND_US;
    while one.now.monotonic_us < end_us {
        one.exchange();
    }
    assert_ne!(one.node.peers(one.now)[0].state, "waiting");
}

#[test]
fn connections_that_owe_a_hello_are_few() {
    let mut one = Stranger::new(2);
    for session in 1..=1_000 {
        if one.node.open(session, Origin::Loopback, one.now).is_ok() {
            one.say(session, b"\0KVPEER\n\xff\xff\x0f\0");
            one.say(session, &[0; 100_000]);
        }
    }
    assert!(one.node.peer_bytes() < 32 << 20, "{} bytes", one.node.peer_bytes());
}

#[test]
fn a_dial_beside_the_link_of_a_node_that_is_removed_ends_with_it() {
    let mut one = Stranger::new(3);
    while let Some(DueDial { peer, .. }) = one.node.next_dial(one.now) {
        one.node.dialing(4 + usize::from(peer), peer, Channel::Plain, one.now);
    }
    one.dial(&one.hello(2));
    let members = (0..2).map(|id| format!("10.0.0.{id}:5000")).collect();
    one.node.reload(members, one.now).expect("nothing speaks against it");
    let mut bytes = GREETING.to_vec();
    one.hello(1).encode(&mut bytes);
    one.say(6, &bytes);
    assert!(one.node.is_over(6));
}

#[test]
fn dropping_what_a_full_listing_lacks_waits_for_the_data_file_like_any_writer() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    for key in 0..10_000 {
        one.request(&format!("SET key:{key} {}", "x".repeat(1_000)));
    }
    // The disk takes two slices; the snapshot has a fixed target from the second one on.
    for _ in 0..2 {
        one.now.monotonic_us += SECOND_US / 2;
        one.exchange();
        assert_eq!(one.save_one(), None);
    }
    let all = span(0, 0, one.node.clock_last());
    list(&mut one, 1, &all, &[]);
    (0..50).for_each(|_| one.exchange());
    let (_, bytes) = one.node.store().displaced();
    assert!(bytes < 2 << 20, "{bytes} bytes wait for the data file");
    // What six slices hold is written already, and of the rest so much waits.
    assert!(one.node.store().keys() > 7_000);
}

#[test]
fn what_deletions_were_collected_under_is_recorded_with_their_rows_going() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    one.request("SET gone x");
    one.request("DELETE gone");
    one.now.monotonic_us += SECOND_US;
    one.tick();
    let gone = one.node.store().state(b"gone").expect("the deletion is remembered").stamp;
    for key in 0..4_000 {
        one.request(&format!("SET key:{key} {}", "x".repeat(1_000)));
    }
    for _ in 0..2 {
        one.now.monotonic_us += SECOND_US / 2;
        one.exchange();
        assert_eq!(one.save_one(), None);
    }
    // The target is fixed; from here on the deletion is on every disk.
    let durable_vector = span(0, 0, one.clock(60_000));
    one.say(1, &ack(&Ack { durable_vector, ..Ack::default() }));
    one.now.monotonic_us += 2 * SECOND_US;
    one.exchange();
    let recorded = (0..100).find_map(|_| {
        one.exchange();
        one.save_one()
    });
    let recorded = recorded.expect("the snapshot goes on").recorded;
    assert!(one.node.store().state(b"gone").is_none(), "it is collected");
    assert!(recorded.collected.covers(gone));
}

/// A full listing of some keys.
fn list(one: &mut Stranger, from: u16, vector: &VersionVector, keys: &[&str]) {
    let mut items = Vec::new();
    keys.iter().for_each(|key| {
        Items::put(key_hash(Database::ZERO, key.as_bytes()), Stamp { clock: 1, node: from }, &mut items)
    });
    let mut bytes = Vec::new();
    Listing::Begin(vector.clone()).encode(&mut bytes);
    Listing::Items(Items::of(&items)).encode(&mut bytes);
    Listing::End.encode(&mut bytes);
    one.say(from.into(), &bytes);
}
