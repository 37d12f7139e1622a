//! The cluster simulator: the real pure node, several of them, in one thread, under a seeded scheduler that does to
//! them whatever a network, a disk, a clock and an operator can do. See [`world`] and, for what must hold, [`model`].
//!
//! `scripts/simulate.sh` plays any number of further seeds.

mod disk;
mod host;
mod model;
mod network;
mod plan;
mod wiretap;
mod world;

use world::{Counters, Outcome, play, play_with_secret};

/// Seeds of every run of the tests.
const SEEDS: std::ops::Range<u64> = 0..250;
/// Seeds of runs whose nodes have a secret.
const SEEDS_WITH_SECRET: std::ops::Range<u64> = 0..60;
/// Seeds that have found mistakes which few others do.
const RARE: [u64; 13] = [
    1_010, 1_643, 9_087, 10_748, 2_009_633, 4_000_026, 4_001_504, 4_015_986, 4_018_786, 5_032_403, 7_013_005,
    7_038_182, 7_059_174,
];

/// Every kind of fault and every rare path: a list of seeds in which one never happens shows nothing about it.
const EVERYTHING: [&str; 30] = [
    "change relayed",
    "change sent",
    "clock refused",
    "clock step",
    "connection reset",
    "crash",
    "crash in the middle of a snapshot",
    "cut",
    "deletion forgotten",
    "disk failed",
    "disk put back",
    "disk wiped",
    "flush",
    "flush of one database",
    "full listing sent",
    "key expired",
    "key dropped after a full listing",
    "link refused",
    "node appended",
    "node dead for good",
    "node frozen",
    "node removed",
    "one-way cut",
    "outbox full",
    "chunk of a large value sent",
    "request of many keys",
    "slice coalesced",
    "stale connection",
    "stop",
    "write of a dead node relayed",
];

#[test]
fn what_must_hold_holds_whatever_goes_wrong() {
    let mut counters = Counters::new();
    for seed in SEEDS.chain(RARE) {
        check(seed, false, &mut counters);
    }
    for what in EVERYTHING {
        assert!(counters.get(what).is_some_and(|&count| count > 0), "{what} never happened: {counters:#?}");
    }
}

#[test]
fn in_a_healthy_mesh_each_change_crosses_each_link_at_most_once() {
    let mut counters = Counters::new();
    for seed in 0..30 {
        check(seed, true, &mut counters);
    }
    assert!(counters["change sent"] > 10_000, "{counters:?}");
    assert!(counters["request of many keys"] > 100, "{counters:?}");
}

#[test]
fn nothing_of_a_stranger_is_ever_applied_and_nothing_told_to_one_whatever_else_goes_wrong() {
    let mut counters = Counters::new();
    for seed in SEEDS_WITH_SECRET {
        check_run(seed, play_with_secret, &mut counters);
    }
    for what in [
        "handshake broken",
        "link refused",
        "man in the middle",
        "secret exchanged",
        "secret mistaken",
        "stranger answered",
        "stranger dialed",
        "stranger refused",
    ] {
        assert!(counters.get(what).is_some_and(|&count| count > 50), "{what} hardly ever happened: {counters:#?}");
    }
}

#[test]
fn the_same_seed_plays_the_same_run() {
    for seed in 0..20 {
        let [one, two] = [play(seed, false, false), play(seed, false, true)];
        assert_eq!((one.hash, one.steps), (two.hash, two.steps), "seed {seed}");
        let [one, two] = [play_with_secret(seed, false), play_with_secret(seed, true)];
        assert_eq!((one.hash, one.steps), (two.hash, two.steps), "seed {seed} with a secret");
    }
}

fn check(seed: u64, healthy: bool, counters: &mut Counters) {
    check_run(seed, |seed, tracing| play(seed, healthy, tracing), counters);
}

fn check_run(seed: u64, play: impl Fn(u64, bool) -> Outcome, counters: &mut Counters) {
    let Outcome { verdict, counters: counted, .. } = play(seed, false);
    for (what, count) in counted {
        *counters.entry(what).or_default() += count;
    }
    if let Err(why) = verdict {
        let trace = play(seed, true).trace;
        let shown = trace.len().saturating_sub(60);
        panic!("seed {seed}: {why}\n{}", trace[shown..].join("\n"));
    }
}
