//! Histories whose verdict is plain to a reader: each kind of mistake beside the history that only looks like one.

use crate::checker::{Verdict, check};
use crate::script;

const STEPS_MAX: u64 = 10_000;

#[test]
fn nothing_at_all_is_linearizable() {
    good("");
}

#[test]
fn a_read_sees_the_last_write_that_was_answered() {
    good(
        "a > SET x 1
          a < OK
          b > GET x
          b < 1",
    );
    let stale = bad("a > SET x 1
                     a < OK
                     a > SET x 2
                     a < OK
                     b > GET x
                     b < 1");
    assert!(stale.contains("1: GET x => 1") && stale.contains("longest order takes 2 of 3"), "{stale}");
}

#[test]
fn a_read_beside_a_write_sees_either_value_but_never_goes_back() {
    good(
        "a > SET x 1
          b > GET x
          b < nil
          b > GET x
          b < 1
          a < OK",
    );
    bad("a > SET x 1
         b > GET x
         b < 1
         c > GET x
         c < nil
         a < OK");
}

#[test]
fn a_write_that_was_answered_is_not_lost() {
    good(
        "a > SET x 1
          b > SET x 2
          a < OK
          b < OK
          c > GET x
          c < 1",
    );
    bad("a > SET x 1
         a < OK
         b > GET x
         b < nil");
    bad("a > INCR x
         b > INCR x
         a < 1
         b < 1");
    bad("a > DELETE x
         a < 1");
}

#[test]
fn an_append_is_made_once() {
    good(
        "a > APPEND x one
          a < 3
          b > APPEND x two
          b ? unknown
          a > GET x
          a < onetwo",
    );
    bad("a > APPEND x one
         a < 3
         b > GET x
         b < oneone");
    bad("a > APPEND x one
         a ? unknown
         b > GET x
         b < oneone");
}

#[test]
fn two_that_exchange_the_same_value_do_not_both_succeed() {
    good(
        "a > SET x 0
          a < OK
          a > SET x 1 IFEQ 0
          b > SET x 2 IFEQ 1
          b < OK
          a < OK
          c > GET x
          c < 2",
    );
    bad("a > SET x 0
         a < OK
         a > SET x 1 IFEQ 0
         b > SET x 2 IFEQ 0
         b < OK
         a < OK");
    // In another order than they were asked for, one after the other.
    bad("a > SET x 0
         a < OK
         a > SET x 2 IFEQ 1
         a < OK
         b > SET x 1 IFEQ 0
         b < OK");
    bad("a > SET x 1 IFEQ 0
         a < OK");
    good(
        "a > SET x 1 IFEQ 0
          a < nil",
    );
}

#[test]
fn what_is_unknown_may_come_late_or_never_but_not_early_and_not_twice() {
    let read_late = |value: &str| {
        format!(
            "a > SET x 1
             a ? unknown
             b > SET x 2
             b < OK
             b > GET x
             b < 2
             c > GET x
             c < {value}"
        )
    };
    good(&read_late("1"));
    good(&read_late("2"));
    bad(&(read_late("1") + "\nc > GET x\nc < 2"));
    bad("b > GET x
         b < 1
         a > SET x 1
         a ? unknown");
    good(
        "a > INCR x
          a ? unknown
          b > INCR x
          b < 2",
    );
    bad("a > INCR x
         a ? unknown
         b > INCR x
         b < 3");
    good(
        "a > SET x 1
          a ? unknown
          a > SET x 2
          a ? unknown
          b > GET x
          b < 2
          b > GET x
          b < 1",
    );
}

#[test]
fn what_was_not_made_is_never_seen() {
    good(
        "a > SET x 1
          a ! not made
          b > GET x
          b < nil",
    );
    bad("a > SET x 1
         b > GET x
         b < 1
         a ! not made");
}

#[test]
fn keys_are_checked_apart_and_time_holds_across_them() {
    good(
        "a > SET x 1
          b > SET y 1
          a < OK
          b < OK
          a > GET y
          a < 1
          b > GET x
          b < 1",
    );
    bad("a > SET x 1
         a < OK
         a > SET y 1
         a < OK
         b > GET y
         b < 1
         b > GET x
         b < nil");
}

#[test]
fn what_one_request_writes_appears_at_once() {
    good(
        "a > MSET x 1 y 1
          b > GET x
          b < nil
          b > GET y
          b < 1
          a < OK",
    );
    // Either both or none, whichever key is read first.
    bad("a > MSET x 1 y 1
         b > GET x
         b < 1
         b > GET y
         b < nil
         a < OK");
    bad("a > MSET x 1 y 1
         a ? unknown
         b > EXEC GET x | GET y
         b < nil | 1");
}

#[test]
fn a_transaction_is_one_moment() {
    good(
        "a > EXEC INCR x | INCR y
          b > EXEC GET x | GET y
          b < 1 | 1
          a < 1 | 1",
    );
    bad("a > EXEC INCR x | INCR y
         b > EXEC GET x | GET y
         b < 1 | nil
         a < 1 | 1");
    // Money goes from one to the other, and is in neither place twice.
    bad("a > MSET x 1 y 0
         a < OK
         a > EXEC SET x 0 | SET y 1
         b > GET y
         b < 1
         b > GET x
         b < 1
         a < OK | OK");
    // Three keys, each pair of which is in one transaction: no order of all.
    bad("a > EXEC SET x 1 | GET y
         b > EXEC SET y 1 | GET z
         c > EXEC SET z 1 | GET x
         a < OK | nil
         b < OK | nil
         c < OK | nil");
}

#[test]
fn a_transaction_that_a_watch_has_stopped_changes_nothing() {
    good(
        "a > EXEC SET x 1
          a < nil
          b > GET x
          b < nil",
    );
    bad("a > EXEC SET x 1
         a < nil
         b > GET x
         b < 1");
}

#[test]
fn an_error_is_an_answer_and_changes_nothing() {
    good(
        "a > SET x one
          a < OK
          a > INCR x
          a < ERROR
          a > GET x
          a < one",
    );
    bad("a > SET x 1
         a < OK
         a > INCR x
         a < ERROR");
}

#[test]
fn a_lock_has_one_holder() {
    let story = |second: &str| {
        format!(
            "a > SET lock free
             a < OK
             a > SET lock a IFEQ free
             b > SET lock b IFEQ free
             a < OK
             b < {second}"
        )
    };
    good(&story("nil"));
    bad(&story("OK"));
}

fn good(history: &str) {
    let verdict = check(&script::parse(history), STEPS_MAX);
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}\n{history}");
}

/// Says why it is not.
fn bad(history: &str) -> String {
    match check(&script::parse(history), STEPS_MAX) {
        Verdict::Not(why) => why,
        other => panic!("{other:?}\n{history}"),
    }
}
