//! The search for an order of the calls of one part.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Verdict;
use super::history::{Call, History, Outcome};
use super::strings::State;

/// A search, and what it has learned.
pub struct Search<'a> {
    history: &'a History,
    /// Numbers of the calls that were answered, in the order of their invocation: all of them have to be made.
    answered: Vec<usize>,
    /// Numbers of those that may be made or not.
    unknown: Vec<usize>,
    /// What has led nowhere: with these answered calls made and in this state, having used these unknown ones.
    failed: HashMap<(Made, State), Vec<Bits>>,
    /// The longest order so far, and the state that it leads to.
    longest: (Vec<usize>, State),
}

/// Which answered calls are made: all before a place, and few after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Made {
    all_before: usize,
    /// Places in `answered`, rising.
    beyond: Vec<usize>,
}

/// A set of places in `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

/// Where the search stands after some calls, and what it has yet to try there.
struct Frame {
    made: Made,
    used: Bits,
    state: State,
    /// Last is tried first.
    candidates: Vec<Candidate>,
}

/// A place in `answered` or in `unknown`.
#[derive(Clone, Copy)]
enum Candidate {
    Answered(usize),
    Unknown(usize),
}

impl<'a> Search<'a> {
    /// A search among these calls, which are in the order of their invocation.
    pub fn new(history: &'a History, calls: Vec<usize>) -> Search<'a> {
        let is_unknown = |&number: &usize| history.calls()[number].outcome == Outcome::Unknown;
        let (unknown, answered) = calls.into_iter().partition(is_unknown);
        Search { history, answered, unknown, failed: HashMap::new(), longest: Default::default() }
    }

    /// Searches for as many steps as are left, and takes those away that it took.
    pub fn run(&mut self, steps_left: &mut u64) -> Verdict {
        // Invariant: `order[at]` is the call that leads from `frames[at]` to `frames[at + 1]`.
        let mut order: Vec<usize> = Vec::new();
        let mut frames = vec![self.frame(Made::default(), Bits::default(), State::default())];
        while let Some(frame) = frames.last_mut() {
            if frame.made.all_before == self.answered.len() {
                return Verdict::Linearizable(vec![order]);
            }
            let Some(candidate) = frame.candidates.pop() else {
                let Frame { made, used, state, .. } = frames.pop().expect("there is one");
                self.remember_failed(made, used, state);
                order.pop();
                continue;
            };
            let number = self.number(candidate);
            let call = self.call(number);
            let last = order.last().map(|&last| self.call(last));
            if last.is_some_and(|last| last.outcome == Outcome::Unknown && call.request.overwrites(&last.request)) {
                continue;
            }
            if *steps_left == 0 {
                return Verdict::Undecided;
            }
            *steps_left -= 1;
            let Some(state) = frame.state.after(call) else { continue };
            if state == frame.state && matches!(candidate, Candidate::Unknown(_)) {
                continue;
            }
            let (mut made, mut used) = (frame.made.clone(), frame.used.clone());
            match candidate {
                Candidate::Answered(place) => made.insert(place),
                Candidate::Unknown(place) => used.insert(place),
            }
            if self.has_failed(&made, &used, &state) {
                continue;
            }
            order.push(number);
            if order.len() > self.longest.0.len() {
                self.longest = (order.clone(), state.clone());
            }
            let next = self.frame(made, used, state);
            frames.push(next);
        }
        Verdict::Not(self.describe())
    }

    /// What may come next: whatever was invoked before any answered call that is left has returned. What was answered
    /// is tried first, the earliest first.
    fn frame(&self, made: Made, used: Bits, state: State) -> Frame {
        let mut first_return = u64::MAX;
        let mut left = Vec::new();
        for place in (made.all_before..self.answered.len()).filter(|&place| !made.contains(place)) {
            let call = self.call(self.answered[place]);
            if call.invoked > first_return {
                break;
            }
            first_return = first_return.min(call.returned);
            left.push(place);
        }
        let unknown = (0..self.unknown.len())
            .take_while(|&place| self.call(self.unknown[place]).invoked < first_return)
            .filter(|&place| !used.contains(place));
        let answered = left.into_iter().filter(|&place| self.call(self.answered[place]).invoked < first_return);
        let mut candidates: Vec<Candidate> = answered.map(Candidate::Answered).collect();
        candidates.extend(unknown.map(Candidate::Unknown));
        candidates.reverse();
        Frame { made, used, state, candidates }
    }

    fn has_failed(&self, made: &Made, used: &Bits, state: &State) -> bool {
        // Whoever has used fewer had more to choose from, and failed all the same.
        let key = (made.clone(), state.clone());
        self.failed.get(&key).is_some_and(|failed| failed.iter().any(|fewer| fewer.is_within(used)))
    }

    fn remember_failed(&mut self, made: Made, used: Bits, state: State) {
        let failed = self.failed.entry((made, state)).or_default();
        failed.retain(|more| !used.is_within(more));
        failed.push(used);
    }

    fn number(&self, candidate: Candidate) -> usize {
        match candidate {
            Candidate::Answered(place) => self.answered[place],
            Candidate::Unknown(place) => self.unknown[place],
        }
    }

    fn call(&self, number: usize) -> &'a Call {
        &self.history.calls()[number]
    }

    fn describe(&self) -> String {
        let (order, state) = &self.longest;
        let all = self.answered.len() + self.unknown.len();
        let mut text = format!("the longest order takes {} of {all} calls; its last ones:\n", order.len());
        for &number in &order[order.len().saturating_sub(5)..] {
            let _ = writeln!(text, "  {}", self.call(number));
        }
        let _ = writeln!(text, "that leaves {state:?}, after which none of these can come:");
        let left = self.answered.iter().filter(|number| !order.contains(number));
        for &number in left.take(8) {
            let _ = writeln!(text, "  {}", self.call(number));
        }
        text
    }
}

impl Made {
    fn insert(&mut self, place: usize) {
        let at = self.beyond.partition_point(|&other| other < place);
        self.beyond.insert(at, place);
        let begins = self.beyond.iter().enumerate().take_while(|&(at, &place)| place == self.all_before + at).count();
        self.all_before += begins;
        self.beyond.drain(..begins);
    }

    fn contains(&self, place: usize) -> bool {
        place < self.all_before || self.beyond.contains(&place)
    }
}

impl Bits {
    fn insert(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn is_within(&self, other: &Bits) -> bool {
        let more = |(at, word): (usize, &u64)| word & !other.0.get(at).copied().unwrap_or(0);
        self.0.iter().enumerate().map(more).all(|more| more == 0)
    }
}
