//! Peers that say what no peer should, and bad luck at the wrong moment.

use kvstoreapp::replication::frame::{Ack, Cursor, Hello};

use crate::stranger::{LIFE, Stranger, ack};

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
        one.dial(&Hello { cursor: Cursor { life: LIFE, direct, relay }, ..one.hello(1) });
        one.tick();
        one.hear(1);
        one.tick();
        assert!(one.node.deadline_us() > one.now.monotonic_us, "the loop does not rest");
        assert_eq!(one.request("SET a b"), "OK\n");
        assert_eq!(one.keys_sent(1), 1);
    }
}

#[test]
fn a_peer_that_does_not_read_does_not_keep_the_loop_awake() {
    let mut one = Stranger::new(2);
    one.dial(&one.hello(1));
    for key in 0..50_000 {
        assert_eq!(one.request(&format!("SET key:{key} {:064}", key)), "OK\n");
    }
    for _ in 0..20 {
        one.tick();
    }
    assert!(one.node.peer_bytes() > 1 << 20, "the outbox is full");
    one.now.monotonic_us += 20_000;
    one.tick();
    assert!(one.node.deadline_us() > one.now.monotonic_us, "the loop does not rest");
}
