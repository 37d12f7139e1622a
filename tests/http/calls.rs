//! Commands as they are, in the format of Upstash's REST API: `POST /`, `/pipeline`, `/multi-exec`.

use kvstoreapp::auth::Password;
use kvstoreapp::node::options::HttpOptions;
use kvstoreapp::node::waits::Waits;
use kvstoreapp::node::{Node, Options};

use crate::answers::{Answer, ask, by_words, parse, place, place_with, request};
use crate::pure::{options, say};

pub const JSON: &str = "Content-Type: application/json\r\n";
const BASE64: &str = "Content-Type: application/json\r\nUpstash-Encoding: base64\r\n";
pub const BODY_BYTES_MAX: usize = 4 << 20;

pub fn post(node: &mut Node, path: &str, headers: &str, body: &str) -> Answer {
    ask(node, 0, &format!("POST {path}"), headers, body.as_bytes())
}

/// Asks for each in turn, and compares status and body.
fn check(node: &mut Node, headers: &str, conversation: &[(&str, &str, u16, &str)]) {
    for (path, body, status, expected) in conversation {
        let answer = post(node, path, headers, body);
        assert_eq!((answer.status, &*answer.text()), (*status, *expected), "{path} {body}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path} {body}");
    }
}

#[test]
fn a_command_is_an_array_and_its_answer_a_result_or_an_error() {
    let conversation = [
        ("/", r#"["SET","color","blue"]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["get","color"]"#, 200, r#"{"result":"blue"}"#),
        ("/", r#"["GET","nosuch"]"#, 200, r#"{"result":null}"#),
        ("/", r#"["SET","n",10,"EX",100]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["INCRBY","n",-3]"#, 200, r#"{"result":7}"#),
        ("/", r#"["INCRBYFLOAT","n",0.5]"#, 200, r#"{"result":"7.5"}"#),
        ("/", r#"["TTL","n"]"#, 200, r#"{"result":100}"#),
        ("/", r#"["SET","yes",true,"NX"]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["SET","yes",false,"NX"]"#, 200, r#"{"result":null}"#),
        ("/", r#"["MGET","color","nosuch","yes"]"#, 200, r#"{"result":["blue",null,"true"]}"#),
        ("/", r#"["DEL","n","nosuch"]"#, 200, r#"{"result":1}"#),
        ("/", r#"["SCAN",0,"MATCH","col*"]"#, 200, r#"{"result":["0",["color"]]}"#),
        ("/", r#"["PING"]"#, 200, r#"{"result":"PONG"}"#),
        ("/", r#"["SELECT",0]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["BITFIELD_RO","color","GET","u8",0]"#, 200, r#"{"result":[98]}"#),
        // What is no UTF-8 is lost in a text.
        ("/", r#"["SETBIT","bits",0,1]"#, 200, r#"{"result":0}"#),
        ("/", r#"["GET","bits"]"#, 200, "{\"result\":\"\u{fffd}\"}"),
        ("/", r#"["INCR","color"]"#, 400, r#"{"error":"ERR value is not an integer or out of range"}"#),
        ("/", r#"["GET"]"#, 400, r#"{"error":"ERR wrong number of arguments for 'get' command"}"#),
        (
            "/",
            r#"["LPUSH","a","b"]"#,
            400,
            r#"{"error":"ERR unknown command 'LPUSH', with args beginning with: 'a' 'b' "}"#,
        ),
    ];
    check(&mut place(), JSON, &conversation);
}

#[test]
fn in_base64_is_all_but_the_word_of_a_command_that_is_done() {
    let conversation = [
        ("/", r#"["SET","color","blue"]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["GET","color"]"#, 200, r#"{"result":"Ymx1ZQ=="}"#),
        ("/", r#"["SET","word","OK","GET"]"#, 200, r#"{"result":null}"#),
        ("/", r#"["GET","word"]"#, 200, r#"{"result":"T0s="}"#),
        ("/", r#"["SETBIT","bits",0,1]"#, 200, r#"{"result":0}"#),
        ("/", r#"["MGET","bits","nosuch","color"]"#, 200, r#"{"result":["gA==",null,"Ymx1ZQ=="]}"#),
        ("/", r#"["SCAN","0","MATCH","col*"]"#, 200, r#"{"result":["MA==",["Y29sb3I="]]}"#),
        ("/", r#"["PING"]"#, 200, r#"{"result":"UE9ORw=="}"#),
        ("/", r#"["INCR","color"]"#, 400, r#"{"error":"ERR value is not an integer or out of range"}"#),
        ("/pipeline", r#"[["GET","word"],["SET","a","b"]]"#, 200, r#"[{"result":"T0s="},{"result":"OK"}]"#),
        ("/multi-exec", r#"[["SET","a","c"],["GET","a"]]"#, 200, r#"[{"result":"OK"},{"result":"Yw=="}]"#),
    ];
    check(&mut place(), BASE64, &conversation);
    let mut node = place();
    for headers in ["Upstash-Encoding: gzip\r\n", "Upstash-Response-Format: resp2\r\n"] {
        for path in ["/", "/pipeline", "/multi-exec"] {
            assert_eq!(post(&mut node, path, &format!("{JSON}{headers}"), r#"["PING"]"#).status, 400, "{headers}");
        }
    }
    let known = format!("{JSON}Upstash-Response-Format: json\r\nUpstash-Sync-Token: \r\n");
    let answer = post(&mut node, "/", &known, r#"["PING"]"#);
    assert_eq!((answer.status, answer.header("upstash-sync-token")), (200, None), "each write is read at once here");
}

#[test]
fn several_commands_are_answered_each() {
    let conversation = [
        (
            "/pipeline",
            r#"[["SET","a",1],["INCR","a"],["GET","nosuch"],["INCR","a","b"],["NOSUCH"],["MGET","a"]]"#,
            200,
            "[{\"result\":\"OK\"},{\"result\":2},{\"result\":null},\
             {\"error\":\"ERR wrong number of arguments for 'incr' command\"},\
             {\"error\":\"ERR unknown command 'NOSUCH', with args beginning with: \"},{\"result\":[\"2\"]}]",
        ),
        ("/pipeline", "[]", 200, "[]"),
        (
            "/multi-exec",
            r#"[["SET","text","x"],["INCR","text"],["MGET","a","text"],["DEL","a"],["GET","a"]]"#,
            200,
            "[{\"result\":\"OK\"},{\"error\":\"ERR value is not an integer or out of range\"},\
             {\"result\":[\"2\",\"x\"]},{\"result\":1},{\"result\":null}]",
        ),
        ("/multi-exec", "[]", 200, "[]"),
    ];
    check(&mut place(), JSON, &conversation);
}

#[test]
fn a_body_comes_in_any_pieces_and_requests_one_behind_another() {
    let calls =
        [("/", r#"["INCR","n"]"#), ("/pipeline", r#"[["INCR","n"],["PING"]]"#), ("/multi-exec", r#"[["INCR","n"]]"#)];
    let said: Vec<u8> =
        calls.iter().flat_map(|(path, body)| request(&format!("POST {path}"), JSON, body.as_bytes())).collect();
    for piece in [1, 7, 1_000] {
        let mut node = place();
        let told: Vec<u8> = said.chunks(piece).flat_map(|piece| say(&mut node, 0, piece)).collect();
        let told: Vec<_> = parse(&told, &[]).iter().map(Answer::text).collect();
        let expected = [r#"{"result":1}"#, r#"[{"result":2},{"result":"PONG"}]"#, r#"[{"result":3}]"#];
        assert_eq!(told, expected, "in pieces of {piece}");
    }
}

#[test]
fn a_command_that_ends_its_connection_is_answered_before() {
    for (path, body) in [
        ("/", r#"["CLIENT","KILL","TYPE","normal","SKIPME","no"]"#),
        ("/pipeline", r#"[["PING"],["CLIENT","KILL","TYPE","normal","SKIPME","no"],["PING"]]"#),
        ("/multi-exec", r#"[["PING"],["CLIENT","KILL","TYPE","normal","SKIPME","no"],["PING"]]"#),
    ] {
        let mut node = place();
        let answer = post(&mut node, path, JSON, body);
        assert_eq!((answer.status, node.is_over(0)), (200, true), "{path}: {}", answer.text());
        assert!(answer.text().contains(r#"{"result":1}"#), "{path}: {}", answer.text());
    }
}

#[test]
fn a_transaction_with_a_command_that_cannot_be_taken_does_nothing() {
    let conversation = [
        (
            "/multi-exec",
            r#"[["SET","a",1],["NOSUCH","x"],["SET","b",1]]"#,
            400,
            "{\"error\":\"EXECABORT Transaction discarded because of: unknown command 'NOSUCH', with args beginning \
             with: 'x' \"}\n",
        ),
        (
            "/multi-exec",
            r#"[["SET","a",1],["GET"]]"#,
            400,
            "{\"error\":\"EXECABORT Transaction discarded because of: wrong number of arguments for 'get' \
             command\"}\n",
        ),
        (
            "/multi-exec",
            r#"[["SET","a",1],["MULTI"]]"#,
            400,
            "{\"error\":\"EXECABORT Transaction discarded because of: MULTI is no command over HTTP: POST /multi-exec \
             runs several as one\"}\n",
        ),
        ("/pipeline", r#"[["DBSIZE"],["SET","a",1]]"#, 200, r#"[{"result":0},{"result":"OK"}]"#),
        ("/multi-exec", r#"[["DBSIZE"],["GET","a"]]"#, 200, r#"[{"result":1},{"result":"1"}]"#),
    ];
    check(&mut place(), JSON, &conversation);
}

#[test]
fn nothing_of_a_body_that_is_not_understood_is_done() {
    let mut node = place();
    let begun: String = (0..2_000).map(|number| format!("[\"SET\",\"key:{number}\",1],")).collect();
    for path in ["/", "/pipeline", "/multi-exec"] {
        for end in
            ["", "]", "null]", "[]]", "[null]]", "[\"SET\",\"a\",[1]]]", "[\"SET\",\"a\",1]", "[\"SET\",\"a\",1]]x"]
        {
            let answer = post(&mut node, path, JSON, &format!("[{begun}{end}"));
            assert_eq!(answer.status, 400, "{path} {end}");
            assert!(answer.text().starts_with("{\"error\":\"ERR "), "{path} {end}: {}", answer.text());
        }
        for body in ["x", "{}", "\"PING\"", "[\"\\ud800\"]", "null"] {
            assert_eq!(post(&mut node, path, JSON, body).status, 400, "{path} {body}");
        }
        assert_eq!(ask(&mut node, 0, &format!("POST {path}"), JSON, b"").status, 400, "no body");
    }
    assert_eq!(by_words(&mut node, "DBSIZE"), ":0\r\n");
    assert_eq!(post(&mut node, "/", JSON, r#"["PING"]"#).status, 200, "the connection goes on");
}

#[test]
fn what_is_about_a_connection_is_refused_and_changes_none() {
    let mut node = place();
    for words in [
        &["SUBSCRIBE", "a"][..],
        &["PSUBSCRIBE", "a"],
        &["SSUBSCRIBE", "a"],
        &["UNSUBSCRIBE"],
        &["PUNSUBSCRIBE"],
        &["SUNSUBSCRIBE"],
        &["MONITOR"],
        &["WATCH-PREFIX", "a"],
        &["UNWATCH-PREFIX"],
        &["MULTI"],
        &["EXEC"],
        &["DISCARD"],
        &["WATCH", "a"],
        &["UNWATCH"],
        &["AUTH", "default", "x"],
        &["HELLO", "3"],
        &["QUIT"],
        &["RESET"],
        &["SELECT", "1"],
        &["CLIENT", "REPLY", "OFF"],
        &["client", "setname", "x"],
        &["CLIENT", "TRACKING", "ON"],
        &["CLIENT", "NO-EVICT", "ON"],
        &["WAIT", "1", "0"],
        &["WAITAOF", "0", "0", "0"],
        &["ACL", "SAVE"],
        &["ACL", "LOAD"],
    ] {
        let call = serde_json::to_string(words).expect("words are JSON");
        let answer = post(&mut node, "/", JSON, &call);
        assert_eq!(answer.status, 400, "{call}");
        assert!(answer.text().starts_with(&format!("{{\"error\":\"ERR {} ", words[0].to_uppercase())), "{answer:?}");
        let answer = post(&mut node, "/pipeline", JSON, &format!("[{call},[\"PING\"]]"));
        let text = answer.text();
        assert!(text.starts_with("[{\"error\":\"ERR ") && text.ends_with("},{\"result\":\"PONG\"}]"), "{call}: {text}");
        assert_eq!(post(&mut node, "/multi-exec", JSON, &format!("[{call}]")).status, 400, "{call}");
        assert_eq!(node.waits(0), Waits::ForInput, "{call}");
    }
    for word in ["SAVE", "SHUTDOWN"] {
        let answer = post(&mut node, "/pipeline", JSON, &format!("[[\"{word}\"]]"));
        assert!(answer.text().starts_with(&format!("[{{\"error\":\"ERR {word} ")), "{}", answer.text());
    }
    assert_eq!(post(&mut node, "/", JSON, r#"["SAVE"]"#).text(), r#"{"result":"OK"}"#, "alone it is one as any other");
    assert!(!node.is_shutting_down());
}

#[test]
fn a_user_may_what_its_commands_may() {
    let mut node = place();
    by_words(&mut node, "ACL SETUSER reader on >pass %R~a:* +get +multi +exec");
    by_words(&mut node, "ACL SETUSER plain on >pass ~* +get +set");
    by_words(&mut node, "ACL SETUSER default on resetpass >top");
    let as_user = |login: &str| format!("{JSON}Authorization: Bearer {login}\r\n");
    check(&mut node, &as_user("default:top"), &[("/", r#"["SET","a:1","x"]"#, 200, r#"{"result":"OK"}"#)]);
    let (set, get) = ("no permissions to run the 'set' command", "NOPERM No permissions to access a key");
    let text = |answer: Answer| answer.text();
    let reader = as_user("reader:pass");
    assert_eq!(text(post(&mut node, "/", &reader, r#"["GET","a:1"]"#)), r#"{"result":"x"}"#);
    let answer = post(&mut node, "/", &reader, r#"["SET","a:1","y"]"#);
    assert_eq!(answer.status, 400, "as of any command that fails");
    assert!(answer.text().contains("NOPERM") && answer.text().contains(set), "{}", answer.text());
    let told = text(post(&mut node, "/pipeline", &reader, r#"[["SET","a:1","y"],["GET","b:1"],["GET","a:1"]]"#));
    assert!(told.contains(set) && told.contains(get) && told.ends_with(r#"{"result":"x"}]"#), "{told}");
    let told = text(post(&mut node, "/multi-exec", &reader, r#"[["GET","a:1"]]"#));
    assert_eq!(told, r#"[{"result":"x"}]"#);
    let told = text(post(&mut node, "/multi-exec", &reader, r#"[["GET","a:1"],["SET","a:1","y"]]"#));
    assert!(told.contains("EXECABORT") && told.contains(set), "{told}");
    let told = text(post(&mut node, "/multi-exec", &as_user("plain:pass"), r#"[["SET","a:1","y"]]"#));
    assert!(told.contains("no permissions to run the 'multi' command"), "{told}");
    for path in ["/", "/pipeline", "/multi-exec"] {
        for headers in [JSON.to_owned(), as_user("reader:wrong"), as_user("nobody:pass"), as_user("pass")] {
            assert_eq!(post(&mut node, path, &headers, r#"["GET","a:1"]"#).status, 401, "{path} {headers}");
        }
    }
    assert_eq!(text(post(&mut node, "/", &as_user("default:top"), r#"["GET","a:1"]"#)), r#"{"result":"x"}"#);
}

#[test]
fn no_page_or_form_from_elsewhere_runs_a_command_and_no_path_or_query_is_one() {
    let mut node = place();
    for path in ["/", "/pipeline", "/multi-exec"] {
        let body = if path == "/" { r#"["SET","a","x"]"# } else { r#"[["SET","a","x"]]"# };
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
            let header = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
            assert_eq!(post(&mut node, path, &header, body).status, 415, "{path} {kind}");
        }
        for (headers, status) in [
            ("Origin: http://evil.example\r\n", 403),
            ("Origin: null\r\n", 403),
            ("Sec-Fetch-Site: cross-site\r\n", 403),
            ("Sec-Fetch-Site: same-site\r\n", 403),
            ("Host: evil.example\r\n", 421),
        ] {
            assert_eq!(post(&mut node, path, &format!("{JSON}{headers}"), body).status, status, "{path} {headers}");
        }
        assert_eq!(post(&mut node, &format!("{path}?_token=default:x"), JSON, body).status, 400, "{path}");
    }
    for (line, status) in [
        ("GET /set/a/x", 404),
        ("POST /set/a/x", 404),
        ("POST /set/a", 404),
        ("GET /pipeline", 405),
        ("PUT /", 405),
        ("PUT /multi-exec", 405),
    ] {
        assert_eq!(ask(&mut node, 0, line, JSON, b"").status, status, "{line}");
    }
    assert_eq!(by_words(&mut node, "DBSIZE"), ":0\r\n");
}

#[test]
fn a_page_that_is_let_in_may_say_what_the_client_says() {
    let http = HttpOptions { origins: vec!["https://app.example".to_owned()], ..HttpOptions::default() };
    let mut node = place_with(Options { http, password: Some(Password::of(b"secret")), ..options() });
    let page = "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n";
    let wanted = format!("{page}Access-Control-Request-Method: POST\r\n");
    for path in ["/", "/pipeline", "/multi-exec"] {
        let answer = ask(&mut node, 0, &format!("OPTIONS {path}"), &wanted, b"");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("https://app.example")));
        assert!(answer.header("access-control-allow-methods").expect("it says so").contains("POST"));
        let allowed = answer.header("access-control-allow-headers").expect("it says so").to_lowercase();
        for header in
            ["authorization", "content-type", "upstash-encoding", "upstash-sync-token", "upstash-telemetry-sdk"]
        {
            assert!(allowed.split(", ").any(|known| known == header), "{header} in {allowed}");
        }
    }
    let said = format!("{JSON}{page}Authorization: Bearer default:secret\r\n");
    for (path, body) in [("/", "[\"PING\"]"), ("/pipeline", "[[\"PING\"]]"), ("/multi-exec", "[[\"PING\"]]")] {
        let answer = post(&mut node, path, &said, body);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
        assert_eq!(post(&mut node, path, &format!("{JSON}{page}"), body).status, 401, "{path}");
    }
}

#[test]
fn commands_are_about_the_database_that_the_request_names() {
    let mut node = place();
    let conversation = [
        ("/?db=3", r#"["SET","k","three"]"#, 200, r#"{"result":"OK"}"#),
        ("/", r#"["GET","k"]"#, 200, r#"{"result":null}"#),
        ("/?db=3", r#"["GET","k"]"#, 200, r#"{"result":"three"}"#),
        (
            "/pipeline?db=3",
            r#"[["APPEND","k","!"],["SELECT","3"],["GET","k"]]"#,
            200,
            r#"[{"result":6},{"result":"OK"},{"result":"three!"}]"#,
        ),
        ("/multi-exec?db=4", r#"[["SET","k","four"],["DBSIZE"]]"#, 200, r#"[{"result":"OK"},{"result":1}]"#),
        ("/pipeline", r#"[["DBSIZE"],["COPY","k","k","DB","4"]]"#, 200, r#"[{"result":0},{"result":0}]"#),
        ("/?db=16", r#"["DBSIZE"]"#, 400, "{\"error\":\"db is a number from 0 to 15\"}\n"),
        (
            "/?db=3",
            r#"["SELECT","0"]"#,
            400,
            r#"{"error":"ERR SELECT takes the request's own database alone: which one that is, ?db= says"}"#,
        ),
    ];
    check(&mut node, JSON, &conversation);
    // Also where they take several turns.
    let calls: Vec<_> = (0..5_000).map(|number| format!("[\"SET\",\"key {number}\",\"v\"]")).collect();
    assert_eq!(post(&mut node, "/pipeline?db=5", JSON, &format!("[{}]", calls.join(","))).status, 200);
    let sizes =
        [("/?db=5", 5_000), ("/", 0)].map(|(path, keys)| (path, keys, post(&mut node, path, JSON, "[\"DBSIZE\"]")));
    sizes.iter().for_each(|(path, keys, answer)| assert_eq!(answer.text(), format!("{{\"result\":{keys}}}"), "{path}"));
}
