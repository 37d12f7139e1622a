//! What must hold for all inputs: modules in their order, the store against a simple model, the change list against
//! "sort by last change", malformed lines, and what an operation costs in allocations.
//!
//! Every run checks the same cases. `PROPTEST_CASES` sets how many of the generated ones there are and
//! `KVSTOREAPP_PROPERTY_SEED` begins them elsewhere.

mod allocations;
mod architecture;
mod change_list;
#[path = "../fuzz/checks.rs"]
mod checks;
mod circles;
mod containers;
mod counters;
mod dashboards;
mod events;
mod exposition;
mod large_values;
mod life;
mod malformed;
#[path = "../harness/pure.rs"]
mod pure;
#[path = "../fuzz/random.rs"]
mod random;
mod rules;
#[path = "../harness/scrape.rs"]
mod scrape;
mod scripts;
mod statistics;
mod store_model;
#[path = "../fuzz/talk.rs"]
mod talk;
mod values;

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRng, TestRunner};

/// Checks the property for generated inputs and shows the smallest that breaks it.
fn for_all<S: Strategy<Value: Debug>>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u32>().expect("a whole number"));
    let config = Config {
        cases: number("PROPTEST_CASES").unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number("KVSTOREAPP_PROPERTY_SEED").unwrap_or(0).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::from_seed(config.rng_algorithm, &seed));
    let result = runner.run(&strategy, |value| {
        property(value);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn ten_thousand_spoiled_lines_break_no_property_of_the_decoder() {
    checks::fuzz(1, |count| count < 10_000);
}
