//! The worth of the simulator: mistakes injected into replication and store, one at a time, each with a seed that finds
//! it; and, where random runs hardly come across what a mistake needs, with a story that does.
//!
//! `cargo test --features fault-injection --test fault_injection`. `KVSTOREAPP_SEARCH=<count>` searches that many seeds
//! for each
//! whose seed does not find it any more.

#[path = "../conversations/access.rs"]
mod access;
mod disk;
mod host;
#[path = "../replication/losses.rs"]
mod losses;
mod model;
mod network;
#[path = "../replication/pair.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod pair;
mod plan;
#[path = "../replication/proofs.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod proofs;
#[path = "../harness/pure.rs"]
mod pure;
#[path = "../replication/stranger.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod stranger;
mod wiretap;
mod world;

use kvstoreapp::fault_injection::inject;
use world::{Outcome, play, play_with_secret};

/// Mistakes, and a seed that finds each.
const INJECTED: [(&str, u64); 24] = [
    ("an older write wins", 0),
    ("wrong tie-break", 0),
    ("deletion not remembered", 0),
    ("digest keeps what is gone", 0),
    ("clock not restored", 7),
    ("clock ignores what it sees", 0),
    ("acknowledged as durable before it is", 22),
    ("deletion forgotten before all have it", 22),
    ("own gap not stated", 5),
    ("cursor saved before its data", 7),
    ("positions of a forgotten incarnation believed", 329),
    ("relay never started", 5),
    ("held writes counted as sent", 3),
    ("listing never sent", 75),
    ("vector advanced too far", 3),
    ("listing drops what it does not cover", 597),
    ("flush sent by its author alone", 63),
    ("older write taken in after a flush", 20),
    ("author believed to have all its writes", 49),
    ("expiry not sent", 1),
    ("expired key not remembered", 1),
    ("deletion of an expired key outbids later writes", 1),
    ("change applied in another database", 6),
    ("flush of one database takes the keys of another", 10),
];

/// Mistakes, and a seed of runs with a secret that finds each.
const INJECTED_BESIDE_A_SECRET: [(&str, u64); 4] =
    [("proof not checked", 0), ("exporter left out", 0), ("role left out", 6), ("downgrade dialed", 2)];

type Story = fn() -> losses::Verdict;

/// Mistakes, and a story that finds each.
const TOLD: [(&str, Story); 14] = [
    ("a comparison of passwords stops at the first byte that differs", access::passwords_are_compared_whole),
    ("RESET does not end an authentication", access::reset_ends_an_authentication),
    ("EXEC does not ask again what a user may do", access::exec_asks_again),
    ("overwriting change not piggybacked", || losses::overwritten_while_it_waits(0)),
    ("overwriting change not piggybacked", || losses::overwritten_while_it_waits(1)),
    ("overwriting change not piggybacked where a link begins", || losses::overwritten_while_away(0)),
    ("overwriting change not piggybacked where a link begins", || losses::overwritten_while_away(1)),
    ("change that is newer than a late one not piggybacked", losses::come_late),
    ("own writes keep their stamps after a rollback", losses::written_under_lost_stamps),
    ("proof not checked", proofs::guessed),
    ("exporter left out", proofs::passed_on),
    ("role left out", proofs::reflected),
    ("nodes left out", proofs::readdressed),
    ("downgrade dialed", proofs::downgraded),
];

#[test]
fn every_mistake_that_random_runs_hardly_find_is_found_by_its_story() {
    for (name, story) in TOLD {
        inject(Some(name));
        let verdict = story();
        println!("{name}: {verdict:?}");
        assert!(verdict.is_err(), "its story does not find the mistake: {name}");
        inject(None);
        assert_eq!(story(), Ok(()), "{name}");
    }
}

#[test]
fn every_mistake_that_lets_strangers_in_is_found() {
    find(&INJECTED_BESIDE_A_SECRET, play_with_secret);
}

#[test]
fn every_injected_mistake_is_found() {
    find(&INJECTED, |seed, tracing| play(seed, false, tracing));
}

fn find(injected: &[(&'static str, u64)], play: impl Fn(u64, bool) -> Outcome) {
    let search: Option<u64> = std::env::var("KVSTOREAPP_SEARCH").ok().map(|count| count.parse().expect("a number"));
    for &(name, seed) in injected {
        inject(Some(name));
        if let Some(count) = search {
            let found = std::iter::once(seed)
                .chain(0..count)
                .map(|seed| (seed, play(seed, false)))
                .find(|(_, run)| run.verdict.is_err());
            let why = found.as_ref().and_then(|(_, run)| run.verdict.clone().err()).unwrap_or_default();
            println!("{name:?}: {:?} {}", found.map(|(seed, _)| seed), why.lines().next().unwrap_or_default());
            continue;
        }
        let verdict = play(seed, false).verdict;
        assert!(verdict.is_err(), "seed {seed} does not find the mistake: {name}");
        inject(None);
        let Outcome { verdict, counters, steps, hash, trace } = play(seed, true);
        let run = format!("{steps} steps, hash {hash:x}, {counters:?}\n{}", trace.join("\n"));
        assert_eq!(verdict, Ok(()), "seed {seed} finds something where nothing is injected: {run}");
    }
}
