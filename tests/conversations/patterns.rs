//! What patterns may hold everybody up for, counted in turns and not by a clock.

use kvstoreapp::node::Node;

use crate::pure::{NOW, node_with_two_clients, read, say, take_turns};
use crate::reply::{request, words};

/// 40,000 letters in a class.
fn long_class() -> String {
    format!("[{}]", "b".repeat(40_000))
}

/// Tells the node something, and returns the answer with the turns that it took.
fn turns(node: &mut Node, bytes: &[u8], between: &mut dyn FnMut(&mut Node)) -> (Vec<u8>, usize) {
    node.receive(0, bytes, NOW);
    let (mut answer, mut turns) = (read(node, 0), 1);
    loop {
        between(node);
        if take_turns(node) == 0 {
            return (answer, turns);
        }
        answer.append(&mut read(node, 0));
        turns += 1;
        assert!(turns < 10_000, "it goes on for ever");
    }
}

fn ask(node: &mut Node, text: &str) -> (String, usize) {
    let (answer, turns) = turns(node, &request(&words(text)), &mut |_| ());
    (String::from_utf8(answer).expect("the test expects text"), turns)
}

#[test]
fn one_long_key_and_a_class_of_40_000_letters_take_one_turn() {
    let mut node = node_with_two_clients();
    say(&mut node, 0, &request(&words(&format!("SET {} value", "a".repeat(60_000)))));
    for pattern in [format!("*{}", long_class()), format!("*{}*", long_class()), format!("*{}b*", "a".repeat(40_000))] {
        assert_eq!(ask(&mut node, &format!("KEYS {pattern}")), ("*0\r\n".to_owned(), 1));
        assert_eq!(ask(&mut node, &format!("SCAN 0 MATCH {pattern}")), ("*2\r\n$1\r\n0\r\n*0\r\n".to_owned(), 1));
    }
}

#[test]
fn keys_finds_nothing_with_more_stars_than_redis_goes_along_with_and_all_else_refuses_them() {
    let mut node = node_with_two_clients();
    let key = "a".repeat(1_200);
    say(&mut node, 0, &request(&words(&format!("SET {key} value"))));
    let found = format!("*1\r\n$1200\r\n{key}\r\n");
    let mut check = |text: &str, expected: &str| assert_eq!(ask(&mut node, text), (expected.to_owned(), 1));
    for ending in ["", "*", "**"] {
        check(&format!("KEYS {}{ending}", "*?".repeat(1_000)), &found);
        check(&format!("KEYS {}{ending}", "*?".repeat(1_001)), "*0\r\n");
    }
    let (deepest, refused) = ("*?".repeat(50_000), "-ERR pattern too complex\r\n");
    check(&format!("KEYS {deepest}"), "*0\r\n");
    for command in ["SCAN 0 MATCH", "PSUBSCRIBE", "PUBSUB CHANNELS", "CONFIG GET"] {
        check(&format!("{command} {deepest}"), refused);
    }
}

#[test]
fn long_keys_of_one_table_are_compared_in_several_turns() {
    const KEYS: usize = 200;
    let mut node = node_with_two_clients();
    for number in 0..KEYS {
        say(&mut node, 0, &request(&words(&format!("SET {number:0>60000} value"))));
    }
    // Each key takes a step for each of its characters, and a turn has 262,144.
    for command in ["KEYS", "SCAN 0 COUNT 1 MATCH"] {
        let (answer, turns) = ask(&mut node, &format!("{command} *{}*", long_class()));
        assert!(answer.ends_with("*0\r\n"), "{answer}");
        assert!((KEYS / 5..=KEYS / 4).contains(&turns), "{turns} turns for {command}");
    }
    // What is compared at its ends alone takes as long as a short key.
    assert_eq!(ask(&mut node, "KEYS 1*").1, 1);
    let (answer, _) = ask(&mut node, "KEYS *0?17*9");
    assert_eq!(answer.matches("$60000").count(), 1, "00179 and no other");
}

#[test]
fn bits_of_a_large_value_are_counted_in_a_turn_of_their_own() {
    const TIMES: usize = 20;
    let mut node = node_with_two_clients();
    say(&mut node, 0, &request(&words("SETRANGE large 1000000 x")));
    for command in ["BITCOUNT large", "BITPOS large 1", "BITOP NOT other large"] {
        let (_, turns) = turns(&mut node, &request(&words(command)).repeat(TIMES), &mut |_| ());
        assert!((TIMES..=TIMES + 1).contains(&turns), "{turns} turns for {TIMES} times {command}");
    }
}

#[test]
fn a_large_value_is_edited_a_few_times_in_a_turn_and_a_small_one_as_often_as_it_is_asked() {
    let mut node = node_with_two_clients();
    for (bytes, few) in [(1_000_000, 6..=8), (100, 1..=2)] {
        say(&mut node, 0, &request(&words(&format!("SETRANGE edited {bytes} x"))));
        for command in ["SETBIT edited 7 1", "SETBIT edited 9 0", "SETRANGE edited 5 y", "APPEND edited z"] {
            let (_, turns) = turns(&mut node, &request(&words(command)).repeat(20), &mut |_| ());
            assert!(few.contains(&turns), "{turns} turns for 20 times {command}");
        }
        say(&mut node, 0, &request(&words("DEL edited")));
    }
}

#[test]
fn keys_are_found_once_while_their_table_is_split_in_the_middle_of_a_walk() {
    const KEYS: usize = 400;
    let mut node = node_with_two_clients();
    for number in 0..KEYS {
        say(&mut node, 0, &request(&words(&format!("SET old{number:0>20000} value"))));
    }
    let mut added = 0;
    let mut add = |node: &mut Node| {
        for _ in 0..60 {
            let request = request(&words(&format!("SET new{added} value")));
            node.receive(1, &request, NOW);
            assert_eq!(read(node, 1), b"+OK\r\n");
            added += 1;
        }
    };
    let (answer, turns) = turns(&mut node, &request(&words("KEYS old*0[0-9]*")), &mut add);
    assert!(turns > 20 && added > 1_000, "{turns} turns, {added} keys were added");
    let answer = String::from_utf8(answer).expect("the test expects text");
    let mut found: Vec<&str> = answer.split("\r\n").filter(|line| line.starts_with("old")).collect();
    found.sort_unstable();
    let every = found.len();
    found.dedup();
    assert_eq!([every, found.len()], [KEYS, KEYS]);
}

#[test]
fn requests_that_take_the_steps_of_a_turn_each_take_a_turn_each() {
    const TIMES: usize = 12;
    let mut node = node_with_two_clients();
    // Each of them takes a step for each character of the channel's name.
    for number in 0..10 {
        say(&mut node, 1, &request(&words(&format!("PSUBSCRIBE {number}* *{number}[bc]defgh*"))));
    }
    // The last turn may find that nothing is left.
    let mut ask = |text: &str| turns(&mut node, &request(&words(text)).repeat(TIMES), &mut |_| ()).1;
    let each = TIMES..=TIMES + 1;
    assert_eq!(ask("PUBLISH short message"), 1);
    assert!(each.contains(&ask(&format!("PUBLISH {} message", "a".repeat(60_000)))));
    assert_eq!(ask("INCRBYFLOAT number 1"), 1);
    ask("SET number 1e4900");
    assert!((TIMES / 2..=TIMES + 1).contains(&ask("INCRBYFLOAT number 1e4900")));
    ask(&format!("MSET one {0} other {0}", "a".repeat(1_000)));
    assert!(each.contains(&ask("LCS one other LEN")));
    ask(&format!("MSET{}", (0..4_000).map(|key| format!(" key{key} value")).collect::<String>()));
    assert!((TIMES / 2..=TIMES + 1).contains(&ask("KEYS nothing")));
}
