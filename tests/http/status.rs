//! `/v1/status` and `STATUS`: a node as it says it is, and what all it knows comes to.

use kvstoreapp::auth::Password;
use kvstoreapp::node::Options;
use kvstoreapp::status::{ClusterStatus, Level};
use serde_json::Value;

use crate::answers::{ask, by_lines, place, place_with};
use crate::pure::options;

#[test]
fn one_node_says_all_fields_and_that_it_is_alone_and_well() {
    let mut node = place();
    by_lines(&mut node, "SET a b\nGET a\nGET none\n");
    let answer = ask(&mut node, 0, "GET /v1/status", "", b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let told: Value = serde_json::from_str(&answer.text()).expect("it is JSON");
    assert_eq!(told["verdict"]["level"], "ok");
    assert_eq!(told["verdict"]["text"], "the node is alone and well, everything is on disk");
    assert_eq!((&told["verdict"]["advice"], &told["asked"]), (&Value::Null, &0.into()));
    let known = &told["nodes"][0];
    assert_eq!((&known["age_ms"], &known["via"]), (&0.into(), &Value::Null));
    let status = &known["status"];
    for (name, value) in [("keys", 1), ("hits", 1), ("misses", 1), ("memory_bytes_max", 0), ("unsaved_ms", 0)] {
        assert_eq!(status[name], value, "{name}");
    }
    for name in ["unready_why", "disk_error"] {
        assert!(status[name].is_null() && status.get(name).is_some(), "{name}: {status}");
    }
    assert_eq!((&status["ready"], &status["durability"]), (&true.into(), &"interval".into()));
    // The command says the same. Who asks in another way is one client more.
    let said = |text: &str| {
        let mut told = ClusterStatus::from_json(text.as_bytes()).expect("it is one");
        let status = told.nodes[0].status.as_mut().expect("it knows itself");
        (status.clients, status.requests_per_s, status.bytes_in_per_s, status.bytes_out_per_s) = (0, 0, 0, 0);
        told
    };
    assert_eq!(said(&by_lines(&mut node, "STATUS\n")), said(&answer.text()));
}

#[test]
fn what_it_says_is_what_info_says() {
    let mut node = place_with(Options { memory_bytes_max: 1 << 20, ..options() });
    by_lines(&mut node, "SET a b\nSET c d\nGET a\n");
    let info = by_lines(&mut node, "INFO\n");
    let told = ClusterStatus::from_json(by_lines(&mut node, "STATUS\n").as_bytes()).expect("it is one");
    let status = serde_json::to_value(told.nodes[0].status.as_ref().expect("it knows itself")).expect("it is JSON");
    let mut compared = 0;
    for line in info.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        // Rates go on from one question to the next.
        let Some(said) = status.get(name).filter(|_| !name.ends_with("_per_s")) else { continue };
        let said = match said {
            Value::String(text) => text.clone(),
            Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
            Value::Null => "none".to_owned(),
            other => other.to_string(),
        };
        assert_eq!(said, value, "{name}");
        compared += 1;
    }
    assert!(compared >= 12, "{compared} figures were compared");
}

#[test]
fn it_is_for_who_may_ask_for_info() {
    let mut node = place_with(Options { password: Some(Password::of(b"secret")), ..options() });
    assert_eq!(ask(&mut node, 0, "GET /v1/status", "", b"").status, 401);
    let told = by_lines(&mut node, "AUTH secret\nSTATUS\n");
    let told = ClusterStatus::from_json(told.lines().last().expect("it answers").as_bytes()).expect("it is one");
    assert_eq!(told.verdict.level, Level::Ok);
    let words = |words: &[&str]| -> String {
        let each: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        format!("*{}\r\n{each}", words.len())
    };
    let made = ["ACL", "SETUSER", "reader", "on", ">word", "+@all", "-@dangerous", "~*"];
    let said = [words(&["AUTH", "secret"]), words(&made), words(&["AUTH", "reader", "word"]), words(&["STATUS"])];
    let told = by_lines(&mut node, &said.concat());
    assert!(told.starts_with("+OK\r\n+OK\r\n+OK\r\n-NOPERM "), "{told}");
}
