//! Fuzzes the line decoder for a while: `cargo run --release --example fuzz_line -- [seconds] [seed]`.
//!
//! A failure is a panic that shows the input; the same seed shows it again. See also `scripts/fuzz.sh`.

mod checks;
#[path = "../harness/pure.rs"]
mod pure;
mod random;
mod talk;

use std::time::{Duration, Instant};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a whole number"));
    let (seconds, seed) = (arguments.next().unwrap_or(30), arguments.next().unwrap_or(1));
    println!("seed {seed}, {seconds} s");
    let end = Instant::now() + Duration::from_secs(seconds);
    let count = checks::fuzz(seed, |_| Instant::now() < end);
    println!("{count} inputs, all properties hold");
}
