//! Several commands in one body, and long ones: they take turns, are bounded, and are answered as a whole.

use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Options, Origin, REQUESTS_PER_TURN};
use kvstoreapp::replica::{Durability, Outcome, Save, Saved};

use crate::answers::{by_lines, by_words, parse, place, place_with, request};
use crate::calls::{BODY_BYTES_MAX, JSON, post};
use crate::pure::{NOW, hand_over, options, read, save, say, take_turns};

fn many(count: usize, call: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(call).collect::<Vec<_>>().join(","))
}

#[test]
fn many_commands_take_turns_between_which_others_have_theirs() {
    const COUNT: usize = 20_000;
    let body = many(COUNT, |_| r#"["INCR","n"]"#.to_owned());
    for path in ["/pipeline", "/multi-exec"] {
        let mut node = place();
        node.open(1, Origin::Loopback, NOW).expect("there is room");
        node.receive(0, &request(&format!("POST {path}"), JSON, body.as_bytes()), NOW);
        let (mut turns, mut seen) = (0, vec![0]);
        while node.waits(0) == Waits::ForTurn {
            assert!(read(&mut node, 0).is_empty(), "it is answered at once");
            take_turns(&mut node);
            turns += 1;
            node.receive(1, b"GET n\n", NOW);
            let n = String::from_utf8(read(&mut node, 1)).expect("it is a number, or not there");
            let n: usize = n.trim().parse().unwrap_or(0);
            let last = *seen.last().expect("there is one");
            let is_all = path == "/multi-exec" && n == COUNT;
            assert!(n - last <= REQUESTS_PER_TURN || is_all, "{path}: {n} after {last}");
            seen.push(n);
        }
        assert!(turns >= COUNT / REQUESTS_PER_TURN, "{path}: {turns} turns");
        seen.dedup();
        // Nobody sees a part of a transaction.
        assert!(path == "/pipeline" && seen.len() > 30 || seen == [0, COUNT], "{path}: {seen:?}");
        let answers = parse(&read(&mut node, 0), &[]);
        let expected = many(COUNT, |place| format!("{{\"result\":{}}}", place + 1));
        assert_eq!((answers.len(), answers[0].status, answers[0].text() == expected), (1, 200, true), "{path}");
    }
}

#[test]
fn what_comes_and_what_is_answered_is_bounded() {
    let mut node = place();
    let value = "v".repeat(BODY_BYTES_MAX - 1_000);
    assert_eq!(post(&mut node, "/", JSON, &format!("[\"SET\",\"a\",\"{value}\"]")).text(), r#"{"result":"OK"}"#);
    assert_eq!(node.store().get(b"a").map(<[u8]>::len), Some(value.len()));
    let told = post(&mut node, "/pipeline", JSON, &many(5, |_| r#"["GET","a"]"#.to_owned())).text();
    let told: Vec<serde_json::Value> = serde_json::from_str(&told).expect("it is JSON");
    let errors: Vec<_> = told.iter().filter_map(|answer| answer["error"].as_str()).collect();
    assert_eq!((told.len(), errors.len()), (5, 3), "the second went past the limit");
    assert!(errors[0].starts_with("ERR the answers before this one are too long"), "{errors:?}");
    for path in ["/", "/pipeline", "/multi-exec"] {
        node.open(1, Origin::Loopback, NOW).expect("there is room");
        let head = format!("{JSON}Content-Length: {}\r\n", BODY_BYTES_MAX + 1);
        let told = parse(&say(&mut node, 1, &request(&format!("POST {path}"), &head, b"")), &[]);
        assert_eq!((told[0].status, node.is_over(1)), (413, true), "{path}");
        node.close(1);
    }
}

#[test]
fn several_commands_are_answered_when_all_is_on_disk() {
    let commit = || Options { durability: Durability::Commit, ..options() };
    let body = r#"[["SET","a","1"],["GET","a"]]"#;
    for path in ["/", "/pipeline", "/multi-exec"] {
        let body = if path == "/" { r#"["SET","a","1"]"# } else { body };
        let line = format!("POST {path}");
        let mut node = place_with(commit());
        node.receive(0, &request(&line, JSON, body.as_bytes()), NOW);
        assert!(read(&mut node, 0).is_empty(), "{path}: it is not on disk");
        while save(&mut node, NOW) {}
        assert_eq!(parse(&read(&mut node, 0), &[])[0].status, 200, "{path}");
        // What changes nothing does not wait.
        let looks = if path == "/" { r#"["GET","a"]"# } else { r#"[["GET","a"]]"# };
        node.receive(0, &request(&line, JSON, looks.as_bytes()), NOW);
        assert_eq!(parse(&read(&mut node, 0), &[])[0].status, 200, "{path}");

        let mut node = place_with(commit());
        node.receive(0, &request(&line, JSON, body.as_bytes()), NOW);
        for Save { snapshot, batch, .. } in hand_over(&mut node, NOW) {
            let outcome = Outcome::Failed("the disk is full".to_owned());
            node.saved(Saved { snapshot, batch, outcome, is_merged: true }, NOW);
        }
        let told = parse(&read(&mut node, 0), &[]);
        assert_eq!((told.len(), told[0].status), (1, 503), "{path}");
        assert!(told[0].text().contains("not known to be on disk"), "{}", told[0].text());
    }
    // What was on disk before the last command was run is not waited for once more.
    let mut node = place_with(commit());
    let body = format!("[[\"SET\",\"a\",1],{}", &many(2_000, |_| "[\"PING\"]".to_owned())[1..]);
    node.receive(0, &request("POST /pipeline", JSON, body.as_bytes()), NOW);
    while node.waits(0) == Waits::ForTurn {
        while save(&mut node, NOW) {}
        take_turns(&mut node);
    }
    assert_eq!(parse(&read(&mut node, 0), &[])[0].status, 200);
}

#[test]
fn commands_that_are_paused_or_sleep_go_on_where_they_were() {
    let body = r#"[["GET","a"],["SET","a","1"],["APPEND","a","2"],["GET","a"]]"#;
    let expected = r#"[{"result":null},{"result":"OK"},{"result":2},{"result":"12"}]"#;
    for path in ["/pipeline", "/multi-exec"] {
        let mut node = place();
        by_words(&mut node, "CLIENT PAUSE 60000 WRITE");
        node.receive(0, &request(&format!("POST {path}"), JSON, body.as_bytes()), NOW);
        assert!(matches!(node.waits(0), Waits::ForGate(_)), "{:?}", node.waits(0));
        assert_eq!(by_lines(&mut node, "GET a\n"), "KEY NOT FOUND\n", "{path}");
        by_words(&mut node, "CLIENT UNPAUSE");
        hand_over(&mut node, NOW);
        while take_turns(&mut node) > 0 {}
        assert_eq!(parse(&read(&mut node, 0), &[])[0].text(), expected, "{path}");
        let again = post(&mut node, path, JSON, r#"[["DEBUG","SLEEP",0],["GET","a"]]"#);
        assert_eq!(again.text(), r#"[{"result":"OK"},{"result":"12"}]"#, "{path}");
    }
}

#[test]
fn a_client_that_goes_in_the_middle_leaves_nothing_half_done() {
    let mut node = place();
    node.open(1, Origin::Loopback, NOW).expect("there is room");
    let body = many(5_000, |number| format!("[\"SET\",\"key:{number}\",1]"));
    node.receive(1, &request("POST /multi-exec", JSON, body.as_bytes()), NOW);
    take_turns(&mut node);
    assert_eq!(node.waits(1), Waits::ForTurn);
    node.close(1);
    while take_turns(&mut node) > 0 {}
    assert_eq!(by_words(&mut node, "DBSIZE"), ":0\r\n");
}
