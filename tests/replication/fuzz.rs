//! Arbitrary bytes for a live link, before and after the handshake: no panic, bounded memory, and no key is touched.

use kvstoreapp::node::Origin;
use kvstoreapp::replication::wire::{Ack, Frame, Hello, Items, Listing, Refusal, WireChange, decode};
use kvstoreapp::store::{Database, NodeId, Stamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::stranger::{Stranger, ack, progress, span};

const CASES: u32 = 600;
const KEYS: usize = 20;
/// What two peers that send some 300 KiB may cost.
const PEER_BYTES_MAX: usize = 8 << 20;
const PEER: usize = 1;

#[derive(Clone, Debug)]
enum Said {
    /// As they are.
    Bytes(Vec<u8>),
    /// As the body of a frame of this kind, with length and checksum.
    Body(u8, Vec<u8>),
    /// A frame as an honest peer might send it.
    Honest(usize),
    /// The same, with some bytes of its body replaced, and cut; length and checksum fit again.
    Bent(usize, Vec<(usize, u8)>, usize),
    /// Time passes.
    Ticks(usize),
}

#[test]
fn whatever_a_peer_says_the_node_lives_and_its_keys_stay() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, random);
    let talks = (any::<bool>(), vec(said(), 1..12));
    runner.run(&talks, |(linked, talk)| play(linked, talk)).unwrap_or_else(|failure| panic!("{failure}"));
}

fn said() -> impl Strategy<Value = Said> {
    let bytes = || prop_oneof![vec(any::<u8>(), 0..200), vec(prop_oneof![Just(0), Just(0xff), Just(1)], 0..200)];
    let bent = vec((any::<usize>(), prop_oneof![Just(0), Just(0xff), Just(1), any::<u8>()]), 1..9);
    prop_oneof![
        1 => bytes().prop_map(Said::Bytes),
        3 => (0..12_u8, bytes()).prop_map(|(kind, rest)| Said::Body(kind, rest)),
        4 => any::<usize>().prop_map(Said::Honest),
        6 => (any::<usize>(), bent, prop_oneof![Just(usize::MAX), any::<usize>()])
            .prop_map(|(which, bent, cut)| Said::Bent(which, bent, cut)),
        2 => (1..8_usize).prop_map(Said::Ticks),
    ]
}

fn play(linked: bool, talk: Vec<Said>) -> Result<(), TestCaseError> {
    let mut one = Stranger::new(3);
    for key in 0..KEYS {
        one.request(&format!("SET key:{key} value"));
    }
    let honest = honest(&one, PEER as NodeId);
    one.node.open(PEER, Origin::Loopback, one.now).expect("there is room");
    one.say(PEER, kvstoreapp::replication::wire::GREETING);
    let mut bodies = if linked { vec![honest[0].clone()] } else { Vec::new() };
    let mut is_touched = false;
    for said in talk {
        match said {
            Said::Bytes(bytes) => one.say(PEER, &bytes),
            Said::Ticks(count) => (0..count).for_each(|_| drop(one.tick())),
            Said::Body(kind, rest) => bodies.push([&[kind][..], &rest].concat()),
            Said::Honest(which) => bodies.push(honest[which % honest.len()].clone()),
            Said::Bent(which, bent, cut) => {
                let mut body = honest[which % honest.len()].clone();
                for (at, byte) in bent {
                    let at = at % body.len();
                    body[at] = byte;
                }
                body.truncate(cut.max(1).min(if cut == usize::MAX { cut } else { cut % body.len() + 1 }));
                bodies.push(body);
            }
        }
        for body in bodies.drain(..) {
            // These change keys by right.
            is_touched |= matches!(decode(&body), Ok(Frame::Changes(_, changes)) if !changes.is_empty());
            is_touched |= matches!(decode(&body), Ok(Frame::Listing(..)));
            one.say(PEER, &framed(&body));
        }
        one.tick();
        prop_assert!(one.node.peer_bytes() < PEER_BYTES_MAX, "{} bytes", one.node.peer_bytes());
    }
    (0..5).for_each(|_| drop(one.tick()));
    prop_assert_eq!(one.request("SET key:x value"), "OK\n");
    for key in (0..KEYS).filter(|_| !is_touched) {
        prop_assert_eq!(one.request(&format!("GET key:{key}")), "value\n");
    }
    Ok(())
}

/// The bodies of frames that an honest peer might send, the hello first.
fn honest(one: &Stranger, from: NodeId) -> Vec<Vec<u8>> {
    let clock = one.clock(0);
    let vector = span(from, clock, clock + 9);
    let mut change = Vec::new();
    let stamp = Stamp { clock: clock + 9, node: from };
    WireChange { stamp, database: Database::ZERO, key: b"peer", value: Some(b"value"), expiry: None, chunked: 0 }
        .encode(&mut change);
    let mut item = Vec::new();
    Items::put(7, stamp, &mut item);
    let mut hello = Vec::new();
    Hello { vector: vector.clone(), linked: vec![2], members: vec!["10.0.0.0:5000".to_owned()], ..one.hello(from) }
        .encode(&mut hello);
    let said = Ack { vector: vector.clone(), durable_vector: vector.clone(), linked: vec![0, 2], ..Ack::default() };
    let mut frames = vec![hello, ack(&said), progress(&vector, &change), progress(&vector, &[])];
    for listing in [Listing::Begin(vector), Listing::Items(Items::of(&item)), Listing::End] {
        let mut bytes = Vec::new();
        listing.encode(&mut bytes);
        frames.push(bytes);
    }
    let mut refusal = Vec::new();
    Refusal { why: "because".into(), slowly: false }.encode(&mut refusal);
    frames.push(refusal);
    frames.into_iter().map(|frame| frame[8..].to_vec()).collect()
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    [&length[..], &crc32fast::hash(body).to_le_bytes(), body].concat()
}
