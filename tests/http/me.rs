//! Who asks and what they may do; the settings.

use kvstoreapp::auth::Password;
use kvstoreapp::node::{Node, Options};
use serde_json::Value;

use crate::answers::{ask, by_words, place, place_with};
use crate::pure::options;

#[test]
fn who_asks_is_told_who_they_are_and_what_they_may() {
    let mut node = place();
    let me = |node: &mut Node, headers: &str| {
        let answer = ask(node, 0, "GET /v1/me", headers, b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_str::<Value>(&answer.text()).expect("it is JSON")
    };
    let default = me(&mut node, "");
    assert_eq!((default["user"].as_str(), default["is_login"].as_bool()), (Some("default"), Some(false)));
    assert_eq!(default["databases"], 16);
    assert!(default["may"].as_object().is_some_and(|may| may.len() > 10 && may.values().all(|one| one == true)));
    by_words(&mut node, "ACL SETUSER alice on >pass ~a:* +get +scan +config|get +client|list");
    let alice = me(&mut node, "Authorization: Bearer alice:pass\r\n");
    let granted = alice["may"].as_object().expect("there are rights").iter().filter(|(_, may)| **may == true);
    let granted: Vec<&str> = granted.map(|(name, _)| name.as_str()).collect();
    assert_eq!((alice["user"].as_str(), granted), (Some("alice"), vec!["client_list", "config_get", "get", "scan"]));
    assert_eq!(by_words(&mut node, "ACL LOG"), "*0\r\n", "nothing was tried");
    let mut closed = place_with(Options { password: Some(Password::of(b"top")), ..options() });
    assert_eq!(ask(&mut closed, 0, "GET /v1/me", "", b"").status, 401);
}

#[test]
fn settings_are_told_with_their_defaults_to_who_may_get_them() {
    let mut node = place();
    by_words(&mut node, "CONFIG SET slowlog-max-len 7 maxmemory 100mb");
    let answer = ask(&mut node, 0, "GET /v1/settings", "", b"");
    let all: Value = serde_json::from_str(&answer.text()).expect("it is JSON");
    let all = all["settings"].as_array().expect("there are settings");
    let text = |setting: &Value, field: &str| setting[field].as_str().map(str::to_owned);
    let differ = all.iter().filter(|one| !one["default"].is_null() && one["default"] != one["value"]);
    let differ: Vec<_> = differ.map(|one| (text(one, "name"), text(one, "value"), text(one, "default"))).collect();
    let row = |name: &str, value: &str, default: &str| (Some(name.into()), Some(value.into()), Some(default.into()));
    // The first of these the test's node was told at its start.
    assert_eq!(
        differ,
        [row("maxclients", "10", "10000"), row("maxmemory", "104857600", "0"), row("slowlog-max-len", "7", "128")]
    );
    let of = |name: &str| all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!((&of("id")["default"], &of("id")["can_set"]), (&Value::Null, &Value::Bool(false)));
    assert_eq!(of("maxmemory")["can_set"], true);
    // Each node has its own of these.
    let without: Vec<_> = all.iter().filter(|one| one["default"].is_null()).map(|one| &one["name"]).collect();
    assert_eq!(without, ["id", "bind", "dir", "port"]);
    // The same names and values as by CONFIG GET, but for older names.
    for one in all {
        let (name, value) = (text(one, "name").expect("a name"), text(one, "value").expect("a value"));
        let said = by_words(&mut node, &format!("CONFIG GET {name}"));
        assert_eq!(said, format!("*2\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len()));
    }
    by_words(&mut node, "ACL SETUSER alice on >pass +get");
    let with = "Authorization: Bearer alice:pass\r\n";
    assert_eq!(ask(&mut node, 0, "GET /v1/settings", with, b"").status, 403);
}
