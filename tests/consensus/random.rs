//! The checker against every order there is, for small histories; and against itself, for long ones.

use fastrand::Rng;

use crate::checker::history::{Answer, Call, History, Outcome, Request};
use crate::checker::strings::State;
use crate::checker::{Verdict, check};

#[test]
fn small_histories_have_the_verdict_of_trying_every_order() {
    let (mut good, mut bad, mut good_with_unknown) = (0, 0, 0);
    for seed in 0..6_000 {
        let mut random = Rng::with_seed(seed);
        let (calls, clients) = (random.usize(2..=6), random.usize(2..=4));
        let history = guessed(&mut random, calls, clients);
        let expected = try_every_order(history.calls(), &mut Vec::new(), &State::default());
        match check(&history, 1_000_000) {
            Verdict::Linearizable(orders) => {
                assert!(expected, "seed {seed}: no order fits\n{}", tell(&history));
                verify(&history, &orders).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", tell(&history)));
                good += 1;
                good_with_unknown += usize::from(history.calls().iter().any(|call| call.outcome == Outcome::Unknown));
            }
            Verdict::Not(why) => {
                assert!(!expected, "seed {seed}: an order fits\n{why}\n{}", tell(&history));
                bad += 1;
            }
            Verdict::Undecided => panic!("seed {seed}: undecided"),
        }
    }
    assert!(good > 500 && bad > 500 && good_with_unknown > 200, "{good} {bad} {good_with_unknown}");
}

#[test]
fn long_histories_of_one_copy_are_linearizable_and_one_false_answer_is_seen() {
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let mut history = recorded(&mut random, 600, 8);
        match check(&history, 2_000_000) {
            Verdict::Linearizable(orders) => verify(&history, &orders).expect("the order shows it"),
            other => panic!("seed {seed}: {other:?}"),
        }
        // A counter that everybody has left alone is read as if it had been counted once more.
        let late = history.invoke(0, Request::Get("n".into()));
        history.answered(late, Answer::Value("100000".into()));
        assert!(matches!(check(&history, 2_000_000), Verdict::Not(_)), "seed {seed}");
    }
}

#[test]
fn a_search_ends_when_its_steps_are_spent() {
    let mut history = History::default();
    // Thirty of which nobody knows, in any order, and a value that they cannot come to.
    for client in 0..30 {
        history.invoke(client, Request::Append("x".into(), client.to_string().into()));
    }
    let read = history.invoke(99, Request::Get("x".into()));
    history.answered(read, Answer::Value("none of these".into()));
    assert_eq!(check(&history, 20_000), Verdict::Undecided);
}

#[test]
fn blind_writes_of_which_nobody_knows_cost_little() {
    let mut history = History::default();
    for client in 0..200 {
        history.invoke(client, Request::Set("x".into(), client.to_string().into()));
    }
    for value in [7, 150, 7] {
        let read = history.invoke(999, Request::Get("x".into()));
        history.answered(read, Answer::Value(value.to_string().into()));
    }
    // 7 is written once, and cannot be there before and after another one.
    assert!(matches!(check(&history, 100_000), Verdict::Not(_)));
}

/// A history whose answers are guesses, many of them right.
fn guessed(random: &mut Rng, calls: usize, clients: usize) -> History {
    let mut history = History::default();
    let mut open: Vec<usize> = Vec::new();
    let mut copy = State::default();
    let mut begun = 0;
    while begun < calls || !open.is_empty() {
        if begun < calls && open.len() < clients && random.bool() {
            let request = draw(random, 2);
            open.push(history.invoke(begun, request));
            begun += 1;
        } else if !open.is_empty() {
            let call = open.swap_remove(random.usize(..open.len()));
            let request = history.calls()[call].request.clone();
            match random.u8(0..10) {
                0 => history.not_made(call),
                1 | 2 => (),
                3 => history.answered(call, guess(random, &request)),
                _ => history.answered(call, copy.make(&request)),
            }
        }
    }
    history
}

/// What clients of one copy are told: each call is made at a moment between its invocation and its return, or at any
/// later one where nobody is told.
fn recorded(random: &mut Rng, calls: usize, clients: usize) -> History {
    let mut history = History::default();
    let mut copy = State::default();
    // Calls with what they were answered, once they are made.
    let mut open: Vec<(usize, Option<Answer>)> = Vec::new();
    let mut forgotten: Vec<usize> = Vec::new();
    let mut begun = 0;
    while begun < calls || !open.is_empty() {
        match random.u8(0..4) {
            0 if begun < calls && open.len() < clients => {
                open.push((history.invoke(begun, draw(random, 4)), None));
                begun += 1;
            }
            1 if !forgotten.is_empty() && random.u8(0..20) == 0 => {
                let call = forgotten.swap_remove(random.usize(..forgotten.len()));
                copy.make(&history.calls()[call].request);
            }
            2 | 3 if !open.is_empty() => {
                let at = random.usize(..open.len());
                let (call, made) = &mut open[at];
                match made.take() {
                    None if random.u8(0..100) == 0 => {
                        forgotten.push(*call);
                        open.swap_remove(at);
                    }
                    None => *made = Some(copy.make(&history.calls()[*call].request)),
                    Some(answer) => {
                        history.answered(*call, answer);
                        open.swap_remove(at);
                    }
                }
            }
            _ => (),
        }
    }
    history
}

fn draw(random: &mut Rng, keys: usize) -> Request {
    let key = ["x", "y", "z", "n"][random.usize(..keys)];
    let value = ["1", "2", "3"][random.usize(..3)];
    match random.u8(0..12) {
        0..=2 => Request::Get(key.into()),
        3..=4 => Request::Set(key.into(), value.into()),
        5 => Request::SetIfEq(key.into(), value.into(), "1".into()),
        6 => Request::Delete(key.into()),
        7 => Request::Append(key.into(), value.into()),
        8..=9 => Request::Increment(key.into()),
        10 => Request::MSet(vec![("x".into(), value.into()), ("y".into(), value.into())]),
        _ => Request::Exec(vec![Request::Get("x".into()), Request::Increment("y".into())]),
    }
}

fn guess(random: &mut Rng, request: &Request) -> Answer {
    match request {
        Request::Get(_) if random.bool() => Answer::Nil,
        Request::Get(_) => Answer::Value(random.u8(1..=3).to_string().into()),
        Request::Set(..) | Request::MSet(_) => Answer::Ok,
        Request::SetIfEq(..) if random.bool() => Answer::Ok,
        Request::SetIfEq(..) => Answer::Nil,
        Request::Delete(_) => Answer::Number(random.i64(0..=1)),
        Request::Append(..) | Request::Increment(_) => Answer::Number(random.i64(1..=3)),
        Request::Exec(_) if random.bool() => Answer::Nil,
        Request::Exec(requests) => Answer::Several(requests.iter().map(|request| guess(random, request)).collect()),
    }
}

/// Whether there is an order, by the definition alone: all keys at once, nothing remembered, nothing left out.
fn try_every_order(calls: &[Call], made: &mut Vec<usize>, state: &State) -> bool {
    let left = |at: &usize| !made.contains(at);
    let is_due = |call: &Call| matches!(call.outcome, Outcome::Answered(_));
    let first_return =
        (0..calls.len()).filter(left).map(|at| &calls[at]).filter(|call| is_due(call)).map(|call| call.returned).min();
    let Some(first_return) = first_return else { return true };
    let next: Vec<usize> = (0..calls.len()).filter(left).filter(|&at| calls[at].invoked < first_return).collect();
    next.into_iter().any(|at| {
        let Some(state) = state.after(&calls[at]) else { return false };
        made.push(at);
        let found = try_every_order(calls, made, &state);
        made.pop();
        found
    })
}

/// That the orders are what they are said to be.
fn verify(history: &History, orders: &[Vec<usize>]) -> Result<(), String> {
    let calls = history.calls();
    for order in orders {
        let mut state = State::default();
        let mut latest_invocation = 0;
        for &number in order {
            let call = &calls[number];
            if call.returned < latest_invocation {
                return Err(format!("one that was invoked later comes before {call}"));
            }
            latest_invocation = latest_invocation.max(call.invoked);
            state = state.after(call).ok_or_else(|| format!("another answer than that of {call}"))?;
        }
    }
    let mut ordered: Vec<usize> = orders.concat();
    ordered.sort_unstable();
    let is_once = ordered.windows(2).all(|pair| pair[0] < pair[1]);
    let is_due = |number: &usize| matches!(calls[*number].outcome, Outcome::Answered(_));
    match (0..calls.len()).filter(is_due).find(|number| ordered.binary_search(number).is_err()) {
        Some(number) => Err(format!("left out: {}", calls[number])),
        None if !is_once => Err("a call comes twice".to_owned()),
        None => Ok(()),
    }
}

fn tell(history: &History) -> String {
    history.calls().iter().map(|call| format!("{call}\n")).collect()
}
