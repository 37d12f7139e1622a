//! Conversations in JSON lines with a real node.

use crate::harness::Server;

/// Each request's line, and its answer's.
fn check(conversation: &[(&str, &str)]) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for (request, answer) in conversation {
        assert_eq!(client.ask(request), *answer, "{request}");
    }
}

#[test]
fn values_are_set_read_counted_and_deleted() {
    check(&[
        (r#"{"op":"ping","id":1}"#, r#"{"id":1,"ok":true}"#),
        (r#"{"op":"set","key":"user:1","value":"Ada","id":7}"#, r#"{"id":7,"ok":true}"#),
        (r#"{"op":"get","key":"user:1","id":[8]}"#, r#"{"id":[8],"ok":true,"value":"Ada"}"#),
        (r#"{"op":"get","key":"nobody"}"#, r#"{"ok":true,"value":null}"#),
        (r#"{"op":"incr","key":"n","by":5}"#, r#"{"ok":true,"value":5}"#),
        (r#"{"op":"incr","key":"n"}"#, r#"{"ok":true,"value":6}"#),
        (r#"{"op":"mget","keys":["n","nobody"]}"#, r#"{"ok":true,"values":["6",null]}"#),
        (r#"{"op":"exists","keys":["n","user:1","x"]}"#, r#"{"count":2,"ok":true}"#),
        (r#"{"op":"scan","match":"user:*"}"#, r#"{"cursor":"0","keys":["user:1"],"ok":true}"#),
        (r#"{"op":"ttl","key":"n"}"#, r#"{"exists":true,"ok":true,"ttl_ms":null}"#),
        (r#"{"op":"ttl","key":"x"}"#, r#"{"exists":false,"ok":true,"ttl_ms":null}"#),
        (r#"{"op":"expire","key":"n","ttl_ms":-1}"#, r#"{"done":true,"ok":true}"#),
        (r#"{"op":"delete","key":"n"}"#, r#"{"deleted":0,"ok":true}"#),
        (r#"{"op":"delete","key":"user:1"}"#, r#"{"deleted":1,"ok":true}"#),
        (r#"{"op":"wait","peers":0}"#, r#"{"ok":true,"peers":0}"#),
    ]);
}

#[test]
fn bytes_that_are_no_text_are_base64_and_say_so() {
    check(&[
        (r#"{"op":"set","key":"k","value":"/wA=","encoding":"base64"}"#, r#"{"ok":true}"#),
        (r#"{"op":"get","key":"k"}"#, r#"{"encoding":"base64","ok":true,"value":"/wA="}"#),
        (r#"{"op":"mget","keys":["k"]}"#, r#"{"encoding":"base64","ok":true,"values":["/wA="]}"#),
        (r#"{"op":"set","key":"/w==","key_encoding":"base64","value":"x"}"#, r#"{"ok":true}"#),
        (r#"{"op":"get","key":"/w==","key_encoding":"base64"}"#, r#"{"ok":true,"value":"x"}"#),
        (
            r#"{"op":"get","key":"?","key_encoding":"base64"}"#,
            r#"{"error":{"code":"ERR","message":"this is not base64"},"ok":false}"#,
        ),
    ]);
}

#[test]
fn mistakes_are_named_and_the_conversation_goes_on() {
    check(&[
        (
            r#"{"op":"get","id":3}"#,
            r#"{"error":{"code":"ERR","message":"the field key is missing"},"id":3,"ok":false}"#,
        ),
        (
            r#"{"op":"set","key":"k","value":1,"id":4}"#,
            r#"{"error":{"code":"ERR","message":"invalid type: integer `1`, expected a string at line 1 column 31"},"id":4,"ok":false}"#,
        ),
        (r#"{"op":"set","key":"k","value":"x"}"#, r#"{"ok":true}"#),
        (
            r#"{"op":"incr","key":"k"}"#,
            r#"{"error":{"code":"ERR","message":"value is not an integer or out of range"},"ok":false}"#,
        ),
        (r#"{"op":"get","key":"k"}"#, r#"{"ok":true,"value":"x"}"#),
    ]);
}

#[test]
fn who_watches_a_prefix_is_told_and_can_go_on_from_a_position() {
    let server = Server::start(&[]);
    let (mut watcher, mut writer) = (server.connect(), server.connect());
    assert!(watcher.ask(r#"{"op":"watch","prefix":"user:"}"#).contains(r#""ok":true"#));
    for request in ["SET user:1 Ada", "SET other x", "DELETE user:1"] {
        assert_eq!(writer.ask(request), "OK");
    }
    let first = watcher.line();
    // A change that is overwritten before it is told is not told.
    let last = if first.contains("delete") { first } else { watcher.line() };
    assert!(last.contains(r#""event":"delete","key":"user:1""#), "{last}");

    assert_eq!(writer.ask("SET user:2 Bob"), "OK");
    let told = watcher.line();
    let position = told.split(r#""position":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a position");
    assert_eq!(writer.ask("SET user:3 Eve"), "OK");
    let mut again = server.connect();
    let resumed = again.ask(&format!(r#"{{"op":"watch","prefix":"user:","position":"{position}"}}"#));
    assert_eq!(resumed, format!(r#"{{"ok":true,"position":"{position}"}}"#));
    assert!(again.line().contains(r#""key":"user:3""#), "only what came after is told");
}

#[test]
fn a_request_says_how_it_is_written_whatever_was_said_before() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.ask("SET a line"), "OK");
    assert_eq!(client.ask(r#"{"op":"get","key":"a"}"#), r#"{"ok":true,"value":"line"}"#);
    client.send("*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    assert_eq!((client.line(), client.line()), ("$4\r".to_owned(), "line\r".to_owned()));
    assert_eq!(client.ask("GET nobody"), "$-1\r", "inline, as Redis has it");
    assert_eq!(client.ask(r#"{"op":"ping"}"#), r#"{"ok":true}"#);
}
