//! Histories that are published with their verdicts: those of the checkers porcupine and Knossos.
//!
//! The longer ones are what Jepsen recorded of etcd in 2014, as porcupine's tests have them (`test_data/jepsen`): one
//! register, five clients, requests that time out. They are written down here event by event: who, and then
//! `r` asks for the value, `w1` sets it to 1, `c12` sets it to 2 if it is 1; `=1` has read 1 (`=-` none), `+` was
//! done, `!` was not as the value is another one, `?` timed out.

use crate::checker::history::{Answer, History, Request};
use crate::checker::{Verdict, check};
use crate::script;

const STEPS_MAX: u64 = 200_000;

#[test]
fn registers_of_porcupine_have_its_verdicts() {
    // Its TestRegisterModel, from a quiz of MIT's 6.824; absent is what its register calls 0.
    verify(
        "0 > SET x 100
         1 > GET x
         2 > GET x
         2 < nil
         1 < 100
         0 < OK",
        true,
    );
    verify(
        "0 > SET x 200
         1 > GET x
         1 < 200
         2 > GET x
         2 < nil
         0 < OK",
        false,
    );
    // Its TestZeroDuration: calls that begin and end at one moment.
    verify(
        "0 > SET x 100
         1 > GET x
         2 > GET x
         2 < nil
         3 > GET x
         3 < nil
         1 < 100
         0 < OK",
        true,
    );
    verify(
        "0 > SET x 200
         1 > GET x
         1 < 200
         2 > GET x
         2 < 200
         3 > GET x
         3 < nil
         0 < OK",
        false,
    );
}

#[test]
fn registers_of_knossos_have_its_verdicts() {
    // rethink-fail-minimal
    verify(
        "0 > SET x 0
         0 < OK
         1 > GET x
         2 > SET x 4
         1 < 3
         2 < OK
         3 > GET x
         3 < 4",
        false,
    );
    // bad-analysis
    verify(
        "4 > SET x 2
         4 < OK
         6 > GET x
         1 > SET x 4
         1 < OK
         14 > GET x
         14 < 4
         9 > SET x 0
         9 < OK
         19 > GET x
         20 > SET x 1
         19 < 0
         22 > GET x
         21 > GET x
         21 < 2
         22 < 3",
        false,
    );
    // immediate-failure
    verify(
        "1 > GET x
         101 > SET x 3
         101 ! temporarily unavailable
         1 < 3",
        false,
    );
}

#[test]
fn what_jepsen_recorded_of_etcd_has_porcupines_verdicts() {
    verify_register(ETCD_000, false);
    verify_register(ETCD_002, true);
}

#[test]
fn one_answer_changed_in_a_recorded_history_is_seen() {
    // What has just been exchanged cannot be what it was before.
    verify_register(&ETCD_002.replace("3c23 2! 3+ 4r 4=3", "3c23 2! 3+ 4r 4=2"), false);
    verify_register(&ETCD_002.replace("1w2 1+ 0r 0=2", "1w2 1+ 0r 0=0"), false);
}

fn verify(history: &str, expected: bool) {
    verify_history(&script::parse(history), expected);
}

fn verify_register(events: &str, expected: bool) {
    verify_history(&parse_register(events), expected);
}

fn verify_history(history: &History, expected: bool) {
    match check(history, STEPS_MAX) {
        Verdict::Linearizable(_) => assert!(expected, "{:#?}", history.calls()),
        Verdict::Not(why) => assert!(!expected, "{why}"),
        Verdict::Undecided => panic!("not within {STEPS_MAX} steps"),
    }
}

fn parse_register(events: &str) -> History {
    let mut history = History::default();
    let mut open = std::collections::HashMap::new();
    for event in events.split_whitespace() {
        let digits = event.find(|c: char| !c.is_ascii_digit()).expect("an event has a kind");
        let (client, event) = event.split_at(digits);
        let client: usize = client.parse().expect("a client is a number");
        let (kind, values) = event.split_at(1);
        let value = |at: usize| values[at..=at].into();
        let request = match kind {
            "r" => Request::Get("x".into()),
            "w" => Request::Set("x".into(), value(0)),
            "c" => Request::SetIfEq("x".into(), value(1), value(0)),
            _ => {
                let call = open.remove(&client).expect("it waits");
                match kind {
                    "=" if values == "-" => history.answered(call, Answer::Nil),
                    "=" => history.answered(call, Answer::Value(values.into())),
                    "+" => history.answered(call, Answer::Ok),
                    "!" => history.answered(call, Answer::Nil),
                    "?" => (),
                    _ => panic!("no event: {event}"),
                }
                continue;
            }
        };
        let call = history.invoke(client, request);
        assert!(open.insert(client, call).is_none(), "{client} waits already");
    }
    history
}

const ETCD_000: &str = "
    0r 3r 2w4 1w2 4w3 3=- 0=- 4+ 1+ 2+ 3w3 0r 0=3 3+ 4r 4=3 1r 1=3 2c30 2+ 0w2 3r 0+ 3=0 4r 4=2 1c03 2c00 1! 2! 0c21
    3r 3=2 0+ 4r 4=1 1r 1=1 2r 2=1 3w0 0c13 3+ 4w2 0! 4+ 1r 1=2 2c11 2! 3c00 0r 0=2 4w1 3! 1c21 2w2 2+ 0c14 3w3 4?
    0! 3+ 1? 2w2 9w3 0r 0=3 2+ 3c34 3! 6c11 9? 0w1 0+ 2c00 2! 3c22 6? 3! 14w4 0c43 0! 2w0 11r 11=2 2+ 3w2 3+ 14? 0w1
    11c21 2c03 3r 3=2 19r 19=2 0? 11? 2? 3r 3=2 19c13 19+ 5w0 16c43 7c12 5+ 7! 16! 3c42 3! 19c01 19+ 5c40 7c14 16r
    16=1 3c13 3! 5+ 7+ 19c20 19! 16r 16=0 3r 3=0 5r 7c42 5=0 7! 19c23 19! 16c41 3w4 5w4 7c02 19r 19=0 16? 3? 5? 7?
    19w3 19+ 21c20 21! 8w4 10w2 10+ 12c44 19w4 21r 21=4 19+ 8? 10c01 12? 10! 21c33 21! 19r 19=4 13c22 17c44 13? 17?
    10r 10=1";

const ETCD_002: &str = "
    4r 4=- 1w1 2c24 3c12 0c14 1+ 0! 2+ 3+ 4w0 4+ 1w2 1+ 0r 0=2 2c02 3c23 2! 3+ 4r 4=3 1w3 1+ 0w2 2w0 0+ 2+ 3c04 3+
    4c34 4! 1w1 0w3 0+ 1+ 2r 2=3 3r 3=3 4r 4=3 0c43 0! 1c22 2w3 1! 3w2 4w2 4+ 0c14 0! 2? 1w3 1+ 3? 4c30 4+ 0r 0=0
    7c31 1w1 8r 8=3 4c40 1+ 0w2 0+ 7? 4! 8c40 1w0 1+ 0w4 0+ 12w4 4r 4=4 8? 1r 1=4 0w2 12? 0+ 4c30 4! 13w3 1w0 17r 0c21
    17=3 4w1 13? 1? 0? 17c01 4? 18r 18=3 6w3 5w2 17? 9c22 18w4 6? 5? 22w1 9? 18? 11w3 10c11 22? 14w0 11+ 23c44 14+ 10!
    23! 27w1 11w2 11+ 14c12 10r 10=2 14! 23r 23=0 27? 11w1 11+ 10r 10=1 14w2 23c23 32c21 14+ 11w4 11+ 10c11 10! 23? 32?
    14w4 14+ 11c24 11! 10r 10=4 28r 28=0 37w3 37? 14r 14=4";
