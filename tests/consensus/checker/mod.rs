//! Whether a history is *linearizable*: whether its calls can be put in one order, each at a moment between its
//! invocation and its return, in which every answer is the one that a single copy of the data would have given.
//!
//! The search is Wing and Gong's (1993): of the calls that may come next, those that were invoked before any that is
//! left has returned, try each whose answer fits, and go back where none does. Lowe ("Testing for Linearizability",
//! 2017) remembers every pair of calls made and state that has led nowhere, so that it is never searched twice;
//! Horn and Kroening (2015), and porcupine after them, check each part of the keys by itself, as a history is
//! linearizable exactly if it is so for each object. Here an object is a key, or all those that one call or a chain
//! of calls ties together.
//!
//! A call whose outcome is unknown may come at any moment after its invocation, or never, and is left out unless it
//! helps. Many of them are what makes a search long, so three things are never tried: one that changes nothing; one
//! that is overwritten by the very next call without having been seen (the order without it is one too); and what has
//! led nowhere with more of them still to choose from.
//!
//! A search is bounded by its steps, and says so where it ends without a verdict.

pub mod history;
mod parts;
mod search;
pub mod strings;

use history::History;
use search::Search;

/// What a history is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is linearizable: for each part of the keys, the numbers of its calls in an order that shows it.
    Linearizable(Vec<Vec<usize>>),
    /// It is not: the part of the keys, how far the longest order goes, and what could not come next.
    Not(String),
    /// The steps were spent before it was known.
    Undecided,
}

/// Checks a history of keys that begin without values, in at most so many steps.
pub fn check(history: &History, steps_max: u64) -> Verdict {
    let mut steps_left = steps_max;
    let mut orders = Vec::new();
    for part in parts::of(history) {
        match Search::new(history, part).run(&mut steps_left) {
            Verdict::Linearizable(order) => orders.extend(order),
            other => return other,
        }
    }
    Verdict::Linearizable(orders)
}
