//! Plays seeds of the cluster simulator: `cargo run --release --example simulate -- [count] [first seed] [trace]
//! [secret]`. With 1 for the last, nodes have a secret and strangers do what they can.
//!
//! The first that breaks what must hold is shown with its plan and its trace, and ends the run with exit code 1. See
//! also `scripts/simulate.sh`.

mod disk;
mod host;
mod model;
mod network;
mod plan;
mod wiretap;
mod world;

use std::time::Instant;

use world::{Counters, Outcome, play, play_with_secret};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a whole number"));
    let (count, first) = (arguments.next().unwrap_or(1_000), arguments.next().unwrap_or(1_000));
    let lines = arguments.next().unwrap_or(150) as usize;
    let has_secret = arguments.next() == Some(1);
    let play = |seed: u64, tracing: bool| -> Outcome {
        if has_secret { play_with_secret(seed, tracing) } else { play(seed, false, tracing) }
    };
    let begun = Instant::now();
    let (mut counters, mut steps, mut hash) = (Counters::new(), 0, 0);
    let mut failed = 0;
    for seed in first..first + count {
        let outcome = play(seed, false);
        steps += outcome.steps;
        hash ^= outcome.hash.rotate_left(seed as u32 % 64);
        for (what, count) in outcome.counters {
            *counters.entry(what).or_default() += count;
        }
        if let Err(why) = outcome.verdict {
            failed += 1;
            let mut random = fastrand::Rng::with_seed(seed);
            println!("seed {seed}: {why}\n{:?}", plan::Plan::draw(&mut random));
            let trace = play(seed, true).trace;
            trace[trace.len().saturating_sub(lines)..].iter().for_each(|line| println!("{line}"));
            if lines > 0 {
                break;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{counters:#?}");
    println!(
        "{count} seeds from {first}, {failed} failed, trace hash {hash:016x}: {steps} steps in {seconds:.1} s, {:.0} a minute",
        steps as f64 / seconds * 60.0
    );
    std::process::exit(i32::from(failed > 0));
}
